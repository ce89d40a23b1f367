"""What a nat predicted for a layer is worth: each rounded alone, what that costs against what its moments say.

Layers whose errors hurt more than predicted are rounded at a lower price, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sqz_tf.compress.distance import divergence
from sqz_tf.compress.network import Network, batches, kernel_of
from sqz_tf.compress.rounding import Layer
from sqz_tf.train.keras import tf

PRICE = 2.4e-8  # nats a bit, at which the layers are tried
PICTURES = 50
LIMITS = (0.2, 5.0)  # of what is measured over what was predicted

Progress = Callable[[int, int], None]


def factors(network: Network, layers: Mapping[int, Layer], images: np.ndarray, progress: Progress) -> dict[int, float]:
    """Return by what each layer's price is to be multiplied.

    Args:
      images: uint8 [N, H, W, C]; the first `PICTURES` are used. Not those that the moments are from, which tell less
        than it costs on others.
    """
    graph, (given,) = network.graph, network.graph.model.inputs
    weights = {i: (tf.Variable(w.kernel), tf.Variable(w.bias)) for i, w in graph.weights.items()}
    run = tf.function(lambda x: graph.logits({given: x}, weights, {}), reduce_retracing=True)
    numbers = [tf.constant(network.numbers(x)) for x in batches(images[:PICTURES])]

    def logits() -> np.ndarray:
        return np.concatenate([run(x).numpy() for x in numbers])

    wanted, found = logits(), {}
    for done, (index, layer) in enumerate(layers.items(), 1):
        rounded = layer.round(PRICE)
        old = graph.weights[index]
        weights[index][0].assign(kernel_of(network, index, rounded.integers * rounded.steps[:, None]))
        weights[index][1].assign(rounded.bias)
        ratio = divergence(wanted, logits()) / max(rounded.loss, 1e-12)
        found[index] = 1 / float(np.clip(ratio, *LIMITS))
        weights[index][0].assign(old.kernel)
        weights[index][1].assign(old.bias)
        progress(done, len(layers))
    return found
