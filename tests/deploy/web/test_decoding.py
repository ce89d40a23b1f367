"""The page decodes pictures to the bytes that `sqz_tf.images.decode` gives, or refuses them by a word of its own."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sqz_tf.images.decode import decode
from tests.helpers import web_page
from tests.helpers.browser import base64_of, chromium
from tests.helpers.needs import ROOT, dev_data

HEIGHT, WIDTH = 37, 53
DRAWN = np.random.default_rng(0)
NOISE = DRAWN.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
DEEP = DRAWN.integers(0, 65536, (HEIGHT, WIDTH, 4), np.uint16)
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
WAVES = (128 + 100 * np.sin(COLUMNS / 5)[..., np.newaxis] + 20 * np.cos(ROWS[..., np.newaxis] / (3, 4, 5, 6))).astype(
    np.uint8
)
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
LIMIT, LONGEST = 64_000_000, 16_383  # pixels of a picture and of a side that the page decodes
PAGE = """<!doctype html><meta charset="utf-8"><script>{scripts}
async function decoded(file) {{
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  try {{
    const {{ rgba, width, height }} = await decodePicture(new Blob([bytes]));
    return [width, height, btoa(Array.from(rgba, (value) => String.fromCharCode(value)).join(""))];
  }} catch (error) {{ return error.message; }}
}}
window.allDecoded = (files) => Promise.all(files.map(decoded));</script>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    page = tmp_path_factory.mktemp("decoding") / "page.html"
    page.write_text(PAGE.format(scripts=web_page.text("png.js") + web_page.text("picture.js")), encoding="utf-8")
    with chromium() as driver:
        driver.get(page.as_uri())
        yield driver


def answers(browser: Any, files: list[bytes]) -> list[Any]:
    """Return what the page decodes of each file, uint8 [H, W, 4], or the word by which it refuses it."""
    results = browser.execute_script("return allDecoded(arguments[0])", [base64_of(file) for file in files])
    return [each if isinstance(each, str) else pixels(*each) for each in results]


def pixels(width: int, height: int, rgba: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(rgba), np.uint8).reshape(height, width, 4)


