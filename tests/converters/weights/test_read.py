"""Weight files of every format: what is read, and what is refused and why."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.weights import caffemodel, deep_compression, onnx, safetensors, torch_file
from converters.weights.names import Layout, map_layers, parse_layouts, recognise
from converters.weights.read import read_weights
from converters.weights.tensors import ConvWeights, WeightFile, checked_shape, convolution
from tests.helpers import torch_files
from tests.helpers.needs import ROOT, dev_data
from tests.helpers.torch_files import torch_bytes, zipped
from tests.helpers.weight_files import (
    ONNX_STORES,
    TINY,
    attribute,
    caffemodel_bytes,
    flat,
    net_tensors,
    onnx_bytes,
    onnx_tensor,
    random_tensors,
    safetensors_bytes,
    varint,
)

HWIO = {name: (height, width, inputs, outputs) for name, (outputs, inputs, height, width) in TINY.items()}


def assert_same(read: WeightFile, tensors: dict[str, tuple[np.ndarray, np.ndarray]], tolerance: float = 0.0) -> None:
    """Assert that a file was read as these kernels [O, I, H, W] and biases, in this order."""
    assert list(read.layers) == list(tensors)
    for name, (kernel, bias) in tensors.items():
        layer = read.layers[name]
        assert layer.kernel.dtype == layer.bias.dtype == np.float32
        np.testing.assert_allclose(layer.kernel, kernel.transpose(2, 3, 1, 0), atol=tolerance, rtol=0)
        np.testing.assert_allclose(layer.bias, bias, atol=tolerance, rtol=0)
        assert not layer.kernel.flags.writeable


# Deep Compression -----------------------------------------------------------------------------------------------

PUBLISHED_COUNTS = [
    *(13902, 1528, 1020, 3073, 2038, 1023, 3081, 4085, 4071, 12288, 8160, 4067, 12343),
    *(12161, 4602, 27558, 9205, 9132, 27564, 24388, 8190, 44919, 16371, 16303, 45038, 105973),
]
# Table 1 of the paper: parameters before and after pruning, biases counted.
TABLE_1 = {
    "conv1": (14_208, 14_208),
    "fire2": (11_920, 5_746),
    "fire3": (12_432, 6_258),
    "fire4": (45_344, 20_646),
    "fire5": (49_440, 24_742),
    "fire6": (104_880, 44_700),
    "fire7": (111_024, 46_236),
    "fire8": (188_992, 77_581),
    "fire9": (197_184, 77_581),
    "conv10": (513_000, 103_400),
}


def published_shapes() -> dict[str, tuple[int, int, int, int]]:
    """Return SqueezeNet v1.0's kernels [H, W, I, O], written out from Table 1 rather than computed by the kit."""
    shapes, inputs = {"conv1": (7, 7, 3, 96)}, 96
    for number, (squeeze, expand) in enumerate(
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)], start=2
    ):
        shapes[f"fire{number}/squeeze1x1"] = (1, 1, inputs, squeeze)
        shapes[f"fire{number}/expand1x1"] = (1, 1, squeeze, expand)
        shapes[f"fire{number}/expand3x3"] = (3, 3, squeeze, expand)
        inputs = 2 * expand
    return {**shapes, "conv10": (1, 1, inputs, 1000)}


@pytest.fixture(scope="module")
def published() -> bytes:
    path = dev_data("squeezenet_v1.0_deep_compression/compressed_SqueezeNet.net")
    return path.read_bytes()


def test_the_published_file_has_these_26_counts(published: bytes) -> None:
    counts = deep_compression.stored_entries(published, published_shapes())
    assert list(counts.values()) == PUBLISHED_COUNTS


def test_the_published_file_survives_decoding_and_encoding(published: bytes) -> None:
    read = deep_compression.read(published, published_shapes())
    assert deep_compression.write(read.layers, read.codebooks) == published


def test_the_published_file_is_the_network_of_table_1(published: bytes) -> None:
    read = deep_compression.read(published, published_shapes())
    for module, (before, after) in TABLE_1.items():
        layers = [layer for name, layer in read.layers.items() if name.split("/")[0] == module]
        assert sum(layer.kernel.size + layer.bias.size for layer in layers) == before
        left = sum(np.count_nonzero(layer.kernel) + layer.bias.size for layer in layers)
        assert left == pytest.approx(after, rel=0.02), module
    assert sum(before for before, _ in TABLE_1.values()) == 1_248_424
    left = sum(np.count_nonzero(layer.kernel) + layer.bias.size for layer in read.layers.values())
    assert left == pytest.approx(421_098, rel=0.005)


def test_one_output_channel_of_the_published_file_is_zero(published: bytes) -> None:
    read = deep_compression.read(published, published_shapes())
    dead = {name: int((~layer.kernel.any(axis=(0, 1, 2))).sum()) for name, layer in read.layers.items()}
    assert {name: count for name, count in dead.items() if count} == {"fire7/expand1x1": 1}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0.0, 0.01, 0.05, 0.3, 1.0]))
def test_net_write_then_read_gives_the_same_layers_and_bytes(seed: int, density: float) -> None:
    # The long 1×1 layer has runs of zeros far over 16, the others odd and even numbers of entries.
    shapes = {**TINY, "long": (7, 61, 1, 1)}
    tensors = net_tensors(shapes, seed, density)
    data = deep_compression.write(**tensors)
    read = deep_compression.read(data, {name: layer.kernel.shape for name, layer in tensors["layers"].items()})
    for name, layer in tensors["layers"].items():
        np.testing.assert_array_equal(read.layers[name].kernel, layer.kernel)
        np.testing.assert_array_equal(read.layers[name].bias, layer.bias)
    assert deep_compression.write(read.layers, read.codebooks) == data


def test_net_positions_and_nibbles_are_as_documented() -> None:
    # [O, I, H, W] = [1, 40, 1, 1]; weights at 2 and 35: gap 2, a filler 16 further (18), then 16 more (34) - 1 left.
    codebook = np.arange(256, dtype="<f4") / 256
    entries = bytes([7, 0, 0, 9]), bytes([0x2 | 0xF << 4, 0xF | 0x0 << 4])
    data = (4).to_bytes(4, "little") + codebook.tobytes() + np.array([0.5], "<f4").tobytes() + b"".join(entries)
    kernel = deep_compression.read(data, {"only": (1, 1, 40, 1)}).layers["only"].kernel.ravel()
    assert dict(zip(np.flatnonzero(kernel).tolist(), kernel[kernel != 0].tolist(), strict=True)) == {
        2: 7 / 256,
        35: 9 / 256,
    }


def net_bytes() -> bytes:
    return deep_compression.write(**net_tensors())


NET_HEAD = 4 * len(TINY)


