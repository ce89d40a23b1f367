"""Write a delta: each piece of a result told by its like in an older one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest

import numpy as np

from converters.delta.coder import CLASSES, Encoder, Values, number, signed
from converters.delta.container import DeltaError
from converters.delta.pieces import Packed, Piece
from converters.delta.recode import Section, code, code_shape, take_apart

END, COPY, CHANGE, INSERT, RECODE, FILL = range(6)
RUN = 12  # bytes alike that are told at once
COMMAND, PLACE, LENGTH = 0, 1, 2  # contexts of numbers

Step = tuple[int, Piece, Piece | None]  # a command, what it makes, and of what


def delta(old: bytes, new: bytes, old_pieces: Sequence[Piece], new_pieces: Sequence[Piece]) -> bytes:
    """Return the body of an update that makes one result of another.

    Args:
      old, new: the results.
      old_pieces, new_pieces: what they are made of; those of the same number are compared.
    """
    coder = Encoder()
    values, at = Values(coder), 0
    for command, made, of in _joined(_steps(old, new, old_pieces, new_pieces)):
        number(coder, COMMAND, command)
        if of is not None:
            signed(coder, PLACE, of.start - at)
        at = _code(coder, values, command, old, new, made, of, at)
    number(coder, COMMAND, END)
    return coder.finish()


def _code(
    coder: Encoder, values: Values, command: int, old: bytes, new: bytes, made: Piece, of: Piece | None, at: int
) -> int:
    """Code what follows a command; return where reading goes on."""
    size = made.end - made.start
    if command != RECODE:
        number(coder, LENGTH, size)
    if command == FILL:
        coder.plain(8, new[made.start])
        return at
    if of is None:
        for byte in new[made.start : made.end]:
            coder.plain(8, byte)
        return at
    if command == CHANGE:
        for before, after in zip(old[of.start : of.end], new[made.start : made.end], strict=True):
            values.after((before + 128 & 255) - 128, (after + 128 & 255) - 128)
    if command == RECODE:
        assert of.packed
        assert made.packed
        told_by, told = _apart(old[of.start : of.end], of.packed), _apart(new[made.start : made.end], made.packed)
        code_shape(coder, of.packed, made.packed)
        code(coder, values, told_by, made.packed, told)
        return of.start + told_by.size
    return of.start + size


@lru_cache(maxsize=2)
def _apart(data: bytes, packed: Packed) -> Section:
    return take_apart(data, packed)


def _steps(old: bytes, new: bytes, old_pieces: Sequence[Piece], new_pieces: Sequence[Piece]) -> Iterator[Step]:
    for of, made in zip_longest(old_pieces, new_pieces[: len(old_pieces)]):
        if made is not None and made.end > made.start:
            yield from _told(old, new, of, made)
    for made in new_pieces[len(old_pieces) :]:
        yield from _inserted(new, made)


def _told(old: bytes, new: bytes, of: Piece, made: Piece) -> list[Step]:
    """Return how a piece is told by its like, or by itself if that takes fewer bits."""
    before, after = old[of.start : of.end], new[made.start : made.end]
    if before == after:
        return [(COPY, made, of)]
    inserted = _inserted(new, made)
    bits = 8 * sum(each.end - each.start for command, each, _ in inserted if command == INSERT)
    if of.packed and made.packed and of.packed.shape == made.packed.shape and _recodes(before, after, of, made):
        pair = (_apart(before, of.packed).weights, _apart(after, made.packed).weights)
        return [(RECODE, made, of)] if _bits(*map(np.array, pair)) < bits else inserted
    if len(before) != len(after) or _bits(np.frombuffer(before, np.int8), np.frombuffer(after, np.int8)) > bits:
        return inserted
    return [(CHANGE, made, of)]


def _bits(old: np.ndarray, new: np.ndarray) -> float:
    """Return the bits that values take after old ones, estimated: the entropy of steps in each class of old values."""
    steps = (new.astype(np.int64) - old + 128) % 256
    classes = np.array(CLASSES)[np.abs(old.astype(np.int64))]
    counts = np.bincount(classes * 256 + steps, minlength=8 * 256).reshape(8, 256)
    sums = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    there = counts > 0
    return float((counts[there] * np.log2(sums[there] / counts[there])).sum())


def _inserted(new: bytes, made: Piece) -> list[Step]:
    """Return how a piece is told by itself: long runs of a byte, and what lies between."""
    data, at = np.frombuffer(new[made.start : made.end], np.uint8), 0
    steps: list[Step] = []
    edges = np.flatnonzero(np.diff(data)) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(data))
    for start, end in zip(starts[ends - starts >= RUN].tolist(), ends[ends - starts >= RUN].tolist(), strict=True):
        steps += [(INSERT, Piece(made.start + at, made.start + start), None)] if start > at else []
        steps.append((FILL, Piece(made.start + start, made.start + end), None))
        at = end
    steps += [(INSERT, Piece(made.start + at, made.end), None)] if at < len(data) else []
    return steps


def _recodes(before: bytes, after: bytes, of: Piece, made: Piece) -> bool:
    """Whether two sections can be told by each other: both are whole, and no bias goes too far."""
    assert of.packed
    assert made.packed
    try:
        sections = [_apart(before, of.packed), _apart(after, made.packed)]
    except DeltaError:
        return False
    far = max(abs(a - b) for a, b in zip(*(each.biases for each in sections), strict=True))
    most = max(of.packed.pairs, made.packed.pairs)
    return [each.size for each in sections] == [len(before), len(after)] and far < 1 << 30 and most <= 256


def _joined(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield the steps with copies that go on in both results made one, and so what is inserted."""
    held: Step | None = None
    for step in steps:
        if held and _goes_on(held, step):
            (command, made, of), (_, more, more_of) = held, step
            longer = None if of is None or more_of is None else Piece(of.start, more_of.end)
            held = command, Piece(made.start, more.end), longer
            continue
        if held:
            yield held
        held = step
    if held:
        yield held


def _goes_on(held: Step, step: Step) -> bool:
    (command, _, of), (then, _, more_of) = held, step
    if command != then or command in (RECODE, FILL):
        return False
    return of is None or more_of is None or of.end == more_of.start
