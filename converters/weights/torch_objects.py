"""Objects as PyTorch's `torch.save` pickles them, read without PyTorch; nothing in the pickle is executed.

A pickle is a program for a stack machine. The opcodes that build plain values do so here, too; where it would import
and call something, that is known (a tensor, a dict) or becomes an `Instance`, which has a name and a state and does
nothing. Numbers lie beside the pickle, in storages, named by persistent ids
`("storage", torch.FloatStorage, key, device, count)`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

MOST_OPCODES = 1_000_000
MOST_MODULES = 10_000
_LONGEST_NAME = 1_000
_MOST_AXES = 8
_BFLOAT16 = "BFloat16"
_KINDS = {
    "Double": "<f8",
    "Float": "<f4",
    "Half": "<f2",
    _BFLOAT16: "<u2",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "u1",
}
_DICTS = ("collections OrderedDict", "collections defaultdict", "collections Counter")
_TENSORS = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
_PARAMETERS = ("torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state")
_SUBCLASS = "torch._tensor _rebuild_from_type_v2"  # a tensor with attributes: what makes it, its type, the arguments
_KEYS = (str, int, float, bytes, type(None))  # others nest as deep as a file likes, and so does their hash
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)


@dataclass(frozen=True)
class Named:
    """What a pickle would import: its module and its name, with a space between."""

    name: str


@dataclass(eq=False)
class Instance:
    """What calling an import would have made: an object of a class, of which its state is known."""

    kind: str
    state: Any = None


@dataclass(frozen=True)
class Storage:
    """Numbers that lie elsewhere: `kind` is `Float` for `torch.FloatStorage`, `key` names the place."""

    kind: str
    key: str
    count: int

    @property
    def dtype(self) -> np.dtype:
        """What its numbers are stored as.

        Raises:
          ValueError: they are no plain numbers.
        """
        if self.kind not in _KINDS:
            raise ValueError(f"storage {self.key} is a torch.{self.kind}Storage; expected one of {', '.join(_KINDS)}")
        return np.dtype(_KINDS[self.kind])


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor, its values still in their storage; strides and offset are in values."""

    storage: Storage
    offset: int
    lengths: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of values."""
        return int(np.prod(self.lengths, dtype=object))

    def values(self, stored: bytes, what: str) -> np.ndarray:
        """Return the values in order, floating-point ones at most as float64, bfloat16 as float32.

        Args:
          stored: the bytes of its storage.
          what: its name, for errors.

        Raises:
          ValueError: the storage does not hold them, or holds something else than numbers.
        """
        dtype = self.storage.dtype
        size = len(stored) // dtype.itemsize
        last = self.offset + sum(
            (length - 1) * stride for length, stride in zip(self.lengths, self.strides, strict=True)
        )
        if self.count and not (
            self.count <= size and 0 <= self.offset <= last < size and min(self.strides, default=0) >= 0
        ):
            raise ValueError(
                f"tensor {what} has lengths {list(self.lengths)} and strides {list(self.strides)} from {self.offset}; "
                f"expected places in its storage of {size} values (the file is damaged)"
            )
        if not self.count:
            return np.zeros(self.lengths, dtype)
        flat = np.frombuffer(stored, dtype, size)[self.offset :]
        steps = [stride * dtype.itemsize for stride in self.strides]
        found = np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, self.lengths, steps, writeable=False))
        if self.storage.kind == _BFLOAT16:  # the upper half of a float32
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found


def read_object(file: IO[bytes], storages: dict[str, Storage] | None = None) -> Any:
    """Read one pickle and leave the file behind it.

    Args:
      storages: takes those that the pickle names, by key.

    Returns:
      None, numbers, texts, bytes, lists, tuples, dicts whose keys are plain, `Tensor`, `Storage`, `Named`, `Instance`.

    Raises:
      ValueError: cut short, damaged, larger than any checkpoint, or not as PyTorch writes it.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number > MOST_OPCODES:
                raise ValueError(f"it has over {MOST_OPCODES:,} opcodes")
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the pickle in the file is damaged ({type(error).__name__}: {error})") from error


