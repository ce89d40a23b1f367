"""Each pass of the compiler on its own: what it reads and refuses, rewrites, times, places and writes."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters import compiler as compiler_module
from converters.compiler.back.c import library
from converters.compiler.front import graph as g
from converters.compiler.front.read import read_graph
from converters.compiler.middle import arithmetic
from converters.compiler.middle.legalise import legalise
from converters.compiler.middle.plan import Part, header_bytes, plan
from converters.compiler.middle.schedule import schedule
from converters.tflite.reader import read_model
from converters.tflite.writer import to_uint8_twin
from tests.helpers.arena_simulation import Simulation
from tests.helpers.compiled_on_host import SANITIZERS, WARNINGS, Program, Reference
from tests.helpers.damaged_models import mutants
from tests.helpers.int8_networks import Map, Net, squeezenet
from tests.helpers.needs import require
from tests.helpers.random_networks import RandomNet, random_nets

# Arithmetic.


@given(st.floats(1e-8, 1e6))
def test_a_multiplier_is_the_nearest_of_31_bits(real: float) -> None:
    (multiplier,), (shift,) = arithmetic.quantized_multipliers(np.array([real]))
    assert 1 << 30 <= multiplier < 1 << 31
    assert abs(int(multiplier) * 2.0 ** (int(shift) - 31) - real) <= real * 2**-31


@pytest.mark.parametrize(
    ("real", "multiplier", "shift"),
    [(0.0, 0, 0), (0.5, 1 << 30, 0), (1.0, 1 << 30, 1), (1 - 2**-40, 1 << 30, 1), (2.0**-33, 0, 0), (0.75, 3 << 29, 0)],
)
def test_multipliers_at_the_ends(real: float, multiplier: int, shift: int) -> None:
    found = arithmetic.quantized_multipliers(np.array([real]))
    assert (int(found[0][0]), int(found[1][0])) == (multiplier, shift)


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "ends"),
    [
        ("NONE", 0.1, 3, (-128, 127)),
        ("RELU", 0.1, -20, (-20, 127)),
        ("RELU6", 0.1, -20, (-20, 40)),
        ("RELU6", 0.01, -20, (-20, 127)),
        ("RELU_N1_TO_1", 0.1, 5, (-5, 15)),
        ("RELU6", 0.08, -128, (-128, -53)),  # 75 after TFLite's division in float32, halves away from zero
    ],
)
def test_activations_are_clamps(activation: str, scale: float, zero_point: int, ends: tuple[int, int]) -> None:
    assert arithmetic.activation_range(activation, scale, zero_point) == ends


def test_an_activation_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="activation TANH is not supported"):
        arithmetic.activation_range("TANH", 0.1, 0)
    with pytest.raises(ValueError, match="too small to quantize"):
        arithmetic.activation_range("RELU6", 1e-12, 0)


@given(st.integers(0, 2**32 - 1), st.integers(-128, 127))
def test_a_folded_bias_gives_the_same_sums_within_the_bound(seed: int, zero_point: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (3, 7)).astype(np.int8)
    bias = rng.integers(-1000, 1000, 3).astype(np.int32)
    folded = arithmetic.fold_bias(weights, bias, zero_point)
    lowest, highest = arithmetic.sum_range(weights, folded)
    extremes = np.where(weights > 0, 127, -128).astype(np.int64)
    for inputs in (rng.integers(-128, 128, (3, 7)), extremes, -1 - extremes):
        sums = ((inputs - zero_point) * weights).sum(axis=1) + bias
        assert np.array_equal((inputs * weights).sum(axis=1) + folded, sums)
        assert np.all((lowest <= sums) & (sums <= highest))
    reached = [((x - zero_point) * weights).sum(axis=1) + bias for x in (extremes, -1 - extremes)]
    assert np.array_equal(reached, [highest, lowest]), "the bounds are met, not merely kept"


@pytest.mark.parametrize(
    ("most", "shift"), [(2**31 - 129, 0), (2**31 - 129, -8), (2**31 - 2**21 - 1, -22), (2**30 - 1, -31), (2**20, 10)]
)
def test_sums_that_could_overflow_are_refused(most: int, shift: int) -> None:
    """What rounding and a zero point add is part of the sum."""
    assert arithmetic.check_sums(np.array([most]), np.array([1 << 30]), np.array([shift])) is None
    with pytest.raises(ValueError, match=r"a sum can reach \d+, rounding included; expected less than 2\^31"):
        arithmetic.check_sums(np.array([2 * most if shift > 0 else most + 1]), np.array([1 << 30]), np.array([shift]))


def test_partial_sums_that_could_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="a partial sum"):
        arithmetic.fold_bias(np.ones((1, 2), np.int8), np.array([2**31 - 1], np.int32), -128)


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(-31, 6))
def test_rescaling_is_that_of_the_reference_kernels(value: int, multiplier: int, shift: int) -> None:
    value >>= max(shift, 0)
    (found,) = arithmetic.rescaled(np.array([value]), np.array([multiplier], np.int32), np.array([shift], np.int8))
    high = math.floor(Fraction(value * 2 ** max(shift, 0) * multiplier, 2**31) + Fraction(1, 2))
    exact = Fraction(high, 2 ** max(-shift, 0))
    assert int(found) == math.copysign(math.floor(abs(exact) + Fraction(1, 2)), high)


# Reading: what is refused, by layer, operator and reason.


def simple(change: Callable[[Net, Map], Map] | None = None, **values: Any) -> bytes:
    """Return input → CONV_2D → what `change` adds."""
    net = Net()
    x = net.conv(net.input(6, 6, 2), 4, **values)
    return net.bytes(change(net, x) if change else x)


def edited(edit: Callable[[schema.ModelT, schema.SubGraphT], None], model: bytes | None = None) -> bytes:
    """Return a model with fields changed."""
    form = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model or simple(), 0))
    edit(form, form.subgraphs[0])
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(form.Pack(builder), b"TFL3")
    return bytes(builder.Output())


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


def _two_outputs(form: schema.ModelT, graph: schema.SubGraphT) -> None:
    graph.outputs = [3, 3]


def _operator(code: int) -> Callable[..., Any]:
    return lambda form, graph: [setattr(form.operatorCodes[0], name, code) for name in _CODES]


_CODES = ("builtinCode", "deprecatedBuiltinCode")
TYPES = schema.TensorType


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_two_inputs, "the model has 2 inputs and 1 outputs; expected one of each"),
        (_two_outputs, "the model has 1 inputs and 2 outputs"),
        (_tensor(0, type=TYPES.INT16), "the input: tensor 't0' is int16; expected int8"),
        (_tensor(0, shapeSignature=[-1, -1, 6, 2]), r"dynamic shape \(-1, -1, 6, 2\)"),
        (_shapes(0, [2, 6, 6, 2]), r"'t0' has shape \(2, 6, 6, 2\); expected a batch of 1"),
        (_shapes(0, [1, 1, 6, 6, 2]), "expected 1 to 4 dimensions"),
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
            _operator(schema.BuiltinOperator.TANH),
            r"layer tanh \(TANH\): the operator is not supported; expected ADD, AVERAGE_POOL_2D",
        ),
    ],
)
def test_a_model_that_cannot_be_compiled_says_what_and_why(edit: Callable[..., None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiler_module.compile_model(edited(edit), "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, x: n.concat([x, n.conv(x, 2)]), r"layer concatenation \(CONCATENATION\): input .* has scale"),
        (lambda n, x: n.concat([x, x], axis=2), r"CONCATENATION\): axis 2; expected the channels"),
        (lambda n, x: n.add(x, n.conv(x, 1)), r"layer add \(ADD\): input .* broadcasting is not supported"),
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
        compiler_module.analyse(simple(change))


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


def test_sums_that_could_overflow_name_their_layer() -> None:
    largest = np.full(4, 2**31 - 1, np.int32)
    model = edited(lambda form, graph: setattr(form.buffers[2], "data", largest.view(np.uint8)))
    with pytest.raises(ValueError, match=r"layer conv_2d \(CONV_2D\): a (partial )?sum can reach \d+"):
        compiler_module.analyse(model)


def test_more_layers_than_the_tables_can_number_are_refused() -> None:
    net = Net()
    x = net.input(1, 1, 1)
    for _ in range(255):
        x = net.requantize(x, 1 / 64, -128)
    with pytest.raises(ValueError, match="the model has 256 streams; expected at most 254"):
        compiler_module.analyse(net.bytes(x))


def test_a_model_that_computes_nothing_is_refused() -> None:
    net = Net()
    with pytest.raises(ValueError, match="the model computes nothing"):
        compiler_module.analyse(net.bytes(net.reshape(net.input(2, 2, 1), 1, 4)))


def test_damaged_models_give_errors_or_programs(tmp_path: Path) -> None:
    """Never another exception, endless work or much memory: 2,000 mutations of two models."""
    done = 0
    for seed, model in enumerate((squeezenet(), mixed())):
        for mutant in mutants(model, 1000, seed):
            try:
                compilation = compiler_module.analyse(mutant)
                compiler_module.files(compilation, "m")
                json.dumps(compiler_module.report(compilation))
                done += 1
            except ValueError:
                continue
    assert 100 < done < 1900, "some are refused, some are whole all the same"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["squeezenet", "mixed"])
def test_damaged_models_that_compile_are_correct(tmp_path: Path, model: str) -> None:
    """What TFLite runs too gives the same rows."""
    whole = squeezenet() if model == "squeezenet" else mixed()
    verdicts = [each for batch in _compiled_mutants(whole, 2000) for each in _judged(tmp_path, batch)]
    assert set(verdicts) <= {"equal", "refused", "ended TFLite"}
    assert verdicts.count("equal") > 200


def _compiled_mutants(model: bytes, count: int) -> list[list[bytes]]:
    kept = []
    for mutant in mutants(model, count, 7):
        try:
            compilation = compiler_module.analyse(mutant)
        except ValueError:
            continue
        if mutant != model and compilation.plan.arena_bytes + compilation.program.streams[0].height < 10_000:
            kept.append(mutant)
    return [kept[i : i + 50] for i in range(0, len(kept), 50)]


def _judged(folder: Path, models: list[bytes]) -> list[str]:
    """Return a verdict on each model, from processes that begin again after one that ended."""
    shutil.rmtree(folder)
    named = {f"n{i}": model for i, model in enumerate(models)}
    Program(folder, named)
    for name, model in named.items():
        (folder / f"{name}.tflite").write_bytes(model)
    verdicts: list[str] = []
    while len(verdicts) < len(models):
        script = Path(__file__).with_name("mutant_judge.py")
        done = run(folder, sys.executable, str(script), str(folder), str(len(verdicts)))
        rows = [line.partition(" ") for line in done.stdout.splitlines()]
        assert rows, done
        verdicts += [verdict or "ended TFLite" for _, _, verdict in rows]
    return verdicts


def mixed() -> bytes:
    """Return a network of the operators that `squeezenet` lacks."""
    net = Net(3)
    x = net.requantize(net.input(9, 8, 3, dtype="uint8", zero_point=0), 1 / 64, -128)
    x = net.pool(net.conv(x, 1, depthwise=True), (2, 2), average=True)
    x = net.conv(x, 4, dilation=(1, 2))
    x = net.requantize(x, x.scale * 2, 0, operator="RELU")
    x = net.softmax(net.dense(net.reshape(x, 1, 80), 5, per_channel=True))
    return net.bytes(net.requantize(x, x.scale, x.zero_point, "float32", "DEQUANTIZE"))


def confident() -> bytes:
    """Return a network that averages padding, too, and whose scores differ by 20: the softmax's largest shift."""
    net = Net(4)
    x = net.pad(net.conv(net.input(5, 4, 3), 6, (1, 1)), bottom=2, value=-64)
    return net.bytes(net.softmax(net.requantize(net.mean(x, scale=x.scale), 20.0, 0)))


