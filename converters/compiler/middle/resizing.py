"""Where each pixel of a resized map comes from, by the arithmetic of TFLite's reference kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from converters.compiler.faults import check
from converters.compiler.front import network as net
from converters.compiler.middle import program as prog

UNIT = 1 << 10  # bits behind the point of RESIZE_BILINEAR's places
MOST_DOUBLINGS = 7


class Seen(NamedTuple):
    """Rows that an operator sees: 2^doublings firings the same, from so many above the present one on; or all."""

    doublings: int
    top: int
    rows: int
    whole: bool


def nearest(kind: net.Resize, size: int, target: int) -> np.ndarray:
    """Return the index of the input for each of `target` of the output, int64: in float32, as TFLite computes it."""
    scale = np.float32(size) / np.float32(target)
    if kind.align_corners and target > 1:
        scale = np.float32(size - 1) / np.float32(target - 1)
    half = np.float32(0.5)
    at = (np.arange(target, dtype=np.float32) + (half if kind.half_pixels else np.float32(0))) * scale
    found = np.floor(at.astype(np.float64) + 0.5) if kind.align_corners else np.floor(at)
    return np.clip(found, 0, size - 1).astype(np.int64)


def axis(kind: net.Resize, size: int, target: int) -> prog.Axis:
    """Return how RESIZE_BILINEAR finds its places along height or width."""
    scale = (UNIT * size + target // 2) // target
    if kind.align_corners and target > 1:
        scale = (UNIT * (size - 1) + (target - 1) // 2) // (target - 1)
    found = prog.Axis(scale, scale // 2 - UNIT // 2 if kind.half_pixels else 0, size)
    beyond = neighbours(found, target)[0].max() >= size
    check(
        not beyond, f"from {size} to {target} TFLite reads beyond the map; expected other sizes, or half_pixel_centers"
    )
    return found


def neighbours(along: prog.Axis, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the two indices of the input between which each of the output lies."""
    scaled = np.arange(target) * along.scale + along.offset
    return np.maximum(scaled, 0) // UNIT, np.minimum((scaled + UNIT - 1) // UNIT, along.size - 1)


def seen(first: np.ndarray, last: np.ndarray, size: int) -> Seen:
    """Return which rows an operator sees whose firing y reads input rows from `first` to `last` of a map of `size`."""
    power = (len(first) // size).bit_length() - 1
    if len(first) != size << max(power, 0) or power > MOST_DOUBLINGS:
        return Seen(0, 0, size, True)
    present = np.arange(len(first)) >> power
    top = max(0, int((present - first).max()))
    return Seen(power, top, top + 1 + max(0, int((last - present).max())), False)
