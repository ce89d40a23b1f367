"""The network is the paper's, and folding changes nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.pixels import CENTRED, Pixels
from sqz_tf.base.spec import ModelSpec, PreprocessSpec
from sqz_tf.network.architecture import fire_filters, smallest_input
from sqz_tf.train.keras import keras
from sqz_tf.train.squeezenet import change_pixels, fold, has_batch_norm, squeezenet
from tests.helpers.needs import quick

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (ModelSpec(arch="squeezenet-1.0", input_size=227), 1_248_424),
        (ModelSpec(arch="squeezenet-1.1", input_size=227), 1_235_496),
        # Table 3's complex bypass: a 1×1 convolution around Fire 2, 4, 6 and 8.
        (ModelSpec(arch="squeezenet-1.0", input_size=227, bypass="complex"), 1_589_672),
        (ModelSpec(arch="squeezenet-1.0", input_size=227, bypass="simple"), 1_248_424),
        # Figure 3: squeeze ratio 0.5 makes 12.99 MiB of float32.
        (ModelSpec(arch="squeezenet-1.0", input_size=227, squeeze_ratio=0.5), round(12.99 * 2**18)),
    ],
)
def test_parameter_counts_are_the_published_ones(spec: ModelSpec, parameters: int) -> None:
    assert squeezenet(spec).count_params() == pytest.approx(parameters, rel=5e-4 if spec.squeeze_ratio == 0.5 else 0)


# Table 1 of the paper: output side and parameters of each layer of v1.0 at 224 × 224 (the authors use 227 here).
TABLE_1 = {
    "conv1": (111, 14_208),
    "pool1": (55, 0),
    "fire2_concat": (55, 11_920),
    "fire3_concat": (55, 12_432),
    "fire4_concat": (55, 45_344),
    "pool4": (27, 0),
    "fire5_concat": (27, 49_440),
    "fire6_concat": (27, 104_880),
    "fire7_concat": (27, 111_024),
    "fire8_concat": (27, 188_992),
    "pool8": (13, 0),
    "fire9_concat": (13, 197_184),
    "conv10": (13, 513_000),
}


def test_layers_are_those_of_table_1() -> None:
    model = squeezenet(ModelSpec(arch="squeezenet-1.0", input_size=227))
    for name, (side, parameters) in TABLE_1.items():
        prefix = name.split("_")[0]
        counted = sum(layer.count_params() for layer in model.layers if layer.name.split("_")[0] == prefix)
        assert (model.get_layer(name).output_shape[1], counted) == (side, parameters), name


def test_v1_1_pools_early_and_has_a_small_first_layer() -> None:
    model = squeezenet(ModelSpec(arch="squeezenet-1.1", input_size=224))
    sides = {name: model.get_layer(name).output_shape[1] for name in ("conv1", "pool1", "pool3", "pool5", "conv10")}
    assert sides == {"conv1": 111, "pool1": 55, "pool3": 27, "pool5": 13, "conv10": 13}


def test_padding_around_conv10_gives_the_published_15_by_15_map() -> None:
    model = squeezenet(ModelSpec(arch="squeezenet-1.0", input_size=227, conv10_padding=1))
    assert model.get_layer("conv10").output_shape[1] == 15


def test_metaparameters_follow_section_5_1() -> None:
    spec = ModelSpec(base_e=64, incr_e=32, freq=3, squeeze_ratio=0.5, pct_3x3=0.25, width=2)
    expand = [64, 64, 64, 96, 96, 96, 128, 128]
    for number, e in zip(range(2, 10), expand, strict=True):
        filters = fire_filters(spec, number)
        assert (filters.squeeze1x1, filters.expand1x1, filters.expand3x3) == (e, 1.5 * e, 0.5 * e)


def test_smallest_inputs() -> None:
    assert smallest_input("squeezenet-1.0", "valid") == 35
    assert smallest_input("squeezenet-1.1", "valid") == 31
    assert squeezenet(ModelSpec(arch="squeezenet-1.0", input_size=35, pool_padding="valid", classes=3))
    with pytest.raises(ConfigError, match=r"34 pixels is too small.*at least 35.*--input-size 35"):
        squeezenet(ModelSpec(arch="squeezenet-1.0", input_size=34, pool_padding="valid"))


def test_works_at_32_pixels_by_default() -> None:
    for arch in ("squeezenet-1.0", "squeezenet-1.1"):
        model = squeezenet(ModelSpec(arch=arch, input_size=32, classes=10, width=0.1))
        assert model.predict(np.zeros((1, 32, 32, 3), np.float32), verbose=0).shape == (1, 10)


@pytest.mark.parametrize(
    ("bypass", "channels"), quick(product(["none", "simple", "complex"], [1, 3]), ("complex", 3), ("none", 1))
)
def test_folding_batch_norm_and_normalisation_is_exact(bypass: str, channels: int) -> None:
    spec = ModelSpec(input_size=40, channels=channels, classes=5, width=0.1, bypass=bypass, batch_norm=True)
    preprocess = PreprocessSpec(
        40, 40, channels=channels, mean=(0.4, 0.5, 0.6)[:channels], std=(0.2, 0.25, 0.3)[:channels]
    )
    keras.utils.set_random_seed(3)
    model = squeezenet(spec, preprocess)
    rng = np.random.default_rng(0)
    model.set_weights([_some(rng, value) for value in model.get_weights()])
    folded = fold(model, spec, preprocess)
    x = rng.uniform(0, 1, (4, 40, 40, channels)).astype(np.float32)
    assert not has_batch_norm(folded)
    assert model.predict(x, verbose=0).std() > 1e-3, "the random net says the same for everything: a vacuous test"
    np.testing.assert_allclose(folded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)


def _some(rng: np.random.Generator, value: np.ndarray) -> np.ndarray:
    """Return weights that are not at their start: batch norm's statistics are positive, all else is spread."""
    if value.dtype != np.float32:
        return value
    return (np.abs(value) + rng.uniform(0, 0.3, value.shape) if value.ndim == 1 else value).astype(np.float32)


