"""Photos for the app, of every kind that other apps may hand to it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

STORED = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""EXIF orientation → the orientation that turns an upright picture into the stored one."""
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TWENTY = (3888, 5184)
HUGE = (16_400, 12_300)


def scene() -> Image.Image:
    """Return a picture with a red corner at the top left."""
    y, x = np.mgrid[0:300, 0:400]
    pixels = np.stack([120 + x // 4, 200 - y // 3, 90 + (x + y) // 8], axis=2).astype(np.uint8)
    pixels[(x - 220) ** 2 + (y - 160) ** 2 < 90**2] = (240, 220, 60)
    pixels[:40, :60] = (250, 10, 10)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int, form: str) -> bytes:
    """Return the picture stored so that `orientation` makes it upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = image if orientation == 1 else image.transpose(_TURN[STORED[orientation]])
    return encoded(stored, form, exif=exif)


def every_alpha() -> np.ndarray:
    """Return every grey, from left to right, with every transparency, from top to bottom; uint8 RGBA."""
    grey, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    return np.stack([grey, grey, grey, alpha], axis=-1)


def write(folder: Path) -> None:
    """Write all photos; those turned begin with their orientation."""
    image = scene()
    frames = [image.rotate(90)]
    photo = encoded(image, "JPEG")
    files = {
        **{f"{orientation}-photo.png": turned(image, orientation, "PNG") for orientation in range(1, 9)},
        "6-photo.jpg": turned(image, 6, "JPEG"),
        "6-photo.tiff": turned(image, 6, "TIFF"),
        "grey.jpg": encoded(image.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "animated.gif": encoded(image, "GIF", save_all=True, append_images=frames),
        "animated.webp": encoded(image, "WEBP", save_all=True, append_images=frames),
        "tiny.png": encoded(image.resize((1, 1)), "PNG"),
        "line.png": encoded(image.resize((4000, 1)), "PNG"),
        "pole.png": encoded(image.resize((1, 4000)), "PNG"),
        "deep.png": encoded(Image.fromarray(np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)), "PNG"),
        "palette.png": encoded(image.quantize(16), "PNG"),
        "transparent.png": encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 90)), "PNG"),
        "alpha.png": encoded(Image.fromarray(every_alpha()), "PNG"),
        "large.jpg": encoded(image.resize((3000, 2250)), "JPEG"),
        "6-twenty.jpg": turned(image.resize(TWENTY), 6, "JPEG"),
        "huge.jpg": encoded(Image.new("L", HUGE, 128), "JPEG", quality=5),
        "cut.jpg": photo[: len(photo) // 3],
        "garbage.jpg": photo[:300] + bytes(500),
        "empty.jpg": b"",
        "text.jpg": b"this is no picture at all",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
