"""Caffe's `.caffemodel`: a binary NetParameter message (Jia et al. 2014, arXiv:1408.5093).

Field numbers are those of Caffe's public `caffe.proto`; both the current LayerParameter and the older
V1LayerParameter are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from converters.weights.protobuf import Fields, NameFields, message_classes, parse, require_few, require_known
from converters.weights.tensors import ConvWeights, WeightFile, checked_shape, convolution, describe

DEFINITIONS: dict[str, Fields] = {
    "NetParameter": {
        "name": (1, "bytes"),
        "layers": (2, "bytes*"),
        "input": (3, "bytes*"),
        "input_dim": (4, "int64*"),
        "force_backward": (5, "bool"),
        "state": (6, "bytes"),
        "debug_info": (7, "bool"),
        "input_shape": (8, "bytes*"),
        "layer": (100, "bytes*"),
    },
    "LayerParameter": {
        "name": (1, "bytes"),
        "type": (2, "bytes"),
        "blobs": (7, "bytes*"),
        "convolution_param": (106, "bytes"),
    },
    "V1LayerParameter": {
        "name": (4, "bytes"),
        "type": (5, "int32"),
        "blobs": (6, "bytes*"),
        "convolution_param": (10, "bytes"),
    },
    "ConvolutionParameter": {
        "num_output": (1, "int64"),
        "bias_term": (2, "bool"),
        "pad": (3, "int64*"),
        "kernel_size": (4, "int64*"),
        "group": (5, "int64"),
        "pad_h": (9, "int64"),
        "pad_w": (10, "int64"),
        "kernel_h": (11, "int64"),
        "kernel_w": (12, "int64"),
    },
    "BlobProto": {
        "num": (1, "int64"),
        "channels": (2, "int64"),
        "height": (3, "int64"),
        "width": (4, "int64"),
        "data": (5, "float*"),
        "shape": (7, "bytes"),
        "double_data": (8, "double*"),
    },
    "BlobShape": {"dim": (1, "int64*")},
}
NAME_FIELDS: NameFields = {
    2: 4,
    100: 1,
}  # NetParameter's fields with layers, and each layer's field with its name
_V1_TYPES = {4: "Convolution", 25: "Eltwise"}


@dataclass(frozen=True, eq=False)
class _Layer:
    name: str
    kind: str
    blobs: tuple[bytes, ...]
    parameter: bytes


@lru_cache(maxsize=1)
def messages() -> dict[str, Any]:
    """Return the message classes by name."""
    return message_classes("converters.weights.caffe", DEFINITIONS)


def read(data: bytes) -> WeightFile:
    """Read all Convolution layers of a `.caffemodel`.

    Raises:
      ValueError: cut short, damaged, without convolutions, or a layer contradicts itself; names the layer.
    """
    layers: dict[str, ConvWeights] = {}
    unused, additions, normalisations = [], [], []
    for layer in _layers(data):
        if layer.kind == "Convolution":
            if layer.name in layers:
                raise ValueError(f"layer {layer.name} is there twice; expected each convolution once")
            layers[layer.name] = _convolution(layer)
        elif layer.kind == "Eltwise":
            additions.append(layer.name)
        elif layer.kind == "BatchNorm":
            normalisations.append(layer.name)
        elif layer.blobs:
            unused.append(layer.name)
    if not layers:
        raise ValueError("the file holds no Convolution layer; expected a .caffemodel with weights")
    return WeightFile(
        "caffemodel",
        layers,
        hashlib.sha256(data).hexdigest(),
        tuple(unused),
        tuple(additions),
        normalisations=tuple(normalisations),
    )


def _layers(data: bytes) -> Iterator[_Layer]:
    net = parse(messages()["NetParameter"], data, "the file", NAME_FIELDS)
    require_known(net, "the file")
    require_few("the file", net.layers, net.layer)
    position = 0
    for cls, parts in (("V1LayerParameter", net.layers), ("LayerParameter", net.layer)):
        for part in parts:
            position += 1
            yield _layer(cls, part, position)


def _layer(cls: str, part: bytes, position: int) -> _Layer:
    layer = parse(messages()[cls], part, f"layer number {position}")
    kind = _V1_TYPES.get(layer.type, "") if cls == "V1LayerParameter" else layer.type.decode("utf-8", "replace")
    return _Layer(layer.name.decode("utf-8", "replace"), kind, tuple(layer.blobs), layer.convolution_param)


def _convolution(layer: _Layer) -> ConvWeights:
    where = f"layer {layer.name}"
    parameter = parse(messages()["ConvolutionParameter"], layer.parameter, f"{where}'s convolution_param")
    has_bias = not parameter.HasField("bias_term") or parameter.bias_term
    if len(layer.blobs) != 1 + has_bias:
        raise ValueError(
            f"{where} holds {len(layer.blobs)} blobs; expected {1 + has_bias} (weights{', bias' * has_bias})"
        )
    shape, values = _blob(layer.blobs[0], f"{where}'s weights")
    kernel = values.reshape(checked_shape(layer.name, shape, values.size))
    _check_against(parameter, where, kernel.shape)
    bias = _blob(layer.blobs[1], f"{where}'s bias")[1] if has_bias else None
    return convolution(
        layer.name,
        kernel,
        bias,
        groups=parameter.group if parameter.HasField("group") else 1,
        padding=_pair(parameter, "pad", "pad_h", "pad_w") or (0, 0),
    )


def _blob(data: bytes, where: str) -> tuple[tuple[int, ...], np.ndarray]:
    """Return a blob's shape and its numbers, flat."""
    blob = parse(messages()["BlobProto"], data, where)
    if blob.HasField("shape"):
        shape = tuple(parse(messages()["BlobShape"], blob.shape, f"{where}, their shape").dim)
    else:
        shape = (blob.num, blob.channels, blob.height, blob.width)
    if blob.data and blob.double_data:
        raise ValueError(f"{where} are there in single and in double precision; expected one of them")
    numbers, dtype = (blob.double_data, np.float64) if blob.double_data else (blob.data, np.float32)
    return shape, np.fromiter(numbers, dtype, len(numbers))


def _check_against(parameter: Any, where: str, shape: tuple[int, ...]) -> None:
    """Refuse a kernel [O, I, H, W] that is not what the layer's own parameters say."""
    size = _pair(parameter, "kernel_size", "kernel_h", "kernel_w")
    if parameter.num_output != shape[0] or size not in (None, shape[2:]):
        stated = describe((parameter.num_output, shape[1], *(size or shape[2:])))
        raise ValueError(
            f"{where} has a kernel [O, I, H, W] of shape {describe(shape)}; expected {stated} as it states"
        )


def _pair(parameter: Any, both: str, height: str, width: str) -> tuple[int, int] | None:
    """Return (height, width) of an option that may be given once, twice, or by axis; None if it is not given."""
    values = tuple(getattr(parameter, both))
    if values:
        return (values[0], values[-1])
    if parameter.HasField(height) or parameter.HasField(width):
        return (getattr(parameter, height), getattr(parameter, width))
    return None