@pytest.mark.parametrize("cut", [0, 3, NET_HEAD, NET_HEAD + 1000, -1])
def test_net_cut_short_names_the_layer(cut: int) -> None:
    with pytest.raises(ValueError, match=r"expected (at least )?\d+") as caught:
        deep_compression.read(net_bytes()[:cut], HWIO)
    if cut == NET_HEAD + 1000:
        assert "inside layer conv1" in str(caught.value)
    if cut == -1:
        assert "inside layer conv10" in str(caught.value)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


NET_FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "too long": (lambda data: data + b"\0", "after its last layer, conv10"),
    "count over the kernel's size": (
        lambda data: patched(data, 0, (109).to_bytes(4, "little")),
        "layer conv1 claims 109",
    ),
    "count of four billion": (lambda data: patched(data, 0, b"\xff" * 4), "layer conv1 claims 4294967295"),
    "codebook without zero": (lambda data: patched(data, NET_HEAD, b"\0\0\x80\x3f"), "layer conv1 has a codebook"),
    "NaN in the codebook": (lambda data: patched(data, NET_HEAD + 8, b"\0\0\xc0\x7f"), "layer conv1 .*finite"),
    "codebook value repeated": (
        lambda data: patched(data, NET_HEAD + 8, data[NET_HEAD + 4 : NET_HEAD + 8]),
        "layer conv1 .*repeated",
    ),
    "bias of 1e30": (
        lambda data: patched(data, NET_HEAD + 1024, np.float32(1e30).tobytes()),
        r"layer conv1 has a value of 1e\+30 in its bias",
    ),
    "index 0 that bridges nothing": (
        lambda data: patched(data, NET_HEAD + 1024 + 16, b"\0"),
        "layer conv1 stores a zero that bridges nothing",
    ),
}


def one_layer(stored: int, indices: bytes, nibbles: bytes, first: float = 0.0) -> bytes:
    """Write the only layer of a `.net` file by hand; its kernel is [1, 40, 1, 1] as [O, I, H, W]."""
    codebook = np.arange(256, dtype="<f4") / 256
    codebook[0] = first
    return stored.to_bytes(4, "little") + codebook.tobytes() + bytes(4) + indices + nibbles


BY_HAND = {
    "nibble left over is not 0": (one_layer(1, b"\x07", b"\x12"), "layer only has a gap of 1 after its last entry"),
    "filler at the end": (one_layer(2, b"\x07\0", b"\xf2"), "layer only stores a zero that bridges nothing"),
    "codebook of -0.0": (one_layer(1, b"\x07", b"\x02", -0.0), "layer only has a codebook"),
}


@pytest.mark.parametrize("fault", BY_HAND)
def test_net_faults_by_hand_are_named(fault: str) -> None:
    data, message = BY_HAND[fault]
    with pytest.raises(ValueError, match=message):
        deep_compression.read(data, {"only": (1, 1, 40, 1)})
    good = one_layer(1, b"\x07", b"\x02")
    assert np.flatnonzero(deep_compression.read(good, {"only": (1, 1, 40, 1)}).layers["only"].kernel).tolist() == [2]


@pytest.mark.parametrize("fault", NET_FAULTS)
def test_net_faults_are_named(fault: str) -> None:
    damage, message = NET_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        deep_compression.read(damage(net_bytes()), HWIO)


def test_net_place_beyond_the_kernel_is_an_error() -> None:
    layers = {"only": ConvWeights(np.ones((1, 1, 20, 1), np.float32), np.zeros(1, np.float32))}
    book = np.arange(256, dtype=np.float32)
    data = bytearray(deep_compression.write(layers, {"only": book}))
    data[-1] = 0xF0  # the gap before the last entry becomes 15
    with pytest.raises(ValueError, match="layer only has an entry at place 34; expected places below 20"):
        deep_compression.read(bytes(data), {"only": (1, 1, 20, 1)})


def test_net_write_refuses_a_weight_outside_the_codebook() -> None:
    tensors = net_tensors()
    kernel = tensors["layers"]["conv1"].kernel.copy()
    kernel[0, 0, 0, 0] = 77
    tensors["layers"]["conv1"] = ConvWeights(kernel, tensors["layers"]["conv1"].bias)
    with pytest.raises(ValueError, match=r"layer conv1 holds 77.0; expected values of its codebook"):
        deep_compression.write(**tensors)


# Caffe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("legacy_shape", [False, True])
def test_caffemodel_round_trip(v1: bool, legacy_shape: bool) -> None:
    tensors = random_tensors()
    read = caffemodel.read(caffemodel_bytes(tensors, v1=v1, legacy_shape=legacy_shape, additions=4))
    assert_same(read, tensors)
    assert read.additions == ("bypass_0", "bypass_1", "bypass_2", "bypass_3")
    assert read.unused == ()
    assert read.layers["conv1"].padding == (0, 0)
    assert read.layers["conv10"].padding == (1, 1)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def number(field_number: int, value: int) -> bytes:
    return varint(field_number << 3) + varint(value)


def test_caffemodel_field_numbers_are_those_of_caffe() -> None:
    # Written by hand from caffe.proto's numbers, not through our own definitions.
    weights = field(7, field(1, bytes([2, 1, 1, 1]))) + field(5, np.array([1, 2], "<f4").tobytes())
    bias = field(7, field(1, bytes([2]))) + field(5, np.array([3, 4], "<f4").tobytes())
    options = number(1, 2) + number(3, 1) + number(4, 1) + number(5, 2) + number(6, 2) + field(7, b"\x0a\x06xavier")
    layer = (
        field(1, b"conv")
        + field(2, b"Convolution")
        + field(3, b"data")
        + field(4, b"conv")
        + field(7, weights)
        + field(7, bias)
        + number(10, 1)
        + field(106, options)
    )
    read = caffemodel.read(field(1, b"net") + field(100, field(2, b"Data") + field(1, b"data")) + field(100, layer))
    conv = read.layers["conv"]
    assert conv.kernel.ravel().tolist() == [1, 2]
    assert conv.bias.tolist() == [3, 4]
    assert conv.kernel.shape == (1, 1, 1, 2)
    assert conv.padding == (1, 1)
    assert conv.groups == 2
    assert read.unused == ()


def conv_layer(blobs: list[bytes], kind: bytes = b"Convolution", **options: Any) -> bytes:
    classes = caffemodel.messages()
    parameter = classes["ConvolutionParameter"](**options).SerializeToString()
    layer = classes["LayerParameter"](name=b"c", type=kind, blobs=blobs, convolution_param=parameter)
    return bytes(classes["NetParameter"](layer=[layer.SerializeToString()]).SerializeToString())


def blob(values: Any, *shape: int, **more: Any) -> bytes:
    classes = caffemodel.messages()
    return bytes(
        classes["BlobProto"](
            data=np.ravel(values), shape=classes["BlobShape"](dim=shape).SerializeToString(), **more
        ).SerializeToString()
    )


