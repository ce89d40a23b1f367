"""AlexNet is the paper's, and its scaled kin keep its shape."""

from __future__ import annotations

import numpy as np
import pytest

from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.network.alexnet import AlexNetSpec, described, layer_shapes, parameters, side
from sqz_tf.train.alexnet import GroupedConv2D, alexnet, weighted
from sqz_tf.train.keras import keras

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

SMALL = AlexNetSpec(input_size=24, channels=1, classes=3, width=0.05)


def test_the_original_has_the_published_parameters() -> None:
    assert parameters(AlexNetSpec()) == 60_965_224  # bvlc_alexnet.caffemodel holds as many floats
    assert layer_shapes(AlexNetSpec())["conv2"] == (5, 5, 48, 256)
    assert layer_shapes(AlexNetSpec())["fc6"] == (6 * 6 * 256, 4096)


@pytest.mark.parametrize(("pixels", "before_fc6"), [(24, 3), (32, 4), (48, 6), (64, 8), (96, 6), (128, 8), (192, 6)])
def test_scaled_inputs_leave_fc6_about_what_the_original_does(pixels: int, before_fc6: int) -> None:
    assert side(AlexNetSpec(input_size=pixels)) == before_fc6


def test_scaled_networks_say_that_they_are() -> None:
    assert described(AlexNetSpec(classes=7)) == "AlexNet, 7 classes"
    assert described(AlexNetSpec(width=0.5)).startswith("scaled AlexNet: input 227×227×3, width 0.5, filters 48-128-")
    assert described(SMALL).endswith("(conv1 5×5, stride 1), fc 205-205-3")


@pytest.mark.parametrize("spec", [SMALL, AlexNetSpec(width=0.05)])
def test_keras_builds_the_layers_that_the_arithmetic_foretells(spec: AlexNetSpec) -> None:
    model = alexnet(spec)
    assert {layer.name: tuple(layer.kernel.shape) for layer in weighted(model)} == layer_shapes(spec)
    assert sum(np.prod(each.shape) for each in model.trainable_weights) == parameters(spec)


def test_groups_are_convolved_as_tensorflow_does() -> None:
    x = np.random.default_rng(0).normal(size=(1, 7, 7, 6)).astype(np.float32)
    ours, theirs = (kind(8, 3, groups=2, padding="same") for kind in (GroupedConv2D, keras.layers.Conv2D))
    ours(x), theirs(x)
    theirs.set_weights(ours.get_weights())
    assert ours(x).numpy() == pytest.approx(theirs(x).numpy(), abs=1e-5)
    assert ours.kernel.shape == (3, 3, 3, 8)


def test_normalisation_stands_in_front() -> None:
    preprocess = PreprocessSpec(24, 24, channels=1, mean=(0.5,), std=(0.25,))
    plain, normalised = alexnet(SMALL), alexnet(SMALL, preprocess)
    normalised.set_weights(plain.get_weights())
    x = np.random.default_rng(0).random((2, 24, 24, 1)).astype(np.float32)
    assert normalised(x).numpy() == pytest.approx(plain((x - 0.5) / 0.25).numpy(), abs=1e-6)


@pytest.mark.slow
def test_the_full_size_trains_one_step() -> None:
    model = alexnet(AlexNetSpec())
    model.compile("sgd", "categorical_crossentropy", jit_compile=False)
    before = model.get_layer("fc6").kernel.numpy()[:100].copy()
    assert np.isfinite(model.train_on_batch(np.ones((1, 227, 227, 3), np.float32), np.eye(1000)[:1]))
    assert sum(np.prod(each.shape) for each in model.trainable_weights) == 60_965_224
    assert (model.get_layer("fc6").kernel.numpy()[:100] != before).any()
