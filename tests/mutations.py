"""Damaged models for tests: bytes flipped anywhere, or fields of a whole model set to other values."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

NUMBERS = (0, 1, -1, 2, 3, 5, 16, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, -(2**31))
SCALES = (0.0, -1.0, 1e-45, 1e-30, 1e-6, 0.5, 3.0, 1e6, 3e38, float("inf"), float("nan"))


def mutants(model: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield damaged copies of a model, each in one to three places."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        yield _flipped(model, rng) if i % 2 else _edited(model, rng)


def _flipped(model: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(model)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(data)))
        kind = rng.integers(5)
        if kind == 0:
            del data[at:]
            return bytes(data)
        if kind == 1:
            data[at : at + 4] = struct.pack("<i", int(rng.choice(NUMBERS)))
        elif kind == 2:
            data[at] ^= 1 << int(rng.integers(8))
        else:
            data[at] = int(rng.integers(256))
    return bytes(data)


def _edited(model: bytes, rng: np.random.Generator) -> bytes:
    """Set fields of the model's tables, and pack it again."""
    form = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    graph = form.subgraphs[0]
    for _ in range(rng.integers(1, 4)):
        while not _edit(_pick(rng, [graph, *graph.tensors * 3, *graph.operators * 4, *form.operatorCodes]), rng):
            pass
    builder = flatbuffers.Builder(1 << 12)
    try:
        builder.Finish(form.Pack(builder), b"TFL3")
    except (TypeError, struct.error, OverflowError, ValueError):  # a number that the field cannot hold
        return model[: len(model) // 2]
    return bytes(builder.Output())


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _edit(table: Any, rng: np.random.Generator) -> bool:
    """Set one field of a table, or of a table in it; return whether there was one."""
    if not vars(table):
        return False
    name = _pick(rng, sorted(vars(table)))
    value = getattr(table, name)
    if hasattr(value, "__dict__"):
        return _edit(value, rng)
    if isinstance(value, bool):
        setattr(table, name, not value)
    elif isinstance(value, int):
        setattr(table, name, int(_pick(rng, NUMBERS[:9])) % 128)
    elif isinstance(value, float):
        setattr(table, name, float(_pick(rng, SCALES)))
    elif isinstance(value, (list, np.ndarray)) and len(value) and isinstance(value[0], (int, float, np.number)):
        values = np.array(value)
        real = values.dtype.kind == "f"
        values[int(rng.integers(len(values)))] = _pick(rng, SCALES if real else NUMBERS)
        setattr(table, name, values)
    else:
        return False
    return True
