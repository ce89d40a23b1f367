"""One rule says when a quantized input's byte is the pixel itself, and every reader of a model keeps to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from converters.tflite.pixels import LOWEST, Reading, fault, reading
from converters.tflm_sources import tflm_files
from sqz_tf.base.pixels import CENTRED, to_int8
from sqz_tf.inference.classifier import Classifier, ModelError
from sqz_tf.parity.edges import input_edge
from tests.helpers import echo_models
from tests.helpers.pixel_inputs import INPUTS, STEP

table = pytest.mark.parametrize(("dtype", "scale", "zero_point", "means"), INPUTS)


@table
def test_the_meaning_of_an_input(dtype: str, scale: float, zero_point: int, means: Reading | None) -> None:
    assert reading(dtype, scale, zero_point, 1 / 255) is means


@table
def test_it_means_what_quantizing_every_pixel_gives(
    dtype: str, scale: float, zero_point: int, means: Reading | None
) -> None:
    real = {Reading.CENTRED: np.arange(256) - 128.0, Reading.CENTRED_SCALED: (np.arange(256) - 128) * scale}
    numbers = real.get(means, np.arange(256) / 255) if means else np.arange(256) / 255
    same = np.rint(numbers / scale) + zero_point == np.arange(256) + LOWEST[dtype]
    assert same.all() == (means is not None)


def test_what_is_no_quantized_input_has_no_meaning() -> None:
    for scale in (0.0, -1.0, math.nan, math.inf):
        assert reading("int8", scale, -128, 1 / 255) is None
    assert reading("int8", 0.0, 0, 1 / 255) is None
    assert reading("float32", STEP, -128, 1 / 255) is None


def test_a_fault_says_what_was_found_and_what_would_do() -> None:
    assert fault("int8", 0.5, -128, 0.25) == (
        "int8 with scale 0.5 and zero point -128; expected 0.25 and -128, or 1 and 0, so that a byte is a pixel"
    )
    assert "expected 0.25 and 0, or 1 and 128" in str(fault("uint8", 0.5, 0, 0.25))
    assert fault("int8", 0.5, 0, 0.25)
    assert fault("int8", 0.5, 0, 0.25, alone=True) is None
    assert fault("int8", 0.25, -128, 0.25) is fault("int8", 1.0, 0, 0.25) is None


@table
def test_a_classifier_takes_what_the_rule_takes(
    dtype: str, scale: float, zero_point: int, means: Reading | None, tmp_path
) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(echo_models.described(echo_models.model(dtype, source_quantization=(scale, zero_point))))
    if means:
        assert Classifier(file).input.zero_point == zero_point
    else:
        with pytest.raises(ModelError, match=f"zero point {zero_point}; expected 0"):
            Classifier(file)


@table
def test_the_gate_and_the_c_sources_take_no_scale_of_the_models_own(
    dtype: str, scale: float, zero_point: int, means: Reading | None
) -> None:
    model = echo_models.model(dtype, source_quantization=(scale, zero_point))
    good = dtype == "int8" and means in (Reading.SCALED, Reading.CENTRED)
    assert input_edge(model, echo_models.SPEC).passed is good
    try:
        tflm_files(model, labels=echo_models.LABELS, settings={"arena_bytes": 1}, provenance={})
        taken = True
    except ValueError:
        taken = False
    assert taken is good


def test_the_pixels_of_training_and_of_the_device_are_those_of_the_rule() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    assert to_int8(pixels).tolist() == [pixel + LOWEST["int8"] for pixel in range(256)]
    assert np.array_equal(CENTRED.numbers(pixels), to_int8(pixels))
