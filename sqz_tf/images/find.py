"""Finding pictures and their labels: folders, zip files, labels.csv."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqz_tf.base.errors import DataError
from sqz_tf.base.text import is_number
from sqz_tf.images.decode import ImageError
from sqz_tf.images.labels import refuse_illegal

MAX_FILE_BYTES = 1 << 30
"""Largest single picture file, in bytes, compressed or not."""
MAX_ZIP_BYTES = 64 << 30
"""Largest sum of uncompressed sizes in a zip file."""


MAX_ZIP_RATIO = 100
"""Largest ratio of uncompressed size to the zip file's size; pictures hardly shrink, bombs do."""


_SMALL_ZIP_BYTES = 64 << 20  # below this no ratio is a danger, and drawings of one colour do shrink a lot


EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *(
            "avif",
            "bmp",
            "dib",
            "gif",
            "ico",
            "j2k",
            "jfif",
            "jp2",
            "jpe",
            "jpeg",
            "jpg",
            "mpo",
            "pbm",
            "pcx",
        ),
        *("pgm", "png", "pnm", "ppm", "sgi", "tga", "tif", "tiff", "webp"),
    )
)


"""File names with these endings, in any case, are taken for pictures."""


# Pillow warns of half of MAX_PIXELS and of odd metadata without naming the file; what matters is an ImageError here.
warnings.filterwarnings("ignore", module=r"PIL\.")


_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


_CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Entry:
    """One picture file: path below the root, index into `ImageSet.classes`, split if folders give one."""

    name: str
    label: int | None = None
    split: str | None = None


