"""Fully connected layers of low rank by singular value decomposition (Denton et al. 2014, arXiv:1404.0736).

The row "SVD" of table 2 is AlexNet with a fifth of its parameters, as Han et al. 2015 (arXiv:1506.02626) cite it. The
fully connected layers hold 96 % of the 61 million and are what is factored here; convolutions stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sqz_tf.train.alexnet import clone, weighted
from sqz_tf.train.keras import keras

layers: Any = keras.layers


class LowRank(layers.Layer):
    """A fully connected layer whose kernel is `left` [I, rank] times `right` [rank, O]."""

    def __init__(self, units: int, rank: int, activation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.rank, self.activation = units, rank, keras.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        """Make the factors and the biases."""
        self.left = self.add_weight(name="left", shape=(input_shape[-1], self.rank))
        self.right = self.add_weight(name="right", shape=(self.rank, self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return the layer's output."""
        return self.activation(inputs @ self.left @ self.right + self.bias)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "rank": self.rank, "activation": activation}


Factors = tuple[np.ndarray, np.ndarray, np.ndarray]


def factors_of(model: Any) -> dict[str, Factors]:
    """Return U [I, n], S [n] and V [n, O] of each fully connected layer's kernel by name, float32."""
    connected = [layer for layer in weighted(model) if isinstance(layer, layers.Dense)]
    return {layer.name: np.linalg.svd(layer.kernel.numpy(), full_matrices=False) for layer in connected}


def ranks_of(factors: Mapping[str, Factors], energy: float) -> dict[str, int]:
    """Return the least rank of each layer that keeps so much of the squared singular values, where it saves weights."""
    ranks = {}
    for name, (u, s, v) in factors.items():
        kept = np.cumsum(np.square(s.astype(np.float64)))
        rank = int(np.searchsorted(kept, energy * kept[-1])) + 1
        if rank * (u.shape[0] + v.shape[1]) < u.shape[0] * v.shape[1]:
            ranks[name] = rank
    return ranks


def factored(model: Any, factors: Mapping[str, Factors], ranks: Mapping[str, int]) -> Any:
    """Return a copy of a model whose named layers are of these ranks; singular values go to both factors alike."""
    copy = clone(model, lambda layer: _changed(layer, ranks))
    for layer in copy.layers:
        weights = model.get_layer(layer.name).get_weights()
        if rank := ranks.get(layer.name):
            u, s, v = factors[layer.name]
            root = np.sqrt(s[:rank])
            weights = [u[:, :rank] * root, root[:, None] * v[:rank], weights[1]]
        layer.set_weights(weights)
    return copy


def _changed(layer: Any, ranks: Mapping[str, int]) -> Any:
    config = layer.get_config()
    if layer.name not in ranks:
        return layer.__class__.from_config(config)
    return LowRank(config["units"], ranks[layer.name], config["activation"], name=layer.name)
