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
    form = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for i in range(count):
        yield _flipped(model, rng) if i % 2 else _edited(model, form, rng)


def mutant(model: bytes, rng: np.random.Generator) -> bytes:
    """Return a copy of a model with one to three fields of its tables set to other values."""
    return _edited(model, schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)), rng)


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


def _edited(model: bytes, form: Any, rng: np.random.Generator) -> bytes:
    """Set fields of the model's tables, pack it, and set them back."""
    graph = form.subgraphs[0]
    tables = [graph, *graph.tensors * 3, *graph.operators * 4, *form.operatorCodes]
    edits = [_edit(tables, rng) for _ in range(rng.integers(1, 4))]
    builder = flatbuffers.Builder(1 << 12)
    try:
        builder.Finish(form.Pack(builder), b"TFL3")
        return bytes(builder.Output())
    except (TypeError, struct.error, OverflowError, ValueError):  # a number that the field cannot hold
        return model[: len(model) // 2]
    finally:
        for table, name, value in reversed(edits):
            setattr(table, name, value)


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _edit(tables: Any, rng: np.random.Generator) -> tuple[Any, str, Any]:
    """Set one field of a table, or of a table in it; return which, and what it was."""
    while True:
        table = _pick(rng, tables)
        while vars(table):
            name = _pick(rng, sorted(vars(table)))
            value = getattr(table, name)
            if hasattr(value, "__dict__"):
                table = value
                continue
            changed = _changed(value, rng)
            if changed is None:
                break
            setattr(table, name, changed)
            return table, name, value


def _changed(value: Any, rng: np.random.Generator) -> Any:
    """Return another value for a field; None for what is no number."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return int(_pick(rng, NUMBERS[:9])) % 128
    if isinstance(value, float):
        return float(_pick(rng, SCALES))
    if isinstance(value, (list, np.ndarray)) and len(value) and isinstance(value[0], (int, float, np.number)):
        values = np.array(value)
        values[int(rng.integers(len(values)))] = _pick(rng, SCALES if values.dtype.kind == "f" else NUMBERS)
        return values
    return None