def test_folding_keeps_zeros() -> None:
    spec = ModelSpec(input_size=40, classes=5, width=0.1, batch_norm=True)
    model = squeezenet(spec)
    layer = model.get_layer("fire2_expand3x3")
    kernel = layer.get_weights()[0]
    kernel[::2] = 0
    layer.set_weights([kernel])
    assert np.array_equal(fold(model, spec).get_layer("fire2_expand3x3").get_weights()[0] == 0, kernel == 0)


def test_dropout_repeats_from_its_saved_step() -> None:
    spec = ModelSpec(input_size=32, classes=3, width=0.1, batch_norm=True)
    x = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 3)).astype(np.float32)
    model = squeezenet(spec)
    weights = model.get_weights()
    first, second = model(x, training=True).numpy(), model(x, training=True).numpy()
    model.set_weights(weights)
    assert not np.array_equal(first, second)
    assert np.array_equal(model(x, training=True).numpy(), first)


def test_without_batch_norm_the_activation_is_inside_the_convolution() -> None:
    names = {layer.name for layer in squeezenet(replace(ModelSpec(), batch_norm=False)).layers}
    assert not any(name.endswith(("_relu", "_bn")) for name in names)


@pytest.mark.parametrize("raw", [Pixels(1 / 255), Pixels(1.0)])
def test_other_numbers_for_a_pixel_change_nothing(raw: Pixels) -> None:
    spec = ModelSpec(input_size=40, classes=5, width=0.1)
    keras.utils.set_random_seed(3)
    model = squeezenet(replace(spec, dropout=0.0))
    kernel, bias = model.get_layer("conv1").get_weights()
    kernel[0] = 0
    model.get_layer("conv1").set_weights([kernel / raw.scale / 255, bias + 0.1])
    images = np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3), np.uint8)
    changed = change_pixels(model, raw, CENTRED)
    wanted = model.predict(raw.numbers(images), verbose=0)
    np.testing.assert_allclose(changed.predict(CENTRED.numbers(images), verbose=0), wanted, atol=1e-5)
    assert np.all(changed.get_layer("conv1").get_weights()[0][0] == 0)
    back = change_pixels(changed, CENTRED, raw)
    np.testing.assert_allclose(back.predict(raw.numbers(images), verbose=0), wanted, atol=1e-5)
