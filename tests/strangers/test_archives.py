"""Zip files from anyone: no more comes out than they may hold, whatever they say of themselves."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from converters import archive
from converters.android_assets import android_assets
from converters.archive import Archive, ArchiveError
from converters.tflite.writer import read_attached
from converters.weights import torch_file
from sqz_tf.base.errors import DataError
from sqz_tf.images.decode import ImageError, decode
from sqz_tf.images.find import scan
from sqz_tf.inference.model_file import ModelError, read
from tests.helpers import echo_models

LARGE = 48 << 20  # bytes that a bomb unpacks to
NAME = "labels.txt"


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as file:
        for name, data in files:
            file.writestr(zipfile.ZipInfo(name), data, method)
    return whole.getvalue()


def declaring(data: bytes, size: int) -> bytes:
    """Return an archive of one member whose directory declares another size for it."""
    changed = bytearray(data)
    struct.pack_into("<I", changed, changed.rindex(b"PK\1\2") + 24, size)
    return bytes(changed)


def overlapping() -> bytes:
    """Return an archive whose two members have their bytes in common."""
    changed = bytearray(zipped(("a.png", bytes(1000)), ("b.png", bytes(1000))))
    second = changed.rindex(b"PK\1\2")
    struct.pack_into("<I", changed, second + 42, 0)  # where its local header is
    return bytes(changed)


def inside_another() -> bytes:
    """Return an archive with a member inside the bytes of a larger one."""
    inner = zipped(("b.png", b"x" * 100), method=zipfile.ZIP_STORED)
    changed = bytearray(zipped(("a.png", inner), ("b.png", b"x" * 100), method=zipfile.ZIP_STORED))
    struct.pack_into("<I", changed, changed.rindex(b"PK\1\2") + 42, changed.index(b"PK\3\4", 4))
    return bytes(changed)


def damaged(data: bytes) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<I", changed, changed.rindex(b"PK\1\2") + 16, 12345)  # the checksum
    return bytes(changed)


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return zipped(("a.png", b"1"), ("a.png", b"2"))


BOMB = zipped((NAME, bytes(LARGE)))
HOSTILE: dict[str, Callable[[], bytes]] = {
    "declares ten bytes": lambda: declaring(BOMB, 10),
    "declares nothing": lambda: declaring(BOMB, 0),
    "declares less than the limit": lambda: declaring(BOMB, 999_999),
    "declares more than it holds": lambda: declaring(zipped((NAME, b"short")), 1000),
    "declares the truth": lambda: BOMB,
    "wrong checksum": lambda: damaged(zipped((NAME, b"text"))),
    "members on one another": overlapping,
    "a member inside another": inside_another,
    "a name twice": twice,
    "names that a NUL makes equal": lambda: zipped(("a.pngXx", b"1"), ("a.pngXy", b"2")).replace(b"pngX", b"png\0"),
    "two spellings of a path": lambda: zipped(("a/b.png", b"1"), ("a\\b.png", b"2")),
    "bzip2, which unpacks 45 MB from 40 bytes": lambda: zipped((NAME, bytes(LARGE)), method=zipfile.ZIP_BZIP2),
    "lzma": lambda: zipped((NAME, bytes(LARGE)), method=zipfile.ZIP_LZMA),
}


def _read_all(data: bytes) -> None:
    with Archive(data, 1 << 20) as found:
        for name in found.sizes:
            found.read(name, 1 << 20)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("which", HOSTILE)
def test_a_hostile_archive_is_refused_in_little_memory(which: str) -> None:
    data = HOSTILE[which]()
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError) as caught:
            _read_all(data)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_an_archive_with_an_endless_directory_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = zipped(*((f"{number}.png", b"") for number in range(3000)))
    assert len(Archive(whole, 0).sizes) == 3000
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 100_000)
    with pytest.raises(ArchiveError, match=r"directory has over 100,000 bytes"):
        Archive(whole, 0)


def test_an_archive_with_ordinary_members_is_read() -> None:
    files = [("a/b.png", b"x" * 200_000), ("c.txt", b""), ("é.png", b"y")]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with Archive(b"before" + zipped(*files, method=method), 1 << 20) as found:
            assert {name: found.read(name, 1 << 20) for name in found.sizes} == dict(files)


def test_an_archive_in_itself_is_never_opened(tmp_path: Path) -> None:
    quine = zipped(("cat/1.png", zipped(("cat/1.png", b"?"))), ("dog/again.zip", b"PK\3\4"), ("dog/1.png", b""))
    (tmp_path / "a.zip").write_bytes(quine)
    found = scan(tmp_path / "a.zip")
    assert [entry.name for entry in found.entries] == ["cat/1.png", "dog/1.png"]
    with pytest.raises(ImageError, match=r"cat/1\.png cannot be decoded"):
        decode(found.read(found.entries[0]), "cat/1.png")


@pytest.mark.parametrize("which", ["members on one another", "a member inside another", "two spellings of a path"])
def test_pictures_in_a_hostile_archive_are_refused_when_it_is_listed(which: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(HOSTILE[which]())
    with pytest.raises(DataError, match=r"a\.zip cannot be opened as a zip file \(.*(shares bytes|twice)"):
        scan(tmp_path / "a.zip")


def test_a_picture_that_unpacks_to_more_than_declared_is_one_bad_picture(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(declaring(zipped(("cat/1.png", bytes(LARGE))), 10))
    found = scan(tmp_path / "a.zip")
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"cat/1\.png cannot be read \(Bad CRC"):
            found.read(found.entries[0])
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("which", HOSTILE)
def test_a_hostile_archive_behind_a_model_is_refused_everywhere(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("converters.tflite.writer.LARGEST_ATTACHED", "sqz_tf.inference.model_file._LARGEST_ATTACHED"):
        monkeypatch.setattr(module, 1 << 20)
    behind = Path(tmp_path, "model.tflite")
    behind.write_bytes(echo_models.model() + HOSTILE[which]())
    with pytest.raises(ValueError, match="attached"):
        read_attached(behind.read_bytes())
    with pytest.raises(ValueError, match="attached"):
        android_assets({"model": behind.read_bytes()})
    with pytest.raises(ModelError, match=r"damaged|carries no"):
        read(behind)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("which", HOSTILE)
def test_a_hostile_checkpoint_is_refused(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_file, "MAX_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="cut short or damaged"):
        torch_file.read(HOSTILE[which]())
