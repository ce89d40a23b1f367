"""Pictures from anyone: only known formats are tried, and no set of them takes more memory than there is for all."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.images import formats, resize, tags
from sqz_tf.images.budget import PIXELS, Budget
from sqz_tf.images.decode import ImageError, decode, picture_size
from sqz_tf.images.find import scan
from sqz_tf.images.given import decoded
from tests.helpers.needs import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:Image size", "ignore:.*EXIF", "ignore:Image was not the expected")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# Formats --------------------------------------------------------------------------------------------------------

FOREIGN: dict[str, Callable[[], bytes]] = {
    "EPS": lambda: EPS,
    "EPS behind a preview": lambda: struct.pack("<IIIIIIIH", 0xC6D3D0C5, 30, len(EPS), 0, 0, 0, 0, 0xFFFF) + EPS,
    "PSD": lambda: b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 9, 9, 8, 3) + bytes(600),
    "FITS": lambda: b"SIMPLE  =                    T" + b" " * 50 + b"END".ljust(2800),
    **{
        kind: partial(lambda kind: encoded(Image.new("1" if kind in ("MSP", "XBM") else "RGB", (9, 9)), kind), kind)
        for kind in ("IM", "MSP", "XBM", "DDS", "ICNS")
    },
}


@pytest.mark.parametrize("which", FOREIGN)
def test_a_format_that_is_not_listed_is_no_picture_whatever_its_name(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "photo.png").write_bytes(FOREIGN[which]())
    found = scan(tmp_path)
    for read in (decode, picture_size):
        with pytest.raises(ImageError, match=r"photo\.png cannot be decoded"):
            read(found.read(found.entries[0]), "photo.png")
    with pytest.raises(ImageError), decoded(tmp_path / "a" / "photo.png"):
        pass
    assert not (tmp_path / "started").exists()


def test_each_listed_format_is_read_by_its_content() -> None:
    pixels = np.full((8, 8, 3), 200, np.uint8)
    for kind in sorted(set(formats.readable()) - {"HEIF"}):
        assert abs(int(decode(encoded(Image.fromarray(pixels), kind))[4, 4, 1]) - 200) < 9, kind


def test_a_plugin_for_heif_is_registered_if_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = types.ModuleType("pillow_heif")
    plugin.register_heif_opener = lambda: Image.register_open("HEIF", Image.OPEN["PNG"][0])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    formats.readable.cache_clear()
    try:
        assert "HEIF" in formats.readable()
        assert ".heic" in formats.extensions()
    finally:
        formats.readable.cache_clear()


def test_the_documents_name_every_format() -> None:
    text = (ROOT / "docs" / "how-to" / "your-pictures.md").read_text()
    for name in formats.FORMATS:
        assert name in text


# The budget -----------------------------------------------------------------------------------------------------


def test_threads_wait_until_there_is_room() -> None:
    budget, taken, most = Budget(100), [0], [0]
    lock = threading.Lock()

    def work(need: int) -> None:
        with budget.room(need):
            with lock:
                taken[0] += need
                most[0] = max(most[0], taken[0])
            time.sleep(0)
            with lock:
                taken[0] -= need

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [40, 100, 1, 60, 99, 30, 30, 30] * 40))
    assert 60 <= most[0] <= 100


def test_room_is_given_back_after_an_error_and_never_promised_beyond_all() -> None:
    budget = Budget(10)
    for _ in range(3):
        with pytest.raises(KeyError), budget.room(10):
            raise KeyError
    with pytest.raises(ValueError, match="11 bytes are asked of a budget of 10"), budget.room(11):
        pass
    with budget.room(10):
        pass


def flat(kind: str, width: int, height: int, mode: str = "RGB", **options: object) -> bytes:
    return encoded(Image.new(mode, (width, height), 7 if len(mode) == 1 else None), kind, **options)


def peak(code: str, *arguments: str) -> int:
    """Return the bytes by which a script's peak exceeds what it had before; it prints both."""
    head = (
        "import re, sys, threading; from pathlib import Path; from sqz_tf.images import resize\n"
        "from sqz_tf.images.decode import decoding; from sqz_tf.images.formats import readable; readable()\n"
        "def now(what): return int(re.search(what + r':\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) * 1024\n"
        "before = now('VmRSS')\n"
    )
    command = [sys.executable, "-c", f"{head}{code}\nprint(now('VmHWM') - before)", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


def test_many_large_pictures_at_once_take_no_more_than_the_budget(tmp_path: Path) -> None:
    """Six files of a few kilobytes each, which took 1.3 GB apiece."""
    data = flat("WEBP", 5000, 4000, lossless=True, method=0)
    assert len(data) < 7000
    (tmp_path / "flat.webp").write_bytes(data)
    code = (
        "data = Path(sys.argv[1]).read_bytes()\n"
        "def work():\n"
        "    with decoding(data): pass\n"
        "threads = [threading.Thread(target=work) for _ in range(6)]\n"
        "[each.start() for each in threads]; [each.join() for each in threads]"
    )
    assert 300e6 < peak(code, str(tmp_path / "flat.webp")) < PIXELS.total * 1.05


FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: flat("JPEG", 3000, 2000, subsampling=0),
    "progressive JPEG": lambda: flat("JPEG", 3000, 2000, subsampling=0, progressive=True),
    "CMYK JPEG, progressive": lambda: flat("JPEG", 3000, 2000, "CMYK", progressive=True),
    "PNG with alpha": lambda: flat("PNG", 3000, 2000, "RGBA", compress_level=1),
    "PNG of 16 bits": lambda: encoded(Image.fromarray(np.full((2000, 3000), 9999, np.uint16)), "PNG"),
    "palette with transparency": lambda: flat("PNG", 3000, 2000, "P", transparency=0),
    "WebP": lambda: flat("WEBP", 3000, 2000, method=0),
    "WebP with alpha": lambda: flat("WEBP", 3000, 2000, "RGBA", lossless=True, method=0),
    "TIFF of floats": lambda: encoded(Image.fromarray(np.full((2000, 3000), 0.5, np.float32)), "TIFF"),
    "TIFF in one strip": lambda: flat("TIFF", 3000, 2000, compression="tiff_lzw", tiffinfo={278: 2000}),
    "TIFF, turned": lambda: flat("TIFF", 3000, 2000, compression="tiff_lzw", exif=turned(6)),
    "GIF": lambda: flat("GIF", 3000, 2000, "P"),
    "JPEG 2000": lambda: flat("JPEG2000", 1500, 1000),
    "SGI": lambda: flat("SGI", 3000, 2000),
    "PPM as numbers": lambda: b"P3 600 500 255\n" + b"1 2 3 " * 300_000,
}


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def assert_held(which: str, folder: Path, code: str) -> None:
    """Check that a program that reads the file it is given takes no more than is held for that picture."""
    data = FILES[which]()
    (folder / "picture").write_bytes(data)
    with Image.open(io.BytesIO(data)) as image:
        held = formats.cost(image, data)
    assert peak(code, str(folder / "picture")) < held + len(data) + (16 << 20)


