"""Decoding, the integer resize rule, geometry, and finding files."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sqz_tf.base.errors import DataError, Note
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.images import decode, find, resize
from sqz_tf.images.decode import ImageError
from sqz_tf.images.find import scan
from tests.helpers.needs import ROOT, dev_data, require

RNG = np.random.default_rng(7)


def random_pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


PNG = encoded(Image.fromarray(random_pixels(6, 9, 3)))
JPEG = encoded(Image.fromarray(random_pixels(16, 24, 3)), "JPEG")


# The resize rule: docs/formats/preprocess.md, read aloud ---------------------------------------------------------


def reference_pass(values: list[int], n_out: int) -> list[int]:
    """Resize one row of one channel, with every intermediate value checked against its stated width."""
    n_in = len(values)
    if n_in == n_out:
        return values
    reach = 2 * max(n_in, n_out)
    result = []
    for i in range(n_out):
        t = [(2 * j + 1) * n_out - (2 * i + 1) * n_in for j in range(n_in)]
        w = [max(0, reach - abs(each)) for each in t]
        total = sum(w)
        c = [(each * 2**23 + total) // (2 * total) for each in w]
        accumulator = 2**21 + sum(a * b for a, b in zip(c, values, strict=True))
        assert accumulator < 2**31
        result.append(min(255, accumulator >> 22))
    return result


def reference_resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    columns = np.apply_along_axis(lambda row: reference_pass(row.tolist(), width), 1, pixels)
    return np.apply_along_axis(lambda row: reference_pass(row.tolist(), height), 0, columns).astype(np.uint8)


SIDE = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(SIDE, SIDE, SIDE, SIDE, st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_resize_is_the_reference_byte_for_byte(h: int, w: int, height: int, width: int, c: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (h, w, c), dtype=np.uint8)
    assert np.array_equal(resize.resize(pixels, width, height), reference_resize(pixels, width, height))


@pytest.mark.parametrize(("n_in", "n_out"), [(3000, 7), (2999, 128), (5, 1024), (20_000, 1), (1, 9)])
def test_resize_is_the_reference_for_extreme_ratios(n_in: int, n_out: int) -> None:
    row = random_pixels(1, n_in, 1)
    expected = np.array(reference_pass(row.ravel().tolist(), n_out), np.uint8)
    assert np.array_equal(resize.resize(row, n_out, 1).ravel(), expected)
    assert np.array_equal(resize.resize(row.reshape(n_in, 1, 1), 1, n_out).ravel(), expected)


def test_documented_examples_are_true() -> None:
    text = (ROOT / "docs" / "formats" / "preprocess.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) → (\d+) \|.*\| ([\d ]+) → ([\d ]+) \|$", text, re.MULTILINE)
    assert len(rows) == 4
    for n_in, n_out, before, after in rows:
        values = np.array(before.split(), np.uint8)
        assert len(values) == int(n_in)
        resized = resize.resize(values.reshape(1, -1, 1), int(n_out), 1).ravel()
        assert resized.tolist() == [int(value) for value in after.split()]


def test_resize_goes_columns_first() -> None:
    """The passes round in between, so their order shows: a picture where rows first differs."""
    pixels = random_pixels(17, 23, 3)
    turned = resize.resize(pixels.transpose(1, 0, 2), 9, 11).transpose(1, 0, 2)
    assert not np.array_equal(resize.resize(pixels, 11, 9), turned)
    assert np.array_equal(resize.resize(pixels, 11, 9), reference_resize(pixels, 11, 9))


def test_resize_of_a_batch_is_resize_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = random_pixels(5, 12, 10, 3)
    each = np.stack([resize.resize(pixels, 7, 20) for pixels in batch])
    assert np.array_equal(resize.resize(batch, 7, 20), each)
    monkeypatch.setattr(resize, "_CHUNK_VALUES", 500)  # so that chunks end inside the batch
    assert np.array_equal(resize.resize(batch, 7, 20), each)


def test_resize_reads_views_and_leaves_its_input_alone() -> None:
    pixels = random_pixels(20, 20, 3)
    before = pixels.copy()
    view = pixels[2:17:2, ::-1]
    assert np.array_equal(resize.resize(view, 5, 6), resize.resize(view.copy(), 5, 6))
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_resize_keeps_a_flat_picture(value: int) -> None:
    flat = np.full((13, 29, 3), value, np.uint8)
    for width, height in ((7, 5), (64, 31), (1, 1), (29, 40)):
        assert (resize.resize(flat, width, height) == value).all()


def test_resize_clips_where_coefficients_add_up_to_more_than_one() -> None:
    """Six million coefficients below 1, each rounded up: without the upper bound 255 would become 364."""
    assert resize.resize(np.full((1, 6_000_000, 1), 255, np.uint8), 1, 1).item() == 255


# Geometry -----------------------------------------------------------------------------------------------------


def test_grey_weights() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert resize.to_grey(colours).ravel().tolist() == [77, 149, 29, 255]
    same = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.array_equal(resize.to_grey(same).ravel(), np.arange(256))


def test_preprocess_cuts_the_documented_rectangle() -> None:
    """The example of docs/formats/preprocess.md: 500 × 375 to 256, centre 227."""
    spec = PreprocessSpec(227, 227, resize_width=256, resize_height=256)
    assert resize.crop_box(500, 375, spec) == (62, 0, 437, 375)
    pixels = random_pixels(375, 500, 3)
    expected = resize.resize(pixels[:, 62:437], 256, 256)[14:241, 14:241]
    assert np.array_equal(resize.preprocess(pixels, spec), expected)


def test_warp_keeps_the_whole_picture() -> None:
    pixels = random_pixels(30, 50, 3)
    spec = PreprocessSpec(8, 6, fit="warp")
    assert np.array_equal(resize.preprocess(pixels, spec), resize.resize(pixels, 8, 6))


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 300), st.integers(1, 300))
def test_crop_box_is_inside_centred_and_largest(width: int, height: int, a: int, b: int) -> None:
    left, top, right, bottom = resize.crop_box(width, height, PreprocessSpec(a, b))
    w, h = right - left, bottom - top
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert abs(left - (width - right)) <= 1
    assert abs(top - (height - bottom)) <= 1
    assert w == width or h == height
    assert w == 1 or h == 1 or (abs(w * b - h * a) < max(a, b))  # one pixel wider or higher would overshoot


def test_preprocess_grey_comes_first_and_single_channels_are_repeated() -> None:
    pixels = random_pixels(20, 20, 3)
    grey = resize.preprocess(pixels, PreprocessSpec(9, 9, channels=1))
    assert np.array_equal(grey, resize.resize(resize.to_grey(pixels), 9, 9))
    repeated = resize.preprocess(resize.to_grey(pixels), PreprocessSpec(9, 9))
    assert np.array_equal(repeated, np.repeat(grey, 3, axis=-1))


def test_preprocess_of_a_batch_is_preprocess_of_each() -> None:
    batch = random_pixels(3, 18, 31, 3)
    spec = PreprocessSpec(8, 10, resize_width=12, resize_height=11)
    result = resize.preprocess(batch, spec)
    assert np.array_equal(result, np.stack([resize.preprocess(pixels, spec) for pixels in batch]))
    assert result.flags.c_contiguous


def test_to_int8_subtracts_128() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_int8(pixels), np.arange(-128, 128))
    assert to_int8(pixels).dtype == np.int8


# Decoding -----------------------------------------------------------------------------------------------------


def test_decode_gives_the_pixels() -> None:
    pixels = random_pixels(5, 8, 3)
    assert np.array_equal(decode.decode(encoded(Image.fromarray(pixels))), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_decode_turns_pictures_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(random_pixels(4, 7, 3)), kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(decode.decode(data), expected)
    height, width = expected.shape[:2]
    assert decode.picture_size(data) == (width, height)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # pytest's own filters replace those of `images`
def test_decode_ignores_garbled_exif() -> None:
    pixels = np.full((8, 8, 3), 200, np.uint8)
    data = encoded(Image.fromarray(pixels), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f garbage")
    assert decode.decode(data).shape == (8, 8, 3)


def test_decode_lays_transparency_on_white() -> None:
    colour = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    decoded = decode.decode(encoded(Image.fromarray(colour, "RGBA")))
    assert decoded[0, :2].tolist() == [[10, 20, 30], [255, 255, 255]]
    assert abs(int(decoded[0, 2, 0]) - 127) <= 1
    grey = np.array([[[9, 255], [9, 0]]], np.uint8)
    assert decode.decode(encoded(Image.fromarray(grey, "LA")))[0, :, 0].tolist() == [9, 255]


def test_decode_palettes_with_and_without_a_transparent_colour() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([200, 0, 0, 0, 0, 100])
    assert decode.decode(encoded(image)).tolist() == [[[200, 0, 0], [0, 0, 100]]]
    transparent = encoded(image, transparency=1)
    assert decode.decode(transparent).tolist() == [[[200, 0, 0], [255, 255, 255]]]


def test_decode_scales_16_bit_grey() -> None:
    deep = np.array([[0, 257, 32_768, 65_535, 128, 129]], np.uint16)
    stored = {kind: encoded(Image.fromarray(deep), kind) for kind in ("PNG", "TIFF")}
    stored["PPM"] = encoded(Image.fromarray(deep.astype(np.int32)), "PPM")
    for kind, data in stored.items():
        assert decode.decode(data)[0, :, 0].tolist() == [0, 1, 128, 255, 0, 1], kind


def test_decode_32_bit_integers_and_floats() -> None:
    floats = Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32))
    assert decode.decode(encoded(floats, "TIFF"))[0, :, 0].tolist() == [0, 128, 255]
    wide = Image.fromarray(np.array([[0.0, 3.2, 255.0]], np.float32))
    assert decode.decode(encoded(wide, "TIFF"))[0, :, 0].tolist() == [0, 3, 255]
    integers = Image.fromarray(np.array([[0, 65_535]], np.int32))
    assert decode.decode(encoded(integers, "TIFF"))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("values", [[-1.0, 5.0], [np.nan, 1.0], [0.0, 1e9]])
def test_decode_refuses_values_without_a_scale(values: list[float]) -> None:
    data = encoded(Image.fromarray(np.array([values], np.float32)), "TIFF")
    with pytest.raises(ImageError, match="0 to 65535"):
        decode.decode(data, "odd.tif")


def test_decode_cmyk_and_grey_and_bilevel() -> None:
    white = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    assert (decode.decode(encoded(white, "JPEG")) >= 253).all()
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert (decode.decode(encoded(ink, "TIFF"))[..., 0] > decode.decode(encoded(ink, "TIFF"))[..., 1]).all()
    grey = random_pixels(4, 4)
    assert np.array_equal(decode.decode(encoded(Image.fromarray(grey)))[..., 2], grey)
    assert decode.decode(encoded(Image.new("1", (3, 2), 1))).tolist() == [[[255] * 3] * 3] * 2


def test_decode_takes_the_first_frame() -> None:
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.warns(Note, match="of which the first is used"):
        assert (decode.decode(data) == [255, 0, 0]).all()


BAD = {
    "empty": b"",
    "text": b"not a picture at all",
    "truncated-jpeg": JPEG[: len(JPEG) // 2],
    "truncated-png": PNG[:-30],
    "header-only": PNG[:20],
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("name", BAD)
def test_decode_names_the_bad_file(name: str) -> None:
    with pytest.raises(ImageError, match=f"{name}.jpg") as caught:
        decode.decode(BAD[name], f"{name}.jpg")
    assert "0x" not in str(caught.value)  # no addresses: the same text each time


def bomb(width: int, height: int) -> bytes:
    """Return a PNG whose header promises width × height pixels."""
    image = bytearray(encoded(Image.new("RGB", (1, 1))))
    image[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    image[29:33] = zlib.crc32(image[12:29]).to_bytes(4, "big")
    return bytes(image)


@pytest.mark.filterwarnings("ignore:Image size")  # pytest's own filters replace those of `images`
@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((20_000, 20_000), "more pixels than Pillow opens; expected a picture that takes 780 MB at most"),
        ((11_000, 10_500), "11000 × 10500 pixels of PNG, which take 817 MB to decode; expected at most 780 MB"),
        ((decode.MAX_SIDE + 1, 1), "65536 × 1 pixels; expected sides from 1 to 65,535"),
    ],
)
def test_decode_refuses_bombs_before_unpacking(size: tuple[int, int], message: str) -> None:
    for function in (decode.decode, decode.picture_size):
        with pytest.raises(ImageError, match=rf"big\.png has {message}; make it smaller"):
            function(bomb(*size), "big.png")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([PNG, JPEG]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8))
def test_decode_of_mutations_is_an_error_or_a_picture(data: bytes, changes: list[tuple[int, int]]) -> None:
    garbled = bytearray(data)
    for place, value in changes:
        garbled[place % len(garbled)] = value
    try:
        pixels = decode.decode(bytes(garbled), "mutant")
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3


def test_import_is_light() -> None:
    code = (
        "import sys; from sqz_tf.images import decode, find, resize;"
        "print([m for m in ('tensorflow', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# Finding files ------------------------------------------------------------------------------------------------


def tree(root: Path, *names: str, data: bytes = PNG) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name.endswith(".txt") else data)
    return root


def zipped(path: Path, *names: str, data: bytes = PNG) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    return path


def test_scan_class_folders(tmp_path: Path) -> None:
    tree(tmp_path, "dog/2.png", "cat/deep/1.JPG", "cat/b.webp", "dog/readme.txt", "notes.txt", ".hidden/x.png")
    found = scan(tmp_path)
    assert found.classes == ("cat", "dog")
    listed = [(entry.name, entry.label, entry.split) for entry in found.entries]
    assert listed == [("cat/b.webp", 0, None), ("cat/deep/1.JPG", 0, None), ("dog/2.png", 1, None)]
    assert found.notes == (
        "hidden, or left by systems and programs (.hidden): left out",
        "1 pictures lie deeper than their class's own folder (cat/deep): counted to the class",
        "2 files are no pictures by their names (2 × .txt): ignored",
    )
    assert found.read(found.entries[0]) == PNG


def test_scan_splits_on_top(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "train/b/2.png", "Val/a/3.png", "testing/b/4.png", "test/5.png")
    found = scan(tmp_path)
    assert found.classes == ("a", "b")
    assert {entry.name: entry.split for entry in found.entries} == {
        "train/a/1.png": "train",
        "train/b/2.png": "train",
        "Val/a/3.png": "validation",
        "testing/b/4.png": "test",
    }
    assert found.notes == ("1 pictures in test, which has no class folders: ignored",)


def test_scan_takes_a_class_called_train_for_a_class(tmp_path: Path) -> None:
    assert scan(tree(tmp_path, "bus/1.png", "train/2.png")).classes == ("bus", "train")


def test_scan_refuses_splits_beside_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train beside extra"):
        scan(tree(tmp_path, "train/a/1.png", "extra/2.png"))


def test_scan_flat_folder_has_no_labels(tmp_path: Path) -> None:
    found = scan(tree(tmp_path, "2.png", "1.png"))
    assert found.classes == ()
    assert [(entry.name, entry.label) for entry in found.entries] == [("1.png", None), ("2.png", None)]


def test_scan_reports_class_folders_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert scan(tree(tmp_path, "a/1.png", "words/1.txt")).empty_classes == ("empty", "words")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two\nlines", r"the class 'two\\nlines' in .* holds a line break"),
        ("two\x85lines", r"the class 'two\\x85lines' in .* holds a line break"),  # breaks for splitlines, not for C
        ("end\u2028", r"the class 'end\\u2028' in .* holds a line break"),
        ("caf\udce9", r"the class 'caf\\udce9' in .* not UTF-8.*; rename the folder"),  # Latin-1 bytes on the disk
        ("zebra ", r"the class 'zebra ' in .* has blanks around it; expected one line.*; rename the folder"),
        (" zebra", r"the class ' zebra' in .* has blanks around it"),
        ("\u3000", r"the class '\\u3000' in .* is empty"),
    ],
)
def test_scan_refuses_classes_that_are_no_line_of_text(name: str, message: str, tmp_path: Path) -> None:
    tree(tmp_path, "good/1.png")
    try:
        tree(tmp_path, f"{name}/2.png")
    except OSError as error:
        require(False, f"the file system takes no such name: {error}")
    with pytest.raises(DataError, match=message):
        scan(tmp_path)


def test_scan_refuses_two_names_that_look_the_same(tmp_path: Path) -> None:
    tree(tmp_path, "caf\u00e9/1.png", "cafe\u0301/2.png")
    if len(list(tmp_path.iterdir())) == 1:
        require(False, "the file system takes both spellings for one name")
    with pytest.raises(DataError, match=r"classes 'cafe\\u0301' and 'caf\\xe9' in .* one name.*; rename the folder"):
        scan(tmp_path)


def test_scan_refuses_a_label_in_a_csv_by_the_same_rule(tmp_path: Path) -> None:
    root = with_csv(tmp_path, 'file,label\na.png,"two\u2028lines"\nb.png,b\n')
    with pytest.raises(DataError, match=r"'two\\u2028lines' in .*labels\.csv holds a line break; .*; mend the label"):
        scan(root)


def test_scan_takes_names_in_any_script(tmp_path: Path) -> None:
    assert scan(tree(tmp_path, "café/1.png", "犬/2.png", "a b/3.png")).classes == ("a b", "café", "犬")


def test_scan_reads_wnids_from_folder_names(tmp_path: Path) -> None:
    found = scan(tree(tmp_path, "n01440764/1.png", "n02084071_dog/2.png", "other/3.png"))
    assert found.wnids == ("n01440764", "n02084071", "")


def test_scan_a_zip_like_its_folder(tmp_path: Path) -> None:
    names = ["cat/1.png", "cat/2.png", "dog/3.png"]
    folder = scan(tree(tmp_path / "photos", *names))
    for prefix in ("", "photos/"):
        archive = zipped(tmp_path / "photos.zip", *(prefix + name for name in names), "__MACOSX/cat/._1.png")
        found = scan(archive)
        assert found.classes == folder.classes
        assert [(e.name.removeprefix(prefix), e.label) for e in found.entries] == [
            (e.name, e.label) for e in folder.entries
        ]
        assert found.read(found.entries[2]) == PNG


def test_scan_a_zip_of_one_class_keeps_the_class(tmp_path: Path) -> None:
    assert scan(zipped(tmp_path / "a.zip", "cat/1.png", "cat/2.png")).classes == ("cat",)


def test_scan_a_zip_with_backslashes(tmp_path: Path) -> None:
    found = scan(zipped(tmp_path / "a.zip", "cat\\1.png", "dog\\2.png"))
    assert found.classes == ("cat", "dog")
    assert found.read(found.entries[1]) == PNG


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png", "a\\..\\e.png"])
def test_scan_refuses_paths_that_point_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="points outside"):
        scan(zipped(tmp_path / "a.zip", "cat/1.png", name))


def test_scan_refuses_an_encrypted_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "cat/1.png", "dog/2.png")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the general purpose flag of the last member
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.zip .*'dog/2\.png', which is encrypted"):
        scan(path)


def test_scan_refuses_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(f"cat/{number}.png", bytes(8 << 20))
    with pytest.raises(DataError, match=r"unpacks to 75,497,472 bytes, \d+ times its size; expected at most"):
        scan(path)


def test_scan_refuses_a_member_that_unpacks_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "MAX_FILE_BYTES", 10)
    packed = scan(zipped(tmp_path / "a.zip", "cat/1.png"))
    with pytest.raises(ImageError, match=r"cat/1\.png cannot be read \(it unpacks to .* expected at most 10"):
        packed.read(packed.entries[0])
    found = scan(tree(tmp_path / "folder", "cat/1.png"))
    with pytest.raises(ImageError, match=r"cat/1\.png cannot be read \(it is larger than 10 bytes"):
        found.read(found.entries[0])


def test_scan_refuses_what_is_no_zip(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.zip", "cat/1.png").read_bytes()
    for data in (b"", b"hello", whole[:-10]):
        (tmp_path / "bad.zip").write_bytes(data)
        with pytest.raises(DataError, match=r"bad.zip cannot be opened as a zip file"):
            scan(tmp_path / "bad.zip")


def test_a_damaged_zip_member_is_one_bad_picture(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "cat/1.png", "cat/2.png")
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF  # inside the first member: its checksum no longer fits
    path.write_bytes(data)
    found = scan(path)
    with pytest.raises(ImageError, match=r"cat/1\.png cannot be read"):
        found.read(found.entries[0])
    assert found.read(found.entries[1]) == PNG


def test_scan_refuses_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        scan(tmp_path / "absent")
    with pytest.raises(DataError, match=r"holds no pictures;"):
        scan(tmp_path)
    tree(tmp_path, "a/1.heic", data=b"?")
    with pytest.raises(DataError, match=r"holds no pictures, only 1 × .heic"):
        scan(tmp_path)
    with pytest.raises(DataError, match="is a file"):
        scan(tmp_path / "a" / "1.heic")


def test_scan_survives_a_link_to_its_own_folder(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    assert [entry.name for entry in scan(tmp_path).entries] == ["cat/1.png"]


# labels.csv -----------------------------------------------------------------------------------------------------


def with_csv(root: Path, text: str) -> Path:
    tree(root, "images/a.png", "images/b.png", "c.png")
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root


def test_labels_csv_with_numbers_and_wnids(tmp_path: Path) -> None:
    text = "\ufefffile,label,wnid\nimages/a.png,10,n00000010\nb.png,2,n00000002\n"
    found = scan(with_csv(tmp_path, text))
    assert found.classes == found.wnids == ("n00000002", "n00000010")
    assert found.label_numbers == (2, 10)
    assert [(e.name, e.label) for e in found.entries] == [("images/a.png", 1), ("images/b.png", 0)]
    assert found.notes == ("1 pictures are not in labels.csv: ignored",)


def test_labels_csv_with_names(tmp_path: Path) -> None:
    found = scan(with_csv(tmp_path, 'File, Label\nimages/a.png,"dog, small"\nc.png,cat\n\n'))
    assert found.classes == ("cat", "dog, small")
    assert found.label_numbers == ()
    assert [(e.name, e.label) for e in found.entries] == [("c.png", 0), ("images/a.png", 1)]


def test_labels_csv_in_a_zipped_folder(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/labels.csv", "file,label\nimages/a.png,7\n")
        archive.writestr("set/images/a.png", PNG)
    found = scan(path)
    assert found.classes == ("7",)
    assert found.read(found.entries[0]) == PNG


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na.png,1\n", "has columns name, label; expected file, label"),
        ("", r"has columns \(none\)"),
        ("file,label\n", "lists nothing"),
        ("file,label\nabsent.png,1\n", "line 2 of .* names 'absent.png'"),
        ("file,label\n../labels.csv,1\n", "line 2 of .* names"),
        ("file,label\na.png,\n", "line 2 of .* lacks a file or a label"),
        ("file,label\na.png,1\nimages/a.png,2\n", "line 3 of .* labels 'images/a.png' again"),
        ("file,label,wnid\na.png,1,n1\nb.png,1,n2\n", "gives label '1' wnid 'n2'; expected 'n1'"),
        ("file,label,wnid\na.png,1,n1\nb.png,2,n1\n", "one wnid to two labels"),
    ],
)
def test_labels_csv_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        scan(with_csv(tmp_path, text))


def test_only_a_table_that_is_read_sends_to_its_folder(tmp_path: Path) -> None:
    for name, words in (("train.csv", r"or a \.zip$"), ("Labels.CSV", "give .*, which it lies in$")):
        (tmp_path / name).write_text("file,label\n")
        with pytest.raises(DataError, match=words):
            scan(tmp_path / name)


def test_labels_csv_must_be_text(tmp_path: Path) -> None:
    root = with_csv(tmp_path, "")
    (root / "labels.csv").write_bytes(b"\xff\xfe\x00f\x00")
    with pytest.raises(DataError, match=r"cannot be read .*truncated.* expected UTF-8 text"):
        scan(root)


# Development data ---------------------------------------------------------------------------------------------


def test_scan_development_data() -> None:
    labelled = scan(dev_data("imagenet_dev"))
    assert len(labelled.entries) == 400
    assert labelled.wnids == labelled.classes
    assert dict(zip(labelled.wnids, labelled.label_numbers, strict=True))["n01440764"] == 0
    flat = scan(dev_data("imagenet_unlabelled"))
    assert len(flat.entries) == 250
    assert {entry.label for entry in flat.entries} == {None}
    pixels = decode.decode(flat.read(flat.entries[0]))
    assert resize.preprocess(pixels, PreprocessSpec(64, 64)).shape == (64, 64, 3)
