"""Objects as PyTorch's `torch.save` pickles them, read without PyTorch; nothing in the pickle is executed.

A pickle is a program for a stack machine. The opcodes that build plain values do so here, too; where it would import
and call something, that is known (a tensor, a dict) or becomes an `Instance`, which has a name and a state and does
nothing. Numbers lie beside the pickle, in storages, named by persistent ids
`("storage", torch.FloatStorage, key, device, count)`.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from converters.weights.tensors import LONGEST_NAME

MOST_OPCODES = 1_000_000
MOST_MODULES, MOST_TENSORS = 10_000, 100_000
_MOST_COPIED = 1_000_000  # entries of dicts and sets that are made of others
_LONGEST_STORAGE = 100  # characters of its key, which is a number
_MOST_AXES = 8
_LARGEST = 1 << 63  # larger integers (the state of NumPy's generators) are left out: each use of one costs its length
_LARGEST_KEY = 1 << 31  # integers below it have hashes of their own, so that no dict becomes slow
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
_OTHER_BYTES = {"ComplexDouble": 16, "ComplexFloat": 8, "ComplexHalf": 4, "QInt8": 1, "QUInt8": 1, "QInt32": 4}
_DICTS = ("collections OrderedDict", "collections defaultdict", "collections Counter")
_SETS = ("__builtin__ set", "__builtin__ frozenset", "builtins set", "builtins frozenset")
_TENSORS = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
_PARAMETERS = (
    *("torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state"),
    *("torch.nn.parameter Parameter", "torch.autograd.variable Variable"),  # before 0.4
)
_METADATA = 2  # the place among a tensor's further arguments
_SUBCLASS = "torch._tensor _rebuild_from_type_v2"  # a tensor with attributes: what makes it, its type, the arguments
_PARTS = ("_parameters", "_buffers")  # of a module, besides `_modules`
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_CALLS = {"REDUCE": 2, "NEWOBJ": 2, "NEWOBJ_EX": 3}  # values that each takes: what is called, its arguments, by name
_VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)


class NotReadError(ValueError):
    """A pickle may be whole, and has what is not read here."""


@dataclass(frozen=True)
class Named:
    """What a pickle would import: its module and its name, with a space between."""

    name: str


@dataclass(eq=False)
class Instance:
    """What calling an import would have made: an object of a class, of which its state and its entries are known."""

    kind: str
    state: Any = None
    entries: dict[Any, Any] = field(default_factory=dict)


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

    @property
    def bytes(self) -> int:
        """What its numbers take.

        Raises:
          ValueError: that is not known.
        """
        return self.count * (_OTHER_BYTES.get(self.kind) or self.dtype.itemsize)


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
                f"tensor {what:.100} has lengths {list(self.lengths)} and strides {list(self.strides)} from "
                f"{self.offset}; expected a place for each value in its storage of {size} (of an expanded tensor save "
                "its .contiguous())"
            )
        if not self.count:
            return np.zeros([0] * len(self.lengths), dtype)
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in texts that are refused anyway
            for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
                if number > MOST_OPCODES:
                    raise NotReadError(
                        f"the pickle in the file has over {MOST_OPCODES:,} opcodes; expected a network without what "
                        "its training noted, as from torch.save(model.state_dict(), ...)"
                    )
                machine.step(opcode.name, argument)
        return machine.stack.pop()
    except NotReadError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the pickle in the file is damaged ({type(error).__name__}: {error!s:.200})") from error


class _Machine:
    """The stack machine of a pickle, without what it could do."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.copied = 0

    def step(self, name: str, argument: Any) -> None:
        """Take an opcode."""
        if name in _VALUES:
            huge = isinstance(argument, int) and not -_LARGEST <= argument < _LARGEST
            self.stack.append(None if huge else argument)
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
        elif name == "FROZENSET":
            self.stack.append(list(self._marked()))
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            values = self._marked() if name != "APPEND" else self._last(1)
            if isinstance(self.stack[-1], list):
                self.stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = self._marked() if name == "SETITEMS" else self._last(2)
            self._set(self.stack[-1], zip(values[::2], values[1::2], strict=True))
        elif name == "GLOBAL":
            self.stack.append(_named(argument))
        elif name == "STACK_GLOBAL":
            self.stack.append(_named(" ".join(self._last(2))))
        elif name in _CALLS:
            called, arguments, *_ = self._last(_CALLS[name])
            self.stack.append(self._made(called, arguments))
        elif name == "BUILD":
            (state,) = self._last(1)
            if isinstance(self.stack[-1], Instance):
                self.stack[-1].state = state
        elif name == "BINPERSID":
            self.stack.append(self._stored(*self._last(1)))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise NotReadError(
                f"the pickle in the file has opcode {name}, which PyTorch does not write by itself; expected what "
                "torch.save(model.state_dict(), ...) writes"
            )

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

    def _set(self, target: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Put entries into a dict or an instance; keys that are neither names nor small integers are left out."""
        entries = target.entries if isinstance(target, Instance) else target
        if isinstance(entries, dict):
            entries.update((key, value) for key, value in pairs if _is_key(key))

    def _copy(self, values: Any) -> Any:
        """Return a copy of a list or a dict; all copies together are bounded, or a few bytes could ask for many."""
        if not isinstance(values, (list, tuple, dict)):
            return ()
        self.copied += len(values)
        if self.copied > _MOST_COPIED:
            raise ValueError(f"dicts and sets are made of over {_MOST_COPIED:,} entries")
        return list(values.items() if isinstance(values, dict) else values)

    def _made(self, called: Any, arguments: Any) -> Any:
        """Return what calling an import with arguments stands for."""
        if isinstance(called, Instance):  # a class within a class, say
            return Instance(called.kind)
        for _ in range(2):  # a subclass of a tensor is made by what makes the tensor
            if not isinstance(called, Named) or not isinstance(arguments, tuple):
                raise ValueError(f"a {type(called).__name__} is called with a {type(arguments).__name__}")
            if called.name != _SUBCLASS:
                break
            called, arguments = arguments[0], arguments[2]
        if called.name in _DICTS:
            found: dict[Any, Any] = {}
            self._set(found, self._copy(arguments[0] if arguments else ()))
            return found
        if called.name in _SETS:
            return self._copy(arguments[0] if arguments else ())
        if called.name in _TENSORS:
            return _tensor(*arguments)
        return arguments[0] if called.name in _PARAMETERS else Instance(called.name)

    def _stored(self, identity: Any) -> Any:
        """Return what a persistent id stands for: a storage, or in older files a class, whose source it has."""
        if isinstance(identity, tuple) and identity[0] == "module":
            return identity[1]
        what, kind, key, _device, count, *views = identity
        known = what == "storage" and isinstance(kind, Named) and isinstance(key, str) and type(count) is int
        if not known or len(key) > _LONGEST_STORAGE or any(view is not None for view in views):
            raise ValueError("a persistent id names no storage")
        found = Storage(kind.name.partition(" ")[2].removesuffix("Storage"), key, count)
        if self.storages.setdefault(key, found) != found:
            raise ValueError(f"storage {key} is of two kinds")
        return found


def _named(name: str) -> Named:
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name has {len(name):,} characters")
    return Named(name)


def _is_key(found: Any) -> bool:
    """Whether a dict keeps an entry; long texts are compared as a whole each time one is set."""
    if isinstance(found, str):
        return len(found) <= LONGEST_NAME
    return isinstance(found, int) and abs(found) < _LARGEST_KEY


def _tensor(storage: Any, offset: Any, lengths: Any, strides: Any, *more: Any) -> Tensor:
    """Make a tensor; `more`: whether it is learnt, hooks, and in later versions what its values become."""
    flags = more[_METADATA] if len(more) > _METADATA else None
    if isinstance(flags, dict) and (flags.get("conj") or flags.get("neg")):
        raise NotReadError("the file has a tensor that is negated or conjugated as it is read; expected it resolved")
    if not isinstance(storage, Storage) or not isinstance(lengths, tuple) or not isinstance(strides, tuple):
        raise ValueError("a tensor is made of something else than a storage and lengths")
    if not len(lengths) == len(strides) <= _MOST_AXES:
        raise ValueError(f"a tensor has {len(lengths)} lengths and {len(strides)} strides")
    if not all(type(each) is int and 0 <= each < 1 << 40 for each in (offset, *lengths, *strides)):
        raise ValueError("a tensor has a place, a length or a stride that is none")
    return Tensor(storage, offset, lengths, strides)


def state_of(module: Any) -> dict[str, Any] | None:
    """Return what a pickled `torch.nn.Module` has by the names of its state dict; None if it is none.

    Raises:
      ValueError: it has more modules or tensors than any network: its modules lie in one another, say.
    """
    if not _is_module(module):
        return None
    found: dict[str, Any] = {}
    waiting, seen = [("", module)], 0
    for _ in range(MOST_MODULES):
        if not waiting:
            return found
        prefix, here = waiting.pop()
        modules = here.state["_modules"]
        seen += len(modules) + sum(len(each) for part in _PARTS if isinstance(each := here.state.get(part), dict))
        if len(waiting) + len(modules) > MOST_MODULES or seen > MOST_TENSORS:
            break
        tensors = _own_tensors(here)
        if any(len(prefix) + len(str(name)) > LONGEST_NAME for name in (*modules, *tensors)):
            break
        found.update((f"{prefix}{name}", each) for name, each in tensors.items())
        waiting += [(f"{prefix}{name}.", each) for name, each in reversed(modules.items()) if _is_module(each)]
    raise ValueError(
        f"the network has over {MOST_MODULES:,} modules, {MOST_TENSORS:,} tensors or {LONGEST_NAME:,} characters in "
        "a name; expected a SqueezeNet (the file is damaged)"
    )


def _own_tensors(module: Instance) -> dict[Any, Any]:
    """Return what a module itself has in its state dict: parameters, and buffers that are saved."""
    parameters, buffers = (module.state.get(part) for part in _PARTS)
    found = dict(parameters) if isinstance(parameters, dict) else {}
    if isinstance(buffers, dict):
        unsaved = module.state.get("_non_persistent_buffers_set")
        names = unsaved if isinstance(unsaved, list) and len(unsaved) <= len(buffers) else []
        left_out = {name for name in names if isinstance(name, str)}
        found.update((name, each) for name, each in buffers.items() if name not in left_out)
    return {name: each for name, each in found.items() if each is not None}


def _is_module(found: Any) -> bool:
    return (
        isinstance(found, Instance) and isinstance(found.state, dict) and isinstance(found.state.get("_modules"), dict)
    )