# Legalising.


def program_of(build: Callable[[Net], Map]) -> g.Program:
    net = Net()
    return legalise(read_graph(net.bytes(build(net))))


def functions(program: g.Program) -> list[str]:
    return [operator.operator for operator in program.operators]


def test_edges_of_other_types_become_the_int8_inside() -> None:
    program = legalise(read_graph(mixed()))
    assert "QUANTIZE" not in functions(program)
    assert "DEQUANTIZE" not in functions(program)
    assert (program.streams[0].scale, program.streams[0].zero_point) == (1 / 64, -128)
    assert program.streams[program.output].zero_point == -128


def test_quantize_between_int8_maps_is_an_operator() -> None:
    program = program_of(lambda n: n.requantize(n.conv(n.input(4, 4, 2), 2), 0.5, 3))
    assert functions(program) == ["CONV_2D", "QUANTIZE"]


def test_concatenation_becomes_slices_of_one_stream() -> None:
    program = program_of(lambda n: n.fire(n.input(4, 4, 2), 3, 5))
    assert functions(program) == ["CONV_2D"] * 3
    _, one, three = program.operators
    assert (one.output, one.channel, three.output, three.channel) == (2, 0, 2, 5)
    assert program.streams[2].channels == 10


def test_nested_concatenations_are_one() -> None:
    def build(n: Net) -> Map:
        a = n.conv(n.input(4, 4, 2), 2)
        maps = [n.conv(a, c, out=(a.scale, -128)) for c in (3, 1, 2)]
        return n.concat([maps[0], n.concat(maps[1:])])

    program = program_of(build)
    assert [(each.output, each.channel) for each in program.operators[1:]] == [(2, 0), (2, 3), (2, 4)]


