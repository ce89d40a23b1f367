"""What is read is what the interpreter sees, and a damaged file is an error, never a crash or a hang."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.edit import pack, unpack
from converters.tflite.reader import (
    Model,
    layer_names,
    macs,
    match_layers,
    non_integer_tensors,
    read_model,
    weight_zero_fraction,
    weights_of,
    zero_fraction,
)
from tests.helpers import keras_models as tiny


@pytest.fixture(params=["float", "int8", "raw int8", "with metadata"])
def data(request: pytest.FixtureRequest) -> bytes:
    makers = {
        "float": tiny.float_model,
        "int8": tiny.int8_model,
        "raw int8": tiny.raw_int8_model,
        "with metadata": tiny.described_model,
    }
    return makers[request.param]()


def edited(change: Any) -> bytes:
    """Return the int8 model after `change(model, graph)` on its editable form."""
    model = unpack(tiny.int8_model())
    change(model, model.subgraphs[0])
    return pack(model)


# Reading.


def test_tensors_are_those_of_the_interpreter(data: bytes) -> None:
    model, engine = read_model(data), tiny.interpreter(data)
    details = {detail["index"]: detail for detail in engine.get_tensor_details()}
    for tensor in model.tensors:
        detail = details[tensor.index]
        quantization = detail["quantization_parameters"]
        assert tensor.name == detail["name"]
        assert tensor.shape == tuple(detail["shape"])
        assert tensor.shape_signature == tuple(detail["shape_signature"])
        assert np.dtype(tensor.dtype) == detail["dtype"]
        np.testing.assert_array_equal(np.array(tensor.scale, np.float32), quantization["scales"])
        np.testing.assert_array_equal(tensor.zero_point, quantization["zero_points"])
        assert tensor.quantized_dimension == quantization["quantized_dimension"]
        assert tensor.per_channel == (len(quantization["scales"]) > 1)


def test_constants_are_those_of_the_interpreter(data: bytes) -> None:
    model, engine = read_model(data), tiny.interpreter(data)
    constants = [tensor for tensor in model.tensors if tensor.is_constant]
    assert len(constants) >= 12
    for tensor in constants:
        np.testing.assert_array_equal(tensor.data, engine.get_tensor(tensor.index))
        assert tensor.data is not None
        assert tensor.data.dtype == tensor.dtype
        with pytest.raises(ValueError, match="read-only"):
            tensor.data[...] = 0


def test_ops_are_those_of_the_interpreter(data: bytes) -> None:
    model = read_model(data)
    # The reference interpreter keeps the graph's own ops: no delegate replaces them.
    details = tiny.interpreter(data)._get_ops_details()
    assert [(op.name, op.inputs, op.outputs) for op in model.ops] == [
        (detail["op_name"], tuple(detail["inputs"]), tuple(detail["outputs"])) for detail in details
    ]
    assert model.op_names == tiny.OPS
    assert [tensor.shape for tensor in model.input_tensors()] == [tiny.INPUT]
    assert [tensor.shape for tensor in model.output_tensors()] == [(1, tiny.CLASSES)]


def test_options_are_those_of_the_keras_layers(data: bytes) -> None:
    model = read_model(data)
    options = dict(zip(layer_names(model), (dict(op.options) for op in model.ops), strict=True))
    assert options["conv1"] == {
        "padding": "VALID",
        "stride": (2, 2),
        "dilation": (1, 1),
        "fused_activation": "RELU",
    }
    assert options["fire2_expand3x3"]["padding"] == "SAME"
    assert options["pool1"] == {"padding": "SAME", "stride": (2, 2), "filter": (3, 3), "fused_activation": "NONE"}
    assert options["fire2_concat"] == {"axis": 3, "fused_activation": "NONE"}
    assert options["fire3_add"] == {"fused_activation": "NONE"}
    assert options["pad10"] == {}
    assert options["pool10"] == {"keep_dims": False}
    assert options["softmax"] == {"beta": 1.0}


def test_height_comes_before_width() -> None:
    layers = tiny.layers
    inputs = layers.Input((9, 8, 2))
    x = layers.DepthwiseConv2D((1, 3), depth_multiplier=2, name="depthwise")(inputs)
    x = layers.Conv2D(3, (1, 2), strides=(1, 2), name="conv")(x)
    x = layers.AveragePooling2D((2, 1), strides=(3, 1), name="pool")(x)
    x = layers.Dense(4, activation="relu", name="dense")(layers.Flatten(name="flatten")(x))
    keras_model = tiny.keras.Model(inputs, x)
    model = read_model(tiny.from_keras.float_model(keras_model))
    by_operator = {op.name: op for op in model.ops}
    assert by_operator["DEPTHWISE_CONV_2D"].options["depth_multiplier"] == 2
    assert by_operator["CONV_2D"].options["stride"] == (1, 2)
    assert by_operator["AVERAGE_POOL_2D"].options["filter"] == (2, 1)
    assert by_operator["AVERAGE_POOL_2D"].options["stride"] == (3, 1)
    dense = by_operator["FULLY_CONNECTED"].options
    assert dense == {"weights_format": "DEFAULT", "keep_num_dims": False, "fused_activation": "RELU"}
    assert by_operator["RESHAPE"].options.keys() == {"new_shape"}
    assert macs(model) == 9 * 6 * 4 * 3 + 9 * 3 * 3 * (2 * 4) + 3 * 3 * 3 * 4


def test_dilation_is_read_height_first() -> None:
    def change(model: Any, graph: Any) -> None:
        options = graph.operators[0].builtinOptions
        options.dilationHFactor, options.dilationWFactor = 2, 3

    assert read_model(edited(change)).ops[0].options["dilation"] == (2, 3)


def test_a_bias_has_its_scales_along_its_only_dimension_whatever_the_file_says() -> None:
    """Older converters named the weights' dimension; TFLite Micro runs such files."""
    plain = edited(lambda model, graph: None)
    bias = read_model(plain).ops[0].inputs[2]

    def change(model: Any, graph: Any) -> None:
        graph.tensors[bias].quantization.quantizedDimension = 3

    before, after = (read_model(each).tensors[bias] for each in (plain, edited(change)))
    assert (after.quantized_dimension, after.scale) == (0, before.scale)


