"""Size against divergence: the same network rounded at many prices, and the price that a goal asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from converters import packs
from sqz_tf.base.errors import ConfigError
from sqz_tf.compress.distance import Distance, distance
from sqz_tf.compress.network import Network
from sqz_tf.compress.refit import refitted
from sqz_tf.compress.rewrite import rewritten
from sqz_tf.compress.rounding import Layer, Rounded

PRICES = tuple(2.4e-8 * 2.0**k for k in (-2, -1, 0, 1, 2, 3))  # nats a bit, of the points that are always shown
FINEST, COARSEST = 1e-10, 3e-6  # nats a bit: next to nothing is lost, next to nothing is left
BISECTIONS = 10
A_LITTLE_MORE = 1.02


@dataclass(frozen=True, eq=False)
class Point:
    """The whole network, rounded.

    Attributes:
      price: nats a bit.
      layers: operator → its integers.
      model: the int8 `.tflite`.
      pack: the same as a `.sqz`.
      distance: from float, on the pictures kept back.
    """

    price: float
    layers: Mapping[int, Rounded]
    model: bytes
    pack: bytes
    distance: Distance


@dataclass(frozen=True, eq=False)
class Curve:
    """Rounds a network at any price.

    Attributes:
      network: what is rounded.
      layers: ready to be rounded.
      factors: by what the price of each is multiplied.
      learnt: uint8 pictures [N, H, W, C] that biases are fitted on.
      kept: others, that no weight is fitted to; they choose prices and epochs, and tell the distance.
      wanted: float's logits for them [N, classes].
      known: price → point, of those that were asked for.
    """

    network: Network
    layers: Mapping[int, Layer]
    factors: Mapping[int, float]
    learnt: np.ndarray
    kept: np.ndarray
    wanted: np.ndarray
    known: dict[float, Point] = field(default_factory=dict)

    def rounded(self, price: float) -> dict[int, Rounded]:
        """Return all layers at a price in nats a bit."""
        return {index: layer.round(price * self.factors[index]) for index, layer in self.layers.items()}

    def point(self, price: float, layers: Mapping[int, Rounded]) -> Point:
        """Return what rounded layers are as a file, and how far from float."""
        model = rewritten(self.network.int8, layers)
        return Point(price, layers, model, packs.pack(model), distance(model, self.kept, self.wanted))

    def at(self, price: float) -> Point:
        """Return the point at a price, biases fitted again."""
        if price not in self.known:
            self.known[price] = self.point(price, refitted(self.network, self.rounded(price), self.learnt))
        return self.known[price]

    def within(self, budget: int) -> Point:
        """Return the finest rounding whose pack has at most so many bytes.

        Raises:
          ConfigError: the coarsest has more.
        """

        def size(price: float) -> int:
            return len(packs.pack(rewritten(self.network.int8, self.rounded(price))))

        least = size(COARSEST)
        if least > budget:
            raise ConfigError(
                f"the smallest pack of this network has {least:,} bytes",
                expected=f"at most {budget:,}",
                fix="give a larger --budget-kb (of an export --pack-budget-kb), or train a narrower network",
            )
        price = _bisected(lambda price: size(price) <= budget, FINEST, COARSEST)
        while len((found := self.at(price)).pack) > budget and price < COARSEST:  # fitted biases may take more
            price *= A_LITTLE_MORE
        return found if len(found.pack) <= budget else self.point(COARSEST, self.rounded(COARSEST))

    def near(self, divergence: float) -> Point:
        """Return the coarsest rounding that is not farther from float than so many nats; the finest if all are."""

        def too_far(price: float) -> bool:
            return self.at(price).distance.divergence > divergence

        return self.at(_bisected(too_far, FINEST, COARSEST, upper=False))


def _bisected(holds: Callable[[float], bool], low: float, high: float, upper: bool = True) -> float:
    """Return where a condition that fails at `low` begins to hold: from the side on which it does, or the other."""
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high if upper else low
