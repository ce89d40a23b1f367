"""What a picture looks like, whatever its size and format: to find copies that were rescaled or encoded again.

A perceptual hash (imagehash) proposes, and a tiny picture in colour confirms: hashes of glyphs and of plain surfaces
are close to each other without being copies.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sqz_tf.images.decode import decoding
from sqz_tf.images.resize import resize

PACKAGE = "imagehash"
MOST_PICTURES = 100_000
"""Pictures among which copies are looked for."""
_SIDE = 32  # what imagehash's DCT sees
_TINY = 8
_LARGE = 512  # pixels
_MOST_BITS = 8  # of 64 that differ between copies
_MEAN, _MOST = 4.5, 32  # by which the tiny pictures of copies differ, of 255; of photographs by 1.9 and 17 at most
_ROWS = 128  # pictures compared with all others at a time
_MOST_TRIED = 64  # pictures with a hash like a picture's that are looked at; plain surfaces have thousands


@dataclass(frozen=True)
class Look:
    """A hash of 64 bits, and a picture of 8 × 8 pixels, uint8 RGB."""

    bits: int
    tiny: bytes


def can_look() -> bool:
    """Tell whether looks can be compared here."""
    return importlib.util.find_spec(PACKAGE) is not None


def look(data: bytes, name: str = "") -> Look:
    """Return what a picture file looks like.

    Raises:
      ImageError: it cannot be decoded.
    """
    import imagehash

    with decoding(data, name, least=4 * _SIDE) as pixels:
        if max(pixels.shape) > _LARGE:  # without a copy in Pillow
            pixels = resize(pixels, 4 * _SIDE, 4 * _SIDE)
        small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    bits = np.packbits(imagehash.phash(small).hash.ravel()).tobytes()
    tiny = small.resize((_TINY, _TINY), Image.Resampling.BOX)
    return Look(int.from_bytes(bits, "big"), tiny.tobytes())


def copies(looks: Sequence[Look | None]) -> dict[int, int]:
    """Return which pictures are copies of which.

    Args:
      looks: of all pictures, where they are known.

    Returns:
      For each picture that has a copy the first of its copies, all by their positions. All look like that first one:
      pictures of a film or a fixed camera, each like the one before, make no chain.
    """
    known = [position for position, each in enumerate(looks) if each is not None]
    if len(known) < 2:
        return {}
    chosen = [each for each in looks if each is not None]
    bits = np.array([each.bits for each in chosen], ">u8").view(np.uint8).reshape(-1, 8)
    tiny = np.array([np.frombuffer(each.tiny, np.uint8) for each in chosen])
    leader = list(range(len(chosen)))
    for a, b in _pairs(bits, tiny):
        if leader[a] == a and leader[b] == b:
            leader[a] = b
    times = Counter(leader)
    return {known[each]: known[first] for each, first in enumerate(leader) if times[first] > 1}


def _pairs(bits: np.ndarray, tiny: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield pairs of copies, each picture with some of those before it, in order of the pictures.

    Bits as -1 and 1 make of all distances one product of matrices, [rows, 64] by [64, rows before].
    """
    signs = np.unpackbits(bits, axis=1).astype(np.float32) * 2 - 1
    for start in range(0, len(signs), _ROWS):
        end = min(start + _ROWS, len(signs))
        near = signs[start:end] @ signs[:end].T >= 64 - 2 * _MOST_BITS
        near[:, start:] = np.tril(near[:, start:], -1)
        many = np.count_nonzero(near, axis=1)
        for row in np.flatnonzero(many > _MOST_TRIED):
            near[row, np.flatnonzero(near[row])[_MOST_TRIED:]] = False
        found, before = np.divmod(np.flatnonzero(near), end)  # in one dimension nonzero is much faster
        yield from _confirmed(tiny, found + start, before)


def _confirmed(tiny: np.ndarray, a: np.ndarray, b: np.ndarray) -> Iterator[tuple[int, int]]:
    apart = np.abs(tiny[a].astype(np.int16) - tiny[b])
    alike = (apart.mean(axis=1) <= _MEAN) & (apart.max(axis=1) <= _MOST)
    return zip(a[alike].tolist(), b[alike].tolist(), strict=True)
