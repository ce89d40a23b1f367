"""The converter must not undo powers of two: the gate passes what was trained and names what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converters.tflite.from_keras import Scales, integer_model, verify_fixed_point
from converters.tflite.reader import match_layers, read_model, weight_zero_fraction, weights_of
from converters.tflite.saturation import by_saturation
from sqz_tf.base.errors import ConversionError
from sqz_tf.base.pixels import CENTRED
from sqz_tf.quantize.aware import activation_ranges, quantize_aware, used_scales
from sqz_tf.quantize.fractional_lengths import bits, fractional_lengths
from sqz_tf.quantize.schemes.powers_of_two import PowerOfTwoGrid
from sqz_tf.train.prune import sparsity
from sqz_tf.train.squeezenet import convolutions
from tests.helpers.colour_network import edited
from tests.helpers.pruned_fire import CONVS, pruned_fire

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

GAIN = {"squeeze1x1": CENTRED.gain}


def pictures(count: int = 32) -> np.ndarray:
    return CENTRED.numbers(np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8))


@pytest.fixture(scope="module", params=[False, True], ids=["per tensor", "per channel"])
def made(request: pytest.FixtureRequest) -> tuple[Any, Any, bytes]:
    """A plain network, its copy with powers of two, and the `.tflite` made of it."""
    grid = PowerOfTwoGrid(request.param)
    plain = pruned_fire()
    for layer in convolutions(plain)[:1]:  # pixels are larger than the network expects
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel / 128, bias])
    ranges = activation_ranges(plain, pictures(), grid)
    averaged = grid.averaged(ranges["pool10"][1], plain.get_layer("conv10").output_shape[1], ranges["conv10"])
    assert averaged
    model = quantize_aware(plain, ranges | {"pool10": averaged}, CENTRED.range, grid, gains=GAIN)
    return plain, model, by_saturation(integer_model(model))


def scales(model: Any) -> Scales:
    return Scales(*used_scales(model))


def test_what_was_trained_passes(made: tuple[Any, Any, bytes]) -> None:
    verify_fixed_point(made[2], scales(made[1]))


def test_the_input_is_the_centred_pixel(made: tuple[Any, Any, bytes]) -> None:
    image = read_model(made[2]).input_tensors()[0]
    assert (image.scale, image.zero_point) == ((1.0,), (0,))


def test_integer_weights_are_those_the_training_graph_rounds_to(made: tuple[Any, Any, bytes]) -> None:
    plain, model, data = made
    _, _, kernels = used_scales(model)
    read = read_model(data)
    for name, index in match_layers(read, CONVS).items():
        found = np.moveaxis(np.asarray(weights_of(read, read.ops[index]).data), 0, -1)
        wanted = np.clip(plain.get_layer(name).get_weights()[0] / np.array(kernels[name]), -127, 127)
        assert np.abs(found - wanted).max() <= 0.5 + 1e-6, name
    zeros = weight_zero_fraction(read, CONVS)
    assert all(zeros[name] >= fraction for name, fraction in sparsity(plain, list(CONVS)).items())


@pytest.mark.parametrize("tensor", ["input", "outputs", "kernels", "mean"])
def test_a_scale_that_was_not_trained_with_is_named(tensor: str, made: tuple[Any, Any, bytes]) -> None:
    wanted = scales(made[1])
    other = {
        "input": replace(wanted, input=2.0),
        "outputs": replace(wanted, outputs={**wanted.outputs, "concat": 2 * wanted.outputs["concat"]}),
        "kernels": replace(wanted, kernels={**wanted.kernels, "conv10": [2 * s for s in wanted.kernels["conv10"]]}),
        "mean": replace(wanted, outputs={**wanted.outputs, "pool10": 1.5 * wanted.outputs["pool10"]}),
    }[tensor]
    named = {"input": "input", "outputs": "concat", "kernels": "conv10", "mean": "pool10"}[tensor]
    with pytest.raises(ValueError, match=rf"tensor \d+ \('[^']*{named}.*the network was trained with"):
        verify_fixed_point(made[2], other)


def changed(data: bytes, name: str, scale: float | None, zero_point: int) -> bytes:
    """Return the model with another scale or zero point in the first tensor whose name holds `name`."""

    def change(model: Any) -> None:
        tensor = next(each for each in model.subgraphs[0].tensors if name.encode() in each.name and each.quantization)
        if scale is not None:
            tensor.quantization.scale = [scale]
        tensor.quantization.zeroPoint = [zero_point]

    return edited(data, change)


def test_a_scale_that_is_no_power_of_two_is_named(made: tuple[Any, Any, bytes]) -> None:
    with pytest.raises(ValueError, match=r"'input'\) has scale 0\.75; expected an exact power of two"):
        verify_fixed_point(changed(made[2], "input", 0.75, 0), scales(made[1]))


def test_a_zero_point_is_named(made: tuple[Any, Any, bytes]) -> None:
    with pytest.raises(ValueError, match=r"'input'\) has zero point 3; expected 0"):
        verify_fixed_point(changed(made[2], "input", None, 3), scales(made[1]))


def test_a_layer_nobody_knows_is_named(made: tuple[Any, Any, bytes]) -> None:
    wanted = scales(made[1])
    with pytest.raises(ValueError, match="belongs to no layer whose scale is known"):
        verify_fixed_point(made[2], replace(wanted, outputs={k: v for k, v in wanted.outputs.items() if k != "pool10"}))


def test_fractional_lengths_are_read_from_the_file(made: tuple[Any, Any, bytes]) -> None:
    found, wanted = fractional_lengths(read_model(made[2])), scales(made[1])
    assert found["input"] == 0
    assert 2.0 ** -np.asarray(found["concat"]) == wanted.outputs["concat"]
    kernel = np.atleast_1d(found["conv10/kernel"])
    np.testing.assert_array_equal(2.0**-kernel, wanted.kernels["conv10"])
    np.testing.assert_array_equal(np.atleast_1d(found["conv10/bias"]), kernel + found["concat"])
    assert "softmax" not in found


def test_bits_are_read_from_the_file(made: tuple[Any, Any, bytes]) -> None:
    assert bits(read_model(made[2])) == {"weights": 8, "outputs": 8, "biases": 32}


def test_a_file_with_free_scales_has_no_fractional_lengths(made: tuple[Any, Any, bytes]) -> None:
    with pytest.raises(ConversionError, match="power of two"):
        fractional_lengths(read_model(changed(made[2], "input", 0.75, 0)))
