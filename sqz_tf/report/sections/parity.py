"""Parity: every comparison between runtimes, in words."""

from __future__ import annotations

from typing import Any

from sqz_tf.report.sections.section import Section
from sqz_tf.report.words import count, percent

MUST_BE = {
    "equal": "exactly equal",
    "close": "nearly the same numbers",
    "accuracy": "as accurate",
    "none": "reported only",
}


EDGE_WORDS = {
    "float": "Float",
    "keras_float": "Keras float",
    "tflite_float": "TFLite float",
    "int8": "int8",
    "int8_litert_ref": "int8 reference kernels",
    "litert_builtin": "LiteRT, built-in kernels",
    "litert_xnnpack": "LiteRT, XNNPACK",
    "tflite_runtime_ref": "tflite-runtime 2.14",
    "tflm": "TFLite Micro",
    "compiled_c": "compiled C",
    "uint8_twin": "uint8 twin, less 128",
    "input_quantization": "Input is pixel ^ 0x80",
    "labels": "One label for each output",
    "preprocess": "Preprocessing inside the file",
}


def edges(parity: dict[str, Any]) -> list[dict[str, str]]:
    """Return the comparisons in words: failed ones first, then by strictness."""

    def place(item: tuple[str, dict[str, Any]]) -> tuple[int, int, str]:
        name, edge = item
        state = 0 if edge["passed"] is False else 2 if edge["passed"] is None else 1
        return state, list(MUST_BE).index(edge["gate"]) if edge["gate"] in MUST_BE else len(MUST_BE), name

    return [_edge(name, edge) for name, edge in sorted(parity.items(), key=place)]


def _edge(name: str, edge: dict[str, Any]) -> dict[str, str]:
    not_judged = "– skipped" if edge["skipped"] else "– reported"
    verdicts = {True: ("✓ passed", "good"), False: ("✕ failed", "bad"), None: (not_judged, "quiet")}
    verdict, tone = verdicts[edge["passed"]]
    return {
        "title": " ↔ ".join(EDGE_WORDS.get(part, part.replace("_", " ")) for part in name.split("-")),
        "must": MUST_BE.get(edge["gate"], edge["gate"]),
        "found": _found(edge),
        "verdict": verdict,
        "tone": tone,
    }


def _found(edge: dict[str, Any]) -> str:
    if edge["skipped"]:
        return str(edge["skipped"])
    said = []
    if edge["equal"]:
        said.append("no difference")
    elif edge["max_abs_diff"] is not None:
        said.append(f"largest difference {edge['max_abs_diff']:.3g}")
    elif edge["equal"] is False:
        said.append("different")
    if edge["first_bad_layer"]:
        said.append(f"first in {edge['first_bad_layer']}")
    if edge["agreement_top1"] is not None:
        said.append(f"same answer on {percent(edge['agreement_top1'])}")
    if edge["n"]:
        said.append(f"{count(edge['n'])} pictures")
    return ", ".join(said)


SECTION = Section("parity", "Parity", "parity.html.j2")
