"""Picture files to pixels: 8-bit RGB, upright, with Pillow.

All of training, calibration, `evaluate` and the runtime come through here.
"""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import ExifTags, Image

from sqz_tf.base.errors import DataError

MAX_PIXELS = 178_956_970
"""Largest picture decoded, in pixels: where Pillow itself refuses. 540 MB as RGB."""


class ImageError(DataError):
    """One picture cannot be read or decoded."""


_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(data: bytes, name: str = "") -> np.ndarray:
    """Decode one picture file to 8-bit RGB, upright.

    EXIF orientation is applied; palettes, grey and CMYK become RGB; alpha is laid on white; 16-bit values are
    scaled (grey: `round(v / 257)`; colour: Pillow keeps the high byte); of an animation the first frame counts.
    Colour profiles are not applied.

    Args:
      data: the file's bytes, in any format Pillow reads.
      name: what to call the picture in an error.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ImageError: corrupt, truncated, empty, or larger than MAX_PIXELS.
    """
    with _open(data, name) as image:
        try:
            image.load()
            return _to_rgb(_upright(image))
        except ImageError:
            raise
        except Exception as error:  # Pillow's plugins raise nearly anything on garbled files
            raise _not_decoded(name, error) from error


def picture_size(data: bytes, name: str = "") -> tuple[int, int]:
    """Return (width, height) of the upright picture, from the file's header alone.

    Raises:
      ImageError: not a picture, or larger than MAX_PIXELS.
    """
    with _open(data, name) as image:
        width, height = image.size
        if image.format == "TIFF":  # whose `size` is turned already in some versions of Pillow
            width, height = image.tag_v2[256], image.tag_v2[257]  # type: ignore[attr-defined]
        return (height, width) if _orientation(image) >= 5 else (width, height)


def _open(data: bytes, name: str) -> Image.Image:
    if not data:
        raise ImageError(f"{name or 'the picture'} is an empty file", expected="a picture")
    try:
        image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise _too_large(name, "more") from error
    except Exception as error:
        raise _not_decoded(name, error) from error
    pixels = image.width * image.height
    if not 0 < pixels <= MAX_PIXELS:
        raise _too_large(name, f"{image.width} × {image.height}")
    return image


def _too_large(name: str, received: str) -> ImageError:
    return ImageError(
        f"{name or 'the picture'} has {received} pixels",
        expected=f"from 1 to {MAX_PIXELS:,}",
        fix="make it smaller",
    )


def _not_decoded(name: str, error: Exception) -> ImageError:
    reason = re.sub(r" ?<_io.BytesIO[^>]*>", "", str(error)) or type(error).__name__
    return ImageError(
        f"{name or 'the picture'} cannot be decoded ({reason})",
        expected="a whole picture file",
        fix="replace or remove it",
    )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a garbled EXIF block says nothing about the pixels
        return 1


def _upright(image: Image.Image) -> Image.Image:
    method = _UPRIGHT.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        grey = _deep_grey(np.asarray(image))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, "white")
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
    return np.array(image.convert("RGB"))


def _deep_grey(values: np.ndarray) -> np.ndarray:
    """Scale deep grey to uint8: integers span 0…65535; floats the smallest of 1, 255, 65535 that fits."""
    top = 65535.0
    if np.issubdtype(values.dtype, np.floating):
        top = next((high for high in (1.0, 255.0) if float(values.max()) <= high), top)
    if not (float(values.min()) >= 0 and float(values.max()) <= top):  # NaN fails too
        raise ImageError(f"grey values from {values.min()} to {values.max()}", expected="0 to 65535")
    return np.floor(values.astype(np.float64) * (255.0 / top) + 0.5).astype(np.uint8)
