"""A SqueezeNet of any spec as an export quantizes and converts it, without training."""

from __future__ import annotations

import numpy as np

from converters.tflite.from_keras import integer_model
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import ModelSpec
from sqz_tf.quantize.aware import activation_ranges, quantize_aware
from sqz_tf.quantize.schemes.free import FREE
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.squeezenet import plain_squeezenet


def quantized(spec: ModelSpec) -> bytes:
    """Return the int8 `.tflite` of a network with random weights, few of them large, as training leaves them.

    Training begins with even ones. Of over a thousand inputs those have sums that no pair of channels holds together,
    and such a layer gets a slower kernel that no trained one has needed.
    """
    make_deterministic(1)
    plain, draw = plain_squeezenet(spec), np.random.default_rng(2)
    plain.set_weights(
        [draw.normal(0, each.std(), each.shape) if each.ndim == 4 else each for each in plain.get_weights()]
    )
    x = np.random.default_rng(1).uniform(0, 1, (16, spec.input_size, spec.input_size, spec.channels))
    model = quantize_aware(plain, activation_ranges(plain, x.astype(np.float32)), Pixels(1 / 255).range, FREE)
    model.compile("sgd", "categorical_crossentropy")  # ranges are set from calibration; a model is converted compiled
    return integer_model(model)
