"""What a model needs of a board: RAM, flash, operators and an estimate of the time, compiled and on TFLite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from converters.compiler import DENSE, Compilation, Packing, analyse, files
from converters.compiler.middle.program import Program
from converters.compiler.report import flash_bytes
from converters.tflite import reader
from converters.tflite.writer import for_microcontroller
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.deploy import footprint
from sqz_tf.deploy.boards import Board
from sqz_tf.inference import interpreters

KIB = 1024


NAME = "model"


LINKED = {"cortex-m85": "cortex-m55"}  # cores that the compiler may not know yet, and what stands for them


# Code and stack where nothing can be linked: those of SqueezeNet on a Cortex-M, and room for denser or sparser code.
CODE_BYTES = {
    "generic": 14 * KIB,
    "cortex-m0plus": 14 * KIB,
    "cortex-m3": 12 * KIB,
    "cortex-m4": 14 * KIB,
    "cortex-m55": 12 * KIB,
    "riscv32": 13 * KIB,
    "aarch64": 24 * KIB,
    "wasm32": 20 * KIB,
}


PACKED_CODE_BYTES = 3 * KIB  # more, where weights are compressed


STACK_BYTES = 5 * KIB // 4


STATIC_BYTES = 32  # the firmware's own variables, and what alignment leaves


STACK_KEPT = 2 * KIB  # mcu/boards/bare/sections.ld links nothing that leaves less


# Instructions per multiply-accumulate, from and to, by the function that runs it; elsewhere by target. Counted in QEMU
# for SqueezeNets of three sizes (`make bench-mcu`, docs/results.md), the smallest at the upper end, with their other
# operators; a depthwise window of 3 × 3 takes 31 in portable C, of 5 × 5 22; a fast one most on maps one pixel wide.
PORTABLE = (5.5, 11.0)
SPARSE = (0.2, 1.8)  # where a tenth to two thirds of the weights' blocks are there
TILED = (2.5, 10.5)  # plain C on Cortex-M3 and, at the upper end, M0+


INSTRUCTIONS_PER_MAC = {
    "sqz_conv_row": PORTABLE,
    "sqz_conv_mean_row": PORTABLE,
    "sqz_conv_four_row": TILED,
    "sqz_conv_row_dsp_sparse": SPARSE,
    "sqz_conv_mean_row_dsp_sparse": SPARSE,
    "sqz_fully_connected_row": PORTABLE,
    "sqz_depthwise_row": (20.0, 40.0),
    "sqz_depthwise_row_dsp": (3.0, 10.0),
    "sqz_depthwise_row_mve": (1.2, 3.0),
    "sqz_depthwise_column_row_mve": (1.5, 4.0),
    "sqz_fully_connected_row_dsp": (1.0, 2.5),
    "sqz_fully_connected_row_dsp_wide": (1.6, 3.0),
    "sqz_fully_connected_row_mve": (0.3, 1.5),
    "sqz_conv_winograd_row_dsp": (0.4, 1.0),
}


FAST = {
    "generic": TILED,
    "cortex-m0plus": (4.8, 9.5),
    "cortex-m3": (2.3, 5.2),
    "cortex-m4": (0.9, 1.8),
    "cortex-m55": (0.19, 0.75),
    "aarch64": (0.07, 1.0),
    "wasm32": (0.3, 2.0),
    "riscv32": (3.1, 6.4),
}


# What plain C takes on targets of its own, counted for the networks of docs/results.md.
PLAIN = {
    "cortex-m0plus": {
        "sqz_conv_four_row": (7.0, 10.5),
        "sqz_depthwise_row": (30.0, 65.0),
        "sqz_fully_connected_row": (7.0, 12.0),
    },
    "cortex-m3": {
        "sqz_conv_four_row": (2.6, 5.2),
        "sqz_depthwise_row": (20.0, 40.0),
        "sqz_fully_connected_row": (4.0, 8.0),
    },
    "riscv32": {
        "sqz_conv_four_row": (3.3, 6.4),
        "sqz_depthwise_row": (20.0, 40.0),
        "sqz_fully_connected_row": (4.0, 8.0),
    },
}


# What decoding compressed weights takes, from and to, of the compiler's own estimate: without and with the inputs that
# are gathered again for each block of channels.
DECODING = (0.9, 1.4)


# Cycles per instruction, from and to: assumptions, not measurements. One and wait states of the flash; less where a
# core issues two at a time; more on Helium, whose vector instructions take two beats or more.
CYCLES = {
    "cortex-m0": (1.3, 2.2),  # loads take two cycles, taken branches three
    "cortex-m0plus": (1.2, 2.0),
    "cortex-m3": (1.1, 1.8),
    "cortex-m33": (1.0, 1.5),
    "cortex-m4": (1.3, 1.9),  # modelled 1.37 to 1.66 with memory that answers at once; weights' wait states add a tenth
    "cortex-m7": (0.6, 1.1),
    "cortex-m55": (1.2, 2.2),
    "cortex-m85": (0.7, 1.4),
}


CYCLES_ELSEWHERE = (1.0, 1.8)


# TFLite Micro with CMSIS-NN, int8-only registrations: bytes of code with GCC 12.2 (tools/bench_mcu/peers.json) for
# CONV_2D, MAX_POOL_2D, CONCATENATION, MEAN and SOFTMAX.
TFLM_CODE_BYTES = {"cortex-m4": 44_304, "cortex-m7": 42_424, "cortex-m55": 39_264}


TFLM_CORE = {"cortex-m33": "cortex-m4", "cortex-m85": "cortex-m55"}


def labels_bytes(labels: Sequence[str]) -> int:
    """Return what NAME_labels.c takes: texts with their ends, each at a multiple of four bytes, and pointers."""
    return sum(4 + -(-(len(label.encode()) + 1) // 4) * 4 for label in labels)


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

    `tflm` is None where TFLite Micro's arena could not be measured. `flash_budget` is what the weights were compressed
    for, in bytes, None where they are not.
    """

    board: Board
    compiled: Need
    milliseconds: tuple[float, float]
    tflm: Need | None
    flash_budget: int | None = None

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the board has too little of for the compiled model."""
        return lacking_of(self.board, self.compiled)

    @property
    def fits(self) -> bool:
        """Whether the compiled model fits."""
        return not self.lacking


def lacking_of(board: Board, need: Need) -> tuple[str, ...]:
    """Return what a board has too little of: `RAM`, `flash`, both or neither."""
    pairs = {"RAM": (need.ram, board.ram_bytes), "flash": (need.flash, board.flash_bytes)}
    return tuple(name for name, (needed, has) in pairs.items() if needed > has)


SPARING = Packing(optimize="ram")


class Model:
    """A `.tflite` as the kit compiles it; each target and each core once."""

    def __init__(self, data: bytes) -> None:
        with translated(FitError, "the model cannot be read", fix="give an int8 .tflite of one picture"):
            self.graph = reader.read_model(data)
            self.macs = reader.macs(self.graph)
        self.data = data
        self._compiled: dict[tuple[str, Packing], Compilation] = {}
        self._needs: dict[tuple[str, Packing], Need] = {}

    def compiled(self, target: str, packing: Packing = DENSE) -> Compilation:
        """Return what the compiler makes of the model for a target.

        Raises:
          FitError: it cannot be.
        """
        if (target, packing) not in self._compiled:
            with translated(FitError, "the model cannot be compiled"):
                self._compiled[target, packing] = analyse(self.data, target, packing)
        return self._compiled[target, packing]

    def packing(self, board: Board) -> Packing:
        """Return how the model fits a board: as it is, or with RAM spared, or with compressed weights."""
        lacking = lacking_of(board, self.need(board))
        if lacking == ("RAM",) and not lacking_of(board, self.need(board, SPARING)):
            return SPARING
        if "flash" not in lacking:
            return DENSE
        program = self.compiled(board.target).program
        small = packing_within(board.flash_bytes, board.ram_bytes, board.target, program)
        try:
            fits = not lacking_of(board, self.need(board, small))
        except FitError:  # not even with everything compressed
            fits = False
        return small if fits else DENSE

    def need(self, board: Board, packing: Packing = DENSE) -> Need:
        """Return what the model, compiled so, needs of a board's core."""
        core = LINKED.get(board.core, board.core)
        if (core, packing) not in self._needs:
            linked = core.startswith("cortex-m") and not footprint.why_not()
            compiled = self.compiled(board.target, packing)
            self._needs[core, packing] = self._linked(compiled, core) if linked else self._estimated(compiled)
        return self._needs[core, packing]

    def estimated(self, board: Board) -> Need:
        """Return what the model needs of a board, by an estimate even where it could be linked."""
        return self._estimated(self.compiled(board.target))

    def _estimated(self, compiled: Compilation) -> Need:
        arena, weights = compiled.plan.arena_bytes, flash_bytes(compiled)["total"]
        code = CODE_BYTES[compiled.target]
        if any(choice.packed for choice in compiled.choices):
            code += PACKED_CODE_BYTES
        return Need(arena, edge_bytes(compiled.program), STACK_BYTES, weights, code, False)

    def _linked(self, compiled: Compilation, core: str) -> Need:
        found = footprint.link(files(compiled, NAME), NAME, core)
        stack = STACK_BYTES if found.stack is None else found.stack
        static = found.static + edge_bytes(compiled.program)
        return Need(compiled.plan.arena_bytes, static, stack, found.weights, found.code, found.stack is not None)

    def instructions(self, target: str, packing: Packing = DENSE) -> tuple[float, float]:
        """Return an estimate of what one picture takes, from and to."""
        compiled = self.compiled(target, packing)
        both = list(zip(compiled.program.operators, compiled.choices, strict=True))
        decoding = sum(operator.bands * choice.decoding for operator, choice in both)
        pairs = [(operator.macs, per_mac(choice.function, target)) for operator, choice in both]
        low, high = (sum(macs * each[end] for macs, each in pairs) for end in (0, 1))
        return low + DECODING[0] * decoding, high + DECODING[1] * decoding


