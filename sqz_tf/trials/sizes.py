"""What a network takes, told before it has learnt anything: sizes, multiplications, and a board's RAM and flash.

RAM and flash are those that `fit` and `compile --target` give for the trained network: the same compiler plans it and,
where arm-none-eabi-gcc is there, links it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ModelSpec
from sqz_tf.base.units import kib
from sqz_tf.deploy import footprint
from sqz_tf.deploy.boards import Board
from sqz_tf.deploy.need import CODE_BYTES, DENSE, SPARING, STACK_KEPT, Model, Need, milliseconds
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.trials.untrained import untrained

FLOAT_BYTES, BIAS_BYTES = 4, 4
MIB = 2**20  # the paper's "MB"


@dataclass(frozen=True)
class Limits:
    """The most bytes that a network may take of a board; None for any number."""

    ram: int | None = None
    flash: int | None = None

    def lacking(self, need: Need) -> tuple[str, ...]:
        """Return what there is too little of: `RAM`, `flash`, both or neither."""
        pairs = {"RAM": (need.ram, self.ram), "flash": (need.flash, self.flash)}
        return tuple(name for name, (needed, most) in pairs.items() if most is not None and needed > most)

    def require_possible(self, target: str) -> None:
        """Refuse what the code alone, or the stack, would exceed.

        Raises:
          ConfigError: no network keeps to the limits.
        """
        least = {"flash": (self.flash, CODE_BYTES[target] // 2), "RAM": (self.ram, STACK_KEPT)}
        for name, (most, needed) in least.items():
            if most is not None and most <= needed:
                raise ConfigError(
                    f"--max-{name.lower()} is {kib(most)}",
                    expected=f"more than {kib(needed)}, which every network takes",
                )


@dataclass(frozen=True)
class Sizes:
    """What a network takes.

    Attributes:
      parameters: weights and biases.
      int8_bytes: a byte for each weight, four for each bias.
      float_mib: four bytes for each parameter, in units of 2^20 bytes: what the paper calls MB.
      macs: multiply-accumulates of one inference.
      ram, flash: bytes of the board.
      arena, stack, static: what `ram` is made of.
      weights, code: what `flash` is made of.
      linked: whether code and stack come from a link, not from an estimate.
      optimize: how it is compiled: `speed`, or `ram` where it keeps to the limit only so.
      milliseconds: one inference on the board, an estimate, from and to.
      lacking: of the limits, what there is too little of.
    """

    parameters: int
    int8_bytes: int
    float_mib: float
    macs: int
    ram: int
    flash: int
    arena: int
    stack: int
    static: int
    weights: int
    code: int
    linked: bool
    optimize: str
    milliseconds: tuple[float, float]
    lacking: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether it could be measured at all."""
        return bool(self.flash)


UNKNOWN = Sizes(0, 0, 0.0, 0, 0, 0, 0, 0, 0, 0, 0, False, "", (0.0, 0.0), ())
"""Of a network that cannot be compiled."""


def parameters(spec: ModelSpec) -> int:
    """Return the number of weights and biases."""
    return sum(math.prod(shape) + shape[3] for shape in layer_shapes(spec).values())


def float_mib(spec: ModelSpec) -> float:
    """Return the size of float32 weights and biases in MiB, which figure 3 of the paper calls MB."""
    return FLOAT_BYTES * parameters(spec) / MIB


def int8_bytes(spec: ModelSpec) -> int:
    """Return the size of int8 weights with int32 biases."""
    biases = sum(shape[3] for shape in layer_shapes(spec).values())
    return parameters(spec) - biases + BIAS_BYTES * biases


def linker(board: Board) -> str | None:
    """Return what code and stack are linked with for a board on this machine, or None where they are estimated."""
    return footprint.compiler() if board.core.startswith("cortex-m") and not footprint.why_not() else None


def measure(spec: ModelSpec, board: Board, limits: Limits) -> Sizes:
    """Return what a network takes on a board; one whose weights alone are too large for the flash is not linked.

    Raises:
      ConfigError: the input is too small for the network.
      FitError: it cannot be compiled.
    """
    model = Model(untrained(spec))
    hopeless = limits.flash is not None and int8_bytes(spec) > limits.flash
    packing, need = DENSE, model.estimated(board) if hopeless else model.need(board)
    if limits.lacking(need) == ("RAM",):
        spared = model.need(board, SPARING)
        packing, need = (DENSE, need) if limits.lacking(spared) else (SPARING, spared)
    return Sizes(
        parameters=parameters(spec),
        int8_bytes=int8_bytes(spec),
        float_mib=float_mib(spec),
        macs=model.macs,
        ram=need.ram,
        flash=need.flash,
        arena=need.arena,
        stack=need.stack,
        static=need.static,
        weights=need.weights,
        code=need.code,
        linked=need.linked,
        optimize=packing.optimize,
        milliseconds=milliseconds(model, board, packing),
        lacking=limits.lacking(need),
    )
