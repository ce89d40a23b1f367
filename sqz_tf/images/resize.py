"""Decoded pixels to the network's input: grey, crop, and the one integer resize rule.

The rules are specified in docs/formats/preprocess.md; C and Java repeat them byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from sqz_tf.base.spec import PreprocessSpec


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Turn RGB to grey: (77 R + 150 G + 29 B + 128) >> 8.

    Args:
      pixels: uint8 [..., 3].

    Returns:
      uint8 [..., 1].
    """
    grey = np.empty((*pixels.shape[:-1], 1), np.uint8)
    lines, source = grey.reshape(-1, *grey.shape[-2:]), pixels.reshape(-1, *pixels.shape[-2:])
    step = max(1, _CHUNK_VALUES // max(1, grey.shape[-2]))  # lines at a time: their sums take six times the bytes
    for start in range(0, len(lines), step):
        wide = source[start : start + step].astype(np.uint16)  # 255 * 256 + 128 fits
        sums = 77 * wide[..., 0:1] + 150 * wide[..., 1:2] + 29 * wide[..., 2:3]
        lines[start : start + step] = (sums + 128) >> 8
    return grey


def preprocess(pixels: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """Turn decoded pixels into the network's input bytes, as PreprocessSpec says.

    Grey if `channels` is 1 (one channel is repeated if it is 3); the `fit` rectangle of `crop_box`; `resize`;
    the centred `width` × `height` at ((resize_width - width) // 2, (resize_height - height) // 2).

    Args:
      pixels: uint8 [H, W, C] or, many of one size, [N, H, W, C]; C is 1 or 3.

    Returns:
      uint8 [height, width, channels] or [N, height, width, channels], contiguous.
    """
    if spec.channels == 1 and pixels.shape[-1] == 3:
        pixels = to_grey(pixels)
    if spec.fit == "centre-crop":
        left, top, right, bottom = crop_box(pixels.shape[-2], pixels.shape[-3], spec)
        pixels = pixels[..., top:bottom, left:right, :]
    pixels = resize(pixels, spec.resize_width, spec.resize_height)
    left, top = (spec.resize_width - spec.width) // 2, (spec.resize_height - spec.height) // 2
    pixels = pixels[..., top : top + spec.height, left : left + spec.width, :]
    if spec.channels == 3 and pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return np.ascontiguousarray(pixels)


def crop_box(width: int, height: int, spec: PreprocessSpec) -> tuple[int, int, int, int]:
    """Return the largest centred rectangle with the aspect ratio of the resized picture, in whole pixels.

    With a = resize_width and b = resize_height: if width * b > height * a the rectangle is as high as the
    picture and max(1, height * a // b) wide, else as wide as the picture and max(1, width * b // a) high.
    Offsets are (width - w) // 2 and (height - h) // 2.

    Returns:
      (left, top, right, bottom), right and bottom excluded.
    """
    a, b = spec.resize_width, spec.resize_height
    if width * b > height * a:
        w, h = max(1, height * a // b), height
    else:
        w, h = width, max(1, width * b // a)
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


_OUTPUTS_PER_BLOCK = 8


_MOST_BETWEEN = 16 << 20  # values between the passes: a thin picture, or many, can have far more than at either end
_LONG = 8192  # pixels of a side; weights for longer ones are large, and not kept


_CHUNK_VALUES = 1 << 18  # values resized at a time: what fits a processor's cache as float64


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize by the integer rule of docs/formats/preprocess.md: columns, round to uint8, then rows.

    The sums are taken in float64, where they are exact: coefficients are multiples of 2^-22, and a sum stays
    below 2^10, so that it needs 32 of the 53 bits whatever the order of additions.

    Args:
      pixels: uint8 [H, W, C] or [N, H, W, C].

    Returns:
      uint8 [height, width, C] or [N, height, width, C]; `pixels` itself if it has that size.
    """
    batch = pixels if pixels.ndim == 4 else pixels[None]
    between = batch.shape[1] * width * batch.shape[3]  # values of a picture whose columns are done
    step = max(1, _MOST_BETWEEN // between)
    if between > _MOST_BETWEEN:
        parts = [_resize_tall(picture, width, height) for picture in batch]
    else:
        slices = (batch[start : start + step] for start in range(0, max(1, len(batch)), step))
        parts = [_resize_rows(_resize_columns(each, width), height) for each in slices]
    batch = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return batch if pixels.ndim == 4 else batch[0]


def _resize_tall(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize a picture of which not all lines fit between the passes: those of a few outputs at a time."""
    result = np.empty((1, height, width, picture.shape[2]), np.uint8)
    for outputs, inputs, weights in _blocks(len(picture), height):
        lines = _resize_columns(picture[None, inputs], width).reshape(-1, width * picture.shape[2])
        result[0, outputs] = _rounded(weights @ lines.astype(np.float64)).reshape(-1, width, picture.shape[2])
    return result


def _resize_columns(batch: np.ndarray, width: int) -> np.ndarray:
    n, height, n_in, channels = batch.shape
    if n_in == width:
        return batch
    lines = batch.reshape(n * height, n_in, channels)
    result = np.empty((n * height, width, channels), np.uint8)
    step = max(1, _CHUNK_VALUES // (max(n_in, width) * channels))
    blocks = tuple(_blocks(n_in, width))
    for start in range(0, len(lines), step):
        planes = lines[start : start + step].transpose(2, 0, 1).astype(np.float64)
        sums = np.empty((*planes.shape[:2], width))
        for outputs, inputs, weights in blocks:
            np.matmul(planes[:, :, inputs], weights.T, out=sums[:, :, outputs])
        result[start : start + step] = _rounded(sums).transpose(1, 2, 0)
    return result.reshape(n, height, width, channels)


def _resize_rows(batch: np.ndarray, height: int) -> np.ndarray:
    n, n_in, width, channels = batch.shape
    if n_in == height:
        return batch
    rows = batch.reshape(n, n_in, width * channels)
    result = np.empty((n, height, width * channels), np.uint8)
    step = max(1, _CHUNK_VALUES // (max(n_in, height) * width * channels))
    blocks = tuple(_blocks(n_in, height))
    for start in range(0, n, step):
        chunk = rows[start : start + step]
        for outputs, inputs, weights in blocks:
            result[start : start + step, outputs] = _rounded(weights @ chunk[:, inputs].astype(np.float64))
    return result.reshape(n, height, width, channels)


def _rounded(sums: np.ndarray) -> np.ndarray:
    """Return clip(floor(sums + 1/2), 0, 255) as uint8; overwrites `sums`. No coefficient is negative."""
    sums += 0.5
    return np.minimum(sums, 255.0, out=sums).astype(np.uint8)


_Block = tuple[slice, slice, np.ndarray]


def _blocks(n_in: int, n_out: int) -> Iterable[_Block]:
    """Cut the band matrix of one pass into dense blocks: (outputs, inputs, float64 [outputs, inputs])."""
    return _kept_blocks(n_in, n_out) if max(n_in, n_out) <= _LONG else _new_blocks(n_in, n_out)


@lru_cache(maxsize=64)
def _kept_blocks(n_in: int, n_out: int) -> tuple[_Block, ...]:
    return tuple(_new_blocks(n_in, n_out))


def _new_blocks(n_in: int, n_out: int) -> Iterator[_Block]:
    for start in range(0, n_out, _OUTPUTS_PER_BLOCK):
        yield _block(n_in, n_out, start, min(start + _OUTPUTS_PER_BLOCK, n_out))


def _block(n_in: int, n_out: int, start: int, stop: int) -> tuple[slice, slice, np.ndarray]:
    reach = 2 * max(n_in, n_out)
    first = max(0, ((2 * start + 1) * n_in - n_out - reach) // (2 * n_out))
    last = min(n_in, ((2 * stop - 1) * n_in - n_out + reach) // (2 * n_out) + 1)
    i = np.arange(start, stop, dtype=np.int64)[:, None]
    j = np.arange(first, last, dtype=np.int64)
    w = np.maximum(0, reach - np.abs((2 * j + 1) * n_out - (2 * i + 1) * n_in))
    total = w.sum(axis=1, keepdims=True)
    coefficients = ((w << 23) + total) // (2 * total)
    return slice(start, stop), slice(first, last), coefficients * 2.0**-22
