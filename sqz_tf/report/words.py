"""The words, rows and numbers of a report: plain values in, texts and small dicts out. No markup."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from sqz_tf.base.spec import ModelSpec
from sqz_tf.base.units import duration, kib, short
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.report.order import layer_order

SPACE = "\u00a0"  # keeps a number and its unit together
MINUS = "−"
NO_ARENA = "not measured: tflite-micro is not installed"
MARKUP = frozenset("\\`*_{}[]()#!|~<>&$")

TITLES = {
    "float": "float",
    "pruned": "pruned",
    "final_float": "final float",
    "int8": "int8",
    "int8_xnnpack": "int8, XNNPACK",
}
PURPOSES = {
    "c/": "the int8 model compiled to C that takes the picture row by row: include model_int8.h",
    "labels.txt": "class names, one a line, in the order of the outputs",
    "model.keras": "the final network for further training, in Keras 3 or 2 (tf_keras)",
    "model_f32.safetensors": "its weights as arrays, for programs",
    "model_f32.tflite": "the final network in float, to compare with",
    "model_int8.tflite": "the product: int8 in and out",
    "model.sqz": "the network in fewer bytes, for this kit's commands in place of the `.tflite`",
    "try.html": "a page to try it in a browser, made of the same C",
    "model_uint8.tflite": "the same with uint8 in and out, for readers that want raw pixels",
    "tflm/model_data.cc": "the int8 model as a C array",
    "tflm/model_data.h": "its declaration",
    "tflm/op_resolver.h": "registers exactly the operators it uses",
    "tflm/settings.h": "arena, sizes, quantization and labels",
}


def percent(fraction: float, sign: str = f"{SPACE}%", digits: int = 1) -> str:
    """Return a fraction as `98.7 %`."""
    return f"{100 * fraction:.{digits}f}{sign}"


def points(value: float, digits: int = 2) -> str:
    """Return percentage points with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def count(value: int | None) -> str:
    """Return an integer in groups of three digits."""
    return "not measured" if value is None else f"{value:,}".replace(",", "\u202f")


def si(value: float) -> str:
    """Return a count as `3.21 M`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{SPACE}{unit}"
    return f"{value:.0f}"


def p_value(value: float) -> str:
    """Return a p value as `= 0.57`, `= 0.012` or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"


def markdown(value: Any) -> str:
    """Return a text on one line in which Markdown and HTML find no markup."""
    line = " ".join(str(value).split())
    return "".join(f"&#{ord(letter)};" if letter in MARKUP else letter for letter in line)


def fenced(value: str) -> str:
    """Return a text that cannot close the code fence it stands in."""
    return value.replace("```", "` ` `").replace("\n", " ")


