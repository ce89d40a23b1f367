"""Models whose scores are the pixels themselves, for tests: one RESHAPE, built field by field, no TensorFlow."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from sqz_tf.base.spec import PreprocessSpec, to_dict

LABELS = ("red", "green", "blue", "crane")
SPEC = PreprocessSpec(len(LABELS), 1, channels=1, fit="warp")
QUANTIZATION = {"int8": (1 / 255, -128), "uint8": (1 / 255, 0)}
SCORES = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0)}


def model(
    dtype: str = "int8",
    shape: Sequence[int] = (1, 1, 4, 1),
    result: Sequence[int] | None = None,
    source_quantization: tuple[float, int] | None = None,
    inputs: int = 1,
) -> bytes:
    """Return a `.tflite` that gives its input, of any dtype, in another shape; of more `inputs` the first."""
    result = tuple(result or (1, math.prod(shape[1:])))
    graph = schema.SubGraphT()
    sources = [_tensor("input", shape, dtype, source_quantization or QUANTIZATION.get(dtype)) for _ in range(inputs)]
    graph.tensors = [*sources, _tensor("output", result, dtype, SCORES.get(dtype))]
    graph.inputs, graph.outputs = list(range(inputs)), [inputs]
    op = schema.OperatorT()
    op.inputs, op.outputs = [0], [inputs]
    op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.ReshapeOptions, schema.ReshapeOptionsT()
    op.builtinOptions.newShape = list(result)
    graph.operators = [op]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    padding = schema.BufferT()
    padding.data = np.zeros(500, np.uint8)  # stands for weights
    form = schema.ModelT()
    form.version, form.operatorCodes, form.subgraphs = 3, [code], [graph]
    form.buffers = [schema.BufferT(), padding]
    builder = flatbuffers.Builder(1024)
    builder.Finish(form.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str, shape: Sequence[int], dtype: str, quantization: tuple[float, int] | None) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = name, list(shape)
    tensor.type = getattr(schema.TensorType, dtype.upper())
    if quantization:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [quantization[0]], [quantization[1]]
    return tensor


def described(
    content: bytes, labels: Sequence[str] | None = LABELS, preprocess: PreprocessSpec | None = SPEC, **more: Any
) -> bytes:
    """Return a model with labels.txt and preprocess.json behind it; `more` keys go into the latter."""
    whole = io.BytesIO(content)
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w") as archive:
        if labels is not None:
            archive.writestr("labels.txt", "".join(f"{label}\n" for label in labels))
        if preprocess is not None:
            archive.writestr("preprocess.json", json.dumps({**to_dict(preprocess), **more}))
    return whole.getvalue()


def picture(*pixels: int) -> bytes:
    """Return a PNG file one pixel high: with SPEC, the scores that a model gives."""
    file = io.BytesIO()
    Image.fromarray(np.array([pixels], np.uint8)).save(file, "PNG")
    return file.getvalue()
