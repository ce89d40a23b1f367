"""A real network in miniature, for tests: conv, pool, Fire module and global average, trained to tell colours apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from converters.tflite import from_keras
from converters.tflite.writer import pack, strip_metadata, to_uint8_twin, unpack, with_metadata
from sqz_tf.artifact.exported import NUMBERS
from sqz_tf.artifact.manifest import manifest, write_manifest
from sqz_tf.base.spec import CheckConfig, DataConfig, PreprocessSpec, to_dict
from tests.helpers.shared import shared

CLASSES = ("blue", "green", "grey", "red")
SIZE = 16
PREPROCESS = PreprocessSpec(SIZE, SIZE)
_PAINT = {"blue": (60, 90, 190), "green": (60, 190, 90), "grey": (110, 110, 110), "red": (190, 90, 60)}


@dataclass(frozen=True)
class Net:
    """The trained network in every form."""

    keras_model: Any
    float_model: bytes
    int8_model: bytes
    uint8_model: bytes


def pictures(per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 [N, 16, 16, 3] and labels [N]: noisy plain colours, classes in turn."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(CLASSES)), per_class)
    paint = np.array([_PAINT[name] for name in CLASSES])[labels][:, None, None, :]
    noise = rng.normal(0, 50, (len(labels), SIZE, SIZE, 3)) + rng.normal(0, 20, (len(labels), 1, 1, 3))
    return np.clip(paint + noise, 0, 255).astype(np.uint8), labels


def write_pictures(folder: Path, per_class: int) -> None:
    """Write PNG files, a folder per class."""
    from PIL import Image

    for number, (pixels, label) in enumerate(zip(*pictures(per_class, 3), strict=True)):
        place = folder / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:04d}.png")


@cache
def net() -> Net:
    """Return the network, trained and converted once for all tests."""
    from sqz_tf.train.keras import keras

    kept = shared("colour-network", [], _make, "sqz_tf", "converters", "tests/helpers/colour_network.py")
    models = [(kept / f"{name}.tflite").read_bytes() for name in ("float", "int8", "uint8")]
    return Net(keras.models.load_model(kept / "model.keras", compile=False), *models)


def _make(folder: Path) -> None:
    model = _trained()
    images, _ = pictures(16, 2)
    samples = images.astype(np.float32) / 255
    samples[0], samples[1] = 0, 1  # the input's range is 0…1 exactly
    int8 = from_keras.integer_model(model, samples)
    model.save(folder / "model.keras")
    for name, made in (("float", from_keras.float_model(model)), ("int8", int8), ("uint8", to_uint8_twin(int8))):
        (folder / f"{name}.tflite").write_bytes(attached(made))


def attached(model: bytes, labels: tuple[str, ...] = CLASSES, preprocess: PreprocessSpec = PREPROCESS) -> bytes:
    """Return the model with labels and preprocessing inside."""
    model = strip_metadata(model)
    return with_metadata(model, name="tiny", description="colours", labels=labels, preprocess=to_dict(preprocess))


def _trained() -> Any:
    from sqz_tf.train.keras import keras, make_deterministic

    make_deterministic(1)
    layers = keras.layers

    def conv(filters: int, size: int, name: str, **options: Any) -> Any:
        return layers.Conv2D(filters, size, activation="relu", padding="same", name=name, **options)

    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="conv1")(image)
    x = layers.MaxPool2D(3, 2, name="pool1")(x)
    x = conv(4, 1, "fire2_squeeze1x1")(x)
    x = layers.Concatenate(name="fire2_concat")([conv(8, 1, "fire2_expand1x1")(x), conv(8, 3, "fire2_expand3x3")(x)])
    x = layers.Conv2D(len(CLASSES), 1, name="conv10")(x)
    x = layers.GlobalAveragePooling2D(name="pool10")(x)
    model = keras.Model(image, layers.Softmax(name="softmax")(x), name="model")
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    images, labels = pictures(64, 1)
    model.fit(images.astype(np.float32) / 255, labels, batch_size=32, epochs=20, verbose=0)
    return model


def write_folder(
    folder: Path,
    source: Path | str = "digits",
    more: dict[str, Any] | None = None,
    data_sha256: str = "",
    numbers: bytes | None = None,
    **replaced: bytes,
) -> Path:
    """Write an output folder as an export does; `more` goes into `config`, `replaced` models stand for others."""
    folder.mkdir(parents=True)
    models = {"f32": net().float_model, "int8": net().int8_model, "uint8": net().uint8_model, **replaced}
    for kind, model in models.items():
        (folder / f"model_{kind}.tflite").write_bytes(model)
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    net().keras_model.save(folder / "model.keras")
    if numbers is not None:
        (folder / NUMBERS).write_bytes(numbers)
    stages = {"preprocess": PREPROCESS, "data": DataConfig(source=str(source)), "check": CheckConfig()}
    config = {**{name: to_dict(stage) for name, stage in stages.items()}, **(more or {})}
    write_manifest(folder, manifest(folder, config=config, data_sha256=data_sha256, command=["test"]))
    return folder


def edited(model: bytes, edit: Callable[[Any], None]) -> bytes:
    """Return a model changed through the FlatBuffer's object form, its attached files kept."""
    form = unpack(model)
    edit(form)
    return attached(pack(form))


def with_flipped_weight(model: bytes, layer: str) -> bytes:
    """Return a model in which the largest weight of a convolution has the opposite sign."""

    def flip(form: Any) -> None:
        kernel = kernel_of(form, layer)
        largest = np.abs(kernel.astype(int)).argmax()
        kernel[largest] = -kernel[largest]

    return edited(model, flip)


def kernel_of(form: Any, layer: str, dtype: type = np.int8) -> np.ndarray:
    """Return the weights of a convolution, flat and writable, in the object form of a model."""
    graph = form.subgraphs[0]
    tensor = next(t for t in graph.tensors if t.name == f"model/{layer}/Conv2D".encode())
    buffer = form.buffers[tensor.buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    return buffer.data.view(dtype)


def json_of(path: Path) -> dict[str, Any]:
    """Return a JSON object that an export wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values
