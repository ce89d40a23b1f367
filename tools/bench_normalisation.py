"""What batch normalisation takes of a training step on a processor: Keras's own beside ours, in one run.

`python -m tools.bench_normalisation` prints processor time, in one thread, of a step of CIFAR-10 networks: of one whose
channels are multiples of four, and of one whose are not.
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
WIDTHS = (0.25, 0.3)


def stepping(width: float, normalisation: Any) -> Callable[[], float]:
    """Return a function that trains a few steps and returns the milliseconds of processor time that each took."""
    spec = ModelSpec(input_size=64, width=width, classes=10, bypass="simple", batch_norm=True, dropout=0.0)
    vars(networks)["BatchNormalization"] = normalisation
    model = networks.squeezenet(spec)
    optimizer = keras.optimizers.AdamW(1e-3, jit_compile=False)
    x = tf.constant(np.random.default_rng(1).random((BATCH, spec.input_size, spec.input_size, 3), np.float32))
    y = tf.one_hot(np.arange(BATCH) % spec.classes, spec.classes)

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
    kinds = {
        "Keras": keras.layers.BatchNormalization,
        "ours": ours,
        "none": lambda name, **_: keras.layers.Activation("linear", name=name),
    }
    for width in WIDTHS:
        runs = {name: stepping(width, kind) for name, kind in kinds.items()}
        taken = {name: statistics.median(run() for _ in range(ROUNDS)) for name, run in runs.items()}
        for name, milliseconds in taken.items():
            print(f"width {width:<6}{name:<6}{milliseconds:7.1f} ms  {milliseconds / taken['Keras']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