KERNEL = np.arange(8.0)
CAFFE_FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "holds no Convolution layer"),
    "only other layers": (conv_layer([], kind=b"Pooling"), "holds no Convolution layer"),
    "text": (b"name: 'net' layer { }", "no whole protobuf message"),
    "no weights": (conv_layer([], num_output=2), "layer c holds 0 blobs; expected 2"),
    "no bias": (conv_layer([blob(KERNEL, 2, 4, 1, 1)], num_output=2), "layer c holds 1 blobs; expected 2"),
    "weights of another number": (
        conv_layer([blob(KERNEL, 2, 3, 1, 1), blob([0, 0], 2)], num_output=2),
        r"layer c holds 8 weights; expected 6 for a kernel \[2, 3, 1, 1\]",
    ),
    "three axes": (conv_layer([blob(KERNEL, 2, 4, 1), blob([0, 0], 2)], num_output=2), r"kernel of shape \[2, 4, 1\]"),
    "an axis of a billion": (
        conv_layer([blob(KERNEL, 10**9, 4, 1, 1), blob([0, 0], 2)], num_output=2),
        r"kernel of shape \[1000000000, 4, 1, 1\]",
    ),
    "a negative axis": (
        conv_layer([blob(KERNEL, -2, -4, 1, 1), blob([0, 0], 2)], num_output=2),
        "expected four lengths",
    ),
    "bias of another length": (
        conv_layer([blob(KERNEL, 2, 4, 1, 1), blob([0, 0, 0], 3)], num_output=2),
        "layer c has 3 biases; expected 2",
    ),
    "another number of outputs": (
        conv_layer([blob(KERNEL, 2, 4, 1, 1), blob([0, 0], 2)], num_output=4),
        r"layer c has a kernel \[O, I, H, W\] of shape \[2, 4, 1, 1\]; expected \[4, 4, 1, 1\]",
    ),
    "another kernel size": (
        conv_layer([blob(KERNEL, 2, 4, 1, 1), blob([0, 0], 2)], num_output=2, kernel_size=[3]),
        r"expected \[2, 4, 3, 3\]",
    ),
    "NaN": (
        conv_layer([blob([*KERNEL[:7], math.nan], 2, 4, 1, 1), blob([0, 0], 2)], num_output=2),
        "layer c has a value of nan in its kernel",
    ),
    "infinite bias": (
        conv_layer([blob(KERNEL, 2, 4, 1, 1), blob([0, math.inf], 2)], num_output=2),
        "layer c has a value of inf in its bias",
    ),
    "both precisions": (
        conv_layer([blob(KERNEL, 2, 4, 1, 1, double_data=KERNEL), blob([0, 0], 2)], num_output=2),
        "single and in double precision",
    ),
    "the same layer twice": (
        2 * conv_layer([blob(KERNEL, 2, 4, 1, 1), blob([0, 0], 2)], num_output=2),
        "layer c is there twice",
    ),
}


@pytest.mark.parametrize("fault", CAFFE_FAULTS)
def test_caffemodel_faults_are_named(fault: str) -> None:
    data, message = CAFFE_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        caffemodel.read(data)


def test_caffemodel_options_by_axis_groups_and_no_bias() -> None:
    data = conv_layer(
        [blob(np.arange(12.0), 2, 2, 1, 3)], num_output=2, bias_term=False, kernel_h=1, kernel_w=3, pad_w=1, group=2
    )
    layer = caffemodel.read(data).layers["c"]
    assert layer.kernel.shape == (1, 3, 2, 2)
    assert layer.padding == (0, 1)
    assert layer.groups == 2
    assert not layer.bias.any()


def test_caffemodel_in_double_precision() -> None:
    values = blob([], 1, 2, 1, 1, double_data=[0.5, 0.25])
    layer = caffemodel.read(conv_layer([values, blob([1], 1)], num_output=1)).layers["c"]
    assert layer.kernel.ravel().tolist() == [0.5, 0.25]


@pytest.mark.parametrize("v1", [False, True])
def test_caffemodel_cut_short_names_the_layer(v1: bool) -> None:
    data = caffemodel_bytes(random_tensors(), v1=v1)
    inside = data.index(b"fire2/expand1x1") + 40
    with pytest.raises(ValueError, match=r"cut short or damaged.*fire2/expand1x1"):
        caffemodel.read(data[:inside])


def test_caffemodel_lists_other_layers_with_weights() -> None:
    other = conv_layer([blob([1.0], 1)], kind=b"InnerProduct").replace(b"\x0a\x01c", b"\x0a\x01d")
    both = conv_layer([blob(KERNEL, 2, 4, 1, 1), blob([0, 0], 2)], num_output=2) + other
    assert caffemodel.read(both).unused == ("d",)


# ONNX -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ONNX_STORES)
def test_onnx_round_trip(store: str) -> None:
    tensors = random_tensors()
    read = onnx.read(onnx_bytes(tensors, store, additions=2))
    assert_same(read, tensors, tolerance=2e-4 if "16" in store else 0.0)
    assert read.additions == ("add0", "add1")
    assert read.layers["conv1"].padding == (0, 0)


@pytest.mark.parametrize("endings", [("_w_0", "_b_0"), (".weight", ".bias"), ("_weight", "_bias")])
def test_onnx_layers_are_named_by_their_weights(endings: tuple[str, str]) -> None:
    tensors = random_tensors()
    assert list(onnx.read(onnx_bytes(tensors, endings=endings)).layers) == list(tensors)


def test_onnx_field_numbers_are_those_of_onnx() -> None:
    # Written by hand from onnx.proto's numbers, not through our own definitions.
    node = field(1, b"x") + field(1, b"c.weight") + field(1, b"c.bias") + field(2, b"y") + field(4, b"Conv")
    node += field(5, field(1, b"pads") + field(8, bytes([1, 1, 1, 1])) + number(20, 7))
    kernel = number(1, 2) + 3 * number(1, 1) + number(2, 1) + field(8, b"c.weight")
    kernel += field(9, np.array([1, 2], "<f4").tobytes())
    bias = field(1, bytes([2])) + number(2, 1) + field(4, np.array([3, 4], "<f4").tobytes()) + field(8, b"c.bias")
    graph = field(1, node) + field(2, b"g") + field(5, kernel) + field(5, bias)
    layer = onnx.read(number(1, 8) + field(2, b"pytorch") + field(7, graph)).layers["c"]
    assert layer.kernel.ravel().tolist() == [1, 2]
    assert layer.bias.tolist() == [3, 4]
    assert layer.padding == (1, 1)


def onnx_model(nodes: list[bytes], tensors: list[bytes]) -> bytes:
    classes = onnx.messages()
    graph = classes["GraphProto"](node=nodes, initializer=tensors).SerializeToString()
    return bytes(classes["ModelProto"](graph=graph).SerializeToString())