class _Machine:
    """The stack machine of a pickle, without what it could do."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Take an opcode."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _PUT:
            self.memo[argument] = self.stack[-1]
        elif name in _GET:
            self.stack.append(self.memo[argument])
        elif name in _TUPLES:
            self.stack.append(self._last(_TUPLES[name]))
        else:
            self._others(name, argument)

    def _others(self, name: str, argument: Any) -> None:
        if name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name == "TUPLE":
            self.stack.append(self._marked())
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            values = self._marked() if name != "APPEND" else (self.stack.pop(),)
            if isinstance(self.stack[-1], list):
                self.stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._marked() if name == "SETITEMS" else self._last(2))
        elif name == "GLOBAL":
            self.stack.append(Named(argument))
        elif name == "STACK_GLOBAL":
            module, inside = self._last(2)
            self.stack.append(Named(f"{module} {inside}"))
        elif name in ("REDUCE", "NEWOBJ"):
            made, arguments = self._last(2)
            self.stack.append(_made(made, arguments))
        elif name == "BUILD":
            state = self.stack.pop()
            if isinstance(self.stack[-1], Instance):
                self.stack[-1].state = state
        elif name == "BINPERSID":
            self.stack.append(self._stored(self.stack.pop()))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"opcode {name}, which PyTorch does not write")

    def _last(self, count: int) -> tuple[Any, ...]:
        """Take so many values."""
        return self._from(len(self.stack) - count)

    def _marked(self) -> tuple[Any, ...]:
        """Take all values since the last mark, and the mark."""
        return self._from(self.marks.pop())

    def _from(self, start: int) -> tuple[Any, ...]:
        if not (self.marks[-1] if self.marks else 0) <= start <= len(self.stack):
            raise IndexError("the stack has too few values")
        values = tuple(self.stack[start:])
        del self.stack[start:]
        return values

    def _set(self, values: tuple[Any, ...]) -> None:
        if isinstance(self.stack[-1], dict):
            pairs = zip(values[::2], values[1::2], strict=True)
            self.stack[-1].update((key, value) for key, value in pairs if isinstance(key, _KEYS))

    def _stored(self, identity: Any) -> Any:
        """Return what a persistent id stands for: a storage, or in older files a class, whose source it has."""
        if isinstance(identity, tuple) and identity[0] == "module":
            return identity[1]
        what, kind, key, _device, count, *views = identity
        known = what == "storage" and isinstance(kind, Named) and isinstance(key, str) and type(count) is int
        if not known or any(view is not None for view in views):
            raise ValueError("a persistent id names no storage")
        found = Storage(kind.name.partition(" ")[2].removesuffix("Storage"), key, count)
        if self.storages.setdefault(key, found) != found:
            raise ValueError(f"storage {key} is of two kinds")
        return found


def _made(called: Any, arguments: Any) -> Any:
    """Return what calling an import with arguments stands for."""
    if not isinstance(called, Named) or not isinstance(arguments, tuple):
        raise ValueError(f"a {type(called).__name__} is called with a {type(arguments).__name__}")
    if called.name in _DICTS:
        return {}
    if called.name in _TENSORS:
        return _tensor(*arguments[:4])
    if called.name in _PARAMETERS:
        return arguments[0]
    if called.name == _SUBCLASS:
        return _made(arguments[0], arguments[2])
    return Instance(called.name)


def _tensor(storage: Any, offset: Any, lengths: Any, strides: Any) -> Tensor:
    whole = [offset, *lengths, *strides]
    if not isinstance(storage, Storage) or not all(type(each) is int and 0 <= each < 1 << 40 for each in whole):
        raise ValueError("a tensor is made of something else than a storage and lengths")
    if len(lengths) != len(strides) or len(lengths) > _MOST_AXES:
        raise ValueError(f"a tensor has {len(lengths)} lengths and {len(strides)} strides")
    return Tensor(storage, offset, tuple(lengths), tuple(strides))


def state_of(module: Any) -> dict[str, Any] | None:
    """Return the tensors of a pickled `torch.nn.Module` by the names of its state dict; None if it is none.

    Raises:
      ValueError: its modules lie in one another without an end.
    """
    if not _is_module(module):
        return None
    found: dict[str, Any] = {}
    waiting = [("", module)]
    for _ in range(MOST_MODULES):
        if not waiting or len(waiting[-1][0]) > _LONGEST_NAME:
            break
        prefix, here = waiting.pop()
        for part in ("_parameters", "_buffers"):
            tensors = here.state.get(part)
            if isinstance(tensors, Mapping):
                found.update({f"{prefix}{name}": each for name, each in tensors.items() if isinstance(each, Tensor)})
        inside = here.state["_modules"].items()
        waiting += [(f"{prefix}{name}.", each) for name, each in reversed(inside) if _is_module(each)]
    if waiting:
        raise ValueError("modules lie in one another without an end; expected a network (the file is damaged)")
    return found


def _is_module(found: Any) -> bool:
    return (
        isinstance(found, Instance) and isinstance(found.state, dict) and isinstance(found.state.get("_modules"), dict)
    )
