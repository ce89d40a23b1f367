"""The one walk through a folder that a person names, and reading a file of it: neither leaves the folder.

Links are followed as long as they stay inside; a folder is entered once, however many links lead to it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqz_tf.base.errors import DataError
from sqz_tf.base.text import some

MAX_DEPTH = 64
"""Folders within folders."""
MAX_ENTRIES = 1_500_000
"""Files and folders together; ImageNet has 1.3 million."""


@dataclass(frozen=True)
class Walk:
    """What lies below a folder, sorted, as paths from it with `/` between their parts.

    `outside` are links that lead out of the folder, and where to, `outer_folders` those of them that are to folders;
    `again` are links to folders that are here anyway; `nowhere` counts links to nothing, or to themselves.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    outside: tuple[tuple[str, str], ...] = ()
    again: tuple[str, ...] = ()
    outer_folders: tuple[str, ...] = ()
    nowhere: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the links that were left out."""
        return tuple(filter(None, (self._outside_note(), self._again_note(), self._nowhere_note())))

    def _outside_note(self) -> str:
        if not self.outside:
            return ""
        places = some(sorted({target for _, target in self.outside}))
        text = f"{_links(len(self.outside))} out of the folder, to {places}: left out"
        if not self.outer_folders:
            return text
        return f"warning: {text}; if pictures there are meant, copy the folders in ({some(self.outer_folders)})"

    def _again_note(self) -> str:
        return f"{_links(len(self.again))} to folders that are here already: left out" if self.again else ""

    def _nowhere_note(self) -> str:
        return f"{_links(self.nowhere)} nowhere: left out" if self.nowhere else ""


def _links(count: int) -> str:
    return "1 link leads" if count == 1 else f"{count:,} links lead"


def walk(root: Path, skip: Callable[[str], bool] = lambda name: False) -> Walk:
    """List the files and folders below `root`.

    Args:
      root: a folder, or a link to one.
      skip: tells by its name alone what is neither listed nor entered.

    Raises:
      DataError: it cannot be listed, is too deep or holds too much.
    """
    try:
        return _Walker(root, skip).walk()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(f"{root} cannot be listed ({error})", expected="a readable folder") from error


class _Walker:
    def __init__(self, root: Path, skip: Callable[[str], bool]) -> None:
        self.root, self.skip = root, skip
        self.real = os.path.realpath(root)
        self.seen: set[tuple[int, int]] = set()
        self.files: list[str] = []
        self.folders: list[str] = []
        self.links: deque[str] = deque()  # to folders; after all folders proper, which they may lead to
        self.outside: list[tuple[str, str]] = []
        self.outer_folders: list[str] = []
        self.again: list[str] = []
        self.nowhere = 0

    def walk(self) -> Walk:
        self._enter("")
        while self.links:
            self._enter(self.links.popleft())
        files, folders, again, outer = (
            tuple(sorted(each)) for each in (self.files, self.folders, self.again, self.outer_folders)
        )
        return Walk(files, folders, tuple(sorted(self.outside)), again, outer, self.nowhere)

    def _enter(self, name: str) -> None:
        waiting = [name]
        while waiting:
            folder = waiting.pop()
            self._list(folder, waiting)

    def _list(self, folder: str, waiting: list[str]) -> None:
        found = os.stat(self.root / folder)
        if (found.st_dev, found.st_ino) in self.seen:
            self.again.append(folder)
            return
        self.seen.add((found.st_dev, found.st_ino))
        if folder:
            self.folders.append(folder)
        if folder.count("/") >= MAX_DEPTH:
            raise DataError(f"{self.root} holds folders more than {MAX_DEPTH} deep", fix="give a folder inside it")
        with os.scandir(self.root / folder) as items:
            for item in items:
                if not self.skip(item.name):
                    self._take(item, f"{folder}/{item.name}" if folder else item.name, waiting)

    def _take(self, item: os.DirEntry[str], name: str, waiting: list[str]) -> None:
        if item.is_symlink():
            self._follow(name)
        elif item.is_dir():
            waiting.append(name)
        elif item.is_file():
            self.files.append(name)
        if len(self.files) + len(self.folders) + len(waiting) + len(self.links) + len(self.outside) > MAX_ENTRIES:
            raise DataError(f"{self.root} holds over {MAX_ENTRIES:,} files", fix="give a smaller folder")

    def _follow(self, name: str) -> None:
        """Take a link for what it leads to; one that leads nowhere, or to itself, is no file."""
        path = self.root / name
        if not os.path.exists(path):
            self.nowhere += 1
            return
        target = os.path.realpath(path)
        if not _inside(target, self.real):
            self.outside.append((name, target))
            self.outer_folders += [name] * os.path.isdir(path)
        elif os.path.isdir(path):
            self.links.append(name)
        elif os.path.isfile(path):
            self.files.append(name)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def read_inside(folder: Path, name: str, most: int) -> bytes:
    """Read one file of a folder that somebody else may have made.

    Args:
      folder: the folder.
      name: the file's path in it.
      most: bytes that it may have.

    Raises:
      OSError: it cannot be read, is no file, lies outside by way of a link, or has more bytes.
    """
    path = os.path.join(folder, name)
    place = os.path.realpath(path)
    if not _inside(place, os.path.realpath(folder)):
        raise OSError(f"it is a link out of the folder, to {place}")
    if not os.path.isfile(place):
        raise OSError("it is no file")
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"it is larger than {most:,} bytes")
    return data
