"""Does a model fit a board? `python -m sqz_tf.fit MODEL.tflite [--board B|--all] [--json]`, without a board.

RAM, flash, multiply-accumulates, operators and an estimate of the time, for the model compiled to C and for TFLite
Micro. Sizes come from a real link where arm-none-eabi-gcc is installed; what is estimated is said to be.

exit code: 0 it fits the board (of several: at least one), 1 it does not or cannot be compiled, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from converters import c_compiler, tflite_reader, tflite_writer
from converters.c_compiler.report import flash_bytes
from sqz_tf import __version__, _cli, footprint, interpreters
from sqz_tf.boards import Board, board_argument, boards
from sqz_tf.errors import SqzError

KIB = 1024
NAME = "model"
LINKED = {"cortex-m85": "cortex-m55"}  # cores that the compiler may not know yet, and what stands for them

# Code and stack where nothing can be linked: those of SqueezeNet on a Cortex-M, and room for denser or sparser code.
CODE_BYTES = {"generic": 10 * KIB, "cortex-m4": 12 * KIB, "cortex-m55": 12 * KIB}
STACK_BYTES = 1 * KIB
STATIC_BYTES = 32  # the firmware's own variables, and what alignment leaves
STACK_KEPT = 2 * KIB  # mcu/boards/cortex_m/sections.ld links nothing that leaves less

# Instructions per multiply-accumulate, from and to, by the function that runs it; elsewhere by target. Counted in QEMU
# for SqueezeNets of three sizes (`make bench-mcu`, docs/results.md), the smallest at the upper end, with their other
# operators; a depthwise window of 3 × 3 takes 31, of 5 × 5 22.
PORTABLE = (5.5, 11.0)
INSTRUCTIONS_PER_MAC = {
    "sqz_conv_row": PORTABLE,
    "sqz_conv_mean_row": PORTABLE,
    "sqz_fully_connected_row": PORTABLE,
    "sqz_depthwise_row": (20.0, 40.0),
}
FAST = {"generic": PORTABLE, "cortex-m4": (0.9, 1.8), "cortex-m55": (0.19, 0.75)}

# Cycles per instruction, from and to: assumptions, not measurements. One and wait states of the flash; less where a
# core issues two at a time; more on Helium, whose vector instructions take two beats or more.
CYCLES = {
    "cortex-m0plus": (1.3, 2.2),  # and more instructions than Thumb-2 needs
    "cortex-m33": (1.0, 1.5),
    "cortex-m4": (1.0, 1.6),
    "cortex-m7": (0.6, 1.1),
    "cortex-m55": (1.2, 2.2),
    "cortex-m85": (0.7, 1.4),
}
CYCLES_ELSEWHERE = (1.0, 1.8)

# TFLite Micro with CMSIS-NN, int8-only registrations: bytes of code with GCC 12.2 (mcu/bench/peers.json) for CONV_2D,
# MAX_POOL_2D, CONCATENATION, MEAN and SOFTMAX.
TFLM_CODE_BYTES = {"cortex-m4": 44_304, "cortex-m7": 42_424, "cortex-m55": 39_264}
TFLM_CORE = {"cortex-m33": "cortex-m4", "cortex-m85": "cortex-m55"}


class FitError(SqzError):
    """The model cannot be compiled, so nothing can be said about boards."""


@dataclass(frozen=True)
class Need:
    """What a model needs of a board, in bytes; `linked` says whether code and stack were measured.

    `static` holds the row of input and the scores that every caller has, and little besides.
    `stack_bound` is 0 where the stack is not counted.
    """

    arena: int
    static: int
    stack_bound: int
    weights: int
    code: int
    linked: bool

    @property
    def stack(self) -> int:
        """Bytes of RAM to leave for the stack."""
        return self.stack_bound and max(self.stack_bound, STACK_KEPT)

    @property
    def ram(self) -> int:
        """Bytes of RAM in all."""
        return self.arena + self.static + self.stack

    @property
    def flash(self) -> int:
        """Bytes of flash in all."""
        return self.weights + self.code


@dataclass(frozen=True)
class Verdict:
    """A board, what the model needs of it either way, and the milliseconds of one picture, from and to.

    `tflm` is None where TFLite Micro's arena could not be measured.
    """

    board: Board
    compiled: Need
    milliseconds: tuple[float, float]
    tflm: Need | None

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the board has too little of for the compiled model."""
        return _lacking(self.board, self.compiled)

    @property
    def fits(self) -> bool:
        """Whether the compiled model fits."""
        return not self.lacking


