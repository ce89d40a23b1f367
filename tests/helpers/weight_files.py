"""Small weight files of every format, written from named kernels: what the tests read back and damage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from converters.weights import caffemodel, onnx

Tensors = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Kernel float32 [O, I, H, W] and bias float32 [O] by layer."""

TINY = {
    "conv1": (4, 3, 3, 3),
    "fire2/squeeze1x1": (2, 4, 1, 1),
    "fire2/expand1x1": (3, 2, 1, 1),
    "conv10": (5, 3, 1, 1),
}


def random_tensors(
    shapes: Mapping[str, tuple[int, ...]] = TINY, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    draw = np.random.default_rng(seed)
    return {
        name: (draw.normal(0, 0.1, shape).astype(np.float32), draw.normal(0, 0.1, shape[0]).astype(np.float32))
        for name, shape in shapes.items()
    }


def caffemodel_bytes(tensors: Tensors, v1: bool = False, additions: int = 0, legacy_shape: bool = False) -> bytes:
    """Write a NetParameter as Caffe does: a ReLU after each convolution, `v1` for the older layer message."""
    classes = caffemodel.messages()
    net = classes["NetParameter"](name=b"tiny")
    target, layer_class = (net.layers, "V1LayerParameter") if v1 else (net.layer, "LayerParameter")
    for name, (kernel, bias) in tensors.items():
        layer = classes[layer_class](name=name.encode(), type=4 if v1 else b"Convolution")
        padding = kernel.shape[2] // 2 if name.endswith("3x3") else int(name == "conv10")
        parameter = classes["ConvolutionParameter"](num_output=len(bias), kernel_size=[kernel.shape[2]])
        parameter.pad.extend([padding] if padding else [])
        layer.convolution_param = parameter.SerializeToString()
        layer.blobs.extend([_blob(kernel, legacy_shape), _blob(bias, legacy_shape)])
        target.append(layer.SerializeToString())
        target.append(
            classes[layer_class](name=f"relu_{name}".encode(), type=18 if v1 else b"ReLU").SerializeToString()
        )
    for number in range(additions):
        added = classes[layer_class](name=f"bypass_{number}".encode(), type=25 if v1 else b"Eltwise")
        target.append(added.SerializeToString())
    return bytes(net.SerializeToString())


def _blob(values: np.ndarray, legacy_shape: bool) -> bytes:
    classes = caffemodel.messages()
    if legacy_shape:
        sizes = (1,) * (4 - values.ndim) + values.shape
        blob = classes["BlobProto"](num=sizes[0], channels=sizes[1], height=sizes[2], width=sizes[3])
    else:
        blob = classes["BlobProto"](shape=classes["BlobShape"](dim=values.shape).SerializeToString())
    # `data` is packed in Caffe's own definition; ours, which only reads, takes both.
    return bytes(blob.SerializeToString()) + b"\x2a" + varint(4 * values.size) + values.astype("<f4").tobytes()


def varint(value: int) -> bytes:
    """Write a number as protobuf does."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


ONNX_STORES = ("raw", "typed", "float16", "float16 typed", "double")


def onnx_bytes(
    tensors: Tensors,
    store: str = "raw",
    endings: tuple[str, str] = ("_w_0", "_b_0"),
    additions: int = 0,
    properties: Mapping[str, str] | None = None,
) -> bytes:
    """Write a ModelProto: a Conv and a Relu node per layer, all weights as initialisers."""
    classes = onnx.messages()
    graph = classes["GraphProto"]()
    previous = "data"
    for number, (name, (kernel, bias)) in enumerate(tensors.items()):
        names = [name + end for end in endings]
        side = kernel.shape[2]
        node = classes["NodeProto"](op_type=b"Conv", input=[text.encode() for text in (previous, *names)])
        node.output.append(f"map{number}".encode())
        node.attribute.append(attribute("kernel_shape", ints=[side, side]))
        node.attribute.append(attribute("pads", ints=[int(side == 3 and number > 0)] * 4))
        previous = f"relu{number}"
        relu = classes["NodeProto"](op_type=b"Relu", input=[f"map{number}".encode()], output=[previous.encode()])
        graph.node.extend([node.SerializeToString(), relu.SerializeToString()])
        for text, values in zip(names, (kernel, bias), strict=True):
            graph.initializer.append(onnx_tensor(text, values, store))
    for number in range(additions):
        node = classes["NodeProto"](op_type=b"Add", name=f"add{number}".encode(), input=[b"map0", b"map1"])
        graph.node.append(node.SerializeToString())
    model = classes["ModelProto"](ir_version=8, graph=graph.SerializeToString())
    for key, value in (properties or {}).items():
        entry = classes["StringStringEntryProto"](key=key.encode(), value=value.encode())
        model.metadata_props.append(entry.SerializeToString())
    return bytes(model.SerializeToString())


def attribute(name: str, **values: Any) -> bytes:
    """Write one AttributeProto."""
    return bytes(onnx.messages()["AttributeProto"](name=name.encode(), **values).SerializeToString())


def onnx_tensor(name: str, values: np.ndarray, store: str) -> bytes:
    tensor = onnx.messages()["TensorProto"](name=name.encode(), dims=values.shape)
    half = values.astype("<f2")
    if store == "raw":
        tensor.data_type, tensor.raw_data = 1, values.astype("<f4").tobytes()
    elif store == "typed":
        tensor.data_type = 1
        tensor.float_data.extend(values.ravel().tolist())
    elif store == "float16":
        tensor.data_type, tensor.raw_data = 10, half.tobytes()
    elif store == "float16 typed":
        tensor.data_type = 10
        tensor.int32_data.extend(half.view("<u2").ravel().tolist())
    else:
        tensor.data_type = 11
        tensor.double_data.extend(values.ravel().tolist())
    return bytes(tensor.SerializeToString())


def flat(tensors: Tensors, endings: tuple[str, str] = (".weight", ".bias")) -> dict[str, np.ndarray]:
    """Return kernels and biases as one dict of named arrays."""
    return {name + end: values for name, pair in tensors.items() for end, values in zip(endings, pair, strict=True)}


def safetensors_bytes(arrays: Mapping[str, np.ndarray], **changes: Any) -> bytes:
    """Write a safetensors file; `changes` replace header entries by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, values in arrays.items():
        dtype = {"f2": "F16", "f4": "F32", "f8": "F64", "i8": "I64"}[values.dtype.str[1:]]
        header[name] = {"dtype": dtype, "shape": values.shape, "data_offsets": [position, position + values.nbytes]}
        position += values.nbytes
    text = json.dumps({**header, **changes}).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(values.tobytes() for values in arrays.values())


def net_tensors(shapes: Mapping[str, tuple[int, ...]] = TINY, seed: int = 0, density: float = 0.2) -> dict[str, Any]:
    """Return what `deep_compression.write` takes: sparse layers (kernels [H, W, I, O]) and their codebooks."""
    from converters.weights.tensors import ConvWeights

    draw = np.random.default_rng(seed)
    layers, codebooks = {}, {}
    for name, (outputs, inputs, height, width) in shapes.items():
        book = np.unique(draw.normal(0, 0.1, 400).astype(np.float32))[:255]
        codebooks[name] = np.concatenate([np.zeros(1, np.float32), draw.permutation(book)])
        index = draw.integers(0, 256, (height, width, inputs, outputs))
        index[draw.random(index.shape) > density] = 0
        bias = draw.normal(0, 0.1, outputs).astype(np.float32)
        layers[name] = ConvWeights(codebooks[name][index], bias)
    return {"layers": layers, "codebooks": codebooks}
