"""More pictures from few: mirrored, then cut out at random and enlarged again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

LEAST = 0.7  # of the side that a cutting keeps


def copies(images: np.ndarray, count: int, seed: int, mirrored: bool) -> Iterator[np.ndarray]:
    """Yield `count` pictures, uint8 [H, W, C]: each as it is, then random cuttings of each in turn.

    Args:
      mirrored: each also mirrored, and half of the cuttings.
    """
    rng, whole = np.random.default_rng(seed), 2 if mirrored else 1
    for number in range(count):
        turn, which = divmod(number, len(images))
        picture = images[which] if turn < whole else _cutting(images[which], rng)
        flipped = mirrored and (turn == 1 or (turn > 1 and bool(rng.integers(2))))
        yield picture[:, ::-1] if flipped else picture


def _cutting(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width, channels = picture.shape
    share = rng.uniform(LEAST, 1)
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    part = picture[top : top + rows, left : left + columns]
    planes = [
        Image.fromarray(part[:, :, c]).resize((width, height), Image.Resampling.BILINEAR) for c in range(channels)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)
