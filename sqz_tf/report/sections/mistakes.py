"""Mistakes: the surest pictures that int8 got wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from sqz_tf.base.units import short
from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.sections.section import Section, Values
from sqz_tf.report.words import count


def mistakes_sentence(report: dict[str, Any], shown: int) -> str:
    """Say how many of the mistakes are shown."""
    int8 = report["accuracy"]["int8"]
    wrong = round((1 - int8["top1"]) * int8["n"])
    if shown >= wrong:
        return f"All {count(wrong)} test pictures the int8 model got wrong, the surest first."
    return f"The {shown} surest of {count(wrong)} test pictures the int8 model got wrong."


def _picture(mistake: Mistake) -> dict[str, Any]:
    """Return what the page shows of a mistake; the image as a `data:` address."""
    pixels = mistake.image[..., 0] if mistake.image.shape[-1] == 1 else mistake.image
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(png, "PNG", optimize=True)
    return {
        "source": "data:image/png;base64," + base64.b64encode(png.getvalue()).decode(),
        "small": max(pixels.shape[:2]) < 120,
        "truth": short(mistake.truth, 40),
        "predicted": short(mistake.predicted, 40),
        "probability": mistake.probability,
        "name": short(mistake.name, 60),
    }


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    return {
        "mistakes": [_picture(mistake) for mistake in wrong],
        "mistakes_sentence": mistakes_sentence(report, len(wrong)),
    }


SECTION = Section("mistakes", "Mistakes", "mistakes.html.j2", _context)
