"""What a result is made of: pieces that are compared with those of an older one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Packed:
    """A section of compressed weights (docs/formats/c-folder.md) with codes of values of up to 10 bits.

    Attributes:
      channels, groups, quads: channels of a group, groups, quads of a group.
      bias_bits, scale_bits, pairs: bits of a bias and of a scale's number, and pairs of scales.
    """

    channels: int
    groups: int
    quads: int
    bias_bits: int
    scale_bits: int
    pairs: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """What two sections must share for one to be told by the other."""
        return self.channels, self.groups, self.quads


@dataclass(frozen=True)
class Piece:
    """Bytes of a result: where they begin and end, and how weights are compressed in them if they are."""

    start: int
    end: int
    packed: Packed | None = None


def plain_piece(data: bytes) -> list[Piece]:
    """Return a result as one piece."""
    return [Piece(0, len(data))]


def image_pieces(size: int, sections: Iterable[tuple[int, int, Packed | None]]) -> list[Piece]:
    """Return an image's pieces: what lies before, between and behind its sections, if only nothing, and those.

    Args:
      size: of the image.
      sections: where each begins, its bytes, and how it is compressed; in order.
    """
    pieces, at = [], 0
    for start, count, packed in sections:
        pieces += [Piece(at, start), Piece(start, start + count, packed)]
        at = start + count
    return [*pieces, Piece(at, size)]
