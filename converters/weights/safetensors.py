"""Safetensors files: 8 bytes of little-endian header length, a JSON header, then all tensors without gaps.

Format: https://github.com/huggingface/safetensors (its README). Read here in NumPy alone, every offset checked.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from converters import strict_json
from converters.weights.class_names import class_names
from converters.weights.state_dict import from_tensors
from converters.weights.tensors import MAX_DIM, WeightFile, describe

MAX_HEADER = 8 << 20
"""Longest header read, in bytes; a network of a thousand layers needs 200 KB."""
_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_INTEGERS = {"BOOL": "?", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "u1"}
_DTYPES = {**_FLOATS, **_INTEGERS}


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a `.safetensors` file.

    Raises:
      ValueError: cut short, damaged, or of an unknown dtype (weights are F16, F32 or F64); names the tensor.
    """
    return from_tensors(
        "safetensors", read_tensors(data), hashlib.sha256(data).hexdigest(), class_names(metadata(data))
    )


def metadata(data: bytes) -> dict[str, Any]:
    """Return what whoever wrote the file says of it."""
    found = _whole_header(data)[0].get("__metadata__")
    return found if isinstance(found, dict) else {}


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """Read every tensor of a `.safetensors` file, in the order of its header.

    Raises:
      ValueError: cut short, damaged, or of an unknown dtype; names the tensor.
    """
    header, start = _header(data)
    spans = sorted((*_offsets(name, entry), name) for name, entry in header.items())
    position = 0
    for begin, end, name in spans:
        if begin != position:
            raise ValueError(
                f"tensor {name} starts at byte {begin} of the data; expected {position}, where the last ends"
            )
        position = end
    if position != len(data) - start:
        last = spans[-1][2] if spans else "the header"
        raise ValueError(
            f"the data have {len(data) - start} bytes; expected {position} up to the end of {last} "
            "(the file is cut short or damaged)"
        )
    arrays = {name: _array(name, header[name], data[start + begin : start + end]) for begin, end, name in spans}
    return {name: arrays[name] for name in header}


def write(tensors: Mapping[str, np.ndarray], said: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a `.safetensors` file; the same tensors in the same order give the same bytes.

    Args:
      tensors: name → float32 of any shape.
      said: the file's metadata, text by key; by default it has none.
    """
    header: dict[str, Any] = {"__metadata__": dict(said)} if said else {}
    parts, position = [], 0
    for name, values in tensors.items():
        part = np.ascontiguousarray(values, "<f4").tobytes()
        span = [position, position + len(part)]
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": span}
        parts.append(part)
        position += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the data are aligned
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """Return the header's tensors by name, and where the data start."""
    header, start = _whole_header(data)
    header.pop("__metadata__", None)
    return header, start


def _whole_header(data: bytes) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER, len(data) - 8):
        raise ValueError(
            f"the file has {len(data)} bytes and states a header of {length}; expected a safetensors file whose header "
            f"fits into it and has at most {MAX_HEADER}"
        )
    try:
        header = strict_json.loads(data[8 : 8 + length], MAX_HEADER)
    except ValueError as error:
        raise ValueError(f"the header is damaged ({error}); expected JSON") from error
    if not isinstance(header, dict):
        raise ValueError(f"the header is a {type(header).__name__}; expected a JSON object")
    return header, 8 + length


def _offsets(name: str, entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name} is described by {str(entry)[:80]}; expected dtype, shape and data_offsets")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _natural(shape, MAX_DIM) or not _natural(offsets, 1 << 62) or len(offsets) != 2 or offsets[1] < offsets[0]:
        raise ValueError(
            f"tensor {name} has shape {str(shape)[:80]} and data_offsets {str(offsets)[:80]}; expected lengths and "
            "[begin, end]"
        )
    return offsets[0], offsets[1]


def _natural(values: Any, most: int) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= most for value in values)


def _array(name: str, entry: dict[str, Any], data: bytes) -> np.ndarray:
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"tensor {name} has dtype {str(dtype)[:20]}; expected one of {', '.join(_DTYPES)}")
    expected = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if len(data) != expected:
        raise ValueError(f"tensor {name} has {len(data)} bytes; expected {expected} for {dtype} {describe(shape)}")
    return np.frombuffer(data, _DTYPES[dtype]).reshape(shape)
