"""SqueezeNet in Keras (Iandola et al. 2016, arXiv:1602.07360; table 1 is v1.0, v1.1 is the authors' later release).

Deviations, each chosen by a field of `ModelSpec`: optional batch normalisation between convolution and ReLU
(folded away by `fold`), `same` pooling for small inputs, no padding around conv10 unless asked for. The float
input is `pixel * PreprocessSpec.scale`. With `batch_norm` off the activation is inside the convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import ModelSpec, PreprocessSpec
from sqz_tf.network.architecture import (
    COMPLEX_BYPASS,
    CONV1,
    FIRES,
    POOL_AFTER,
    SIMPLE_BYPASS,
    fire_filters,
    require_size,
    scaled,
)
from sqz_tf.train.keras import keras, tf
from sqz_tf.train.normalisation import BatchNormalization
from sqz_tf.train.shared_norm import shared

layers: Any = keras.layers


class StatelessDropout(layers.Layer):
    """Dropout whose mask depends on a saved step counter only, so that a resumed run repeats an unbroken one.

    Keras's own Dropout keeps its random state inside the kernel, where no checkpoint reaches it.
    """

    def __init__(self, rate: float, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def build(self, input_shape: Any) -> None:
        """Make the step counter."""
        self.step = self.add_weight(
            name="step",
            shape=(),
            dtype=tf.int64,
            initializer="zeros",
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Drop units while training; pass everything otherwise."""
        if not training:
            return inputs
        seed = tf.stack([self.step.assign_add(1), self.seed])
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas == 1:
            return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed=seed)
        return self._own_rows(inputs, seed, replicas)

    def _own_rows(self, inputs: Any, seed: Any, replicas: int) -> Any:
        """Drop the units of this replica's rows that would be dropped in the whole batch (`batches.Part`)."""
        own = tf.distribute.get_replica_context().replica_id_in_sync_group
        whole = tf.concat([[replicas * tf.shape(inputs)[0]], tf.shape(inputs)[1:]], 0)
        kept = tf.random.stateless_uniform(whole, seed, dtype=inputs.dtype)[own::replicas] >= self.rate
        return tf.where(kept, inputs * (1 / (1 - self.rate)), 0.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class _Builder:
    """Adds named layers; the two ways to write convolution + ReLU live here."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def conv(self, x: Any, name: str, filters: int, kernel: int, **options: Any) -> Any:
        """Convolution, (batch norm,) ReLU."""
        batch_norm = self.spec.batch_norm
        x = layers.Conv2D(
            filters,
            kernel,
            name=name,
            activation=None if batch_norm else "relu",
            use_bias=not batch_norm,
            kernel_initializer="he_normal" if batch_norm else "he_uniform",
            **options,
        )(x)
        if not batch_norm:
            return x
        x = BatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def pool(self, x: Any, name: str) -> Any:
        """3×3 max-pooling of stride 2."""
        return layers.MaxPooling2D(3, 2, padding=self.spec.pool_padding, name=name)(x)

    def fire(self, x: Any, number: int) -> Any:
        """Fire module (figure 2): squeeze 1×1, then expand 1×1 and 3×3 side by side."""
        filters, name = fire_filters(self.spec, number), f"fire{number}"
        squeezed = self.conv(x, f"{name}_squeeze1x1", filters.squeeze1x1, 1)
        expand1x1 = self.conv(squeezed, f"{name}_expand1x1", filters.expand1x1, 1)
        expand3x3 = self.conv(squeezed, f"{name}_expand3x3", filters.expand3x3, 3, padding="same")
        return layers.Concatenate(name=f"{name}_concat")([expand1x1, expand3x3])

    def bypassed_fire(self, x: Any, number: int) -> Any:
        """Fire module with the bypass around it that the spec asks for (figure 2, middle and right)."""
        out = self.fire(x, number)
        if self.spec.bypass != "none" and number in SIMPLE_BYPASS:
            return layers.Add(name=f"fire{number}_add")([x, out])
        if self.spec.bypass == "complex" and number in COMPLEX_BYPASS:
            around = self.conv(x, f"fire{number}_bypass1x1", out.shape[-1], 1)
            return layers.Add(name=f"fire{number}_add")([around, out])
        return out


def squeezenet(spec: ModelSpec, preprocess: PreprocessSpec | None = None) -> Any:
    """Build a SqueezeNet: float32 [N, size, size, channels] → class probabilities float32 [N, classes].

    Args:
      spec: which SqueezeNet.
      preprocess: adds its normalisation (`mean`, `std`) in front, for training; `fold`
        moves it into conv1.

    Raises:
      ConfigError: the input is too small for the network.
    """
    require_size(spec)
    build, pools = _Builder(spec), POOL_AFTER[spec.arch]
    inputs = layers.Input((spec.input_size, spec.input_size, spec.channels), name="input")
    x = inputs if preprocess is None else normalise(inputs, preprocess)
    filters, kernel = CONV1[spec.arch]
    x = build.pool(build.conv(x, "conv1", scaled(spec, filters), kernel, strides=2), "pool1")
    for number in FIRES:
        x = build.bypassed_fire(x, number)
        if f"fire{number}" in pools:
            x = build.pool(x, f"pool{number}")
    if spec.dropout and (spec.batch_norm or preprocess is not None):
        x = StatelessDropout(spec.dropout, name="drop9")(x)
    if spec.conv10_padding:
        x = layers.ZeroPadding2D(spec.conv10_padding, name="pad10")(x)
    x = build.conv(x, "conv10", spec.classes, 1)
    x = layers.GlobalAveragePooling2D(name="pool10")(x)
    return keras.Model(inputs, layers.Softmax(name="softmax")(x), name=spec.arch.replace("-", "_").replace(".", "_"))


def normalise(x: Any, preprocess: PreprocessSpec) -> Any:
    """Add the layer that takes `mean` and `std` out of float32 [N, H, W, C]."""
    scale = [1 / value for value in preprocess.std]
    offset = [-mean / value for mean, value in zip(preprocess.mean, preprocess.std, strict=True)]
    return layers.Rescaling(scale, offset, name="normalise")(x)


def plain_squeezenet(spec: ModelSpec) -> Any:
    """Build the paper's graph of a spec: no batch norm, no dropout, activations inside the convolutions."""
    return squeezenet(replace(spec, batch_norm=False, dropout=0.0))


def copy_model(model: Any) -> Any:
    """Return a model of the same layers and weights that shares neither; in a strategy's scope, for its replicas."""
    layer_of = shared if tf.distribute.has_strategy() else None
    with keras.utils.custom_object_scope({"StatelessDropout": StatelessDropout}):
        copy = keras.models.clone_model(model, clone_function=layer_of)
    copy.set_weights(model.get_weights())
    return copy


def convolutions(model: Any) -> list[Any]:
    """Return the convolution layers in graph order."""
    return [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]


def set_layers(model: Any, weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Put kernels [H, W, I, O] and biases [O] into the named convolutions, in place."""
    for name, (kernel, bias) in weights.items():
        model.get_layer(name).set_weights([kernel, bias])


def has_batch_norm(model: Any) -> bool:
    """Say whether a BatchNormalization layer is left in the graph."""
    return any(isinstance(layer, layers.BatchNormalization) for layer in model.layers)


def fold(model: Any, spec: ModelSpec, preprocess: PreprocessSpec | None = None) -> Any:
    """Return the paper's plain graph that computes the same function on raw pixels.

    Batch normalisation goes into the convolution before it, normalisation into conv1 (exact, because
    conv1 is unpadded). Zeros stay zeros. The given model is not changed.

    Args:
      model: `squeezenet(spec, preprocess)`, trained.
      spec: its spec.
      preprocess: the normalisation in front of it, if any.

    Returns:
      A Keras model of the spec without batch norm and dropout.
    """
    plain = plain_squeezenet(spec)
    for layer in convolutions(plain):
        kernel, bias = _folded_weights(model, layer.name)
        if layer.name == "conv1" and preprocess is not None:
            kernel, bias = _fold_normalisation(kernel, bias, preprocess)
        layer.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
    return plain


def _folded_weights(model: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel float64 [H, W, I, O] and bias float64 [O] with batch norm folded in."""
    kernel, *rest = (value.astype(np.float64) for value in model.get_layer(name).get_weights())
    bias = rest[0] if rest else np.zeros(kernel.shape[-1])
    names = {layer.name for layer in model.layers}
    if f"{name}_bn" not in names:
        return kernel, bias
    norm = model.get_layer(f"{name}_bn")
    gamma, beta, mean, variance = (value.astype(np.float64) for value in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * factor, beta + (bias - mean) * factor


def _fold_normalisation(
    kernel: np.ndarray, bias: np.ndarray, preprocess: PreprocessSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Fold (x - mean) / std into kernel [H, W, I, O] and bias [O]."""
    mean, std = np.asarray(preprocess.mean, np.float64), np.asarray(preprocess.std, np.float64)
    kernel = kernel / std[None, None, :, None]
    return kernel, bias - (kernel * mean[None, None, :, None]).sum((0, 1, 2))


def change_pixels(model: Any, old: Pixels, new: Pixels) -> Any:
    """Return a copy of a plain network, made for `old` numbers of a pixel, that computes the same from `new` ones.

    The difference goes into conv1, which is unpadded, so this is exact. Zeros stay zeros.
    """
    result = copy_model(model)
    layer = result.get_layer("conv1")
    kernel, bias = (value.astype(np.float64) for value in layer.get_weights())
    ratio = old.scale / new.scale
    bias += (old.offset - new.offset * ratio) * kernel.sum((0, 1, 2))
    layer.set_weights([(kernel * ratio).astype(np.float32), bias.astype(np.float32)])
    return result