def _lacking(board: Board, need: Need) -> tuple[str, ...]:
    pairs = {"RAM": (need.ram, board.ram_bytes), "flash": (need.flash, board.flash_bytes)}
    return tuple(name for name, (needed, has) in pairs.items() if needed > has)


class Model:
    """A `.tflite` as the kit compiles it; each target and each core once."""

    def __init__(self, data: bytes) -> None:
        try:
            self.graph = tflite_reader.read_model(data)
            self.macs = tflite_reader.macs(self.graph)
        except ValueError as error:
            raise FitError(f"the model cannot be read: {error}", fix="give an int8 .tflite of one picture") from error
        self.data = data
        self._compiled: dict[str, c_compiler.Compilation] = {}
        self._needs: dict[str, Need] = {}

    def compiled(self, target: str) -> c_compiler.Compilation:
        """Return what the compiler makes of the model for a target.

        Raises:
          FitError: it cannot be.
        """
        if target not in self._compiled:
            try:
                self._compiled[target] = c_compiler.analyse(self.data, target)
            except ValueError as error:
                raise FitError(f"the model cannot be compiled: {error}") from error
        return self._compiled[target]

    def need(self, board: Board) -> Need:
        """Return what the compiled model needs of a board's core."""
        core = LINKED.get(board.core, board.core)
        if core not in self._needs:
            self._needs[core] = self._estimated(board.target)
            if core.startswith("cortex-m") and not footprint.why_not():
                self._needs[core] = self._linked(board.target, core)
        return self._needs[core]

    def _estimated(self, target: str) -> Need:
        compiled = self.compiled(target)
        arena, weights = compiled.plan.arena_bytes, flash_bytes(compiled)["total"]
        return Need(arena, self._edges(target), STACK_BYTES, weights, CODE_BYTES[target], False)

    def _linked(self, target: str, core: str) -> Need:
        compiled = self.compiled(target)
        found = footprint.link(c_compiler.files(compiled, NAME), NAME, core)
        stack = STACK_BYTES if found.stack is None else found.stack
        static = found.static + self._edges(target)
        return Need(compiled.plan.arena_bytes, static, stack, found.weights, found.code, found.stack is not None)

    def instructions(self, target: str) -> tuple[float, float]:
        """Return an estimate of what one picture takes, from and to."""
        compiled = self.compiled(target)
        pairs = [
            (operator.macs, INSTRUCTIONS_PER_MAC.get(choice.function, FAST[target]))
            for operator, choice in zip(compiled.program.operators, compiled.choices, strict=True)
        ]
        return sum(macs * low for macs, (low, _) in pairs), sum(macs * high for macs, (_, high) in pairs)

    def _edges(self, target: str) -> int:
        """Return the bytes of one input row, the scores and little else: what a caller that streams has in memory."""
        program = self.compiled(target).program
        scores = program.streams[program.output]
        return program.streams[0].row_bytes + scores.height * scores.row_bytes + STATIC_BYTES


def tflm_need(data: bytes) -> tuple[Need | None, str]:
    """Return what TFLite Micro needs for a model, its code as on a Cortex-M4, or None and the reason why not.

    The arena is measured in the tflite-micro wheel; structures are smaller on 32 bits. Stack is not counted.
    """
    try:
        small = tflite_writer.for_microcontroller(data)
        arena = interpreters.arena_bytes(small)
    except (interpreters.Unavailable, interpreters.InterpreterError, ValueError) as error:
        return None, str(error)
    return Need(arena.total, 0, 0, len(small), TFLM_CODE_BYTES["cortex-m4"], False), ""


def judge(model: Model, chosen: list[Board], tflm: Need | None) -> list[Verdict]:
    """Return a verdict for each board."""
    return [_verdict(model, each, tflm) for each in chosen]


def _verdict(model: Model, board: Board, tflm: Need | None) -> Verdict:
    code = TFLM_CODE_BYTES.get(TFLM_CORE.get(board.core, board.core), TFLM_CODE_BYTES["cortex-m4"])
    return Verdict(board, model.need(board), milliseconds(model, board), tflm and replace(tflm, code=code))


