"""AlexNet in Keras (Krizhevsky, Sutskever and Hinton 2012), in two groups as it was, to be compared with.

Normalised before it is pooled, as in that paper and Caffe's `bvlc_alexnet`, not as in CaffeNet. The float input is
`pixel * PreprocessSpec.scale`.
"""

from __future__ import annotations

from typing import Any

from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.network.alexnet import (
    CONNECTED,
    CONV1_KERNEL,
    CONVOLUTIONS,
    NORMALISED,
    POOLED,
    AlexNetSpec,
    filters,
    units,
)
from sqz_tf.train.keras import keras, tf, tfmot
from sqz_tf.train.squeezenet import StatelessDropout, normalise

layers: Any = keras.layers


class GroupedConv2D(layers.Conv2D, tfmot.sparsity.keras.PrunableLayer):  # type: ignore[misc]
    """A convolution in groups, computed one by one: TensorFlow's own takes 14 times as long on a processor."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve each group of channels with its filters."""
        parts = (tf.split(each, self.groups, axis=-1) for each in (inputs, kernel))
        return tf.concat([super(GroupedConv2D, self).convolution_op(*pair) for pair in zip(*parts, strict=True)], -1)

    def get_prunable_weights(self) -> list[Any]:
        """Tell TF-MOT what may be pruned."""
        return [self.kernel]


class LocalResponse(layers.Layer):
    """Local response normalisation (section 3.3 of that paper): each value by those of the five channels around it."""

    def call(self, inputs: Any) -> Any:
        """Return the normalised map, of the same shape."""
        return tf.nn.local_response_normalization(inputs, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)


CUSTOM = {each.__name__: each for each in (GroupedConv2D, LocalResponse, StatelessDropout)}
"""What Keras must be told of to copy the network."""


def alexnet(spec: AlexNetSpec, preprocess: PreprocessSpec | None = None) -> Any:
    """Build an AlexNet: float32 [N, size, size, channels] → class probabilities float32 [N, classes].

    Args:
      spec: which AlexNet.
      preprocess: adds its normalisation (`mean`, `std`) in front.
    """
    inputs = layers.Input((spec.input_size, spec.input_size, spec.channels), name="input")
    x = inputs if preprocess is None else normalise(inputs, preprocess)
    for name in CONVOLUTIONS:
        x = _convolution(spec, x, name)
    x = layers.Flatten(name="flatten")(x)
    for name in CONNECTED:
        x = layers.Dense(units(spec, name), "relu", name=name, kernel_initializer="he_normal")(x)
        if spec.dropout:
            x = StatelessDropout(spec.dropout, seed=int(name[-1]), name=f"drop{name[-1]}")(x)
    x = layers.Dense(units(spec, "fc8"), name="fc8")(x)
    return keras.Model(inputs, layers.Softmax(name="softmax")(x), name="alexnet")


def _convolution(spec: AlexNetSpec, x: Any, name: str) -> Any:
    """Convolution and ReLU, then where the paper has them normalisation and overlapping pooling."""
    first = name == "conv1"
    x = GroupedConv2D(
        filters(spec, name),
        CONV1_KERNEL[spec.stride] if first else 5 if name == "conv2" else 3,
        strides=spec.stride if first else 1,
        padding=spec.padding if first else "same",
        groups=CONVOLUTIONS[name][1],
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if name in NORMALISED:
        x = LocalResponse(name=f"norm{name[-1]}")(x)
    return layers.MaxPooling2D(3, 2, padding=spec.padding, name=f"pool{name[-1]}")(x) if name in POOLED else x


def weighted(model: Any) -> list[Any]:
    """Return the layers that have a kernel, in graph order."""
    return [layer for layer in model.layers if isinstance(layer, (layers.Conv2D, layers.Dense))]


def clone(model: Any, change: Any = lambda layer: layer.__class__.from_config(layer.get_config())) -> Any:
    """Return a model of the same graph whose layers are what `change` makes of each; its weights are new."""
    with keras.utils.custom_object_scope(CUSTOM):
        return keras.models.clone_model(model, clone_function=change)
