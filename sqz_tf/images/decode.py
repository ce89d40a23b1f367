"""Picture files to pixels: 8-bit RGB, upright, with Pillow.

All of training, calibration, `evaluate` and the runtime come through here. What a picture takes is known from its
header before it is decoded, and held in one budget for all threads (`budget.PIXELS`).
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from PIL import ExifTags, Image

from converters import foreign
from sqz_tf.base.errors import DataError, Note
from sqz_tf.base.units import megabytes
from sqz_tf.images import tags
from sqz_tf.images.budget import PIXELS, give_back
from sqz_tf.images.formats import cost, needed, readable

MAX_SIDE = 65_535
"""Longest side of a picture that is decoded, in pixels: what a JPEG can have at most."""
REPLACE = "replace or remove it"
"""What to do about a picture that is damaged."""
_STRIP = 1 << 18  # pixels turned to RGB at a time
_SHALLOW_BITS = 14  # a sensor's; 64 of 256 levels
_SIXTEEN = re.compile(";16([BLN])")  # the order of bytes in a mode of Pillow's
_SMALL_FILE = 1 << 20  # bytes
_LARGE = 64 << 20  # bytes after which the allocator is told to give back what it keeps

# Pillow warns of large pictures and of odd metadata without naming the file; what matters is an ImageError here.
warnings.filterwarnings("ignore", module=r"PIL\.")


class ImageError(DataError):
    """One picture cannot be read or decoded."""


def decode(data: bytes, name: str = "") -> np.ndarray:
    """Decode one picture file to 8-bit RGB, upright.

    EXIF orientation is applied; palettes, grey and CMYK become RGB; alpha is laid on white; 16-bit values are
    scaled (grey: `round(v / 257)`; colour: Pillow keeps the high byte); of an animation the first frame counts.
    Colour profiles are not applied.

    Args:
      data: the file's bytes, in a format of `formats.FORMATS`.
      name: what to call the picture in an error.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ImageError: corrupt, truncated, empty, longer than MAX_SIDE, or it would take more than the budget.
    """
    with decoding(data, name) as pixels:
        return pixels


@contextmanager
def decoding(data: bytes, name: str = "", least: int = 0) -> Iterator[np.ndarray]:
    """Decode as `decode` does, and hold the room that the pixels take until the block ends; they end with it.

    Args:
      data, name: as `decode`.
      least: sides in pixels that are enough, so that a JPEG need not be decoded at its full size; 0 for all of it.

    Raises:
      ImageError: as `decode`.
    """
    need, opened = _ready(data, name)
    with PIXELS.room(need), opened or _open(data, name) as image:
        if least:
            image.draft(None, (least, least))
        pixels = _pixels(image, name, data)
        image.close()  # what the decoder holds
        if need > _LARGE:
            give_back()
        yield pixels


@contextmanager
def converting(image: Image.Image, name: str) -> Iterator[np.ndarray]:
    """Turn a Pillow image, which may not be decoded yet, into pixels, as `decoding` does.

    Raises:
      ImageError: as `decode`.
    """
    with PIXELS.room(_need(image, b"", name)):
        yield _pixels(image, name)


def _pixels(image: Image.Image, name: str, data: bytes = b"") -> np.ndarray:
    try:
        _warn_of_frames(image)
        high_bytes = _keeps_high_bytes(image)
        image.load()
        pixels = _to_rgb(image, name)
        if high_bytes:
            _warn_if_shallow(256 * int(pixels.max()) + 255 if pixels.any() else _low_bytes(image, data))
        return pixels
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on garbled files
        raise _not_decoded(name, error) from error


def _warn_of_frames(image: Image.Image) -> None:
    """Say so once if there are further pictures in a file; the second one in a phone's JPEG is for its own viewer."""
    try:
        several = image.format != "MPO" and getattr(image, "is_animated", False)
    except Exception:  # of a file that is cut behind the first frame
        return
    if several:
        warnings.warn("some pictures hold several frames or pages, of which the first is used", Note, stacklevel=2)