def milliseconds(model: Model, board: Board) -> tuple[float, float]:
    """Return an estimate of one picture's time, from and to."""
    pairs = zip(model.instructions(board.target), CYCLES.get(board.core, CYCLES_ELSEWHERE), strict=True)
    low, high = (instructions * cycles / (1e3 * board.mhz) for instructions, cycles in pairs)
    return low, high


# Telling it.

HEAD = ["board", "core", "MHz", "RAM", "of KB", "flash", "of KB", "time, estimate", "fits", "TFLM RAM", "flash", "fits"]
TEXT_COLUMNS = {0, 1, 8, 11}


def as_json(model: Model, verdicts: list[Verdict], why_no_tflm: str) -> dict[str, Any]:
    """Return everything as plain values."""
    (source,), (scores,) = model.graph.input_tensors(), model.graph.output_tensors()
    return {
        "format": 1,
        "model": {
            "bytes": len(model.data),
            "input": list(source.shape),
            "outputs": scores.size,
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
        "compiled": _need_json(verdict.compiled),
        "milliseconds_estimate": [round(low, 2), round(high, 2)],
        "tflm": verdict.tflm and {**_need_json(verdict.tflm), "fits": not _lacking(verdict.board, verdict.tflm)},
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


def _padded(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column in TEXT_COLUMNS else cell.rjust(width)


def _row(verdict: Verdict) -> list[str]:
    where, need, tflm = verdict.board, verdict.compiled, verdict.tflm
    mark = "" if need.linked else "~"
    cells = [where.name, where.core, str(where.mhz)]
    cells += [mark + _kb(need.ram), _kb(where.ram_bytes), mark + _kb(need.flash), _kb(where.flash_bytes)]
    cells += [_duration(verdict.milliseconds), _answer(where, need)]
    if tflm is None:
        return [*cells, "–", "–", "–"]
    return [*cells, _kb(tflm.ram), _kb(tflm.flash), _answer(where, tflm)]


def _answer(board: Board, need: Need) -> str:
    short = _lacking(board, need)
    return f"no: {' and '.join(short)}" if short else "yes"


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
    lines.append(
        "Time is an estimate (instructions counted for each kind of operator times assumed cycles by core): "
        "measure on your board."
    )
    if why_no_tflm:
        lines.append(f"TFLite Micro's arena is not measured: {why_no_tflm}")
    else:
        lines.append(
            "TFLite Micro: arena measured on 64 bits, without stack; code with CMSIS-NN and int8-only kernels."
        )
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
    ]


def _kb(size: int) -> str:
    kib = size / KIB
    return f"{kib:.1f}" if kib < 100 else f"{kib:.0f}"


def _figure(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


# The command line.


def owned() -> list[Board]:
    """Return the boards that are not QEMU's alone."""
    return [each for each in boards().values() if each.flash_tool != "qemu"]


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m sqz_tf.fit",
        description="Tell whether a model fits boards, without one: RAM, flash, operators, an estimate of the time. "
        "Exit code 0: it fits the board (of several: at least one), 1: it does not or cannot be compiled, 2: usage.",
    )
    parser.add_argument("model", type=Path, help="an int8 .tflite")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--board", type=board_argument, metavar="B", help=f"one of {', '.join(boards())}")
    which.add_argument("--all", action="store_true", help="every real board (default)")
    parser.add_argument("--tflm", action=argparse.BooleanOptionalAction, default=True, help="measure TFLite Micro, too")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.add_argument("--version", action="version", version=f"sqz-tf {__version__}")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    arguments = build_parser().parse_args(argv)
    return _cli.run(lambda: _work(arguments), arguments.debug)


def _work(arguments: argparse.Namespace) -> int:
    try:
        data = arguments.model.read_bytes()
    except OSError as error:
        raise FitError(f"{arguments.model} cannot be read: {error.strerror}") from error
    chosen = [arguments.board] if arguments.board else owned()
    model = Model(data)
    tflm, why_not = tflm_need(data) if arguments.tflm else (None, "not asked for")
    verdicts = judge(model, chosen, tflm)
    if arguments.json:
        print(json.dumps(as_json(model, verdicts, why_not), indent=1, ensure_ascii=False))
    else:
        print(table(model, verdicts, why_not))
    return _cli.EXIT_OK if any(verdict.fits for verdict in verdicts) else _cli.EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
