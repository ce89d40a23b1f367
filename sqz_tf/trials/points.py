"""Points of SqueezeNet's design space, and the sweeps through it that the paper shows (section 5, table 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ARCHS, BYPASSES, ModelSpec
from sqz_tf.network.architecture import require_size


@dataclass(frozen=True)
class Point:
    """What is chosen of a network; the rest follows from the data. The fields are those of `ModelSpec`."""

    arch: str
    width: float
    input_size: int
    bypass: str
    squeeze_ratio: float
    pct_3x3: float
    base_e: int
    incr_e: int
    freq: int

    @classmethod
    def of(cls, spec: ModelSpec) -> Point:
        """Return the point of a network."""
        return cls(**{name: getattr(spec, name) for name in NAMES})

    def network(self, base: ModelSpec) -> ModelSpec:
        """Return the network of this point, in all else like another.

        Raises:
          ConfigError: there is none: a value is out of bounds, or the input is too small.
        """
        spec = replace(base, pool_padding="auto", **asdict(self))
        require_size(spec)
        return spec


NAMES = tuple(field.name for field in fields(Point))


@dataclass(frozen=True)
class Sweep:
    """Values that one field takes while the others stay.

    Attributes:
      field: of `Point`.
      values: in the order of the plot.
      fixed: what the paper holds the other fields at, where that is not their default.
      title: what the plot is called.
    """

    field: str
    values: tuple[Any, ...]
    title: str
    fixed: Mapping[str, Any]


# The paper's values where it has some: figure 3(a), figure 3(b), table 3.
SWEEPS = {
    "squeeze-ratio": Sweep("squeeze_ratio", (0.125, 0.25, 0.5, 0.75, 1.0), "Squeeze ratio", {}),
    "pct-3x3": Sweep("pct_3x3", (0.01, 0.25, 0.5, 0.75, 0.99), "Share of 3×3 filters", {"squeeze_ratio": 0.5}),
    "bypass": Sweep("bypass", BYPASSES, "Bypass", {}),
    "arch": Sweep("arch", ARCHS, "Architecture", {}),
    "width": Sweep("width", (0.125, 0.25, 0.35, 0.5, 0.75, 1.0), "Width", {}),
    "input-size": Sweep("input_size", (32, 48, 64, 96, 128), "Side of the input, pixels", {}),
    "base-e": Sweep("base_e", (64, 96, 128, 192, 256), "base_e", {}),
    "incr-e": Sweep("incr_e", (0, 64, 128, 192), "incr_e", {}),
    "freq": Sweep("freq", (2, 4, 8), "freq", {}),
}


def asked(text: str) -> tuple[str, Sweep]:
    """Read a sweep as the command line names it: `width`, or with values of one's own `width=0.25,0.5`.

    Raises:
      ConfigError: there is no such sweep, or a value is none of its field.
    """
    name, _, values = text.partition("=")
    if name not in SWEEPS:
        raise ConfigError(f"--sweep is {name!r}", expected=f"one of {', '.join(SWEEPS)}")
    sweep = SWEEPS[name]
    if "=" not in text:
        return name, sweep
    kind = type(sweep.values[0])
    try:
        return name, replace(sweep, values=tuple(dict.fromkeys(kind(each) for each in values.split(","))))
    except ValueError as error:
        raise ConfigError(
            f"--sweep {text} has a value that is no {kind.__name__}", expected=f"such as {name}={_examples(sweep)}"
        ) from error


def _examples(sweep: Sweep) -> str:
    return ",".join(str(value) for value in sweep.values[:2])


def points_of(sweep: Sweep, base: ModelSpec, given: Sequence[str]) -> list[Point]:
    """Return the points of a sweep through a network.

    Args:
      given: fields that were asked for, which stay at what they are.

    Raises:
      ConfigError: a point is no network.
    """
    held = {name: value for name, value in sweep.fixed.items() if name not in given}
    start = replace(Point.of(base), **held)
    points = [replace(start, **{sweep.field: value}) for value in sweep.values]
    for each in points:
        each.network(base)
    return points


def space(base: ModelSpec, given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return the values among which a search chooses, by field; any of them go together.

    Args:
      given: fields that were asked for, which stay at what they are, and the others keep to what goes with them.
    """
    sizes = {size for size in SWEEPS["input-size"].values if size <= 2 * base.input_size} | {base.input_size}
    ratios = tuple(step / 8 for step in range(1, 9))
    shares = (0.01, *(step / 8 for step in range(1, 8)), 0.99)
    every = {name: SWEEPS[name.replace("_", "-")].values for name in NAMES}
    every |= {"input_size": tuple(sorted(sizes)), "squeeze_ratio": ratios, "pct_3x3": shares}
    every |= {name: (getattr(base, name),) for name in given}
    return {name: tuple(value for value in values if _goes(base, name, value)) for name, values in every.items()}


def _goes(base: ModelSpec, name: str, value: object) -> bool:
    try:
        replace(Point.of(base), **{name: value}).network(base)  # type: ignore[arg-type]
    except ConfigError:
        return False
    return True
