"""One HTML file that holds a model, what runs it and what a person sees; it asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from typing import Any

from converters import compiler
from converters.delta.trust import Trust
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.json_files import parse
from sqz_tf.deploy.web.program import Program

PROBABILITIES = (1 / 256, -128)
"""Scale and zero point that TFLite gives SOFTMAX and LOGISTIC."""
MARK = "<!doctype html>\n<!-- sqz-tf: a model to try -->\n"
"""What a page begins with."""
SCRIPTS = (
    *("engine.js", "language.js", "png.js", "picture.js", "camera.js", "judged.js", "answer.js", "update.js"),
    "page.js",
)
"""In the order in which they are put into one script."""


@dataclass(frozen=True)
class Facts:
    """What a page tells of its model.

    Attributes:
      title: its name.
      labels: of the outputs.
      card: name and text of each line of the model card.
      boards: what chips would need, as `facts.needs` gives it.
      tests: test pictures, as `facts.chosen` gives them.
      trust: whose updates it takes; None for nobody's.
    """

    title: str
    labels: Sequence[str]
    card: Sequence[tuple[str, str]] = ()
    boards: Sequence[Mapping[str, Any]] = ()
    tests: Sequence[Mapping[str, Any]] = ()
    trust: Trust | None = None


def require_templates() -> None:
    """Make sure that a page can be drawn.

    Raises:
      ConfigError: Jinja2 is missing.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise ConfigError("a page needs Jinja2", fix="run: pip install 'sqz-tf[web]'")


def render(program: Program, facts: Facts) -> str:
    """Return the page; the same arguments give the same text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sqz_tf.deploy.web", "page"), autoescape=True, undefined=StrictUndefined
    )
    style, script = lean(_text("page.css")), _script()
    return MARK + environment.get_template("page.html.j2").render(
        title=facts.title,
        policy=policy(style, script),
        style=style,
        script=script,
        words=_embedded(parse(_text("words.json"), dict[str, Any], what="words.json")),
        model=_embedded(embedded(program, facts)),
    )


def is_page(beginning: bytes) -> bool:
    """Whether a file that begins so is such a page."""
    return beginning.startswith(MARK.encode())


def embedded(program: Program, facts: Facts) -> dict[str, Any]:
    """Return what the page's script reads."""
    source = program.compilation.program.streams[0]
    return {
        "title": facts.title,
        "labels": list(facts.labels),
        "input": {name: getattr(source, name) for name in ("width", "height", "channels")},
        "card": {"rows": [list(row) for row in facts.card]},
        "boards": [dict(each) for each in facts.boards],
        "tests": [dict(each) for each in facts.tests],
        "wasm": _wasm(program),
        "updates": _updates(program, facts.trust),
    }


def _updates(program: Program, trust: Trust | None) -> dict[str, Any] | None:
    """Return what the page checks updates by."""
    if trust is None or program.slot is None:
        return None
    return {**trust.stored, "network": program.slot.network.hex(), "room": program.slot.room}


def _wasm(program: Program) -> dict[str, Any]:
    parts = (program.simd.code, program.plain.code, program.weights)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    packed = packer.compress(b"".join(parts)) + packer.flush()
    compiled = program.compilation.program
    scores = compiled.streams[compiled.output]
    return {
        "packed": base64.b85encode(packed, pad=True).replace(b"<", b",").decode(),  # in HTML "<" is six letters
        "bytes": len(packed),
        "lengths": [len(part) for part in parts],
        "at": [program.simd.weights_at, program.plain.weights_at],
        "arena": compiler.report(program.compilation)["arena"]["bytes"],
        "outputs": scores.height * scores.row_bytes,
        "scale": scores.scale,
        "zeroPoint": scores.zero_point,
        "probabilities": (scores.scale, scores.zero_point) == PROBABILITIES,
    }


def policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: these texts, WebAssembly, one's own pictures, nothing from anywhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)} 'wasm-unsafe-eval'",
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "media-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _script() -> str:
    return '"use strict";\n(() => {\n' + "\n".join(lean(_text(name)) for name in SCRIPTS) + "})();\n"


def _embedded(value: Any) -> str:
    """Return JSON that can lie in a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def lean(text: str) -> str:
    """Return a script or style without lines of comment and indentation: a tenth, which nobody reads in a page."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**"))) + "\n"


def _text(name: str) -> str:
    return (resources("sqz_tf.deploy.web") / "page" / name).read_text(encoding="utf-8")