def conv_node(*inputs: bytes, attributes: tuple[bytes, ...] = ()) -> bytes:
    return bytes(
        onnx.messages()["NodeProto"](
            op_type=b"Conv", input=inputs, output=[b"y"], attribute=attributes
        ).SerializeToString()
    )


ONES = onnx_tensor("c_w_0", np.ones((2, 1, 1, 1), np.float32), "raw")


def changed(tensor: bytes, **values: Any) -> bytes:
    parsed = onnx.messages()["TensorProto"].FromString(tensor)
    for name, value in values.items():
        setattr(parsed, name, value)
    return bytes(parsed.SerializeToString())


ONNX_FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "holds no Conv node"),
    "text": (b"this is no model at all", "no whole protobuf message"),
    "weights not stored": (onnx_model([conv_node(b"x", b"c_w_0")], []), "layer c takes c_w_0, which is not stored"),
    "bias not stored": (onnx_model([conv_node(b"x", b"c_w_0", b"c_b_0")], [ONES]), "layer c takes c_b_0"),
    "one input": (onnx_model([conv_node(b"x")], [ONES]), "Conv node y has 1 inputs"),
    "in another file": (
        onnx_model([conv_node(b"x", b"c_w_0")], [changed(ONES, data_location=1)]),
        "layer c keeps c_w_0 in another file",
    ),
    "int8": (onnx_model([conv_node(b"x", b"c_w_0")], [changed(ONES, data_type=3)]), "layer c has c_w_0 of data type 3"),
    "bfloat16": (onnx_model([conv_node(b"x", b"c_w_0")], [changed(ONES, data_type=16)]), "data type 16"),
    "no numbers": (onnx_model([conv_node(b"x", b"c_w_0")], [changed(ONES, raw_data=b"")]), "stored 0 times"),
    "odd number of bytes": (
        onnx_model([conv_node(b"x", b"c_w_0")], [changed(ONES, raw_data=b"1234567")]),
        "layer c has 7 bytes in c_w_0; expected a multiple of 4",
    ),
    "too few numbers": (
        onnx_model([conv_node(b"x", b"c_w_0")], [changed(ONES, raw_data=b"1234")]),
        r"layer c holds 1 weights; expected 2 for a kernel \[2, 1, 1, 1\]",
    ),
    "another kernel size": (
        onnx_model([conv_node(b"x", b"c_w_0", attributes=(attribute("kernel_shape", ints=[3, 3]),))], [ONES]),
        r"expected \[2, 1, 3, 3\] as its node states",
    ),
    "the same layer twice": (onnx_model(2 * [conv_node(b"x", b"c_w_0")], [ONES]), "layer c is there twice"),
    "the same tensor twice": (
        onnx_model([conv_node(b"x", b"c_w_0")], [ONES, ONES]),
        "initialiser c_w_0 is there twice",
    ),
}


@pytest.mark.parametrize("fault", ONNX_FAULTS)
def test_onnx_faults_are_named(fault: str) -> None:
    data, message = ONNX_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        onnx.read(data)


def test_onnx_lists_weights_no_convolution_uses_and_additions_of_maps_only() -> None:
    classes = onnx.messages()
    gemm = onnx_tensor("fc_w", np.ones((2, 3), np.float32), "raw")
    ratio = onnx_tensor("ratio", np.ones((), np.float32), "raw")
    constant = classes["NodeProto"](op_type=b"Add", name=b"scale", input=[b"y", b"fc_w"]).SerializeToString()
    maps = classes["NodeProto"](op_type=b"Sum", input=[b"y", b"z"], output=[b"bypassed"]).SerializeToString()
    read = onnx.read(onnx_model([conv_node(b"x", b"c_w_0"), constant, maps], [ONES, gemm, ratio]))
    assert read.unused == ("fc_w",)
    assert read.additions == ("bypassed",)
    assert not read.layers["c"].bias.any()


def test_onnx_padding_that_depends_on_the_input_is_unknown() -> None:
    node = conv_node(b"x", b"c_w_0", attributes=(attribute("auto_pad", s=b"SAME_UPPER"),))
    assert onnx.read(onnx_model([node], [ONES])).layers["c"].padding is None


def test_onnx_cut_short_names_the_tensor() -> None:
    data = onnx_bytes(random_tensors())
    with pytest.raises(ValueError, match=r"cut short or damaged.*fire2/expand1x1_w_0"):
        onnx.read(data[: data.rindex(b"fire2/expand1x1_w_0") + 30])


@pytest.mark.parametrize(
    ("read", "good", "foreign"),
    [
        (caffemodel.read, caffemodel_bytes(random_tensors()), number(99, 1)),
        (onnx.read, onnx_bytes(random_tensors()), field(9, b"x")),
    ],
    ids=["caffemodel", "onnx"],
)
def test_foreign_fields_around_a_model_are_refused(
    read: Callable[[bytes], WeightFile], good: bytes, foreign: bytes
) -> None:
    with pytest.raises(ValueError, match=r"fields of number \[\d+\], which its format lacks"):
        read(good + foreign)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (caffemodel.read, b"\xa2\x06\x00" * 20_001),
        (onnx.read, field(7, b"\x0a\x00" * 20_001)),
    ],
    ids=["caffemodel", "onnx"],
)
def test_absurdly_many_parts_are_refused(read: Callable[[bytes], WeightFile], data: bytes) -> None:
    with pytest.raises(ValueError, match="has 20001 parts; expected at most 20000"):
        read(data)


# Safetensors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "<f8"])
def test_safetensors_round_trip(dtype: str) -> None:
    tensors = random_tensors()
    arrays = {name: values.astype(dtype) for name, values in flat(tensors).items()}
    read = safetensors.read(safetensors_bytes(arrays))
    assert_same(read, tensors, tolerance=2e-4 if dtype == "<f2" else 0.0)
    assert read.additions is None


def test_kernels_of_half_precision_may_have_biases_of_single() -> None:
    tensors = {name: (kernel.astype(np.float16), bias) for name, (kernel, bias) in random_tensors().items()}
    assert_same(read_weights(safetensors_bytes(flat(tensors)), "safetensors"), tensors)


def test_safetensors_passes_over_counters_and_lists_other_tensors() -> None:
    arrays = {
        **flat(random_tensors()),
        "bn.num_batches_tracked": np.array(7, np.int64),
        "bn.running_mean": np.zeros(4, np.float32),
        "indices": np.zeros(3, np.int64),
    }
    assert safetensors.read(safetensors_bytes(arrays)).unused == ("bn.running_mean", "indices")


ONE = {"c.weight": np.ones((2, 1, 1, 1), np.float32)}


