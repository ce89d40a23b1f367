"""Pictures of 16 bits that use so few of them that hardly a level is left in 8."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sqz_tf import classify
from sqz_tf.images.decode import decode
from tests.helpers.echo_models import described, model


def deep_png(values: np.ndarray) -> bytes:
    """Write 16-bit colours, which Pillow cannot: uint16 [H, W, 3]."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def saved(values: np.ndarray, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(("largest", "levels"), [(1023, 4), (4095, 16), (16383, 64), (65535, 0), (255, 0), (0, 0)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "colour"])
def test_pictures_of_16_bits_that_use_few_are_noted(kind: str, largest: int, levels: int) -> None:
    values = np.linspace(0, largest, 48).astype(np.uint16).reshape(4, 12)
    data = deep_png(values.reshape(4, 4, 3)) if kind == "colour" else saved(values, kind)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        decode(data)
    assert len(told) == bool(levels)
    wanted = f"values up to {largest:,} of 65,535, which leaves {levels} of 256 levels"
    assert all(wanted in str(each.message) for each in told)


def test_a_command_notes_the_depth_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.tflite").write_bytes(described(model()))
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(saved(np.full((4, 4), 4095, np.uint16), "PNG"))
    pictures = [str(tmp_path / f"{name}.png") for name in "ab"]
    assert classify.main([str(tmp_path / "m.tflite"), *pictures]) == 0
    assert capsys.readouterr().err.count("note: 16-bit pictures hold values up to 4,095") == 1
    assert classify.main([str(tmp_path / "m.tflite"), *pictures, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
