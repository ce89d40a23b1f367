"""The `.tflite` as a differentiable function, its moments, its integers written back, and its distance from float."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.tflite.reader import Tensor, read_model
from converters.tflite.writer import ACCURACY_FILE, read_attached, with_accuracy
from sqz_tf.compress import graph as graph_module
from sqz_tf.compress.allocate import LIMITS, factors
from sqz_tf.compress.distance import distance, divergence, int8_logits
from sqz_tf.compress.graph import Graph, GraphError, Weights, real
from sqz_tf.compress.job import Pictures, measure, prepare, read_moments, write_moments
from sqz_tf.compress.moments import DAMPING, Moments, moments
from sqz_tf.compress.network import Network
from sqz_tf.compress.refit import refitted
from sqz_tf.compress.rewrite import BIAS_STEP, rewritten, without_softmax
from sqz_tf.compress.rounding import Layer
from sqz_tf.compress.tune import constants
from sqz_tf.train.keras import tf
from tests.helpers import keras_models
from tests.helpers.keras_models import as_int8, pixels

SILENT = lambda *told: None  # noqa: E731


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.read(keras_models.described_model(), keras_models.float_model())


def test_the_graph_computes_what_the_interpreter_does(network: Network) -> None:
    images = pixels(8)
    graph = Graph.read(keras_models.float_model())
    weights = {index: (w.kernel, w.bias) for index, w in graph.weights.items()}
    given = {graph.model.inputs[0]: tf.constant(images / np.float32(255))}
    found = tf.nn.softmax(graph.logits(given, weights, {})).numpy()
    assert np.abs(found - keras_models.run(keras_models.float_model(), images / np.float32(255))).max() < 1e-4


def test_int8_weights_stand_for_real_ones_where_float_is_another_network(network: Network) -> None:
    own = Network.read(keras_models.described_model(), None)
    index = next(iter(own.graph.weights))
    kernel = own.graph.model.tensors[own.graph.model.ops[index].inputs[1]]
    assert np.array_equal(own.graph.weights[index].kernel, real(kernel))
    assert np.allclose(own.numbers(np.full((1, *keras_models.INPUT[1:]), 255, np.uint8)), 1, atol=0.01)


def test_an_operator_that_cannot_be_differentiated_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(graph_module._OPERATORS, "CONCATENATION")
    with pytest.raises(GraphError, match="operator CONCATENATION"):
        Graph.read(keras_models.float_model())


@pytest.mark.slow
def test_moments_are_the_curvature_of_the_divergence(network: Network) -> None:
    """A small random change of a layer costs half its variance times the trace, on the average."""
    graph, images, index = network.graph, pixels(20), sorted(network.graph.weights)[1]
    count = 30 * len(images)
    found = moments(graph, (network.numbers(images[i % len(images)][None]) for i in range(count)), count, 0, SILENT)
    wanted, rng, size = network.logits(images), np.random.default_rng(0), 0.003
    measured = []
    for _ in range(20):
        old = graph.weights[index]
        changed = Weights(old.kernel + size * rng.standard_normal(old.kernel.shape).astype(np.float32), old.bias)
        other = replace(network, graph=replace(graph, weights={**graph.weights, index: changed}))
        measured.append(divergence(wanted, other.logits(images)))
    trace = np.trace(found[index].inputs[:-1, :-1]) / (1 + DAMPING)
    assert np.mean(measured) == pytest.approx(0.5 * size**2 * trace, rel=0.3)


def test_moments_are_kept_in_a_file(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "moments.npz"
    made = {i: Moments(np.eye(3) * i, np.full(2, 0.5)) for i in network.graph.weights}
    write_moments(path, made)
    assert all(np.array_equal(read_moments(path, network)[i].inputs, made[i].inputs) for i in made)


@pytest.fixture(scope="module")
def parted() -> Pictures:
    return Pictures.parted(pixels(30), mirrored=True)


@pytest.fixture(scope="module")
def layers(network: Network, parted: Pictures) -> dict[int, Layer]:
    found = measure(network, parted, 1, SILENT)
    return {i: Layer(network.rows(i), w.bias, found[i], network.grid(i)) for i, w in network.graph.weights.items()}


def bytes_of(tensor: Tensor) -> bytes | None:
    return None if tensor.data is None else tensor.data.tobytes()


def test_only_weights_change_in_the_file(network: Network, layers: dict[int, Layer]) -> None:
    written = rewritten(network.int8, {index: each.round(1e-7) for index, each in layers.items()})
    old, new = read_model(network.int8), read_model(written)
    changed = {index for op in old.ops if op.index in layers for index in op.inputs[1:3]}
    assert [op.name for op in new.ops] == [op.name for op in old.ops]
    for a, b in zip(old.tensors, new.tensors, strict=False):  # layers that shared weights have their own behind
        assert (a.name, a.shape, a.dtype) == (b.name, b.shape, b.dtype)
        if a.index not in changed:
            assert a.scale == b.scale
            assert bytes_of(a) == bytes_of(b)
    assert read_attached(written) == read_attached(network.int8)


def test_a_rounded_network_does_not_tell_the_accuracy_of_the_one_before(network: Network) -> None:
    told = with_accuracy(network.int8, 0.5, 10)
    assert ACCURACY_FILE in read_attached(told)
    assert ACCURACY_FILE not in read_attached(rewritten(told, {}))


def test_fine_rounding_is_near_float_and_coarse_is_farther(network: Network, layers: dict[int, Layer]) -> None:
    images = pixels(30)
    wanted = network.logits(images)
    found = [
        distance(rewritten(network.int8, {i: each.round(price) for i, each in layers.items()}), images, wanted)
        for price in (1e-9, 1e-2)
    ]
    assert found[0].divergence < 0.05 < found[1].divergence
    assert found[0].agreement > 0.9


def test_the_simulated_network_is_the_int8_one(network: Network, layers: dict[int, Layer]) -> None:
    images = pixels(20)
    rounded = {i: each.round(1e-7) for i, each in layers.items()}
    given = {network.graph.model.inputs[0]: tf.constant(network.numbers(images))}
    simulated = network.graph.logits(given, constants(network, rounded), network.ranges).numpy()
    exact = int8_logits(rewritten(network.int8, rounded), images)
    step = read_model(without_softmax(network.int8)).output_tensors()[0].scale[0]
    assert np.mean(np.abs(simulated - exact) <= 1.01 * step) > 0.99


def test_logits_are_read_before_the_softmax() -> None:
    images = pixels(4)
    exact = int8_logits(keras_models.int8_model(), images)
    answers = keras_models.run(keras_models.int8_model(), as_int8(images))
    probabilities = np.exp(exact - exact.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    assert np.abs(probabilities - (answers + 128.0) / 256).max() <= 1 / 256


def test_divergence_is_zero_for_the_same_and_never_negative() -> None:
    logits = np.random.default_rng(0).standard_normal((5, 7))
    assert divergence(logits, logits + 3) == pytest.approx(0, abs=1e-12)
    assert divergence(logits, logits[::-1]) > 0


def test_factors_tell_where_a_prediction_is_wrong(network: Network, parted: Pictures, layers: dict[int, Layer]) -> None:
    found = factors(network, layers, parted.kept, SILENT)
    assert set(found) == set(layers)
    assert all(1 / LIMITS[1] <= each <= 1 / LIMITS[0] for each in found.values())


def test_what_judges_is_not_learnt_from() -> None:
    images = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    parts = Pictures.parted(images, mirrored=False)
    assert (len(parts.kept), len(parts.learnt)) == (10, 40)
    assert not set(parts.kept.ravel()) & set(parts.learnt.ravel())


@pytest.mark.slow
def test_the_curve_falls(network: Network, parted: Pictures) -> None:
    curve = prepare(network, parted, measure(network, parted, 1, SILENT), SILENT)
    fine, coarse = curve.at(1e-8), curve.at(1e-4)
    assert len(coarse.pack) < len(fine.pack)
    budget = (len(coarse.pack) + len(fine.pack)) // 2
    assert len(curve.within(budget).pack) <= budget
    assert replace(curve, kept=parted.kept).near(0.05).distance.divergence <= 0.05


def test_refitted_biases_bring_the_means_back(network: Network, layers: dict[int, Layer]) -> None:
    images = pixels(40)
    wanted = network.logits(images)
    rounded = {index: each.round(1e-4) for index, each in layers.items()}
    before, after = (
        int8_logits(rewritten(network.int8, each), images) for each in (rounded, refitted(network, rounded, images))
    )
    assert np.abs((after - wanted).mean(0)).sum() < 0.7 * np.abs((before - wanted).mean(0)).sum()


def test_biases_are_written_in_coarse_units_that_cost_nothing(network: Network, layers: dict[int, Layer]) -> None:
    written = read_model(rewritten(network.int8, {index: each.round(1e-7) for index, each in layers.items()}))
    for index in layers:
        op = written.ops[index]
        bias, output = (written.tensors[each] for each in (op.inputs[2], op.outputs[0]))
        units = np.asarray(bias.scale) * np.gcd.reduce(np.asarray(bias.data, np.int64))
        assert (units > output.scale[0] * BIAS_STEP / 4).all() or not np.any(bias.data)
