"""Which files are taken for pictures, told by their content, and what it takes to decode them.

Pillow tries every plugin it has: for a file that looks like PostScript it starts Ghostscript. Here only the formats of
FORMATS are tried.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from PIL import Image

PLUGINS = ("pillow_heif", "pillow_avif")
"""Packages that bring formats which Pillow may lack: HEIF (.heic) and AVIF."""

FORMATS = {
    "JPEG": (0, "jpg jpeg jpe jfif mpo"),
    "PNG": (0, "png"),
    "BMP": (0, "bmp"),
    "DIB": (0, "dib"),
    "GIF": (8, "gif"),
    "WEBP": (13, "webp"),
    "TIFF": (8, "tif tiff"),
    "PPM": (100, "ppm pgm pbm pnm"),
    "ICO": (20, "ico"),
    "JPEG2000": (36, "jp2 j2k"),
    "AVIF": (8, "avif"),
    "HEIF": (10, "heic heif"),
    "SGI": (8, "sgi"),
    "PCX": (0, "pcx"),
    "TGA": (0, "tga"),
}
"""By Pillow's names: bytes that a pixel takes at most beside Pillow's own image, and the endings of files' names.

Measured as the peak of the process over the modes of a format, and rounded up: of a JPEG 4.0 bytes in all, of a
progressive one 10.0, PNG 4.0, GIF 2.0, WebP 16.4, TIFF 8.0, SGI 6.0, AVIF 11.6, HEIF 8.4, JPEG 2000 24.5. PPM as
numbers or of an odd depth takes 12.0 bytes, but two seconds for a million pixels, which is why it counts for more.
TGA, which has no mark of its own, is tried last.
"""

_RGB = 3  # bytes a pixel of the result
_LEAST = 8 << 20  # bytes: strips on their way to RGB, tables, profiles
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # Pillow's bytes a pixel; others take 4
_LIGHT = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "group3", "group4", "tiff_ccitt")
_MOST_SCANS = 100  # of a JPEG; each is a pass over the picture for a few bytes of the file


@lru_cache
def readable() -> tuple[str, ...]:
    """Return the formats of FORMATS that can be read here, in the order to try them."""
    for name in PLUGINS:
        with suppress(Exception):  # not installed, or for another Pillow
            _register(name)
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _register(package: str) -> None:
    plugin = importlib.import_module(package)
    if hasattr(plugin, "register_heif_opener"):
        plugin.register_heif_opener()


def extensions() -> frozenset[str]:
    """Return the endings of names, in lower case, by which files are taken for pictures."""
    return frozenset(f".{ending}" for name in readable() for ending in FORMATS[name][1].split())


_PACKAGES = {"HEIF": "pillow-heif", "AVIF": "pillow-avif-plugin"}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"),
}
_MARKED = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "JPEG2000", "AVIF", "HEIF")  # formats whose first bytes no text has


def of_packages() -> dict[str, str]:
    """Return the endings of formats that a package would have to bring which is not installed, and its name."""
    lacking = {name: package for name, package in _PACKAGES.items() if name not in readable()}
    return {f".{ending}": package for name, package in lacking.items() for ending in FORMATS[name][1].split()}


def needed(head: bytes) -> str:
    """Return the package without which a file cannot be read, from its first bytes; nothing if there is none."""
    name = _BRANDS.get(head[8:12], "") if head[4:8] == b"ftyp" else ""
    return "" if name in readable() else _PACKAGES.get(name, "")


def looks_like(head: bytes, size: int) -> bool:
    """Tell from a file's first bytes whether it is a picture, whatever its name; sure for formats with a mark alone.

    Args:
      head: some dozens of bytes.
      size: of the whole file.
    """
    if head.startswith(b"BM"):
        return int.from_bytes(head[2:6], "little") == size
    accepts = (Image.OPEN[name][1] for name in _MARKED if name in readable())
    return any(accept is not None and accept(head) is True for accept in accepts)


def cost(image: Image.Image, data: bytes = b"") -> int:
    """Return the bytes that it takes at most to turn an open image into RGB.

    Args:
      image: as opened, not decoded.
      data: its file.

    Raises:
      ValueError: the file would take far longer than a picture of its size.
    """
    pixels = max([image.width * image.height, *_frames_of_icon(image, data)])
    return (_STORED.get(image.mode, 4) + max(_RGB, _beside(image, data))) * pixels + _tile(image) + _LEAST


def _beside(image: Image.Image, data: bytes) -> int:
    """Return the bytes a pixel that a decoder holds beside Pillow's image."""
    if image.format in ("JPEG", "MPO"):
        return 2 * len(image.getbands()) * _in_scans(image, data)
    if image.format == "TIFF" and image.info.get("compression", "raw") not in _LIGHT:
        return 24  # a picture of another format in each strip
    if image.format == "PPM":
        return 0 if _is_raw(image) else FORMATS["PPM"][0]
    return FORMATS.get(str(image.format), (0, ""))[0]


def _is_raw(image: Image.Image) -> bool:
    """Tell whether a file holds bytes that are copied as they are."""
    return all(tile[0] == "raw" for tile in getattr(image, "tile", ()))


def _in_scans(image: Image.Image, data: bytes) -> bool:
    """Tell whether a JPEG comes in several passes, for which all coefficients are held (two bytes each)."""
    scans = data.count(b"\xff\xda")
    if scans > _MOST_SCANS:
        raise ValueError(f"{scans} scans; expected at most {_MOST_SCANS}")
    channels = len(image.getbands())
    return "progressive" in image.info or bytes([0xFF, 0xDA, 0, 6 + 2 * channels, channels]) not in data


def _frames_of_icon(image: Image.Image, data: bytes) -> Iterator[int]:
    """Yield the pixels of what an icon holds: whole PNG or BMP files, whatever size its directory declares."""
    for header in getattr(getattr(image, "ico", None), "entry", ()):
        frame = data[header.offset : header.offset + 24]
        kind, at = (">II", 16) if frame.startswith(b"\x89PNG") else ("<ii", 4)
        width, height = struct.unpack_from(kind, frame, at)
        yield abs(width * height)


def _tile(image: Image.Image) -> int:
    """Return the bytes of one tile of a TIFF, which may be larger than the picture."""
    tags = getattr(image, "tag_v2", {})
    width, height = (int(tags.get(tag, 0)) for tag in (322, 323))
    return 8 * width * height * int(tags.get(277, 1))
