"""Measure the compiled benchmark networks on virtual boards, beside TFLite-Micro with CMSIS-NN on the same machines.

    python -m tools.bench_mcu [--graph a] [--board mps2-an386] [--imagenet FILE] [--functions] [--append FILE]

For each network and core: instructions of one inference (counted in QEMU, rows read and pushed one by one), code and
model in flash from the linked firmware, RAM in all (arena, variables and the measured stack), and whether the output is
TFLite's, byte for byte. Cycles of a Cortex-M4 are modelled from the counts, with memory that answers at once. KB are
1024 bytes. A line for each limit says whether it is met; the exit code is 1 if an output differs or a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from converters.compiler import DENSE, Compilation, Packing, analyse, files
from converters.compiler.back.c import library
from converters.tflite.reader import read_model
from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import board as board_of
from sqz_tf.deploy.flashing import noise
from sqz_tf.inference import interpreters
from tools.bench_mcu import count, cycles
from tools.bench_mcu.coarse import coarse
from tools.bench_mcu.graphs import GRAPHS, squeezenet
from tools.bench_mcu.limits import judged
from tools.bench_mcu.measurement import KB, PEERS, Measurement

BOARDS = ("mps2-an386", "mps2-an500", "mps3-an547")
PLAIN = ("mps2-an383", "mps2-an385", "rv32-virt")  # those that run plain C
MODEL = ".model"  # the section of weights and tables
TICKS = "board_ticks"  # called just before and just after the inference
BEGIN, END = "<!-- make bench-mcu -->", "<!-- end -->"
MODELLED = ("cycles, modelled", "of TFLM + CMSIS-NN's, at most", "model bytes read")
KINDS = ("conv1", "squeeze1x1", "expand1x1", "expand3x3", "conv10", "pool", "softmax")


def measure(
    graph: str, model: bytes, board: str, folder: Path, packing: Packing = DENSE, judge: bytes | None = None
) -> Measurement:
    """Compile, build, run and measure one network on one virtual board.

    Args:
      graph: its name in `peers.json`.
      model: int8 `.tflite`.
      board: one QEMU emulates.
      folder: an empty one to work in.
      packing: which weights to compress.
      judge: the model that the interpreter is given, if it refuses this one.
    """
    chosen = board_of(board)
    sources = folder / "c"
    sources.mkdir(parents=True)
    compilation = analyse(model, chosen.target, packing)
    for name, text in files(compilation, "net").items():
        (sources / name).write_text(text, encoding="utf-8")
    program = firmware.build(board, sources, folder)
    (folder / firmware.CASES).write_bytes(_cases(judge or model))
    kernels = {library.symbol("net", choice.function) for choice in compilation.choices}
    counts = count.count(program, str(chosen.qemu), "sqz_infer", marks=[*kernels, TICKS], reads=MODEL, folder=folder)
    said = firmware.parse(counts.exit_code, counts.output)
    sizes = _sizes(program)
    return Measurement(
        graph=graph,
        core=chosen.core,
        instructions=sum(counts.regions),
        weight_bytes=_weight_bytes(model),
        stack_bytes=said.stack_bytes,
        equal=said.verdict == firmware.EXIT_GOOD,
        layers=_layers(compilation, counts, program),
        functions=dict(count.by_function(program, counts)),
        cycles=cycles.of_run(program, counts) if chosen.core == "cortex-m4" else None,
        read_bytes=counts.bytes_read,
        **sizes,
    )


def _layers(compilation: Compilation, counts: count.Counts, program: Path) -> dict[str, tuple[int, int]]:
    """Return instructions and MACs by layer: from the entry of each firing's kernel to that of the next.

    The order of firings is the compiler's schedule: step by step, in a step in order of the operators.
    """
    ticks = next(symbol.address for symbol in count.symbols(program) if symbol.name == TICKS)
    before, after = (i for i, (address, _) in enumerate(counts.marks) if address == ticks)
    totals = [total for _, total in counts.marks[before + 1 : after + 1]]
    schedule = compilation.schedule
    operators = schedule.program.operators
    pairs = zip(operators, schedule.fires_in, strict=True)
    calls = [sorted(set(steps)) if each.at_once else steps for each, steps in pairs]
    # The inference ends with the step that completes its outputs: later rows are never made.
    firings = sorted((step, i) for i, steps in enumerate(calls) for step in steps)[: len(totals) - 1]
    spent = [0] * len(operators)
    for (_, operator), start, end in zip(firings, totals[:-1], totals[1:], strict=True):
        spent[operator] += end - start
    return {each.name: (taken, each.macs) for each, taken in zip(operators, spent, strict=True)}


@lru_cache
def _cases(model: bytes) -> bytes:
    inputs = noise(read_model(model).input_tensors()[0].shape[1:])
    return firmware.cases_file(inputs, interpreters.run(model, inputs, "litert-ref").outputs)


def _weight_bytes(model: bytes) -> int:
    graph = read_model(model)
    used = {index for op in graph.ops if "CONV" in op.name or op.name == "FULLY_CONNECTED" for index in op.inputs[1:3]}
    constants = [graph.tensors[index] for index in used]
    return sum(tensor.size * (4 if tensor.dtype == "int32" else 1) for tensor in constants)


def _sizes(program: Path) -> dict[str, int]:
    """Return what a linked firmware takes: code is everything in flash but the model."""
    text = count.tool("size", program, "-A")
    sections = {name: int(bytes_) for name, bytes_ in re.findall(r"^(\.\S+)\s+(\d+)", text, re.MULTILINE)}
    arena = int(re.findall(r"^\S+ (\S+) b arena$", count.tool("nm", program, "-S"), re.MULTILINE)[0], 16)
    return {
        "code_bytes": sum(sections.get(name, 0) for name in (".text", ".ARM.exidx", ".data")),
        "model_bytes": sections[MODEL],
        "arena_bytes": arena,
        "static_bytes": sections.get(".data", 0) + sections[".bss"] - arena,
    }


def tables(rows: Sequence[Measurement]) -> str:
    """Return all measurements as Markdown tables."""
    return "\n\n".join([speed(rows), memory(rows), kinds(rows)])


def speed(rows: Iterable[Measurement]) -> str:
    """Return instructions, modelled cycles, bytes read, and code in flash as a Markdown table."""
    limits = PEERS["limits"]
    head = (
        "net",
        "core",
        "instructions",
        "of TFLM + CMSIS-NN",
        *MODELLED,
        f"code, asked ≤ {limits['code_kb']} KB",
        "of TFLM's",
        "output is TFLite's",
    )
    return _markdown(head, map(_speed, rows))


def _speed(row: Measurement) -> list[str]:
    peer_code = PEERS[row.graph]["code_bytes"].get(row.core)
    ratio = f"{row.instruction_ratio:.3f}" if row.instruction_ratio else ""
    code = f"{row.code_bytes / KB:.1f} KB"
    part = f"{row.code_bytes / peer_code:.2f}" if peer_code else ""
    told = "yes" if row.equal else "NO"
    return [row.graph, row.core, f"{row.instructions:,}", ratio, *modelled(row), code, part, told]


def modelled(row: Measurement) -> list[str]:
    """Return the cells of cycles (none but for Cortex-M4) and of bytes loaded from weights and tables."""
    ratio = f"{row.cycle_ratio:.3f}" if row.cycle_ratio else ""
    return [f"{row.cycles:,}" if row.cycles else "", ratio, f"{row.read_bytes:,}"]


def memory(rows: Iterable[Measurement]) -> str:
    """Return RAM, and what lies in flash for the model, as a Markdown table."""
    head = ("net", "core", "arena + variables + stack", "RAM in all", "asked", "TFLM", "weights + tables", "×", "asked")
    return _markdown(head, map(_memory, rows))


def _memory(row: Measurement) -> list[str]:
    limits = PEERS["limits"]
    parts = " + ".join(f"{value:,}" for value in (row.arena_bytes, row.static_bytes, row.stack_bytes))
    ram = [
        parts,
        f"{row.ram_bytes / KB:.1f} KB",
        f"≤ {limits['ram_kb'][row.graph]} KB",
        f"{PEERS[row.graph]['ram_kb']:,} KB",
    ]
    ratio = limits["model"].get(row.graph)
    return [row.graph, row.core, *ram, f"{row.model_bytes:,}", f"{row.model_ratio:.3f}", f"≤ {ratio}" if ratio else ""]


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(line) + " |" for line in lines)
        .replace("| --- ", "|---")
        .replace("---| ---", "---|---")
    )


def kinds(rows: Iterable[Measurement]) -> str:
    """Return each kind of layer's share of the instructions as a Markdown table, with instructions per MAC."""
    columns = [(row, _by_kind(row)) for row in rows if row.core != "cortex-m7"]  # which does as cortex-m4
    head = ["", *(f"{row.graph}, {row.core}" for row, _ in columns)]
    lines = [[kind, *(_share(*sums.get(kind, (0, 0)), row.instructions) for row, sums in columns)] for kind in KINDS]
    return _markdown(head, lines)


