"""Train an export's network on for a few steps, all layers, zeros kept: what an update of a tuned network brings.

`python -m tools.tune_on build/imagenet --data $SQZ_TF_DEV_DATA/imagenet_dev --out build/tuned.float` copies the export
with the tuned float network in it, for `python -m sqz_tf.export --weights build/tuned.float`.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.exported import INT8, NUMBERS
from sqz_tf.artifact.manifest import MANIFEST, described, read_json, write_manifest
from sqz_tf.inference.classifier import Classifier
from sqz_tf.network.exported_weights import ExportedWeights, read_exported
from sqz_tf.train.keras import keras, tf
from sqz_tf.train.saved import numbers
from sqz_tf.train.squeezenet import plain_squeezenet, set_layers


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.tune_on", description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="a folder with labels.csv: file, class, …")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-5)
    arguments = parser.parse_args(argv)
    tuned = tune(
        read_exported(arguments.export),
        *pictures(arguments.export / INT8, arguments.data),
        arguments.epochs,
        arguments.rate,
    )
    shutil.copytree(arguments.export, arguments.out)
    (arguments.out / NUMBERS).write_bytes(numbers(tuned))
    values = read_json(arguments.out / MANIFEST)
    write_manifest(arguments.out, {**values, "files": described(arguments.out, {MANIFEST})})
    return 0


def pictures(model: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures as a model takes them, uint8 [N, H, W, C], and their classes."""
    classifier = Classifier(model)
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    number = {wnid: index for index, wnid in enumerate(classifier.wnids)}
    pixels = np.stack([classifier.pixels(folder / row["file"]) for row in rows])
    return pixels, np.array([number[row["wnid"]] for row in rows])


def tune(start: ExportedWeights, pixels: np.ndarray, classes: np.ndarray, epochs: int, rate: float) -> Any:
    """Return the network after some epochs of Adam."""
    keras.utils.set_random_seed(1)
    model = plain_squeezenet(start.model)
    set_layers(model, start.layers)
    kept = [tf.cast(variable != 0, tf.float32) for variable in model.trainable_variables]
    optimizer, loss = keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for variable, mask in zip(model.trainable_variables, kept, strict=True):
            variable.assign(variable * mask)
        return value

    scale = start.preprocess.scale
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(pixels))
        losses = [
            float(step(tf.constant(pixels[batch] * np.float32(scale)), tf.constant(classes[batch])))
            for batch in np.array_split(order, -(-len(order) // 16))
        ]
        print(f"epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.3f}", file=sys.stderr, flush=True)
    return model


if __name__ == "__main__":
    sys.exit(main())
