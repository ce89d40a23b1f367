"""Whose updates an app or a page takes: what is embedded in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converters.delta.container import LARGEST

LONGEST_PRODUCT = 16  # bytes of UTF-8


@dataclass(frozen=True)
class Trust:
    """Whose updates are taken (docs/formats/squ.md): public keys of 32 bytes, a product, the version that is there."""

    keys: Sequence[bytes]
    product: str
    version: int

    def __post_init__(self) -> None:
        """Raise ValueError where no update could be for the product."""
        name = self.product
        if not name.isprintable() or not 0 < len(name.encode()) <= LONGEST_PRODUCT:
            raise ValueError(f"the product is {name!r}; expected 1 to {LONGEST_PRODUCT} bytes that can be shown")
        if not 0 <= self.version <= LARGEST:
            raise ValueError(f"the version is {self.version}; expected 0 to {LARGEST}")

    @property
    def stored(self) -> dict[str, object]:
        """Plain JSON values."""
        return {"model": self.product, "version": self.version, "keys": [key.hex() for key in self.keys]}
