"""Small Keras networks of the kinds that people bring, and what TensorFlow's converter makes of them in int8.

Weights are random, and so is what ranges are calibrated on: what counts is which operators the converter writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tf_keras as keras

from converters.tflite import from_keras
from tests.helpers.shared import shared

layers = keras.layers
Tensor = Any


def converted(name: str) -> bytes:
    """Return one of `NETWORKS` as int8 `.tflite`, made once per test run."""

    def write(folder: Path) -> None:
        (folder / "model.tflite").write_bytes(_converted(name))

    return (shared(f"popular-{name}", [], write, "tests/helpers/popular_networks.py") / "model.tflite").read_bytes()


def _converted(name: str) -> bytes:
    keras.utils.set_random_seed(1)
    build, how = NETWORKS[name]
    model = build()
    rng = np.random.default_rng(1)
    shape = model.input_shape[1:]
    _enliven(model, rng.random((16, *shape), np.float32))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([rng.random((1, *shape), np.float32)] for _ in range(12))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    edge = how.get("edge", tf.int8)
    if edge != tf.float32:
        converter.inference_input_type = converter.inference_output_type = edge
    converter._experimental_disable_per_channel = how.get("per_tensor", False)
    with from_keras._silence():
        return bytes(converter.convert())


def _enliven(model: Any, inputs: np.ndarray) -> None:
    """Let batch normalizations know what they see, as in a trained network: values neither vanish nor grow."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(inputs, training=True)


# Parts.


def _conv(
    x: Tensor, filters: int, kernel: int = 3, strides: int = 1, activation: str | None = "relu", **how: Any
) -> Any:
    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, **how)(x)
    x = _lively(layers.BatchNormalization())(x)
    return _activated(x, activation)


def _lively(norm: Any) -> Any:
    """Return a batch normalization that is not the identity."""
    norm.gamma_initializer = keras.initializers.RandomUniform(0.5, 1.5, seed=3)
    norm.beta_initializer = keras.initializers.RandomUniform(-0.3, 0.3, seed=4)
    norm.moving_mean_initializer = keras.initializers.RandomUniform(-0.2, 0.2, seed=5)
    return norm


def _activated(x: Tensor, activation: str | None) -> Any:
    if activation == "hard_swish":
        return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)
    if activation == "hard_sigmoid":
        return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)
    if activation == "relu6":
        return layers.ReLU(6.0)(x)
    return x if activation is None else layers.Activation(activation)(x)


def _depthwise(x: Tensor, kernel: int = 3, strides: int = 1, activation: str | None = "relu") -> Any:
    x = layers.DepthwiseConv2D(kernel, strides, padding="same", use_bias=False)(x)
    return _activated(_lively(layers.BatchNormalization())(x), activation)


def _excited(x: Tensor, squeezed: int, gate: str = "sigmoid") -> Any:
    """Scale channels by what their means say (squeeze and excite)."""
    channels = x.shape[-1]
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    y = layers.Conv2D(squeezed, 1, activation="relu")(y)
    y = _activated(layers.Conv2D(channels, 1)(y), gate)
    return layers.Multiply()([x, y])


