"""What AlexNet looks like, in numbers (Krizhevsky, Sutskever and Hinton 2012): what SqueezeNet is measured by.

No TensorFlow. The original is for 227 × 227 pixels. For smaller pictures there is a scaled one, made by one rule:
conv1's stride is the largest of 4, 2 and 1 that leaves the original's 6 × 6 values before fc6, or as many as there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqz_tf.base.spec import LEAST_WIDTH, MOST_WIDTH, between, one_of

ORIGINAL = 227  # pixels: the side that 11 × 11 windows at stride 4 fit without padding
LEAST_UNPADDED = 195  # pixels of the smallest input that leaves 5 × 5 values before fc6 without any padding
CONV1_KERNEL = {4: 11, 2: 7, 1: 5}  # by stride
CONVOLUTIONS = {"conv1": (96, 1), "conv2": (256, 2), "conv3": (384, 1), "conv4": (384, 2), "conv5": (256, 2)}
"""Filters and groups: two graphics cards shared the original, and three layers see only their own card's half."""

POOLED = ("conv1", "conv2", "conv5")
NORMALISED = ("conv1", "conv2")
CONNECTED = {"fc6": 4096, "fc7": 4096}


@dataclass(frozen=True)
class AlexNetSpec:
    """An AlexNet; the defaults are the original. `width` multiplies every layer but the last, as in `ModelSpec`."""

    input_size: int = ORIGINAL
    channels: int = 3
    classes: int = 1000
    width: float = 1.0
    dropout: float = 0.5

    def __post_init__(self) -> None:
        between("input_size", self.input_size, 8, 1024)
        one_of("channels", self.channels, (1, 3))
        between("classes", self.classes, 2, 100_000)
        between("width", self.width, LEAST_WIDTH, MOST_WIDTH)
        between("dropout", self.dropout, 0, 0.95)

    @property
    def is_original(self) -> bool:
        """Whether this is the paper's network, whatever its classes."""
        return (self.input_size, self.channels, self.width) == (ORIGINAL, 3, 1.0)

    @property
    def stride(self) -> int:
        """The stride of conv1."""
        return 4 if self.input_size >= 192 else 2 if self.input_size >= 96 else 1

    @property
    def padding(self) -> str:
        """How conv1 and the pooling treat edges; the other convolutions always pad."""
        return "valid" if self.input_size >= LEAST_UNPADDED else "same"


def filters(spec: AlexNetSpec, name: str) -> int:
    """Return the filters of a convolution, an even number so that two groups can share them."""
    return max(2, 2 * round(spec.width * CONVOLUTIONS[name][0] / 2))


def units(spec: AlexNetSpec, name: str) -> int:
    """Return the outputs of a fully connected layer."""
    return spec.classes if name == "fc8" else max(1, round(spec.width * CONNECTED[name]))


def side(spec: AlexNetSpec) -> int:
    """Return the side of the map that fc6 sees."""
    found = _next(spec, spec.input_size, CONV1_KERNEL[spec.stride], spec.stride)
    for _ in POOLED:
        found = _next(spec, found, 3, 2)
    return found


def _next(spec: AlexNetSpec, length: int, kernel: int, stride: int) -> int:
    return -(-length // stride) if spec.padding == "same" else (length - kernel) // stride + 1


def layer_shapes(spec: AlexNetSpec) -> dict[str, tuple[int, ...]]:
    """Return each layer's kernel shape by name: [H, W, I of its group, O] of convolutions, then [I, O]."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = spec.channels
    for name, (_, groups) in CONVOLUTIONS.items():
        kernel = CONV1_KERNEL[spec.stride] if name == "conv1" else 5 if name == "conv2" else 3
        shapes[name] = (kernel, kernel, inputs // groups, filters(spec, name))
        inputs = filters(spec, name)
    inputs *= side(spec) ** 2
    for name in (*CONNECTED, "fc8"):
        shapes[name] = (inputs, units(spec, name))
        inputs = units(spec, name)
    return shapes


def parameters(spec: AlexNetSpec) -> int:
    """Return the number of weights and biases."""
    return sum(math.prod(shape) + shape[-1] for shape in layer_shapes(spec).values())


def described(spec: AlexNetSpec) -> str:
    """Name a network: the original, or the scaled one with all that tells it from that."""
    if spec.is_original:
        return f"AlexNet, {spec.classes} classes"
    convolutions = "-".join(str(filters(spec, name)) for name in CONVOLUTIONS)
    connected = "-".join(str(units(spec, name)) for name in (*CONNECTED, "fc8"))
    kernel = CONV1_KERNEL[spec.stride]
    return (
        f"scaled AlexNet: input {spec.input_size}×{spec.input_size}×{spec.channels}, width {spec.width:g}, "
        f"filters {convolutions} (conv1 {kernel}×{kernel}, stride {spec.stride}), fc {connected}"
    )
