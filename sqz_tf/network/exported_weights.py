"""The float network of an export, as weights that training can start from or learn from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from converters.tflite.reader import read_model
from converters.weights import safetensors
from sqz_tf.artifact.exported import FLOAT, INT8, LICENCE, NUMBERS, UINT8, Export, ExportError
from sqz_tf.artifact.manifest import MANIFEST
from sqz_tf.base.errors import ConfigError, translated
from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec, from_dict, to_dict
from sqz_tf.network.architecture import layer_shapes

Layer = tuple[np.ndarray, np.ndarray]
Spec = TypeVar("Spec")
PARTS = ("kernel", "bias")


@dataclass(frozen=True, eq=False)
class ExportedWeights:
    """A finished float network.

    Attributes:
      layers: kernel float32 [H, W, I, O] and bias float32 [O] by layer.
      model: the network: no batch norm, nothing to normalise before it.
      preprocess: how pictures reach it.
      labels: of its outputs.
      licence: the notice that goes wherever the weights go, if they were published ones.
      learnt: the pictures that trained it and how they were split; None if none did.
    """

    layers: dict[str, Layer]
    model: ModelSpec
    preprocess: PreprocessSpec
    labels: tuple[str, ...]
    licence: str = ""
    learnt: DataConfig | None = None

    @property
    def sha256(self) -> str:
        """Of its numbers, the network they are for and the unit of its input: what is made from it depends on these."""
        return digest_of(self.layers, {"model": to_dict(self.model), "scale": self.preprocess.scale})


def digest_of(layers: Mapping[str, Layer], what: Any = None) -> str:
    """Return the SHA-256 of weights, and of what else makes them what they are (plain values), as hex digits."""
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    for name, pair in sorted(layers.items()):
        digest.update(name.encode())
        for values in pair:
            digest.update(values.astype("<f4").tobytes())
    return digest.hexdigest()


def is_export(path: Path) -> bool:
    """Say whether a path is an export's folder, or a `.tflite` or the numbers inside one; no Keras file is it."""
    inside = path.name in (NUMBERS, FLOAT, INT8, UINT8, MANIFEST)
    return ((path.parent if inside else path) / MANIFEST).is_file()


def read_exported(path: Path) -> ExportedWeights:
    """Read the float network of the export that a path is or lies in.

    Raises:
      ExportError: it is none, or damaged.
    """
    export = Export.open(path.parent if path.is_file() else path)
    of = (ValueError, ConfigError)
    with translated(ExportError, f"{export.folder} is damaged", expected="a folder that an export wrote", of=of):
        model = replace(_spec(ModelSpec, export, "model"), batch_norm=False)
        preprocess = replace(_spec(PreprocessSpec, export, "preprocess"), mean=(), std=())
        layers = _layers(export, model)
        learnt = _spec(DataConfig, export, "data") if _trained(export) else None
    return ExportedWeights(layers, model, preprocess, export.labels, licence_in(export.folder), learnt)


def _trained(export: Export) -> bool:
    train = export.config.get("train")
    return isinstance(train, dict) and train.get("epochs") != 0


def _spec(kind: type[Spec], export: Export, name: str) -> Spec:
    return from_dict(kind, export.config.get(name), name)


def _layers(export: Export, model: ModelSpec) -> dict[str, Layer]:
    shapes = layer_shapes(model)
    found = _of_numbers(export.numbers) if export.numbers is not None else _of_tflite(export.float, tuple(shapes))
    for name, shape in shapes.items():
        kernel, bias = found.get(name, (np.empty(0), np.empty(0)))
        if (kernel.shape, bias.shape) != (shape, shape[-1:]):
            raise ValueError(
                f"layer {name} has the shapes {kernel.shape} and {bias.shape}, not {shape} and {shape[-1:]}"
            )
    return {name: found[name] for name in shapes}


def numbers_of(layers: Mapping[str, Layer]) -> bytes:
    """Return weights as a `.safetensors` file: LAYER/kernel [H, W, I, O] and LAYER/bias [O]."""
    return safetensors.write(
        {f"{name}/{part}": values for name, pair in layers.items() for part, values in zip(PARTS, pair, strict=True)}
    )


def numbers_in(export: Export) -> bytes:
    """Return an export's numbers as `numbers_of` does; models that come with the kit have them in FLOAT alone.

    Raises:
      ExportError: it has none, or they are damaged.
    """
    return export.numbers if export.numbers is not None else numbers_of(read_exported(export.folder).layers)


def _of_numbers(data: bytes) -> dict[str, Layer]:
    tensors = safetensors.read_tensors(data)
    names = {name.rsplit("/", 1)[0] for name in tensors}
    return {name: (tensors[f"{name}/{PARTS[0]}"], tensors[f"{name}/{PARTS[1]}"]) for name in names}


def _of_tflite(data: bytes, names: tuple[str, ...]) -> dict[str, Layer]:
    """Return the convolutions of a float `.tflite`; the converter keeps the layer's name in the kernel's."""
    model, layers = read_model(data), {}
    for operator in model.ops:
        if operator.name != "CONV_2D":
            continue
        kernel, bias = (model.tensors[index] for index in operator.inputs[1:3])
        name = next((name for name in names if f"/{name}/" in kernel.name), "")
        if kernel.data is not None and bias.data is not None:
            layers[name] = (np.transpose(kernel.data, (1, 2, 3, 0)).copy(), bias.data.copy())
    return layers


def licence_in(folder: Path) -> str:
    """Return the notice that goes with an export's weights, empty without one."""
    path = folder / LICENCE
    return path.read_text("utf-8") if path.is_file() else ""
