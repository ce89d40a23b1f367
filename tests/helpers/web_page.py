"""The page for a browser with a stand-in for the network, so that it takes no compiler."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from tests.helpers.needs import ROOT

PAGE = ROOT / "sqz_tf" / "deploy" / "web" / "page"
SCRIPTS = ("language.js", "png.js", "picture.js", "camera.js", "judged.js", "answer.js", "page.js")
SIDE = 32


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
    } | changes


def write(folder: Path, embedded: dict[str, Any], name: str = "page.html") -> Path:
    """Write the page with the stand-in into a folder and return its path."""
    engine = Path(__file__).with_name("fake_engine.js").read_text(encoding="utf-8")
    script = '"use strict";\n(() => {\n' + "\n".join([engine, *map(text, SCRIPTS)]) + "})();\n"
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = text("page.css")
    styled = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{hashed}' 'wasm-unsafe-eval'; style-src 'sha256-{styled}'; "
        "img-src data: blob:; media-src blob:; base-uri 'none'; form-action 'none'"
    )
    loader = jinja2.FileSystemLoader(PAGE)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    values = {"title": embedded["title"], "policy": policy, "style": style, "script": script}
    packed = {"model": json.dumps(embedded).replace("<", "\\u003c"), "words": text("words.json")}
    path = folder / name
    path.write_text(environment.get_template("page.html.j2").render(**values, **packed), encoding="utf-8")
    return path


def text(name: str) -> str:
    """Return one of the page's files."""
    return (PAGE / name).read_text(encoding="utf-8")