def test_what_others_read_too_is_copied_into_a_concatenation() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(4, 4, 2), 3)
        return n.concat([x, n.conv(x, 2, out=(x.scale, x.zero_point))])

    program = program_of(build)
    assert functions(program) == ["CONV_2D", "CONV_2D", "CONCATENATION"]
    copy = program.operators[2]
    assert isinstance(copy.kernel, g.PadKernel)
    assert (copy.channel, copy.kernel.channels, program.operators[1].channel) == (0, 3, 3)


@pytest.mark.parametrize(
    ("layer", "zero_point", "folded"),
    [
        (lambda n, x: n.conv(x, 2, (3, 3), padding="VALID"), 7, True),
        (lambda n, x: n.conv(x, 2, (1, 1)), 7, True),
        (lambda n, x: n.conv(x, 1, (3, 3), padding="VALID", depthwise=True), 7, True),
        (lambda n, x: n.pool(x, (3, 3), (2, 2), "VALID"), -128, True),
        (lambda n, x: n.pool(x, (3, 3), (2, 2), "VALID"), 7, False),  # real 0 may be larger than all of a window
        (lambda n, x: n.pool(x, (1, 1), (1, 1), "VALID"), -128, False),  # a window would see nothing
        (lambda n, x: n.pool(x, (3, 3), (2, 2), "VALID", average=True), -128, False),
    ],
)
def test_padding_joins_windows_that_see_the_same(
    layer: Callable[[Net, Map], Map], zero_point: int, folded: bool
) -> None:
    program = program_of(lambda n: layer(n, n.pad(n.requantize(n.input(6, 6, 2), 0.1, zero_point))))
    assert ("PAD" not in functions(program)) == folded
    if folded:
        assert program.operators[-1].pad_top == 1


def test_a_value_of_its_own_joins_convolutions_that_see_no_other() -> None:
    def padded(n: Net, **how: Any) -> Map:
        return n.conv(n.pad(n.requantize(n.input(6, 6, 2), 0.1, 7), value=-128), 2, (3, 3), **how)

    folded = program_of(lambda n: padded(n, padding="VALID"))
    kernel = folded.operators[-1].kernel
    assert isinstance(kernel, g.ConvKernel)
    assert (folded.operators[-1].pad_top, kernel.input_zero_point) == (1, -128)
    assert "PADV2" in functions(program_of(lambda n: padded(n, padding="SAME")))  # around it are zero points, too


def test_the_mean_of_a_pointwise_convolution_is_part_of_it() -> None:
    fused = program_of(lambda n: n.mean(n.conv(n.pad(n.input(4, 4, 2)), 3, (1, 1))))
    (operator,) = fused.operators
    assert isinstance(operator.kernel, g.ConvKernel)
    assert (operator.yields, operator.fires, operator.kernel.zero_sum) == (g.LAST, 6, 36 * -128)
    assert operator.macs == 36 * 3 * 2
    assert functions(program_of(lambda n: n.mean(n.conv(n.input(4, 4, 2), 3)))) == ["CONV_2D", "MEAN"]

    def read_twice(n: Net) -> Map:
        x = n.conv(n.input(4, 4, 2), 3, (1, 1))
        return n.add(n.mean(x, keep_dims=True), n.mean(n.pool(x), keep_dims=True))

    assert functions(program_of(read_twice)) == ["CONV_2D", "MEAN", "MAX_POOL_2D", "MEAN", "ADD"]


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
def test_a_pad_before_a_mean_is_part_of_its_sum(kernel: tuple[int, int]) -> None:
    def build(n: Net) -> Map:
        return n.mean(n.pad(n.conv(n.input(4, 5, 2), 3, kernel), bottom=2, left=1, right=0, top=0, value=-64))

    padded = program_of(build).operators[-1].kernel
    assert isinstance(padded, g.ConvKernel | g.MeanKernel)
    assert padded.zero_sum == -128 * 6 * 6 - -64 * (6 * 6 - 4 * 5)
    assert "PADV2" not in functions(program_of(build))


