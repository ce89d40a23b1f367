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
from sqz_tf.images.decode import ImageError, decode
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


@pytest.mark.parametrize(("largest", "levels"), [(1023, 4), (4095, 16), (16383, 64), (65535, 0), (255, 1)])
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


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "colour"])
def test_a_black_picture_of_16_bits_is_only_black(kind: str) -> None:
    values = np.zeros((4, 12), np.uint16)
    data = deep_png(values.reshape(4, 4, 3)) if kind == "colour" else saved(values, kind)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert not decode(data).any()
    assert not told


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG", "MPO"])
@pytest.mark.parametrize("frames", [1, 3])
def test_frames_and_pages_that_are_left_out_are_noted(kind: str, frames: int) -> None:
    first, *more = (Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")[:frames])
    out = io.BytesIO()
    first.save(out, kind, save_all=True, append_images=more)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert decode(out.getvalue())[0, 0].argmax() == 0
    assert [str(each.message) for each in told] == (
        ["some pictures hold several frames or pages, of which the first is used"] * (frames > 1 and kind != "MPO")
    )


def test_of_an_animation_that_is_cut_the_first_frame_is_taken() -> None:
    frames = [Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16), np.uint8)) for seed in (1, 2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    whole = out.getvalue()
    second = whole.rindex(b"\x2c\0\0\0\0")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pictures = [decode(whole[: second + cut]) for cut in range(12)]
        assert all(np.array_equal(each, decode(whole)) for each in pictures)
    assert {"first is used" in str(each.message) for each in told} == {True}


def test_grey_that_has_no_scale_is_refused_by_name() -> None:
    values = np.linspace(-1, 1, 48, dtype=np.float32).reshape(4, 12)
    with pytest.raises(ImageError, match=r"heights.tif has grey values from -1.0 to 1.0; expected 0 to 65535, or frac"):
        decode(saved(values, "TIFF"), "heights.tif")


def test_a_command_notes_the_depth_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.tflite").write_bytes(described(model()))
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(saved(np.full((4, 4), 4095, np.uint16), "PNG"))
    pictures = [str(tmp_path / f"{name}.png") for name in "ab"]
    assert classify.main([str(tmp_path / "m.tflite"), *pictures]) == 0
    assert capsys.readouterr().err.count("note: 16-bit pictures hold values up to 4,095") == 1
    assert classify.main([str(tmp_path / "m.tflite"), *pictures, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
