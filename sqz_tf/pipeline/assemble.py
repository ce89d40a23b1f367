"""Fill the output folder: models, labels, C for both routes to a microcontroller, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.compiler import analyse, files, report
from converters.tflite.writer import for_microcontroller
from converters.tflm_sources import tflm_files
from sqz_tf import __version__
from sqz_tf.artifact.exported import (
    C_FOLDER,
    FLOAT,
    INT8,
    KERAS,
    LABELS,
    LICENCE,
    NUMBERS,
    PACK,
    REFERENCE,
    TFLM_FOLDER,
    UINT8,
    best_answers,
)
from sqz_tf.artifact.manifest import manifest, write_manifest
from sqz_tf.artifact.workspace import Stage
from sqz_tf.base.errors import ConversionError, translated
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import to_dict
from sqz_tf.inference import interpreters
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline.convert import Converted
from sqz_tf.pipeline.run import Made, Run


@dataclass(frozen=True)
class Assembled:
    """What was measured while the folder was filled.

    Attributes:
      arena: TFLite-Micro's; None where its wheel is not installed.
      compiled: what the model compiled to C takes, as report.json has it.
    """

    arena: interpreters.ArenaUse | None
    compiled: dict[str, Any]


def assemble(
    run: Run, made: Made, converted: Converted, pretrained: Pretrained | None, out: Path, packed: Stage | None
) -> Assembled:
    """Fill the folder `out`, all but what describes the result."""
    for name in (KERAS, NUMBERS, FLOAT, INT8, UINT8):
        (out / name).write_bytes((converted.models.folder / name).read_bytes())
    if packed:
        (out / PACK).write_bytes((packed.folder / PACK).read_bytes())
    if pretrained:
        (out / LICENCE).write_text(pretrained.licence, encoding="utf-8")
    labels = made.material.dataset.classes
    (out / LABELS).write_text("".join(f"{name}\n" for name in labels), encoding="utf-8")
    np.save(out / REFERENCE, best_answers(made.reference_scores))
    int8 = (out / INT8).read_bytes()
    small = for_microcontroller(int8)
    arena = _arena(run, made, small)
    _write_tflm(out / TFLM_FOLDER, made, small, arena)
    compiled = write_c(out / C_FOLDER, int8, labels)
    describe(run, made, pretrained, out)
    return Assembled(arena, compiled)


def describe(run: Run, made: Made, pretrained: Pretrained | None, out: Path) -> None:
    """Write the manifest of what is in the folder now."""
    data = made.material.dataset
    values = manifest(
        out, config=configuration(run, made, pretrained), data_sha256=data.sha256, command=list(run.command)
    )
    write_manifest(out, values)


def configuration(run: Run, made: Made, pretrained: Pretrained | None) -> dict[str, Any]:
    """Return what the result can be reproduced from, one entry a stage."""
    weights = pretrained and {
        "source": pretrained.source,
        "layout": pretrained.layout,
        "sha256": pretrained.sha256,
    }
    return {
        **run.plan.to_dict(),
        "preprocess": to_dict(made.material.preprocess),
        "weights": weights,
        "calibration_data": made.calibration,
    }


def _arena(run: Run, made: Made, model: bytes) -> interpreters.ArenaUse | None:
    run.console.note("measuring the TFLM arena …")
    data = made.material.dataset
    sample = to_int8(np.asarray(data.images[data.splits["test"][:1]]))
    try:
        return interpreters.arena_bytes(model, sample)
    except (
        interpreters.Unavailable,
        interpreters.InterpreterError,
    ) as error:  # the latter fails an edge of the verdict
        run.console.note(f"note: the arena is not measured: {error}")
        return None


def _write_tflm(folder: Path, made: Made, model: bytes, arena: interpreters.ArenaUse | None) -> None:
    measured = {"arena_bytes": arena.total, "arena_measured_bytes": arena.measured} if arena else {}
    with translated(ConversionError, "the int8 model cannot be written as C arrays for TFLite Micro"):
        texts = tflm_files(
            model,
            labels=list(made.material.dataset.classes),
            settings={**measured, "preprocess": to_dict(made.material.preprocess)},
            provenance={"model": f"{INT8} without names and attached files", "tools": f"sqz-tf {__version__}"},
        )
    _write_texts(folder, texts)


def write_c(folder: Path, model: bytes, labels: tuple[str, ...]) -> dict[str, Any]:
    """Compile the model to C that streams rows; return what it takes.

    NAME.h holds the model's hash, so what changes the file has to be followed by this.
    """
    with translated(ConversionError, "the int8 model cannot be compiled to C"):
        compilation = analyse(model)
        tools = {"tools": f"sqz-tf {__version__}", "model": INT8}
        texts = files(compilation, Path(INT8).stem, tools, list(labels))
    _write_texts(folder, texts)
    takes = report(compilation)
    return {
        "target": takes["target"],
        "arena_bytes": takes["arena"]["bytes"],
        "weight_bytes": takes["flash"]["total"],
        "timeline": {name: takes["timeline"][name] for name in ("kept", "working")},
        "whole_maps": takes["whole_maps"],
    }


def _write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