class _Store(Protocol):
    """Files below one root: `names` of files and `folders`, both with `/` between parts."""

    names: list[str]
    folders: set[str]

    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class ImageSet:
    """Picture files and their labels, found by `scan`; nothing is decoded.

    `classes` are sorted names, or in the order of the numbers in labels.csv. Per class and only where known:
    `wnids` (WordNet ids, empty string for none) and `label_numbers` (the integers of labels.csv).
    `empty_classes` are class folders that hold no picture, `notes` what was left out and why.
    """

    root: Path
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    wnids: tuple[str, ...] = ()
    label_numbers: tuple[int, ...] = ()
    empty_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    store: _Store | None = field(default=None, repr=False, compare=False)

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of one picture file; safe to call from several threads.

        Raises:
          ImageError: it cannot be read, or is larger than MAX_FILE_BYTES.
        """
        assert self.store is not None
        try:
            data = self.store.read(entry.name)
        except Exception as error:  # zipfile adds zlib.error, NotImplementedError, RuntimeError to OSError
            raise ImageError(f"{entry.name} cannot be read ({error})", fix="replace or remove it") from error
        if len(data) > MAX_FILE_BYTES:
            raise ImageError(f"{entry.name} is larger than {MAX_FILE_BYTES:,} bytes", fix="make it smaller")
        return data


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: list[str] = []
        self.folders: set[str] = set()
        try:
            self._walk("", frozenset())
        except OSError as error:
            raise DataError(f"{root} cannot be listed ({error})", expected="a readable folder") from error

    def _walk(self, prefix: str, above: frozenset[str]) -> None:
        real = os.path.realpath(self.root / prefix)
        if real in above:  # a link to a folder that holds it
            return
        for item in sorted(os.scandir(self.root / prefix), key=lambda found: found.name):
            if _is_clutter(item.name):
                continue
            if item.is_dir():
                self.folders.add(prefix + item.name)
                self._walk(f"{prefix}{item.name}/", above | {real})
            elif item.is_file():
                self.names.append(prefix + item.name)

    def read(self, name: str) -> bytes:
        with open(self.root / name, "rb") as file:
            return file.read(MAX_FILE_BYTES + 1)


class _Zip:
    def __init__(self, path: Path) -> None:
        try:
            self.archive = zipfile.ZipFile(path)
        except Exception as error:  # BadZipFile, OSError, NotImplementedError, struct.error
            raise DataError(f"{path} cannot be opened as a zip file ({error})", expected="a whole .zip") from error
        self.members = {info.filename.replace("\\", "/"): info for info in self.archive.infolist()}
        _refuse_hostile(path, self.members)
        kept = sorted(name for name in self.members if not any(map(_is_clutter, name.split("/"))))
        self.names = [name for name in kept if not name.endswith("/")]
        self.folders = {name.rstrip("/") for name in kept if name.endswith("/")}
        self.folders |= {name.rsplit("/", 1)[0] for name in self.names if "/" in name}

    def read(self, name: str) -> bytes:
        return self.archive.read(self.members[name])


def _refuse_hostile(path: Path, members: dict[str, zipfile.ZipInfo]) -> None:
    for name, info in members.items():
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise DataError(
                f"{path} holds {info.filename!r}, which points outside",
                expected="paths below the archive's root",
                fix="make the zip file again",
            )
        if info.flag_bits & 1:
            raise DataError(f"{name} in {path} is encrypted", fix="make the zip file again without a password")
        if info.file_size > MAX_FILE_BYTES:
            raise DataError(
                f"{name} in {path} unpacks to {info.file_size:,} bytes",
                expected=f"at most {MAX_FILE_BYTES:,}",
            )
    total = sum(info.file_size for info in members.values())
    ratio = total / max(1, path.stat().st_size)
    if total > MAX_ZIP_BYTES or (total > _SMALL_ZIP_BYTES and ratio > MAX_ZIP_RATIO):
        raise DataError(
            f"{path} unpacks to {total:,} bytes, {ratio:.0f} times its size",
            expected=f"at most {MAX_ZIP_BYTES:,} bytes and {MAX_ZIP_RATIO} times",
            fix="unpack it yourself if you trust it, and give the folder",
        )


def _is_clutter(part: str) -> bool:
    return part.startswith(".") or part in _CLUTTER


def scan(path: Path | str) -> ImageSet:
    """List the pictures below a folder or in a `.zip`, with their labels.

    Layouts: one folder per class, with or without train/val/test on top; `labels.csv` (columns file, label and
    maybe wnid) with the files beside it or in `images/`; or a flat folder of pictures without labels.

    Raises:
      DataError: nothing there, no picture in it, a zip that is none or hostile, labels that do not fit, a class whose
        name is no legal label.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist", expected="a folder of pictures or a .zip")
    if not path.is_dir() and path.suffix.lower() != ".zip":
        raise DataError(f"{path} is a file", expected="a folder of pictures or a .zip")
    store: _Store = _Folder(path) if path.is_dir() else _Zip(path)
    pictures = [name for name in store.names if _extension(name) in EXTENSIONS]
    base = _wrapper(store.names, pictures) if path.is_file() else ""
    others = [name for name in store.names if _extension(name) not in EXTENSIONS and name != base + "labels.csv"]
    if not pictures:
        raise DataError(
            f"{path} holds no pictures" + (f", only {_count_extensions(others)}" if others else ""),
            expected="files such as .jpg or .png",
            fix="put the pictures of each class in a folder of their own",
        )
    if base + "labels.csv" in store.names:
        where = f"{path / base}/labels.csv" if path.is_dir() else f"{base}labels.csv in {path}"
        found = _from_csv(where, store, base, pictures)
        refuse_illegal(found["classes"], where, "mend the label there")
    else:
        found = _from_folders(path, store, base, pictures)
        refuse_illegal(found["classes"], str(path), "rename the folder")
    if others:
        noun = "file is no picture by its name" if len(others) == 1 else "files are no pictures by their names"
        found["notes"] = (*found["notes"], f"{len(others)} {noun} ({_count_extensions(others)}): ignored")
    return ImageSet(root=path, store=store, **found)


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _count_extensions(names: list[str]) -> str:
    counts = Counter(_extension(name) or "no extension" for name in names)
    return ", ".join(f"{count} × {extension}" for extension, count in sorted(counts.items()))


def _wrapper(names: list[str], pictures: list[str]) -> str:
    """Return the one folder around everything that zipping a folder leaves, as `NAME/`, or nothing."""
    tops = {name.split("/")[0] for name in pictures}
    if len(tops) != 1 or not all("/" in name for name in pictures):
        return ""
    top = tops.pop()
    deep = all(name.count("/") >= 2 for name in pictures) and top.lower() not in _SPLITS
    return f"{top}/" if deep or f"{top}/labels.csv" in names else ""


def _from_folders(path: Path, store: _Store, base: str, pictures: list[str]) -> dict[str, Any]:
    """Read labels and splits from the folders' names."""
    parts = {name: name[len(base) :].split("/") for name in pictures}
    tops = {each[0] for each in parts.values() if len(each) > 1}
    splits = {each[0] for each in parts.values() if len(each) > 2 and each[0].lower() in _SPLITS}
    if not tops:
        return {"classes": (), "entries": tuple(map(Entry, pictures)), "notes": ()}
    strangers = sorted(top for top in tops if top.lower() not in _SPLITS)
    if splits and strangers:
        raise DataError(
            f"{path} has {', '.join(sorted(splits))} beside {', '.join(strangers[:3])}",
            expected="either train, val and test or the class folders on top",
            fix="move or rename the others",
        )
    level = 1 if splits else 0
    labelled = {name: each for name, each in parts.items() if len(each) > level + 1}
    classes = tuple(sorted({each[level] for each in labelled.values()}))
    index = {name: position for position, name in enumerate(classes)}
    loose = len(pictures) - len(labelled)
    return {
        "classes": classes,
        "entries": tuple(
            Entry(name, index[each[level]], _SPLITS[each[0].lower()] if splits else None)
            for name, each in labelled.items()
        ),
        "wnids": _wnids(classes),
        "empty_classes": _empty_classes(store.folders, base, level, classes),
        "notes": (f"{loose} pictures lie in no class folder: ignored",) if loose else (),
    }


