"""Objects as Torch7's `torch.save` writes them in binary, little-endian with a long of 64 bits.

An object is an int32, its type, and what follows:

    0 nil      nothing
    1 number   float64
    2 string   int32 length, so many bytes
    3 table    int32 index, int32 pairs, each a key and a value, which are objects
    4 torch    int32 index, string `V 1`, string class, and what that class writes
    5 boolean  int32
    6, 7, 8    a function: (7, 8: int32 index,) int32 length, its code, and an object with what it refers to

An index that was there before stands for the same object; nothing follows it. Tensors write int32 axes, int64
lengths, int64 strides, int64 offset from 1, and their storage, an object; storages int64 length and the values; every
other class one table. Code is skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converters.weights.cursor import Cursor

MOST_OBJECTS = 500_000
DEEPEST = 100
"""Objects inside one another; containers of networks nest some four times deeper than they show."""
_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = range(6)
_FUNCTIONS = (6, 7, 8)
_LONGEST = 1 << 20  # bytes of a string or of code
_MOST_AXES = 8
_KINDS = {
    "": "<f4",  # torch.CudaTensor
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "Byte": "u1",
    "Char": "i1",
    "Short": "<i2",
    "Int": "<i4",
    "Long": "<i8",
}
_NUMBERS = re.compile(r"torch\.(?:Cuda)?(Float|Double|Half|Byte|Char|Short|Int|Long|)(Tensor|Storage)")


@dataclass(eq=False)
class Table:
    """A Lua table; an object of a class has that class's name."""

    kind: str = ""
    fields: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor, its values still in its storage."""

    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    storage: Any

    def values(self, what: str) -> np.ndarray:
        """Return the values in order.

        Raises:
          ValueError: the storage does not hold them one after another.
        """
        count, steps = 1, []
        for length in reversed(self.lengths):
            steps.append(count)
            count *= length
        size = self.storage.size if isinstance(self.storage, np.ndarray) else 0
        wanted = zip(self.lengths, self.strides, reversed(steps), strict=True)
        in_order = min(self.lengths, default=1) > 0 and all(
            stride == step or length == 1 for length, stride, step in wanted
        )
        if not in_order or not 0 <= self.offset <= size - count:
            raise ValueError(
                f"{what} has lengths {list(self.lengths)} and strides {list(self.strides)} from {self.offset + 1}; "
                f"expected values one after another within its storage of {size}"
            )
        found: np.ndarray = self.storage[self.offset : self.offset + count].reshape(self.lengths)
        return found


def read_object(data: bytes) -> Any:
    """Return the object that a file holds: None, a number, a string, a bool, a Table, a Tensor or a storage's array.

    Raises:
      ValueError: cut short, damaged, or it has more objects, or deeper ones, than any network.
    """
    reader = _Reader(Cursor(data))
    found = reader.object(0)
    if reader.cursor.left:
        raise ValueError(f"{reader.cursor.left} bytes follow the last object; expected the file's end (it is damaged)")
    return found


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.seen: dict[int, Any] = {}
        self.count = 0

    def object(self, depth: int) -> Any:
        """Return the next object."""
        self.count += 1
        if depth > DEEPEST or self.count > MOST_OBJECTS:
            raise ValueError(
                f"the file holds objects {depth} deep, {self.count:,} so far; expected at most {DEEPEST} and "
                f"{MOST_OBJECTS:,} (it is damaged)"
            )
        kind = self.cursor.number("i", "an object")
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return float(np.frombuffer(self.cursor.take(8, "a number"), "<f8")[0])
        if kind == _STRING:
            return self.text()
        if kind == _BOOLEAN:
            return bool(self.cursor.number("i", "a boolean"))
        if kind == _FUNCTIONS[0]:
            return self.function(depth)
        if kind in (_TABLE, _TORCH, *_FUNCTIONS):
            return self.indexed(kind, depth)
        raise ValueError(f"an object has type {kind} at byte {self.cursor.at - 4}; expected 0 to 8 (it is damaged)")

    def text(self) -> str:
        length = self.cursor.number("i", "a string")
        if length > _LONGEST:
            raise ValueError(f"a string is {length} bytes long; expected at most {_LONGEST} (the file is damaged)")
        return self.cursor.take(length, "a string").decode("utf-8", "replace")

    def indexed(self, kind: int, depth: int) -> Any:
        index = self.cursor.number("i", "an object's index")
        if index in self.seen:
            return self.seen[index]
        if kind == _TABLE:
            return self.table(index, "", depth)
        if kind == _TORCH:
            return self.torch(index, depth)
        self.seen[index] = None
        return self.function(depth)

    def function(self, depth: int) -> None:
        length = self.cursor.number("i", "a function")
        self.cursor.take(length if length <= _LONGEST else -1, "a function")
        self.object(depth + 1)

    def table(self, index: int, name: str, depth: int) -> Table:
        found = self.seen[index] = Table(name)
        for _ in range(self.cursor.number("i", "a table")):
            key = self.object(depth + 1)
            value = self.object(depth + 1)
            if isinstance(key, (str, float)):
                found.fields[key] = value
        return found

    def torch(self, index: int, depth: int) -> Any:
        name = self.text()
        if name.startswith("V "):
            name = self.text()
        numbers = _NUMBERS.fullmatch(name)
        if not numbers:
            found = self.seen[index] = Table(name)
            content = self.object(depth + 1)
            found.fields = content.fields if isinstance(content, Table) else {}
            return found
        dtype = np.dtype(_KINDS[numbers[1]])
        self.seen[index] = None  # until it is read: a tensor that holds itself is damaged
        made = self.tensor(name, depth) if numbers[2] == "Tensor" else self.storage(name, dtype)
        self.seen[index] = made
        return made

    def tensor(self, name: str, depth: int) -> Tensor:
        axes = self.cursor.number("i", name)
        if not 0 <= axes <= _MOST_AXES:
            raise ValueError(f"a {name} has {axes} axes; expected at most {_MOST_AXES} (the file is damaged)")
        lengths, strides = self.cursor.numbers("q", axes, name), self.cursor.numbers("q", axes, name)
        offset = self.cursor.number("q", name) - 1
        return Tensor(lengths, strides, offset, self.object(depth + 1))

    def storage(self, name: str, dtype: np.dtype) -> np.ndarray:
        count = self.cursor.number("q", name)
        return np.frombuffer(self.cursor.take(count * dtype.itemsize, name), dtype)
