"""SqueezeNet's rows, from the output folder of an export: what it is as float, pruned, int8, packed, and shared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters import packs
from sqz_tf.artifact.exported import INT8, PACK, Export
from sqz_tf.base import stats
from sqz_tf.comparison.alexnets import FLOAT, compressed, layers_of, left, values_bytes
from sqz_tf.comparison.coding import sparse_bytes
from sqz_tf.comparison.paper import CONV_BITS
from sqz_tf.comparison.work import Kept, Work, keep
from sqz_tf.network.exported_weights import numbers_in
from sqz_tf.parity.verdict import int8_scores
from sqz_tf.pipeline.packing import RUNTIME
from sqz_tf.train.saved import rebuilt


def network(work: Work) -> Any:
    """Return the export's final float network: pruned, and tuned on the way to int8."""
    return rebuilt(work.settings.squeezenet, numbers_in(work.artifacts.export)).model


def pruned(work: Work, out: Path) -> None:
    """Measure the final float network, and count what it takes where zeros are not stored."""
    model, config = network(work), work.artifacts.export.config["prune"]
    layers = layers_of(model)
    how = (
        f"TF-MOT's magnitude pruning, {config['epochs']} epochs: {left(layers):.1%} left, {', '.join(config['skip'])} "
        f"whole; then tuned on the way to int8; stored as values and gaps of {CONV_BITS} bits"
    )
    size = sum(sparse_bytes(layer, CONV_BITS) for layer in layers.values())
    keep(out, Kept(size, how, values_bytes(layers)), work.scores(model))


def shared(work: Work, bits: int, phase: str, out: Path) -> None:
    """Deep Compression of the final float network with so many bits for each weight."""
    model = network(work)
    names = list(layers_of(model))
    compressed(work, model, dict.fromkeys(names, bits), dict.fromkeys(names, CONV_BITS), phase, out)


def integer(work: Work, out: Path) -> None:
    """Measure the int8 model."""
    export, model = work.artifacts.export, work.artifacts.int8_model
    how = (
        f"quantization-aware training with TF-MOT, scheme {export.config['quantize']['scheme']}: weights, biases and "
        f"tables as compiled to C; {INT8} with its description is {len(model):,} bytes"
    )
    keep(out, Kept(int(export.report["mcu"]["weight_bytes"]), how), _judged(work, model))


def packed(work: Work, out: Path) -> None:
    """Measure the pack: the export's, which is rounded, or one without loss."""
    path = work.artifacts.export.folder / PACK
    data = path.read_bytes() if path.exists() else packs.pack(work.artifacts.int8_model)
    how = f"sqz_tf.pack: {'rounded' if path.exists() else 'without loss'}, rANS-coded; the whole .sqz"
    keep(out, Kept(len(data), how, parts=packs.section_bytes(data)), _judged(work, packs.unpack(data)))


def _judged(work: Work, model: bytes) -> np.ndarray:
    return int8_scores(model, RUNTIME, work.dataset.images, work.dataset.splits["test"])


@dataclass(frozen=True, eq=False)
class Right:
    """Whether the label is a network's best answer, and among its five best, bool [N] each."""

    top1: np.ndarray
    top5: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, labels: np.ndarray) -> Right:
        """Judge scores [N, classes]."""
        return cls(stats.top_k_correct(scores, labels, 1), stats.top_k_correct(scores, labels, 5))


def dense(work: Work) -> tuple[Kept, Right]:
    """Return the float network before pruning, whose best answers the export kept."""
    export: Export = work.artifacts.export
    answers = export.reference_answers
    assert answers is not None
    parameters = int(export.report["params"])
    epochs = len(export.report["training"]["float"]["loss"])
    right = Right(stats.answered(answers, work.labels, 1), stats.answered(answers, work.labels, 5))
    return Kept(FLOAT * parameters, f"{described(work)}; Keras, AdamW, {epochs} epochs"), right


def described(work: Work) -> str:
    """Name the network."""
    model = work.settings.squeezenet
    size = f"{model.input_size}×{model.input_size}×{model.channels}"
    bypass = "" if model.bypass == "none" else f", {model.bypass} bypass"
    arch = model.arch.replace("squeezenet-", "SqueezeNet ")
    return f"{arch}: input {size}, width {model.width:g}{bypass}, {model.classes} classes"
