"""What SqueezeNet looks like, in numbers (Iandola et al. 2016, arXiv:1602.07360): filters, sizes, kernel shapes.

No TensorFlow: planning, weight files and the model all ask here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ModelSpec

FIRES = range(2, 10)
HEAD = "conv10"
CONV1 = {"squeezenet-1.0": (96, 7), "squeezenet-1.1": (64, 3)}  # filters, kernel size
POOL_AFTER = {"squeezenet-1.0": ("conv1", "fire4", "fire8"), "squeezenet-1.1": ("conv1", "fire3", "fire5")}
SIMPLE_BYPASS = (3, 5, 7, 9)  # the Fire modules whose input and output have the same number of channels
COMPLEX_BYPASS = (2, 4, 6, 8)  # the others, which need a 1×1 convolution on the way around


@dataclass(frozen=True)
class FireFilters:
    """Filters of one Fire module."""

    squeeze1x1: int
    expand1x1: int
    expand3x3: int


def fire_filters(spec: ModelSpec, number: int) -> FireFilters:
    """Return the filters of Fire module `number` (2–9) by the paper's metaparameters (section 5.1)."""
    expand = spec.base_e + spec.incr_e * ((number - 2) // spec.freq)
    expand3x3 = scaled(spec, spec.pct_3x3 * expand)
    return FireFilters(
        squeeze1x1=scaled(spec, spec.squeeze_ratio * expand),
        expand1x1=scaled(spec, expand) - expand3x3 or 1,
        expand3x3=expand3x3,
    )


def scaled(spec: ModelSpec, filters: float) -> int:
    """Return a number of filters at the spec's width."""
    return max(1, round(spec.width * filters))


def layer_shapes(spec: ModelSpec) -> dict[str, tuple[int, int, int, int]]:
    """Return each convolution's kernel shape [H, W, I, O] by name, in graph order (table 1)."""
    filters, kernel = CONV1[spec.arch]
    inputs = scaled(spec, filters)
    shapes = {"conv1": (kernel, kernel, spec.channels, inputs)}
    for number in FIRES:
        fire, name = fire_filters(spec, number), f"fire{number}"
        outputs = fire.expand1x1 + fire.expand3x3
        shapes[f"{name}_squeeze1x1"] = (1, 1, inputs, fire.squeeze1x1)
        shapes[f"{name}_expand1x1"] = (1, 1, fire.squeeze1x1, fire.expand1x1)
        shapes[f"{name}_expand3x3"] = (3, 3, fire.squeeze1x1, fire.expand3x3)
        if spec.bypass == "complex" and number in COMPLEX_BYPASS:
            shapes[f"{name}_bypass1x1"] = (1, 1, inputs, outputs)
        inputs = outputs
    return {**shapes, HEAD: (1, 1, inputs, spec.classes)}


def smallest_input(arch: str, pool_padding: str) -> int:
    """Return the smallest input size in pixels for which every layer still has an output."""
    return next(size for size in range(1, 256) if _sizes(arch, pool_padding, size) is not None)


def _sizes(arch: str, pool_padding: str, size: int) -> list[int] | None:
    """Return the side after conv1 and after each pooling layer, or None if one would be empty."""
    kernel = CONV1[arch][1]
    size = (size - kernel) // 2 + 1
    sizes = [size]
    for _ in POOL_AFTER[arch]:
        size = math.ceil(size / 2) if pool_padding == "same" else (size - 3) // 2 + 1
        sizes.append(size)
    return sizes if min(sizes) >= 1 else None


def multiplications(spec: ModelSpec) -> int:
    """Return the multiply-accumulates of one inference."""
    sides = _sides(spec)
    return sum(math.prod(shape) * sides[name] ** 2 for name, shape in layer_shapes(spec).items())


def feature_values(spec: ModelSpec) -> int:
    """Return how many numbers all convolutions and concatenations put out."""
    sides = _sides(spec)
    own = {name: shape[3] * sides[name] ** 2 for name, shape in layer_shapes(spec).items()}
    return sum(own.values()) + sum(count for name, count in own.items() if "expand" in name)


def _sides(spec: ModelSpec) -> dict[str, int]:
    """Return the side of the map that each convolution puts out, in pixels."""
    require_size(spec)
    waiting = list(_sizes(spec.arch, spec.pool_padding, spec.input_size) or ())
    side, sides, last = waiting.pop(0), dict[str, int](), ""
    for name in layer_shapes(spec):
        part = name.split("_")[0]
        if sides and part != last and last in POOL_AFTER[spec.arch]:
            side = waiting.pop(0)
        sides[name] = side + (2 * spec.conv10_padding if name == HEAD else 0)
        last = part
    return sides


def require_size(spec: ModelSpec) -> None:
    """Refuse an input that is too small for the network.

    Raises:
      ConfigError: it is; says the smallest.
    """
    smallest = smallest_input(spec.arch, spec.pool_padding)
    if spec.input_size < smallest:
        raise ConfigError(
            f"an input of {spec.input_size} pixels is too small for {spec.arch} with {spec.pool_padding} pooling",
            expected=f"at least {smallest}",
            fix=f"use --input-size {smallest} or more",
        )
