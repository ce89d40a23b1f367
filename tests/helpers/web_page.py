"""The page for a browser with a stand-in for the network, so that it takes no compiler."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from sqz_tf.deploy.web import page
from tests.helpers.needs import ROOT

PAGE = ROOT / "sqz_tf" / "deploy" / "web" / "page"
SIDE = 32
GATE = """
let shutNow = null;
const read = Blob.prototype.arrayBuffer;
Blob.prototype.arrayBuffer = async function () { await shutNow; return read.call(this); };
window.shut = () => { shutNow = new Promise((go) => (window.free = () => { shutNow = null; go(); })); };
window.leave = () => { shutNow = null; };
"""
"""A script that holds files back after `shut()`, until `free()`; after `leave()` new ones are read at once."""


def png(pixels: np.ndarray) -> bytes:
    """Return pixels as the bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def brightness(value: int) -> np.ndarray:
    """Return an even picture, uint8 [SIDE, SIDE, 3]; the stand-in answers with its brightness in tenths."""
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def facts(**changes: Any) -> dict[str, Any]:
    """Return what is embedded in a page: ten labels, three boards, one wrong and one right test picture."""

    def test(value: int, truth: int, answer: int) -> dict[str, Any]:
        picture = "data:image/png;base64," + base64.b64encode(png(brightness(value))).decode()
        return {"picture": picture, "truth": truth, "answer": answer}

    return {
        "title": "digits",
        "labels": [str(i) for i in range(10)],
        "input": {"width": SIDE, "height": SIDE, "channels": 3},
        "card": {"rows": [["Data", "digits"], ["Top-1", "98.8 %"]]},
        "boards": [
            {"name": name, "ram": 18840, "flash": 61234, "milliseconds": [12.5, 18.25], "fits": fits}
            for name, fits in (("Slow board", True), ("Middle board", True), ("Small board", False))
        ],
        "tests": [test(60, 7, 2), test(200, 7, 7)],
        "updates": None,
    } | changes


def write(folder: Path, embedded: dict[str, Any], name: str = "page.html") -> Path:
    """Write the page with the stand-in into a folder and return its path."""
    engine = Path(__file__).with_name("fake_engine.js").read_text(encoding="utf-8")
    others = (page.lean(text(each)) for each in page.SCRIPTS if each != "engine.js")
    style, script = page.lean(text("page.css")), '"use strict";\n(() => {\n' + "\n".join([engine, *others]) + "})();\n"
    loader = jinja2.FileSystemLoader(PAGE)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    packed = {"model": json.dumps(embedded).replace("<", "\\u003c"), "words": text("words.json")}
    values = {"title": embedded["title"], "policy": page.policy(style, script), "style": style, "script": script}
    path = folder / name
    path.write_text(page.MARK + environment.get_template("page.html.j2").render(**values, **packed), encoding="utf-8")
    return path


def text(name: str) -> str:
    """Return one of the page's files."""
    return (PAGE / name).read_text(encoding="utf-8")
