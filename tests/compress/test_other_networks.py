"""Networks from elsewhere: each form of layer comes back from rounding as it was, or is refused in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from converters.tflite.reader import read_model
from sqz_tf.base.errors import ConversionError
from sqz_tf.compress.graph import Graph, GraphError, real
from sqz_tf.compress.job import Pictures, measure, prepare
from sqz_tf.compress.moments import Moments
from sqz_tf.compress.network import Network
from sqz_tf.compress.rewrite import rewritten
from sqz_tf.compress.rounding import Layer
from tests.helpers import keras_models
from tests.helpers.int8_networks import Map, Net

SILENT = lambda *told: None  # noqa: E731


def small(head: Callable[[Net, Map], Map]) -> bytes:
    net = Net(3)
    x = net.conv(net.input(8, 8, 3), 6, stride=(2, 2))
    return net.bytes(head(net, x))


def classified(net: Net, x: Map) -> Map:
    return net.softmax(net.mean(net.conv(x, 5, (1, 1))))


def layers(network: Network) -> dict[int, Layer]:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    found = measure(network, Pictures.parted(images, mirrored=False), 1, SILENT)
    return {i: Layer(network.rows(i), w.bias, found[i], network.grid(i)) for i, w in network.graph.weights.items()}


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqz_tf.compress.job.SAMPLES", 40)


@pytest.mark.parametrize(
    "head",
    [
        lambda net, x: classified(net, net.conv(x, 1, depthwise=True)),
        lambda net, x: classified(net, net.conv(x, 1, depthwise=True, per_channel=False)),
        lambda net, x: classified(net, net.conv(x, 2, depthwise=True)),
        lambda net, x: classified(net, net.conv(x, 4, per_channel=False)),
        lambda net, x: net.softmax(net.dense(x, 5)),
        lambda net, x: net.softmax(net.dense(x, 5, per_channel=True)),
        lambda net, x: classified(net, net.conv(x, 4, power_of_two=True)),
        lambda net, x: classified(net, net.add(x, net.conv(x, 6))),
        lambda net, x: net.mean(net.conv(x, 5, (1, 1))),
    ],
)
def test_fine_rounding_gives_the_weights_back(head: Callable[[Net, Map], Map]) -> None:
    network = Network.read(small(head), None)
    written = read_model(rewritten(network.int8, {i: each.round(1e-12) for i, each in layers(network).items()}))
    for index, weights in network.graph.weights.items():
        kernel, bias = (real(written.tensors[each]) for each in written.ops[index].inputs[1:3])
        off = np.linalg.norm(kernel - weights.kernel) / np.linalg.norm(weights.kernel)
        assert off < 0.03
        assert np.abs(bias - weights.bias).max() < 0.1 * np.abs(weights.bias).max() + 0.05
        old, new = (model.tensors[model.ops[index].inputs[1]].scale for model in (network.graph.model, written))
        assert len(new) == len(old)
        if np.all(np.log2(old) == np.round(np.log2(old))):
            assert np.all(np.log2(new) == np.round(np.log2(new)))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (lambda net, x: classified(net, net.conv(x, 4, bias=False)), "CONV_2D without a bias"),
        (lambda net, x: net.requantize(classified(net, x), 1 / 256, -128, operator="LOGISTIC"), "SOFTMAX before"),
        (lambda net, x: net.softmax(net.mean(net.conv(x, 1, (1, 1)))), "outputs of 1 values"),
        (lambda net, x: net.requantize(classified(net, x), 0, 0, "float32", "DEQUANTIZE"), "before its end"),
        (lambda net, x: net.requantize(net.mean(x), 1 / 32, 0), "operator QUANTIZE"),
    ],
)
def test_what_cannot_be_rounded_is_named(head: Callable[[Net, Map], Map], said: str) -> None:
    with pytest.raises(GraphError, match=said):
        Graph.read(small(head))


def test_the_bias_of_a_dead_channel_comes_back() -> None:
    network = Network.read(small(classified), None)
    index = max(network.graph.weights)
    rows, bias = network.rows(index).copy(), network.graph.weights[index].bias.copy()
    rows[0], bias[0] = 0, 0.5
    moments = layers(network)[index]
    ready = Layer(rows, bias, _like(moments), network.grid(index))
    written = read_model(rewritten(network.int8, {index: ready.round(1e-9)}))
    found = real(written.tensors[written.ops[index].inputs[2]])
    assert found[0] == pytest.approx(0.5, abs=0.1)


def _like(layer: Layer) -> Moments:
    """Return moments of the size of a layer's, all alike."""
    size = layer.rows.shape[1] + 1
    return Moments(np.eye(size), np.full(len(layer.rows), 1 / len(layer.rows)))


def test_a_bias_that_no_integer_holds_is_an_error() -> None:
    network = Network.read(small(classified), None)
    found = {i: each.round(1e-9) for i, each in layers(network).items()}
    last = max(found)
    found[last].bias[:] = 1e12
    with pytest.raises(ConversionError, match="does not fit its scale"):
        rewritten(network.int8, found)


def test_a_budget_at_the_least_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network.read(small(classified), None)
    images = np.random.default_rng(1).integers(0, 256, (30, 8, 8, 3), np.uint8)
    pictures = Pictures.parted(images, mirrored=False)
    curve = prepare(network, pictures, measure(network, pictures, 1, SILENT), SILENT)
    least = len(curve.point(3e-6, curve.rounded(3e-6)).pack)
    assert len(curve.within(least).pack) <= least


def test_layers_that_share_weights_get_their_own() -> None:
    network = Network.read(keras_models.int8_model(), None)
    shared = [op.inputs[1] for op in network.graph.model.ops if op.index in network.graph.weights]
    assert len(set(shared)) < len(shared)
    images = keras_models.pixels(20)
    found = measure(network, Pictures.parted(images, mirrored=False), 1, SILENT)
    ready = {i: Layer(network.rows(i), w.bias, found[i], network.grid(i)) for i, w in network.graph.weights.items()}
    written = read_model(rewritten(network.int8, {i: each.round(1e-12) for i, each in ready.items()}))
    for index, weights in network.graph.weights.items():
        kernel = real(written.tensors[written.ops[index].inputs[1]])
        assert np.linalg.norm(kernel - weights.kernel) < 0.03 * np.linalg.norm(weights.kernel)