@pytest.mark.parametrize(
    ("shape", "build"),
    [
        ((6, 4), lambda n, x: n.conv(n.reshape(x, 1, 6, 4, 1), 2)),
        ((24,), lambda n, x: n.conv(n.reshape(x, 1, 6, 4, 1), 2)),
        ((24,), lambda n, x: n.conv(n.reshape(n.reshape(x, 1, 4, 6), 1, 6, 4, 1), 2)),
    ],
)
def test_an_input_that_is_reshaped_at_once_comes_in_the_rows_that_are_read(
    shape: tuple[int, ...], build: Callable[[Net, Map], Map]
) -> None:
    program = program_of(lambda n: build(n, n.input(*shape)))
    assert functions(program) == ["CONV_2D"]
    source = program.streams[0]
    assert (source.height, source.width, source.channels) == (6, 4, 1)


def reshaped(where: str) -> bytes:
    """Return a network with a RESHAPE that is no view: other rows are read than the map has."""
    net = Net(8)
    if where == "flat":  # read row by row, and by a fully connected layer
        x = net.reshape(net.conv(net.input(6, 6, 2), 2), 1, 72)
        return net.bytes(net.softmax(net.dense(net.softmax(x), 72)))
    if where == "rows":
        x = net.reshape(net.dense(net.input(5, 3, 2), 48, "RELU"), 1, 4, 4, 3)
        return net.bytes(net.conv(x, 3))
    if where == "both":  # the input as it is, and in other rows; a map of 20 rows in 3
        x = net.input(6, 10, 1)
        y = net.conv(net.reshape(x, 1, 20, 3, 1), 1, out=(x.scale, x.zero_point))
        return net.bytes(net.add(net.conv(x, 1), net.reshape(y, 1, 6, 10, 1)))
    x = net.conv(net.input(4, 3, 2), 4, (1, 1))  # beside others in a concatenation
    y = net.reshape(net.conv(net.reshape(x, 1, 2, 6, 4), 4, out=(x.scale, x.zero_point)), 1, 4, 3, 4)
    return net.bytes(net.conv(net.concat([x, y]), 3))


@pytest.mark.parametrize(
    ("where", "copies"),
    [("flat", ["RESHAPE"]), ("rows", ["RESHAPE"]), ("both", ["RESHAPE"] * 2), ("beside", ["RESHAPE"] * 2)],
)
def test_other_rows_than_the_map_has_are_copied(where: str, copies: list[str]) -> None:
    assert [name for name in functions(legalise(read_graph(reshaped(where)))) if name == "RESHAPE"] == copies


def test_the_output_has_its_own_shape(tmp_path: Path) -> None:
    """Not that of the map it is a view of."""
    net = Net()
    model = net.bytes(net.reshape(net.conv(net.input(6, 6, 2), 2), 1, 72))
    header = compiler_module.compile_model(model, "net", labels=[str(i) for i in range(72)])["net.h"]
    sizes = dict(re.findall(r"#define NET_(OUTPUT_\w+|CLASS_COUNT) (\d+)", header))
    names = ("OUTPUT_BYTES", "OUTPUT_HEIGHT", "OUTPUT_WIDTH", "OUTPUT_CHANNELS", "CLASS_COUNT")
    assert [int(sizes[name]) for name in names] == [72, 1, 1, 72, 72]
    said = compiler_module.report(compiler_module.analyse(model))["output"]
    assert (said["bytes"], said["height"], said["width"], said["channels"]) == (72, 1, 1, 72)
    with pytest.raises(ValueError, match="2 labels for 72 classes"):
        compiler_module.compile_model(model, "net", labels=["a", "b"])


# Channels that every input gives the same byte.


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m55"])
def test_a_channel_without_weights_leaves_its_layer_the_fast_kernel(target: str, per_channel: bool) -> None:
    for seed in range(10):
        net = Net(seed)
        model = net.bytes(net.conv(net.input(6, 5, 3), 8, dead=True, per_channel=per_channel))
        compilation = compiler_module.analyse(model, target)
        (choice,), (operator,) = compilation.choices, compilation.program.operators
        assert choice.function == {"cortex-m4": "sqz_conv_row_dsp", "cortex-m55": "sqz_conv_row_mve"}[target]
        assert isinstance(operator.kernel, g.ConvKernel)
        assert len(operator.kernel.requant.shift) == (8 if per_channel else 1)
        assert np.sum(~operator.kernel.rows.any(axis=1)) == 1


def test_a_layer_without_weights_is_constant() -> None:
    net = Net()
    model = net.bytes(net.conv(net.input(4, 4, 2), 1, dead=True, activation="NONE"))
    (operator,) = legalise(read_graph(model)).operators
    assert isinstance(operator.kernel, g.ConvKernel)
    assert (operator.kernel.requant.shift.tolist(), operator.kernel.requant.only_shifts) == ([-1], True)


