"""Where two slots lie in a board's flash: whole sectors, at its end, as large as each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqz_tf.deploy.boards import Board
from sqz_tf.deploy.need import KIB
from sqz_tf.deploy.update.images import RECORD_BYTES


@dataclass(frozen=True)
class Slots:
    """Two slots.

    Attributes:
      bytes: of each.
      at: where they begin, from the beginning of the flash.
    """

    bytes: int
    at: tuple[int, int]


def possible(board: Board) -> Iterator[Slots]:
    """Yield all pairs of slots of a board, the smallest first; none if its sectors are not told."""
    sectors = board.sector_bytes
    ends = [sum(sectors[:i]) for i in range(len(sectors) + 1)]
    known = set(ends)
    for second in reversed(ends[:-1]):
        size = ends[-1] - second
        if second - size in known - {0}:  # the program needs some
            yield Slots(size, (second - size, second))


def smallest(board: Board, image_bytes: int) -> Slots | None:
    """Return the smallest slots that hold an image and its record, or None."""
    return next((each for each in possible(board) if each.bytes >= image_bytes + RECORD_BYTES), None)


def told(board: Board, image_bytes: int, slot_bytes: int | None = None) -> str:
    """Return what to say of a board's slots to who has made an image; nothing if its sectors are not told.

    Args:
      image_bytes: of the image.
      slot_bytes: of the slots that a person has.
    """
    known = {each.bytes: each for each in possible(board)}
    if not known:
        return ""
    if slot_bytes is not None and slot_bytes not in known:
        near = max((size for size in known if size < slot_bytes), default=min(known))
        given, whole = (f"{size / KIB:g} KB" for size in (slot_bytes, near))
        return f"{given} are no whole sectors at the end of {board.name}'s own flash; {whole} are"
    found = known[slot_bytes] if slot_bytes else smallest(board, image_bytes)
    if found is None:
        return f"{board.name}'s own flash has no two slots of {image_bytes + RECORD_BYTES:,} bytes"
    first, second = found.at
    return (
        f"on {board.name} two slots of {found.bytes / KIB:g} KB hold it, {first:#x} and {second:#x} from the beginning "
        f"of its flash; before them are {first / KIB:g} KB for the program"
    )
