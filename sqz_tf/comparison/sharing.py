"""Deep Compression's trained quantization (Han et al. 2016, arXiv:1510.00149, section 3): weights that share values.

Each layer's non-zero weights are parted by k-means, begun with centroids spread evenly from the least to the largest
weight, which that paper found best. While the network is tuned, a Keras constraint keeps the weights of a group equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sqz_tf.train.alexnet import clone
from sqz_tf.train.keras import keras, tf

ITERATIONS = 100  # of k-means at most


class Shared(keras.constraints.Constraint):
    """After each step every weight is the mean of its group, and group 0 is zero.

    The paper adds up the gradients of a group; Adam's steps do not depend on their scale, so the mean does.

    Args:
      groups: int32, of the kernel's shape.
    """

    def __init__(self, groups: np.ndarray) -> None:
        self.groups = tf.constant(groups.ravel())
        self.count = int(groups.max()) + 1

    def __call__(self, kernel: Any) -> Any:
        """Return the kernel of shared values."""
        means = tf.math.unsorted_segment_mean(tf.reshape(kernel, [-1]), self.groups, self.count)
        means *= tf.cast(tf.range(self.count) > 0, means.dtype)
        return tf.reshape(tf.gather(means, self.groups), kernel.shape)


def groups_of(kernel: np.ndarray, most: int) -> np.ndarray:
    """Return the group of each weight, int32 of the kernel's shape: from 1 to at most `most`, 0 for a zero."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    values = kernel[kernel != 0].astype(np.float64)
    found = np.zeros(kernel.shape, np.int32)
    if not values.size:
        return found
    count = min(most, len(np.unique(values)))
    start = np.linspace(values.min(), values.max(), count)[:, None]
    with threadpool_limits(1):  # sums of several threads differ from run to run
        parted = KMeans(count, init=start, n_init=1, max_iter=ITERATIONS).fit(values[:, None])
    found[kernel != 0] = parted.labels_ + 1
    return found


def sharing(model: Any, groups: Mapping[str, np.ndarray]) -> Any:
    """Return a copy of a model whose named layers' weights are equal within each group, and stay so in training."""

    def change(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in groups:
            config["kernel_constraint"] = Shared(groups[layer.name])
        return layer.__class__.from_config(config)

    copy = clone(model, change)
    copy.set_weights(model.get_weights())
    for name in groups:
        kernel = copy.get_layer(name).kernel
        kernel.assign(kernel.constraint(kernel))
    return copy
