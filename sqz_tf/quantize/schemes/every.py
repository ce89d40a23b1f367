"""Every scheme by its name, and the configuration that chooses one. A new scheme is one file and one line here."""

from __future__ import annotations

from dataclasses import dataclass

from sqz_tf.base.spec import between, one_of
from sqz_tf.quantize.schemes import free, powers_of_two
from sqz_tf.quantize.schemes.grid import Grid
from sqz_tf.quantize.schemes.scheme import Scheme

SCHEMES: dict[str, Scheme] = {
    each.name: each
    for each in (
        free.SCHEME,
        powers_of_two.SCHEME,
    )
}


@dataclass(frozen=True)
class QuantizeConfig:
    """Quantization-aware training with ranges set from calibration.

    `scheme` is one of SCHEMES. `per_channel`: each output channel of a kernel has a scale of its own; None means the
    scheme's habit.
    """

    scheme: str = free.SCHEME.name
    epochs: int = 5
    learning_rate: float = 3e-4
    per_channel: bool | None = None

    def __post_init__(self) -> None:
        one_of("scheme", self.scheme, tuple(SCHEMES))
        between("epochs", self.epochs, 0, 100_000)
        if self.per_channel is None:
            object.__setattr__(self, "per_channel", SCHEMES[self.scheme].per_channel)


def scheme_of(config: QuantizeConfig) -> Scheme:
    """Return the scheme that a configuration chooses."""
    return SCHEMES[config.scheme]


def grid_of(config: QuantizeConfig) -> Grid:
    """Return the grid that a configuration chooses."""
    return scheme_of(config).grid(bool(config.per_channel))