def entry(dtype: Any = "F32", shape: Any = (2, 1, 1, 1), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def with_header(text: bytes, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + data


SAFETENSORS_FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "has 0 bytes"),
    "text": (b"this is no model at all", "safetensors file whose header fits"),
    "header of 2^63 bytes": (b"\xff" * 7 + b"\x7f{}", "states a header of 9223372036854775807"),
    "no JSON": (with_header(b"{'a': 1}"), "header is damaged"),
    "no UTF-8": (with_header(b"\xff\xfe"), "header is damaged"),
    "a list": (with_header(b"[1, 2]"), "header is a list"),
    "nested without end": (with_header(b"[" * 200_000), "header is damaged"),
    "a name twice": (with_header(b'{"a": 1, "a": 2}'), "a name is there twice"),
    "no tensors": (safetensors_bytes({}), "holds 0 tensors and no convolution"),
    "cut short": (safetensors_bytes(ONE)[:-1], "data have 7 bytes; expected 8 up to the end of c.weight"),
    "too long": (safetensors_bytes(ONE) + b"\0", "data have 9 bytes; expected 8"),
    "a hole": (safetensors_bytes(ONE, **{"c.weight": entry(offsets=(1, 9))}), "c.weight starts at byte 1"),
    "an overlap": (
        safetensors_bytes(ONE, **{"c.bias": entry(shape=[2], offsets=(0, 8))}),
        "starts at byte 0 of the data; expected 8",
    ),
    "backwards": (safetensors_bytes(ONE, **{"c.weight": entry(offsets=(8, 0))}), "tensor c.weight has shape"),
    "negative": (safetensors_bytes(ONE, **{"c.weight": entry(offsets=(-8, 8))}), "tensor c.weight has shape"),
    "shape of text": (safetensors_bytes(ONE, **{"c.weight": entry(shape="2")}), "tensor c.weight has shape 2"),
    "shape of fractions": (safetensors_bytes(ONE, **{"c.weight": entry(shape=[2.0, 1, 1, 1])}), "tensor c.weight"),
    "another shape": (
        safetensors_bytes(ONE, **{"c.weight": entry(shape=[3, 1, 1, 1])}),
        r"tensor c.weight has 8 bytes; expected 12 for F32 \[3, 1, 1, 1\]",
    ),
    "bfloat16": (safetensors_bytes(ONE, **{"c.weight": entry("BF16")}), "tensor c.weight has dtype BF16"),
    "dtype of a list": (safetensors_bytes(ONE, **{"c.weight": entry(["F32"])}), "tensor c.weight has dtype"),
    "no entry": (safetensors_bytes(ONE, **{"c.weight": 5}), "tensor c.weight is described by 5"),
    "no kernel": (safetensors_bytes({"c.weight": np.ones((2, 4), np.float32)}), "1 tensors and no convolution"),
    "two kernels of a layer": (
        safetensors_bytes({**ONE, "c_weight": np.ones((2, 1, 1, 1), np.float32)}),
        "layer c is there twice",
    ),
}


@pytest.mark.parametrize("fault", SAFETENSORS_FAULTS)
def test_safetensors_faults_are_named(fault: str) -> None:
    data, message = SAFETENSORS_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        safetensors.read(data)


# PyTorch --------------------------------------------------------------------------------------------------------


class Pairs:
    """An ordered dict as Python 2 pickles it."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = entries

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, ([[name, each] for name, each in self.entries.items()],)


class Settings(dict[str, Any]):
    """A dict of another class."""


class Outer:
    """A class with one in it, and what protocols have opcodes of their own for."""

    class Inner:
        def __init__(self) -> None:
            self.names = frozenset({"a"})

        def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
            return (), {"a": 1}

        def __new__(cls, **_: int) -> Outer.Inner:
            return super().__new__(cls)


STATE = torch_files.state(flat(random_tensors()))
NESTED = {name.replace("/", "."): pair for name, pair in random_tensors().items()}
TORCH_CONTENTS: dict[str, Callable[[], Any]] = {
    "bare": lambda: STATE,
    "state_dict": lambda: {"epoch": 3, "best": torch_files.tensor(np.zeros(1, np.float32)), "state_dict": STATE},
    "tutorial": lambda: {"optimizer_state_dict": {"state": {0: {}}, "param_groups": []}, "model_state_dict": STATE},
    "only one": lambda: {"epoch": 3, "generator": STATE},
    "exponential average": lambda: {
        "model_ema": torch_files.state({"a.weight": np.ones((1, 1, 1, 1), "f4")}),
        "net": STATE,
    },
    "parallel": lambda: {"state_dict": torch_files.state(flat(random_tensors()), "module.")},
    "compiled, Lightning": lambda: {"state_dict": torch_files.state(flat(random_tensors()), "model._orig_mod.")},
    "parameters": lambda: {name: torch_files.Parameter(each) for name, each in STATE.items()},
    "other classes": lambda: {"state_dict": STATE, "args": argparse.Namespace(lr=0.1), "score": np.float64(0.5)},
    "numbers beside it": lambda: {**STATE, "epoch": 3},
    "before 0.4": lambda: {name: torch_files.OldParameter(each) for name, each in STATE.items()},
    "of Python 2": lambda: {"state_dict": Pairs(STATE)},
    "a dict of one's own": lambda: {"state_dict": Settings(STATE)},
    "settings of objects": lambda: {"params": {"lr": np.float64(0.1)}, "config": Settings(a=Path("b")), "mine": STATE},
    "a class within a class": lambda: {"state_dict": STATE, "settings": Outer.Inner()},
    "class weights": lambda: {**STATE, "class_weight": np.ones(3), "loss_bias": np.float64(1)},
    "numpy's generator": lambda: {"net": STATE, "rng": np.random.default_rng(3).bit_generator.state},
    "numbers of other kinds": lambda: {"net": STATE, "phase": torch_files.tensor(np.ones(3, np.complex64))},
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("content", TORCH_CONTENTS)
def test_torch_checkpoints_are_read(content: str, old: bool) -> None:
    found = torch_file.read(torch_bytes(TORCH_CONTENTS[content](), old=old))
    assert_same(found, random_tensors())
    assert found.format == "torch"


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
def test_torch_networks_are_read_without_their_classes(old: bool) -> None:
    network = torch_files.network(flat(NESTED))
    for content in (network, torch_files.Module({}, module=network), {"model": network, "epoch": 3}):
        assert_same(torch_file.read(torch_bytes(content, old=old)), NESTED)
    assert_same(
        torch_file.read(torch_bytes(torch_files.network(flat(NESTED), torch_files.OldParameter), old=old)), NESTED
    )


def test_torch_buffers_that_are_not_saved_are_no_tensors_of_the_network() -> None:
    network = torch_files.network(flat(NESTED))
    network._buffers["mean"] = torch_files.tensor(np.ones(3, np.float32))
    assert torch_file.read(torch_bytes(network)).unused == ("mean",)
    network._non_persistent_buffers_set.add("mean")
    assert torch_file.read(torch_bytes(network)).unused == ()


@pytest.mark.parametrize("whole", [False, True])
def test_torch_biases_that_are_not_understood_are_not_taken_for_zero(whole: bool) -> None:
    state: dict[str, Any] = dict(STATE)
    bias = state["conv10.bias"]
    other = torch_files.Tensor(bias.storage, bias.lengths, bias.strides, 0, torch_files._rebuild_tensor_v3)
    for wrong in (other, Settings(), np.ones(5, np.float32)):
        state["conv10.bias"] = wrong
        conv = torch_files.Module({"weight": torch_files.Parameter(state["conv10.weight"]), "bias": wrong})
        content = torch_files.Module({}, conv10=conv) if whole else state
        with pytest.raises(ValueError, match=r"tensor conv10.bias is made by .*; expected a dense tensor"):
            torch_file.read(torch_bytes(content))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_torch_pickles_of_every_protocol(protocol: int) -> None:
    assert_same(torch_file.read(torch_bytes(STATE, old=True, protocol=protocol)), random_tensors())
    assert_same(torch_file.read(torch_bytes({"state_dict": STATE}, protocol=protocol)), random_tensors())


@pytest.mark.parametrize(("kind", "tolerance"), [("f2", 1e-4), ("f8", 0.0)])
def test_torch_numbers_of_every_precision(kind: str, tolerance: float) -> None:
    arrays = {name: values.astype(kind) for name, values in flat(random_tensors()).items()}
    assert_same(torch_file.read(torch_bytes(torch_files.state(arrays))), random_tensors(), tolerance)


def test_torch_bfloat16_is_the_upper_half_of_float32() -> None:
    cut = {name: (values.view(np.uint32) >> 16).astype(np.uint16) for name, values in flat(random_tensors()).items()}
    exact = {
        name: ((kernel.view(np.uint32) & 0xFFFF0000).view("f4"), (bias.view(np.uint32) & 0xFFFF0000).view("f4"))
        for name, (kernel, bias) in random_tensors().items()
    }
    assert_same(torch_file.read(torch_bytes(torch_files.state(cut))), exact)


def test_torch_tensors_may_share_a_storage_and_lie_in_it_in_any_order() -> None:
    tensors = random_tensors()
    last = {name: np.ascontiguousarray(kernel.transpose(0, 2, 3, 1)) for name, (kernel, _) in tensors.items()}
    stored = torch_files.Stored(
        np.concatenate([*(each.ravel() for each in last.values()), *(b for _, b in tensors.values())])
    )
    state: dict[str, Any] = {}
    at = 0
    for name, (kernel, _) in tensors.items():
        (o, i, h, w), steps = kernel.shape, last[name].strides
        state[f"{name}.weight"] = torch_files.Tensor(
            stored, (o, i, h, w), (steps[0] // 4, steps[3] // 4, steps[1] // 4, steps[2] // 4), at
        )
        at += kernel.size
    for name, (_, bias) in tensors.items():
        state[f"{name}.bias"] = torch_files.Tensor(stored, bias.shape, (1,), at)
        at += bias.size
    assert_same(torch_file.read(torch_bytes(state)), tensors)


class Executed:
    """Would run a command if its pickle were loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


