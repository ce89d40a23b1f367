"""ReLU by saturation: the same integers with zero point 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from converters.tflite.reader import read_model
from converters.tflite.saturation import by_saturation
from tests.helpers.compiled_on_host import Reference
from tests.helpers.int8_networks import Map, Net

STEP = 2.0**-5
RELU = (STEP, -128)
SCORES, MEAN = 2.0**-5, 2.0**-8  # with a row of constants averaged into four


def fire(net: Net, x: Map) -> Map:
    """Add a Fire module whose tensors have zero point −128."""
    squeeze = net.conv(x, 3, (1, 1), out=RELU, power_of_two=True)
    parts = [net.conv(squeeze, 4, size, out=RELU, power_of_two=True) for size in ((1, 1), (3, 3))]
    return net.concat(parts)


def squeezenet(net: Net) -> Map:
    """A small net of what SqueezeNet is made of: Fire modules, pooling, strides, SAME and explicit padding."""
    x = net.conv(
        net.input(13, 11, 3, scale=2.0**-6, zero_point=0), 6, (3, 3), (2, 2), "VALID", out=RELU, power_of_two=True
    )
    x = fire(net, net.pool(fire(net, x), (3, 3), (2, 2)))
    x = net.conv(x, 5, (3, 3), (2, 2), out=RELU, power_of_two=True)
    x = net.conv(net.pad(x), 7, (1, 1), padding="VALID", activation="RELU", out=(SCORES, 0), power_of_two=True)
    assert x.shape[1:3] == (4, 4)
    return net.softmax(net.mean(x, scale=MEAN * 5 / 4, zero_point=-128))


class NoTies(Net):
    """Sums leave a remainder of 1 when divided by 4, so that none is half way between two integers."""

    def _weights(self, shape: Sequence[int], dimension: int) -> np.ndarray:
        return super()._weights(shape, dimension) // 4 * 4

    def _biases(self, outputs: int, inputs: int) -> np.ndarray:
        return self.rng.integers(-500, 500, outputs).astype(np.int32) * 4 + 1


def model_of(build: Callable[[Net], Map], seed: int = 0) -> bytes:
    net = NoTies(seed)
    return net.bytes(build(net))


def outputs(model: bytes, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the integers that each operator gives, by the name of its output."""
    graph, reference = read_model(model), Reference(model)
    (edge,) = reference.engine.get_input_details()
    reference.engine.set_tensor(edge["index"], inputs[None])
    reference.engine.invoke()
    return {graph.tensors[op.outputs[0]].name: reference.tensor(op.outputs[0]) for op in graph.ops}


@pytest.mark.parametrize("seed", range(4))
def test_every_layer_gives_the_same_integers(seed: int) -> None:
    before = model_of(squeezenet, seed)
    after = by_saturation(before)
    inputs = np.random.default_rng(seed).integers(-128, 128, (13, 11, 3), np.int8)
    wanted, found = outputs(before, inputs), outputs(after, inputs)
    assert set(wanted) < set(found)  # PADV2 is new
    *layers, mean, softmax = wanted
    for name in layers:
        np.testing.assert_array_equal(found[name], wanted[name], name)
    for name in (mean, softmax):  # MEAN rounds twice, halves away from zero each time
        np.testing.assert_allclose(found[name], wanted[name], atol=1, err_msg=name)
    assert len(np.unique(wanted["t12"])) > 20
    assert len(np.unique(wanted[mean])) > 4


def test_only_the_softmax_keeps_a_zero_point() -> None:
    model = read_model(by_saturation(model_of(squeezenet)))
    assert [op.name for op in model.ops if any(model.tensors[op.outputs[0]].zero_point)] == ["SOFTMAX"]
    assert [op.options["fused_activation"] for op in model.ops if op.name == "CONV_2D"] == ["NONE"] * 8 + ["RELU"]


def test_padding_becomes_explicit_with_the_value_that_stands_for_0() -> None:
    model = read_model(by_saturation(model_of(squeezenet)))
    pads = [op for op in model.ops if op.name == "PADV2"]
    assert len(pads) == 5  # two expand3x3, the strided convolution, the PAD, before the mean
    assert "PAD" not in model.op_names
    assert [int(np.asarray(model.tensors[op.inputs[2]].data).item()) for op in pads] == [-128] * 4 + [-80]


def test_the_softmax_makes_up_for_a_mean_over_more_rows() -> None:
    before, after = (read_model(data) for data in (model_of(squeezenet), by_saturation(model_of(squeezenet))))
    betas = [next(op.options["beta"] for op in model.ops if op.name == "SOFTMAX") for model in (before, after)]
    means = [next(model.tensors[op.outputs[0]] for op in model.ops if op.name == "MEAN") for model in (before, after)]
    assert betas == [1.0, 1.25]
    assert [mean.scale for mean in means] == [(MEAN * 1.25,), (MEAN,)]
    assert [mean.zero_point for mean in means] == [(-128,), (0,)]


def test_a_model_without_such_zero_points_stays_as_it_is() -> None:
    model = model_of(lambda net: net.conv(net.input(6, 6, 2, scale=2.0**-6, zero_point=0), 3, power_of_two=True))
    assert by_saturation(model) == model


def mean_of(net: Net, x: Map, scale: float, soft: bool = True) -> Map:
    """Add a convolution with ReLU and the mean of it, with zero point −128."""
    scores = net.conv(x, 3, activation="RELU", out=(SCORES, 0), power_of_two=True)
    mean = net.mean(scores, scale=scale, zero_point=-128)
    return net.softmax(mean) if soft else mean


def read(net: Net, x: Map, out: tuple[float, int], activation: str = "RELU") -> Map:
    """Add a convolution, and one that reads it."""
    return net.conv(net.conv(x, 3, activation=activation, out=out, power_of_two=True), 2, power_of_two=True)


def cut_off(net: Net, x: Map) -> Map:
    """Add a convolution whose bias the converter cut off, behind one with ReLU."""
    y = read(net, x, RELU)
    bias = net.graph.operators[-1].inputs[2]
    values = np.array([5, 2**31 - 1], np.int32)
    net.model.buffers[net.graph.tensors[bias].buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return y


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda net, x: read(net, x, RELU, activation="RELU6"), "activation RELU6"),
        (lambda net, x: net.mean(net.conv(x, 3, out=RELU, power_of_two=True), zero_point=0), "MEAN"),
        (lambda net, x: read(net, x, (2.0**-5 * 1.001, -128)), "expected integers"),
        (lambda net, x: net.conv(x, 3, activation="RELU", out=RELU, power_of_two=True), "at the model's edge"),
        (
            lambda net, x: net.softmax(net.add(*[mean_of(net, x, 2.0**-8 * 7 / 6, False)] * 2)),
            "other readers than SOFTMAX",
        ),
        (lambda net, x: cut_off(net, x), r"has a bias of 2147483647 or more steps; expected 32 bits"),
        (lambda net, x: mean_of(net, x, 2.0**-8 * 1.01), r"expected a power of two times 1 \+ n / 6"),
        (lambda net, x: mean_of(net, x, 2.0**-5 * 7 / 6), "no constant to average with: -896"),
        (lambda net, x: mean_of(net, x, 2.0**-8 * 11 / 6), r"no constant to average with: -35\.2; expected"),
    ],
)
def test_what_cannot_make_up_for_it_is_named(build: Callable[[Net, Map], Map], message: str) -> None:
    model = model_of(lambda net: build(net, net.input(6, 6, 2, scale=2.0**-6, zero_point=0)))
    with pytest.raises(ValueError, match=message):
        by_saturation(model)
