"""What the accelerator makes of each kind of operator: loops over bytes, words of weights, words of the table.

Everything is a sum of products or a maximum. Dense layers multiply LANES input bytes, which lie side by side in a row,
by a word of weights for so many outputs; operators that work channel by channel (`diagonal`) use the diagonal of such a
word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.compiler.faults import check
from converters.compiler.middle import program as prog
from converters.compiler.middle.arithmetic import QMAX, QMIN

LANES = 4
FARTHEST = 32  # a shift to the right, beyond which every sum is rounded to 0
WIDEST_FACTOR = 5  # twice 2^5 is an int8


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator as loops: see `hardware.sequencer`.

    Attributes:
      rows, taps, vectors: of a group: rows of the window, taps of a row, LANES bytes of a tap.
      tap_step, first, step: bytes from tap to tap, to the first pixel's first tap, from pixel to pixel.
      pixels, channels: of the output.
      diagonal: groups of LANES channels, each of its own input channel; else groups of all outputs.
      uniform: all groups have the same weights and the same table.
      maximum: the largest byte, not the sum.
      weights: int8 [words, outputs, LANES].
      bias, shift: int64 [channels], or [1] if uniform.
      fill: the byte outside of the picture.
      low, high, zero: clamp and zero point of the output.
      macs: for the books.
    """

    rows: int
    taps: int
    vectors: int
    tap_step: int
    first: int
    step: int
    pixels: int
    channels: int
    weights: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    diagonal: bool = False
    uniform: bool = False
    maximum: bool = False
    fill: int = 0
    low: int = QMIN
    high: int = QMAX
    zero: int = 0
    largest: int = 0  # magnitude of a sum

    def groups(self, outputs: int) -> int:
        """Groups of channels of a pixel."""
        return -(-self.channels // (LANES if self.diagonal else outputs))

    @property
    def steps(self) -> int:
        """Steps of a group."""
        return self.rows * self.taps * self.vectors


def layer_of(operator: prog.Operator, program: prog.Program, outputs: int) -> Layer:
    """Return the loops of an operator.

    Raises:
      ValueError: the accelerator does not have it; the message says why.
    """
    source = program.streams[operator.inputs[0]]
    result: Layer = LAYERS[type(operator.kernel)](operator.kernel, source, outputs)
    return result


def shifts(requant: prog.Requant) -> np.ndarray:
    """Return the n of scales 2^-n, int64 [1 or channels]; what vanishes is shifted out."""
    powers = (requant.multiplier == 1 << 30) | (requant.multiplier == 0)
    check(np.all(powers), POWERS)
    n = np.where(requant.multiplier == 0, FARTHEST, 1 - requant.shift.astype(np.int64))
    check(n.min() >= 0, f"its output's scale is 2^{-n.min()} times finer than its products'; expected none finer")
    return np.minimum(n, FARTHEST)


POWERS = "its scales are not powers of two; expected those that sqz_tf.export --scheme ristretto makes"


def _convolution(kernel: prog.ConvKernel, source: prog.Stream, outputs: int) -> Layer:
    window, channels = kernel.window, kernel.in_channels
    check(
        (window.dilation_h, window.dilation_w) == (1, 1),
        f"its dilation is {window.dilation_h}, {window.dilation_w}; expected 1, 1",
    )
    shape = {"rows": window.kernel_h, "first": -window.pad_left * channels, "step": window.stride_w * channels}
    many = kernel.out_channels
    common: dict[str, Any] = {
        **shape,
        "pixels": kernel.out_width,
        "channels": many,
        "bias": kernel.bias.astype(np.int64),
        "shift": np.broadcast_to(shifts(kernel.requant), many),
        "fill": kernel.input_zero_point,
        "low": kernel.requant.lowest,
        "high": kernel.requant.highest,
        "zero": kernel.requant.zero_point,
        "largest": _largest(kernel),
    }
    if kernel.depthwise:
        check(many == channels, f"it makes {many} channels of {channels}; expected a depth multiplier of 1")
        words = _diagonal(kernel.weights.reshape(window.kernel_h * window.kernel_w, many), outputs)
        return Layer(taps=window.kernel_w, vectors=1, tap_step=channels, weights=words, diagonal=True, **common)
    words = _dense(kernel.weights, outputs)
    vectors = -(-window.kernel_w * channels // LANES)  # a row of the window lies in one piece
    return Layer(taps=1, vectors=vectors, tap_step=0, weights=words, **common)


def _largest(kernel: prog.ConvKernel) -> int:
    sums = np.abs(kernel.bias.astype(np.int64)) - QMIN * np.abs(kernel.rows.astype(np.int64)).sum(axis=1)
    return int(sums.max())


def _dense(weights: np.ndarray, outputs: int) -> np.ndarray:
    """Return weights [O, KH, KW, I] as words: of a group of outputs, of a row of the window, of LANES bytes of it."""
    many, height = weights.shape[:2]
    rows = weights.reshape(many, height, -1)
    groups, vectors = -(-many // outputs), -(-rows.shape[2] // LANES)
    padded = np.zeros((groups * outputs, height, vectors * LANES), np.int8)
    padded[:many, :, : rows.shape[2]] = rows
    split = padded.reshape(groups, outputs, height, vectors, LANES).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(split).reshape(-1, outputs, LANES)


def _diagonal(taps: np.ndarray, outputs: int) -> np.ndarray:
    """Return weights [taps, channels] as words whose diagonals they are."""
    count, channels = taps.shape
    groups = -(-channels // LANES)
    padded = np.zeros((count, groups * LANES), np.int8)
    padded[:, :channels] = taps
    words = np.zeros((groups, count, outputs, LANES), np.int8)
    for lane in range(LANES):
        words[:, :, lane, lane] = padded[:, lane::LANES].T
    return words.reshape(-1, outputs, LANES)


def _each(
    factors: list[int], bias: int, shift: int, pixels: int, source_channels: int, outputs: int, **how: Any
) -> Layer:
    """Return what multiplies each byte of one row, or of two, by a factor."""
    one = np.array(factors, np.int8)[:, None] * np.ones(LANES, np.int8)
    return Layer(
        **{
            "rows": len(factors),
            "taps": 1,
            "vectors": 1,
            "tap_step": 0,
            "first": 0,
            "step": source_channels,
            "pixels": pixels,
            "channels": source_channels,
            "weights": _diagonal(one, outputs),
            "bias": np.array([bias]),
            "shift": np.array([shift]),
            "diagonal": True,
            "uniform": True,
            "largest": abs(bias) - QMIN * sum(map(abs, factors)),
            **how,
        }
    )


def _pool(kernel: prog.PoolKernel, source: prog.Stream, outputs: int) -> Layer:
    window = kernel.window
    check(not kernel.average, "averages are not taken on the chip; expected MAX_POOL_2D")
    return _each(
        [1],
        0,
        0,
        kernel.out_width,
        kernel.channels,
        outputs,
        rows=window.kernel_h,
        taps=window.kernel_w,
        tap_step=kernel.channels,
        first=-window.pad_left * kernel.channels,
        step=window.stride_w * kernel.channels,
        maximum=True,
        fill=QMIN,
        low=kernel.lowest,
        high=kernel.highest,
    )


def _pad(kernel: prog.PadKernel, source: prog.Stream, outputs: int) -> Layer:
    check(not kernel.pads_channels, "it pads channels; expected height and width only")
    first = -kernel.pad_left * kernel.channels
    return _each([1], 0, 0, kernel.out_width, kernel.channels, outputs, first=first, fill=kernel.value)


def _mean(kernel: prog.MeanKernel, source: prog.Stream, outputs: int) -> Layer:
    check(
        kernel.channels == source.channels,
        "it takes the mean over one side; expected height and width",
    )
    return _each([1], 0, 0, source.width, kernel.channels, outputs)


def _quantize(kernel: prog.QuantizeKernel, source: prog.Stream, outputs: int) -> Layer:
    requant = kernel.requant
    (shift,) = shifts(requant)
    ends = {"low": requant.lowest, "high": requant.highest, "zero": requant.zero_point}
    return _each([1], -kernel.input_zero_point, int(shift), kernel.width, kernel.channels, outputs, **ends)


def _add(kernel: prog.AddKernel, source: prog.Stream, outputs: int) -> Layer:
    """Two rows times powers of two, twice as large as need be: the first rounding then has nothing to round."""
    second = kernel.second
    check(not second.one_pixel and second.constant is None, "expected a sum of two maps of one shape")
    check(set(kernel.multiplier) <= {1 << 30}, POWERS)
    a, b, out = (1 - shift for shift in kernel.shift)  # scales are 2^-a, 2^-b and then 2^-out
    farthest = max(a, b)
    apart = abs(a - b)
    check(apart <= WIDEST_FACTOR, f"its inputs' scales are 2^{apart} apart; expected at most 2^{WIDEST_FACTOR}")
    shift = out - (20 - farthest)  # TFLite's 20 bits
    check(shift >= 0, "its output's scale is finer than its inputs'; expected none finer")
    factors = [sign << (1 + farthest - each) for sign, each in zip(kernel.signs, (a, b), strict=True)]
    bias = -sum(factor * zero for factor, zero in zip(factors, kernel.zero_point[:2], strict=True))
    ends = {"low": kernel.lowest, "high": kernel.highest, "zero": kernel.zero_point[2]}
    return _each(factors, bias, min(shift + 1, FARTHEST), kernel.width, kernel.channels, outputs, **ends)


def _missing(kernel: prog.Kernel, source: prog.Stream, outputs: int) -> Layer:
    known = (
        "CONV_2D, DEPTHWISE_CONV_2D, MAX_POOL_2D, CONCATENATION, ADD, SUB, PAD, QUANTIZE, MEAN and SOFTMAX at the end"
    )
    check(False, f"the accelerator does not have this operator; expected {known}")
    raise AssertionError


LAYERS: dict[type, Callable[[Any, prog.Stream, int], Layer]] = {
    prog.AddKernel: _add,
    prog.BilinearKernel: _missing,
    prog.ConstantKernel: _missing,
    prog.ConvKernel: _convolution,
    prog.ExtremeKernel: _missing,
    prog.FullyConnectedKernel: _missing,
    prog.MeanKernel: _mean,
    prog.MulKernel: _missing,
    prog.NearestKernel: _missing,
    prog.PadKernel: _pad,
    prog.PoolKernel: _pool,
    prog.PReluKernel: _missing,
    prog.QuantizeKernel: _quantize,
    prog.ReshapeKernel: _missing,
    prog.SliceKernel: _missing,
    prog.SoftmaxKernel: _missing,
    prog.TableKernel: _missing,
    prog.TransposeKernel: _missing,
}
