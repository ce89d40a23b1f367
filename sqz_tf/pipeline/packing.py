"""From an int8 `.tflite` and pictures to a pack: the compressor's steps as stages, judged on the pictures held out."""

from __future__ import annotations

import hashlib
import lzma
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from converters import packs
from sqz_tf.artifact.exported import FLOAT, INT8, PACK
from sqz_tf.artifact.workspace import Stage
from sqz_tf.base import stats
from sqz_tf.base.spec import MIRRORED, PackConfig
from sqz_tf.compress.curve import Curve, Point
from sqz_tf.compress.job import (
    DIVERGENCE_A_POINT,
    Goal,
    Pictures,
    Step,
    measure,
    points,
    prepare,
    reach,
    read_moments,
    write_moments,
)
from sqz_tf.compress.network import Network
from sqz_tf.parity.artifacts import spread
from sqz_tf.parity.verdict import int8_scores
from sqz_tf.pipeline.convert import Converted
from sqz_tf.pipeline.files import read_json, write_json
from sqz_tf.pipeline.run import Made, Run
from sqz_tf.train.keras import make_deterministic

FIGURES = "pack.json"
MOMENTS = "moments.npz"
MOST_LEARNT = 2000  # pictures
MOST_JUDGED = 1000  # pictures, for a point of the curve; the result is judged on all
RUNTIME = "litert-xnnpack"  # what people run by default; one kernel for all points of the curve

RunStage = Callable[..., Stage]


@dataclass(frozen=True, eq=False)
class Held:
    """Pictures that judge.

    Attributes:
      images: uint8 [N, H, W, C], may be a memory map.
      rows: integers [M], which of them judge.
      labels: integers [M].
      right: bool [M], whether float gets it.
    """

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    right: np.ndarray


@dataclass(frozen=True, eq=False)
class Task:
    """What is packed, and with what.

    Attributes:
      int8: the `.tflite` to pack, labels and all.
      float32: what it was quantized from, if that is known.
      images: uint8 [N, H, W, C]; no label of theirs is looked at.
      held: pictures that judge; None where there are none with labels.
      mirrored: whether a picture's mirror image shows the same.
      config: what the pack must keep to.
      seed: of copies and order.
    """

    int8: bytes
    float32: bytes | None
    images: np.ndarray
    held: Held | None
    mirrored: bool
    config: PackConfig
    seed: int

    def pictures(self) -> Pictures:
        """Return the pictures to learn from and those kept back."""
        return Pictures.parted(self.images, self.mirrored)


def pack_stages(task: Task, stage: RunStage, step: Step, needs: Sequence[Stage] = ()) -> Stage:
    """Run or resume the stages that pack; return the one that holds `PACK` and `FIGURES`.

    Args:
      stage: runs or resumes a stage, as `Run.stage`.
      needs: stages that the task's values are from.

    Raises:
      ConfigError: no rounding keeps to the budget.
      GraphError: the network cannot be differentiated.
    """
    content = [hashlib.sha256(part or b"").hexdigest() for part in (task.int8, task.float32)]
    content.append(hashlib.sha256(np.ascontiguousarray(task.images).data).hexdigest())
    parts = [*content, task.mirrored, task.seed]
    measured = stage("moments", parts, lambda out: _measure(task, out, step), needs=needs)
    judges = _fingerprint(task.held)
    return stage("packed", [task.config, judges], lambda out: _pack(task, measured.folder, out, step), needs=[measured])


def _fingerprint(held: Held | None) -> str:
    """Return a hash of what judges: which rows, what they show and what float says of them."""
    parts = [] if held is None else [held.rows.astype("<i8"), held.labels.astype("<i8"), held.right]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def pack(run: Run, made: Made, converted: Converted) -> Stage | None:
    """Run or resume the stages that pack an export; None where no pack was asked for."""
    if run.plan.pack is None:
        return None
    data, folder = made.material.dataset, converted.models.folder
    test = data.splits["test"]
    labels = np.asarray(data.labels[test])
    held = Held(data.images, test, labels, stats.top_k_correct(made.reference_scores, labels, 1))
    images = np.asarray(data.images[learnt_rows(data.splits)])
    int8, float32 = ((folder / name).read_bytes() for name in (INT8, FLOAT))
    task = Task(int8, float32, images, held, run.plan.train.augment in MIRRORED, run.plan.pack, run.plan.seed)
    return pack_stages(task, run.stage, run.console.step, [converted.models])


def too_much_lost(packed: Stage | None) -> tuple[str, ...]:
    """Return a line if a pack lost more than it may."""
    figures = figures_of(packed) if packed else None
    if figures is None or figures["passed"]:
        return ()
    return (f"{loss(figures)}; give a larger --pack-budget-kb, or none",)


