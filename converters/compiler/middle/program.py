"""The network as the C library runs it: streams of rows, and operators with fixed-point arithmetic.

All is frozen; a pass returns a new one. Rows are int8 [width, channels]; real = scale * (q - zero_point).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from converters.compiler.front.network import Window


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


class _EachChannel:
    """A kernel that makes one channel of each that it reads."""

    channels: int

    @property
    def out_channels(self) -> int:
        """Channels that it writes."""
        return self.channels


@dataclass(frozen=True)
class PoolKernel(_EachChannel):
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
class MeanKernel(_EachChannel):
    """The mean over height and width; `zero_sum` is what is taken off the sum of a channel's bytes."""

    requant: Requant
    pixels: int
    width: int
    channels: int
    zero_sum: int


@dataclass(frozen=True, eq=False)
class Second:
    """The second operand: a map of the first one's shape, one pixel that meets all of its pixels, or constants."""

    one_pixel: bool = False
    constant: np.ndarray | None = None  # int8 [channels]


@dataclass(frozen=True, eq=False)
class AddKernel(_EachChannel):
    """A row of a sum or difference. Multipliers and shifts are of a, b and the output, signs of a and b."""

    multiplier: tuple[int, int, int]
    shift: tuple[int, int, int]
    zero_point: tuple[int, int, int]
    signs: tuple[int, int]
    lowest: int
    highest: int
    width: int
    channels: int
    second: Second


@dataclass(frozen=True, eq=False)
class MulKernel(_EachChannel):
    """A row of a product; zero points are of a and b."""

    requant: Requant
    zero_point: tuple[int, int]
    width: int
    channels: int
    second: Second


@dataclass(frozen=True, eq=False)
class ExtremeKernel(_EachChannel):
    """A row of the larger or the smaller of two values."""

    larger: bool
    width: int
    channels: int
    second: Second


@dataclass(frozen=True, eq=False)
class TableKernel(_EachChannel):
    """A row of what a table, int8 [256] in the order of the byte without its sign, has for each value."""

    table: np.ndarray
    width: int
    channels: int


@dataclass(frozen=True, eq=False)
class PReluKernel(_EachChannel):
    """A row of PRELU: `slopes`, int8 [channels] or [height, width, channels], multiply what is negative."""

    positive: Requant
    negative: Requant
    slopes: np.ndarray
    width: int
    channels: int
    input_zero_point: int
    slope_zero_point: int


@dataclass(frozen=True, eq=False)
class ConstantKernel(_EachChannel):
    """A row of a constant map, int8 [height, width, channels]."""

    values: np.ndarray
    width: int
    channels: int


@dataclass(frozen=True)
class TransposeKernel(_EachChannel):
    """A row gathered from a whole map: from one row, pixel and channel to the next are so many bytes of it."""

    width: int
    channels: int
    steps: tuple[int, int, int]


@dataclass(frozen=True)
class SliceKernel(_EachChannel):
    """Some pixels and channels of a row: from byte `first` on, a pixel and a channel each so many bytes further."""

    width: int
    channels: int
    first: int
    steps: tuple[int, int]


@dataclass(frozen=True, eq=False)
class NearestKernel(_EachChannel):
    """A row of some of a row's pixels.

    `columns` uint16 [width] are their places, `rows` uint8 [height of the output] which of the rows that it sees; None:
    the only one.
    """

    rows: np.ndarray | None
    columns: np.ndarray
    width: int
    channels: int


@dataclass(frozen=True)
class Axis:
    """Place i of an output is i * scale + offset of an input of `size`, in 1 / 1024."""

    scale: int
    offset: int
    size: int


@dataclass(frozen=True)
class BilinearKernel(_EachChannel):
    """A row between two rows: it sees all (`whole`), or those from (y >> doublings) - top on."""

    rows: Axis
    columns: Axis
    width: int
    channels: int
    doublings: int
    top: int
    whole: bool


