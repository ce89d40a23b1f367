"""Quantization-aware training keeps every pruned zero, where TF-MOT's own scheme does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converters.tflite.from_keras import integer_model
from converters.tflite.reader import Model, non_integer_tensors, read_model, weight_zero_fraction
from sqz_tf.base.errors import ConversionError
from sqz_tf.base.spec import ModelSpec
from sqz_tf.quantize.aware import activation_ranges, quantize_aware, ranged_layers, without_fake_quantization
from sqz_tf.train.keras import keras, tfmot
from sqz_tf.train.prune import sparsity
from sqz_tf.train.squeezenet import convolutions, squeezenet
from tests.helpers.pruned_fire import CONVS, pruned_fire

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

layers = keras.layers


def pictures(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1, (count, 8, 8, 3)).astype(np.float32), np.eye(4)[rng.integers(0, 4, count)]


def train(model: Any) -> None:
    model.compile(keras.optimizers.Adam(1e-2), "categorical_crossentropy")
    model.fit(*pictures(), epochs=3, batch_size=16, verbose=0)


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    """The plain pruned net and its quantization-aware copy after a few steps."""
    plain = pruned_fire()
    quantized = quantize_aware(plain, activation_ranges(plain, pictures()[0]), (0.0, 1.0))
    train(quantized)
    return plain, quantized


@pytest.fixture(scope="module")
def int8(trained: tuple[Any, Any]) -> Model:
    return read_model(integer_model(trained[1]))


def quantized_zeros(model: Any) -> dict[str, float]:
    return weight_zero_fraction(read_model(integer_model(model)), CONVS)


def test_tfmot_alone_loses_the_zeros_of_the_expand_layers() -> None:
    scheme = tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    annotated = tfmot.quantization.keras.quantize_annotate_model(pruned_fire())
    model = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    train(model)
    zeros = quantized_zeros(model)
    assert zeros["squeeze1x1"] >= 0.5
    assert zeros["expand1x1"] < 0.45, "TF-MOT has mended its ConcatTransform: reconsider our scheme"
    assert zeros["expand3x3"] < 0.45


def test_our_scheme_keeps_every_zero_through_training_and_conversion(trained: tuple[Any, Any], int8: Model) -> None:
    pruned = sparsity(trained[0], list(CONVS))
    zeros = weight_zero_fraction(int8, CONVS)
    assert all(zeros[name] >= pruned[name] for name in CONVS)
    final = without_fake_quantization(trained[1], trained[0])
    assert sparsity(final, list(CONVS)) == pruned


def test_training_moved_the_weights(trained: tuple[Any, Any]) -> None:
    plain, quantized = trained
    final = without_fake_quantization(quantized, plain)
    for layer in convolutions(plain):
        assert not np.allclose(layer.get_weights()[0], final.get_layer(layer.name).get_weights()[0], atol=1e-4)


def test_ranges_come_from_calibration_and_the_input_from_the_pixels(trained: tuple[Any, Any], int8: Model) -> None:
    ranges = activation_ranges(trained[0], pictures()[0])
    image = int8.input_tensors()[0]
    assert image.scale[0] == pytest.approx(1 / 255, rel=1e-6)
    assert image.zero_point == (-128,)
    concat = next(op for op in int8.ops if op.name == "CONCATENATION")
    low, high = ranges["concat"]
    for index in (*concat.inputs, *concat.outputs):
        assert int8.tensors[index].scale[0] == pytest.approx((high - low) / 255, rel=1e-5)


def test_layers_that_feed_a_concatenation_have_no_range_of_their_own() -> None:
    assert ranged_layers(pruned_fire()) == ["squeeze1x1", "concat", "conv10", "pool10"]


def test_conversion_is_integer_only_without_quantize_ops(int8: Model) -> None:
    assert set(int8.op_names) == {"CONV_2D", "CONCATENATION", "MEAN", "SOFTMAX"}
    assert not non_integer_tensors(int8)


def test_an_all_zero_channel_is_harmless() -> None:
    plain = pruned_fire()
    layer = plain.get_layer("expand1x1")
    kernel, bias = layer.get_weights()
    kernel[..., 2] = 0
    layer.set_weights([kernel, bias])
    model = quantize_aware(plain, activation_ranges(plain, pictures()[0]), (0.0, 1.0))
    train(model)
    assert np.isfinite(model.predict(pictures()[0], verbose=0)).all()
    read = read_model(integer_model(model))
    assert all(scale > 0 for tensor in read.tensors for scale in tensor.scale)


def test_before_any_step_the_weights_have_their_own_ranges() -> None:
    """TF-MOT's start at ±6 until the first training step; ours can be evaluated at once."""
    plain = pruned_fire()
    x, _ = pictures()
    model = quantize_aware(plain, activation_ranges(plain, x), (0.0, 1.0))
    difference = np.abs(model.predict(x, verbose=0) - plain.predict(x, verbose=0)).max()
    assert 0 < difference < 0.02


def test_batch_norm_is_refused() -> None:
    model = squeezenet(ModelSpec(input_size=32, classes=3, width=0.1, batch_norm=True))
    with pytest.raises(ConversionError, match="BatchNormalization"):
        quantize_aware(model, {}, (0.0, 1.0))
