"""Tiny nets in the shape of SqueezeNet and their conversions, each made once per test run (seconds each)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from converters.tflite import from_keras
from converters.tflite.writer import normalised, with_metadata
from tests.helpers.shared import shared

layers = keras.layers

# Large weights, so that outputs differ from picture to picture.
LIVELY = {"activation": "relu", "kernel_initializer": keras.initializers.VarianceScaling(6.0, seed=2)}

SIZE, CLASSES = 12, 5
INPUT = (1, SIZE, SIZE, 3)
LABELS = ("tench", "crane", 'the "big" one', "crane", "café ??/")
CONVOLUTIONS = (
    "conv1",
    *(f"fire{n}_{part}" for n in (2, 3) for part in ("squeeze1x1", "expand1x1", "expand3x3")),
    "conv10",
)
OPS = ("CONV_2D", "MAX_POOL_2D", "CONCATENATION", "ADD", "PAD", "MEAN", "SOFTMAX")


def _fire(x: Any, number: int, squeeze: int = 3, expand: int = 4) -> Any:
    def conv(x: Any, part: str, filters: int, kernel: int) -> Any:
        return layers.Conv2D(filters, kernel, padding="same", name=f"fire{number}_{part}", **LIVELY)(x)

    squeezed = conv(x, "squeeze1x1", squeeze, 1)
    expanded = [conv(squeezed, "expand1x1", expand, 1), conv(squeezed, "expand3x3", expand, 3)]
    return layers.Concatenate(name=f"fire{number}_concat")(expanded)


@lru_cache
def net() -> Any:
    """Return a Keras net with every operator that a SqueezeNet becomes: bypass and padding too."""
    keras.utils.set_random_seed(1)
    inputs = layers.Input(INPUT[1:], name="input")
    x = layers.Conv2D(6, 3, strides=2, name="conv1", **LIVELY)(inputs)
    x = _fire(layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x), 2)
    x = layers.Add(name="fire3_add")([x, _fire(x, 3)])
    x = layers.ZeroPadding2D(1, name="pad10")(x)
    x = layers.Conv2D(CLASSES, 1, name="conv10", **LIVELY)(x)
    x = layers.GlobalAveragePooling2D(name="pool10")(x)
    return keras.Model(inputs, layers.Softmax(name="softmax")(x), name="tiny")


def quantization_aware(model: Any) -> Any:
    """Return the TF-MOT quantization-aware model, after the training step it needs."""
    result = tfmot.quantization.keras.quantize_model(model)
    result.compile("sgd", "categorical_crossentropy")
    pixels = np.random.default_rng(1).integers(0, 256, (64, *INPUT[1:])) / np.float32(255)
    pixels[0, 0, :2] = [[0, 0, 0], [1, 1, 1]]  # the input's range is then exactly 0…1
    result.train_on_batch(pixels, np.eye(CLASSES)[np.arange(64) % CLASSES])
    return result


@lru_cache
def quantized_net() -> Any:
    """Return `net` after quantization-aware training."""
    return quantization_aware(net())


@lru_cache
def float_model() -> bytes:
    """Return `net` as float32 `.tflite`."""
    return _kept("float", lambda: from_keras.float_model(net()))


@lru_cache
def raw_int8_model() -> bytes:
    """Return `quantized_net` as TensorFlow's converter leaves it."""
    return _kept("int8", _converted)


def _kept(name: str, make: Callable[[], bytes]) -> bytes:
    def write(folder: Path) -> None:
        (folder / "model.tflite").write_bytes(make())

    sources = ("converters/tflite", "tests/helpers/keras_models.py")
    return (shared(f"keras-models-{name}", [], write, *sources) / "model.tflite").read_bytes()


def _converted() -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(quantized_net())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with from_keras._silence():
        return bytes(converter.convert())


@lru_cache
def int8_model() -> bytes:
    """Return `quantized_net` as int8 `.tflite`; `to_tflite.integer_model` gives the same bytes (tested there)."""
    return normalised(raw_int8_model())


@lru_cache
def described_model() -> bytes:
    """Return `int8_model` with metadata."""
    return with_metadata(
        int8_model(),
        name="tiny",
        description="A test.",
        labels=LABELS,
        preprocess={"scale": 1 / 255, "width": SIZE},
        version="1.2.3",
        author="somebody",
        licence="Apache-2.0",
    )


def interpreter(model: bytes, *, reference: bool = True) -> Any:
    """Return a ready interpreter: reference kernels, or as it comes (XNNPACK)."""
    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    result = Interpreter(model_content=model, experimental_op_resolver_type=kind)
    result.allocate_tensors()
    return result


def run(model: bytes, inputs: np.ndarray, *, reference: bool = True) -> np.ndarray:
    """Return the output for each of the inputs [N, H, W, C]."""
    engine = interpreter(model, reference=reference)
    (source,), (target,) = engine.get_input_details(), engine.get_output_details()
    outputs = []
    for value in inputs:
        engine.set_tensor(source["index"], value[None])
        engine.invoke()
        outputs.append(engine.get_tensor(target["index"])[0])
    return np.stack(outputs)


def pixels(count: int, shape: tuple[int, ...] = INPUT[1:]) -> np.ndarray:
    """Return uint8 pictures: noise, then all black, all white, and blocks that drive activations to their ends."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (count, *shape), np.uint8)
    blocks = np.where(rng.random((count, *shape)) < 0.5, 0, 255).astype(np.uint8)
    flat = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
    return np.concatenate([noise, blocks, flat])


def as_int8(values: np.ndarray) -> np.ndarray:
    """Return uint8 values with the top bit flipped, read as int8."""
    return (values ^ np.uint8(0x80)).view(np.int8)