@pytest.fixture(scope="module", params=[0, 1e-7, 1e-12, 1e-20])
def dying(request: pytest.FixtureRequest) -> bytes:
    """Return a model as the official converter writes it, of layers whose channel 2 has weights this small."""
    import keras

    from converters.tflite.from_keras import integer_model

    layers = [
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(6),
        keras.layers.Softmax(),
    ]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12, 12, 3)), *layers])
    for layer in (layers[0], layers[1], layers[3]):
        weights, bias = layer.get_weights()
        (weights[:, :, 2] if layer is layers[1] else weights[..., 2])[...] *= request.param
        bias[2] = 0.5
        layer.set_weights([weights, bias])
    return integer_model(model, np.random.default_rng(0).random((4, 12, 12, 3)))


def test_a_model_with_dead_channels_is_compiled_as_the_converter_writes_it(tmp_path: Path, dying: bytes) -> None:
    biases = [each for each in read_model(dying).tensors if each.dtype == "int32" and each.size > 2]
    assert max(np.max(np.asarray(each.data)) for each in biases) == 2**30, "the converter's limit is met"
    for target, function in (("generic", "sqz_conv_row"), ("cortex-m4", "sqz_conv_row_dsp")):
        assert compiler_module.analyse(dying, target).choices[0].function == function
        program = Program(tmp_path / target, {"net": dying}, target=target, flags=SANITIZERS)
        assert program.compare("net", Reference(dying), 3) == []


def test_what_nobody_reads_is_not_compiled() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(4, 4, 2), 3)
        n.pool(n.conv(x, 9))
        return n.mean(x)

    assert functions(program_of(build)) == ["CONV_2D", "MEAN"]


def test_powers_of_two_need_no_multipliers() -> None:
    net = Net()
    model = net.bytes(net.conv(net.input(4, 4, 2), 3, power_of_two=True))
    (operator,) = legalise(read_graph(model)).operators
    assert isinstance(operator.kernel, g.ConvKernel)
    assert operator.kernel.requant.only_shifts
    texts = compiler_module.compile_model(model, "m")
    assert ".multiplier = NULL" in texts["m.c"]
    assert "multiplier" not in texts["m_weights.c"]


@pytest.mark.parametrize(
    ("filter_", "stride", "padding", "average", "streaming"),
    [
        ((3, 3), (2, 2), "SAME", False, True),
        ((3, 3), (2, 2), "VALID", False, True),
        ((2, 2), (2, 2), "SAME", True, True),
        ((3, 3), (2, 2), "SAME", True, False),  # two windows would be open
        ((3, 3), (1, 1), "SAME", False, False),
        ((2, 2), (1, 1), "SAME", False, False),  # the last row ends two windows
        ((2, 2), (1, 1), "VALID", False, True),
        ((9, 7), (1, 1), "VALID", True, True),  # one window: nothing comes after it
    ],
)
def test_pools_that_can_run_row_by_row_do(
    filter_: tuple[int, int], stride: tuple[int, int], padding: str, average: bool, streaming: bool
) -> None:
    program = program_of(lambda n: n.pool(n.input(9, 7, 2), filter_, stride, padding, average=average))
    assert program.operators[0].kernel.streaming == streaming  # type: ignore[union-attr]


# The schedule.


def test_a_fire_module_keeps_three_squeezed_rows_and_no_concatenated_one() -> None:
    timed = schedule(program_of(lambda n: n.conv(n.fire(n.input(9, 5, 2), 3, 5), 2, (1, 1))))
    rings = [(life.ring_rows, life.transient) for life in timed.lives]
    assert rings == [(1, True), (3, False), (1, True), (9, False)]
    assert timed.lag == (0, 1, 0, 0), "the 1x1 expansion waits a row for the 3x3"
    assert timed.steps == 10, "the row below the image takes one more step"


def test_a_bypass_keeps_the_rows_that_wait() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(9, 5, 2), 10, (1, 1))
        return n.mean(n.add(x, n.fire(x, 3, 5)))

    timed = schedule(program_of(build))
    assert [life.ring_rows for life in timed.lives[:4]] == [1, 2, 3, 1]


def test_a_pad_that_is_an_operator_makes_rows_before_the_first_comes() -> None:
    timed = schedule(program_of(lambda n: n.softmax(n.pad(n.requantize(n.input(4, 4, 1), 0.1, 3), top=2))))
    assert timed.fires_in[1].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert timed.lives[1].ring_rows == 3


def test_the_order_of_branches_does_not_matter() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(9, 5, 2), 3, (1, 1))
        a = n.conv(x, 5)
        return n.mean(n.concat([a, n.conv(x, 5, (1, 1), out=(a.scale, a.zero_point))]))

    timed = schedule(program_of(build))
    assert (timed.lag, timed.lives[2].transient, timed.lives[2].last_producer) == ((0, 0, 1, 0), True, 2)


def test_a_branch_that_is_last_stays_last_when_others_wait() -> None:
    """Waiting as long as they can, the pools would be later than the convolutions in some rows only."""

    def build(n: Net) -> Map:
        x = n.input(4, 1, 1)
        y = n.conv(n.conv(n.conv(x, 1, (2, 1)), 1, (2, 1)), 1, (2, 1), (2, 2))
        y = n.conv(y, 1, (2, 1), out=(x.scale, x.zero_point))
        return n.mean(n.concat([y, n.pool(x, (2, 1)), n.pool(x, (2, 1))]))

    timed = schedule(program_of(build))
    made = [timed.fires_in[3].tolist(), *(timed.fires_in[i][[1, 3]].tolist() for i in (4, 5))]
    assert made == [[5, 6], [3, 5], [3, 5]]
    assert timed.lives[4].last_producer == 3


