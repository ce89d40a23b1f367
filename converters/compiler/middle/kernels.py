"""Fix the arithmetic of one layer: what the C library needs to make a row of it, proven not to overflow.

Multipliers, shifts, clamps and folded biases are those of TFLite's reference kernels (`arithmetic`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from converters.compiler.faults import check
from converters.compiler.front import network as net
from converters.compiler.limits import LARGEST_SIDE, LARGEST_STEP
from converters.compiler.middle import arithmetic, elementwise, resizing
from converters.compiler.middle import program as prog
from converters.compiler.middle.constant import with_constant_channels

MOST_EXPONENTIALS = (1 << 12) - 1  # of which TFLite's LOG_SOFTMAX makes a sum with 12 integer bits


def convolution(kind: net.Convolution, source: net.FeatureMap, target: net.FeatureMap) -> prog.ConvKernel:
    """Return the kernel of CONV_2D or DEPTHWISE_CONV_2D; one that is depthwise over one channel is as good as dense."""
    _check_rows(kind.window.rows)
    if kind.depthwise and source.channels == 1:
        kind = replace(kind, weights=np.ascontiguousarray(kind.weights.transpose(3, 1, 2, 0)), depthwise=False)
    conv = prog.ConvKernel(
        weights=kind.weights,
        bias=kind.bias,
        requant=_requant(source.scale * kind.weight_scale / target.scale, kind.activation, target),
        window=kind.window,
        in_width=source.width,
        in_channels=source.channels,
        out_width=target.width,
        out_channels=target.channels,
        input_zero_point=source.zero_point if kind.outside is None else kind.outside,
        depthwise=kind.depthwise,
    )
    conv = replace(conv, bias=arithmetic.fold_bias(conv.rows, kind.bias, source.zero_point))
    conv = with_constant_channels(conv)
    arithmetic.check_sums(arithmetic.largest_sums(conv.rows, conv.bias), conv.requant.multiplier, conv.requant.shift)
    return conv


def _check_rows(rows: int) -> None:
    check(rows <= LARGEST_STEP, f"it sees {rows} rows at once; expected at most {LARGEST_STEP}")


def convolution_and_mean(
    kind: net.Convolution, averages: net.Mean, source: net.FeatureMap, between: net.FeatureMap, target: net.FeatureMap
) -> prog.ConvKernel:
    """Return the kernel of a convolution and the MEAN that alone reads it."""
    averaged = mean(averages, between, target)
    return replace(convolution(kind, source, between), mean=averaged.requant, zero_sum=averaged.zero_sum)


def pool(kind: net.Pool, source: net.FeatureMap, target: net.FeatureMap) -> prog.PoolKernel:
    """Return the kernel of MAX_POOL_2D or AVERAGE_POOL_2D: row by row if it can be."""
    window = kind.window
    if target.height == 1:  # nothing follows the one window, so its step is free
        window = replace(window, stride_h=max(window.stride_h, window.kernel_h))
    streaming = is_streaming(window, source.height, target.height, kind.average)
    if not streaming:
        _check_rows(window.rows)
    ends = arithmetic.activation_range(kind.activation, target.scale, target.zero_point)
    return prog.PoolKernel(window, source.width, source.channels, target.width, *ends, kind.average, streaming)


def is_streaming(window: net.Window, in_height: int, out_height: int, average: bool) -> bool:
    """Whether a pool can see one row at a time: no row leaves two windows open, or ends two."""
    overlap = 0 if average else 1
    if window.kernel_h > window.stride_h + overlap:
        return False
    ends = {min(y * window.stride_h - window.pad_top + window.kernel_h, in_height) for y in range(out_height)}
    return len(ends) == out_height and min(ends) > 0


def mean(kind: net.Mean, source: net.FeatureMap, target: net.FeatureMap) -> prog.MeanKernel:
    """Return the kernel of MEAN; one over height alone has a channel for each column."""
    height, width = (source.height if "H" in kind.over else 1), (source.width if "W" in kind.over else 1)
    pixels = height * width + kind.padding
    zero_sum = source.zero_point * pixels - kind.value * kind.padding
    requant = _mean_requant(pixels, source, target)
    columns = source.width // width
    row = columns * source.channels
    check(row <= LARGEST_SIDE, f"it sums {row:,} values of each row; expected at most {LARGEST_SIDE:,}")
    return prog.MeanKernel(requant, pixels, width, columns * source.channels, zero_sum)


def binary(kind: net.Binary, a: net.FeatureMap, b: net.FeatureMap, target: net.FeatureMap) -> prog.Kernel:
    """Return the kernel of an operator of two operands, `a` of the output's shape.

    Args:
      kind: the operator; with one constant for all channels a table does.
      a, b: the operands; of a constant the map that stands for it.
      target: the output.
    """
    if kind.constant is not None and kind.constant.values.size == 1:
        kernel = BINARY[kind.operator](kind, a, b, target, prog.Second())
        table = elementwise.of_constant(kind.operator, kernel, int(kind.constant.values[0]))
        return prog.TableKernel(table, target.width, target.channels)
    constant = None if kind.constant is None else kind.constant.values
    second = prog.Second(constant is None and b.width < target.width, constant)
    return BINARY[kind.operator](kind, a, b, target, second)


def _add(
    kind: net.Binary, a: net.FeatureMap, b: net.FeatureMap, target: net.FeatureMap, second: prog.Second
) -> prog.AddKernel:
    """TFLite shifts both inputs left by 20 bits and scales them to twice the larger scale."""
    twice = 2 * max(a.scale, b.scale)
    reals = np.array([a.scale / twice, b.scale / twice, twice / ((1 << 20) * target.scale)])
    multiplier, shift = arithmetic.quantized_multipliers(reals)
    small = f"the output's scale {target.scale} is too small for the inputs' {a.scale}, {b.scale}"
    check(reals[2] < 1 and shift.max() <= 0, small)
    signs = (1, 1) if kind.operator == "ADD" else (-1, 1) if kind.swapped else (1, -1)
    ends = arithmetic.activation_range(kind.activation, target.scale, target.zero_point)
    zero_points = (a.zero_point, b.zero_point, target.zero_point)
    factors = (_three(multiplier), _three(shift))
    return prog.AddKernel(*factors, zero_points, signs, *ends, target.width, target.channels, second)


def _mul(
    kind: net.Binary, a: net.FeatureMap, b: net.FeatureMap, target: net.FeatureMap, second: prog.Second
) -> prog.MulKernel:
    scales = [np.float32(each.scale) for each in (a, b, target)]
    real = scales[0] * scales[1] / scales[2]  # in float32, as TFLite computes it
    requant = _requant(np.array([float(real)]), kind.activation, target)
    arithmetic.check_sums(np.array([255 * 255]), requant.multiplier, requant.shift)
    return prog.MulKernel(requant, (a.zero_point, b.zero_point), target.width, target.channels, second)


def _extreme(
    kind: net.Binary, a: net.FeatureMap, b: net.FeatureMap, target: net.FeatureMap, second: prog.Second
) -> prog.ExtremeKernel:
    return prog.ExtremeKernel(kind.operator == "MAXIMUM", target.width, target.channels, second)


BINARY: dict[str, Callable[..., prog.Kernel]] = {
    "ADD": _add,
    "MAXIMUM": _extreme,
    "MINIMUM": _extreme,
    "MUL": _mul,
    "SUB": _add,
}


def lookup(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> prog.TableKernel:
    """Return the kernel of a function of each value."""
    return prog.TableKernel(elementwise.table(kind, source, target), target.width, target.channels)


def prelu(kind: net.PRelu, source: net.FeatureMap, target: net.FeatureMap) -> prog.TableKernel | prog.PReluKernel:
    """Return the kernel of PRELU: a table if there is one slope."""
    slopes = kind.slopes
    if slopes.values.size == 1:
        table = elementwise.prelu(slopes, source, target)
        return prog.TableKernel(table, target.width, target.channels)
    scales = [np.float32(each) for each in (source.scale, slopes.scale, target.scale)]
    positive = _requant(np.array([float(scales[0] / scales[2])]), "NONE", target)
    negative = _requant(np.array([float(scales[0] * scales[1] / scales[2])]), "NONE", target)
    arithmetic.check_sums(np.array([255]), positive.multiplier, positive.shift)
    arithmetic.check_sums(np.array([255 * 255]), negative.multiplier, negative.shift)
    zero_points = (source.zero_point, slopes.zero_point)
    return prog.PReluKernel(positive, negative, slopes.values, target.width, target.channels, *zero_points)


def transpose(kind: net.Transpose, source: net.FeatureMap, target: net.FeatureMap) -> prog.TransposeKernel:
    """Return the kernel of TRANSPOSE; it sees the whole map unless rows stay."""
    bytes_of = (source.width * source.channels, source.channels, 1)
    rows, pixels, channels = (bytes_of[axis] for axis in kind.axes)
    if kind.axes[0] == 0:
        return prog.TransposeKernel(target.width, target.channels, (0, pixels, channels))
    _check_rows(source.height)
    return prog.TransposeKernel(target.width, target.channels, (rows, pixels, channels))


def part(kind: net.Slice, source: net.FeatureMap, target: net.FeatureMap) -> prog.SliceKernel:
    """Return the kernel of a slice; it sees one row at a time."""
    (_, column, channel), (_, columns, channels) = kind.first, kind.step
    first = column * source.channels + channel
    return prog.SliceKernel(target.width, target.channels, first, (columns * source.channels, channels))


def nearest(
    kind: net.Resize, source: net.FeatureMap, target: net.FeatureMap
) -> tuple[prog.NearestKernel, resizing.Seen]:
    """Return the kernel of RESIZE_NEAREST_NEIGHBOR, and the rows it sees."""
    rows = resizing.nearest(kind, source.height, target.height)
    columns = resizing.nearest(kind, source.width, target.width).astype(np.uint16)
    seen = resizing.seen(rows, rows, source.height)
    if seen.rows > 1:  # not only repeated
        _check_rows(source.height)
        whole = resizing.Seen(0, 0, source.height, True)
        return prog.NearestKernel(rows.astype(np.uint8), columns, target.width, target.channels), whole
    return prog.NearestKernel(None, columns, target.width, target.channels), seen


def bilinear(
    kind: net.Resize, source: net.FeatureMap, target: net.FeatureMap
) -> tuple[prog.BilinearKernel, resizing.Seen]:
    """Return the kernel of RESIZE_BILINEAR, and the rows it sees."""
    rows = resizing.axis(kind, source.height, target.height)
    columns = resizing.axis(kind, source.width, target.width)
    seen = resizing.seen(*resizing.neighbours(rows, target.height), source.height)
    _check_rows(seen.rows)
    how = (seen.doublings, seen.top, seen.whole)
    return prog.BilinearKernel(rows, columns, target.width, target.channels, *how), seen


def constant_map(kind: net.ConstantMap, target: net.FeatureMap) -> prog.ConstantKernel:
    """Return the kernel of a map that does not depend on the input."""
    return prog.ConstantKernel(np.ascontiguousarray(kind.values), target.width, target.channels)


def broadcast(source: net.FeatureMap, target: net.FeatureMap) -> prog.SliceKernel:
    """Return the kernel that repeats columns or channels."""
    pixel, channel = (source.channels if source.width > 1 else 0), int(source.channels > 1)
    return prog.SliceKernel(target.width, target.channels, 0, (pixel, channel))


def _three(values: np.ndarray) -> tuple[int, int, int]:
    a, b, c = (int(value) for value in values)
    return a, b, c


def pad(kind: net.Pad, source: net.FeatureMap, target: net.FeatureMap) -> prog.PadKernel:
    """Return the kernel of PAD or PADV2."""
    sides = (kind.before, kind.after)
    return prog.PadKernel(source.width, source.channels, target.width, kind.left, kind.value, *sides)


def copy(source: net.FeatureMap) -> prog.PadKernel:
    """Return the kernel that copies rows into a concatenation."""
    return prog.PadKernel(source.width, source.channels, source.width, 0, source.zero_point)


def reshape(source: net.FeatureMap, target: net.FeatureMap) -> prog.ReshapeKernel:
    """Return the kernel of a RESHAPE that makes other rows; it sees the whole map, unless it divides each row."""
    if doublings(source, target):
        return prog.ReshapeKernel(target.width, target.channels, target.height // source.height)
    _check_rows(source.height)
    return prog.ReshapeKernel(target.width, target.channels)


def doublings(source: net.FeatureMap, target: net.FeatureMap) -> int:
    """Return how often a map of several rows has twice the rows of another, 0 if its height is no such multiple."""
    times, rest = divmod(target.height, source.height)
    power = times.bit_length() - 1
    return power if source.height > 1 and rest == 0 and times == 1 << power and power < 8 else 0


def fully_connected(
    kind: net.FullyConnected, source: net.FeatureMap, rows: net.FeatureMap, target: net.FeatureMap
) -> prog.FullyConnectedKernel:
    """Return the kernel of FULLY_CONNECTED; `rows` is the map whose bytes `source` has."""
    bias = arithmetic.fold_bias(kind.weights, kind.bias, source.zero_point)
    largest = arithmetic.largest_sums(kind.weights, bias)
    requant = _exact_requant(source.scale * kind.weight_scale / target.scale, largest, kind.activation, target)
    row_bytes = rows.width * rows.channels
    return prog.FullyConnectedKernel(kind.weights, bias, requant, row_bytes, rows.height, target.channels)


def each_connected(
    kind: net.EachConnected, source: net.FeatureMap, target: net.FeatureMap
) -> prog.FullyConnectedKernel:
    """Return the kernel of FULLY_CONNECTED of each pixel."""
    pixel = replace(source, height=1, width=1)
    return replace(fully_connected(kind, pixel, pixel, replace(target, height=1, width=1)), width=target.width)


def softmax(kind: net.Softmax, source: net.FeatureMap) -> prog.SoftmaxKernel:
    """Return the kernel of SOFTMAX or LOG_SOFTMAX."""
    multiplier, shift, diff_min = arithmetic.softmax_scaling(kind.beta, source.scale)
    most = f"it has {source.channels} channels; expected at most {MOST_EXPONENTIALS}, whose sum fits 32 bits"
    check(not kind.logarithm or source.channels <= MOST_EXPONENTIALS, most)
    return prog.SoftmaxKernel(multiplier, shift, diff_min, source.width, source.channels, kind.logarithm)


def quantize(kind: net.Requantize, source: net.FeatureMap, target: net.FeatureMap) -> prog.QuantizeKernel:
    """Return the kernel of QUANTIZE between int8 maps, or of a RELU that stands alone."""
    requant = _requant(np.array([source.scale / target.scale]), kind.activation, target)
    arithmetic.check_sums(np.array([255]), requant.multiplier, requant.shift)
    return prog.QuantizeKernel(requant, source.width, source.channels, source.zero_point)


# Scaling.


def _requant(real: np.ndarray, activation: str, target: net.FeatureMap) -> prog.Requant:
    """Return how sums become a map's int8."""
    check(bool(np.all(np.isfinite(real))), "a scale is too large or too small to be used")
    multiplier, shift = arithmetic.quantized_multipliers(real)
    ends = arithmetic.activation_range(activation, target.scale, target.zero_point)
    # From 31 on to the left no sum but 0 is allowed, so that all are the same.
    return prog.Requant(*arithmetic.one_for_all(multiplier, np.minimum(shift, 31)), target.zero_point, *ends)