def loss(figures: dict[str, Any]) -> str:
    """Say what a pack loses."""
    chosen = next(point for point in figures["curve"] if point["chosen"])
    if chosen["drop"] is None:
        return f"the pack's answers diverge from float's by {chosen['divergence']:.4f} nats"
    low, high = chosen["drop"]["interval_pp"]
    return (
        f"the pack loses {chosen['drop']['drop_pp']:.2f} points of top-1 (95 % interval {low:.2f} to {high:.2f}, "
        f"{chosen['drop']['n']} pictures)"
    )


def learnt_rows(splits: dict[str, np.ndarray]) -> np.ndarray:
    """Return the rows of a data set that a network is packed with: those that trained it, else that calibrated it."""
    rows = splits["train"] if len(splits["train"]) else splits["calibration"]
    return rows[spread(len(rows), MOST_LEARNT)]


def _measure(task: Task, out: Path, step: Step) -> None:
    make_deterministic(task.seed)
    network = Network.read(task.int8, task.float32)
    write_moments(out / MOMENTS, measure(network, task.pictures(), task.seed, step))


def _pack(task: Task, measured: Path, out: Path, step: Step) -> None:
    make_deterministic(task.seed)
    network, pictures = Network.read(task.int8, task.float32), task.pictures()
    curve = prepare(network, pictures, read_moments(measured / MOMENTS, network), step)
    shown = points(curve, step)
    result = reach(curve, pictures, _goal(task.config), task.seed, step)
    (out / PACK).write_bytes(result.pack)
    write_json(out / FIGURES, _figures(task, curve, shown, result))


def _goal(config: PackConfig) -> Goal:
    budget = round(1000 * config.budget_kb) if config.budget_kb else None
    return Goal(budget, DIVERGENCE_A_POINT * config.max_drop, config.epochs)


def _figures(task: Task, curve: Curve, shown: Sequence[Point], result: Point) -> dict[str, Any]:
    chosen = {**_described(result, task.held, None), "chosen": True}
    others_shown = [{**_described(point, task.held, MOST_JUDGED), "chosen": False} for point in shown]
    lost = chosen["drop"]
    return {
        "passed": _near_enough(task.config, result) if lost is None else lost["interval_pp"][0] <= task.config.max_drop,
        "model_bytes": len(task.int8),
        "bytes": len(result.pack),
        "sections": packs.section_bytes(result.pack),
        "layers": _layers(curve, result),
        "others": others(task.int8),
        "curve": sorted([*others_shown, chosen], key=lambda point: -int(point["bytes"])),
        "learnt": len(curve.learnt),
        "kept_back": len(curve.kept),
    }


def _near_enough(config: PackConfig, result: Point) -> bool:
    """Judge without labels: a budget is kept to; else the divergence must be what a drop stands for."""
    return bool(config.budget_kb) or result.distance.divergence <= DIVERGENCE_A_POINT * config.max_drop


def _layers(curve: Curve, result: Point) -> list[dict[str, Any]]:
    names = curve.network.graph.names
    return [
        {
            "name": names[index],
            "weights": layer.integers.size,
            "zeros": float(np.mean(layer.integers == 0)),
            "bits": layer.bits / layer.integers.size,
        }
        for index, layer in result.layers.items()
    ]


def others(int8: bytes) -> dict[str, int]:
    """Return the bytes of a `.tflite` as it is and under well-known coders at their strongest."""
    deflate = zlib.compressobj(9, wbits=31)
    found = {"tflite": len(int8), "gzip": len(deflate.compress(int8) + deflate.flush())}
    found["xz"] = len(lzma.compress(int8, preset=9 | lzma.PRESET_EXTREME))
    found["zstd"] = len(zstandard.ZstdCompressor(level=22).compress(int8))
    return found


def _described(point: Point, held: Held | None, most: int | None) -> dict[str, Any]:
    """Return a point of the curve as plain values, judged on at most `most` of the pictures held out."""
    return {
        "bytes": len(point.pack),
        "price": point.price,
        "divergence": point.distance.divergence,
        "agreement": point.distance.agreement,
        "drop": None if held is None else asdict(drop(point.model, held, most)),
    }


def drop(model: bytes, held: Held, most: int | None) -> stats.Paired:
    """Return what a packed network loses of float's top-1 on at most `most` of the pictures held out, evenly spread."""
    rows = spread(len(held.labels), most or len(held.labels))
    scores = int8_scores(model, RUNTIME, held.images, held.rows[rows])
    return stats.paired_drop(held.right[rows], stats.top_k_correct(scores, held.labels[rows], 1))


def figures_of(packed: Stage) -> dict[str, Any]:
    """Return what a stage that packed kept of itself."""
    figures: dict[str, Any] = read_json(packed.folder / FIGURES)
    return figures
