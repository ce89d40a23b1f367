"""Read what makes more pixels of few, or few of more: TRANSPOSE_CONV, DEPTH_TO_SPACE, SPACE_TO_DEPTH, RESIZE.

All but the last are written as layers that there are: convolutions of stride 1, slices, concatenations and reshapes.
"""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer
from converters.compiler.limits import LARGEST_STEP


def _transposed(layer: ReadLayer) -> net.Reshape | net.Slice:
    """Read a TRANSPOSE_CONV: a convolution for each of the rows that follow each other before the input's next one.

    Such a convolution makes, of each pixel, all the columns before the next one. Row s q + r of the output, s the
    stride, sees input row q - t through the weights' row s t + r + padding.
    """
    layer.int8()
    (source,), target, options = layer.inputs, layer.output, layer.op.options
    weights, scale = layer.weights(4, 0, target.channels)
    takes = f"its weights take {weights.shape[3]} channels, its input has {source.channels}"
    layer.check(weights.shape[3] == source.channels, takes)
    stride = options["stride"]
    sides = list(zip(weights.shape[1:3], stride, target.shape[:2], source.shape[:2], strict=True))
    pads = [_padding(layer, *side) for side in sides]
    rows, columns = (-(-size // step) for size, step in zip(target.shape[:2], stride, strict=True))
    shape = (rows, columns, stride[1] * target.channels)
    scales = np.tile(scale, stride[1]) if scale.size > 1 else scale
    bias = np.tile(layer.bias(target.channels, 3), stride[1])
    phases = []
    for r in range(stride[0]):
        taken, top, left = _taken(weights, stride, (r + pads[0], pads[1]))
        layer.check(max(*taken.shape[1:3], top, left) <= LARGEST_STEP, f"its weights are {weights.shape}")
        window = net.Window(taken.shape[1], taken.shape[2], pad_top=top, pad_left=left)
        phases.append(layer.step(net.Convolution(taken, scales, bias, window, layer.activation), shape, 0))
    return _in_rows(layer, phases, shape, columns * stride[1])


def _padding(layer: ReadLayer, kernel: int, step: int, size: int, given: int) -> int:
    """Return what is cut off above or to the left, as of the convolution that it is the reverse of."""
    same = layer.op.options["padding"] == "SAME"
    out = -(-size // step) if same else -(-(size - kernel + 1) // step)
    layer.check(out == given, f"its output of {size} does not go with an input of {given}, stride {step}")
    return max(0, (out - 1) * step + kernel - size) // 2 if same else 0


def _taken(weights: np.ndarray, stride: tuple[int, int], first: tuple[int, int]) -> tuple[np.ndarray, int, int]:
    """Return the weights of one phase of rows and all of columns, int8 [stride_w * O, KH, KW, I], and the padding.

    Args:
      weights: int8 [O, KH, KW, I].
      stride: of height and width.
      first: the row of the weights through which the first input row is seen, or beyond them; of columns, the padding.
    """
    outputs, height, width, inputs = weights.shape
    rows = _steps(height, stride[0], first[0], first[0])
    columns = _steps(width, stride[1], first[1], first[1] + stride[1] - 1)
    taken = np.zeros((stride[1], outputs, len(rows), len(columns), inputs), np.int8)
    for phase in range(stride[1]):
        for i, t in enumerate(rows):
            for j, u in enumerate(columns):
                row, column = stride[0] * t + first[0], stride[1] * u + phase + first[1]
                if 0 <= row < height and 0 <= column < width:
                    taken[phase, :, i, j] = weights[:, row, column]
    return taken.reshape(-1, *taken.shape[2:]), rows[0], columns[0]


def _steps(kernel: int, step: int, low: int, high: int) -> list[int]:
    """Return how many rows before the present one are seen, the farthest first; the present one is always."""
    return list(range(max(0, (kernel - 1 - low) // step), min(0, -(high // step)) - 1, -1))


def _in_rows(layer: ReadLayer, parts: list[int], shape: net.Shape, width: int) -> net.Reshape | net.Slice:
    """Let the rows of several maps of a shape alternate; what is more than the output has is cut off."""
    height, bytes_of_row = shape[0], shape[1] * shape[2]
    joined = parts[0]
    if len(parts) > 1:
        flat = [layer.step(net.Reshape(), (height, 1, bytes_of_row), part) for part in parts]
        joined = layer.step(net.Concatenation(), (height, 1, bytes_of_row * len(parts)), *flat)
    full = (height * len(parts), width, layer.output.channels)
    if full == layer.output.shape:
        layer.reads = (joined,)
        return net.Reshape()
    layer.reads = (layer.step(net.Reshape(), full, joined),)
    return net.Slice((0, 0, 0), (1, 1, 1))


def _depth_to_space(layer: ReadLayer) -> net.Reshape | net.Slice:
    block, (source,) = _block(layer), layer.inputs
    channels = layer.output.channels
    layer.check(source.channels == block * block * channels, f"{source.channels} channels for blocks of {block}")
    layer.shape((source.height * block, source.width * block, channels))
    shape = (source.height, source.width, block * channels)
    firsts = [net.shape_of((0, 0, i * block * channels)) for i in range(block)]
    return _in_rows(
        layer, [layer.step(net.Slice(first, (1, 1, 1)), shape, 0) for first in firsts], shape, source.width * block
    )


def _space_to_depth(layer: ReadLayer) -> net.Concatenation:
    block, (source,) = _block(layer), layer.inputs
    shape = (source.height // block, source.width // block, source.channels * block)
    layer.check(source.height % block == source.width % block == 0, f"{source.shape} has no whole blocks of {block}")
    layer.shape((shape[0], shape[1], source.channels * block * block))
    parts = []
    for row in range(block):
        taken = layer.step(net.Slice((row, 0, 0), (block, 1, 1)), (shape[0], source.width, source.channels), 0)
        parts.append(layer.step(net.Reshape(), shape, taken))
    layer.reads = tuple(parts)
    return net.Concatenation()


def _resize(layer: ReadLayer) -> net.Resize:
    layer.int8()
    layer.same_quantization()
    (source,), options = layer.inputs, layer.op.options
    layer.shape((*layer.output.shape[:2], source.channels))
    both = options["align_corners"] and options["half_pixels"]
    layer.check(not both, "it has both align_corners and half_pixel_centers; expected one at most")
    return net.Resize(layer.op.name == "RESIZE_BILINEAR", options["align_corners"], options["half_pixels"])


def _block(layer: ReadLayer) -> int:
    layer.int8()
    layer.same_quantization()
    block = int(layer.op.options["block"])
    layer.check(1 <= block <= LARGEST_STEP, f"blocks of {block}; expected 1…{LARGEST_STEP}")
    return block


READERS: Readers = {
    "DEPTH_TO_SPACE": (1, _depth_to_space),
    "RESIZE_BILINEAR": (1, _resize),
    "RESIZE_NEAREST_NEIGHBOR": (1, _resize),
    "SPACE_TO_DEPTH": (1, _space_to_depth),
    "TRANSPOSE_CONV": ((2,), _transposed),
}