def _by_kind(row: Measurement) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for name, (taken, macs) in row.layers.items():
        kind = re.sub(r"^fire\d+_|(?<=pool)\d+$", "", name)
        before = sums.get(kind, (0, 0))
        sums[kind] = (before[0] + taken, before[1] + macs)
    return sums


def _share(taken: int, macs: int, total: int) -> str:
    return f"{taken / total:.1%}" + (f", {taken / macs:.2f} a MAC" if macs else "")


def written(page: str, rows: Sequence[Measurement]) -> str:
    """Return a page with the tables in their place.

    Raises:
      ValueError: the page has no place for them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page holds no place for the tables: expected {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables(rows)}\n\n{END}{after}"


def functions(rows: Iterable[Measurement], most: int = 12) -> str:
    """Return where the instructions went, by function."""
    lines = []
    for row in rows:
        lines.append(f"{row.graph} on {row.core}")
        for name, executed in list(row.functions.items())[:most]:
            lines.append(f"  {executed:>13,} {executed / row.instructions:6.1%}  {name}")
    return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", action="append", choices=sorted(GRAPHS), help="default: all")
    parser.add_argument("--imagenet", metavar="FILE", type=Path, help="the int8 ImageNet v1.0 model, to measure too")
    parser.add_argument("--board", action="append", choices=(*BOARDS, *PLAIN), help=_BOARDS)
    parser.add_argument("--compress", action="append", default=[], metavar="FLASH,RAM", type=_budgets, help=_COMPRESS)
    parser.add_argument("--functions", action="store_true", help="also where the instructions went")
    parser.add_argument("--write", metavar="FILE", type=Path, help=f"put the tables between {BEGIN} and {END}")
    parser.add_argument("--append", metavar="FILE", type=Path, help="add a line of JSON for each measurement")
    return parser


_BOARDS = f"default: {', '.join(BOARDS)}; the others run plain C"


_COMPRESS = (
    "instead: measure with weights compressed for so many KB of constants and of arena; 0: as few as can be. The "
    "seeded networks' weights, which are random, are rounded coarsely first"
)


def _budgets(text: str) -> Packing:
    """Return what to compress for, as the `type` of an argument."""
    flash, ram = (int(float(part) * KB) for part in text.split(","))
    return Packing(flash or None, "speed" if flash else "flash", ram)


def compressed(models: Mapping[str, bytes], boards: Iterable[str], settings: Sequence[Packing]) -> str:
    """Return instructions, flash and RAM of each network with compressed weights, beside the dense program's."""
    head = ("net", "core", "constants", "instructions", "of dense", "code", "arena", "RAM in all", "output is TFLite's")
    lines = []
    for board in boards:
        for name, model in models.items():
            rows = [_measured(name, model, board, packing) for packing in (DENSE, *settings)]
            lines += [_compressed(row, rows[0]) for row in rows]
    return _markdown(head, lines)