def files(sizes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files by name, with what each is for; those of the compiled model as one."""
    joined = {name: size for name, size in sizes.items() if not name.startswith("c/")}
    if c_files := [size for name, size in sizes.items() if name.startswith("c/")]:
        joined["c/"] = {key: sum(size[key] for size in c_files) for key in ("bytes", "xz")}
    return [{"name": name, "purpose": PURPOSES.get(name, ""), **size} for name, size in sorted(joined.items())]


def subtitle(report: dict[str, Any]) -> str:
    """Return the network in one line."""
    model, preprocess = report["model"], report["preprocess"]
    arch = model["arch"].replace("squeezenet-", "SqueezeNet ")
    parts = [
        arch + (f", width {model['width']:g}" if model["width"] != 1 else ""),
        f"{preprocess['width']}{SPACE}×{SPACE}{preprocess['height']} "
        + ("grey" if preprocess["channels"] == 1 else "RGB"),
        f"{count(len(report['data']['classes']))} classes",
        f"scheme {report['scheme']}",
    ]
    if model["bypass"] != "none":
        parts.insert(1, f"{model['bypass']} bypass")
    return ", ".join(parts)


def drop_sentence(report: dict[str, Any]) -> str:
    """Say what int8 costs, with its interval and the gate."""
    accuracy, most = report["accuracy"], report["config"]["check"]["max_drop"]
    drop, (low, high) = accuracy["drop_pp"], accuracy["drop_interval_pp"]
    interval = f"95{SPACE}% interval {points(low)} to {points(high)}"
    if drop > 0:
        said = f"int8 loses {points(drop)} points of top-1 against float ({interval})"
    elif drop < 0:
        said = f"int8 gains {points(-drop)} points of top-1 over float (loss {points(drop)}, {interval})"
    else:
        said = f"int8 loses nothing of float's top-1 ({interval})"
    return f"{said}; at most {points(most, 1)} may be lost."


def exact_sentence(report: dict[str, Any]) -> str:
    """Say how the byte-for-byte comparisons went."""
    exact = [edge for edge in report["parity"].values() if edge["gate"] == "equal"]
    skipped = sum(edge["passed"] is None for edge in exact)
    equal = sum(edge["passed"] is True for edge in exact)
    said = f"{equal} of {len(exact) - skipped} exact comparisons found no difference"
    return f"{said}, {skipped} skipped." if skipped else f"{said}."


def float_sentence(report: dict[str, Any]) -> str:
    """Say which networks the rows `float` and `final float` are about."""
    if "calibration" in report and not report["training"]:
        return "Float is the network with the weights it was given, final float the same as `model_f32.tflite`."
    before = "the dense network before pruning" if report["sparsity"]["target"] else "the network before quantization"
    if _in_blocks(report):
        before += " blocks of four channels by two inputs"
    return f"Float is {before}, final float the network in `model_f32.tflite`."


def _in_blocks(report: dict[str, Any]) -> bool:
    return bool(report["sparsity"]["target"]) and report["sparsity"].get("pattern") == "block"


def agreement_sentence(report: dict[str, Any]) -> str:
    """Say how often int8 answers like each float network, which one by name."""
    said = "int8 gives the answer of model_f32.tflite, the final float network, on "
    said += f"{percent(report['agreement_top1'])} of the pictures"
    before = report["parity"].get("float-int8", {}).get("agreement_top1")
    return f"{said}." if before is None else f"{said}, and that of float on {percent(before)}."


def verdict_lines(report: dict[str, Any]) -> list[str]:
    """Return the verdict for a terminal: warnings, failures, and the word itself last."""
    gate = report["gate"]
    lines = [f"warning: {line}" for line in gate["warnings"]]
    lines += [f"failure: {line}" for line in gate["failures"]]
    return [*lines, "PASSED. " + exact_sentence(report) if gate["passed"] else "FAILED: do not ship this result."]


def accuracy_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the measured models in the order they were made."""
    measured = {key: value for key, value in report["accuracy"].items() if isinstance(value, dict) and "top1" in value}
    keys = [key for key in TITLES if key in measured] + sorted(set(measured) - set(TITLES))
    return [{"key": key, "title": TITLES.get(key, key.replace("_", " ")), **measured[key]} for key in keys]


def tiles(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return the figures a reader wants first."""
    int8, size = report["accuracy"]["int8"], report["sizes"]["model_int8.tflite"]
    smaller = report["sizes"]["model_f32.tflite"]["bytes"] / size["bytes"]
    low, high = int8["interval"]
    return [
        _tile(
            "int8 top-1", percent(int8["top1"]), f"{percent(low, '')} to {percent(high)} on {count(int8['n'])} pictures"
        ),
        _tile("Lost against float", f"{points(report['accuracy']['drop_pp'])}{SPACE}points", _gate_note(report)),
        _tile("Model file", kib(size["bytes"]), f"{kib(size['xz'])} packed, {smaller:.1f} times smaller than float"),
        _ram_tile(report),
        _tile("Work", f"{si(report['macs'])}{SPACE}MACs", f"for one picture, {si(report['params'])} parameters"),
        _tile("Zero weights", *_zeros(report)),
    ]


def _tile(label: str, value: str, note: str) -> dict[str, str]:
    number, _, unit = value.partition(SPACE)
    return {"label": label, "value": number, "unit": unit.replace(SPACE, " "), "note": note}


def _ram_tile(report: dict[str, Any]) -> dict[str, str]:
    """Return what the compiled model needs, or TFLite Micro where it was not compiled."""
    arena = report["tflm"]["arena_bytes"]
    if "mcu" in report:
        note = "arena" if arena is None else f"arena; TFLite Micro reserves {kib(arena)}"
        return _tile("RAM, compiled to C", kib(report["mcu"]["arena_bytes"]), note)
    return _tile("RAM, TFLite Micro", "not measured" if arena is None else kib(arena), _arena_note(report["tflm"]))


def _gate_note(report: dict[str, Any]) -> str:
    return f"of top-1; at most {points(report['config']['check']['max_drop'], 1)} may be lost"


def _arena_note(tflm: dict[str, Any]) -> str:
    if tflm["arena_measured_bytes"] is None or tflm["margin_bytes"] is None:
        return "tflite-micro is not installed"
    return f"arena: {kib(tflm['arena_measured_bytes'])} used, {kib(tflm['margin_bytes'])} margin"


def _zeros(report: dict[str, Any]) -> tuple[str, str]:
    layers, target = report["sparsity"]["layers"], report["sparsity"]["target"]
    if not layers:
        return "none", "not pruned"
    lost = layers_lost(layers)
    if lost:
        note = f"lost in {len(lost)} of {len(layers)} layers"
    elif target:
        blocks = ", in blocks" if _in_blocks(report) else ""
        note = f"kept in all {len(layers)} pruned layers{blocks}"
    else:
        note = f"not pruned here, kept in all {len(layers)} layers"
    return percent(target if target else _share_of_zeros(report), digits=0), note


def _share_of_zeros(report: dict[str, Any]) -> float:
    """Return the share of zeros among all weights of the int8 model's measured layers."""
    layers = report["sparsity"]["layers"]
    known = {field.name for field in fields(ModelSpec)}
    shapes = layer_shapes(ModelSpec(**{name: value for name, value in report["model"].items() if name in known}))
    weights = {name: math.prod(shapes[name]) for name in layers if name in shapes}
    zeros = sum(count * layers[name]["tflite"] for name, count in weights.items())
    return float(zeros / max(1, sum(weights.values())))


def layers_lost(layers: dict[str, Any]) -> list[str]:
    """Return the layers with fewer zeros in the int8 model than pruning left."""
    return [name for name in layer_order(layers) if layers[name]["tflite"] < layers[name]["pruned"] - 1e-9]


def preprocessing(spec: dict[str, Any]) -> list[str]:
    """Say what happens to a picture, step by step, from `PreprocessSpec`'s fields."""
    size, resized = (spec["width"], spec["height"]), (spec["resize_width"], spec["resize_height"])
    steps = ["Decode to 8-bit RGB, upright as EXIF says, transparency on white."]
    if spec["channels"] == 1:
        steps.append("Grey: (77 R + 150 G + 29 B + 128) >> 8.")
    if spec["fit"] == "centre-crop":
        shape = "square" if resized[0] == resized[1] else f"rectangle with sides {resized[0]} : {resized[1]}"
        steps.append(f"Cut the largest centred {shape}.")
    steps.append(
        f"Resize to {_by(*resized)} by the integer triangle filter of docs/formats/preprocess.md"
        + (", whatever the aspect ratio." if spec["fit"] == "warp" else ".")
    )
    if size != resized:
        steps.append(f"Cut the centred {_by(*size)}.")
    steps.append(
        "Input of the int8 model: pixel ^ 0x80, which is pixel − 128; of the uint8 model: the pixel itself; "
        f"of the float models: pixel × {spec['scale']:.6g}."
    )
    if any(spec["mean"]) or any(value != 1 for value in spec["std"]):
        steps.append("Nothing else: mean and standard deviation are inside the first convolution.")
    return steps


def _by(width: int, height: int) -> str:
    return f"{width}{SPACE}×{SPACE}{height}"


FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "points": points,
    "count": count,
    "kib": kib,
    "si": si,
    "duration": duration,
    "p_value": p_value,
    "short": short,
    "md": markdown,
    "fenced": fenced,
}
