"""Does a model fit a board? `python -m sqz_tf.fit MODEL.tflite [--board B|--all] [--json]`, without a board.

RAM, flash, multiply-accumulates, operators and an estimate of the time, for the model compiled to C and for TFLite
Micro. Sizes come from a real link where arm-none-eabi-gcc is installed; what is estimated is said to be.

exit code: 0 it fits the board (of several: at least one), 1 it does not or cannot be compiled, 2 usage.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Any

from sqz_tf.base.console import EXIT_FAILED, EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.errors import translated
from sqz_tf.base.shipped import shipped_model
from sqz_tf.deploy import footprint
from sqz_tf.deploy.boards import Board, board_argument, boards
from sqz_tf.deploy.fpga import boards as fpga_boards
from sqz_tf.deploy.fpga.boards import FPGA_BOARDS, FpgaBoard
from sqz_tf.deploy.need import KIB, STACK_KEPT, FitError, Model, Need, Verdict, judge, lacking_of, tflm_need
from sqz_tf.inference.model_file import contents, require_int8

HEAD = ["board", "core", "MHz", "RAM", "of KB", "flash", "of KB", "time, estimate", "fits", "TFLM RAM", "flash", "fits"]


TEXT_COLUMNS = {0, 1, 8, 11}
TFLM_NOTE = "TFLite Micro: arena measured on 64 bits, without stack; code with CMSIS-NN and int8-only kernels."


def as_json(model: Model, verdicts: list[Verdict], why_no_tflm: str) -> dict[str, Any]:
    """Return everything as plain values."""
    (source,) = model.graph.input_tensors()
    return {
        "format": 1,
        "model": {
            "bytes": len(model.data),
            "input": list(source.shape),
            "outputs": sum(each.size for each in model.graph.output_tensors()),
            "macs": model.macs,
            "operators": dict(sorted(Counter(op.name for op in model.graph.ops).items())),
        },
        "linker": None if footprint.why_not() else footprint.compiler(),
        "tflm_not_measured": why_no_tflm or None,
        "boards": [_board_json(verdict) for verdict in verdicts],
    }


def _board_json(verdict: Verdict) -> dict[str, Any]:
    low, high = verdict.milliseconds
    return {
        **asdict(verdict.board),
        "fits": verdict.fits,
        "lacking": list(verdict.lacking),
        "flash_budget": verdict.flash_budget,
        "compiled": _need_json(verdict.compiled),
        "milliseconds_estimate": [round(low, 2), round(high, 2)],
        "tflm": verdict.tflm and {**_need_json(verdict.tflm), "fits": not lacking_of(verdict.board, verdict.tflm)},
    }


def _need_json(need: Need) -> dict[str, Any]:
    return {
        "ram": {"arena": need.arena, "static": need.static, "stack": need.stack, "total": need.ram},
        "stack_bound": need.stack_bound,
        "flash": {"weights": need.weights, "code": need.code, "total": need.flash},
        "linked": need.linked,
    }


def table(model: Model, verdicts: list[Verdict], why_no_tflm: str) -> str:
    """Return it for a person: one row a board, then what stands behind the figures."""
    names = Counter(op.name for op in model.graph.ops)
    operators = ", ".join(f"{count} {name}" for name, count in sorted(names.items()))
    shape = " × ".join(str(side) for side in model.graph.input_tensors()[0].shape[1:])
    rows = [HEAD, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(map(_padded, range(len(HEAD)), row, widths)).rstrip() for row in rows]
    top = f"{shape} input, {model.macs:,} multiply-accumulates; {operators}"
    return "\n".join([top, "", *lines, "", *_notes(verdicts, why_no_tflm)])


def refused_table(chosen: list[Board], tflm: Need) -> str:
    """Return what TFLite Micro needs of boards for a model that cannot be compiled, for a person."""
    head = ["board", "core", "MHz", "TFLM RAM", "of KB", "flash", "of KB", "fits"]
    rows = [head, *(_tflm_row(board, tflm) for board in chosen)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(["It can be interpreted, not compiled.", "", *lines, "", TFLM_NOTE])


def _tflm_row(board: Board, tflm: Need) -> list[str]:
    sizes = [_kb(tflm.ram), _kb(board.ram_bytes), _kb(tflm.flash), _kb(board.flash_bytes)]
    return [board.name, board.core, str(board.mhz), *sizes, _answer(board, tflm)]


def refused_json(model: Model, chosen: list[Board], tflm: Need, refusal: FitError) -> str:
    """Return the same as JSON; `compiled` is null, as is what follows from it."""
    needs = _need_json(tflm)
    boards_ = [
        {**asdict(each), "fits": False, "compiled": None, "tflm": {**needs, "fits": not lacking_of(each, tflm)}}
        for each in chosen
    ]
    values = {"format": 1, "refused": str(refusal), "model": {"bytes": len(model.data)}, "boards": boards_}
    return json.dumps(values, indent=1, ensure_ascii=False)


def _padded(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column in TEXT_COLUMNS else cell.rjust(width)


def _row(verdict: Verdict) -> list[str]:
    where, need, tflm = verdict.board, verdict.compiled, verdict.tflm
    mark = "" if need.linked else "~"
    cells = [where.name, where.core, str(where.mhz)]
    cells += [mark + _kb(need.ram), _kb(where.ram_bytes), mark + _kb(need.flash), _kb(where.flash_bytes)]
    cells += [_duration(verdict.milliseconds), _answer(where, need, verdict.flash_budget)]
    if tflm is None:
        return [*cells, "–", "–", "–"]
    return [*cells, _kb(tflm.ram), _kb(tflm.flash), _answer(where, tflm)]


def _answer(board: Board, need: Need, flash_budget: int | None = None) -> str:
    short = lacking_of(board, need)
    return f"no: {' and '.join(short)}" if short else "yes" if flash_budget is None else "compressed"


def _duration(milliseconds: tuple[float, float]) -> str:
    """Return a range as text: `5.6–13 ms`, `0.45–1.2 s`."""
    unit, factor = ("s", 1e-3) if milliseconds[1] >= 1000 else ("ms", 1.0)
    low, high = (_figure(factor * value) for value in milliseconds)
    return f"{low}–{high} {unit}"


def _notes(verdicts: list[Verdict], why_no_tflm: str) -> list[str]:
    lines = [
        "KB are 1024 bytes. RAM, in one block: arena, static (one input row, the scores) and a bound of the stack, for "
        f"which {STACK_KEPT // KIB} KB are kept at least, as the kit's firmware does."
    ]
    if any(verdict.compiled.linked for verdict in verdicts):
        lines.append(f"Code and stack are from a link with {footprint.compiler()}.")
    if not all(verdict.compiled.linked for verdict in verdicts):
        why = footprint.why_not() or "there is no compiler for these cores here"
        lines.append(f"~ estimated: {why}.")
    if any(verdict.flash_budget for verdict in verdicts):
        lines.append("compressed: with weights compressed for the board's flash (compile --board B --flash-budget KB).")
    lines.append(
        "Time is an estimate (instructions counted for each kind of operator times assumed cycles by core): "
        "measure on your board."
    )
    if why_no_tflm:
        lines.append(f"TFLite Micro's arena is not measured: {why_no_tflm}")
    else:
        lines.append(TFLM_NOTE)
    return lines + (_one_board(verdicts[0]) if len(verdicts) == 1 else [])


def _one_board(verdict: Verdict) -> list[str]:
    """Return what only the reader of a single board wants to know."""
    where, need = verdict.board, verdict.compiled
    short = {"RAM": need.ram - where.ram_bytes, "flash": need.flash - where.flash_bytes}
    return [
        f"{where.title}: {where.source}{f' ({where.note})' if where.note else ''}.",
        f"RAM: {need.arena:,} B arena, {need.static:,} B static, {need.stack:,} B stack (bound {need.stack_bound:,}). "
        f"Flash: {need.weights:,} B weights, {need.code:,} B code.",
        *(f"It lacks {short[name]:,} B of {name}." for name in verdict.lacking),
        *_setting(verdict),
    ]


def _setting(verdict: Verdict) -> list[str]:
    if verdict.flash_budget is None:
        return []
    return [f"Compile with --board {verdict.board.name} --flash-budget {verdict.flash_budget // KIB}."]


def _kb(size: int) -> str:
    kib = size / KIB
    return f"{kib:.1f}" if kib < 100 else f"{kib:.0f}"


def _figure(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def owned() -> list[Board]:
    """Return the boards that are not QEMU's alone."""
    return [each for each in boards().values() if each.flash_tool != "qemu"]


