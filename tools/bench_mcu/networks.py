"""Count what compiled networks of other people take on virtual boards, beside TFLite Micro with CMSIS-NN.

    python -m tools.bench_mcu.networks FOLDER [NAME …] [--functions]

FOLDER holds NAME.tflite, or NAME is a model that comes with the kit; `peers.json` names seven of MLPerf Tiny and TFLite
Micro's examples. Columns as in `python -m tools.bench_mcu`, and as there a line for each limit; the exit code is 1 if
an output is not TFLite's or a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from converters.tflite.edit import pack, unpack
from sqz_tf.base.shipped import shipped_model
from tools.bench_mcu.__main__ import MODELLED, functions, measure, modelled
from tools.bench_mcu.limits import judged
from tools.bench_mcu.measurement import KB, NETWORKS, Measurement

BOARDS = ("mps2-an386", "mps3-an547")


def readable(model: bytes) -> bytes:
    """Return a model that LiteRT reads, too: what has one dimension is quantized along that."""
    form = unpack(model)
    for tensor in form.subgraphs[0].tensors:
        if tensor.quantization is not None and tensor.shape is not None and len(tensor.shape) == 1:
            tensor.quantization.quantizedDimension = 0
    return pack(form)


def measured(folder: Path, names: Sequence[str]) -> Iterator[Measurement]:
    """Measure networks on each board."""
    for name in names:
        path = folder / f"{name}.tflite"
        model = (path if path.exists() else shipped_model(name)).read_bytes()
        for board in BOARDS:
            with tempfile.TemporaryDirectory() as place:
                yield measure(name, model, board, Path(place), judge=readable(model))


def line(row: Measurement) -> str:
    """Return a measurement as a row of a Markdown table."""
    theirs = f"{row.instruction_ratio:.2f}" if row.instruction_ratio else ""
    ram = f"{(row.arena_bytes + row.stack_bytes) / KB:.1f} KB"
    arena = f"{row.peer['arena_kb']} KB" if row.peer else ""
    cells = (row.graph, row.core, f"{row.instructions:,}", theirs, *modelled(row), f"{row.code_bytes / KB:.1f} KB")
    return "| " + " | ".join((*cells, f"{row.model_bytes:,}", ram, arena, "yes" if row.equal else "NO")) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and a line for each limit; return 1 if an output differs or a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--functions", action="store_true", help="also where the instructions went")
    options = parser.parse_args(arguments)
    columns = (
        "net",
        "core",
        "instructions",
        "of TFLM + CMSIS-NN",
        *MODELLED,
        "code",
        "weights + tables",
        "arena + stack",
    )
    print("| " + " | ".join((*columns, "TFLM's arena", "equal")) + " |")
    print("|---" * (len(columns) + 2) + "|")
    rows = []
    for row in measured(options.folder, options.names):
        rows.append(row)
        print(line(row), flush=True)
    if options.functions:
        print("\n" + functions(rows))
    told, kept = judged(rows)
    print(f"\n{told}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
