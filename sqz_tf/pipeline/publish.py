"""The last part of every export: converted → assembled → judged → figures → published or rejected."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from converters.tflite.writer import with_accuracy
from sqz_tf.artifact.exported import C_FOLDER, INT8, NUMBERS, UINT8, best_answers
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.parity.verdict import ParityReport, judge
from sqz_tf.pipeline.assemble import Assembled, assemble, describe, write_c
from sqz_tf.pipeline.convert import convert
from sqz_tf.pipeline.figures import Result, figures, held_out_labels
from sqz_tf.pipeline.packing import pack, too_much_lost
from sqz_tf.pipeline.run import Made, Run
from sqz_tf.pipeline.trying import try_page
from sqz_tf.report.document import to_json
from sqz_tf.report.mistakes import mistakes
from sqz_tf.report.pages import render_html, render_model_card
from sqz_tf.train.saved import rebuilt

MISTAKES_SHOWN = 24


def publish(run: Run, made: Made, pretrained: Pretrained | None) -> tuple[dict[str, Any], Path]:
    """Convert, judge and publish what a recipe made; return the report and the folder it is in."""
    converted = convert(run, made, pretrained)
    packed = pack(run, made, converted)
    started = time.monotonic()
    folder, (assembled, parity) = run.workspace.assemble(
        lambda out: _judged(run, made, pretrained, out, assemble(run, made, converted, pretrained, out, packed))
    )
    parity = dataclasses.replace(parity, failures=(*parity.failures, *too_much_lost(packed)))
    run.workspace.seconds["checked"] = time.monotonic() - started
    values = _report(Result(run, made, pretrained, converted, assembled, parity, folder, packed))
    return values, run.workspace.publish() if parity.passed else run.workspace.reject()


def _judged(
    run: Run, made: Made, pretrained: Pretrained | None, out: Path, assembled: Assembled
) -> tuple[Assembled, ParityReport]:
    data = made.material.dataset
    parity = judge(
        out,
        data.images,
        data.labels,
        run.plan.check,
        keras_predict=rebuilt(run.plan.model, (out / NUMBERS).read_bytes()),
        pruned_sparsity=made.sparsity,
        reference=best_answers(made.reference_scores),
        progress=run.console.note,
        rows=data.splits["test"],
    )
    for name in (INT8, UINT8):  # whose answers are the same
        model = (out / name).read_bytes()
        (out / name).write_bytes(with_accuracy(model, parity.accuracy["int8"].top1, len(data.splits["test"])))
    write_c(out / C_FOLDER, (out / INT8).read_bytes(), data.classes)
    return assembled, parity


def _report(result: Result) -> dict[str, Any]:
    """Write what describes the result, and the manifest once more; return the content of report.json."""
    values, out = figures(result), result.folder
    data = result.made.material.dataset
    test = data.splits["test"]
    wrong = mistakes(
        data.images[test],
        held_out_labels(data),
        result.parity.int8_scores,
        [data.names[row] for row in test],
        data.classes,
        MISTAKES_SHOWN,
    )
    if result.run.plan.web:
        values["page"] = try_page(result, values)
    (out / "report.html").write_text(render_html(values, wrong), encoding="utf-8")
    (out / "report.json").write_text(to_json(values), encoding="utf-8")
    (out / "README.md").write_text(render_model_card(values), encoding="utf-8")
    describe(result.run, result.made, result.pretrained, out)
    return values
