"""ONNX models: the weights of their Conv nodes. Field numbers are those of the public `onnx.proto`, any IR version.

Read with the protobuf library alone: the package `onnx` would bring nothing but these few messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from converters.weights.class_names import class_names
from converters.weights.protobuf import Fields, NameFields, message_classes, parse, require_few, require_known
from converters.weights.state_dict import WEIGHT_ENDINGS, layer_of
from converters.weights.tensors import ConvWeights, WeightFile, checked_shape, convolution, describe

DEFINITIONS: dict[str, Fields] = {
    "ModelProto": {
        "ir_version": (1, "int64"),
        "producer_name": (2, "bytes"),
        "producer_version": (3, "bytes"),
        "domain": (4, "bytes"),
        "model_version": (5, "int64"),
        "doc_string": (6, "bytes"),
        "graph": (7, "bytes"),
        "opset_import": (8, "bytes*"),
        "metadata_props": (14, "bytes*"),
        "training_info": (20, "bytes*"),
        "functions": (25, "bytes*"),
        "configuration": (26, "bytes*"),
    },
    "StringStringEntryProto": {"key": (1, "bytes"), "value": (2, "bytes")},
    "GraphProto": {"node": (1, "bytes*"), "initializer": (5, "bytes*")},
    "NodeProto": {
        "input": (1, "bytes*"),
        "output": (2, "bytes*"),
        "name": (3, "bytes"),
        "op_type": (4, "bytes"),
        "attribute": (5, "bytes*"),
    },
    "AttributeProto": {
        "name": (1, "bytes"),
        "i": (3, "int64"),
        "s": (4, "bytes"),
        "ints": (8, "int64*"),
    },
    "TensorProto": {
        "dims": (1, "int64*"),
        "data_type": (2, "int32"),
        "float_data": (4, "float*"),
        "int32_data": (5, "int32*"),
        "name": (8, "bytes"),
        "raw_data": (9, "bytes"),
        "double_data": (10, "double*"),
        "data_location": (14, "int32"),
    },
}
NAME_FIELDS: NameFields = {
    1: 3,
    5: 8,
}  # GraphProto's fields with nodes and initialisers, and the field with their name
_FLOATS = {1: "<f4", 10: "<f2", 11: "<f8"}  # TensorProto.DataType: FLOAT, FLOAT16, DOUBLE
_EXTERNAL = 1


@lru_cache(maxsize=1)
def messages() -> dict[str, Any]:
    """Return the message classes by name."""
    return message_classes("converters.weights.onnx_proto", DEFINITIONS)


def read(data: bytes) -> WeightFile:
    """Read the weights of every Conv node of an `.onnx` model.

    A layer is named by its weight tensor without the ending (`_w_0`, `.weight`, `_weight`).

    Raises:
      ValueError: cut short, damaged, without convolutions, or weights kept elsewhere; names the layer.
    """
    nodes, tensors, properties = _graph(data)
    layers: dict[str, ConvWeights] = {}
    used: set[str] = set()
    for node in nodes:
        if _text(node.op_type) == "Conv":
            name, parts = _conv(node, tensors)
            if name in layers:
                raise ValueError(f"layer {name} is there twice; expected each convolution once")
            layers[name] = parts
            used.update(map(_text, node.input))
    if not layers:
        raise ValueError("the file holds no Conv node; expected an .onnx model with weights")
    unused = tuple(name for name in tensors if name not in used and _is_weight(tensors[name]))
    normalisations = [_title(node) for node in nodes if _text(node.op_type) == "BatchNormalization"]
    return WeightFile(
        "onnx",
        layers,
        hashlib.sha256(data).hexdigest(),
        unused,
        _additions(nodes, tensors),
        normalisations=tuple(normalisations),
        labels=class_names(properties),
    )


def _properties(model: Any) -> dict[str, str]:
    """Return what whoever wrote the file says of it: text by key."""
    require_few("the file's properties", model.metadata_props)
    cls = messages()["StringStringEntryProto"]
    entries = [parse(cls, part, f"property number {i}") for i, part in enumerate(model.metadata_props)]
    return {_text(entry.key): _text(entry.value) for entry in entries}


def _graph(data: bytes) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
    """Return the nodes, the stored tensors by name, and the file's properties."""
    model = parse(messages()["ModelProto"], data, "the file", {7: NAME_FIELDS})
    require_known(model, "the file")
    graph = parse(messages()["GraphProto"], model.graph, "the file's graph", NAME_FIELDS)
    require_few("the file's graph", graph.node, graph.initializer)
    nodes = [parse(messages()["NodeProto"], part, f"node number {i}") for i, part in enumerate(graph.node)]
    tensors: dict[str, Any] = {}
    for number, part in enumerate(graph.initializer):
        tensor = parse(messages()["TensorProto"], part, f"initialiser number {number}")
        if _text(tensor.name) in tensors:
            raise ValueError(f"initialiser {_text(tensor.name)} is there twice; expected it once")
        tensors[_text(tensor.name)] = tensor
    return nodes, tensors, _properties(model)


