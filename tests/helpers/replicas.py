"""Train a small network on a slice of the digits, in one replica or in several: what tests of distribution start.

    python -m tests.helpers.replicas FOLDER [--mirrored N] [--die] [--batch N]

With TF_CONFIG set it is one process of a cluster. `result.json` in FOLDER tells the figures, `weights.npz` the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS, DEATH = 4, (2, 1)  # epoch and batch, from 0, in which a worker ends


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mirrored", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--die", action="store_true", help="as a worker, once, in the middle of an epoch")
    given = parser.parse_args()
    from sqz_tf.pipeline.together import begin_again
    from sqz_tf.train.meeting import PeerLost

    try:
        train(given)
    except PeerLost as lost:
        begin_again(lost, lambda line: print(line, file=sys.stderr, flush=True))
    return 0


def train(given: argparse.Namespace) -> None:
    """Train, and write what became of it."""
    from sqz_tf.base.pixels import Pixels
    from sqz_tf.train.batches import Teacher
    from sqz_tf.train.fit import FitPlan, fit
    from sqz_tf.train.keras import make_deterministic, use_threads

    use_threads(2)
    shared = sharing(given.mirrored)
    make_deterministic(1)
    model, dying = network(), given.die and not shared.is_chief
    given.folder.mkdir(parents=True, exist_ok=True)
    plan = FitPlan(
        EPOCHS, given.batch, learning_rate=3e-3, label_smoothing=0.05, augment="photo-strong", mix=0.2, averaging=0.9
    )
    history = fit(
        model,
        digits(0, 300),
        digits(300, 401),
        plan,
        seed=1,
        state=given.folder / "state",
        teacher=Teacher(network(), Pixels(1 / 255), 0.3),
        callbacks=(dies(given.folder / "died"),) if dying else (),
        shared=shared,
    )
    np.savez(given.folder / "weights.npz", *model.get_weights())
    (given.folder / "result.json").write_text(json.dumps({**asdict(history), "replicas": shared.replicas}))


def sharing(mirrored: int) -> Any:
    """Return the replicas that train."""
    from sqz_tf.train import distribute
    from sqz_tf.train.cluster import cluster_of
    from sqz_tf.train.keras import tf
    from sqz_tf.train.meeting import meet

    if mirrored:
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * mirrored)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if mirrored:
        return distribute.mirrored()
    if setting := os.environ.get("TF_CONFIG"):
        return distribute.joined(meet(cluster_of(setting), {}, 300, lambda line: None))
    return distribute.ALONE


def digits(first: int, last: int) -> Any:
    """Return some of the digits, grey 16×16."""
    from sklearn.datasets import load_digits

    from sqz_tf.base.pixels import Pixels
    from sqz_tf.train.batches import Examples

    found = load_digits()
    images = np.kron((found.images * 15.9).astype(np.uint8), np.ones((2, 2), np.uint8))[..., None]
    return Examples(images, found.target, np.arange(first, last), 10, Pixels(1 / 255))


def network() -> Any:
    """Return a network with everything that depends on other rows of the batch, or on the step."""
    from sqz_tf.train.keras import keras
    from sqz_tf.train.squeezenet import StatelessDropout

    layers = keras.layers
    x = inputs = layers.Input((16, 16, 1))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)  # a bias before batch norm learns rounding errors
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Conv2D(10, 1)(StatelessDropout(0.2)(x))
    return keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


def dies(mark: Path) -> Any:
    """Return a callback that kills its process once."""
    from sqz_tf.train.keras import keras

    class Dies(keras.callbacks.Callback):  # type: ignore[misc]
        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if (self.epoch, batch) == DEATH and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    return Dies()


if __name__ == "__main__":
    sys.exit(main())