def _exact_requant(real: np.ndarray, largest: np.ndarray, activation: str, target: net.FeatureMap) -> prog.ExactRequant:
    """Return how sums become a map's int8 where TFLite multiplies by a double, proven not to overflow."""
    check(bool(np.all(np.isfinite(real))), "a scale is too large or too small to be used")
    high, low, shift = arithmetic.exact_factors(real)
    arithmetic.check_products(largest, real)
    ends = arithmetic.activation_range(activation, target.scale, target.zero_point)
    return prog.ExactRequant(high, low, shift, target.zero_point, *ends)


def _mean_requant(pixels: int, source: net.FeatureMap, target: net.FeatureMap) -> prog.Requant:
    """Return MEAN's scaling, 1 / pixels included as TFLite's reference kernel includes it."""
    (multiplier,), (shift,) = arithmetic.quantized_multipliers(np.array([source.scale / target.scale]))
    extra = min(pixels.bit_length() - 1, 32, 31 + int(shift))
    scaled = np.array([(int(multiplier) << extra) // pixels], np.int32)
    shifts = np.array([int(shift) - extra])
    arithmetic.check_sums(np.array([255 * pixels]), scaled, shifts)
    return prog.Requant(scaled, shifts.astype(np.int8), target.zero_point, arithmetic.QMIN, arithmetic.QMAX)