def _keeps_high_bytes(image: Image.Image) -> bool:
    """Say whether a file has 16 bits a colour, of which Pillow takes the upper half."""
    modes = [str(part) for tile in getattr(image, "tile", ()) for part in np.atleast_1d(np.array(tile[3], object))]
    return image.mode in ("RGB", "RGBA") and any(";16" in mode for mode in modes)


def _low_bytes(image: Image.Image, data: bytes) -> int:
    """Return 255 if colours of 16 bits whose upper halves are all 0 have anything in their lower ones, else 0."""
    if not data:
        return 0
    image.close()  # so that its room is free for this
    with Image.open(io.BytesIO(data)) as lower:
        lower.tile = [tile._replace(args=_swapped(tile.args)) for tile in lower.tile]
        return 255 if np.asarray(lower.convert("RGB")).any() else 0


def _swapped(args: Any) -> Any:
    """Return the arguments of a decoder with the two bytes of each value the other way round."""
    if isinstance(args, tuple):
        return tuple(map(_swapped, args))
    return _SIXTEEN.sub(lambda found: ";16L" if found[1] == "B" else ";16B", args) if isinstance(args, str) else args


def _warn_if_shallow(largest: int) -> None:
    """Say so once if 16-bit values up to `largest` fill a quarter of their range at most, as those of sensors do."""
    bits = max(8, largest.bit_length())
    if largest > 0 and bits <= _SHALLOW_BITS:
        warnings.warn(
            f"16-bit pictures hold values up to {2**bits - 1:,} of 65,535, which leaves {2**bits >> 8} of 256 levels; "
            f"multiply them by {2 ** (16 - bits)} before, unless they are meant to be so dark",
            Note,
            stacklevel=2,
        )


def picture_size(data: bytes, name: str = "") -> tuple[int, int]:
    """Return (width, height) of the upright picture, from the file's header alone.

    Raises:
      ImageError: not a picture, or one that `decode` would not take for its size.
    """
    return _read_header(data, name, _size)


_Read = TypeVar("_Read")
_ONE_HEADER = threading.Lock()
_BUDGET = megabytes(PIXELS.total)


def _read_header(data: bytes, name: str, read: Callable[[Image.Image, bytes, str], _Read]) -> _Read:
    """Open, read and close one file at a time: some formats take memory when they are opened."""
    with _ONE_HEADER, _open(data, name) as image:
        return read(image, data, name)


def _ready(data: bytes, name: str) -> tuple[int, Image.Image | None]:
    """Return the bytes that decoding takes, and the file opened if it is a small JPEG, which takes none before that."""
    with _ONE_HEADER:
        image = _open(data, name)
        need = _need(image, data, name)
        if image.format == "JPEG" and len(data) <= _SMALL_FILE:
            return need, image
        image.close()
        return need, None


def _open(data: bytes, name: str) -> Image.Image:
    if not data:
        raise ImageError(f"{name or 'the picture'} is an empty file", expected="a picture")
    if foreign.is_pointer(data):
        raise ImageError(
            f"{name or 'the picture'} is {foreign.LEFT}",
            expected="the picture",
            fix=foreign.PULL,
        )
    try:
        if not tags.are_sound(data):
            raise ValueError("its tags stand for more bytes than it has")
        return Image.open(io.BytesIO(data), formats=readable())
    except Image.DecompressionBombError as error:
        raise _too_large(name, "more pixels than Pillow opens", f"a picture that takes {_BUDGET} at most") from error
    except Exception as error:
        if package := needed(data[:64]):
            raise _lacks(name, package) from error
        raise _not_decoded(name, error) from error


def _lacks(name: str, package: str) -> ImageError:
    return ImageError(
        f"{name or 'the picture'} is in a format that {package} would read, which is not installed",
        expected="a JPEG, PNG or another format that Pillow reads",
        fix=f"pip install {package}, or save it as JPEG",
    )


def _size(image: Image.Image, data: bytes, name: str) -> tuple[int, int]:
    _need(image, data, name)
    width, height = image.size
    if image.format == "TIFF":  # whose `size` is turned already in some versions of Pillow
        width, height = image.tag_v2[256], image.tag_v2[257]  # type: ignore[attr-defined]
    return (height, width) if _orientation(image) >= 5 else (width, height)


