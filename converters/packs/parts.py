"""Parts of a `.tflite` that a pack codes apart: arrays of weights, scales and biases, and attached texts.

What is left when they are taken out is the graph. Where they lie is told by a table in the pack, so that unpacking
knows nothing of FlatBuffers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a section holds; the numbers are those of the format."""

    GRAPH = 1
    TABLE = 2
    WEIGHTS = 3
    SCALES = 4
    BIASES = 5
    LABELS = 6
    PREPROCESSING = 7


PART_KINDS = (Kind.WEIGHTS, Kind.SCALES, Kind.BIASES, Kind.LABELS, Kind.PREPROCESSING)
ITEM_BYTES = {Kind.WEIGHTS: 1, Kind.SCALES: 4, Kind.BIASES: 4, Kind.LABELS: 1, Kind.PREPROCESSING: 1}


@dataclass(frozen=True)
class Part:
    """An array in a `.tflite`.

    Weights lie there as int8 [rows, height, width, inner] (convolutions: outputs, kernel, inputs), or, where
    `rows_last`, as [inner, height, width, rows] (depthwise convolutions). The others are vectors: `rows` float32 or
    int32 numbers or bytes. `name` is the tensor's or file's, for people; it is no part of a pack.
    """

    kind: Kind
    start: int
    rows: int
    height: int = 1
    width: int = 1
    inner: int = 1
    rows_last: bool = False
    name: str = ""

    @property
    def count(self) -> int:
        """Number of its values."""
        return self.rows * self.height * self.width * self.inner

    @property
    def size(self) -> int:
        """Number of its bytes in the file."""
        return self.count * ITEM_BYTES[self.kind]

    @property
    def end(self) -> int:
        """Where it ends in the file."""
        return self.start + self.size


def apart(parts: Iterable[Part]) -> list[Part]:
    """Return the parts in the order of the file, without those that are empty or share bytes with an earlier one."""
    found: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.start, -part.size, part.kind)):
        if part.size and (not found or part.start >= found[-1].end):
            found.append(part)
    return found


def take_out(data: bytes, parts: Sequence[Part]) -> bytes:
    """Return what is left of a file without its parts."""
    bounds = [0, *(bound for part in parts for bound in (part.start, part.end)), len(data)]
    return b"".join(data[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True))


def put_back(graph: bytes, parts: Sequence[Part], contents: Sequence[bytes]) -> bytes:
    """Return the file that `take_out` left `graph` of.

    Args:
      graph: the bytes between the parts.
      parts: in the order of the file; they fit `graph`.
      contents: the bytes of each.
    """
    pieces, taken, end = [], 0, 0
    for part, content in zip(parts, contents, strict=True):
        gap = part.start - end
        pieces += [graph[taken : taken + gap], content]
        taken, end = taken + gap, part.end
    return b"".join([*pieces, graph[taken:]])