@pytest.mark.parametrize("which", ["palette with transparency", "progressive JPEG"])
def test_a_look_takes_no_more_than_is_held_for_it(which: str, tmp_path: Path) -> None:
    code = (
        "import imagehash, scipy.fftpack; from sqz_tf.images.looks import look; before = now('VmRSS')\n"
        "look(Path(sys.argv[1]).read_bytes())"
    )
    assert_held(which, tmp_path, code)


@pytest.mark.parametrize("which", FILES)
def test_no_picture_takes_more_than_is_held_for_it(which: str, tmp_path: Path) -> None:
    code = (
        "data = Path(sys.argv[1]).read_bytes()\n"
        "with decoding(data) as pixels: resize.preprocess(pixels, resize.PreprocessSpec(96, 96))"
    )
    assert_held(which, tmp_path, code)


def icon(frame: bytes) -> bytes:
    """Return an icon that declares 16 × 16 pixels for what it holds."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(frame), 22) + frame


def tiff_with(entries: list[tuple[int, int, int, int]], behind: bytes = b"") -> bytes:
    """Return a TIFF file of one directory: tag, type, count, value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4) + behind


def sharing(entries: int, size: int) -> bytes:
    """Return a directory whose values are all the same bytes."""
    at = 8 + 2 + 12 * entries + 4
    return tiff_with([(1000 + each, 7, size, at) for each in range(entries)], bytes(size))


