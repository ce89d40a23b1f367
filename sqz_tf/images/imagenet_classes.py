"""The 1000 classes of ILSVRC 2012 (Russakovsky et al. 2015, arXiv:1409.0575), in the order networks are trained on.

Names repeat ("crane" is 134 and 517, "maillot" 638 and 639): results are keyed by index.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CLASSES = 1000


@dataclass(frozen=True)
class ImageNetClass:
    """One class: WordNet id such as n01440764, and its names, the first one being the usual label."""

    wnid: str
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """The first name."""
        return self.names[0]


@lru_cache(maxsize=1)
def imagenet_classes() -> tuple[ImageNetClass, ...]:
    """Return the 1000 classes in order."""
    path = Path(__file__).with_name("imagenet_classes.txt")
    return tuple(_class(line) for line in path.read_text(encoding="utf-8").splitlines())


def _class(line: str) -> ImageNetClass:
    wnid, _, names = line.partition(" ")
    return ImageNetClass(wnid, tuple(name.strip() for name in names.split(",")))