def test_reading_needs_no_tensorflow() -> None:
    modules = "converters.tflite.reader, converters.tflite.writer, converters.tflm_sources"
    code = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


# Questions.


def test_macs_are_counted_from_the_keras_layers(data: bytes) -> None:
    expected = 0
    for layer in tiny.net().layers:
        if isinstance(layer, tiny.layers.Conv2D):
            expected += int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output_shape[1:3]))
    assert macs(read_model(data)) == expected


def test_non_integer_tensors_are_named() -> None:
    assert non_integer_tensors(read_model(tiny.int8_model())) == []
    floats = {tensor.dtype for tensor in non_integer_tensors(read_model(tiny.float_model()))}
    assert floats == {"float32"}

    def one_float(model: Any, graph: Any) -> None:
        graph.tensors[graph.outputs[0]].type = schema.TensorType.FLOAT32

    assert [tensor.name for tensor in non_integer_tensors(read_model(edited(one_float)))] == ["output"]


def test_a_zero_is_a_weight_equal_to_its_channels_zero_point() -> None:
    index = match_layers(read_model(tiny.int8_model()), tiny.CONVOLUTIONS)["conv10"]

    def change(model: Any, graph: Any) -> None:
        tensor = graph.tensors[graph.operators[index].inputs[1]]
        values = np.full(tensor.shape, 9, np.int8)  # [5, 1, 1, 8]
        values[0, ..., :4], values[1, ..., :2] = 3, -4
        tensor.quantization.zeroPoint = np.array([3, -4, 0, 0, 0], np.int64)
        model.buffers[tensor.buffer].data = values.view(np.uint8).ravel()

    fractions = weight_zero_fraction(read_model(edited(change)), tiny.CONVOLUTIONS)
    assert fractions["conv10"] == (4 + 2) / 40
    assert list(fractions) == list(tiny.CONVOLUTIONS)
    assert weight_zero_fraction(read_model(edited(change)))["conv10"] == 6 / 40
    assert weight_zero_fraction(read_model(tiny.float_model()), tiny.CONVOLUTIONS) == {}