def _conv(node: Any, tensors: Mapping[str, Any]) -> tuple[str, ConvWeights]:
    inputs = [_text(name) for name in node.input]
    if len(inputs) not in (2, 3):
        raise ValueError(f"Conv node {_title(node)} has {len(inputs)} inputs; expected 2 or 3")
    name = layer_of(inputs[1], WEIGHT_ENDINGS) or inputs[1]
    values = _numbers(inputs[1], name, tensors)
    kernel = values.reshape(checked_shape(name, tuple(tensors[inputs[1]].dims), values.size))
    bias = _numbers(inputs[2], name, tensors) if len(inputs) == 3 and inputs[2] else None
    attributes = _attributes(node, name)
    stated = tuple(attributes["kernel_shape"].ints) if "kernel_shape" in attributes else kernel.shape[2:]
    if stated != kernel.shape[2:]:
        raise ValueError(
            f"layer {name} has a kernel [O, I, H, W] of shape {describe(kernel.shape)}; expected "
            f"{describe((*kernel.shape[:2], *stated))} as its node states"
        )
    groups = attributes["group"].i if "group" in attributes else 1
    return name, convolution(name, kernel, bias, groups, _padding(attributes))


def _attributes(node: Any, layer: str) -> dict[str, Any]:
    parsed = (parse(messages()["AttributeProto"], part, f"layer {layer}'s attribute") for part in node.attribute)
    return {_text(attribute.name): attribute for attribute in parsed}


def _padding(attributes: Mapping[str, Any]) -> tuple[int, int] | None:
    if "auto_pad" in attributes and _text(attributes["auto_pad"].s) not in ("NOTSET", "VALID", ""):
        return None  # depends on the size of the input
    pads = tuple(attributes["pads"].ints) if "pads" in attributes else ()
    return (pads[0], pads[1]) if len(pads) == 4 else (0, 0)


def _numbers(tensor_name: str, layer: str, tensors: Mapping[str, Any]) -> np.ndarray:
    """Return a stored tensor's numbers, flat, as float."""
    if tensor_name not in tensors:
        raise ValueError(f"layer {layer} takes {tensor_name}, which is not stored; expected it among the initialisers")
    tensor = tensors[tensor_name]
    if tensor.data_location == _EXTERNAL:
        raise ValueError(
            f"layer {layer} keeps {tensor_name} in another file; expected one self-contained file: "
            "onnx.save(onnx.load(FILE), 'whole.onnx'), with that other file beside it"
        )
    if tensor.data_type not in _FLOATS:
        raise ValueError(
            f"layer {layer} has {tensor_name} of data type {tensor.data_type}; expected float32 (1), float16 (10) or "
            "float64 (11)"
        )
    stored = [part for part in (tensor.raw_data, tensor.float_data, tensor.int32_data, tensor.double_data) if part]
    if len(stored) != 1:
        raise ValueError(f"layer {layer} has {tensor_name} stored {len(stored)} times; expected once")
    return _typed(tensor) if not tensor.raw_data else _raw(tensor, tensor_name, layer)


def _typed(tensor: Any) -> np.ndarray:
    if tensor.data_type == 10:  # the bits of each float16 in an int32
        bits = np.fromiter(tensor.int32_data, np.int64, len(tensor.int32_data))
        return (bits & 0xFFFF).astype("<u2").view("<f2").astype(np.float32)
    if tensor.data_type == 11:
        return np.fromiter(tensor.double_data, np.float64, len(tensor.double_data))
    return np.fromiter(tensor.float_data, np.float32, len(tensor.float_data))


def _raw(tensor: Any, tensor_name: str, layer: str) -> np.ndarray:
    dtype = np.dtype(_FLOATS[tensor.data_type])
    if len(tensor.raw_data) % dtype.itemsize:
        raise ValueError(
            f"layer {layer} has {len(tensor.raw_data)} bytes in {tensor_name}; expected a multiple of {dtype.itemsize}"
        )
    return np.frombuffer(tensor.raw_data, dtype)


def _is_weight(tensor: Any) -> bool:
    count = 1
    for length in tensor.dims:
        count *= length
    return tensor.data_type in _FLOATS and count > 1


def _additions(nodes: list[Any], tensors: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the nodes that add feature maps, not constants."""
    return tuple(
        _title(node)
        for node in nodes
        if _text(node.op_type) in ("Add", "Sum") and not any(_text(name) in tensors for name in node.input)
    )


def _title(node: Any) -> str:
    return _text(node.name) or (_text(node.output[0]) if node.output else "without a name")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
