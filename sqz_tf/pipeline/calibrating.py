"""The recipe that trains nothing: published weights → calibrated → quantized, perhaps distilled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from sqz_tf.artifact.workspace import Stage
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.text import some
from sqz_tf.data.dataset import load_for_judging, open_cached
from sqz_tf.network.exported_weights import digest_of
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline.doubts import doubts
from sqz_tf.pipeline.files import read_json, write_json, write_weights
from sqz_tf.pipeline.head import Kept
from sqz_tf.pipeline.plan import Plan
from sqz_tf.pipeline.quantizing import BEFORE, aware, before_tuning, plain_network, read_quantized, rivals
from sqz_tf.pipeline.run import Made, Material, Run
from sqz_tf.quantize.aware import activation_ranges
from sqz_tf.quantize.calibrate import calibrate, divergence, predict
from sqz_tf.quantize.distil import distil
from sqz_tf.quantize.schemes.every import QuantizeConfig, grid_of
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import sparsity
from sqz_tf.train.squeezenet import change_pixels, convolutions, fold, set_layers, squeezenet

CHUNK = 500  # pictures in memory at once
_KEPT = "the weights' last layer, which is kept,"
_NEW_HEAD = (
    "its outputs may be other classes, or take pictures prepared otherwise; --epochs N (30, say) replaces and trains it"
)
REORDERED = 0.1  # of the pictures: what another order of the outputs must gain to be believed


@dataclass(frozen=True)
class Pictures:
    """The pictures that judge and calibrate published weights.

    Attributes:
      fingerprint: changes when the files do.
      calibration: a folder of pictures to calibrate with, or None for a part of the data that is then not judged.
      classes: of the pictures.
      head: which outputs they are, and what all of these are called.
    """

    fingerprint: str
    calibration: str | None
    classes: Sequence[str]
    head: Kept


@dataclass(frozen=True)
class _Calibrating:
    """What the stages of this recipe share."""

    run: Run
    material: Material
    pretrained: Pretrained
    pictures: Pictures

    @property
    def plan(self) -> Plan:
        """What to do."""
        return self.run.plan

    @property
    def scale(self) -> float:
        """What the float network sees of a pixel is `pixel * scale`."""
        return self.material.preprocess.scale


def make(run: Run, pretrained: Pretrained, pictures: Pictures) -> Made:
    """Run or resume every stage up to the quantized network."""
    plan = run.plan
    data = run.first_stage(
        "data",
        [pictures.fingerprint, plan.data, plan.preprocess, pictures.calibration, *_named(pictures.head)],
        lambda out: _load(run, pictures, out),
    )
    work = _Calibrating(run, Material(open_cached(data.folder / "cache"), plan.preprocess), pretrained, pictures)
    network = run.stage("float", [plan.model, digest_of(pretrained.layers)], lambda out: _fold(work, out), needs=[data])
    doubted = doubts(run, work.material, network.folder, _KEPT, _NEW_HEAD)
    calibrating = replace(plan.quantize, epochs=0)
    calibrated = run.stage(
        "calibrated",
        [calibrating, plan.seed],
        lambda out: _calibrate(work, network.folder, out, calibrating),
        needs=[network],
    )
    quantized = calibrated
    if plan.quantize.epochs:
        quantized = run.stage(
            "distilled",
            plan.quantize,
            lambda out: _distil(work, network.folder, calibrated.folder, out),
            needs=[calibrated],
        )
    return _made(work, network, calibrated, quantized, doubted)


def _made(work: _Calibrating, network: Stage, calibrated: Stage, quantized: Stage, doubted: tuple[str, ...]) -> Made:
    plan, pictures = work.plan, work.pictures
    others, stages, trimming = rivals(
        work.run,
        work.material,
        [network],
        lambda: plain_network(plan.model, network.folder / "weights.npz"),
        lambda out, config: _calibrate(work, network.folder, out, config),
        epochs=0,  # free scales are calibrated, not distilled: they lose too little to win back
    )
    distilled = {"distilled": read_json(quantized.folder / "distilled.json")} if plan.quantize.epochs else {}
    return Made(
        material=work.material,
        quantized=quantized,
        models=lambda: _models(work, calibrated.folder, quantized.folder),
        reference_scores=np.load(network.folder / "scores.npy"),
        pruned_scores=None,
        sparsity=read_json(network.folder / "sparsity.json"),
        sparsity_target=0.0,
        rivals=(*others, *before_tuning(quantized, plan.quantize, plan.model, work.scale)),
        rival_stages=stages,
        trimming=trimming,
        more={"calibration": read_json(calibrated.folder / "calibration.json"), **distilled},
        attached={"wnids": list(pictures.head.wnids)} if pictures.head.wnids else {},
        calibration=pictures.calibration,
        notes=doubted,
    )


def _named(head: Kept) -> list[list[str | int]]:
    """Return what a head adds to the key of the data; nothing for ImageNet's, whose classes never change."""
    return [] if head.wnids else [list(head.labels), list(head.outputs)]


def _models(work: _Calibrating, calibrated: Path, quantized: Path) -> tuple[Any, Any]:
    model, _ = read_quantized(quantized, work.plan.quantize, work.plan.model, work.scale)
    return model, plain_network(work.plan.model, calibrated / "equalised.npz")