def test_torch_pickles_are_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    beside, alone = torch_bytes({"state_dict": STATE, "more": Executed()}), torch_bytes(Executed())
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("it was executed"))
    assert_same(torch_file.read(beside), random_tensors())
    with pytest.raises(ValueError, match=r"the file holds an object of posix\.system; expected a state dict"):
        torch_file.read(alone)


ONE_KERNEL = torch_files.Stored(np.ones(4, np.float32))
TORCH_FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a list": (lambda: torch_bytes([1, 2]), "holds a list; expected a state dict of named tensors, or one network"),
    "numbers by number": (lambda: torch_bytes({1: 2}), "holds a dict of 1; expected a state dict"),
    "no tensor": (lambda: torch_bytes({"a": "no tensor"}), "holds a dict of 'a'; expected a state dict"),
    "an empty dict": (lambda: torch_bytes({}), "holds a dict; expected a state dict"),
    "two networks": (
        lambda: torch_bytes({"generator": STATE, "critic": STATE}),
        "tensors of several networks: 'generator', 'critic'; expected",
    ),
    "quantized": (
        lambda: torch_bytes(
            {"a.weight": torch_files.Tensor(ONE_KERNEL, (1,), (1,), made=torch_files._rebuild_qtensor)}
        ),
        "tensor a.weight is made by torch._utils._rebuild_qtensor; expected a dense tensor",
    ),
    "other numbers": (
        lambda: torch_bytes(torch_files.state({"a.weight": np.ones((1, 1, 1, 1), np.uint32)})),
        "storage 0 is a torch.QInt32Storage; expected one of Double, Float",
    ),
    "past its storage": (
        lambda: torch_bytes({"a.weight": torch_files.Tensor(ONE_KERNEL, (1, 4, 1, 1), (4, 1, 1, 1), 1)}),
        r"a.weight has lengths \[1, 4, 1, 1\] and strides \[4, 1, 1, 1\] from 1; expected a place for each value in ",
    ),
    "one value for many": (
        lambda: torch_bytes({"a.weight": torch_files.Tensor(ONE_KERNEL, (64, 64, 1, 1), (0, 0, 0, 0))}),
        "expected a place for each value in its storage of 4",
    ),
    "more than there could be": (
        lambda: torch_bytes({"a.weight": torch_files.Tensor(ONE_KERNEL, (1 << 20, 1 << 20, 1, 1), (0, 0, 0, 0))}),
        "the convolutions hold 1,099,511,627,776 values",
    ),
    "below its storage": (
        lambda: torch_bytes({"a.weight": torch_files.Tensor(ONE_KERNEL, (1, 2, 1, 1), (2, -1, 1, 1), 1)}),
        "the pickle in the file is damaged",
    ),
    "a storage that is missing": (
        lambda: zipped({"data.pkl": _pickle_in(torch_bytes(STATE))}),
        "storage 0 is missing; expected net/data/0 in the archive",
    ),
    "big-endian": (
        lambda: zipped({"data.pkl": _pickle_in(torch_bytes(STATE)), "byteorder": b"big"}),
        "the numbers are of a big-endian machine",
    ),
    "another zip": (lambda: zipped({"a.txt": b""}), r"no data\.pkl; expected a checkpoint from torch\.save"),
    "another pickle": (lambda: pickle.dumps([1], 2) * 2, "the pickle is not PyTorch's"),
    "half a pickle": (lambda: torch_bytes(STATE, old=True)[:20], "the pickle in the file is damaged"),
    "no pickle": (lambda: b"\x80\x02", "the pickle is not PyTorch's"),
    "more behind": (lambda: torch_bytes(STATE, old=True) + b"x", "1 bytes follow the last storage"),
    "a negated tensor": (
        lambda: torch_bytes(
            {"a.weight": torch_files.Tensor(ONE_KERNEL, (1, 4, 1, 1), (4, 1, 1, 1), more={"neg": True})}
        ),
        "a tensor that is negated or conjugated as it is read",
    ),
    "integers": (
        lambda: torch_bytes(torch_files.state({"a.weight": np.ones((1, 1, 1, 1), np.int64)})),
        r"1 tensors and no convolution, though a.weight \(int64\) has four axes; expected floating-point kernels",
    ),
    "another opcode": (lambda: zipped({"data.pkl": b"\x80\x02N0."}), "opcode POP, which PyTorch does not write"),
    "a call of a number": (lambda: zipped({"data.pkl": b"\x80\x02K\1)R."}), "a int is called with a tuple"),
    "below the mark": (lambda: zipped({"data.pkl": b"\x80\x02K\1(\x85."}), "the stack has too few values"),
}


