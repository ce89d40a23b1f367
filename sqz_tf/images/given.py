"""A picture as people hand it over: a path, bytes, a Pillow image or an array."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from sqz_tf.images.budget import FILES, MAX_FILE_BYTES
from sqz_tf.images.decode import ImageError, converting, decoding

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray


@contextmanager
def decoded(image: Picture, name: str = "") -> Iterator[np.ndarray]:
    """Give a picture as uint8 [H, W, 3], or as it is if it is an array: [H, W, 1 or 3]; until the block ends.

    Raises:
      ImageError: it cannot be read, is no picture, or an array of another dtype or shape.
    """
    if isinstance(image, (str, os.PathLike)):
        with FILES.room(_file_size(Path(image))), decoding(_picture_bytes(Path(image)), str(image)) as pixels:
            yield pixels
    elif isinstance(image, (bytes, bytearray, memoryview)):
        with decoding(bytes(image), name) as pixels:
            yield pixels
    elif isinstance(image, Image.Image):
        with converting(image, name) as pixels:
            yield pixels
    elif isinstance(image, np.ndarray):
        yield _checked_pixels(image, name)
    else:
        raise ImageError(
            f"{name or 'the picture'} is of type {type(image).__name__}",
            expected="a path, the bytes of a file, a Pillow image or a uint8 array",
        )


def _file_size(path: Path) -> int:
    try:
        return min(path.stat().st_size, MAX_FILE_BYTES)
    except (OSError, ValueError):  # said when it is read
        return 0


def _picture_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ImageError(f"{path} is a folder", expected="a picture file", fix=f"name the files: {path}/*.jpg")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path} cannot be read ({reason})", expected="a picture file") from error
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes", fix="make it smaller")
    return data


def _checked_pixels(pixels: np.ndarray, name: str) -> np.ndarray:
    shaped = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8 or shaped.ndim != 3 or shaped.shape[2] not in (1, 3) or not pixels.size:
        raise ImageError(
            f"{name or 'the picture'} is an array of {pixels.dtype} {list(pixels.shape)}",
            expected="uint8 [H, W, 3] in RGB or [H, W] in grey, values 0 to 255",
            fix="do not scale or normalise: the classifier does",
        )
    return shaped
