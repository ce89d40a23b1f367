"""A moving average of the weights, judged and kept in their place (Polyak and Juditsky 1992; Izmailov et al. 2018)."""

from __future__ import annotations

from typing import Any

from sqz_tf.train.keras import keras, tf

WARMUP = 10.0  # steps after which the average begins to be slow


class Averaged(keras.callbacks.Callback):
    """Averages every weight, batch normalisation's statistics among them, after each step of `fit`.

    Validation sees the averages, and whoever reads the weights between `on_test_begin` and `give_back` does.
    """

    def __init__(self, model: Any, decay: float) -> None:
        super().__init__()
        self.decay, self.weights = decay, list(model.weights)
        self.step = tf.Variable(0.0, trainable=False, name="averaged_steps")
        self.averages = [tf.Variable(weight, trainable=False) for weight in self.weights]
        self.swapped = False
        self._follow = tf.function(self._followed)

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"averages": self.averages, "averaged_steps": self.step}

    def _followed(self) -> None:
        self.step.assign_add(1.0)
        decay = tf.minimum(self.decay, self.step / (self.step + WARMUP))
        for average, weight in zip(self.averages, self.weights, strict=True):
            follows = tf.cast(average, tf.float32) * decay + tf.cast(weight, tf.float32) * (1 - decay)
            average.assign(tf.cast(follows, average.dtype) if weight.dtype.is_floating else weight)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Let the averages follow the weights."""
        self._follow()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averages into the model, for validation."""
        if not self.swapped:
            self._swap()

    def give_back(self) -> None:
        """Put the weights themselves back, to train on."""
        if self.swapped:
            self._swap()

    def _swap(self) -> None:
        for average, weight in zip(self.averages, self.weights, strict=True):
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)
        self.swapped = not self.swapped