# Names.

ALL_LAYERS = [
    *("conv1", "pool1", "fire2_squeeze1x1", "fire2_expand1x1", "fire2_expand3x3", "fire2_concat"),
    *("fire3_squeeze1x1", "fire3_expand1x1", "fire3_expand3x3", "fire3_concat", "fire3_add"),
    *("pad10", "conv10", "pool10", "softmax"),
]


def test_each_op_is_called_after_its_layer(data: bytes) -> None:
    assert layer_names(read_model(data)) == ALL_LAYERS


def test_layer_names_are_distinct() -> None:
    def change(model: Any, graph: Any) -> None:
        for op, name in zip(graph.operators, ("n/a/x", "n/a_2/x", "n/a/y", "plain", ""), strict=False):
            graph.tensors[op.outputs[0]].name = name.encode()

    names = layer_names(read_model(edited(change)))
    assert names[:5] == ["a", "a_2", "a_3", "conv_2d", "conv_2d_2"]
    assert len(set(names)) == len(names)


def test_every_convolution_finds_its_layer(data: bytes) -> None:
    model = read_model(data)
    found = match_layers(model, reversed(tiny.CONVOLUTIONS))
    assert list(found) == list(tiny.CONVOLUTIONS)
    for name, index in found.items():
        assert model.ops[index].name == "CONV_2D"
        assert layer_names(model)[index] == name


def test_the_weights_found_are_the_layers_weights() -> None:
    model = read_model(tiny.float_model())
    for name, index in match_layers(model, tiny.CONVOLUTIONS).items():
        kernel = tiny.net().get_layer(name).kernel.numpy()
        np.testing.assert_array_equal(weights_of(model, model.ops[index]).data, kernel.transpose(3, 0, 1, 2))