def _compressed(row: Measurement, dense: Measurement) -> list[str]:
    sizes = (row.code_bytes, row.arena_bytes, row.ram_bytes)
    ratio, told = f"{row.instructions / dense.instructions:.3f}", "yes" if row.equal else "NO"
    start = [row.graph, row.core, f"{row.model_bytes:,}", f"{row.instructions:,}", ratio]
    return [*start, *(f"{size:,}" for size in sizes), told]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if an output differs or a limit is missed."""
    options = build_parser().parse_args(arguments)
    models = {name: squeezenet(GRAPHS[name]) for name in options.graph or sorted(GRAPHS)}
    if options.imagenet:
        models["imagenet"] = options.imagenet.read_bytes()
    if options.compress:
        models = {name: coarse(model) if name in GRAPHS else model for name, model in models.items()}
        print(compressed(models, options.board or BOARDS, options.compress))
        return 0
    rows = [_measured(name, model, board) for name, model in models.items() for board in options.board or BOARDS]
    if options.append:
        _append(options.append, rows)
    if options.write:
        options.write.write_text(written(options.write.read_text(encoding="utf-8"), rows), encoding="utf-8")
    print(tables(rows))
    if options.functions:
        print("\n" + functions(rows))
    told, kept = judged(rows)
    print(f"\n{told}")
    return 0 if kept else 1


def _measured(name: str, model: bytes, board: str, packing: Packing = DENSE) -> Measurement:
    print(f"{name} on {board}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        return measure(name, model, board, Path(folder), packing)


def _append(path: Path, rows: Iterable[Measurement]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            values: dict[str, Any] = asdict(row)
            file.write(json.dumps(values | {"ram_bytes": row.ram_bytes}, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
