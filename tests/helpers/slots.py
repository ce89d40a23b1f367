"""Networks of the same shapes with other weights, and the input that a slot is tried with."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def xorshift(seed: int, count: int) -> np.ndarray:
    """Return the test input of docs/formats/squ.md, int8 [count]."""
    x, found = seed, bytearray()
    for _ in range(count):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        found.append(x & 255)
    return np.frombuffer(bytes(found), np.int8)


def fine_tuned(model: bytes, seed: int, share: float = 0.2) -> bytes:
    """Return a network of the same shapes: some weights moved by a few steps, biases and scales a little."""
    rng = np.random.default_rng(seed)
    changed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph = changed.subgraphs[0]
    for tensor in graph.tensors:
        data = changed.buffers[tensor.buffer].data
        scales = tensor.quantization.scale if tensor.quantization else None
        if data is None or scales is None:
            continue
        kind = np.int8 if tensor.type == schema.TensorType.INT8 else np.int32
        values = np.frombuffer(bytes(data), kind).astype(np.int64)
        moved = values + rng.integers(-2, 3, values.shape) * (rng.random(values.shape) < share)
        limit = 127 if kind is np.int8 else 2**30
        changed.buffers[tensor.buffer].data = np.frombuffer(
            np.clip(moved, -limit, limit).astype(kind).tobytes(), np.uint8
        )
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(changed.Pack(builder), b"TFL3")
    return bytes(builder.Output())
