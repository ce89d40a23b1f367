"""Which files are pictures: by their names where those say so, else by what they begin with."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqz_tf.base.text import some
from sqz_tf.images.clutter import clutter_note, programs_folders
from sqz_tf.images.formats import extensions, looks_like, needed, of_packages
from sqz_tf.images.stores import Store

_RAW = "nef nrw cr2 cr3 crw dng arw srf sr2 orf rw2 raf pef srw x3f 3fr iiq mos mrw erf kdc dcr rwl raw gpr"
"""Raw pictures of cameras, many of which are TIFF files with a thumbnail in front."""
_COPIES = "bak old orig tmp part crdownload download jpg_original thm mov mp4 avi"
"""Copies that programs leave; films, and their thumbnails."""
_NEVER = frozenset(f".{ending}" for ending in f"{_RAW} {_COPIES} zip rar 7z tar gz tgz csv json xml db psd".split())
_TABLES = frozenset({".csv", ".tsv"})
_ARCHIVES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})


@dataclass(frozen=True)
class Sorted:
    """Paths of pictures, and of files that are none, in order; and what to say of both.

    `unread` are those of `others` that a package would read which is not installed, as `notes` say.
    """

    pictures: tuple[str, ...]
    others: tuple[str, ...]
    notes: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


def extension(name: str) -> str:
    """Return the ending of a file's name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def sort_files(store: Store) -> Sorted:
    """Tell pictures from other files."""
    endings = extensions()
    lacking = of_packages()
    by_content, missing, pictures, others = [], dict[str, tuple[str, str]](), [], []
    made = programs_folders(store.names)
    theirs = tuple(f"{folder}/" for folder in made)
    for name in store.names:
        if name.startswith(theirs):
            continue
        ending = extension(name)
        if ending in endings:
            pictures.append(name)
        elif ending in lacking:
            missing[name] = ending, lacking[ending]
            others.append(name)
        elif ending not in _NEVER and looks_like(head := store.head(name), store.size(name)):
            pictures.append(name)
            by_content.append(name)
        else:
            others.append(name)
            if ending not in _NEVER and (package := needed(head)):
                missing[name] = ending, package
    left_out = Counter(folder.rpartition("/")[2] for folder in made)
    notes = (*clutter_note(left_out), *_content_note(by_content), *_missing_note(Counter(missing.values())))
    return Sorted(tuple(pictures), tuple(others), notes, frozenset(missing))


def _content_note(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"{len(names)} files are pictures by their content, not by their names ({count_extensions(names)}): taken",)


def _missing_note(missing: Counter[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(
        f"warning: {count} × {ending or 'no extension'} cannot be read without {package}: pip install {package}"
        for (ending, package), count in sorted(missing.items())
    )


def others_note(others: Sequence[str]) -> tuple[str, ...]:
    """Say which files are ignored."""
    if not others:
        return ()
    tables = [name for name in others if extension(name) in _TABLES]
    unread = f"; no table but a labels.csv on top is read, so not {some(tables, most=2)}" if tables else ""
    noun = "file is no picture by its name" if len(others) == 1 else "files are no pictures by their names"
    return (f"{len(others)} {noun} ({count_extensions(others)}): ignored{unread}",)


def count_extensions(names: Sequence[str]) -> str:
    """Return how many files have each ending, as text."""
    counts = Counter(extension(name) or "no extension" for name in names)
    return ", ".join(f"{count} × {ending}" for ending, count in sorted(counts.items()))


def archives_among(names: Sequence[str]) -> bool:
    """Tell whether some files are archives, which may hold pictures but are not opened."""
    return any(extension(name) in _ARCHIVES for name in names)