def saved(content: np.ndarray | Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image = content if isinstance(content, Image.Image) else Image.fromarray(content)
    image.save(file, form, **options)
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *chunks: bytes, interlaced: int = 0) -> bytes:
    """Return a PNG of any kind, of rows that are packed already and begin with their filter."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rows_of(values: np.ndarray, depth: int) -> bytes:
    """Return unfiltered rows of a PNG: [H, W, channels] of values with so many bits."""
    bits = (values.reshape(len(values), -1, 1) >> np.arange(depth)[::-1]) & 1
    packed = np.packbits(bits.reshape(len(values), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def deep_png(channels: int, colour: int, *chunks: bytes) -> bytes:
    return png((WIDTH, HEIGHT), 16, colour, rows_of(DEEP[..., :channels], 16), *chunks)


def interlaced(width: int, height: int) -> bytes:
    part_of = NOISE[:height, :width, :3]
    parts = (part_of[top::down, left::right] for left, top, right, down in PASSES)
    return png((width, height), 8, 2, b"".join(rows_of(part, 8) for part in parts if part.size), interlaced=1)


def few_greys(depth: int, *chunks: bytes) -> bytes:
    return png((WIDTH, HEIGHT), depth, 0, rows_of(NOISE[..., 0] >> (8 - depth), depth), *chunks)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif


def pngs() -> dict[str, bytes]:
    """Return PNGs of every kind."""
    colours = Image.fromarray(WAVES[..., :3])
    palettes = {f"palette of {count}": saved(colours.quantize(count), "PNG") for count in (2, 4, 16, 200)}
    clear = {
        "palette with alpha": saved(colours.quantize(200), "PNG", transparency=bytes(range(200))),
        "palette of 4, one clear": saved(colours.quantize(4), "PNG", transparency=1),
        "RGB, one clear": saved(NOISE[..., :3], "PNG", transparency=tuple(map(int, NOISE[3, 4, :3]))),
        "grey, one clear": saved(NOISE[..., 0], "PNG", transparency=int(NOISE[3, 4, 0])),
        "4-bit grey, black clear": few_greys(4, chunk(b"tRNS", b"\0\0")),
        "4-bit grey, 1 clear": few_greys(4, chunk(b"tRNS", b"\0\1")),
        "16-bit grey, one clear": deep_png(1, 0, chunk(b"tRNS", DEEP[3, 4, :1].astype(">u2").tobytes())),
        "16-bit RGB, one clear": deep_png(3, 2, chunk(b"tRNS", DEEP[3, 4, :3].astype(">u2").tobytes())),
    }
    deep = {f"16-bit {name}": deep_png(channels, kind) for name, channels, kind in DEEP_KINDS}
    exif = {f"orientation {value}": saved(NOISE[..., :3], "PNG", exif=turned(value)) for value in range(1, 9)}
    laces = {f"interlaced {width} × {height}": interlaced(width, height) for width, height in LACES}
    return palettes | clear | deep | exif | laces | {
        "RGB": saved(NOISE[..., :3], "PNG"),
        "RGBA": saved(NOISE, "PNG"),
        "filtered RGBA": saved(WAVES, "PNG"),
        "grey": saved(NOISE[..., 0], "PNG"),
        "grey with alpha": saved(Image.fromarray(NOISE[..., :2].copy(), "LA"), "PNG"),
        "two greys": few_greys(1),
        "four greys": few_greys(2),
    }  # fmt: skip


DEEP_KINDS = (("grey", 1, 0), ("RGB", 3, 2), ("grey with alpha", 2, 4), ("RGBA", 4, 6))
LACES = ((WIDTH, HEIGHT), (1, 1), (3, 2), (5, 9))
PNGS = pngs()
JPEGS = {f"orientation {value}": saved(WAVES[..., :3], "JPEG", exif=turned(value)) for value in range(1, 9)} | {
    "grey": saved(WAVES[..., 0], "JPEG"),
    "half the colours": saved(WAVES[..., :3], "JPEG", subsampling=2),
    "progressive": saved(WAVES[..., :3], "JPEG", progressive=True),
}
OTHERS = {
    "BMP": saved(NOISE[..., :3], "BMP"),
    "GIF, one clear": saved(Image.fromarray(WAVES[..., :3]).quantize(200), "GIF", transparency=3),
    "WebP with alpha": saved(NOISE, "WEBP", lossless=True),
}


WHOLE = {"jpeg": JPEGS["grey"], "png": PNGS["RGB"], "webp": OTHERS["WebP with alpha"], "gif": OTHERS["GIF, one clear"]}


def enlarged(form: str) -> bytes:
    """Return a picture whose header tells of 100 million pixels."""
    if form == "png":
        return png((10_000, 10_000), 8, 2, b"")
    file = bytearray(WHOLE[form] if form in WHOLE else OTHERS["BMP"])
    at = {"jpeg": file.find(b"\xff\xc0") + 5, "gif": 6, "bmp": 18, "webp": file.find(b"VP8L") + 9}[form]
    size = {"jpeg": struct.pack(">HH", 10_000, 10_000), "bmp": struct.pack("<ii", 10_000, -10_000)}
    size |= {"gif": struct.pack("<HH", 10_000, 10_000), "webp": struct.pack("<I", 9_999 | 9_999 << 14)}
    file[at : at + len(size[form])] = size[form]
    return bytes(file)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


CUT = {
    f"{form} at {share}": data[: int(share * len(data))] for form, data in WHOLE.items() for share in (0.2, 0.5, 0.9)
}
WRONG = {f"byte {at}": flipped(PNGS["RGB"], at) for at in (22, 300, len(PNGS["RGB"]) - 20)}
LARGE = {form: enlarged(form) for form in ("png", "jpeg", "gif", "bmp", "webp")}


def test_pngs_are_decoded_to_the_same_bytes(browser: Any) -> None:
    for (name, data), rgba in zip(PNGS.items(), answers(browser, [*PNGS.values()]), strict=True):
        assert not isinstance(rgba, str), (name, rgba)
        assert (rgba[..., 3] == 255).all(), name
        np.testing.assert_array_equal(rgba[..., :3], decode(data), name)


def test_jpegs_are_decoded_within_three_levels(browser: Any) -> None:
    """Decoders of JPEG may differ; Chromium's of today and Pillow's do not."""
    assert farthest(browser, JPEGS) <= 3


def test_others_are_decoded_within_a_level(browser: Any) -> None:
    assert farthest(browser, OTHERS) <= 1


@pytest.mark.slow
def test_photographs_are_decoded_within_three_levels(browser: Any) -> None:
    files = {file.name: file.read_bytes() for file in sorted(dev_data("imagenet_dev").rglob("*.jpg"))[:40]}
    assert len(files) == 40
    assert farthest(browser, files) <= 3


@pytest.mark.slow
@pytest.mark.slow
def test_a_large_picture_is_read_strip_by_strip(browser: Any) -> None:
    assert farthest(browser, {"large": saved(np.tile(WAVES[..., :3], (60, 40, 1)), "JPEG")}) <= 3


def farthest(browser: Any, files: dict[str, bytes]) -> int:
    """Return the largest difference between the page's pixels and Python's."""
    found = 0
    for (name, data), rgba in zip(files.items(), answers(browser, [*files.values()]), strict=True):
        assert not isinstance(rgba, str), (name, rgba)
        expected = decode(data)
        assert rgba.shape == (*expected.shape[:2], 4), name
        assert (rgba[..., 3] == 255).all(), name
        found = max(found, int(np.abs(rgba[..., :3].astype(int) - expected).max()))
    return found


def test_pictures_that_are_cut_off_are_corrupt(browser: Any) -> None:
    assert dict(zip(CUT, answers(browser, [*CUT.values()]), strict=True)) == dict.fromkeys(CUT, "corrupt")


def test_a_png_with_a_wrong_byte_is_corrupt(browser: Any) -> None:
    assert answers(browser, [*WRONG.values()]) == ["corrupt"] * len(WRONG)


def test_a_png_may_end_behind_its_pixels_as_python_has_it(browser: Any) -> None:
    files = [PNGS["RGB"][:-count] for count in (2, 4, 8, 12, 14, 16)]
    for rgba, data in zip(answers(browser, files), files, strict=True):
        assert not isinstance(rgba, str), rgba
        np.testing.assert_array_equal(rgba[..., :3], decode(data))


def test_a_png_has_one_header_and_it_comes_first(browser: Any) -> None:
    header, other = PNGS["RGB"][8:33], chunk(b"tEXt", b"a\0b")
    larger = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    start, rest = PNGS["RGB"][:8], PNGS["RGB"][33:]
    files = [start + header + larger + rest, start + header + header + rest, start + other + header + rest]
    assert answers(browser, files) == ["corrupt"] * 3


def test_a_picture_for_which_there_is_no_memory_is_too_large(browser: Any) -> None:
    script = """
    const Bytes = Uint8Array;
    window.Uint8Array = class extends Bytes {
      constructor(...given) { if (given[0] === arguments[0]) throw new RangeError("none"); super(...given); }
    };
    """.replace("arguments[0]", str(4 * HEIGHT * WIDTH))
    browser.execute_script(f"(() => {{ {script} }})()")
    try:
        files = [PNGS["RGB"], PNGS["orientation 6"], JPEGS["grey"], WRONG["byte 300"]]
        assert answers(browser, files) == ["tooLarge"] * 3 + ["corrupt"]
    finally:
        browser.refresh()


@pytest.mark.parametrize(("name", "least"), [("RGB", HEIGHT), ("orientation 6", HEIGHT + WIDTH)])
def test_long_work_lets_the_browser_draw(browser: Any, name: str, least: int) -> None:
    """A clock that runs with every look at it makes every row long."""
    script = """
    let [now, posted] = [0, 0];
    const post = MessagePort.prototype.postMessage;
    performance.now = () => (now += 40);
    MessagePort.prototype.postMessage = function (what) { posted++; post.call(this, what); };
    window.paused = () => posted;
    """
    browser.execute_script(f"(() => {{ {script} }})()")
    try:
        answers(browser, [PNGS[name]])
        assert browser.execute_script("return paused()") >= least
    finally:
        browser.refresh()


def test_what_is_no_picture_is_told_apart(browser: Any) -> None:
    assert answers(browser, [b"", b"once upon a time"]) == ["emptyFile", "notPicture"]


def test_a_hundred_megapixels_are_refused_by_the_header(browser: Any) -> None:
    assert dict(zip(LARGE, answers(browser, [*LARGE.values()]), strict=True)) == dict.fromkeys(LARGE, "tooLarge")


def test_the_limits_are_those_of_the_words_and_of_the_c() -> None:
    script, words = web_page.text("picture.js"), web_page.text("words.json")
    assert f"const LARGEST = {LIMIT // 10**6}e6;" in script
    assert f"{LIMIT // 10**6} million pixels and {LONGEST:,} a side" in words
    assert f"const LONGEST = {LONGEST};" in script
    assert f"#define SQZ_IMAGE_MAX_SIDE {LONGEST} " in (ROOT / "mcu" / "src" / "sqz_image.h").read_text(
        encoding="utf-8"
    )