def any_board(name: str) -> Board | FpgaBoard:
    """Return the board of a name, as the `type` of a command line's argument."""
    return FPGA_BOARDS.get(name) or board_argument(name)


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.fit",
        description="Tell whether a model fits boards, without one: RAM, flash, operators, an estimate of the time. "
        "Exit code 0: it fits the board (of several: at least one), 1: it does not or cannot be compiled, 2: usage.",
    )
    parser.add_argument("model", type=shipped_model, help="an int8 .tflite, or a .sqz")
    which = parser.add_mutually_exclusive_group()
    names = ", ".join([*boards(), *FPGA_BOARDS])
    which.add_argument("--board", type=any_board, metavar="B", help=f"one of {names}")
    which.add_argument("--all", action="store_true", help="every real board but FPGAs (default)")
    parser.add_argument("--tflm", action=argparse.BooleanOptionalAction, default=True, help="measure TFLite Micro, too")
    common_options(parser, json="print JSON alone", quiet="no notes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    try:
        data = contents(arguments.model)
    except OSError as error:
        raise FitError(f"{arguments.model} cannot be read: {error.strerror}") from error
    if isinstance(arguments.board, FpgaBoard):
        return _on_fpga(arguments, data)
    chosen = [arguments.board] if arguments.board else owned()
    model = Model(data)
    tflm, why_not = tflm_need(data) if arguments.tflm else (None, "not asked for")
    try:
        verdicts = judge(model, chosen, tflm)
    except FitError as refusal:
        if tflm and arguments.json:
            show_json(refused_json(model, chosen, tflm, refusal))
        elif tflm:
            show(refused_table(chosen, tflm))
        require_int8(arguments.model, data)
        raise
    if arguments.json:
        show_json(json.dumps(as_json(model, verdicts, why_not), indent=1, ensure_ascii=False))
    else:
        show(table(model, verdicts, why_not))
    return EXIT_OK if any(verdict.fits for verdict in verdicts) else EXIT_FAILED


def _on_fpga(arguments: argparse.Namespace, data: bytes) -> int:
    """Tell whether a network's accelerator fits a board's FPGA."""
    if importlib.util.find_spec("amaranth") is None:
        raise FitError("for an FPGA amaranth is needed", fix='pip install "sqz-tf[fpga]"')
    require_int8(arguments.model, data)
    with translated(FitError, f"{arguments.model} cannot be hardware"):
        found = fpga_boards.placement(data, arguments.board)
    if arguments.json:
        show_json(
            json.dumps({"format": 1, "model": {"bytes": len(data)}, "boards": [fpga_boards.as_json(found)]}, indent=1)
        )
    else:
        show("\n".join(fpga_boards.lines(found)))
    return EXIT_OK if found.fits else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
