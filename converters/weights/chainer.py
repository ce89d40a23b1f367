"""Chainer's `.npz`, as `chainer.serializers.save_npz` writes it: a zip of one array of NumPy for each parameter.

Names are paths of links, as in `fire2/conv1/W.npy`. Read without `numpy.load`, which would allocate whatever an array's
head states.
"""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy

from converters.archive import Archive, ArchiveError
from converters.weights.state_dict import from_tensors
from converters.weights.tensors import MAX_BYTES, MAX_DIM, WeightFile, describe

MOST_ARRAYS = 10_000
_MODELS = ("updater/model:main/", "predictor/")  # what snapshots of a trainer and `Classifier` put before names
_HEADS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a Chainer `.npz`.

    Raises:
      ValueError: cut short or damaged, or it holds more than plain arrays; names the array.
    """
    return from_tensors("chainer", _of_the_model(read_arrays(data)), hashlib.sha256(data).hexdigest())


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Read every array of an `.npz` file by its name.

    Raises:
      ValueError: as `read`.
    """
    try:
        with Archive(data, MAX_BYTES) as archive:
            if len(archive.sizes) > MOST_ARRAYS:
                raise ValueError(f"it holds {len(archive.sizes)} arrays; expected at most {MOST_ARRAYS}")
            parts = {name: archive.read(name, MAX_BYTES) for name in archive.sizes}
    except ArchiveError as error:
        raise ValueError(f"the file is cut short or damaged ({error})") from error
    plain = {name.removesuffix(".npy"): part for name, part in parts.items()}
    return {name: _array(name, part) for name, part in plain.items()}


def _of_the_model(arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Leave out what surrounds a model in a snapshot: counters, and what the optimizer keeps."""
    for prefix in _MODELS:
        own = {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
        arrays = own or arrays
    return arrays


def _array(name: str, data: bytes) -> np.ndarray:
    file = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2 wrote some heads
            shape, by_columns, dtype = _HEADS[npy.read_magic(file)](file)
    except Exception as error:  # whatever Python's own parser raises on a garbled head
        raise ValueError(
            f"array {name} is damaged ({type(error).__name__}); expected one as numpy.save has it"
        ) from error
    if dtype.kind not in "fiub":
        raise ValueError(f"array {name} has dtype {str(dtype)[:40]}; expected numbers")
    rest = data[file.tell() :]
    sound = all(isinstance(length, int) and 0 <= length <= MAX_DIM for length in shape)
    if not sound or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"array {name} has {len(rest)} bytes; expected those of {dtype} {describe(shape)[:80]}")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if by_columns else "C")
