"""The final network on disk: as Keras saves it, for people; and as numbers alone, which is what we read ourselves.

A Keras file is a program: loading one may run what its author put there. So `model.keras` is written and never loaded
here; a network is rebuilt from its `ModelSpec` and a file of arrays.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from converters import strict_json
from converters.weights import safetensors
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.base.spec import ModelSpec
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.exported_weights import numbers_of
from sqz_tf.train.squeezenet import convolutions, plain_squeezenet, set_layers

NO_DATE = (1980, 1, 1, 0, 0, 0)  # where a zip file's calendar begins
_CHANGES: dict[str, dict[str, Any]] = {
    "metadata.json": {"date_saved": "1980-01-01@00:00:00"},
    "config.json": {"module": "keras", "class_name": "Model", "registered_name": None},
}
"""What is written otherwise in which member of a Keras file."""


class NetworkError(SqzError):
    """The file of a network's numbers does not fit the network."""


class KerasRun:
    """A Keras model as `judge` takes it."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, floats: np.ndarray) -> np.ndarray:
        """Return the outputs [N, classes] for float32 [N, h, w, c]."""
        scores: np.ndarray = self.model.predict(floats, verbose=0)
        return scores

    def layers(self, floats: np.ndarray) -> dict[str, np.ndarray]:
        """Return layer name → its output [N, ...], in the model's order."""
        names = [layer.name for layer in self.model.layers]
        every = type(self.model)(self.model.inputs, [layer.output for layer in self.model.layers])
        return dict(zip(names, every.predict(floats, verbose=0), strict=True))


def numbers(model: Any) -> bytes:
    """Return a plain network's weights as a `.safetensors` file."""
    return numbers_of({layer.name: tuple(layer.get_weights()) for layer in convolutions(model)})


def rebuilt(spec: ModelSpec, data: bytes) -> KerasRun:
    """Build the plain network of a spec with the weights that `numbers` wrote.

    Raises:
      NetworkError: the file is damaged, or its arrays are not those of the spec; told before anything is built.
    """
    with translated(NetworkError, "the file of the network's numbers is damaged", fix="export again"):
        found = safetensors.read_tensors(data)
    wanted: dict[str, tuple[int, ...]] = {}
    for name, shape in layer_shapes(spec).items():
        wanted |= {f"{name}/kernel": shape, f"{name}/bias": shape[-1:]}
    shapes = {name: values.shape for name, values in found.items()}
    if shapes != wanted:
        wrong = sorted(set(shapes.items()) ^ set(wanted.items()))[0][0]
        raise NetworkError(
            f"the file of the network's numbers has {wrong} of shape {shapes.get(wrong, 'none')}",
            expected=f"{wanted.get(wrong, 'none')}, as the manifest's model has it",
            fix="export again",
        )
    model = plain_squeezenet(spec)
    set_layers(model, {name: (found[f"{name}/kernel"], found[f"{name}/bias"]) for name in layer_shapes(spec)})
    return KerasRun(model)


def write_keras(model: Any, path: Path) -> None:
    """Save a functional model so that Keras 2 (`tf_keras`) and Keras 3 load it, without the dates.

    Both write weights and layers alike, and Keras 3 reads how Keras 2 joins them. What keeps it from the whole is the
    name of the model's class, which Keras 2 writes as a place in its own source; both know it as `keras.Model`.
    The same model gives the same bytes.
    """
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as folder:
        saved = Path(folder, "model.keras")
        model.save(saved)
        with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
            for entry in sorted(old.infolist(), key=lambda each: each.filename):
                content = old.read(entry)
                if entry.filename in _CHANGES:
                    content = json.dumps({**strict_json.loads(content), **_CHANGES[entry.filename]}).encode()
                new.writestr(zipfile.ZipInfo(entry.filename, NO_DATE), content, entry.compress_type)