def _bottleneck(x: Tensor, filters: int, expand: int, strides: int, activation: str, excite: bool = False) -> Any:
    y = _conv(x, expand, 1, activation=activation)
    y = _depthwise(y, 3, strides, activation)
    if excite:
        y = _excited(y, expand // 4, "hard_sigmoid" if activation == "hard_swish" else "sigmoid")
    y = _conv(y, filters, 1, activation=None)
    return layers.Add()([x, y]) if strides == 1 and x.shape[-1] == filters else y


def _residual(x: Tensor, filters: int, strides: int) -> Any:
    y = _conv(_conv(x, filters, 3, strides), filters, 3, activation=None)
    if strides > 1 or x.shape[-1] != filters:
        x = _conv(x, filters, 1, strides, None)
    return layers.Activation("relu")(layers.Add()([x, y]))


def _model(inputs: Tensor, outputs: Tensor) -> Any:
    return keras.Model(inputs, outputs)


def _classified(inputs: Tensor, x: Tensor, classes: int = 5) -> Any:
    x = layers.GlobalAveragePooling2D()(x)
    return _model(inputs, layers.Dense(classes, activation="softmax")(x))


def _input(*shape: int) -> Any:
    return layers.Input(shape)


# Networks.


def mobilenet_v1() -> Any:
    return keras.applications.MobileNet((96, 96, 1), 0.25, weights=None, classes=2, dropout=0.0)


def mobilenet_v2() -> Any:
    return keras.applications.MobileNetV2((96, 96, 3), 0.35, weights=None, classes=4)


def mobilenet_v3() -> Any:
    inputs = _input(32, 32, 3)
    x = _conv(inputs, 8, 3, 2, "hard_swish")
    x = _bottleneck(x, 8, 16, 1, "relu", excite=True)
    x = _bottleneck(x, 12, 24, 2, "hard_swish", excite=True)
    x = _bottleneck(x, 12, 32, 1, "hard_swish", excite=True)
    x = layers.GlobalAveragePooling2D(keepdims=True)(_conv(x, 32, 1, activation="hard_swish"))
    x = _activated(layers.Conv2D(24, 1)(x), "hard_swish")
    x = layers.Flatten()(layers.Conv2D(5, 1)(layers.Dropout(0.2)(x)))
    return _model(inputs, layers.Activation("softmax")(x))


def mobilenet_v3_of_keras() -> Any:
    return keras.applications.MobileNetV3Small((64, 64, 3), 0.35, minimalistic=False, weights=None, classes=4)


def efficientnet_lite() -> Any:
    inputs = _input(48, 48, 3)
    x = _conv(inputs, 8, 3, 2, "relu6")
    for filters, strides, kernel in ((8, 1, 3), (12, 2, 5), (12, 1, 5), (16, 2, 3)):
        y = _depthwise(_conv(x, 4 * x.shape[-1], 1, activation="relu6"), kernel, strides, "relu6")
        y = _conv(y, filters, 1, activation=None)
        x = layers.Add()([x, y]) if strides == 1 and x.shape[-1] == filters else y
    return _classified(inputs, _conv(x, 32, 1, activation="relu6"))


def efficientnet() -> Any:
    """Swish, which the converter writes as LOGISTIC and MUL, and squeeze and excite."""
    inputs = _input(32, 32, 3)
    x = _conv(inputs, 8, 3, 2, "swish")
    x = _bottleneck(x, 8, 16, 1, "swish", excite=True)
    x = _bottleneck(x, 12, 32, 2, "swish", excite=True)
    return _classified(inputs, x)


def resnet() -> Any:
    inputs = _input(32, 32, 3)
    x = layers.MaxPooling2D(3, 2, padding="same")(_conv(inputs, 8, 7, 2))
    for filters, strides in ((8, 1), (16, 2), (16, 1)):
        x = _residual(x, filters, strides)
    return _classified(inputs, x)


def resnet_of_keras() -> Any:
    """Explicit padding, as in keras.applications.ResNet50."""
    inputs = _input(33, 33, 3)
    x = layers.Conv2D(8, 7, 2, activation="relu")(layers.ZeroPadding2D(3)(inputs))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    return _classified(inputs, _residual(x, 12, 2))


def ds_cnn() -> Any:
    """Keyword spotting on 49 frames of ten coefficients."""
    inputs = _input(49, 10, 1)
    x = layers.Conv2D(16, (10, 4), (2, 2), padding="same", use_bias=False)(inputs)
    x = layers.Activation("relu")(_lively(layers.BatchNormalization())(x))
    for _ in range(3):
        x = _conv(_depthwise(x), 16, 1)
    x = layers.AveragePooling2D((25, 5))(x)
    return _model(inputs, layers.Dense(12, activation="softmax")(layers.Flatten()(x)))


def conv1d() -> Any:
    """Three axes of an accelerometer, 80 samples."""
    inputs = _input(80, 3)
    x = layers.Conv1D(8, 5, activation="relu", padding="same")(inputs)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Conv1D(12, 3, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling1D()(x)
    return _model(inputs, layers.Dense(4, activation="softmax")(layers.Dense(10, activation="relu")(x)))


def conv1d_flattened() -> Any:
    inputs = _input(64, 1)
    x = layers.Conv1D(6, 7, 2, activation="relu")(inputs)
    x = layers.AveragePooling1D(2)(x)
    x = layers.SeparableConv1D(8, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu")(x))
    return _model(inputs, layers.Dense(1, activation="sigmoid")(x))


def temporal() -> Any:
    """A temporal convolutional network: causal, dilated, residual; the last step is classified."""
    inputs = _input(32, 4)
    x = layers.Conv1D(8, 1)(inputs)
    for dilation in (1, 2, 4):
        y = layers.Conv1D(8, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = layers.Activation("relu")(layers.Add()([x, y]))
    return _model(inputs, layers.Dense(3)(x[:, -1, :]))


def autoencoder() -> Any:
    inputs = _input(16, 16, 1)
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(4, 3, 2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(4, 3, 2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(8, 3, 2, padding="same", activation="relu")(x)
    return _model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def upsampled() -> Any:
    inputs = _input(16, 16, 1)
    x = layers.MaxPooling2D()(layers.Conv2D(8, 3, padding="same", activation="relu")(inputs))
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    x = layers.UpSampling2D()(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    x = layers.UpSampling2D(interpolation="bilinear")(layers.Conv2D(8, 3, padding="same", activation="relu")(x))
    return _model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def u_net() -> Any:
    inputs = _input(32, 32, 3)
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    second = layers.Conv2D(12, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(second))
    x = layers.Concatenate()([second, layers.UpSampling2D()(x)])
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Concatenate()([first, layers.Conv2DTranspose(8, 2, 2)(x)])
    return _model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


def dilated() -> Any:
    inputs = _input(24, 24, 3)
    x = _conv(inputs, 8)
    branches = [_conv(x, 4, 3, dilation_rate=rate) for rate in (1, 2, 4)]
    return _classified(inputs, layers.Concatenate()(branches))


def two_headed() -> Any:
    inputs = _input(32, 32, 3)
    x = _conv(_conv(inputs, 8, 3, 2), 12, 3, 2)
    kind = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    age = layers.Dense(1)(layers.Dense(8, activation="relu")(layers.Flatten()(x)))
    return _model(inputs, [kind, age])


def detector() -> Any:
    """Boxes and scores of two scales, reshaped to a list of anchors and joined."""
    inputs = _input(64, 64, 3)
    x = _conv(_conv(_conv(inputs, 8, 3, 2), 12, 3, 2), 16, 3, 2)
    y = _conv(x, 16, 3, 2)
    boxes = [layers.Reshape((-1, 4))(layers.Conv2D(2 * 4, 3, padding="same")(each)) for each in (x, y)]
    scores = [layers.Reshape((-1, 3))(layers.Conv2D(2 * 3, 3, padding="same")(each)) for each in (x, y)]
    score = layers.Activation("sigmoid")(layers.Concatenate(axis=1)(scores))
    return _model(inputs, [layers.Concatenate(axis=1)(boxes), score])


def yolo() -> Any:
    """A grid of boxes: leaky activations, up-sampling and a second scale."""
    inputs = _input(64, 64, 3)
    x = inputs
    for filters in (8, 12, 16):
        x = layers.MaxPooling2D()(layers.LeakyReLU(0.1)(_conv(x, filters, activation=None)))
    y = layers.LeakyReLU(0.1)(_conv(layers.MaxPooling2D()(x), 24, activation=None))
    x = layers.Concatenate()([x, layers.UpSampling2D()(y)])
    return _model(inputs, [layers.Conv2D(18, 1)(y), layers.Conv2D(18, 1)(x)])


def fomo() -> Any:
    """A heat map: the first part of MobileNetV2 and a softmax for each cell."""
    base = keras.applications.MobileNetV2((96, 96, 1), 0.35, include_top=False, weights=None)
    x = layers.Conv2D(16, 1, activation="relu")(base.get_layer("block_6_expand_relu").output)
    return _model(base.input, layers.Softmax()(layers.Conv2D(3, 1)(x)))


def unfused_norms() -> Any:
    """Batch normalization before the activation's input, after a ReLU, after an addition."""
    inputs = _input(20, 20, 3)
    x = layers.Conv2D(8, 3, activation="relu")(_lively(layers.BatchNormalization())(inputs))
    x = _lively(layers.BatchNormalization())(x)
    y = layers.Conv2D(8, 3, padding="same")(x)
    x = _lively(layers.BatchNormalization())(layers.Add()([x, y]))
    return _classified(inputs, layers.Activation("relu")(x))


def activations() -> Any:
    """LeakyReLU, PReLU (one slope a channel, and one a value), tanh, ReLU6."""
    inputs = _input(16, 16, 2)
    x = layers.LeakyReLU(0.2)(layers.Conv2D(6, 3)(inputs))
    slopes = keras.initializers.RandomUniform(0.1, 0.4, seed=1)
    x = layers.PReLU(slopes, shared_axes=[1, 2])(layers.Conv2D(6, 3)(x))
    x = layers.PReLU(slopes)(layers.Conv2D(4, 3)(x))
    x = layers.Activation("tanh")(layers.Conv2D(4, 1)(x))
    x = layers.Activation("relu6")(layers.Conv2D(4, 1)(x))
    return _classified(inputs, x)


def global_max() -> Any:
    inputs = _input(24, 24, 3)
    x = _conv(inputs, 8, 3, 2)
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    return _model(inputs, layers.Dense(1, activation="sigmoid")(x))


def lenet() -> Any:
    inputs = _input(28, 28)
    x = layers.Reshape((28, 28, 1))(inputs)
    x = layers.MaxPooling2D()(layers.Conv2D(6, 5, activation="relu")(x))
    x = layers.AveragePooling2D()(layers.Conv2D(8, 5, activation="tanh")(x))
    x = layers.Dense(30, activation="relu")(layers.Flatten()(x))
    return _model(inputs, layers.Dense(10, activation="softmax")(layers.Dropout(0.3)(x)))


def dense() -> Any:
    inputs = _input(16)
    x = layers.Dense(12, activation="relu")(inputs)
    return _model(inputs, layers.Dense(3, activation=tf.nn.log_softmax)(x))


def shuffled() -> Any:
    """ShuffleNet's unit: half of the channels pass, the others are convolved, and all are shuffled."""
    inputs = _input(24, 24, 3)
    x = _conv(inputs, 8, 3, 2)
    for _ in range(2):
        a, b = tf.split(x, 2, axis=-1)
        b = _conv(_depthwise(_conv(b, 4, 1), activation=None), 4, 1)
        x = layers.Concatenate()([a, b])
        x = tf.reshape(x, (-1, 12, 12, 2, 4))
        x = tf.reshape(tf.transpose(x, (0, 1, 2, 4, 3)), (-1, 12, 12, 8))
    return _classified(inputs, x)


def grouped() -> Any:
    inputs = _input(16, 16, 4)
    x = layers.Conv2D(8, 3, padding="same", groups=2, activation="relu")(inputs)
    return _classified(inputs, layers.Conv2D(8, 3, groups=4, activation="relu")(x))


def scaled_input() -> Any:
    """Rescaling and Normalization layers in front, as in many tutorials."""
    inputs = _input(20, 20, 3)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 0.6, 0.7])(x)
    return _classified(inputs, _conv(x, 8))


def inception() -> Any:
    inputs = _input(24, 24, 3)
    x = _conv(inputs, 8, 3, 2)
    parts = [_conv(x, 4, 1), _conv(_conv(x, 4, 1), 6, 3), _conv(_conv(x, 4, 1), 4, 5)]
    parts.append(_conv(layers.AveragePooling2D(3, 1, padding="same")(x), 4, 1))
    return _classified(inputs, layers.Concatenate()(parts))


def densenet() -> Any:
    inputs = _input(24, 24, 3)
    x = _conv(inputs, 8, 3, 2)
    for _ in range(3):
        y = layers.Activation("relu")(_lively(layers.BatchNormalization())(x))
        x = layers.Concatenate()([x, layers.Conv2D(4, 3, padding="same")(y)])
    return _classified(inputs, layers.AveragePooling2D()(x))


def attention() -> Any:
    """Spatial attention: the channels' mean and maximum at each place decide how much of it passes."""
    inputs = _input(16, 16, 3)
    x = _conv(inputs, 8)
    mean, most = tf.reduce_mean(x, -1, keepdims=True), tf.reduce_max(x, -1, keepdims=True)
    gate = layers.Conv2D(1, 7, padding="same", activation="sigmoid")(layers.Concatenate()([mean, most]))
    return _classified(inputs, layers.Multiply()([x, gate]))


def sequence() -> Any:
    """Dense layers on each step, one-dimensional pools and up-sampling."""
    inputs = _input(24, 3)
    x = layers.Dense(8, activation="relu")(inputs)
    x = layers.DepthwiseConv1D(3, padding="same", activation="relu")(x)
    x = layers.UpSampling1D(2)(layers.MaxPooling1D(2)(x))
    x = layers.ZeroPadding1D(1)(layers.Cropping1D(2)(x))
    return _model(inputs, layers.Dense(4, activation="softmax")(layers.TimeDistributed(layers.Dense(6))(x)))


def arithmetic() -> Any:
    """Average, maximum, minimum and difference of maps, and hard activations of Keras."""
    inputs = _input(16, 16, 2)
    x, y = (layers.Conv2D(6, 3, activation="relu")(inputs) for _ in range(2))
    z = layers.Average()([layers.Maximum()([x, y]), layers.Minimum()([x, y]), layers.Subtract()([x, y])])
    z = layers.Activation("hard_sigmoid")(layers.Conv2D(4, 1)(z))
    z = layers.ReLU(max_value=1.0)(layers.Conv2D(4, 1)(layers.Cropping2D(1)(z)))
    z = layers.Activation("gelu")(layers.Conv2D(4, 1)(layers.Permute((2, 1, 3))(z)))
    return _classified(inputs, z)


def squared() -> Any:
    """Norms of channels, exponentials, roots: what is left of statistics pooling."""
    inputs = _input(12, 12, 3)
    x = _conv(inputs, 6)
    mean = tf.reduce_mean(x, (1, 2), keepdims=True)
    spread = tf.reduce_mean((x - mean) * (x - mean), (1, 2))
    x = layers.Concatenate()([layers.Flatten()(mean), spread, tf.abs(layers.Flatten()(mean))])
    return _model(inputs, layers.Dense(3)(x))


def segmented() -> Any:
    """A network for segmentation whose decoder is resized to the input's size."""
    inputs = _input(30, 30, 3)
    x = _conv(_conv(inputs, 8, 3, 2), 12, 3, 2)
    pooled = tf.image.resize(layers.GlobalAveragePooling2D(keepdims=True)(x), (8, 8))
    x = layers.Concatenate()([_conv(x, 8, 3, dilation_rate=2), pooled])
    x = tf.image.resize(layers.Conv2D(3, 1)(x), (30, 30))
    return _model(inputs, layers.Softmax()(x))


def super_resolution() -> Any:
    inputs = _input(12, 12, 1)
    x = layers.Conv2D(8, 3, padding="same", activation="tanh")(
        layers.Conv2D(8, 5, padding="same", activation="tanh")(inputs)
    )
    return _model(inputs, tf.nn.depth_to_space(layers.Conv2D(4, 3, padding="same")(x), 2))


def focus() -> Any:
    """YOLO's first layer: four pictures of every second pixel, as channels of one."""
    inputs = _input(32, 32, 3)
    parts = [inputs[:, i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
    x = _conv(layers.Concatenate()(parts), 8, activation="swish")
    return _classified(inputs, layers.Concatenate()([x, layers.MaxPooling2D(5, 1, padding="same")(x)]))


_UINT8, _FLOAT = {"edge": tf.uint8}, {"edge": tf.float32}
NETWORKS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    each.__name__: (each, how)
    for each, how in (
        (mobilenet_v1, _UINT8),
        (mobilenet_v2, {}),
        (mobilenet_v3, {}),
        (mobilenet_v3_of_keras, {}),
        (efficientnet_lite, _UINT8),
        (efficientnet, {}),
        (resnet, {}),
        (resnet_of_keras, _FLOAT),
        (ds_cnn, {}),
        (conv1d, {}),
        (conv1d_flattened, _FLOAT),
        (temporal, {}),
        (autoencoder, {}),
        (upsampled, {}),
        (u_net, {}),
        (dilated, {}),
        (two_headed, _FLOAT),
        (detector, {}),
        (yolo, {}),
        (fomo, {}),
        (unfused_norms, {}),
        (activations, {}),
        (global_max, {"per_tensor": True}),
        (lenet, {}),
        (dense, _FLOAT),
        (shuffled, {}),
        (grouped, {}),
        (scaled_input, _UINT8),
        (inception, {"per_tensor": True}),
        (densenet, {}),
        (attention, {}),
        (sequence, {}),
        (arithmetic, {}),
        (squared, {}),
        (segmented, {}),
        (super_resolution, {}),
        (focus, {}),
    )
}
