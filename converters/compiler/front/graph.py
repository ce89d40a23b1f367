"""The small typed graphs that the compiler's passes hand on: what the file says, and what the chip does.

`Graph` is the network as the `.tflite` has it: feature maps, and layers with their options and constants.
`Program` is the same network as the C library runs it: streams of rows, and operators with fixed-point arithmetic.
Both are frozen; a pass returns a new one. Maps are int8 [height, width, channels]; real = scale * (q - zero_point).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# The network.


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
    def shape(self) -> tuple[int, int, int]:
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
    """MEAN over height and width: of the map and `padding` pixels of the byte `value` more, a PAD folded into it."""

    padding: int = 0
    value: int = 0


@dataclass(frozen=True)
class Concatenation:
    """CONCATENATION of channels."""


@dataclass(frozen=True)
class Add:
    """ADD of two maps of one shape."""

    activation: str


@dataclass(frozen=True)
class Pad:
    """PAD or PADV2 of height and width with the byte `value`."""

    top: int
    bottom: int
    left: int
    right: int
    value: int


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """FULLY_CONNECTED: weights int8 [O, I], one weight scale or O, bias int32 [O]."""

    weights: np.ndarray
    weight_scale: np.ndarray
    bias: np.ndarray
    activation: str


@dataclass(frozen=True)
class Reshape:
    """RESHAPE or SQUEEZE: the same bytes in another shape."""


@dataclass(frozen=True)
class Softmax:
    """SOFTMAX over the channels."""

    beta: float


@dataclass(frozen=True)
class Requantize:
    """QUANTIZE, DEQUANTIZE (at an edge), or a RELU that stands alone."""

    activation: str = "NONE"


LayerKind = Convolution | Pool | Mean | Concatenation | Add | Pad | FullyConnected | Reshape | Softmax | Requantize


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
    """A network; layers in execution order. `views[i]` is the map whose bytes map i has: itself, unless reshaped."""

    maps: tuple[FeatureMap, ...]
    layers: tuple[Layer, ...]
    input: int
    output: int
    views: tuple[int, ...]


# The program.


@dataclass(frozen=True, eq=False)
class Requant:
    """int32 sums to int8: multiplier int32 [1 or channels], shift int8 likewise (left positive), clamp."""

    multiplier: np.ndarray
    shift: np.ndarray
    zero_point: int
    lowest: int
    highest: int

    @property
    def only_shifts(self) -> bool:
        """Whether every scale is a power of two: no multiplication is needed, nor a table of multipliers."""
        return bool(np.all(self.multiplier == 1 << 30))

    @property
    def table_bytes(self) -> int:
        """Bytes of its tables."""
        return int(self.shift.nbytes + (0 if self.only_shifts else self.multiplier.nbytes))


@dataclass(frozen=True, eq=False)
class ExactRequant:
    """int32 sums to int8 by a double, (high * 2^31 + low) / 2^shift, int32 and int8 [1 or channels]; clamp."""

    high: np.ndarray
    low: np.ndarray
    shift: np.ndarray
    zero_point: int
    lowest: int
    highest: int

    @property
    def table_bytes(self) -> int:
        """Bytes of its tables."""
        return int(self.high.nbytes + self.low.nbytes + self.shift.nbytes)


@dataclass(frozen=True, eq=False)
class ConvKernel:
    """A row of a convolution: bias with the input's zero point folded in, weights as in `Convolution`."""

    weights: np.ndarray
    bias: np.ndarray
    requant: Requant
    window: Window
    in_width: int
    in_channels: int
    out_width: int
    out_channels: int
    input_zero_point: int
    depthwise: bool
    mean: Requant | None = None  # the MEAN that alone reads it, fused
    zero_sum: int = 0  # as in `MeanKernel`

    @property
    def rows(self) -> np.ndarray:
        """The weights as one row for each output channel: int8 [O, K]."""
        if self.depthwise:
            return self.weights.reshape(-1, self.out_channels).T
        return self.weights.reshape(self.out_channels, -1)


@dataclass(frozen=True)
class PoolKernel:
    """A row of a pool; `streaming` keeps running maxima or sums and sees one row at a time."""

    window: Window
    in_width: int
    channels: int
    out_width: int
    lowest: int
    highest: int
    average: bool
    streaming: bool


@dataclass(frozen=True, eq=False)
class MeanKernel:
    """The mean over height and width; `zero_sum` is what is taken off the sum of a channel's bytes."""

    requant: Requant
    pixels: int
    width: int
    channels: int
    zero_sum: int


@dataclass(frozen=True)
class AddKernel:
    """A row of a sum. Multipliers and shifts are of a, b and the output."""

    multiplier: tuple[int, int, int]
    shift: tuple[int, int, int]
    zero_point: tuple[int, int, int]
    lowest: int
    highest: int
    width: int
    channels: int


@dataclass(frozen=True, eq=False)
class QuantizeKernel:
    """A row in another scale."""

    requant: Requant
    width: int
    channels: int
    input_zero_point: int


@dataclass(frozen=True)
class PadKernel:
    """A row with `value` around it; without padding a copy."""

    in_width: int
    channels: int
    out_width: int
    pad_left: int
    value: int


@dataclass(frozen=True)
class ReshapeKernel:
    """A row of a map whose bytes are those of a map with other rows."""

    width: int
    channels: int


@dataclass(frozen=True, eq=False)
class FullyConnectedKernel:
    """Sums over rows: weights int8 [O, height * row_bytes]."""

    weights: np.ndarray
    bias: np.ndarray
    requant: ExactRequant
    row_bytes: int
    height: int
    out_channels: int


@dataclass(frozen=True)
class SoftmaxKernel:
    """Softmax over the channels of each pixel of a row."""

    multiplier: int
    shift: int
    diff_min: int
    width: int
    channels: int


Kernel = (
    ConvKernel
    | PoolKernel
    | MeanKernel
    | AddKernel
    | QuantizeKernel
    | PadKernel
    | ReshapeKernel
    | FullyConnectedKernel
    | SoftmaxKernel
)

EACH, WINDOW, LAST = "EACH", "WINDOW", "LAST"  # when an operator's output rows are complete: see sqz_ops.h


@dataclass(frozen=True)
class Stream:
    """A feature map as rows; `tensor` is its index in the file, whose values it has."""

    tensor: int
    name: str
    height: int
    width: int
    channels: int
    scale: float
    zero_point: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * self.channels


@dataclass(frozen=True)
class Operator:
    """What makes rows of a stream; `inputs` and `output` are positions in `Program.streams`.

    Firing y reads input rows y * stride_h - pad_top … + rows - 1 (of one that sees one row at a time: row y). With
    stride_h 0 all firings read the same rows.
    """

    name: str
    operator: str
    inputs: tuple[int, ...]
    output: int
    kernel: Kernel
    yields: str
    fires: int
    rows: int = 1
    stride_h: int = 1
    pad_top: int = 0
    channel: int = 0  # the first of its slice of the output's channels
    tensor: int = -1  # the tensor whose values its slice has
    macs: int = 0


@dataclass(frozen=True)
class Program:
    """A network as the C library runs it. Stream 0 is the input; `result` is how callers see the stream `output`."""

    streams: tuple[Stream, ...]
    operators: tuple[Operator, ...]
    output: int
    result: Stream
