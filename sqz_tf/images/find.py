"""Finding pictures and their labels: folders, zip files, labels.csv."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from converters.archive import Archive, ArchiveError
from sqz_tf.base.errors import DataError
from sqz_tf.base.folders import read_inside, walk
from sqz_tf.base.text import MOST_DIGITS, is_number
from sqz_tf.images.budget import MAX_FILE_BYTES
from sqz_tf.images.decode import ImageError
from sqz_tf.images.formats import extensions
from sqz_tf.images.labels import refuse_illegal

MAX_ZIP_BYTES = 64 << 30
"""Largest sum of uncompressed sizes in a zip file."""
MAX_ZIP_RATIO = 100
"""Largest ratio of uncompressed size to the zip file's size; pictures hardly shrink, bombs do."""
_SMALL_ZIP_BYTES = 64 << 20  # below this no ratio is a danger, and drawings of one colour do shrink a lot
_MAX_CSV_BYTES = 64 << 20  # over a million lines


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
    """Files below one root: `names` of files and `folders`, both with `/` between parts; `notes` what is left out."""

    names: tuple[str, ...]
    folders: set[str]
    notes: tuple[str, ...]

    def size(self, name: str) -> int:
        """Return the bytes that `read` will give at most."""

    def read(self, name: str, most: int) -> bytes:
        """Return a file's bytes, or raise nearly anything if it has more than `most`."""


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

    def size(self, entry: Entry) -> int:
        """Return how many bytes `read` will give; 0 if it will raise."""
        assert self.store is not None
        try:
            return min(self.store.size(entry.name), MAX_FILE_BYTES)
        except OSError:
            return 0

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of one picture file; safe to call from several threads.

        Raises:
          ImageError: it cannot be read, or is larger than MAX_FILE_BYTES.
        """
        assert self.store is not None
        try:
            return self.store.read(entry.name, MAX_FILE_BYTES)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ImageError(f"{entry.name} cannot be read ({reason})", fix="replace or remove it") from error


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        found = walk(root, skip=_is_clutter)
        self.names, self.folders, self.notes = found.files, set(found.folders), found.notes

    def size(self, name: str) -> int:
        return os.stat(self.root / name).st_size

    def read(self, name: str, most: int) -> bytes:
        return read_inside(self.root, name, most)


class _Zip:
    def __init__(self, path: Path) -> None:
        try:
            self.archive = Archive(path, MAX_ZIP_BYTES)
        except ArchiveError as error:
            raise DataError(
                f"{path} cannot be opened as a zip file ({error})",
                expected="a whole .zip of pictures",
                fix="make the zip file again, or unpack it yourself if you trust it and give the folder",
            ) from error
        _refuse_bomb(path, self.archive.sizes)
        kept = sorted(name for name in self.archive.sizes if not any(map(_is_clutter, name.split("/"))))
        self.names = tuple(name for name in kept if not name.endswith("/"))
        self.folders = {name.rstrip("/") for name in kept if name.endswith("/")}
        self.folders |= {name.rsplit("/", 1)[0] for name in self.names if "/" in name}
        self.notes: tuple[str, ...] = ()

    def size(self, name: str) -> int:
        return self.archive.sizes[name]

    def read(self, name: str, most: int) -> bytes:
        return self.archive.read(name, most)


def _refuse_bomb(path: Path, sizes: Mapping[str, int]) -> None:
    """Refuse an archive that is far smaller than what it holds: no more than it declares can come out."""
    total = sum(sizes.values())
    ratio = total / max(1, path.stat().st_size)
    if total > _SMALL_ZIP_BYTES and ratio > MAX_ZIP_RATIO:
        raise DataError(
            f"{path} unpacks to {total:,} bytes, {ratio:.0f} times its size",
            expected=f"at most {MAX_ZIP_RATIO} times",
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
    endings = extensions()
    pictures = [name for name in store.names if _extension(name) in endings]
    base = _wrapper(store.names, pictures) if path.is_file() else ""
    others = [name for name in store.names if _extension(name) not in endings and name != base + "labels.csv"]
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
    found["notes"] = (*store.notes, *found["notes"])
    if others:
        noun = "file is no picture by its name" if len(others) == 1 else "files are no pictures by their names"
        found["notes"] = (*found["notes"], f"{len(others)} {noun} ({_count_extensions(others)}): ignored")
    return ImageSet(root=path, store=store, **found)


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _count_extensions(names: list[str]) -> str:
    counts = Counter(_extension(name) or "no extension" for name in names)
    return ", ".join(f"{count} × {extension}" for extension, count in sorted(counts.items()))


def _wrapper(names: Sequence[str], pictures: list[str]) -> str:
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
        label = _label(where, line, label)
        if labels.setdefault(name, label) != label:
            raise DataError(f"line {line} of {where} labels {row['file']!r} again", expected="one label a picture")
        if wnids.setdefault(label, wnid) != wnid:
            raise DataError(
                f"line {line} of {where} gives label {label!r} wnid {wnid!r}", expected=f"{wnids[label]!r} again"
            )
    if len({wnid for wnid in wnids.values() if wnid}) < sum(map(bool, wnids.values())):
        raise DataError(f"{where} gives one wnid to two labels", expected="one each")
    return _labelled(labels, wnids, where, len(pictures) - len(labels))


def _label(where: str, line: int, text: str) -> str:
    """Return a label, a number without leading zeros."""
    if not text.isdecimal():
        return text
    if len(text) > MOST_DIGITS:
        raise DataError(
            f"line {line} of {where} has a label of {len(text):,} digits",
            expected=f"a number of at most {MOST_DIGITS} digits, or a name",
            fix="mend the label there",
        )
    return str(int(text))


def _csv_text(where: str, store: _Store, name: str) -> io.TextIOWrapper:
    try:
        return io.TextIOWrapper(io.BytesIO(store.read(name, _MAX_CSV_BYTES)), "utf-8-sig", newline="")
    except (OSError, ValueError) as error:
        raise DataError(f"{where} cannot be read ({error})", expected="UTF-8 text") from error


def _csv_rows(where: str, text: io.TextIOWrapper) -> Iterator[tuple[int, dict[str, str]]]:
    """Walk the cells of labels.csv by column name, with their line numbers."""
    lines = csv.reader(text, skipinitialspace=True)
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
    except UnicodeDecodeError as error:
        raise DataError(f"{where} cannot be read ({error})", expected="UTF-8 text") from error


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
