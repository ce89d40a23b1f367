"""The content of report.json, from what a recipe made, what was assembled and what the judge said."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.tflite.reader import Model, macs, read_model
from sqz_tf import __version__
from sqz_tf.artifact.exported import INT8
from sqz_tf.artifact.workspace import Stage
from sqz_tf.base import stats
from sqz_tf.base.spec import to_dict
from sqz_tf.base.units import xz_size
from sqz_tf.data.dataset import Dataset
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.parity.edges import trusted_runtime
from sqz_tf.parity.verdict import ParityReport, int8_scores
from sqz_tf.pipeline.assemble import Assembled, configuration
from sqz_tf.pipeline.convert import Converted
from sqz_tf.pipeline.packing import figures_of
from sqz_tf.pipeline.quantizing import BEFORE, RIVAL
from sqz_tf.pipeline.run import Made, Run
from sqz_tf.quantize.schemes.every import scheme_of
from sqz_tf.quantize.schemes.scheme import Judged
from sqz_tf.report.schema import FORMAT
from sqz_tf.train.squeezenet import plain_squeezenet


@dataclass(frozen=True)
class Result:
    """Everything that a finished export knows of itself."""

    run: Run
    made: Made
    pretrained: Pretrained | None
    converted: Converted
    assembled: Assembled
    parity: ParityReport
    folder: Path
    packed: Stage | None


def figures(result: Result) -> dict[str, Any]:
    """Return the content of report.json."""
    run, made, parity = result.run, result.made, result.parity
    int8 = read_model((result.folder / INT8).read_bytes())
    labels = held_out_labels(made.material.dataset)
    return {
        "format": FORMAT,
        "sqz_tf": __version__,
        "name": made.material.dataset.name,
        "command": " ".join(shlex.quote(part) for part in ["python", "-m", *run.command]),
        "scheme": run.plan.quantize.scheme,
        "data": _data(result),
        "model": to_dict(run.plan.model),
        "preprocess": to_dict(made.material.preprocess),
        "config": configuration(run, made, result.pretrained),
        "accuracy": _accuracy(made, parity, labels),
        "agreement_top1": parity.agreement_top1,
        "sparsity": {
            "target": made.sparsity_target,
            "pattern": run.plan.prune.pattern,
            "layers": parity.sparsity,
        },
        "sizes": {name: {"bytes": len(content), "xz": xz_size(content)} for name, content in _contents(result.folder)},
        "params": plain_squeezenet(run.plan.model).count_params(),
        "macs": macs(int8),
        "tflm": _tflm(result.assembled, int8),
        "mcu": result.assembled.compiled,
        "parity": {name: asdict(edge) for name, edge in parity.edges.items()},
        "sqnr": parity.sqnr,
        "training": made.training,
        "confusion": stats.confusion(parity.int8_scores, labels).tolist(),
        "gate": {
            "passed": parity.passed,
            "failures": list(parity.failures),
            "warnings": list(parity.warnings),
        },
        "licences": [result.pretrained.licence] if result.pretrained else [],
        **made.more,
        **({"pack": figures_of(result.packed)} if result.packed else {}),
        **scheme_of(run.plan.quantize).figures(int8, _judged(result, labels)),
        "stages": list(run.workspace.seconds),
        "seconds": {name: round(seconds, 2) for name, seconds in run.workspace.seconds.items()},
    }


def notes(made: Made, pretrained: Pretrained | None) -> list[str]:
    """Return what a person should know of the data and the weights."""
    return [*made.notes, *made.material.dataset.notes, *(pretrained.notes if pretrained else ())]


def held_out_labels(data: Dataset) -> np.ndarray:
    """Return the labels of the pictures that judge, integers [N]."""
    labels: np.ndarray = data.labels[data.splits["test"]]
    return labels


def _data(result: Result) -> dict[str, Any]:
    data = result.made.material.dataset
    return {
        "source": result.run.plan.data.source,
        "name": data.name,
        "classes": list(data.classes),
        "counts": {name: len(index) for name, index in data.splits.items()},
        "per_class": {name: _per_class(data, index) for name, index in data.splits.items()},
        "licence": data.licence,
        "notes": notes(result.made, result.pretrained),
    }


def _per_class(data: Dataset, index: np.ndarray) -> list[int]:
    labels = data.labels[index]
    return np.bincount(labels[labels >= 0], minlength=len(data.classes)).tolist()


def _accuracy(made: Made, parity: ParityReport, labels: np.ndarray) -> dict[str, Any]:
    pruned = None if made.pruned_scores is None else asdict(stats.accuracy(made.pruned_scores, labels))
    return {
        "float": asdict(parity.accuracy["float"]),
        "pruned": pruned,
        "final_float": asdict(parity.accuracy["final_float"]),
        "int8": asdict(parity.accuracy["int8"]),
        "drop_pp": parity.drop.drop_pp,
        "drop_interval_pp": list(parity.drop.interval_pp),
        "mcnemar_p": parity.drop.mcnemar_p,
        "flips": {"lost": parity.drop.lost, "gained": parity.drop.gained},
    }


def _tflm(assembled: Assembled, int8: Model) -> dict[str, Any]:
    arena = assembled.arena
    return {
        "arena_bytes": arena and arena.total,
        "arena_measured_bytes": arena and arena.measured,
        "margin_bytes": arena and arena.margin,
        "ops": sorted(int8.op_names),
    }


def _judged(result: Result, labels: np.ndarray) -> Judged:
    """Return what the held-out pictures said, for the scheme's own figures."""
    before, rival = (_scores(result, result.converted.rival(name)) for name in (BEFORE, RIVAL))
    return Judged(labels, result.parity.int8_scores, before, rival, result.made.trimming)


def _scores(result: Result, model: bytes | None) -> np.ndarray | None:
    """Return what another quantization says of the held-out pictures, int8 [N, classes]."""
    if model is None:
        return None
    data = result.made.material.dataset
    return int8_scores(model, trusted_runtime(result.parity.edges), data.images, data.splits["test"])


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file the report gives sizes for: all but what describes the result."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (path.parent != folder or name.startswith(("model", "labels"))):
            yield name, path.read_bytes()
