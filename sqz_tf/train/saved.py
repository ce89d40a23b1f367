"""A Keras model as the judge takes it, and model.keras of an output folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.train.keras import keras


class KerasRun:
    """A loaded Keras model as `judge` takes it."""

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


def load_saved(path: Path) -> KerasRun:
    """Load a model that was saved whole.

    Raises:
      OSError, ValueError, TypeError: it cannot be.
    """
    return KerasRun(keras.models.load_model(path, compile=False))
