"""What batch normalisation takes of a training step on a processor: Keras's own beside ours, in one run.

`python -m tools.bench_normalisation` prints processor time, in one thread, of a step of the CIFAR-10 network.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sqz_tf.base.spec import ModelSpec
from sqz_tf.train import squeezenet as networks
from sqz_tf.train.keras import keras, tf, use_threads

BATCH, STEPS, ROUNDS = 128, 3, 5
SPEC = ModelSpec(input_size=64, width=0.3, classes=10, bypass="simple", batch_norm=True, dropout=0.0)


def stepping(normalisation: Any) -> Callable[[], float]:
    """Return a function that trains a few steps and returns the milliseconds of processor time that each took."""
    vars(networks)["BatchNormalization"] = normalisation
    model = networks.squeezenet(SPEC)
    optimizer = keras.optimizers.AdamW(1e-3, jit_compile=False)
    x = tf.constant(np.random.default_rng(1).random((BATCH, SPEC.input_size, SPEC.input_size, 3), np.float32))
    y = tf.one_hot(np.arange(BATCH) % SPEC.classes, SPEC.classes)

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, model(x, training=True)))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    step()

    def several() -> float:
        start = time.process_time()
        for _ in range(STEPS):
            step().numpy()
        return 1000 * (time.process_time() - start) / STEPS

    return several


def main() -> int:
    """Run the command line; return its exit code."""
    use_threads(1)
    ours = networks.BatchNormalization
    runs = {
        "Keras": stepping(keras.layers.BatchNormalization),
        "ours": stepping(ours),
        "none": stepping(lambda name, **_: keras.layers.Activation("linear", name=name)),
    }
    taken = {name: statistics.median(run() for _ in range(ROUNDS)) for name, run in runs.items()}
    for name, milliseconds in taken.items():
        print(f"{name:<6}{milliseconds:7.1f} ms  {milliseconds / taken['Keras']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
