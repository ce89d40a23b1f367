"""MXNet's `.params`: a list of arrays and a list of their names, as `mxnet.nd.save` writes them.

Little-endian: uint64 0x112, uint64 0, uint64 number of arrays, the arrays, uint64 number of names, and for each a
uint64 length and so many bytes. An array is of one of four versions, by its first uint32:

    0xF993FAC9 (2), 0xF993FACA (3)   int32 storage (0: dense), int32 axes, int64 each length
    0xF993FAC8 (1)                   uint32 axes, int64 each length
    any other (0)                    that uint32 is the number of axes, uint32 each length

and then int32 device, int32 its number, int32 dtype, and the values. Without axes (version 3: with -1) nothing more
follows: the array is none. Names of checkpoints begin with `arg:` or `aux:`. Gluon puts its network's name and number
before all of them: the second one made in a program is `squeezenet1_`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

import numpy as np

from converters.weights.cursor import Cursor
from converters.weights.state_dict import from_tensors
from converters.weights.tensors import LONGEST_NAME, MAX_DIM, WeightFile, describe

MAGIC = (0x112).to_bytes(8, "little")
"""What every such file begins with."""
MOST_ARRAYS = 10_000
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DTYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?")
_MOST_AXES = 8
_PREFIXES = ("arg:", "aux:")
_NETWORK = re.compile(r"[a-z]+\d+_")


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a `.params` file.

    Raises:
      ValueError: cut short, damaged, sparse, or arrays without names; names the array.
    """
    return from_tensors("mxnet", _without_network(read_arrays(data)), hashlib.sha256(data).hexdigest())


def _without_network(arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Leave out what Gluon puts before every name."""
    found = _NETWORK.match(next(iter(arrays), ""))
    if not found or len(arrays) < 3 or not all(name.startswith(found[0]) for name in arrays):
        return arrays
    return {name.removeprefix(found[0]): values for name, values in arrays.items()}


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Read every array of a `.params` file by its name, without `arg:` and `aux:`.

    Raises:
      ValueError: as `read`.
    """
    if not data.startswith(MAGIC):
        raise ValueError(f"the file begins with {data[:8].hex() or 'nothing'}; expected {MAGIC.hex()}, as .params do")
    cursor = Cursor(data)
    cursor.take(16, "the head")
    arrays = [_array(cursor, f"array number {number + 1}") for number in range(_count(cursor, "arrays"))]
    names = [cursor.text("Q", LONGEST_NAME, f"name {n + 1}") for n in range(_count(cursor, "names"))]
    if len(names) != len(arrays):
        raise ValueError(f"the file holds {len(arrays)} arrays and {len(names)} names; expected a name for each")
    if cursor.left:
        raise ValueError(f"{cursor.left} bytes follow the last name; expected the file's end (it is damaged)")
    found: dict[str, np.ndarray] = {}
    for name, values in zip(map(_plain, names), arrays, strict=True):
        if name in found:
            raise ValueError(f"array {name} is there twice; expected each once")
        if values is not None:
            found[name] = values
    return found


def _count(cursor: Cursor, what: str) -> int:
    count = cursor.number("Q", f"the number of {what}")
    if count > MOST_ARRAYS:
        raise ValueError(f"the file states {count} {what}; expected at most {MOST_ARRAYS} (it is damaged)")
    return count


def _plain(name: str) -> str:
    return name[len(_PREFIXES[0]) :] if name.startswith(_PREFIXES) else name


def _array(cursor: Cursor, what: str) -> np.ndarray | None:
    shape = _shape(cursor, what)
    if shape is None:
        return None
    cursor.take(8, what)  # the device
    dtype = cursor.number("i", what)
    if not 0 <= dtype < len(_DTYPES):
        raise ValueError(f"{what} has dtype number {dtype}; expected 0 to {len(_DTYPES) - 1}")
    kind = np.dtype(_DTYPES[dtype])
    return np.frombuffer(cursor.take(math.prod(shape) * kind.itemsize, what), kind).reshape(shape)


def _shape(cursor: Cursor, what: str) -> tuple[int, ...] | None:
    """Read an array's head up to its shape; None if the array is none."""
    version = cursor.number("I", what)
    axes, kind = version, "I"
    if version in (_V2, _V3) and (storage := cursor.number("i", what)):
        raise ValueError(f"{what} is stored as kind {storage}, which is sparse; expected 0, dense")
    if version in (_V1, _V2, _V3):
        axes, kind = cursor.number("i", what), "q"
    if axes == (-1 if version == _V3 else 0):
        return None
    if not 0 <= axes <= _MOST_AXES:
        raise ValueError(f"{what} has {axes} axes; expected at most {_MOST_AXES} (the file is damaged)")
    shape = cursor.numbers(kind, axes, what)
    if not all(0 <= length <= MAX_DIM for length in shape):
        raise ValueError(f"{what} has shape {describe(shape)}; expected lengths up to {MAX_DIM}")
    return shape