def test_branches_that_cannot_keep_step_share_a_ring() -> None:
    """The slices of a row are made in different steps; the one that is always last completes it."""

    def build(n: Net) -> Map:
        x = n.input(2, 3, 2)
        a = n.conv(x, 2, (1, 1))
        return n.mean(n.concat([a, n.conv(n.conv(x, 2), 2, out=(a.scale, a.zero_point))]))

    timed = schedule(program_of(build))
    concatenated = timed.lives[1]
    assert (concatenated.ring_rows, concatenated.transient, concatenated.last_producer) == (2, False, 2)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(random_nets(), st.integers(0, 99))
def test_no_plan_reads_a_row_that_is_gone(net: RandomNet, scratch: int) -> None:
    timed = schedule(legalise(read_graph(net.model)))
    scratch_bytes = tuple(scratch + i for i in range(len(timed.program.operators)))
    planned = plan(timed, scratch_bytes)
    simulation = Simulation(planned, scratch_bytes)
    simulation.run()
    for found, expected in zip(simulation.fired_in, timed.fires_in, strict=True):
        assert np.array_equal(found, expected[: len(found)])
    assert planned.needed_bytes <= planned.arena_bytes
    _check_parts(planned.parts, planned.arena_bytes)


def _check_parts(parts: tuple[Part, ...], arena_bytes: int) -> None:
    for i, part in enumerate(parts):
        assert part.offset % 8 == 0
        assert 0 <= part.offset <= arena_bytes - part.bytes
        for other in parts[:i]:
            apart = part.offset >= other.offset + other.bytes or other.offset >= part.offset + part.bytes
            assert apart or not part.meets(other), (part, other)


def test_the_simulation_sees_a_plan_that_is_wrong() -> None:
    timed = schedule(legalise(read_graph(squeezenet())))
    planned = plan(timed, (0,) * len(timed.program.operators))
    for i, life in enumerate(timed.lives):
        if life.ring_rows > 1 and i:
            lives = tuple(replace(each, ring_rows=each.ring_rows - (j == i)) for j, each in enumerate(timed.lives))
            with pytest.raises(AssertionError, match=r"is gone|was overwritten"):
                Simulation(replace(planned, schedule=replace(timed, lives=lives))).run()
    moved = tuple(0 if i == 2 else each for i, each in enumerate(planned.stream_offset))
    with pytest.raises(AssertionError, match=r"header was overwritten|is gone"):
        Simulation(replace(planned, stream_offset=moved)).run()


# The plan.


def test_a_pool_writes_over_the_row_that_it_reads() -> None:
    def build(n: Net) -> Map:
        return n.mean(n.conv(n.pool(n.conv(n.input(9, 9, 2), 8)), 3, (1, 1)))

    timed = schedule(program_of(build))
    planned = plan(timed, (0,) * len(timed.program.operators))
    assert planned.stream_offset[1] == planned.stream_offset[2]
    (shared,) = [part for part in planned.parts if part.streams == (1, 2)]
    assert (shared.bytes, shared.born, shared.dies) == (72, 0, 2)


def test_states_lie_together_and_are_aligned() -> None:
    timed = schedule(legalise(read_graph(squeezenet())))
    planned = plan(timed, (0,) * len(timed.program.operators))
    states = [part for part in planned.parts if part.kind == "state"]
    assert len(states) == 3
    assert planned.zero_from == states[0].offset >= header_bytes(len(timed.program.operators), len(timed.lives))
    assert sum(part.bytes for part in states) == planned.zero_bytes


# The budgets of the benchmark's networks: tools/bench_mcu/graphs.py writes them.


@pytest.mark.parametrize(
    ("name", "arena_bytes", "flash_share"),
    [("a", 5_300, 1.08), ("b", 3_100, 1.04), ("c", 45_400, 1.02)],
)
def test_the_benchmarks_networks_stay_small(name: str, arena_bytes: int, flash_share: float, benchmark: dict) -> None:
    said = compiler_module.report(compiler_module.analyse(benchmark[name]))
    assert said["arena"]["bytes"] <= arena_bytes
    assert said["arena"]["bytes"] <= said["arena"]["needed_bytes"] + 16, "nothing is lost between the parts"
    flash = said["flash"]
    assert flash["total"] <= flash_share * (flash["weights"] + flash["bias"])


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("graphs")
    script = library.root() / "bench" / "graphs.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return {path.stem: path.read_bytes() for path in folder.glob("*.tflite")}


# The C.


def written(folder: Path, model: bytes, name: str = "net", **how: object) -> Path:
    for file, text in compiler_module.compile_model(model, name, **how).items():  # type: ignore[arg-type]
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    require(shutil.which(command[0]), f"{command[0]} is not installed")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


MAIN = r"""
#include "net.h"
#include <stdalign.h>
#include <string.h>
static alignas(NET_ARENA_ALIGN) unsigned char arena[NET_ARENA_BYTES];
static int8_t input[NET_INPUT_HEIGHT][NET_INPUT_ROW_BYTES], output[NET_OUTPUT_BYTES], again[NET_OUTPUT_BYTES];
int main(void) {
    const int8_t *all = input[0];
    if (sizeof input != NET_INPUT_BYTES || NET_CLASS_COUNT != NET_OUTPUT_BYTES) return 1;
    memset(input, 7, sizeof input);
    if (net_push_row(arena, all) != SQZ_ERROR_STATE) return 2;
    if (net_begin(NULL, sizeof arena) != SQZ_ERROR_NULL) return 3;
    if (net_begin(arena + 1, sizeof arena) != SQZ_ERROR_ALIGNMENT) return 4;
    if (net_begin(arena, sizeof arena - 1) != SQZ_ERROR_ARENA) return 5;
    if (net_invoke(arena, all, output) != SQZ_OK) return 6;
    if (net_begin(arena, sizeof arena) != SQZ_OK) return 7;
    if (net_finish(arena, again) != SQZ_ERROR_STATE) return 8;
    for (int y = 0; y < NET_INPUT_HEIGHT; ++y) {
        if (net_push_row(arena, input[y]) != SQZ_OK) return 9;
    }
    if (net_push_row(arena, all) != SQZ_ERROR_STATE) return 10;
    if (net_finish(arena, NULL) != SQZ_ERROR_NULL) return 11;
    if (net_finish(arena, again) != SQZ_OK) return 12;
    if (net_invoke(arena, NULL, output) != SQZ_ERROR_NULL) return 13;
    return memcmp(output, again, sizeof output) != 0;
}
"""