def tiff_of_tiles(side: int) -> bytes:
    wanted = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 277: 1, 322: side, 323: side, 324: 200, 325: 9}
    return tiff_with([(tag, 4, 1, value) for tag, value in wanted.items()], bytes(400))


def scans(count: int) -> bytes:
    data = flat("JPEG", 64, 64, progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * count + data[-2:]


def with_exif(block: bytes) -> bytes:
    return flat("PNG", 8, 8, exif=b"Exif\0\0" + block)


COSTLY = {
    "an icon that holds a large PNG": (
        lambda: icon(flat("PNG", 6200, 6200, "L", compress_level=1)),
        "of ICO, which take 816 MB",
    ),
    "a TIFF with tiles larger than itself": (lambda: tiff_of_tiles(20_000), "take 3,208 MB"),
    "a TIFF whose tags share a value": (lambda: sharing(5000, 50_000), "tags stand for more bytes"),
    "a WebP whose EXIF tags share a value": (
        lambda: flat("WEBP", 8, 8, exif=b"Exif\0\0" + sharing(5000, 50_000)),
        "tags stand for more bytes",
    ),
    "a JPEG of a thousand scans": (lambda: scans(1000), "100[0-9] scans; expected at most 100"),
    "a JPEG of coefficients": (lambda: flat("JPEG", 9000, 9000, progressive=True), "of JPEG, which take 818 MB"),
    "a large WebP": (lambda: flat("WEBP", 9000, 6000, lossless=True, method=0), "of WEBP, which take 926 MB"),
    "a PPM of numbers": (lambda: b"P3 4000 4000 255\n1 2 3", "of PPM, which take"),
    "a thread of pixels": (lambda: flat("PNG", 1, 65_536), "1 × 65536 pixels; expected sides from 1 to 65,535"),
}


@pytest.mark.parametrize("which", COSTLY)
def test_a_picture_that_would_take_too_much_is_refused_by_its_header(which: str) -> None:
    make, message = COSTLY[which]
    data = make()
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=f"costly.*{message}"):
            decode(data, "costly")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_tags_packed_in_a_png_as_text_are_dropped() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    block = sharing(2000, 20_000).hex()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block) // 2}\n{block}", zip=True)
    data = encoded(Image.new("RGB", (2, 3), "red"), "PNG", pnginfo=info)
    assert decode(data).tolist() == [[[255, 0, 0]] * 2] * 3


def test_directories_of_honest_files_are_sound() -> None:
    exif = turned(6)
    exif[0x010F] = "maker" * 1000
    for kind in ("JPEG", "TIFF", "PNG", "WEBP"):
        data = flat(kind, 40, 30, exif=exif)
        assert tags.are_sound(data)
        assert picture_size(data) == (30, 40)
    assert not tags.are_sound(sharing(5000, 50_000))
    assert tags.are_sound(b"II*\0" * 1000)


def test_a_photograph_of_a_hundred_megapixels_fits_and_one_of_120_does_not() -> None:
    small = flat("JPEG", 16, 16)
    at = small.index(b"\xff\xc0") + 5
    for height, fits in ((8640, True), (10_400, False)):
        data = small[:at] + struct.pack(">HH", height, 11_600) + small[at + 4 :]
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (11_600, height)
            assert (formats.cost(image, data) <= PIXELS.total) is fits


# Resizing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20_000, 1, 3), (1, 60_000, 3), (40_000, 2, 1), (9000, 3, 3)])
def test_a_thin_picture_is_resized_in_little_memory_to_the_same_bytes(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    spec = PreprocessSpec(227, 227, fit="warp", channels=shape[2])
    whole = resize.preprocess(pixels, spec)
    monkeypatch.setattr(resize, "_MOST_BETWEEN", 1 << 20)
    tracemalloc.start()
    try:
        assert np.array_equal(resize.preprocess(pixels, spec), whole)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_many_thin_pictures_of_one_size_are_not_widened_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resize, "_MOST_BETWEEN", 1 << 20)
    batch = np.zeros((8, 9000, 1, 3), np.uint8)
    tracemalloc.start()
    try:
        assert resize.preprocess(batch, PreprocessSpec(96, 96, fit="warp")).shape == (8, 96, 96, 3)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
