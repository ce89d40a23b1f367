"""The folders that hold pictures, as a tree."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Tree:
    """Folders that hold pictures: how many directly, and which folders inside them do."""

    where: str
    direct: Counter[str] = field(default_factory=Counter)
    inner: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, folder: str, pictures: int) -> None:
        """Count the pictures that lie directly in a folder."""
        self.direct[folder] += pictures
        while folder:
            folder, _, last = folder.rpartition("/")
            if last in self.inner[folder]:
                return
            self.inner[folder].add(last)

    def within(self, folder: str) -> list[str]:
        """Return the folders in a folder that hold pictures, at any depth."""
        return sorted(self.inner.get(folder, ()))

    def sole(self, folder: str) -> str | None:
        """Return the one folder in a folder of nothing else, if that has folders with pictures in turn."""
        names = self.within(folder)
        if self.direct[folder] or len(names) != 1:
            return None
        inside = joined(folder, names[0])
        return inside if self.within(inside) else None

    def innermost(self, folder: str) -> str:
        """Follow the one folder inside a folder down to where there are several, or pictures."""
        while inside := self.sole(folder):
            folder = inside
        return folder


def joined(folder: str, name: str) -> str:
    """Return the path of what lies in a folder; the root is empty."""
    return f"{folder}/{name}" if folder else name
