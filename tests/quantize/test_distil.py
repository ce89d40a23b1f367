"""Distillation brings a quantized network nearer to float, without labels, zeros or exponents changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.base.errors import DataError
from sqz_tf.base.pixels import Pixels
from sqz_tf.quantize.aware import activation_ranges, quantize_aware, used_scales, without_fake_quantization
from sqz_tf.quantize.calibrate import predict
from sqz_tf.quantize.distil import Distilled, distil
from sqz_tf.quantize.schemes.powers_of_two import PowerOfTwoGrid
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.squeezenet import convolutions, copy_model
from tests.helpers.pruned_fire import pruned_fire

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

GRID, PIXELS = PowerOfTwoGrid(False), Pixels(1 / 128, -1.0)


def pictures(count: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)


def damaged(spoil: float) -> tuple[Any, Any, Any]:
    """Return a float network, the same with its weights spoilt, and that quantized with powers of two."""
    plain = pruned_fire()
    rough, rng = copy_model(plain), np.random.default_rng(1)
    for layer in convolutions(rough):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * rng.normal(1, spoil, kernel.shape), bias])
    ranges = activation_ranges(plain, PIXELS.numbers(pictures()), GRID)
    return plain, rough, quantize_aware(rough, ranges, (-1.0, 127 / 128), GRID)


def run(plain: Any, model: Any, rate: float, epochs: int = 8) -> Distilled:
    make_deterministic(1)
    teacher = lambda images: predict(plain, PIXELS.numbers(images))  # noqa: E731
    return distil(model, teacher, pictures(), PIXELS, epochs=epochs, learning_rate=rate, seed=1)


def test_it_comes_nearer_and_keeps_zeros_and_scales() -> None:
    plain, rough, model = damaged(0.4)
    before = used_scales(model)
    result = run(plain, model, 10.0)
    assert result.kept > 0
    assert result.epochs[result.kept - 1] == min(result.epochs) < 0.5 * result.start
    assert (result.images, result.held_back) == (32, 8)
    assert used_scales(model) == before
    for layer in convolutions(without_fake_quantization(model, rough)):
        zero = plain.get_layer(layer.name).get_weights()[0] == 0
        assert zero.any()
        assert np.all(layer.get_weights()[0][zero] == 0), layer.name


def test_what_is_no_nearer_is_not_kept() -> None:
    plain, _, model = damaged(0.0)
    before = model.get_weights()
    result = run(plain, model, 1e4, epochs=2)
    assert result.kept == 0
    assert min(result.epochs) >= result.start
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_same_seed_gives_the_same_weights() -> None:
    found = []
    for _ in range(2):
        plain, _, model = damaged(0.4)
        run(plain, model, 10.0, epochs=2)
        found.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_one_picture_is_too_few() -> None:
    plain, _, model = damaged(0.0)
    with pytest.raises(DataError, match="1 pictures to fine-tune on"):
        distil(model, lambda images: predict(plain, images), pictures(1), PIXELS, epochs=1, learning_rate=1e-3, seed=1)
