"""The words, rows and numbers of a report: plain values in, texts and small dicts out. No markup."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from sqz_tf.base.spec import ModelSpec
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.report.plots import COUNTED_CLASSES, duration, kib, layer_order, short

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
    "model.keras": "the final network for further training in Keras 2 (tf_keras)",
    "model_f32.tflite": "the final network in float, to compare with",
    "model_int8.tflite": "the product: int8 in and out",
    "model_uint8.tflite": "the same with uint8 in and out, for MediaPipe and others",
    "tflm/model_data.cc": "the int8 model as a C array",
    "tflm/model_data.h": "its declaration",
    "tflm/op_resolver.h": "registers exactly the operators it uses",
    "tflm/settings.h": "arena, sizes, quantization and labels",
}
MUST_BE = {
    "equal": "exactly equal",
    "close": "nearly the same numbers",
    "accuracy": "as accurate",
    "none": "reported only",
}
EDGE_WORDS = {
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
    return f"Float is {before}, final float the network in `model_f32.tflite`."


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
        note = f"kept in all {len(layers)} pruned layers"
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


def layer_rows(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return one row of texts for each layer known to either measurement."""
    sparsity, sqnr = report["sparsity"]["layers"], report["sqnr"]["layers"]
    rows = []
    for name in layer_order({*sparsity, *sqnr}):
        zeros = sparsity.get(name)
        ratio = sqnr.get(name)
        rows.append(
            {
                "name": name,
                "pruned": percent(zeros["pruned"], digits=2) if zeros else "",
                "tflite": percent(zeros["tflite"], digits=2) if zeros else "",
                "sqnr": "" if ratio is None else points(ratio, 1),
            }
        )
    return rows


def ristretto_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the accuracies of a fixed-point network in the order they were measured."""
    before = {"fixed point, before fine-tuning": found["before"]} if found["before"] else {}
    title = "fixed point, after fine-tuning" if before else "fixed point, not fine-tuned"
    free = {"int8, free scales": found["free_scale"]} if found["free_scale"] else {}
    measured = {**before, title: found["after"], **free}
    return [{"title": title, **accuracy} for title, accuracy in measured.items()]


def free_scale_sentence(paired: dict[str, Any]) -> str:
    """Say what powers of two cost against free scales on the same pictures."""
    drop, (low, high) = paired["drop_pp"], paired["interval_pp"]
    said = (
        f"loses {points(drop)} points" if drop > 0 else f"gains {points(-drop)} points" if drop < 0 else "loses nothing"
    )
    return (
        f"Against int8 with free scales, on the same {count(paired['n'])} pictures, it {said} of top-1 "
        f"(loss, 95{SPACE}% interval {points(low)} to {points(high)}): only free scales have "
        f"{count(paired['lost'])} pictures right, only powers of two {count(paired['gained'])} "
        f"(McNemar p {p_value(paired['mcnemar_p'])})."
    )


def trimming_rows(trimming: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each choice of bit widths that was tried."""
    return [
        {
            "weights": "float" if trial["weights"] is None else str(trial["weights"]),
            "outputs": "float" if trial["outputs"] is None else str(trial["outputs"]),
            "top1": trial["top1"],
            "top5": trial["top5"],
            "drop": points(trial["against_float"]["drop_pp"]),
            "low": points(trial["against_float"]["interval_pp"][0]),
            "high": points(trial["against_float"]["interval_pp"][1]),
            "agreement": trial["agreement_top1"],
            "divergence": f"{trial['divergence']:.4f}",
        }
        for trial in trimming["trials"]
    ]


def trimming_lines(trimming: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Return top-1 by bit width of each class of numbers where everything else was float."""
    return {
        title: {trial[kind]: trial["top1"] for trial in trimming["trials"] if trial[kind] and not trial[other]}
        for title, kind, other in (("weights", "weights", "outputs"), ("layer outputs", "outputs", "weights"))
    }


def length_rows(lengths: dict[str, Any]) -> list[dict[str, str]]:
    """Return the fractional length of each tensor in words."""

    def shown(length: Any) -> str:
        if not isinstance(length, list):
            return points(length, 0)
        low, high = points(min(length), 0), points(max(length), 0)
        return f"{low} to {high}, one for each of {count(len(length))} channels" if length else ""

    return [{"name": name, "length": shown(lengths[name])} for name in layer_order(lengths)]


def mcu_sentence(report: dict[str, Any]) -> str:
    """Return how much RAM streaming rows saves."""
    mcu, interpreter = report["mcu"], report["tflm"]["arena_bytes"]
    arena, whole = mcu["arena_bytes"], max(mcu["whole_maps"]["bytes"])
    measured = f"; TFLite Micro reserves {kib(interpreter)}, its structures included" if interpreter else ""
    return (
        f"Compiled to C the network takes one row of the picture at a time and needs {kib(arena)} of RAM besides the "
        f"stack. Whole feature maps alone need {kib(whole)}, {whole / arena:.1f} times as much{measured}."
    )


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


def cells(confusion: Any) -> list[tuple[int, int, int]]:
    """Return (truth, answer, count) of every cell that is not zero, from a matrix or its sparse form."""
    if confusion is None:
        return []
    if isinstance(confusion, dict):
        return [tuple(cell) for cell in confusion["cells"]]
    return [(t, a, count) for t, row in enumerate(confusion) for a, count in enumerate(row) if count]


def confused(confusion: Any, classes: list[str]) -> list[dict[str, Any]]:
    """Return the pairs taken for each other, the most frequent first."""
    found = cells(confusion)
    totals = _totals(found)
    wrong = sorted((cell for cell in found if cell[0] != cell[1]), key=lambda cell: (-cell[2], cell[0], cell[1]))
    return [
        {"truth": classes[truth], "answer": classes[answer], "count": number, "share": number / totals[truth]}
        for truth, answer, number in wrong
    ]


def weakest(confusion: Any, classes: list[str], most: int) -> list[dict[str, Any]]:
    """Return the classes recognised least, where the matrix itself cannot be read for them."""
    if len(classes) <= COUNTED_CLASSES:
        return []
    found = cells(confusion)
    right = {truth: number for truth, answer, number in found if truth == answer}
    totals = _totals(found)
    order = sorted((right.get(truth, 0) / total, truth) for truth, total in totals.items())
    return [
        {"name": classes[truth], "right": right.get(truth, 0), "total": totals[truth]}
        for share, truth in order[:most]
        if share < 1
    ]


def _totals(found: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    totals: dict[int, int] = {}
    for truth, _, number in found:
        totals[truth] = totals.get(truth, 0) + number
    return totals


def mistakes_sentence(report: dict[str, Any], shown: int) -> str:
    """Say how many of the mistakes are shown."""
    int8 = report["accuracy"]["int8"]
    wrong = round((1 - int8["top1"]) * int8["n"])
    if shown >= wrong:
        return f"All {count(wrong)} test pictures the int8 model got wrong, the surest first."
    return f"The {shown} surest of {count(wrong)} test pictures the int8 model got wrong."


def settings(report: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every setting as (group, [(name, text)])."""
    # What was made stands above what was planned: mean and std are known only once the data are.
    groups = {**report["config"], "model": report["model"], "preprocess": report["preprocess"]}
    loose = {name: value for name, value in groups.items() if not isinstance(value, dict)}
    result = [
        (name, [(key, _shown(item)) for key, item in sorted(value.items())])
        for name, value in groups.items()
        if isinstance(value, dict)
    ]
    return [*result, ("run", [(key, _shown(item)) for key, item in sorted(loose.items())])] if loose else result


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


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
