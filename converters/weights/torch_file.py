"""PyTorch checkpoints, `.pth` and `.pt`, read without PyTorch.

Since PyTorch 1.6 a zip: `NAME/data.pkl` is a pickle of the objects, `NAME/data/KEY` the numbers of each storage.
Before, five pickles one after another (a magic number, the protocol, about the machine, the objects, the keys of the
storages), and for each key an int64, how many numbers, and those.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from converters.archive import Archive, ArchiveError
from converters.weights.class_names import class_names
from converters.weights.cursor import Cursor
from converters.weights.state_dict import from_tensors
from converters.weights.tensors import MAX_BYTES, WeightFile, describe, require_few
from converters.weights.torch_objects import MOST_TENSORS, Instance, Storage, Tensor, read_object, state_of

_STATES = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
"""What training scripts call the tensors, the first that is there."""
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.")
"""What DataParallel, `torch.compile`, Lightning and others put before every name."""
_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled magic number
_MAGIC_AT = (2, 11)  # behind the pickle's protocol, and from protocol 4 on a frame
_PROTOCOL = 1001
_PARTS = (".weight", ".bias")  # of a layer, whose values must be known
_UNMASKED, _MASK = "_orig", "_mask"  # what torch.nn.utils.prune keeps of a parameter
_KERNEL_AXES = 4
_MOST_ENTRIES = 100  # of a checkpoint, among which the network is looked for
Stored = Callable[[Storage], bytes]
"""The bytes of a storage's numbers."""


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a checkpoint: a state dict, one among other things, or a whole network.

    Raises:
      ValueError: the file is damaged, or holds something else.
    """
    content, stored = _zipped(data) if data.startswith(b"PK") else _in_a_row(data)
    state = _state(content)
    require_few(sum(tensor.count for tensor in state.values()))  # tensors may share numbers, and each has a copy here
    tensors = _masked({name: tensor.values(stored(tensor.storage), name) for name, tensor in state.items()})
    labels = class_names(content) if isinstance(content, dict) else ()
    return from_tensors("torch", tensors, hashlib.sha256(data).hexdigest(), labels)


def _masked(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Multiply what is being pruned by its mask, as `torch.nn.utils.prune` does at each call.

    Raises:
      ValueError: a mask has another shape, or the product is there, too.
    """
    found = {}
    for name, values in tensors.items():
        part = name.removesuffix(_UNMASKED)
        mask = tensors.get(f"{part}{_MASK}") if part != name and part.endswith(_PARTS) else None
        if mask is not None:
            if part in tensors or mask.shape != values.shape:
                raise ValueError(f"{name} has a mask of shape {describe(mask.shape)}; expected its own, and no {part}")
            with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused later
                found[part] = values * mask
        elif not (name.endswith(_MASK) and f"{name.removesuffix(_MASK)}{_UNMASKED}" in tensors):
            found[name] = values
    return found


def _zipped(data: bytes) -> tuple[Any, Stored]:
    try:
        archive = Archive(data, MAX_BYTES)
        archive.check()
        folder = next((name.removesuffix("data.pkl") for name in archive.sizes if name.endswith("data.pkl")), None)
        if folder is None:
            raise ValueError("the archive has no data.pkl; expected a checkpoint from torch.save(...)")
        order = f"{folder}byteorder"
        if order in archive.sizes and archive.read(order, MAX_BYTES) != b"little":
            raise ValueError("the numbers are of a big-endian machine; expected little-endian")
        content = read_object(io.BytesIO(archive.read(f"{folder}data.pkl", MAX_BYTES)))
    except ArchiveError as error:
        raise ValueError(f"the file is cut short or damaged ({error})") from error

    @cache  # any number of tensors may lie in one storage
    def stored(storage: Storage) -> bytes:
        name = f"{folder}data/{storage.key}"
        if name not in archive.sizes:
            raise ValueError(f"storage {storage.key} is missing; expected {name} in the archive (it is damaged)")
        return archive.read(name, MAX_BYTES)

    return content, stored


