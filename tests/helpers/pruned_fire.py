"""A Fire module in Keras, half of each kernel zero, for tests of quantization and pruning."""

from __future__ import annotations

from typing import Any

import numpy as np

from sqz_tf.train.keras import keras
from sqz_tf.train.squeezenet import convolutions

layers = keras.layers
CONVS = ("squeeze1x1", "expand1x1", "expand3x3", "conv10")


def pruned_fire() -> Any:
    """Return a Fire module without batch norm, activation inside the convolution, half of each kernel zero."""
    keras.utils.set_random_seed(1)
    x = inputs = layers.Input((8, 8, 3))
    x = squeezed = layers.Conv2D(8, 1, activation="relu", name="squeeze1x1")(x)
    one = layers.Conv2D(8, 1, activation="relu", name="expand1x1")(x)
    three = layers.Conv2D(8, 3, activation="relu", padding="same", name="expand3x3")(squeezed)
    x = layers.Concatenate(name="concat")([one, three])
    x = layers.Conv2D(4, 1, activation="relu", name="conv10")(x)
    x = layers.GlobalAveragePooling2D(name="pool10")(x)
    model = keras.Model(inputs, layers.Softmax(name="softmax")(x))
    for layer in convolutions(model):
        kernel, bias = layer.get_weights()
        kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0
        layer.set_weights([kernel, bias + 0.1])
    return model
