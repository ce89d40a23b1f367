"""Conversion gives the Keras model's numbers, the same bytes each time, and no float where integers were asked for."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.edit import pack, unpack
from converters.tflite.from_keras import _silence, float_model, integer_model, verify_integer
from converters.tflite.reader import layer_names, read_model
from converters.tflite.writer import normalised
from tests.helpers import keras_models as tiny

pytestmark = pytest.mark.training

PICTURES = tiny.pixels(10)
REAL = (PICTURES / np.float32(255)).astype(np.float32)


def test_the_float_model_is_the_keras_model() -> None:
    expected = tiny.net().predict(REAL, verbose=0)
    np.testing.assert_allclose(tiny.run(tiny.float_model(), REAL), expected, atol=1e-6)


def test_the_int8_model_is_close_to_the_quantization_aware_one() -> None:
    expected = tiny.quantized_net().predict(REAL, verbose=0)
    found = (tiny.run(tiny.int8_model(), tiny.as_int8(PICTURES)).astype(int) + 128) / 256
    assert np.abs(found - expected).max() < 0.02
    assert np.abs(expected - expected.mean(0)).max() > 0.05, "the pictures tell outputs apart"


def test_inputs_and_outputs_are_int8_with_batch_one() -> None:
    model = read_model(tiny.int8_model())
    (image,), (scores,) = model.input_tensors(), model.output_tensors()
    assert (image.dtype, image.shape, image.shape_signature) == ("int8", tiny.INPUT, tiny.INPUT)
    assert (image.scale[0], image.zero_point[0]) == (pytest.approx(1 / 255, rel=1e-6), -128)
    assert (scores.dtype, scores.shape) == ("int8", (1, tiny.CLASSES))
    assert (scores.scale[0], scores.zero_point[0]) == (1 / 256, -128)


def test_the_same_network_gives_the_same_bytes() -> None:
    # A second quantization-aware model in one process gets other names from Keras and TF-MOT (`quantize_layer_1`).
    again = tiny.tfmot.quantization.keras.quantize_model(tiny.net())
    again.set_weights(tiny.quantized_net().get_weights())
    assert integer_model(again) == tiny.int8_model()
    assert float_model(tiny.net()) == tiny.float_model()


def test_several_inputs_and_outputs_are_those_of_tensorflows_own_conversion() -> None:
    layers = tiny.layers
    left, right = layers.Input((4, 4, 2), name="left"), layers.Input((4, 4, 2), name="right")
    added = layers.Add(name="added")([left, right])
    model = tiny.keras.Model([right, left], [layers.ReLU(name="positive")(added), layers.Flatten(name="flat")(added)])
    with _silence():
        expected = tiny.tf.lite.TFLiteConverter.from_keras_model(model).convert()
    assert float_model(model) == normalised(bytes(expected))


def test_conversion_is_silent(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Talkative:
        def convert(self) -> bytes:
            print("from Python")
            print("from Python", file=sys.stderr)
            warnings.warn("from Python", stacklevel=1)
            os.write(1, b"from C++")
            os.write(2, b"from C++")
            return tiny.float_model()

    data = tiny.float_model()
    monkeypatch.setattr(tiny.tf.lite.TFLiteConverter, "from_saved_model", lambda folder: Talkative())
    os.write(1, b"before\n")
    assert float_model(tiny.net()) == data
    os.write(2, b"after\n")
    assert capfd.readouterr() == ("before\n", "after\n")


def test_post_training_quantization_from_samples() -> None:
    model = integer_model(tiny.net(), representative=list(REAL))
    verify_integer(model, tiny.OPS)
    (image,) = read_model(model).input_tensors()
    assert (image.scale[0], image.zero_point[0]) == (pytest.approx(1 / 255, rel=1e-6), -128)
    found = (tiny.run(model, tiny.as_int8(PICTURES)).astype(int) + 128) / 256
    assert np.abs(found - tiny.net().predict(REAL, verbose=0)).max() < 0.05
    assert integer_model(tiny.net(), representative=iter(REAL[:, None])) == model


@pytest.mark.parametrize("convert", [float_model, integer_model])
def test_what_cannot_be_converted_is_an_error(convert: Any) -> None:
    with pytest.raises(ValueError, match="TensorFlow cannot convert the model: "):
        convert("not a model")


def test_an_int8_model_needs_ranges() -> None:
    with pytest.raises(ValueError, match="TensorFlow cannot convert the model: "):
        integer_model(tiny.net())


# The check.


def edited(change: Any) -> bytes:
    """Return the int8 model after `change(model, graph)` on its editable form."""
    model = unpack(tiny.int8_model())
    change(model, model.subgraphs[0])
    return pack(model)


def test_an_integer_model_passes() -> None:
    verify_integer(tiny.int8_model(), tiny.OPS)
    verify_integer(tiny.described_model(), (*tiny.OPS, "QUANTIZE"))


def test_a_float_model_is_refused_by_tensor() -> None:
    with pytest.raises(ValueError, match=r"tensor \d+ \('input'\) is float32; expected integers everywhere"):
        verify_integer(tiny.float_model(), tiny.OPS)


def test_an_operator_that_was_not_expected_is_refused_by_layer() -> None:
    with pytest.raises(ValueError, match=r"op 10 \(tiny/quant_fire3_add/add\) is ADD; expected CONCATENATION, CONV_2D"):
        verify_integer(tiny.int8_model(), [op for op in tiny.OPS if op != "ADD"])


def _requantized(layer: str, side: str) -> bytes:
    """Return the int8 model with a QUANTIZE before or after a layer, as the converter adds where scales differ."""

    def change(model: Any, graph: Any) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
        model.operatorCodes.append(code)
        index = layer_names(read_model(tiny.int8_model())).index(layer)
        op, quantize, tensor = graph.operators[index], schema.OperatorT(), schema.TensorT()
        old = graph.tensors[op.inputs[0] if side == "before" else op.outputs[0]]
        tensor.name, tensor.shape, tensor.type, tensor.quantization = b"t", old.shape, old.type, old.quantization
        graph.tensors.append(tensor)
        new = len(graph.tensors) - 1
        quantize.opcodeIndex = len(model.operatorCodes) - 1
        if side == "before":
            quantize.inputs, quantize.outputs = [op.inputs[0]], [new]
            op.inputs = [new, *op.inputs[1:]]
        else:
            quantize.inputs, quantize.outputs = [new], [op.outputs[0]]
            op.outputs = [new]
        graph.operators.insert(index + (side == "after"), quantize)

    return edited(change)


@pytest.mark.parametrize(
    ("side", "pair"),
    [
        ("before", r"op 5 \(QUANTIZE\) feeds op 6 \(CONCATENATION, tiny/quant_fire2_concat/concat\)"),
        ("after", r"op 5 \(CONCATENATION\) feeds op 6 \(QUANTIZE, tiny/quant_fire2_concat/concat\)"),
    ],
)
def test_a_quantize_next_to_a_concatenation_is_refused(side: str, pair: str) -> None:
    ops = (*tiny.OPS, "QUANTIZE")
    with pytest.raises(ValueError, match=f"{pair}; expected every input of a concatenation"):
        verify_integer(_requantized("fire2_concat", side), ops)
    verify_integer(_requantized("conv10", side), ops)


def test_a_text_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a \.tflite file"):
        verify_integer(b"not a model at all", tiny.OPS)