def _in_a_row(data: bytes) -> tuple[Any, Stored]:
    file, storages = io.BytesIO(data), dict[str, Storage]()
    start = next((place for place in _MAGIC_AT if data.startswith(_MAGIC, place)), None)
    file.seek((start or 0) + len(_MAGIC))
    if start is None or read_object(file) != _PROTOCOL:
        raise ValueError("the pickle is not PyTorch's; expected a checkpoint from torch.save(...)")
    about, content, keys = read_object(file), read_object(file, storages), read_object(file)
    if not isinstance(about, dict) or about.get("little_endian") is not True:
        raise ValueError("the numbers are of a big-endian machine; expected little-endian")
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in storages for key in keys):
        raise ValueError("the file's storages are not those of its tensors (it is damaged)")
    cursor, found = Cursor(data), dict[str, bytes]()
    cursor.at = file.tell()
    for key in keys:
        what = f"storage {key}"
        count = cursor.number("q", what)
        if count != storages[key].count:
            raise ValueError(f"{what} has {count} values; expected {storages[key].count} (the file is damaged)")
        found[key] = cursor.take(storages[key].bytes, what)
    if cursor.left:
        raise ValueError(f"{cursor.left} bytes follow the last storage; expected the file's end (it is damaged)")

    def stored(storage: Storage) -> bytes:
        if storage.key not in found:
            raise ValueError(f"storage {storage.key} is missing (the file is damaged)")
        return found[storage.key]

    return content, stored


def _state(content: Any) -> dict[str, Tensor]:
    """Return the tensors by name, without what is before every name.

    Raises:
      ValueError: there are none, those of several networks, or one is not dense.
    """
    found = _chosen(content)
    for name, each in found.items():
        if isinstance(each, Instance) and (_is_of_torch(each) or name.endswith(_PARTS)):
            raise ValueError(
                f"tensor {name:.100} is made by {_class(each)}; expected a dense tensor, as from "
                "torch.save(model.state_dict(), ...)"
            )
    tensors = {name: each for name, each in found.items() if isinstance(each, Tensor)}
    for _ in _WRAPPERS:
        prefix = next((each for each in _WRAPPERS if all(name.startswith(each) for name in tensors)), "")
        tensors = {name.removeprefix(prefix): each for name, each in tensors.items()}
    return tensors


def _chosen(content: Any) -> dict[str, Any]:
    """Return the state dict among what a file holds: by its name there, or the only one.

    Raises:
      ValueError: it is none of these; or there are more tensors than any network's.
    """
    own, inside = _network(content), _inside(content) if isinstance(content, dict) else {}
    named = next((name for name in _STATES if name in inside), None)
    if named is None and own and (not inside or any(map(_is_kernel, own.values()))):
        return own
    if named is None and len(inside) != 1:
        several = f"tensors of several networks: {_listed(inside)}" if inside else _called(content)
        raise ValueError(f"the file holds {several}; expected a state dict of named tensors, or one network")
    return inside[named] if named is not None else next(iter(inside.values()))


def _inside(entries: dict[Any, Any]) -> dict[Any, dict[str, Any]]:
    """Return the networks among a dict's first entries, by their names; each object is looked at once."""
    inside: dict[Any, dict[str, Any]] = {}
    looked: dict[int, dict[str, Any] | None] = {}
    for name, each in islice(entries.items(), _MOST_ENTRIES):
        if id(each) not in looked:
            looked[id(each)] = _network(each)
        if sum(len(state) for state in looked.values() if state) > MOST_TENSORS:
            raise ValueError(f"the file's networks have over {MOST_TENSORS:,} tensors; expected a SqueezeNet's")
        if state := looked[id(each)]:
            inside[name] = state
    return inside


def _network(found: Any) -> dict[str, Any] | None:
    """Return the state dict that something is, or that of the network that it is."""
    state = found.entries if isinstance(found, Instance) and found.entries else found
    if not isinstance(state, dict):
        return state_of(found)
    named = all(isinstance(name, str) for name in state)
    return state if named and any(isinstance(each, Tensor) or _is_of_torch(each) for each in state.values()) else None


def _is_of_torch(found: Any) -> bool:
    """Tell whether it stands for a tensor that is not read: quantized, sparse and the like."""
    return isinstance(found, Instance) and found.kind.startswith("torch._")


def _is_kernel(found: Any) -> bool:
    return isinstance(found, Tensor) and len(found.lengths) == _KERNEL_AXES


def _called(content: Any) -> str:
    if isinstance(content, Instance):
        return f"an object of {_class(content)}"
    return f"a {type(content).__name__}{' of ' + _listed(content) if isinstance(content, dict) and content else ''}"


def _class(found: Instance) -> str:
    return f"{found.kind.replace(' ', '.'):.100}"


def _listed(found: dict[Any, Any]) -> str:
    return ", ".join(f"{key!r:.40}" for key in islice(found, 5))