def _need(image: Image.Image, data: bytes, name: str) -> int:
    """Return the bytes that decoding takes, if it may take them."""
    width, height = image.size
    shown = f"{width} × {height} pixels"
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise _too_large(name, shown, f"sides from 1 to {MAX_SIDE:,}")
    try:
        need = cost(image, data)
    except Exception as error:  # a header that cannot be read further
        raise _not_decoded(name, error) from error
    if need > PIXELS.total:
        kind = f" of {image.format}" if image.format else ""
        raise _too_large(name, f"{shown}{kind}, which take {megabytes(need)} to decode", f"at most {_BUDGET}")
    return need


def _too_large(name: str, received: str, expected: str) -> ImageError:
    return ImageError(f"{name or 'the picture'} has {received}", expected=expected, fix="make it smaller")


def _not_decoded(name: str, error: Exception) -> ImageError:
    reason = re.sub(r" ?<_io.BytesIO[^>]*>", "", str(error)) or type(error).__name__
    return ImageError(
        f"{name or 'the picture'} cannot be decoded ({reason})",
        expected="a whole picture file",
        fix=REPLACE,
    )


def _orientation(image: Image.Image) -> int:
    try:
        _drop_unsound_profile(image)
        value = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a garbled EXIF block says nothing about the pixels
        return 1
    return value if 1 <= value <= 8 else 1


def _drop_unsound_profile(image: Image.Image) -> None:
    """Leave out a packed EXIF block, which old PNGs have as text and no check of the file has seen."""
    text = image.info.get("Raw profile type exif")
    if text and not tags.are_sound(bytes.fromhex("".join(text.split("\n")[3:]))):
        del image.info["Raw profile type exif"]


def _lying(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return upright pixels seen as they lie in a file: a view of [H, W, 3], indexed by the file's rows."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    down, right = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (-1, 1), 7: (-1, -1), 8: (1, -1)}.get(orientation, (1, 1))
    return pixels[::down, ::right]


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """Return an image as upright RGB; strip by strip, so that nothing but the result is ever held whole."""
    orientation, (width, height) = _orientation(image), image.size
    upright = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    lying = _lying(upright, orientation)
    scale = _grey_scale(image, name) if _is_deep(image) else None
    for strip, rows in _strips(image):
        lying[rows] = _plain_rgb(strip) if scale is None else _scaled(strip, scale)
    return upright


def _strips(image: Image.Image) -> Iterator[tuple[Image.Image, slice]]:
    step = max(1, _STRIP // image.width)
    for top in range(0, image.height, step):
        bottom = min(image.height, top + step)
        yield image.crop((0, top, image.width, bottom)), slice(top, bottom)


def _plain_rgb(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, "white")
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
    return np.asarray(image.convert("RGB"))


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _grey_scale(image: Image.Image, name: str) -> float:
    """Return what deep grey is multiplied by: integers span 0…65535; floats the smallest of 1, 255, 65535 that fits."""
    extremes = np.array([(values.min(), values.max()) for values in map(np.asarray, _images(image))])
    low, high = extremes.min(), extremes.max()  # NaN if any is
    top = 65535.0
    if np.issubdtype(extremes.dtype, np.floating):
        top = next((most for most in (1.0, 255.0) if float(high) <= most), top)
    if not (float(low) >= 0 and float(high) <= top):  # NaN fails too
        raise ImageError(
            f"{name or 'the picture'} has grey values from {low} to {high}",
            expected="0 to 65535, or fractions from 0 to 1",
            fix="scale them before",
        )
    if top > 255 and np.issubdtype(extremes.dtype, np.integer):
        _warn_if_shallow(int(high))
    return 255.0 / top


def _images(image: Image.Image) -> Iterator[Image.Image]:
    return (strip for strip, _ in _strips(image))


def _scaled(image: Image.Image, scale: float) -> np.ndarray:
    grey = np.floor(np.asarray(image).astype(np.float64) * scale + 0.5).astype(np.uint8)
    return grey[:, :, None]