def per_mac(function: str, target: str) -> tuple[float, float]:
    """Return the instructions of a multiply-accumulate, from and to, in a function on a target."""
    like = function.replace("_mean_four", "_four").replace("_each_row", "_row")
    return PLAIN.get(target, {}).get(like) or INSTRUCTIONS_PER_MAC.get(like, FAST[target])


def edge_bytes(program: Program) -> int:
    """Return the bytes of one input row, the scores and little else: what a caller that streams has in memory."""
    scores = program.streams[program.output]
    return program.streams[0].row_bytes + scores.height * scores.row_bytes + STATIC_BYTES


def packing_within(
    flash_bytes: int | None,
    ram_bytes: int | None,
    target: str,
    program: Program,
    optimize: str = "speed",
    labels: Sequence[str] = (),
) -> Packing:
    """Return what to compress for so that a model, with all that belongs to it, keeps to so much flash and RAM."""
    if flash_bytes is not None:
        flash_bytes -= CODE_BYTES[target] + PACKED_CODE_BYTES + labels_bytes(labels)
    if ram_bytes is not None:
        ram_bytes -= edge_bytes(program) + STACK_KEPT
    return Packing(flash_bytes, optimize, ram_bytes)


def tflm_need(data: bytes) -> tuple[Need | None, str]:
    """Return what TFLite Micro needs for a model, its code as on a Cortex-M4, or None and the reason why not.

    The arena is measured in the tflite-micro wheel; structures are smaller on 32 bits. Stack is not counted.
    """
    try:
        small = for_microcontroller(data)
        arena = interpreters.arena_bytes(small)
    except (interpreters.Unavailable, interpreters.InterpreterError, ValueError) as error:
        return None, str(error)
    return Need(arena.total, 0, 0, len(small), TFLM_CODE_BYTES["cortex-m4"], False), ""


def judge(model: Model, chosen: list[Board], tflm: Need | None) -> list[Verdict]:
    """Return a verdict for each board."""
    return [_verdict(model, each, tflm) for each in chosen]


def _verdict(model: Model, board: Board, tflm: Need | None) -> Verdict:
    code = TFLM_CODE_BYTES.get(TFLM_CORE.get(board.core, board.core), TFLM_CODE_BYTES["cortex-m4"])
    packing = model.packing(board)
    time = milliseconds(model, board, packing)
    budget = None if packing in (DENSE, SPARING) else board.flash_bytes
    return Verdict(board, model.need(board, packing), time, tflm and replace(tflm, code=code), budget)


def milliseconds(model: Model, board: Board, packing: Packing = DENSE) -> tuple[float, float]:
    """Return an estimate of one picture's time, from and to."""
    pairs = zip(model.instructions(board.target, packing), CYCLES.get(board.core, CYCLES_ELSEWHERE), strict=True)
    low, high = (instructions * cycles / (1e3 * board.mhz) for instructions, cycles in pairs)
    return low, high