@dataclass(frozen=True, eq=False)
class QuantizeKernel(_EachChannel):
    """A row in another scale."""

    requant: Requant
    width: int
    channels: int
    input_zero_point: int


@dataclass(frozen=True)
class PadKernel:
    """A row with `value` around it; without padding a copy. `channels` are those of the input."""

    in_width: int
    channels: int
    out_width: int
    pad_left: int
    value: int
    before: int = 0
    after: int = 0

    @property
    def out_channels(self) -> int:
        """Channels that it writes."""
        return self.before + self.channels + self.after

    @property
    def pads_channels(self) -> bool:
        """Whether it adds channels."""
        return self.before + self.after > 0


@dataclass(frozen=True)
class ReshapeKernel(_EachChannel):
    """A row of a map whose bytes are those of a map with other rows, all of which it sees or one with `parts` rows."""

    width: int
    channels: int
    parts: int = 0


@dataclass(frozen=True, eq=False)
class FullyConnectedKernel:
    """Sums over rows: weights int8 [O, height * row_bytes]; or over each pixel of a row, each of `row_bytes`."""

    weights: np.ndarray
    bias: np.ndarray
    requant: ExactRequant
    row_bytes: int
    height: int
    out_channels: int
    width: int = 0  # pixels of a row; 0: not of each


@dataclass(frozen=True)
class SoftmaxKernel(_EachChannel):
    """Softmax over the channels of each pixel of a row, or its logarithm."""

    multiplier: int
    shift: int
    diff_min: int
    width: int
    channels: int
    logarithm: bool = False


_Weighted = ConvKernel | FullyConnectedKernel
_Gathering = PoolKernel | MeanKernel | SoftmaxKernel
_Each = AddKernel | MulKernel | ExtremeKernel | TableKernel | PReluKernel | QuantizeKernel
_Moving = PadKernel | ReshapeKernel | TransposeKernel | SliceKernel | NearestKernel | BilinearKernel | ConstantKernel
Kernel = _Weighted | _Gathering | _Each | _Moving

EACH, WINDOW, LAST = "EACH", "WINDOW", "LAST"  # when an operator's output rows are complete: see sqz_ops.h


@dataclass(frozen=True)
class Stream:
    """A feature map as rows; `tensor` is its index in the file, whose values it has, NO_TENSOR if there is none."""

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

    @property
    def bytes(self) -> int:
        """Bytes of all rows."""
        return self.height * self.row_bytes


@dataclass(frozen=True)
class Operator:
    """What makes rows of a stream; `inputs` and `output` are positions in `Program.streams`.

    Firing y reads input rows (y >> doublings) * stride_h - pad_top … + rows - 1 (of one that sees one row at a time:
    row y). With stride_h 0 all firings read the same rows.
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
    band: int = 1  # firings in one step
    first_band: int = 1  # in the first one
    left_over: int = 0  # firings that the last band takes too if only so many would be left
    at_once: bool = False  # the kernel makes a band in one call
    doublings: int = 0  # 2^doublings firings read the same rows

    @property
    def rows_at_once(self) -> int:
        """Rows that one call of the kernel sees."""
        if self.yields == WINDOW:
            return 1
        return self.rows + ((self.band - 1) * self.stride_h if self.at_once else 0)

    @property
    def bands(self) -> int:
        """Bands of firings in one inference."""
        return 1 + max(0, -(-(self.fires - self.first_band - self.left_over) // self.band))


@dataclass(frozen=True)
class Program:
    """A network as the C library runs it. Stream 0 is the input; `results` are what callers see in the stream `output`,
    one after another.
    """

    streams: tuple[Stream, ...]
    operators: tuple[Operator, ...]
    output: int
    results: tuple[Stream, ...]

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each result begins, in bytes."""
        return tuple(accumulate((each.bytes for each in self.results[:-1]), initial=0))
