"""The page of an export: the network to try in a browser, with test pictures, those that int8 got wrong first."""

from __future__ import annotations

from typing import Any

from sqz_tf.artifact.exported import INT8, PAGE
from sqz_tf.deploy.web import facts, toolchain
from sqz_tf.deploy.web.page import Facts, render
from sqz_tf.deploy.web.program import build
from sqz_tf.inference import model_file
from sqz_tf.pipeline.figures import Result


def try_page(result: Result, report: dict[str, Any]) -> dict[str, Any]:
    """Write the page into the export's folder; return what its report tells of it."""
    model, data = model_file.read(result.folder / INT8), result.made.material.dataset
    test = data.splits["test"]
    scored = (
        (data.images[row], data.labels[row], scores)
        for row, scores in zip(test, result.parity.int8_scores, strict=True)
    )
    program = build(model.content, model.preprocess, toolchain.find())
    told = Facts(
        report["name"],
        model.labels,
        facts.card(model, report),
        facts.needs(model.content),
        facts.chosen(scored),
    )
    page = render(program, told).encode()
    (result.folder / PAGE).write_bytes(page)
    return {"name": PAGE, "bytes": len(page)}
