"""Calibration leaves the float function alone, keeps zeros, stays on the grid, and lowers the error it measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converters.tflite.from_keras import Scales, integer_model, verify_fixed_point
from converters.tflite.saturation import by_saturation
from sqz_tf.base.pixels import CENTRED, Pixels
from sqz_tf.base.spec import ModelSpec
from sqz_tf.quantize.aware import activation_ranges, fake_quantize_kernel, quantize_aware, used_scales
from sqz_tf.quantize.calibrate import Calibration, calibrate, choose_score_ranges, divergence, predict
from sqz_tf.quantize.equalise import junctions
from sqz_tf.quantize.rounding import mean_shift, round_kernel, round_on_grid
from sqz_tf.quantize.schemes.free import FREE
from sqz_tf.quantize.schemes.powers_of_two import PowerOfTwoGrid
from sqz_tf.train.keras import keras, tf
from sqz_tf.train.squeezenet import change_pixels, convolutions, squeezenet

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

INPUT_RANGE = (0.0, 255.0)


def network(bypass: str = "none") -> Any:
    """Return a small plain SqueezeNet with uneven channels, some zeros, and one channel that is all zero."""
    keras.utils.set_random_seed(5)
    model = squeezenet(ModelSpec(input_size=40, classes=6, width=0.15, bypass=bypass, dropout=0, conv10_padding=1))
    rng = np.random.default_rng(0)
    for layer in convolutions(model):
        kernel, bias = layer.get_weights()
        kernel *= rng.lognormal(0, 1, kernel.shape[-1])
        kernel[np.abs(kernel) < 0.3 * np.abs(kernel).max() * rng.uniform(size=kernel.shape)] = 0
        kernel[..., -1] = 0 if layer.name == "fire7_expand1x1" else kernel[..., -1]
        scale = 1 / 255 if layer.name == "conv1" else 1.0
        layer.set_weights([kernel * scale, bias + rng.normal(0, 0.05, bias.shape)])
    return model


def pictures(count: int = 24, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 10, 10, 3)).repeat(4, 1).repeat(4, 2)
    return (coarse * rng.uniform(0.2, 1, (count, 1, 1, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def calibrated() -> tuple[Any, Calibration]:
    model = network()
    return model, calibrate(model, pictures(), INPUT_RANGE)


@pytest.mark.slow
def test_the_equalised_network_computes_the_same(calibrated: tuple[Any, Calibration]) -> None:
    model, found = calibrated
    assert any(choice.strength > 0 for choice in found.choices.values()), "nothing was equalised: a vacuous test"
    x = pictures(seed=2)
    np.testing.assert_allclose(predict(found.equalised, x), predict(model, x), atol=1e-5)


def test_zeros_stay_zeros(calibrated: tuple[Any, Calibration]) -> None:
    model, found = calibrated
    for layer in convolutions(model):
        zero = layer.get_weights()[0] == 0
        for other in (found.equalised, found.model):
            assert np.all(other.get_layer(layer.name).get_weights()[0][zero] == 0), layer.name


def test_kernels_are_on_the_grid_the_converter_will_use(calibrated: tuple[Any, Calibration]) -> None:
    for layer in convolutions(calibrated[1].model):
        kernel = layer.get_weights()[0]
        np.testing.assert_allclose(
            fake_quantize_kernel(kernel, FREE.bound(kernel)).numpy(), kernel, rtol=1e-5, atol=1e-7
        )


def test_it_is_nearer_to_float_than_plain_ranges_on_new_pictures(calibrated: tuple[Any, Calibration]) -> None:
    model, found = calibrated
    x = pictures(60, seed=3)
    wanted = predict(model, x)
    plain = quantize_aware(model, activation_ranges(model, pictures()), INPUT_RANGE)
    ours = quantize_aware(found.model, found.ranges, INPUT_RANGE)
    assert divergence(wanted, predict(ours, x)) < 0.7 * divergence(wanted, predict(plain, x))


def test_every_choice_is_at_least_as_good_as_min_max(calibrated: tuple[Any, Calibration]) -> None:
    assert all(choice.sqnr >= choice.sqnr_min_max - 0.5 for choice in calibrated[1].choices.values())


@pytest.mark.slow
def test_with_powers_of_two_the_mean_of_the_scores_gets_all_256_steps() -> None:
    model, grid = change_pixels(network(), Pixels(1.0), CENTRED), PowerOfTwoGrid(False)
    model.get_layer("conv10").set_weights([value / 300 for value in model.get_layer("conv10").get_weights()])
    x = pictures() + CENTRED.offset
    ranges, bounds = (
        activation_ranges(model, x, grid),
        {n.name: grid.bound(n.kernel.numpy()) for n in convolutions(model)},
    )
    found = choose_score_ranges(model, ranges, CENTRED.range, x, grid, bounds)
    assert ranges["pool10"][0] < 0 == found["pool10"][0]
    largest = predict(keras.Model(model.input, model.get_layer("pool10").output), x).max()
    assert 0.3 * largest < found["pool10"][1] < 1.4 * largest
    assert found["pool10"][1] < 0.7 * (ranges["pool10"][1] - ranges["pool10"][0]), "no finer than before"


@pytest.mark.slow
@pytest.mark.parametrize("per_channel", [False, True])
def test_powers_of_two_survive_a_bypass_and_a_layer_that_is_always_zero(per_channel: bool) -> None:
    model, grid = change_pixels(network("complex"), Pixels(1.0), CENTRED), PowerOfTwoGrid(per_channel)
    dead = model.get_layer("fire6_squeeze1x1")
    dead.set_weights([0 * value for value in dead.get_weights()])
    for reader in (model.get_layer("fire6_expand1x1"), model.get_layer("fire6_expand3x3")):
        kernel, bias = reader.get_weights()
        reader.set_weights([kernel, bias + 30])  # many steps, if those of its input were tiny
    found = calibrate(model, pictures() + CENTRED.offset, CENTRED.range, grid)
    quantized = quantize_aware(found.model, found.ranges, CENTRED.range, grid, found.bounds)
    int8 = by_saturation(integer_model(quantized))
    verify_fixed_point(int8, Scales(*used_scales(quantized)))


def test_junctions_follow_concatenation_pooling_and_padding() -> None:
    found = {junction.name: junction for junction in junctions(network())}
    assert found["conv1"].consumers == ("fire2_squeeze1x1",)
    assert found["fire2_squeeze1x1"].consumers == ("fire2_expand1x1", "fire2_expand3x3")
    assert list(found["fire2_concat"].producers) == ["fire2_expand1x1", "fire2_expand3x3"]
    assert found["fire9_concat"].consumers == ("conv10",)
    assert all(junction.scalable for junction in found.values())
    assert not {"conv10", "pool10"} & set(found)


@pytest.mark.slow
def test_a_bypassed_tensor_is_not_scaled() -> None:
    found = {junction.name: junction for junction in junctions(network("simple"))}
    assert not found["fire2_concat"].scalable, "its channels are also added to those of fire3"
    assert found["fire3_squeeze1x1"].scalable
    model = network("simple")
    x = pictures(8)
    result = calibrate(model, x, INPUT_RANGE)
    np.testing.assert_allclose(predict(result.equalised, x), predict(model, x), atol=1e-5)


def test_rounding_with_the_moments_beats_rounding_to_nearest() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2000, 6)) @ rng.normal(size=(6, 32))  # inputs of a layer hang together
    inputs = (inputs + 0.1 * rng.normal(size=inputs.shape)).astype(np.float32)
    kernel = rng.normal(size=(1, 1, 32, 20)).astype(np.float32)
    kernel[0, 0, ::5] = 0
    rounded = round_kernel(kernel, (inputs.T @ inputs / len(inputs)).astype(np.float64), FREE.bound(kernel))
    nearest = fake_quantize_kernel(kernel, FREE.bound(kernel)).numpy()

    def error(other: np.ndarray) -> float:
        return float(np.square(inputs @ (other - kernel)[0, 0]).mean())

    assert error(rounded) < 0.5 * error(nearest)
    assert np.all(rounded[kernel == 0] == 0)
    np.testing.assert_allclose(FREE.bound(rounded), FREE.bound(kernel), rtol=1e-6)


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_bound_of_a_power_of_two_is_the_best_for_what_reads_the_inputs(per_channel: bool) -> None:
    rng, grid = np.random.default_rng(2), PowerOfTwoGrid(per_channel)
    inputs = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 16))  # most of a weight can be made up for by others
    inputs = (inputs + 0.05 * rng.normal(size=inputs.shape)).astype(np.float32)
    moments = (inputs.T @ inputs / len(inputs)).astype(np.float64)
    kernel = rng.laplace(size=(1, 1, 16, 12)).astype(np.float32)

    def errors(other: np.ndarray) -> np.ndarray:
        return np.square(inputs @ (other - kernel)[0, 0]).sum(0)

    rounded, bound = round_on_grid(kernel, moments, grid)
    tried = [errors(round_kernel(kernel, moments, grid.bound(kernel) * np.float32(f))) for f in (0.5, 1.0, 2.0)]
    assert bound.shape == ((12,) if per_channel else ())
    assert not np.array_equal(bound, grid.bound(kernel)), "nothing else was better: a vacuous test"
    best = np.min(tried, axis=0).sum() if per_channel else np.min(np.sum(tried, axis=1))
    assert errors(rounded).sum() == pytest.approx(best, rel=1e-3)
    np.testing.assert_allclose(fake_quantize_kernel(rounded, bound).numpy(), rounded, rtol=1e-5, atol=1e-7)


def test_a_correction_that_is_too_small_is_seen() -> None:
    """The mean after ReLU, which the next layer sees, is what must agree."""
    rng = np.random.default_rng(0)
    exact = tf.constant(rng.normal(size=(4, 9, 9, 5)), tf.float32)
    shifted = exact + tf.constant([0.0, 0.3, -0.2, 1.0, 0.05])
    shift = mean_shift(exact, shifted)
    wanted, found = (tf.reduce_mean(tf.nn.relu(x), (0, 1, 2)) for x in (exact, shifted - shift))
    np.testing.assert_allclose(found, wanted, atol=5e-3)
