"""What the reader refuses, by layer, operator and reason, and what it overlooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters import compiler
from converters.compiler.front.read import read_graph
from converters.compiler.middle.legalise import legalise
from tests.helpers.compiled_networks import edited, functions, simple
from tests.helpers.int8_networks import Map, Net


def _tensor(index: int, **values: object) -> Callable[..., None]:
    """Return an edit of a tensor; 0 is the input, 1 the weights, 2 the bias, 3 the output of `simple()`."""

    def edit(form: schema.ModelT, graph: schema.SubGraphT) -> None:
        for name, value in values.items():
            owner = graph.tensors[index]
            setattr(owner.quantization if hasattr(owner.quantization, name) else owner, name, value)

    return edit


def _options(**values: object) -> Callable[..., Any]:
    return lambda form, graph: [setattr(graph.operators[-1].builtinOptions, *each) for each in values.items()]


def _shapes(index: int, shape: list[int]) -> Callable[..., None]:
    return _tensor(index, shape=shape)


def _two_inputs(form: schema.ModelT, graph: schema.SubGraphT) -> None:
    graph.inputs = [0, 0]


def _operator(code: int) -> Callable[..., Any]:
    return lambda form, graph: [setattr(form.operatorCodes[0], name, code) for name in _CODES]


_CODES = ("builtinCode", "deprecatedBuiltinCode")

TYPES = schema.TensorType


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_two_inputs, "the model has 2 inputs; expected one"),
        (_tensor(0, type=TYPES.INT16), "the input: tensor 't0' is int16; expected int8"),
        (_tensor(0, shapeSignature=[-1, -1, 6, 2]), r"dynamic shape \(-1, -1, 6, 2\)"),
        (_shapes(0, [2, 6, 6, 2]), r"'t0' has shape \(2, 6, 6, 2\); expected a batch of 1"),
        (_shapes(0, [1, 1, 1, 1, 6, 6, 2]), "expected 1 to 6 dimensions"),
        (_shapes(0, [1, 70_000, 6, 2]), "expected sizes from 1 to 65534"),
        (_shapes(0, [1, 0, 6, 2]), "expected sizes from 1 to 65534"),
        (_tensor(0, scale=[0.1, 0.1], zeroPoint=[0, 0], quantizedDimension=3), "'t0' has 2 scales; expected one"),
        (_tensor(0, scale=[0.0]), "'t0' has scale 0.0; expected a positive one"),
        (_tensor(0, zeroPoint=[-129]), r"'t0' has zero point -129; expected -128…127"),
        (_tensor(0, type=TYPES.FLOAT32), r"layer conv_2d \(CONV_2D\): 't0' is float32; expected an int8 model"),
        (_tensor(3, type=TYPES.UINT8, zeroPoint=[5]), r"layer conv_2d \(CONV_2D\): 't3' is uint8"),
        (_tensor(1, type=TYPES.UINT8), r"layer conv_2d \(CONV_2D\): it has uint8 weights; expected int8"),
        (_tensor(1, zeroPoint=[0, 0, 1, 0]), "its weights have a zero point other than 0"),
        (_tensor(1, quantization=None), "its weights have no scale"),
        (_tensor(1, buffer=0), "reads tensor 1 before it is written"),
        (_shapes(1, [4, 3, 6]), "its weights have shape|has 4 scales"),
        (_tensor(2, type=TYPES.FLOAT32), "it has float32 bias; expected int32"),
        (_shapes(3, [1, 6, 5, 4]), r"the output is \(6, 5, 4\); expected \(6, 6, 4\)"),
        (_shapes(3, [1, 6, 6, 5]), "its weights have shape"),
        (_options(strideH=0), "stride"),
        (_options(strideW=300), r"stride \(1, 300\); expected 1…255"),
        (_options(fusedActivationFunction=schema.ActivationFunctionType.TANH), "activation TANH is not supported"),
        (
            _operator(schema.BuiltinOperator.ELU),
            r"layer elu \(ELU\): the operator is not supported: .* ReLU, LeakyReLU or GELU; expected ABS, ADD",
        ),
    ],
)
def test_a_model_that_cannot_be_compiled_says_what_and_why(edit: Callable[..., None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiler.compile_model(edited(edit), "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, x: n.concat([x, n.conv(x, 2)]), r"layer concatenation \(CONCATENATION\): input .* has scale"),
        (
            lambda n, x: n.concat([x, n.pool(x)]),
            r"CONCATENATION\): input 't4' has shape \(3, 3, 4\), its output \(6, 6, 8\)",
        ),
        (lambda n, x: n.add(x, n.conv(x, 2)), r"layer add \(ADD\): its inputs have shapes .* or of 1"),
        (lambda n, x: n.add(x, x, scale=x.scale / 1e7), "the output's scale .* is too small for the inputs'"),
        (lambda n, x: n.softmax(x, beta=1e-9), r"layer softmax \(SOFTMAX\): .* too small for a softmax"),
        (lambda n, x: n.conv(x, 2, (9, 5), dilation=(32, 1)), "it sees 257 rows at once; expected at most 255"),
        (
            lambda n, x: n.softmax(n.reshape(n.pad(n.pad(x, 255), 4), 1, 10680)),
            r"layer reshape \(RESHAPE\): it sees 267 rows at once; expected at most 255",
        ),
        (lambda n, x: n.conv(n.requantize(x, x.scale, 0, "uint8"), 2), "is uint8; expected an int8 model"),
    ],
)
def test_a_layer_that_cannot_be_compiled_is_named(change: Callable[[Net, Map], Map], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiler.analyse(simple(change))


def test_an_unknown_batch_is_one() -> None:
    """As in files that the converter writes of a Keras model, whose Flatten then computes its shape."""

    def flattened(net: Net, x: Map, computed: bool) -> bytes:
        x = net.conv(x, 2, (3, 3))
        result = net.map((1, 72), x.scale, x.zero_point)
        shape = net.tensor((2,), "int32", data=np.array([1, 72], np.int32))
        if computed:
            shape = net.tensor((2,), "int32")
            net.op("SHAPE", [x.index], Map(shape, (2,), 0, 0), schema.ShapeOptionsT(), "ShapeOptions")
        options = schema.ReshapeOptionsT()
        return net.bytes(net.dense(net.op("RESHAPE", [x.index, shape], result, options, "ReshapeOptions"), 3))

    nets = [Net(), Net()]
    known, unknown = (flattened(net, net.input(6, 6, 1), net is nets[1]) for net in nets)
    unknown = edited(_tensor(0, shapeSignature=[-1, 6, 6, 1]), unknown)
    programs = [legalise(read_graph(model)) for model in (known, unknown)]
    assert functions(programs[0]) == functions(programs[1]) == ["CONV_2D", "FULLY_CONNECTED"]


def test_a_sequence_is_dilated_as_a_map_of_one_row() -> None:
    """As the converter writes Conv1D: split into a batch, made a map, convolved, and all of that back."""
    net = Net()
    x = net.reshape(net.conv(net.input(6, 4, 2), 3), 1, 24, 3)
    block, none = (net.tensor(np.shape(values), "int32", data=np.array(values, np.int32)) for values in ([2], [[0, 0]]))
    split = net.op("SPACE_TO_BATCH_ND", [x.index, block, none], net.map((2, 12, 3), x.scale, x.zero_point))
    y = net.conv(net.reshape(split, 2, 1, 12, 3), 4, (1, 3), padding="VALID")
    y = net.reshape(y, 2, 10, 4)
    joined = net.op("BATCH_TO_SPACE_ND", [y.index, block, none], net.map((1, 20, 4), y.scale, y.zero_point))
    program = legalise(read_graph(net.bytes(joined)))
    assert functions(program) == ["CONV_2D", "RESHAPE", "CONV_2D"]
    assert program.results[0].width == 20


def test_sizes_that_follow_from_the_input_need_not_be_in_the_file() -> None:
    """As of Keras's Reshape((-1, 2)): packed from the batch and constants; what is made of it is open, too."""
    net = Net()
    x = net.conv(net.input(6, 6, 1), 4)
    minus, two = (net.tensor((), "int32", data=np.array(value, np.int32)) for value in (-1, 2))
    sizes, batch, shape = net.tensor((4,), "int32"), net.tensor((), "int32"), net.tensor((3,), "int32")
    net.op("SHAPE", [x.index], Map(sizes, (4,), 0, 0), schema.ShapeOptionsT(), "ShapeOptions")
    bounds = [net.tensor((1,), "int32", data=np.array([value], np.int32)) for value in (0, 1, 1)]
    first = schema.StridedSliceOptionsT()
    first.shrinkAxisMask = 1
    net.op("STRIDED_SLICE", [sizes, *bounds], Map(batch, (), 0, 0), first, "StridedSliceOptions")
    net.op("PACK", [batch, minus, two], Map(shape, (3,), 0, 0), schema.PackOptionsT(), "PackOptions")
    y = net.op("RESHAPE", [x.index, shape], net.map((1, 1, 2), x.scale, x.zero_point))
    both = net.concat([y, y], axis=1)
    result = net.elementwise("LOGISTIC", both, 0, 0)

    def opened(form: schema.ModelT, graph: schema.SubGraphT) -> None:
        for each in (y, both, result):
            graph.tensors[each.index].shape, graph.tensors[each.index].shapeSignature = [1, 1, 2], [-1, -1, 2]

    program = legalise(read_graph(edited(opened, net.bytes(result))))
    assert (program.results[0].width, program.results[0].channels) == (144, 2)