def _pickle_in(checkpoint: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as file:
        return file.read("net/data.pkl")


@pytest.mark.parametrize("fault", TORCH_FAULTS)
def test_torch_faults_are_named(fault: str) -> None:
    data, message = TORCH_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        torch_file.read(data())


def test_torch_modules_without_an_end_are_refused() -> None:
    network = torch_files.network(flat(NESTED))
    network._modules.update(again=network, once_more=network)
    many = torch_files.Module({})
    many._modules.update((str(number), many) for number in range(20_000))
    name = "a" * 600
    long = torch_files.Module({}, **{name: torch_files.Module({name: STATE["conv10.bias"]})})
    for content in (network, many, long):
        with pytest.raises(ValueError, match="the network has over 10,000 modules, 100,000 tensors or 1,000 char"):
            torch_file.read(torch_bytes(content))


def test_torch_networks_in_many_entries_are_walked_once_and_counted_together() -> None:
    part = torch_files.Module({})
    part._parameters.update((f"p{number}", STATE["conv10.bias"]) for number in range(20_000))
    same = torch_bytes(dict.fromkeys(map(str, range(100)), part))
    with pytest.raises(ValueError, match="tensors of several networks: '0', '1', '2', '3', '4'; expected"):
        torch_file.read(same)
    alike = []
    for _ in range(6):  # all have the same dict
        alike.append(torch_files.Module({}))
        alike[-1]._parameters = part._parameters
    with pytest.raises(ValueError, match="the file's networks have over 100,000 tensors; expected a SqueezeNet's"):
        torch_file.read(torch_bytes({str(number): each for number, each in enumerate(alike)}))


def test_torch_keys_that_nobody_would_compare_are_left_out() -> None:
    content = {**STATE, "a" * 1001: STATE["conv10.bias"]}
    assert_same(torch_file.read(torch_bytes(content)), random_tensors())


def test_torch_tensors_that_are_being_pruned_are_multiplied_by_their_masks() -> None:
    tensors = random_tensors()
    kernel, bias = tensors["conv1"]
    mask = (kernel > 0).astype(np.float32)
    pruned = {f"{name}_orig" if name == "conv1.weight" else name: each for name, each in flat(tensors).items()}
    pruned["conv1.weight_mask"] = mask
    found = torch_file.read(torch_bytes(torch_files.state(pruned)))
    assert_same(found, {**tensors, "conv1": (kernel * mask, bias)})
    assert found.unused == ()
    pruned["conv1.weight_mask"] = np.ones(3, np.float32)
    with pytest.raises(
        ValueError, match=r"conv1.weight_orig has a mask of shape \[3\]; expected its own, and no conv1.weight"
    ):
        torch_file.read(torch_bytes(torch_files.state(pruned)))


def test_a_bias_that_others_have_is_missed() -> None:
    tensors = flat(random_tensors())
    assert torch_file.read(torch_bytes(torch_files.state(tensors))).notes == ()
    del tensors["conv1.bias"]
    found = torch_file.read(torch_bytes(torch_files.state(tensors)))
    assert found.notes == ("no bias of conv1 is in the file: zero",)
    assert torch_file.read(torch_bytes(torch_files.state({"conv1.weight": tensors["conv1.weight"]}))).notes == ()


@pytest.mark.parametrize("name", ["two\nlines", "a" * 1001])
def test_names_that_would_spoil_a_message_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^a name begins with '[ -~]{3,70}' and has (1,001 char|several)") as caught:
        convolution(name, np.ones((1, 1, 1, 1), np.float32), None)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"^a name begins with "):
        checked_shape(name, (1, 1, 1, 1), 1)
    if len(name) < 1000:
        with pytest.raises(ValueError, match=r"^a name begins with "):
            torch_file.read(torch_bytes({**STATE, f"{name}.weight": STATE["conv10.weight"]}))


def test_torch_objects_as_deep_as_a_file_likes_end_no_process() -> None:
    deep = b"\x80\x02" + b"]" * 400_000 + b"a" * 399_999 + b"."
    with pytest.raises(ValueError, match="holds a list"):
        torch_file.read(zipped({"data.pkl": deep}))
    key = b"\x80\x02}N" + b"\x85" * 400_000 + b"K\1s."  # a dict by a tuple in a tuple in a tuple …
    with pytest.raises(ValueError, match="holds a dict"):
        torch_file.read(zipped({"data.pkl": key}))
    large = b"\x80\x02\x8b" + (16).to_bytes(4, "little") + b"\1" * 16 + b"."
    with pytest.raises(ValueError, match="holds a NoneType"):
        torch_file.read(zipped({"data.pkl": large}))
    again = b"\x80\x02" + b"ctorch._tensor\n_rebuild_from_type_v2\n" * 9 + b")N" + b"\x87R" * 4 + b"."
    with pytest.raises(ValueError, match="is damaged"):
        torch_file.read(zipped({"data.pkl": again}))
    one = b"\x80\x02]q\0(" + b"N" * 1000 + b"e" + b"c__builtin__\nset\nq\1h\0\x85R" + b"h\1h\0\x85R" * 1001 + b"."
    with pytest.raises(ValueError, match="made of over 1,000,000 entries"):
        torch_file.read(zipped({"data.pkl": one}))
    with pytest.raises(ValueError, match="over 1,000,000 opcodes"):
        torch_file.read(zipped({"data.pkl": b"\x80\x02" + b"N" * 1_000_001}))


def test_torch_zip_is_checked_before_anything_is_read() -> None:
    good = zipped({"data.pkl": b"x" * 1000})
    damaged = good.replace(b"xxxx", b"xxxy", 1)
    with pytest.raises(ValueError, match=r"cut short or damaged \(net/data.pkl: Bad CRC"):
        torch_file.read(damaged)
    with pytest.raises(ValueError, match="cut short or damaged"):
        torch_file.read(good[:-10])