def _load(run: Run, pictures: Pictures, out: Path) -> None:
    load_for_judging(
        run.plan.data,
        pictures.calibration,
        pictures.head.outputs,
        pictures.head.labels,
        run.plan.preprocess,
        out / "cache",
        run.console.step,
    )


def _fold(work: _Calibrating, out: Path) -> None:
    """Put the weights into the network, the normalisation into conv1, and score the pictures."""
    make_deterministic(work.plan.seed)
    network = squeezenet(replace(work.plan.model, dropout=0.0), work.material.preprocess)
    set_layers(network, work.pretrained.layers)
    model = fold(network, work.plan.model, work.material.preprocess)
    write_weights(out / "weights.npz", model.get_weights())
    write_json(out / "sparsity.json", sparsity(model, [layer.name for layer in convolutions(model)]))
    rows = work.material.dataset.splits["test"]
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    scores = np.concatenate([predict(model, work.material.numbers(chunk)) for chunk in chunks])
    if work.pictures.head.assumed:
        _refuse_other_order(scores, work.material.dataset.labels[rows], work.pictures.classes)
    np.save(out / "scores.npy", scores)


def _refuse_other_order(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Refuse weights whose outputs seem to stand for the classes in another order than the one taken for granted.

    Args:
      scores: [N, classes], of the float network.
      labels: integers [N].

    Raises:
      ConfigError: another order makes it right far more often; says which.
    """
    found = scores.argmax(1)
    half = np.zeros(
        len(labels), bool
    )  # every other picture of each class: an order may fit those it was made of by chance
    half[np.argsort(labels, kind="stable")[::2]] = True
    one, other = (
        _confusion(labels[half], found[half], len(classes)),
        _confusion(labels[~half], found[~half], len(classes)),
    )
    if _gained(one, other) + _gained(other, one) > REORDERED * len(labels):
        order = [classes[number] for number in np.argsort(_best_order(one + other))]
        raise ConfigError(
            f"the weights' outputs do not seem to be {some(classes)} in this order, but {', '.join(order)}",
            expected="the classes in alphabetical order, or their names beside the weights",
            fix="write the names into FILE.labels.txt beside the weights, a line for each output",
        )


def _confusion(labels: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Return how many pictures of each class got which answer, integers [classes, answers]."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, found), 1)
    return counts


def _best_order(counts: np.ndarray) -> np.ndarray:
    """Return the output that stands for each class if most pictures shall be right, its own among equals."""
    return linear_sum_assignment(counts * (len(counts) + 1) + np.eye(len(counts), dtype=np.int64), maximize=True)[1]


def _gained(chosen_by: np.ndarray, counts: np.ndarray) -> int:
    """Return how many pictures more are right in the order that others choose."""
    return int(counts[np.arange(len(counts)), _best_order(chosen_by)].sum() - counts.trace())


def _calibrate(work: _Calibrating, network: Path, out: Path, config: QuantizeConfig) -> None:
    make_deterministic(work.plan.seed)
    material, grid = work.material, grid_of(config)
    pixels = grid.pixels(work.scale)
    plain = plain_network(work.plan.model, network / "weights.npz")
    model = change_pixels(plain, material.raw, pixels)
    x = material.numbers(material.dataset.splits["calibration"], pixels)
    found = calibrate(model, x, pixels.range, grid, work.run.console.step)
    quantized = aware(found.model, config, work.scale, found.ranges, found.bounds)
    write_weights(out / "equalised.npz", change_pixels(found.equalised, pixels, material.raw).get_weights())
    write_weights(out / "plain.npz", found.model.get_weights())
    write_weights(out / "weights.npz", quantized.get_weights())
    write_json(out / "ranges.json", found.ranges)
    wanted = predict(model, x)
    min_max = aware(model, config, work.scale, activation_ranges(model, x, grid))
    record = {
        "images": len(x),
        "source": work.pictures.calibration or "a part of the data that is not judged",
        "tensors": {name: asdict(choice) for name, choice in found.choices.items()},
        "min_max": _agreement(wanted, predict(min_max, x)),
        "chosen": _agreement(wanted, predict(quantized, x)),
    }
    write_json(out / "calibration.json", record)


def _distil(work: _Calibrating, network: Path, calibrated: Path, out: Path) -> None:
    """Fine-tune what calibration made on its own pictures; keep that if nothing is better."""
    config, material = work.plan.quantize, work.material
    make_deterministic(work.plan.seed)
    model, plain = read_quantized(calibrated, config, work.plan.model, work.scale)
    write_weights(out / f"{BEFORE}.npz", model.get_weights())
    teacher = plain_network(work.plan.model, network / "weights.npz")
    found = distil(
        model,
        lambda images: predict(teacher, material.raw.numbers(images)),
        material.dataset.images[material.dataset.splits["calibration"]],
        grid_of(config).pixels(work.scale),
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        seed=work.plan.seed,
        progress=lambda done, total, cost: work.run.console.step("distilled", done, total, f"divergence {cost:.4f}"),
    )
    write_weights(out / "plain.npz", plain.get_weights())
    (out / "ranges.json").write_bytes((calibrated / "ranges.json").read_bytes())
    write_weights(out / "weights.npz", model.get_weights())
    write_json(out / "distilled.json", asdict(found))


def _agreement(wanted: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return how near two networks' probabilities [N, classes] are, on the calibration pictures."""
    return {
        "divergence": divergence(wanted, found),
        "agreement_top1": float(np.mean(wanted.argmax(1) == found.argmax(1))),
    }
