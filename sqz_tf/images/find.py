"""Finding pictures and their labels: folders, zip files, labels.csv."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from converters import foreign
from sqz_tf.base.errors import DataError, noting
from sqz_tf.base.text import is_number
from sqz_tf.images.budget import MAX_FILE_BYTES
from sqz_tf.images.clutter import Masks, mask_note, masks_of, thumbnail_note, thumbnails
from sqz_tf.images.decode import REPLACE, ImageError
from sqz_tf.images.doubts import class_notes
from sqz_tf.images.foreign import foreign_format
from sqz_tf.images.kinds import Sorted, archives_among, count_extensions, others_note, sort_files
from sqz_tf.images.labels import cases_note, refuse_illegal
from sqz_tf.images.layout import MASKS, NOT_CLASSES, read_layout
from sqz_tf.images.listing import read_listing
from sqz_tf.images.split_names import PLAIN, parse_splits, shown, split_of
from sqz_tf.images.stores import TABLE, Store, open_store

_MAX_CSV_BYTES = 64 << 20  # over a million lines
_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Entry:
    """One picture file: path below the root, index into `ImageSet.classes`, split if folders or labels.csv give one."""

    name: str
    label: int | None = None
    split: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a person says of how pictures are to be read.

    `splits`: `none` if the folders on top are the classes, or `train=FOLDER,test=FOLDER`; empty to recognise them.
    `zip_encoding` of names in a `.zip` that does not say it. Without `labelled`, labels are not looked for.
    """

    splits: str = ""
    zip_encoding: str = ""
    labelled: bool = True


@dataclass(frozen=True)
class ImageSet:
    """Picture files and their labels, found by `scan`; nothing is decoded.

    `classes` are sorted names, or in the order of the numbers in labels.csv. Per class and only where known:
    `wnids` (WordNet ids, empty string for none) and `label_numbers` (the integers of labels.csv).
    `empty_classes` are class folders that hold no picture, `notes` what was taken for what, what was left out and why.
    """

    root: Path
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    wnids: tuple[str, ...] = ()
    label_numbers: tuple[int, ...] = ()
    empty_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    store: Store | None = field(default=None, repr=False, compare=False)

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
            raise ImageError(f"{entry.name} cannot be read ({reason})", fix=REPLACE) from error


def scan(path: Path | str, reading: Reading = Reading()) -> ImageSet:
    """List the pictures below a folder or in a `.zip`, with their labels.

    Layouts: one folder per class, with or without splits on top or inside each class; `labels.csv` with the files
    beside it; or a flat folder of pictures without labels. docs/how-to/your-pictures.md has the table.

    Raises:
      DataError: nothing there, no picture in it, a zip that is none or hostile, labels that do not fit or cannot be
        told, a class whose name is no legal label. It carries the notes on what was left out.
      ConfigError: `reading` says something that cannot be.
    """
    path, said = Path(path), parse_splits(reading.splits)
    store = open_store(path, reading.zip_encoding)
    with noting(store.notes):
        files = sort_files(store)
        small, masks = thumbnails(files.pictures), masks_of(files.pictures)
        pictures = tuple(name for name in files.pictures if name not in small and name not in masks.sure)
        base = _wrapper(store.names, pictures)
        listed = _listed_at(store.names, base) if reading.labelled and said is None else None
        others = [name for name in files.others if name != listed]
        told = [name for name in others if name not in files.unread]
        notes = (*store.notes, *files.notes)
        aside = (*thumbnail_note(small), *mask_note(masks.sure, masks.doubtful))
        ends = others_note(told)
    with noting((*notes, *(() if listed else aside), *ends)):
        _refuse_nothing(path, pictures, others)
        if not reading.labelled:
            found = ImageSet(path, (), tuple(map(Entry, pictures)))
        elif listed:
            found = _from_csv(path, store, listed, pictures, (*small, *masks.sure))
            aside = _aside_note(small, masks, {entry.name for entry in found.entries})
        else:
            found = _from_folders(path, store, replace(files, pictures=pictures), said)
    return replace(found, store=store, notes=(*store.notes, *found.notes, *files.notes, *aside, *ends))


def _aside_note(small: Mapping[str, str], masks: Masks, listed: set[str]) -> tuple[str, ...]:
    """Say what was left out that a table does not list."""
    left = {name: folder for name, folder in small.items() if name not in listed}
    return (*thumbnail_note(left), *mask_note(masks.sure - listed, ()))


def _refuse_nothing(path: Path, pictures: Sequence[str], others: list[str]) -> None:
    if pictures:
        return
    inside = "unpack the archives in it, and " if archives_among(others) else ""
    raise DataError(
        f"{path} holds no pictures" + (f", only {count_extensions(others)}" if others else ""),
        expected="files such as .jpg or .png",
        fix=f"{inside}put the pictures of each class in a folder of their own",
    )