def test_a_folder_builds_with_any_c_compiler_and_reports_errors(tmp_path: Path) -> None:
    written(tmp_path, squeezenet())
    (tmp_path / "main.c").write_text(MAIN)
    sources = sorted(path.name for path in tmp_path.glob("*.c"))
    done = run(tmp_path, "cc", "-std=c11", "-O2", *WARNINGS, "-I.", "-o", "main", *sources)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(tmp_path, str(tmp_path / "main")).returncode == 0


def test_a_cpp_program_can_include_every_header(tmp_path: Path) -> None:
    written(tmp_path, squeezenet(), labels=list("abcde"))
    includes = "".join(f'#include "net{part}.h"\n' for part in ("", "", "_weights", "_labels"))
    (tmp_path / "main.cc").write_text(
        f"{includes}int main() {{ return net_invoke(nullptr, nullptr, nullptr) == 0; }}\n"
    )
    done = run(tmp_path, "g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "main.cc")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_same_model_gives_the_same_files() -> None:
    first, second = (compiler_module.compile_model(squeezenet(), "net", labels=list("abcde")) for _ in range(2))
    assert first == second
    assert {"net.h", "net.c", "net_weights.h", "net_weights.c", "net_labels.h", "net_labels.c", "sqz.h"} <= set(first)


def test_every_file_says_what_it_was_made_from() -> None:
    model = squeezenet()
    texts = compiler_module.compile_model(model, "net", provenance={"model": "a */ b"}, labels=list("abcde"))
    for name in ("net.h", "net.c", "net_weights.h", "net_weights.c", "net_labels.h", "net_labels.c"):
        top = texts[name][: texts[name].index("*/")]
        assert "Do not edit" in top
        assert hashlib.sha256(model).hexdigest() in top
        assert "int8 [1, 16, 16, 3] NHWC, real = (q - (-128)) * 0.015625" in top
        assert "a * / b" in top, "what would end the comment is made harmless"


def test_each_layer_has_a_line_with_its_shape_and_work() -> None:
    source = compiler_module.compile_model(squeezenet(), "net")["net.c"]
    assert "/* 0: conv_2d (CONV_2D), 16x16x3 to 7x7x8, 10584 MACs */" in source
    assert re.search(r"/\* \d+: add \(ADD\), 3x3x12 to 3x3x12 \*/", source)
    assert "CONV_2D), 3x3x4 to 3x3x6 (from channel 6 of 12), 1944 MACs */" in source


def test_only_the_kernels_that_are_used_come_along() -> None:
    files = set(compiler_module.compile_model(simple(), "net"))
    assert "sqz_conv.c" in files
    assert not {"sqz_softmax.c", "sqz_add.c", "sqz_mean.c"} & files


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("net_weights.c", r"(?m)^    -?\d.*,\n\};", "};"),
        ("net_weights.c", r"-?\d+,\n", "\n"),
        ("net_labels.c", r'    "c", .*\n', ""),
        ("sqz_ops.h", r"\(4u \+ ", "(400u + "),
        ("sqz.h", r"SQZ_FORMAT_VERSION \d+", "SQZ_FORMAT_VERSION 99"),
        ("sqz.h", r"SQZ_ARENA_ALIGN 16", "SQZ_ARENA_ALIGN 32"),
    ],
)
def test_what_is_cut_short_or_stale_does_not_compile(tmp_path: Path, file: str, old: str, new: str) -> None:
    written(tmp_path, squeezenet(), labels=list("abcde"))
    sources = ["net.c", "net_weights.c", "net_labels.c"]
    command = ("cc", "-std=c11", "-I.", "-fsyntax-only", *sources)
    assert run(tmp_path, *command).returncode == 0
    text, count = re.subn(old, new, (tmp_path / file).read_text(), count=1)
    assert count == 1
    (tmp_path / file).write_text(text)
    assert run(tmp_path, *command).returncode != 0


def test_a_compiler_with_a_small_int_is_refused(tmp_path: Path) -> None:
    written(tmp_path, simple())
    small = ("-U__INT_MAX__", "-D__INT_MAX__=32767")
    command = ("gcc", "-std=c11", "-I.", "-fsyntax-only", "sqz_stream.c")
    assert run(tmp_path, *command).returncode == 0
    assert "sqz needs an int of 32 bits" in run(tmp_path, *command, *small).stderr


def test_constants_go_to_the_section_asked_for(tmp_path: Path) -> None:
    written(tmp_path, squeezenet())
    for flags, section in (((), ".rodata"), (('-DSQZ_WEIGHTS_SECTION=".model"',), ".model")):
        assert run(tmp_path, "cc", "-std=c11", "-I.", *flags, "-c", "net_weights.c").returncode == 0
        symbols = run(tmp_path, "objdump", "-t", "net_weights.o").stdout
        rows = [line for line in symbols.splitlines() if " O " in line]
        assert rows
        assert all(section in line.split() for line in rows)


