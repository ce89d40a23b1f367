"""What every reader returns, and the checks every reader makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MAX_BYTES = 1 << 27
"""Largest weight file read, in bytes."""
MAX_DIM = 1 << 20
"""Largest length of one axis."""
MAX_MAGNITUDE = 1e6
"""Largest absolute value believed; trained weights stay far below it, flipped exponent bits do not."""

LONGEST_NAME = 1000
"""Most characters of a layer's name."""

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ConvWeights:
    """One convolution.

    `kernel`: float32 [H, W, I, O] in C order, cross-correlation (not flipped), I per group. `bias`: float32 [O],
    zeros where the file has none. `padding`: pixels on each side (top, left), where the file says.
    """

    kernel: np.ndarray
    bias: np.ndarray
    groups: int = 1
    padding: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class WeightFile:
    """The convolutions of one weight file, in the file's order and under its own names.

    `unused`: names of tensors or layers with weights that are not convolutions. `additions`: names of layers or
    nodes that add two feature maps (a bypass cannot be seen in the weights); None where the format holds no graph.
    `normalisations`: names of layers of batch normalisation. `labels`: names of the network's outputs, where the file
    has them. `notes`: what the file leaves open and was taken to be. `sha256`: of the file's bytes.
    """

    format: str
    layers: Mapping[str, ConvWeights]
    sha256: str
    unused: tuple[str, ...] = ()
    additions: tuple[str, ...] | None = None
    codebooks: Mapping[str, np.ndarray] = field(default_factory=dict)
    normalisations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def require_name(layer: str) -> None:
    """Refuse what is no layer's name: it goes into messages, which have one line.

    Raises:
      ValueError: it has several lines, or more characters than anybody gives.
    """
    if len(layer) > LONGEST_NAME or len(layer.splitlines()) > 1:
        what = f"{len(layer):,} characters" if len(layer) > LONGEST_NAME else "several lines"
        raise ValueError(f"a name begins with {layer[:40]!a} and has {what}; expected one of at most {LONGEST_NAME:,}")


def describe(shape: Sequence[int | None]) -> str:
    """Write a shape as in [3, 3, 16, 64]; a length that may be any is None."""
    return "[" + ", ".join("any" if length is None else str(length) for length in shape) + "]"


def checked_shape(layer: str, shape: Shape, values: int) -> Shape:
    """Return `shape` if it is that of a kernel [O, I, H, W] holding `values` numbers.

    Raises:
      ValueError: another number of axes, an axis that is empty or absurd, or another number of values; or the name is
        none.
    """
    require_name(layer)
    shape = tuple(int(length) for length in shape)
    if len(shape) != 4 or not all(1 <= length <= MAX_DIM for length in shape):
        raise ValueError(f"layer {layer} has a kernel of shape {describe(shape)}; expected four lengths [O, I, H, W]")
    count = shape[0] * shape[1] * shape[2] * shape[3]
    if count != values:
        raise ValueError(f"layer {layer} holds {values} weights; expected {count} for a kernel {describe(shape)}")
    return shape


def require_few(values: int) -> None:
    """Refuse convolutions of more values than a file's bytes have room for, which a small file can name over and over.

    Raises:
      ValueError: there are more.
    """
    if values > MAX_BYTES // 4:
        raise ValueError(
            f"the convolutions hold {values:,} values; expected at most {MAX_BYTES // 4:,} (the file is damaged)"
        )


def convolution(
    layer: str,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    groups: int = 1,
    padding: tuple[int, int] | None = None,
) -> ConvWeights:
    """Check one convolution's numbers and turn its kernel from [O, I, H, W] to [H, W, I, O].

    Raises:
      ValueError: the bias has another length than O, or a value is not finite or not credible; or the name is none.
    """
    require_name(layer)
    outputs = kernel.shape[0]
    if bias is None:
        bias = np.zeros(outputs, np.float32)
    if bias.size != outputs:
        raise ValueError(
            f"layer {layer} has {bias.size} biases; expected {outputs} for a kernel [O, I, H, W] "
            f"of shape {describe(kernel.shape)}"
        )
    for part, values in (("kernel", kernel), ("bias", bias)):
        _require_credible(layer, part, values)
    return ConvWeights(
        kernel=_frozen(kernel.transpose(2, 3, 1, 0)),
        bias=_frozen(bias.reshape(outputs)),
        groups=groups,
        padding=padding,
    )


def _frozen(values: np.ndarray) -> np.ndarray:
    result = np.array(values, dtype=np.float32, order="C")
    result.flags.writeable = False
    return result


def _require_credible(layer: str, part: str, values: np.ndarray) -> None:
    worst = float(np.abs(values).max(initial=0))
    if not worst <= MAX_MAGNITUDE:  # NaN too
        raise ValueError(
            f"layer {layer} has a value of {worst:g} in its {part}; expected finite numbers up to {MAX_MAGNITUDE:g} "
            "(the file is damaged)"
        )