def test_torch_zip_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_file, "MAX_BYTES", 999)
    with pytest.raises(ValueError, match="unpacks to 1,000 bytes; expected at most 999"):
        torch_file.read(zipped({"data.pkl": b"x" * 1000}))


# The front door and the names -----------------------------------------------------------------------------------


def test_the_ending_of_the_name_decides_the_format(tmp_path: Path) -> None:
    tensors = random_tensors()
    contents = {
        "a.caffemodel": caffemodel_bytes(tensors),
        "b.ONNX": onnx_bytes(tensors),
        "c.safetensors": safetensors_bytes(flat(tensors)),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert_same(read_weights(tmp_path / name), tensors)
    (tmp_path / "d.net").write_bytes(net_bytes())
    assert list(read_weights(str(tmp_path / "d.net"), net_layers=HWIO).layers) == list(TINY)


def test_the_front_door_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0")
    with pytest.raises(ValueError, match=r"ends in \.bin; expected one of \.net, \.caffemodel"):
        read_weights(tmp_path / "weights.bin")
    with pytest.raises(ValueError, match="without a format"):
        read_weights(b"")
    with pytest.raises(ValueError, match="format is 'gguf'"):
        read_weights(b"", "gguf")
    with pytest.raises(ValueError, match="expected the table of layers"):
        read_weights(net_bytes(), "net")
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "absent.net")
    (tmp_path / "large.onnx").write_bytes(b"\x08\x08\0\0\0\0\0\0\0\0")
    monkeypatch.setattr("converters.weights.read.MAX_BYTES", 9)
    with pytest.raises(ValueError, match="has 10 bytes; expected at most 9"):
        read_weights(tmp_path / "large.onnx")


LAYOUTS = parse_layouts(
    json.dumps(
        {
            "names": {
                "slashes": {name: name.replace("/", "_") for name in TINY},
                "numbers": {f"features.{i}": name.replace("/", "_") for i, name in enumerate(TINY)},
            },
            "layouts": [
                {"name": "a-1", "formats": ["onnx"], "names": "slashes", "kernels": {"conv1": [3, 3, 3, 4]}, "mean": 1},
                {"name": "a-2", "formats": ["onnx"], "names": "slashes", "kernels": {"conv1": [7, 7, 3, 4]}, "mean": 2},
                {"name": "b", "formats": ["safetensors"], "names": "numbers", "kernels": {}},
            ],
        }
    )
)
EXPECTED = {name.replace("/", "_"): shape for name, shape in HWIO.items()}


def as_file(shapes: Mapping[str, tuple[int, ...]], file_format: str = "onnx", **more: Any) -> WeightFile:
    layers = {
        name: ConvWeights(np.full(shape, index, np.float32), np.zeros(shape[-1], np.float32))
        for index, (name, shape) in enumerate(shapes.items())
    }
    return WeightFile(file_format, layers, "", **more)


def mapped(weights: WeightFile) -> tuple[Layout, dict[str, ConvWeights]]:
    layout = recognise(weights, LAYOUTS)
    return layout, map_layers(weights, EXPECTED, layout)


def test_layouts_are_told_apart_by_names_and_by_kernels() -> None:
    layout, layers = mapped(as_file(HWIO))
    assert (layout.name, layout.facts) == ("a-1", {"mean": 1})
    assert list(layers) == list(EXPECTED)
    assert [int(layer.kernel.flat[0]) for layer in layers.values()] == [0, 1, 2, 3]
    assert recognise(as_file({**HWIO, "conv1": (7, 7, 3, 4)}), LAYOUTS).name == "a-2"
    numbered = {f"features.{i}": shape for i, shape in enumerate(HWIO.values())}
    assert mapped(as_file(numbered, "safetensors"))[0].name == "b"


def test_layers_keep_their_names_whatever_their_order() -> None:
    backwards = dict(reversed(HWIO.items()))
    assert [int(layer.kernel.flat[0]) for layer in mapped(as_file(backwards))[1].values()] == [3, 2, 1, 0]


def without(name: str) -> dict[str, tuple[int, ...]]:
    return {key: shape for key, shape in HWIO.items() if key != name}


NAME_FAULTS: dict[str, tuple[WeightFile, str]] = {
    "other names": (as_file({"a": (1, 1, 1, 1), "b": (1, 1, 1, 1)}), "layers are a, b; expected those of .*a-1, a-2"),
    "other format": (as_file(HWIO, "net"), "none in this format"),
    "deciding layer missing": (
        as_file(without("conv1")),
        r"lacks layer conv1; expected .*\[3, 3, 3, 4\] \(a-1\) or \[7",
    ),
    "deciding layer of another shape": (
        as_file({**HWIO, "conv1": (5, 5, 3, 4)}),
        r"layer conv1 has a kernel .*\[5, 5, 3, 4\]; expected \[3, 3, 3, 4\] \(a-1\) or \[7, 7, 3, 4\] \(a-2\)",
    ),
    "layer missing": (as_file(without("fire2/expand1x1")), r"the file lacks fire2/expand1x1 \[1, 1, 2, 3\]"),
    "layer unknown": (
        as_file({**HWIO, "fire3/expand1x1": (1, 1, 5, 6)}),
        r"has fire3/expand1x1 \[1, 1, 5, 6\] besides; expected exactly the layers of layout a-1",
    ),
    "other tensors": (as_file(HWIO, unused=("bn1",)), "has bn1 besides"),
    "layer of another shape": (
        as_file({**HWIO, "conv10": (1, 1, 3, 9)}),
        r"layer conv10 \(conv10\) has a kernel .*\[1, 1, 3, 9\]; expected \[1, 1, 3, 5\]",
    ),
}


@pytest.mark.parametrize("fault", NAME_FAULTS)
def test_name_faults_are_named(fault: str) -> None:
    weights, message = NAME_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        mapped(weights)


def test_grouped_convolutions_are_refused() -> None:
    weights = as_file(HWIO)
    layers = {**weights.layers, "conv10": ConvWeights(np.zeros(HWIO["conv10"], np.float32), np.zeros(5), groups=2)}
    with pytest.raises(ValueError, match=r"layer conv10 .* has 2 groups"):
        mapped(WeightFile("onnx", layers, ""))


def test_a_message_names_a_few_and_counts_the_rest() -> None:
    many = as_file({**HWIO, **{f"extra{i}": (1, 1, 1, 1) for i in range(9)}})
    with pytest.raises(ValueError, match="and 5 more besides"):
        mapped(many)


def test_reading_needs_no_framework(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "x.caffemodel"
    path.write_bytes(caffemodel_bytes(random_tensors()))
    code = (
        "import sys; from converters.weights.read import read_weights; "
        f"read_weights({str(path)!r}); print(*{{'torch', 'tensorflow', 'onnx', 'caffe', 'pickle5'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
