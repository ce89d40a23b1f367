"""Checkpoints as PyTorch's `torch.save` writes them, without it: its names are put in place while Python pickles."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
KINDS = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "c8": "ComplexFloat"}
KINDS |= {"u2": "BFloat16", "u4": "QInt32"}  # NumPy has none of them: the bits


@dataclass(frozen=True, eq=False)
class Stored:
    """Values of a storage."""

    values: np.ndarray


def _rebuild_tensor_v2(*_: Any) -> None: ...


def _rebuild_parameter(*_: Any) -> None: ...


def _rebuild_qtensor(*_: Any) -> None: ...


def _rebuild_tensor_v3(*_: Any) -> None: ...


def Parameter_(*_: Any) -> None: ...


_REBUILDERS = (_rebuild_tensor_v2, _rebuild_parameter, _rebuild_qtensor, _rebuild_tensor_v3)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor over a storage; `made` is what rebuilds it."""

    storage: Stored
    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    made: Any = _rebuild_tensor_v2
    more: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        more = () if self.more is None else (self.more,)
        return self.made, (self.storage, self.offset, self.lengths, self.strides, False, OrderedDict(), *more)


@dataclass(frozen=True, eq=False)
class Parameter:
    """A tensor that is trained."""

    tensor: Tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_parameter, (self.tensor, True, OrderedDict())


@dataclass(frozen=True, eq=False)
class OldParameter:
    """A tensor that is trained, as before PyTorch 0.4."""

    tensor: Tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameter_, (self.tensor,), (True, False, OrderedDict())


class Module:
    """As much of a `torch.nn.Module` as is pickled."""

    def __init__(self, tensors: Mapping[str, Any], **inside: Module) -> None:
        self.training = True
        self._parameters: OrderedDict[str, Any] = OrderedDict(tensors)
        self._buffers: OrderedDict[str, Any] = OrderedDict()
        self._non_persistent_buffers_set: set[str] = set()
        self._modules: OrderedDict[str, Any] = OrderedDict(inside)


def tensor(values: np.ndarray) -> Tensor:
    """Return a tensor with a storage of its own, in order."""
    values = np.ascontiguousarray(values)
    return Tensor(Stored(values.ravel()), values.shape, tuple(step // values.itemsize for step in values.strides))


def state(tensors: Mapping[str, np.ndarray], before: str = "") -> OrderedDict[str, Tensor]:
    """Return a state dict; `before` is put before every name."""
    return OrderedDict((before + name, tensor(values)) for name, values in tensors.items())


def network(tensors: Mapping[str, np.ndarray], trained: Callable[[Tensor], Any] = Parameter) -> Module:
    """Return a network of modules as a state dict names them."""
    own = {name: trained(tensor(values)) for name, values in tensors.items() if "." not in name}
    parts = dict.fromkeys(name.partition(".")[0] for name in tensors if "." in name)
    within = {part: {n.partition(".")[2]: v for n, v in tensors.items() if n.startswith(f"{part}.")} for part in parts}
    return Module(own, **{part: network(found, trained) for part, found in within.items()})


def torch_bytes(content: Any, *, old: bool = False, protocol: int = 2) -> bytes:
    """Return what `torch.save` writes of plain values, tensors and modules; `old` as before PyTorch 1.6."""
    storages: dict[str, np.ndarray] = {}
    with _names_of_torch() as storage_types:

        class Pickler(pickle.Pickler):
            def persistent_id(self, found: Any) -> tuple[Any, ...] | None:
                if not isinstance(found, Stored):
                    return None
                key = next((k for k, values in storages.items() if values is found.values), str(len(storages)))
                storages[key] = found.values
                kind = storage_types[KINDS[found.values.dtype.str[1:]]]
                return ("storage", kind, key, "cpu", found.values.size, *([None] if old else []))

        pickled = io.BytesIO()
        Pickler(pickled, protocol).dump(content)
    if old:
        about = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}
        before, keys = (
            [pickle.dumps(each, protocol) for each in (MAGIC, PROTOCOL, about)],
            pickle.dumps([*storages], protocol),
        )
        numbers = [values.size.to_bytes(8, "little") + values.tobytes() for values in storages.values()]
        return b"".join([*before, pickled.getvalue(), keys, *numbers])
    members = {"data.pkl": pickled.getvalue(), "byteorder": b"little", "version": b"3\n"}
    members |= {f"data/{key}": values.tobytes() for key, values in storages.items()}
    return zipped(members)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a checkpoint's zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in members.items():
            file.writestr(f"net/{name}", data)
    return out.getvalue()


@contextmanager
def _names_of_torch() -> Iterator[dict[str, type]]:
    """Let pickle find everything under PyTorch's names."""
    kinds = {kind: type(f"{kind}Storage", (), {"__module__": "torch"}) for kind in KINDS.values()}
    places: dict[str, Any] = {"torch": {each.__name__: each for each in kinds.values()}}
    places["torch._utils"] = {each.__name__: each for each in _REBUILDERS}
    places["torch.nn.parameter"] = {"Parameter": Parameter_}
    modules = {name: types.ModuleType(name) for name in (*places, "torch.nn")}
    for name, content in places.items():
        vars(modules[name]).update(content)
    kept = {name: sys.modules.get(name) for name in modules}
    renamed = [(each, each.__name__, "torch._utils") for each in _REBUILDERS]
    renamed.append((Parameter_, "Parameter", "torch.nn.parameter"))
    before = [(each, each.__qualname__, each.__module__) for each, _, _ in renamed]
    sys.modules.update(modules)
    for each, name, within in renamed:
        each.__qualname__, each.__module__ = name, within
    try:
        yield kinds
    finally:
        for each, name, within in before:
            each.__qualname__, each.__module__ = name, within
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
