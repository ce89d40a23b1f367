"""A picture as people hand it over: a path, bytes, a Pillow image or an array."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from sqz_tf.images.decode import ImageError, _not_decoded, _to_rgb, _upright, decode
from sqz_tf.images.find import MAX_FILE_BYTES

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray


def decoded(image: Picture, name: str = "") -> np.ndarray:
    """Return a picture as uint8 [H, W, 3], or as it is if it is an array: [H, W, 1 or 3].

    Raises:
      ImageError: it cannot be read, is no picture, or an array of another dtype or shape.
    """
    if isinstance(image, (str, os.PathLike)):
        return decode(_picture_bytes(Path(image)), str(image))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode(bytes(image), name)
    if isinstance(image, Image.Image):
        return _from_pillow(image, name)
    if isinstance(image, np.ndarray):
        return _checked_pixels(image, name)
    raise ImageError(
        f"{name or 'the picture'} is of type {type(image).__name__}",
        expected="a path, the bytes of a file, a Pillow image or a uint8 array",
    )


def _picture_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ImageError(f"{path} is a folder", expected="a picture file", fix=f"name the files: {path}/*.jpg")
    try:
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror})", expected="a picture file") from error


def _from_pillow(image: Image.Image, name: str) -> np.ndarray:
    """Treat a Pillow image like the file it might have come from: orientation, transparency and 16 bits alike."""
    try:
        image.load()
        return _to_rgb(_upright(image))
    except ImageError:
        raise
    except Exception as error:  # Pillow reads lazily, and its plugins raise nearly anything on garbled files
        raise _not_decoded(name, error) from error


def _checked_pixels(pixels: np.ndarray, name: str) -> np.ndarray:
    shaped = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8 or shaped.ndim != 3 or shaped.shape[2] not in (1, 3) or not pixels.size:
        raise ImageError(
            f"{name or 'the picture'} is an array of {pixels.dtype} {list(pixels.shape)}",
            expected="uint8 [H, W, 3] in RGB or [H, W] in grey, values 0 to 255",
            fix="do not scale or normalise: the classifier does",
        )
    return shaped
