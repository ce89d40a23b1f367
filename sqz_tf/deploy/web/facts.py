"""What a page tells of its model: the model card, what chips would need, test pictures with what they show."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from sqz_tf.base.units import kib
from sqz_tf.deploy.boards import board
from sqz_tf.deploy.need import Model, Verdict, judge
from sqz_tf.inference.model_file import ModelFile

Scored = tuple[np.ndarray, int, np.ndarray]
"""A picture as the network sees it, uint8 [height, width, channels], the right output, and scores [classes]."""
BOARDS = ("microbit-v2", "pico-2", "teensy-4.1")
"""What a class, a maker and an engineer have, from the slowest to the fastest; one target, so compiled once."""
SHOWN_TESTS = 24
TESTS_BYTES = 400_000  # of them all; the first is always shown


def needs(model: bytes) -> list[dict[str, Any]]:
    """Return what a model needs of BOARDS.

    Returns:
      Of each `name`, `ram` and `flash` in bytes, `milliseconds` from and to, `fits`.

    Raises:
      FitError: the model cannot be compiled.
    """
    return [_need(verdict) for verdict in judge(Model(model), [board(name) for name in BOARDS], None)]


def _need(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.board.title,
        "ram": verdict.compiled.ram,
        "flash": verdict.compiled.flash,
        "milliseconds": [round(value, 2) for value in verdict.milliseconds],
        "fits": verdict.fits,
    }


def card(model: ModelFile, report: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return the lines of the model card: what the export's report tells, if there is one, and what the file tells."""
    spec = model.preprocess
    rows = [
        ("Input", f"{spec.width} × {spec.height} × {spec.channels}"),
        ("Classes", str(len(model.labels))),
        ("Size", f"{kib(len(model.content))} as .tflite"),
    ]
    return _measured(report) + rows if report else rows


def _measured(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was measured; a page may be shown to anybody, so paths of whoever made it stay out."""
    int8, data = report["accuracy"]["int8"], report["data"]
    low, high = (100 * share for share in int8["interval"])
    return [
        ("Top-1", f"{100 * int8['top1']:.1f} % ({low:.1f} to {high:.1f}) on {int8['n']:,} pictures"),
        ("Data", f"{data['name']}; licence: {data['licence'] or 'not stated'}"),
    ]


def chosen(pictures: Iterable[Scored], most: int = SHOWN_TESTS) -> list[dict[str, Any]]:
    """Return test pictures for a page, those that the network gets wrong first, the surest of them first.

    Args:
      pictures: all there are to choose from.
      most: how many to return; half of them at most are wrong ones, as long as there are right ones.
    """
    wrong: list[tuple[float, dict[str, Any]]] = []
    right: list[tuple[float, dict[str, Any]]] = []
    for pixels, truth, scores in pictures:
        answer = int(np.argmax(scores))
        kept = wrong if answer != truth else right
        kept.append((float(scores[answer]), {"picture": _png(pixels), "truth": int(truth), "answer": answer}))
    wrong.sort(key=lambda each: -each[0])
    few = wrong[: max(most // 2, most - len(right))]
    spread: Sequence[Any] = right[:: max(1, len(right) // max(1, most - len(few)))]
    return _within([picture for _, picture in [*few, *spread][:most]])


def _within(pictures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many as have room, evenly chosen."""
    size = sum(len(each["picture"]) for each in pictures)
    step = max(1, -(-size // TESTS_BYTES))
    return pictures[::step]


def _png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
