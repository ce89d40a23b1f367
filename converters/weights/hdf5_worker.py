"""Read an HDF5 file with h5py, in a process of its own: the library is C, and trusts what a file says of itself.

    python hdf5_worker.py < FILE > REPLY

The reply is a zero byte and a `.safetensors` file: every array of floating-point numbers by its path, as float32, and
as its metadata `attributes`, JSON, the attributes named below by path. Or a one, and what is wrong. A file that harms
the library ends this process alone; it takes no more time or memory than said below.

A plain file, started as a script: what lies beside it here is not what `import onnx` means to others.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__" and sys.path[:1] == [os.path.dirname(os.path.abspath(__file__))]:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np

from converters.weights import safetensors
from converters.weights.tensors import MAX_BYTES

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SECONDS = 20  # of processor time
MEMORY = 6 * MAX_BYTES  # bytes beside those of the process itself: the file, its arrays in four copies, and HDF5's own
MOST_OBJECTS = 5_000
DEEPEST = 16
_MOST_TEXT = 8 << 20  # bytes of all attributes; a model's description has some 100 KB
_KEPT = re.compile(r"layer_names\d*|weight_names\d*|model_config|keras_version|backend|name")
_LEFT_OUT = ("optimizer_weights", "optimizer")  # groups at the top that hold no network

Arrays = dict[str, np.ndarray]
Attributes = dict[str, dict[str, Any]]


def reply_to(data: bytes) -> bytes:
    """Return the reply to a file."""
    try:
        arrays, attributes = contents(data)
        return b"\0" + safetensors.write(arrays, {"attributes": json.dumps(attributes)})
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError, TypeError and more on damage
        return b"\1" + (str(error) or type(error).__name__).encode("utf-8", "replace")[:1000]


def contents(data: bytes) -> tuple[Arrays, Attributes]:
    """Return the arrays of floating-point numbers and the attributes of an HDF5 file, by path.

    Raises:
      Exception: it is damaged, holds more than bounds allow, or points outside itself.
    """
    import h5py

    arrays: Arrays = {}
    attributes: Attributes = {}
    sizes = {"bytes": 0, "text": 0}
    with h5py.File(io.BytesIO(data), "r") as file:
        for path, item in _items(h5py, file, "", 0):
            _add(sizes, "text", _MOST_TEXT, len(path))
            if kept := _attributes(item, sizes):
                attributes[path] = kept
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
                _check_inside(path, item)
                _add(sizes, "bytes", MAX_BYTES, math.prod(item.shape) * max(4, item.dtype.itemsize))
                arrays[path] = np.asarray(item[()], np.float32)
    return arrays, attributes


def _items(h5py: Any, group: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield a group and all below it; the path of the first is empty."""
    waiting, count = [(path, group, depth)], 0
    while waiting:
        path, item, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count + len(waiting) > MOST_OBJECTS:
            raise ValueError(f"it holds over {MOST_OBJECTS:,} objects, or some over {DEEPEST} deep")
        yield path, item
        if isinstance(item, h5py.Group):
            waiting += [
                (f"{path}/{name}".lstrip("/"), _member(h5py, item, name), depth + 1)
                for name in reversed(list(item))
                if depth or name not in _LEFT_OUT
            ]


def _member(h5py: Any, group: Any, name: str) -> Any:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link to another place")
    return group[name]


def _check_inside(path: str, item: Any) -> None:
    if item.external or item.is_virtual:
        raise ValueError(f"{path} keeps its numbers in another file")


def _attributes(item: Any, sizes: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in item.attrs:
        if _KEPT.fullmatch(name):
            found[name] = _text(item.attrs[name])
            _add(sizes, "text", _MOST_TEXT, len(str(found[name])))
    return found


def _text(value: Any) -> Any:
    """Return an attribute as text or a list of texts."""
    if isinstance(value, np.ndarray):
        return [_text(each) for each in value.ravel()[:MOST_OBJECTS].tolist()]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _add(sizes: dict[str, int], what: str, most: int, more: int) -> None:
    sizes[what] += more
    if sizes[what] > most:
        raise ValueError(f"it holds over {most:,} bytes of {'numbers' if what == 'bytes' else 'names'}")


def limit() -> None:
    """Hold this process to its time and memory, where the system can, and let it write no file."""
    with open("/proc/self/statm", "rb") if os.path.exists("/proc/self/statm") else io.BytesIO(b"0") as file:
        pages = int(file.read().split()[0])
    limits = {"RLIMIT_CPU": SECONDS, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0}
    if pages:
        limits["RLIMIT_AS"] = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    for name, most in limits.items():
        if resource is not None and hasattr(resource, name):
            hard = resource.getrlimit(getattr(resource, name))[1]
            resource.setrlimit(getattr(resource, name), (most if hard < 0 else min(most, hard), hard))


def main() -> None:
    """Answer the one request."""
    import h5py  # noqa: F401, before memory is counted

    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no reply
    data = requests.read(MAX_BYTES + 1)
    limit()
    replies.write(reply_to(data))
    replies.flush()


if __name__ == "__main__":
    main()