def _wnids(classes: Iterable[str]) -> tuple[str, ...]:
    """Read the WordNet ids of classes named `n01440764` or `n01440764…`; nothing if no class has one."""
    matches = [_WNID.match(name) for name in classes]
    return tuple(match.group() if match else "" for match in matches) if any(matches) else ()


def _empty_classes(folders: set[str], base: str, level: int, classes: tuple[str, ...]) -> tuple[str, ...]:
    parts = [name[len(base) :].split("/") for name in folders if name.startswith(base)]
    named = {each[level] for each in parts if len(each) == level + 1}
    return tuple(sorted(named - set(classes)))


def _from_csv(where: str, store: _Store, base: str, pictures: list[str]) -> dict[str, Any]:
    """Read labels from `labels.csv`."""
    known = set(pictures)
    labels: dict[str, str] = {}
    wnids: dict[str, str] = {}
    for line, row in _csv_rows(where, _csv_text(where, store, base + "labels.csv")):
        name = _listed(known, base, row["file"])
        if name is None:
            raise DataError(
                f"line {line} of {where} names {row['file']!r}", expected="a picture beside it or in images/"
            )
        label, wnid = row["label"], row.get("wnid", "")
        label = str(int(label)) if is_number(label) else label
        if labels.setdefault(name, label) != label:
            raise DataError(f"line {line} of {where} labels {row['file']!r} again", expected="one label a picture")
        if wnids.setdefault(label, wnid) != wnid:
            raise DataError(
                f"line {line} of {where} gives label {label!r} wnid {wnid!r}", expected=f"{wnids[label]!r} again"
            )
    if len({wnid for wnid in wnids.values() if wnid}) < sum(map(bool, wnids.values())):
        raise DataError(f"{where} gives one wnid to two labels", expected="one each")
    return _labelled(labels, wnids, where, len(pictures) - len(labels))


def _csv_text(where: str, store: _Store, name: str) -> str:
    try:
        return store.read(name).decode("utf-8-sig")
    except Exception as error:  # as in ImageSet.read
        raise DataError(f"{where} cannot be read ({error})", expected="UTF-8 text") from error


def _csv_rows(where: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Walk the cells of labels.csv by column name, with their line numbers."""
    lines = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        columns = [name.strip().lower() for name in next(lines, [])]
        if not {"file", "label"} <= set(columns):
            raise DataError(
                f"{where} has columns {', '.join(columns) or '(none)'}", expected="file, label and maybe wnid"
            )
        for cells in filter(any, lines):
            row = dict(zip(columns, map(str.strip, cells), strict=False))
            if not row.get("file") or not row.get("label"):
                raise DataError(f"line {lines.line_num} of {where} lacks a file or a label", expected="both")
            yield lines.line_num, row
    except csv.Error as error:
        raise DataError(f"line {lines.line_num} of {where} is no CSV ({error})", expected="file,label") from error


def _listed(known: set[str], base: str, name: str) -> str | None:
    name = name.replace("\\", "/").removeprefix("./")
    return next((full for full in (base + name, f"{base}images/{name}") if full in known), None)


def _labelled(labels: dict[str, str], wnids: dict[str, str], where: str, unlisted: int) -> dict[str, Any]:
    """Turn the cells of labels.csv into classes in order, and entries."""
    if not labels:
        raise DataError(f"{where} lists nothing", expected="one line a picture")
    numeric = all(map(is_number, wnids))
    order = sorted(wnids, key=int) if numeric else sorted(wnids)
    index = {label: position for position, label in enumerate(order)}
    names = [wnids[label] or label for label in order] if numeric else order
    return {
        "classes": tuple(names),
        "entries": tuple(Entry(name, index[label]) for name, label in sorted(labels.items())),
        "wnids": tuple(wnids[label] for label in order) if any(wnids.values()) else _wnids(names),
        "label_numbers": tuple(map(int, order)) if numeric else (),
        "notes": (f"{unlisted} pictures are not in labels.csv: ignored",) if unlisted else (),
    }