@pytest.mark.parametrize("name", ["2fast", "class", "a-b", ""])
def test_a_name_that_is_none_in_c_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name in C"):
        compiler_module.compile_model(simple(), name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("string", "string.h would hide a header"),
        ("Stdint", "Stdint.h would hide a header"),
        ("sqz", "begin with sqz"),
        ("SQZ_conv", "begin with sqz"),
    ],
)
def test_a_name_that_would_hide_other_files_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r} cannot be the model's name: .*{reason}"):
        compiler_module.compile_model(simple(), name)


def test_labels_and_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="4 labels for 5 classes"):
        compiler_module.compile_model(squeezenet(), "net", labels=list("abcd"))
    with pytest.raises(ValueError, match="target 'z80' is not known; expected one of generic, cortex-m4, cortex-m55"):
        compiler_module.compile_model(squeezenet(), "net", "z80")
    with pytest.raises(ValueError, match="the C library lacks sqz_magic_row"):
        library.files(["sqz_magic_row"])


# Equality, row by row. tests/converters/compiler/test_random_networks.py does the same for random networks.


def _models() -> dict[str, bytes]:
    from tests.helpers import keras_models

    int8 = keras_models.int8_model()
    twin = to_uint8_twin(int8)
    models = {"converted": int8, "twin": twin, "fires": squeezenet(), "mixed": mixed(), "confident": confident()}
    models |= {f"reshaped_{where}": reshaped(where) for where in ("flat", "rows", "both", "beside")}
    return models | {"tall": tall()}


def tall() -> bytes:
    """Return a network of windows of more rows than the engine's stack has room for, up to as many as can be."""
    net = Net(6)
    x = net.pool(net.conv(net.input(140, 2, 2), 6, (17, 2)), (40, 1), (9, 1), "VALID", average=True)
    x = net.pool(net.conv(x, 5, (18, 1), depthwise=True), (20, 2), (1, 1))
    x = net.conv(net.pad(x, 100), 3, (128, 1), padding="SAME", dilation=(2, 1))
    return net.bytes(net.mean(net.conv(x, 3, (1, 1))))


@pytest.mark.parametrize(
    ("target", "compiler", "flags", "emulator"),
    [
        ("generic", "gcc", ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"), ()),
        ("cortex-m4", "gcc", ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"), ()),
        ("cortex-m55", "gcc", ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"), ()),
        ("cortex-m4", "gcc", ("-m32",), ()),
        ("generic", "powerpc-linux-gnu-gcc", ("-static",), ("qemu-ppc",)),
        ("cortex-m4", "powerpc-linux-gnu-gcc", ("-static",), ("qemu-ppc",)),
    ],
)
def test_every_row_equals_the_reference_kernels(
    tmp_path: Path, target: str, compiler: str, flags: tuple[str, ...], emulator: tuple[str, ...]
) -> None:
    require(not emulator or shutil.which(emulator[0]), f"{emulator} is not installed")
    models = _models()
    program = Program(tmp_path, models, target=target, flags=flags, compiler=compiler)
    for name, model in models.items():
        found = program.compare(name, Reference(model), 3, emulator)
        assert found == [], name


@pytest.mark.slow
@pytest.mark.parametrize("target", ["generic", "cortex-m4", "cortex-m55"])
def test_every_row_of_the_benchmarks_networks(tmp_path: Path, target: str, benchmark: dict[str, bytes]) -> None:
    program = Program(tmp_path, benchmark, target=target, flags=("-O2",))
    for name, model in benchmark.items():
        assert program.compare(name, Reference(model), 1) == [], name


# What is said of a model.


def test_the_report_is_json_and_adds_up() -> None:
    compilation = compiler_module.analyse(squeezenet(), "cortex-m4")
    said = json.loads(json.dumps(compiler_module.report(compilation)))
    assert said["macs"] == sum(each["macs"] for each in said["operators"])
    parts = said["arena"]["parts"]
    assert max(part["offset"] + part["bytes"] for part in parts) <= said["arena"]["bytes"]
    assert max(said["timeline"]["bytes"]) <= said["arena"]["bytes"]
    assert len(said["timeline"]["bytes"]) == said["timeline"]["steps"]
    flash = said["flash"]
    assert flash["total"] == flash["weights"] + flash["bias"] + flash["tables"]
    assert sum(each["weights_bytes"] + each["table_bytes"] for each in said["operators"]) == flash["total"]
    fire = next(stream for stream in said["streams"] if stream["slices"])
    assert [each["channel"] for each in fire["slices"]] == [0, 6]


@pytest.mark.parametrize("what", list(compiler_module.PASSES))
def test_every_pass_can_be_printed(what: str) -> None:
    text = compiler_module.dump(compiler_module.analyse(squeezenet()), what)
    assert text == compiler_module.dump(compiler_module.analyse(squeezenet()), what)
    lines = text.splitlines()
    assert len(lines) > 10 or what == "emit"
    assert not any(line.endswith(" ") for line in lines)
    with pytest.raises(
        ValueError, match="there is no pass 'magic'; expected one of read, legalise, schedule, plan, emit"
    ):
        compiler_module.dump(compiler_module.analyse(squeezenet()), "magic")


def test_the_files_are_printed_with_their_sizes() -> None:
    rows = [
        line.split() for line in compiler_module.dump(compiler_module.analyse(squeezenet()), "emit").splitlines()[1:]
    ]
    files = compiler_module.compile_model(squeezenet(), "model")
    assert {name: int(size) for size, name in rows} == {name: len(text.encode()) for name, text in files.items()}
