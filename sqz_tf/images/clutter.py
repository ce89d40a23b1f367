"""What lies among a person's pictures and is not theirs: files that systems, programs and network storage leave."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_NAMES = frozenset(
    {
        # Windows
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "folder.htt"),
        *("$recycle.bin", "system volume information"),
        # macOS, and what its archives hold
        *("__macosx", "icon\r", "network trash folder", "temporary items"),
        # network storage: Synology, QNAP, NetApp
        *("@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@recently-snapshot", "~snapshot", "_gsdata_"),
        # Linux, programs
        *("lost+found", "__pycache__", "captureone", "picasa.ini"),
        *("node_modules", "site-packages", "mlruns", "lightning_logs"),
    }
)
_PROGRAMS = {"venv": re.compile(r"pyvenv\.cfg$|conda-meta/"), "wandb": re.compile("(offline-)?run-[^/]+/")}
"""Folders that may be classes, and what lies in them where a program made them."""
_ENDINGS = (".lrdata", ".lrlibrary", ".photoslibrary", ".aplibrary", ".cocatalog", ".cosessiondb")
_THUMBNAILS = frozenset({"thumb", "thumbs", "thumbnail", "thumbnails", "preview", "previews"})
_AFFIX = re.compile(r"^(thumb|tn|preview|small)[-_ ]|[-_ ](thumb|thumbnail|tn|preview|small)$", re.IGNORECASE)
_MASK_WORDS = ("mask", "seg", "gt", "groundtruth")
_MASK = re.compile(r"[-_ ](masks?[-_ ]?\d*|(seg|segmentation|gt|groundtruth)([-_ ]\d+)?)\.[^./]*$", re.IGNORECASE)
_MOST = 0.9  # of the pictures of a folder, that have masks where any are
_SHOWN = 4


@lru_cache(1 << 16)
def is_clutter(part: str) -> bool:
    """Tell by the name of a file or folder alone that it is none of the person's: hidden, or left by a program."""
    plain = part.casefold()
    return part.startswith(".") or plain in _NAMES or plain.endswith(_ENDINGS)


def clutter_in(name: str) -> str | None:
    """Return the outermost part of a path that is clutter, or None."""
    return next((part for part in name.rstrip("/").split("/") if is_clutter(part)), None)


def programs_folders(names: Iterable[str]) -> set[str]:
    """Return the folders that programs made, by what lies in them: an environment of Python, runs of wandb.

    Args:
      names: paths of all files.
    """
    names = list(names)
    text = "\n".join(names).lower()
    if not any(f"{folder}/" in text for folder in _PROGRAMS):  # quickly, of a million names
        return set()
    return {found for name in names if (found := _programs_folder(name))}


def _programs_folder(name: str) -> str | None:
    parts = name.split("/")
    for depth, part in enumerate(parts[:-1], 1):
        if (own := _PROGRAMS.get(part.casefold())) and own.match("/".join(parts[depth:])):
            return "/".join(parts[:depth])
    return None


def is_programs(folder: str) -> bool:
    """Tell whether a folder is called like those that programs make: without a picture it is no class."""
    return folder.casefold() in _PROGRAMS


def clutter_note(left_out: Mapping[str, int]) -> tuple[str, ...]:
    """Say what was left out, by name and how often."""
    if not left_out:
        return ()
    ordered = sorted(left_out.items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(name if count == 1 else f"{count} × {name}" for name, count in ordered[:_SHOWN])
    more = ", …" if len(ordered) > _SHOWN else ""
    return (f"hidden, or left by systems and programs ({shown}{more}): left out",)


def thumbnails(names: Iterable[str]) -> dict[str, str]:
    """Return which pictures are small copies of others, by a folder such as `thumbs` beside the picture of that name.

    Args:
      names: paths of all pictures.

    Returns:
      The thumbnails' paths, and for each the folder's name.
    """
    names = list(names)
    suspects = {name: part for name in names if (part := _thumbnail_folder(name))}
    if not suspects:
        return {}
    whole = {posixpath.splitext(name)[0] for name in names if name not in suspects}
    return {name: part for name, part in suspects.items() if any(each in whole for each in _originals(name, part))}


def _thumbnail_folder(name: str) -> str | None:
    return _thumbnail_part(name.rpartition("/")[0])


@lru_cache(1 << 12)
def _thumbnail_part(folder: str) -> str | None:
    return next((part for part in folder.split("/") if part.casefold().strip("_-") in _THUMBNAILS), None)


def _originals(name: str, part: str) -> Iterable[str]:
    folders = name.split("/")[:-1]
    folders.remove(part)
    stem = posixpath.splitext(posixpath.basename(name))[0]
    return ("/".join([*folders, each]) for each in {stem, _AFFIX.sub("", stem)})


def thumbnail_note(found: Mapping[str, str]) -> tuple[str, ...]:
    """Say which thumbnails were left out."""
    folders = ", ".join(sorted(Counter(found.values())))
    return (f"{len(found)} thumbnails of other pictures (in {folders}): left out",) if found else ()


@dataclass(frozen=True)
class Masks:
    """Pictures by whose names they are masks of others: so in nearly all of their folder, or perhaps."""

    sure: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()


def masks_of(names: Iterable[str]) -> Masks:
    """Return which pictures are masks of others, by names such as `1_mask.png` beside `1.png`.

    A name like that may be a picture's own, as of a `911_gt.png` among cars, or faces with a mask on. So nearly all
    pictures of a folder must have one, and the folder must not be called so.

    Args:
      names: paths of all pictures.
    """
    names = list(names)
    text = "\n".join(names).lower()
    if not any(word in text for word in _MASK_WORDS):  # quickly, of a million names
        return Masks()
    suspects = {name: name[: match.start()] for name in names if (match := _MASK.search(name))}
    stems = {posixpath.splitext(name)[0] for name in names}
    found = {name: stem for name, stem in suspects.items() if stem in stems}
    whole = Counter(posixpath.dirname(name) for name in names if name not in found)
    masked = Counter(map(posixpath.dirname, set(found.values())))
    folders = {each for each, count in masked.items() if count >= _MOST * whole[each] and not _called_masked(each)}
    sure = frozenset(name for name in found if posixpath.dirname(name) in folders)
    return Masks(sure, frozenset(found) - sure)


def _called_masked(folder: str) -> bool:
    return "mask" in posixpath.basename(folder).lower()


def mask_note(left_out: Collection[str], kept: Collection[str]) -> tuple[str, ...]:
    """Say which masks were left out, and which pictures were not that may be some."""
    notes = []
    if left_out:
        notes.append(f"warning: {len(left_out)} pictures are called masks of others ({min(left_out)}): left out")
    if kept:
        text = f"warning: {len(kept)} pictures may be masks of others by their names ({min(kept)})"
        notes.append(f"{text}: kept; take them out if they are")
    return tuple(notes)
