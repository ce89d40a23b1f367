"""The network as the `.tflite` has it: feature maps, and layers with their options and constants.

All is frozen; a pass returns a new one. Maps are int8 [height, width, channels]; real = scale * (q - zero_point).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NO_TENSOR = -1  # of a map that the file does not have
Shape = tuple[int, int, int]  # height, width, channels


def shape_of(sides: Sequence[int]) -> Shape:
    """Return three sides as a shape."""
    height, width, channels = sides
    return height, width, channels


@dataclass(frozen=True)
class Window:
    """A sliding window: rows and columns it sees, its steps, and what lies above and to the left of the map.

    What lies below and to the right follows from the output's size.
    """

    kernel_h: int
    kernel_w: int
    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    dilation_h: int = 1
    dilation_w: int = 1

    @property
    def rows(self) -> int:
        """Input rows from the first that the window sees to the last."""
        return (self.kernel_h - 1) * self.dilation_h + 1

    @property
    def columns(self) -> int:
        """Input columns from the first that the window sees to the last."""
        return (self.kernel_w - 1) * self.dilation_w + 1


@dataclass(frozen=True)
class FeatureMap:
    """An activation. `dtype` is int8, or uint8 or float32 at the network's edges (float has scale 0)."""

    tensor: int
    name: str
    dtype: str
    height: int
    width: int
    channels: int
    scale: float
    zero_point: int

    @property
    def shape(self) -> Shape:
        """Height, width, channels."""
        return self.height, self.width, self.channels

    @property
    def size(self) -> int:
        """Bytes of the whole map."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Convolution:
    """CONV_2D, weights int8 [O, KH, KW, I], or DEPTHWISE_CONV_2D, [1, KH, KW, O]; one scale or O; bias int32 [O].

    `outside` is the byte around the map; None: its zero point.
    """

    weights: np.ndarray
    weight_scale: np.ndarray
    bias: np.ndarray
    window: Window
    activation: str
    depthwise: bool = False
    outside: int | None = None


@dataclass(frozen=True)
class Pool:
    """MAX_POOL_2D or AVERAGE_POOL_2D."""

    window: Window
    activation: str
    average: bool


@dataclass(frozen=True)
class Mean:
    """MEAN over height, width or both: of the map and of `padding` pixels of the byte `value`, a PAD folded into it."""

    padding: int = 0
    value: int = 0
    over: str = "HW"


@dataclass(frozen=True)
class Concatenation:
    """CONCATENATION of channels."""


@dataclass(frozen=True, eq=False)
class Constant:
    """An int8 constant of one value, one for each channel or one for each value of a map.

    real = scale * (values - zero_point).
    """

    values: np.ndarray
    scale: float
    zero_point: int


@dataclass(frozen=True, eq=False)
class Binary:
    """ADD, SUB, MUL, MINIMUM or MAXIMUM of two maps, or of a map and a constant.

    The second map may be one row or pixel for all.

    `swapped`: the operator has its inputs the other way round.
    """

    operator: str
    activation: str = "NONE"
    constant: Constant | None = None
    swapped: bool = False


@dataclass(frozen=True, eq=False)
class ConstantMap:
    """A map of the model that does not depend on the input: int8 [height, width, channels]."""

    values: np.ndarray


@dataclass(frozen=True)
class Broadcast:
    """The only column of each row, the only channel of each pixel, or both, as often as the output has them."""


@dataclass(frozen=True)
class Elementwise:
    """A function of each value by itself.

    `slope` is what LEAKY_RELU multiplies negative values by; `approximate` says that GELU is computed with a tanh.
    """

    operator: str
    slope: float = 0.0
    approximate: bool = False


@dataclass(frozen=True, eq=False)
class PRelu:
    """PRELU: negative values times a constant."""

    slopes: Constant


@dataclass(frozen=True)
class Transpose:
    """TRANSPOSE: axis i of the output, of height, width and channels, is axis `axes[i]` of the input."""

    axes: tuple[int, int, int]


@dataclass(frozen=True)
class Pad:
    """PAD or PADV2 of height, width and channels with the byte `value`."""

    top: int
    bottom: int
    left: int
    right: int
    value: int
    before: int = 0  # channels
    after: int = 0


@dataclass(frozen=True)
class Slice:
    """STRIDED_SLICE, SLICE, or a part of SPLIT: every so many rows, columns and channels, from the first wanted on."""

    first: Shape
    step: Shape


@dataclass(frozen=True)
class Resize:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR, with their options."""

    bilinear: bool
    align_corners: bool
    half_pixels: bool


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """FULLY_CONNECTED: weights int8 [O, I], one weight scale or O, bias int32 [O]."""

    weights: np.ndarray
    weight_scale: np.ndarray
    bias: np.ndarray
    activation: str


@dataclass(frozen=True, eq=False)
class EachConnected(FullyConnected):
    """FULLY_CONNECTED of each pixel: weights int8 [O, channels]."""


@dataclass(frozen=True)
class Reshape:
    """RESHAPE, SQUEEZE or EXPAND_DIMS: the same bytes in another shape."""


@dataclass(frozen=True)
class Softmax:
    """SOFTMAX over the channels; LOG_SOFTMAX is its logarithm."""

    beta: float
    logarithm: bool = False


@dataclass(frozen=True)
class Requantize:
    """QUANTIZE, DEQUANTIZE (at an edge), or a RELU that stands alone."""

    activation: str = "NONE"


LayerKind = (
    Convolution
    | Pool
    | Mean
    | Concatenation
    | Binary
    | ConstantMap
    | Broadcast
    | Elementwise
    | PRelu
    | Transpose
    | Slice
    | Resize
    | Pad
    | FullyConnected
    | EachConnected
    | Reshape
    | Softmax
    | Requantize
)


@dataclass(frozen=True)
class Layer:
    """One layer; `inputs` and `output` are positions in `Graph.maps`."""

    name: str
    operator: str
    inputs: tuple[int, ...]
    output: int
    kind: LayerKind


@dataclass(frozen=True)
class Graph:
    """A network; layers in execution order. `views[i]` is the map whose bytes map i has: itself, unless reshaped.

    `outputs` may name a map twice.
    """

    maps: tuple[FeatureMap, ...]
    layers: tuple[Layer, ...]
    input: int
    outputs: tuple[int, ...]
    views: tuple[int, ...]