def _wrapper(names: Iterable[str], pictures: Sequence[str]) -> str:
    """Return the one folder around all pictures that has a labels.csv, as `NAME/`, or nothing."""
    tops = {name.split("/")[0] for name in pictures}
    if len(tops) != 1 or not all("/" in name for name in pictures):
        return ""
    top = f"{tops.pop()}/"
    return top if _listed_at(names, top) else ""


def _listed_at(names: Iterable[str], base: str) -> str | None:
    """Return the labels.csv in a folder, however it is spelt."""
    spelt = [name for name in names if name.startswith(base) and name[len(base) :].lower() == TABLE]
    return max(spelt, default=None)


def _from_csv(path: Path, store: Store, listed: str, pictures: Sequence[str], aside: Sequence[str]) -> ImageSet:
    """Read labels from `labels.csv`; `aside` are pictures that count only if it lists them."""
    where = f"{path}/{listed}" if path.is_dir() else f"{listed} in {path}"
    try:
        raw = store.read(listed, _MAX_CSV_BYTES)
    except (OSError, ValueError) as error:
        raise DataError(f"{where} cannot be read ({error})", expected="UTF-8 text") from error
    if foreign.is_pointer(raw):
        raise DataError(f"{where} is {foreign.LEFT}", expected="the table", fix=foreign.PULL)
    found = read_listing(where, raw, listed[: -len(TABLE)], pictures, aside)
    labels, wnids = found.labels, found.wnids
    numeric = all(map(is_number, wnids))
    order = sorted(wnids, key=int) if numeric else sorted(wnids)
    index = {label: position for position, label in enumerate(order)}
    names = [wnids[label] or label for label in order] if numeric else order
    with noting(found.notes):
        refuse_illegal(names, where, "mend the label there")
    return ImageSet(
        root=path,
        classes=tuple(names),
        entries=tuple(Entry(name, index[label], found.splits.get(name)) for name, label in sorted(labels.items())),
        wnids=tuple(wnids[label] for label in order) if any(wnids.values()) else _wnids(names),
        label_numbers=tuple(map(int, order)) if numeric else (),
        notes=(*found.notes, *_folders_note(labels, listed[: -len(TABLE)]), *cases_note(names), *class_notes(names)),
    )


def _folders_note(names: Iterable[str], base: str) -> tuple[str, ...]:
    """Say that folders which may be classes are none."""
    tops = {top for name in names for top, slash, _ in [name.removeprefix(base).partition("/")] if slash}
    if len(tops) < 2 or all(map(split_of, tops)):
        return ()
    return (f"labels are taken from labels.csv, not from the folders ({shown(tops)})",)


def _from_folders(path: Path, store: Store, files: Sorted, said: dict[str, str] | None) -> ImageSet:
    """Read labels and splits from the folders' names."""
    boxed = foreign_format(files)
    if not any("/" in name for name in files.pictures):
        notes = (f"it looks like {boxed}",) if boxed else ()
        return ImageSet(path, (), tuple(map(Entry, files.pictures)), notes=notes)
    try:
        layout = read_layout(str(path), files.pictures, store.folders, said, wrapped=path.is_file())
    except DataError as error:
        if boxed:
            raise _boxes(path, boxed) from error
        raise
    classes = tuple(sorted({label for _, label in layout.places.values()}))
    if boxed and said is None and {name.casefold() for name in classes} <= NOT_CLASSES | MASKS | set(PLAIN):
        raise _boxes(path, boxed)
    boxes = (f"warning: it looks like {boxed}: the folders are taken for classes",) if boxed else ()
    with noting(layout.notes):
        refuse_illegal(classes, str(path), "rename the folder")
    index = {name: position for position, name in enumerate(classes)}
    return ImageSet(
        root=path,
        classes=classes,
        entries=tuple(Entry(name, index[label], split) for name, (split, label) in layout.places.items()),
        wnids=_wnids(classes),
        empty_classes=layout.empty,
        notes=(*layout.notes, *boxes, *cases_note(classes), *class_notes(classes)),
    )


def _boxes(path: Path, boxed: str) -> DataError:
    return DataError(
        f"{path} looks like {boxed}",
        expected="one folder per class, or labels.csv: a label for each whole picture",
        fix="cut the objects out of the pictures into a folder for each class",
    )


def _wnids(classes: Iterable[str]) -> tuple[str, ...]:
    """Read the WordNet ids of classes named `n01440764` or `n01440764…`; nothing if no class has one."""
    matches = [_WNID.match(name) for name in classes]
    return tuple(match.group() if match else "" for match in matches) if any(matches) else ()
