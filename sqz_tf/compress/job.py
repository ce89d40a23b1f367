"""The whole compressor: moments → factors → curve → the point that a goal asks for → tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sqz_tf.base.errors import DataError
from sqz_tf.base.spec import LEAST_LEARNT
from sqz_tf.compress.allocate import factors
from sqz_tf.compress.augment import copies
from sqz_tf.compress.curve import PRICES, Curve, Point
from sqz_tf.compress.moments import Moments, moments, with_flat_head
from sqz_tf.compress.network import Network
from sqz_tf.compress.rounding import Layer
from sqz_tf.compress.tune import Lesson, tuned

HELD_BACK = 5  # one picture in so many chooses and tells; no weight is fitted to it
MOST_KEPT = 100  # pictures that judge
SAMPLES = 800  # pictures, copies among them, that the moments are drawn from
LESSONS = 1400  # pictures, copies among them, of one epoch of tuning
BATCH = 20
ENOUGH = 500  # pictures from which on tuning teaches more than the pictures themselves
TUNED_FROM = (8, 4, 2, 1)  # times the divergence asked for: tuning may win back so much
DIVERGENCE_A_POINT = 0.02  # nats that cost about one point of top-1 (docs/results.md): what --max-drop asks for

Step = Callable[[str, int, int], None]  # what is done, how far, of how much


@dataclass(frozen=True)
class Goal:
    """What a pack must keep to.

    Attributes:
      budget: bytes of the pack at most; None asks for nothing.
      divergence: nats from float at most, on the pictures kept back; where there is a budget it does not count.
      epochs: of tuning, where there are pictures enough; 0 only rounds.
    """

    budget: int | None
    divergence: float
    epochs: int


@dataclass(frozen=True, eq=False)
class Pictures:
    """uint8 pictures [N, H, W, C], of which no label is looked at: those learnt from, and those kept back.

    `mirrored`: whether a picture's mirror image shows the same; of a digit it does not.
    """

    learnt: np.ndarray
    kept: np.ndarray
    mirrored: bool

    @classmethod
    def parted(cls, images: np.ndarray, mirrored: bool) -> Pictures:
        """Keep every fifth picture back.

        Raises:
          DataError: there are too few.
        """
        if len(images) < LEAST_LEARNT:
            raise DataError(
                f"there are {len(images)} pictures to compress with",
                expected=f"at least {LEAST_LEARNT}, some hundred are good",
            )
        back = np.arange(len(images)) % HELD_BACK == HELD_BACK // 2
        return cls(images[~back], images[back][:MOST_KEPT], mirrored)


def measure(network: Network, pictures: Pictures, seed: int, step: Step) -> dict[int, Moments]:
    """Return the moments of every layer, from the pictures and copies of them."""
    count = max(SAMPLES, len(pictures.learnt))
    numbers = (network.numbers(picture[None]) for picture in copies(pictures.learnt, count, seed, pictures.mirrored))
    found = moments(network.graph, numbers, count, seed, lambda done, of: step("moments", done, of))
    return with_flat_head(found)


def write_moments(path: Path, found: Mapping[int, Moments]) -> None:
    """Keep moments in a file."""
    arrays = {f"{name}{index}": getattr(each, name) for index, each in found.items() for name in ("inputs", "outputs")}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def read_moments(path: Path, network: Network) -> dict[int, Moments]:
    """Return moments from a file."""
    with np.load(path) as file:
        return {index: Moments(file[f"inputs{index}"], file[f"outputs{index}"]) for index in network.graph.weights}


def prepare(network: Network, pictures: Pictures, found: Mapping[int, Moments], step: Step) -> Curve:
    """Return what rounds the network at any price."""
    layers = {
        index: Layer(network.rows(index), weights.bias, found[index], network.grid(index))
        for index, weights in network.graph.weights.items()
    }
    by = factors(network, layers, pictures.kept, lambda done, of: step("layers", done, of))
    return Curve(network, layers, by, pictures.learnt, pictures.kept, network.logits(pictures.kept))


def points(curve: Curve, step: Step) -> list[Point]:
    """Return the points that are always shown, from large to small."""
    found = []
    for done, price in enumerate(PRICES, 1):
        found.append(curve.at(price))
        step("curve", done, len(PRICES))
    return found


def reach(curve: Curve, pictures: Pictures, goal: Goal, seed: int, step: Step) -> Point:
    """Return the point that the goal asks for, tuned where there are pictures enough.

    Raises:
      ConfigError: no rounding is small enough.
    """
    if not goal.epochs or len(pictures.learnt) < ENOUGH:
        return curve.near(goal.divergence) if goal.budget is None else curve.within(goal.budget)
    images = np.stack(list(copies(pictures.learnt, max(LESSONS, len(pictures.learnt)), seed, pictures.mirrored)))
    lesson = Lesson(images, curve.network.logits(images))
    if goal.budget is not None:
        return _tuned(curve, curve.within(goal.budget), lesson, goal, seed, step)
    for times in TUNED_FROM:
        found = _tuned(curve, curve.near(times * goal.divergence), lesson, goal, seed, step)
        if found.distance.divergence <= goal.divergence:
            break
    return found


def _tuned(curve: Curve, start: Point, lesson: Lesson, goal: Goal, seed: int, step: Step) -> Point:
    """Return the point nearest to float, on the pictures kept back, of a start and what tuning makes of it."""
    best = start
    epochs = tuned(curve.network, start.layers, lesson, epochs=goal.epochs, batch=BATCH, seed=seed)
    for done, layers in enumerate(epochs, 1):
        point = curve.point(start.price, layers)
        small = goal.budget is None or len(point.pack) <= goal.budget
        if small and point.distance.divergence < best.distance.divergence:
            best = point
        step(f"tuning, {point.distance.divergence:.4f} nats", done, goal.epochs)
    return best