def test_layers_that_share_one_stored_kernel_are_told_apart() -> None:
    model = read_model(tiny.float_model())
    found = match_layers(model, tiny.CONVOLUTIONS)
    shared = [model.ops[found[name]].inputs[1] for name in ("fire2_expand1x1", "fire3_expand1x1")]
    assert shared[0] == shared[1], "the net gives both the same weights, which the converter stores once"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (tiny.CONVOLUTIONS[:-1], r"op 12 \(CONV_2D.*matches none of the layers"),
        ((*tiny.CONVOLUTIONS, "conv11"), "no convolution .* 'conv11'"),
        ((*tiny.CONVOLUTIONS[:-1], "conv"), "matches none"),
        ((), "matches none"),
    ],
)
def test_a_layer_without_its_convolution_is_an_error(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        match_layers(read_model(tiny.int8_model()), names)


def with_conv_names(*names: str) -> Model:
    """Return the model with other names in the first convolutions' weights, biases and outputs."""

    def change(model: Any, graph: Any) -> None:
        for tensor in graph.tensors:
            tensor.name = b""
        convolutions = [op for op in graph.operators if len(op.inputs) == 3]
        for op, name in zip(convolutions, names, strict=True):
            graph.tensors[op.outputs[0]].name = name.encode()

    return read_model(edited(change))


OTHERS = [f"m/other{i}/Relu" for i in range(6)]
OTHER_NAMES = [f"other{i}" for i in range(6)]


def test_a_name_inside_another_is_not_confused() -> None:
    model = with_conv_names("m/quant_block/conv/Relu", "m/conv/Relu;m/conv/Conv2D", *OTHERS)
    found = match_layers(model, ["conv", "block/conv", *OTHER_NAMES])
    assert (found["block/conv"], found["conv"]) == (0, 2)


def test_two_fused_layers_are_decided_by_what_is_left() -> None:
    model = with_conv_names("m/a/Relu;m/b/Conv2D", "m/b/Relu", *OTHERS)
    assert match_layers(model, ["a", "b", *OTHER_NAMES])["a"] == 0
    undecided = with_conv_names("m/a/Relu;m/b/Conv2D", "m/b/Relu;m/a/Conv2D", *OTHERS)
    with pytest.raises(ValueError, match="could be any of a, b"):
        match_layers(undecided, ["a", "b", *OTHER_NAMES])
    twice = with_conv_names("m/a/Relu", "m/a/Conv2D", *OTHERS)
    with pytest.raises(ValueError, match="two convolutions are named after layer 'a'"):
        match_layers(twice, ["a", "b", *OTHER_NAMES])


def test_a_layer_whose_own_name_looks_like_a_wrapper_is_found() -> None:
    model = with_conv_names("m/quant_head/Relu", "m/quant_prune_low_magnitude_tail/Relu", *OTHERS)
    assert match_layers(model, ["quant_head", "tail", *OTHER_NAMES])["quant_head"] == 0


# Bad input.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes; expected a .tflite"),
        (b"TFL3", "4 bytes; expected a .tflite"),
        (b"Dear model,\nhow are you?\n", r"bytes 4-8 are b' mod'; expected a .tflite"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "expected a .tflite"),
        (b"PK\x03\x04" + bytes(100), "expected a .tflite"),
        (struct.pack("<I", 1 << 30) + b"TFL3" + bytes(100), "root is at 1073741824 of 108 bytes"),
        (struct.pack("<I", 16) + b"TFL3" + bytes(100), "damaged|schema version 0"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_model(data)


def test_a_path_instead_of_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="received str, expected bytes"):
        read_model("model.tflite")  # type: ignore[arg-type]


def _more_subgraphs(model: Any, graph: Any) -> None:
    model.subgraphs = [graph, graph]


def _short_weights(model: Any, graph: Any) -> None:
    buffer = model.buffers[graph.tensors[graph.operators[0].inputs[1]].buffer]
    buffer.data = buffer.data[:-1]


def _far_tensor(model: Any, graph: Any) -> None:
    graph.operators[2].inputs = [0, 999, 1]


def _missing_weights(model: Any, graph: Any) -> None:
    graph.operators[2].inputs = [0, -1, 1]


def _swapped_ops(model: Any, graph: Any) -> None:
    graph.operators[0], graph.operators[1] = graph.operators[1], graph.operators[0]


def _written_twice(model: Any, graph: Any) -> None:
    graph.operators[3].outputs = graph.operators[2].outputs


def _unknown_operator(model: Any, graph: Any) -> None:
    model.operatorCodes[0].builtinCode = 9999


def _unknown_type(model: Any, graph: Any) -> None:
    graph.tensors[0].type = 77


def _too_few_scales(model: Any, graph: Any) -> None:
    quantization = graph.tensors[graph.operators[0].inputs[1]].quantization
    quantization.scale, quantization.zeroPoint = quantization.scale[:2], quantization.zeroPoint[:2]


def _scale_not_a_number(model: Any, graph: Any) -> None:
    graph.tensors[graph.inputs[0]].quantization.scale = np.array([np.nan], np.float32)


def _no_stride(model: Any, graph: Any) -> None:
    graph.operators[0].builtinOptions.strideH = 0


def _other_options(model: Any, graph: Any) -> None:
    op = graph.operators[0]
    op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()


def _no_options(model: Any, graph: Any) -> None:
    graph.operators[0].builtinOptionsType, graph.operators[0].builtinOptions = 0, None


def _sparse(model: Any, graph: Any) -> None:
    graph.tensors[0].sparsity = schema.SparsityParametersT()


def _no_output(model: Any, graph: Any) -> None:
    graph.outputs = []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_more_subgraphs, "2 subgraphs, expected 1"),
        (_short_weights, r"has 161 bytes of data, expected 162 for int8 \(6, 3, 3, 3\)"),
        (_far_tensor, r"op 2 \(CONV_2D\)'s inputs name tensor 999"),
        (_missing_weights, r"op 2 \(CONV_2D\) has 3 inputs and 1 outputs, or lacks one"),
        (_swapped_ops, r"op 0 \(MAX_POOL_2D\) reads tensor \d+ before it is written"),
        (_written_twice, r"op 3 \(CONV_2D\) writes tensor \d+, which has a value already"),
        (_unknown_operator, "operator code 9999 is unknown"),
        (_unknown_type, "has unknown type 77"),
        (_too_few_scales, "2 scales for 6 channels"),
        (_scale_not_a_number, "scale below zero or not finite"),
        (_no_stride, r"op 0 \(CONV_2D\) has stride \(0, 2\)"),
        (_other_options, "has AddOptions, expected Conv2DOptions"),
        (_no_options, "has no options, expected Conv2DOptions"),
        (_sparse, "stored sparse"),
        (_no_output, "0 outputs; expected some"),
    ],
)
def test_a_fault_is_named(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_model(edited(change))


def _ask_everything(data: bytes) -> str:
    try:
        model = read_model(data)
        macs(model)
        weight_zero_fraction(model)
        layer_names(model)
        non_integer_tensors(model)
    except ValueError as error:
        return "error" if str(error) else "an error without a word"
    return "model"


def test_a_file_cut_anywhere_is_an_error() -> None:
    # The FlatBuffer ends with its operator codes, so that every cut loses something that is read.
    data = tiny.int8_model()
    outcomes = {_ask_everything(data[:length]) for length in range(0, len(data), 37)}
    assert outcomes == {"error"}


@pytest.mark.attack
def test_a_garbled_file_is_an_error_or_a_model() -> None:
    data, rng = tiny.int8_model(), random.Random(3)
    outcomes = []
    for _ in range(1500):
        garbled = bytearray(data)
        for _ in range(rng.choice((1, 1, 4))):
            position = rng.randrange(len(data))
            garbled[position] = rng.choice((0, 0xFF, 0x7F, garbled[position] ^ 1 << rng.randrange(8)))
        outcomes.append(_ask_everything(bytes(garbled)))
    assert {"error", "model"} == set(outcomes), "both kinds of damage are among the mutations"


@pytest.mark.attack
def test_absurd_numbers_are_refused_before_anything_is_allocated() -> None:
    data = tiny.int8_model()
    for position in range(8, 3000, 4):
        for value in (0xFFFFFFFF, 0x7FFFFFFF, 0x00FFFFFF):
            garbled = bytearray(data)
            struct.pack_into("<I", garbled, position, value)
            assert _ask_everything(bytes(garbled)) in ("error", "model")


@pytest.mark.parametrize(("field", "name"), [(4, "Tensors"), (6, "Inputs"), (8, "Outputs"), (10, "Operators")])
def test_a_vector_longer_than_the_file_is_not_walked(field: int, name: str) -> None:
    data = bytearray(tiny.int8_model())
    table = schema.Model.GetRootAs(bytes(data), 0).Subgraphs(0)._tab
    struct.pack_into("<I", data, table.Vector(table.Offset(field)) - 4, 0x00FFFFFF)
    with pytest.raises(ValueError, match=f"16777215 {name} do not fit"):
        read_model(bytes(data))


def test_weights_of_another_rank_are_an_error() -> None:
    def change(model: Any, graph: Any) -> None:
        tensor = graph.tensors[graph.operators[0].inputs[1]]
        tensor.shape = [6, 27]

    model = read_model(edited(change))
    with pytest.raises(ValueError, match=r"op 0 \(CONV_2D\) has weights \(6, 27\), expected rank 4"):
        macs(model)
    with pytest.raises(ValueError, match=r"op 1 \(MAX_POOL_2D\) has no weights"):
        weights_of(model, model.ops[1])
    with pytest.raises(ValueError, match="is not a constant"):
        zero_fraction(model.input_tensors()[0])
