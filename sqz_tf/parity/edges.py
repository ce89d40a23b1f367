"""The comparisons a verdict rests on: each edge of the graph of runtimes, and each layer's quantization noise.

Exactness is stated per edge. The same int8 model must give the same bytes in every layer on TFLite's reference
kernels, tflite-runtime's and TFLite-Micro. Keras and TFLite floats must be close.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.tflite import pixels
from converters.tflite.reader import Tensor, read_model
from converters.tflite.writer import LABELS_FILE, PREPROCESS_FILE
from sqz_tf.base import stats
from sqz_tf.base.errors import SqzError
from sqz_tf.base.json_files import JsonError, parse
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import CheckConfig, PreprocessSpec
from sqz_tf.inference import interpreters
from sqz_tf.inference.interpreters import InterpreterError, Result, Unavailable
from sqz_tf.parity.artifacts import Artifacts, as_float, attached, output_size, shape_of
from sqz_tf.parity.layers import activations_of, first_bad_layer, signed

# Keras and TFLite add the same float32 products in different orders, which moved the probabilities of whole
# SqueezeNets by less than 1e-5; a wrong weight, layout or channel order moves them by far more than this.
CLOSE = 1e-4


LEAST_AGREEMENT = 0.97


Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Edge:
    """One comparison.

    `gate` says what decides: `equal` bytes or values, `close` outputs, `accuracy`, or `none`: reported only. `n`
    counts the pictures, 0 where none is needed. `skipped` holds the reason if nothing could be compared. `passed`
    is None then, and where there is no gate. `equal`,
    `max_abs_diff` (in steps of an int8 output, or of a float output's own unit), `first_bad_layer` and
    `agreement_top1` (in [0, 1]) are None where they mean nothing. `note` says in words what is wrong.
    """

    gate: str
    passed: bool | None
    n: int = 0
    equal: bool | None = None
    max_abs_diff: float | None = None
    first_bad_layer: str | None = None
    agreement_top1: float | None = None
    skipped: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Run:
    """A model, what it is fed, [N, ...], and the interpreter it runs on."""

    model: bytes
    inputs: np.ndarray
    runtime: str


def static_edges(artifacts: Artifacts) -> dict[str, Edge]:
    """Check the input's quantization, the labels and the preprocessing that travels in the files."""
    return {
        "input_quantization": input_edge(artifacts.int8_model, artifacts.preprocess),
        "labels": labels_edge(artifacts),
        "preprocess": preprocess_edge(artifacts),
    }


def input_edge(int8_model: bytes, preprocess: PreprocessSpec) -> Edge:
    """Check that the int8 input is [1, h, w, c] with `pixel ^ 0x80` standing for `pixel * scale` or `pixel - 128`."""
    tensor = read_model(int8_model).input_tensors()[0]
    shape = (1, *shape_of(preprocess))
    fits = tensor.dtype == "int8" and tensor.shape == shape and _is_pixel(tensor, preprocess.scale)
    return _equality(
        fits,
        f"the input is {tensor.dtype} {list(tensor.shape)} with scale {_plain(tensor.scale)} and zero point "
        f"{_plain(tensor.zero_point)}; expected int8 {list(shape)}, "
        f"{pixels.expected('int8', preprocess.scale)}",
    )


def _is_pixel(tensor: Tensor, pixel_scale: float) -> bool:
    if len(tensor.scale) != 1 or len(tensor.zero_point) != 1:
        return False
    return pixels.fault(tensor.dtype, tensor.scale[0], tensor.zero_point[0], pixel_scale) is None


def labels_edge(artifacts: Artifacts) -> Edge:
    """Check that there is one label for each output and that the models carry the labels of labels.txt."""
    classes = output_size(artifacts.int8_model)
    if classes != len(artifacts.labels):
        return _equality(False, f"{len(artifacts.labels)} labels in labels.txt for {classes} outputs")
    carried = {
        name: tuple(files.get(LABELS_FILE, b"").decode("utf-8", "replace").splitlines())
        for name, files in attached(artifacts).items()
    }
    wrong = [name for name, labels in carried.items() if labels != artifacts.labels]
    return _equality(not wrong, f"the labels in {', '.join(wrong)} are not those of labels.txt")


def preprocess_edge(artifacts: Artifacts) -> Edge:
    """Check that each model carries the manifest's preprocessing."""
    expected = artifacts.manifest["config"]["preprocess"]
    wrong = [name for name, files in attached(artifacts).items() if _preprocess(files) != expected]
    return _equality(not wrong, f"preprocess.json in {', '.join(wrong)} is not the manifest's")


def _preprocess(files: dict[str, bytes]) -> Any:
    """Return the attached preprocessing without what else the file says of the outputs."""
    try:
        values = parse(files.get(PREPROCESS_FILE, b""), dict[str, Any], what=PREPROCESS_FILE)
    except JsonError:
        return None
    return {key: value for key, value in values.items() if key != "wnids"}


def _plain(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.9g}" for value in values) or "none"


def _equality(equal: bool, note: str) -> Edge:
    return Edge("equal", equal, equal=equal, note="" if equal else note)


def keras_edge(artifacts: Artifacts, images: np.ndarray, keras_predict: Predict | None) -> Edge:
    """Compare the Keras model's probabilities with the float `.tflite`'s.

    Args:
      images: uint8 [N, h, w, c].
      keras_predict: maps float32 [N, h, w, c] to [N, classes]. If it has a method `layers`, which maps the same to
        layer name → output, the first layer that differs is named.
    """
    if keras_predict is None:
        return Edge("close", None, skipped="no Keras model was given")
    floats = as_float(images, artifacts.preprocess)
    ours = np.asarray(keras_predict(floats), np.float64)
    theirs = interpreters.run(artifacts.float_model, floats, "litert-xnnpack").outputs.astype(np.float64)
    if ours.shape != theirs.shape:
        return Edge("close", False, len(images), note=f"Keras gives {ours.shape}, TFLite {theirs.shape}")
    worst = float(np.abs(ours - theirs).max())
    if worst <= CLOSE:
        return Edge("close", True, len(images), None, worst, None, agreement(ours, theirs))
    layer = _first_unlike_layer(artifacts.float_model, floats[: interpreters.TENSOR_IMAGES], keras_predict)
    note = f"probabilities differ by up to {worst:.2g}, at most {CLOSE:g} passes; first in {layer or 'no single layer'}"
    finite = worst if np.isfinite(worst) else None
    return Edge("close", False, len(images), None, finite, layer, agreement(ours, theirs), note=note)


def _first_unlike_layer(float_model: bytes, floats: np.ndarray, keras_predict: Predict) -> str | None:
    """Return the first layer whose outputs differ by over a thousandth of their largest value."""
    if not hasattr(keras_predict, "layers"):
        return None
    expected = keras_predict.layers(floats)
    for name, values in activations_of(float_model, floats).items():
        if name in expected and values.shape == expected[name].shape:
            difference = np.abs(values - expected[name]).max()
            if not difference <= 1e-3 * np.abs(expected[name]).max():  # true for NaN, too
                return name
    return None


def runtime_edges(artifacts: Artifacts, images: np.ndarray) -> dict[str, Edge]:
    """Compare the int8 model on every interpreter, and its uint8 twin, with the reference kernels.

    LiteRT's fast kernels are only reported on: they decide who judges accuracy, not whether a model is right.
    """
    bytes_in = to_int8(images)
    runs = {
        "ref": Run(artifacts.int8_model, bytes_in, "litert-ref"),
        "int8_litert_ref-litert_builtin": Run(artifacts.int8_model, bytes_in, "litert-builtin"),
        "int8_litert_ref-tflite_runtime_ref": Run(artifacts.int8_model, bytes_in, "tflite-runtime"),
        "int8_litert_ref-tflm": Run(artifacts.int8_model, bytes_in, "tflm"),
        "int8_litert_ref-compiled_c": Run(artifacts.int8_model, bytes_in, "compiled-c"),
        "int8-uint8_twin": Run(artifacts.uint8_model, images, "litert-ref"),
    }
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = dict(zip(runs, pool.map(_attempt, runs.values()), strict=True))
    reference, ours = runs.pop("ref"), results.pop("ref")
    edges = {name: _edge(reference, ours, run, results[name]) for name, run in runs.items()}
    fast = "int8_litert_ref-litert_builtin"
    return {**edges, fast: dataclasses.replace(edges[fast], gate="none", passed=None)}


def _attempt(run: Run) -> Result | SqzError:
    try:
        return interpreters.run(run.model, run.inputs, run.runtime, all_tensors=True)
    except (Unavailable, InterpreterError) as error:
        return error


def _edge(reference: Run, ours: Result | SqzError, candidate: Run, theirs: Result | SqzError) -> Edge:
    """Compare two runs byte for byte, in every layer, and name the first layer that differs.

    Layers are compared on the first pictures, outputs on all; where an output differs that picture is run again
    to find the layer. A uint8 output may be the int8 one plus 128.
    """
    for error in (ours, theirs):
        if isinstance(error, Unavailable):
            return Edge("equal", None, skipped=str(error))
        if isinstance(error, SqzError):
            return Edge("equal", False, len(reference.inputs), note=str(error))
    assert isinstance(ours, Result)
    assert isinstance(theirs, Result)
    difference = np.abs(signed(theirs.outputs) - signed(ours.outputs))
    layer = first_bad_layer(reference.model, ours, candidate.model, theirs)
    if layer is None and difference.any():
        layer = _locate(reference, candidate, int(difference.any(axis=1).argmax()))
    note = "" if layer is None else f"the first layer that differs is {layer}, outputs by up to {difference.max()}"
    equal = layer is None
    return Edge("equal", equal, len(difference), equal, float(difference.max()), layer, note=note)


def _locate(reference: Run, candidate: Run, image: int) -> str:
    one = [dataclasses.replace(run, inputs=run.inputs[image : image + 1]) for run in (reference, candidate)]
    ours, theirs = (_attempt(run) for run in one)
    if isinstance(ours, Result) and isinstance(theirs, Result):
        return first_bad_layer(reference.model, ours, candidate.model, theirs) or "output"
    return "output"


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the fraction of pictures on which two [N, classes] put the same class first."""
    return float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean())


def accuracy_edges(
    reference: np.ndarray, scores: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray], config: CheckConfig
) -> dict[str, Edge]:
    """Judge int8 by what it loses of float's top-1, and XNNPACK by what it loses of the reference kernels'.

    `float-int8` decides: from the float network that int8 is judged against, over pruning and quantization, to int8.
    Where points are lost its note says which part lost them. `tflite_float-int8`, quantization alone, is reported.

    Args:
      reference: integers [N, up to 5], the best classes of the float network that int8 is judged against.
      scores: [N, classes] of `final_float`, `int8` and `int8_xnnpack`.
      right: bool [N] of the same and `float`, whether the best class is the label.
    """
    drop = stats.paired_drop(right["float"], right["int8"])
    quantization = stats.paired_drop(right["final_float"], right["int8"])
    best = np.argmax(scores["int8"], axis=1)
    return {
        "float-int8": Edge(
            "accuracy",
            drop.interval_pp[0] <= config.max_drop,
            len(best),
            agreement_top1=float(np.mean(reference[:, 0] == best)),
            note=_lost(drop, config) and f"{_lost(drop, config)}; {_parts(drop, quantization)}",
        ),
        "tflite_float-int8": Edge(
            "none", None, len(best), agreement_top1=agreement(scores["final_float"], scores["int8"])
        ),
        "int8_litert_ref-litert_xnnpack": _kernels_edge(
            scores["int8"],
            scores["int8_xnnpack"],
            stats.paired_drop(right["int8"], right["int8_xnnpack"]),
            config,
        ),
    }


def _kernels_edge(reference: np.ndarray, candidate: np.ndarray, drop: stats.Paired, config: CheckConfig) -> Edge:
    """Judge other kernels by the top-1 they lose; warn if fewer than 97 % of the pictures get the same class."""
    difference, agree = np.abs(signed(candidate) - signed(reference)), agreement(reference, candidate)
    alike = "" if agree >= LEAST_AGREEMENT else f"only {100 * agree:.1f} % of the pictures get the same class"
    return Edge(
        "accuracy",
        drop.interval_pp[0] <= config.max_drop,
        len(candidate),
        not difference.any(),
        float(difference.max()),
        agreement_top1=agree,
        note=_lost(drop, config) or alike,
    )


def _lost(drop: stats.Paired, config: CheckConfig) -> str:
    """Say what is lost, if that is more than may be."""
    low, high = drop.interval_pp
    if drop.drop_pp <= config.max_drop:
        return ""
    return (
        f"top-1 falls by {drop.drop_pp:.2f} points (95 % interval {low:.2f} to {high:.2f}, {drop.n} pictures, "
        f"{drop.lost} lost, {drop.gained} gained); more than {config.max_drop:g}"
    )


def _parts(drop: stats.Paired, quantization: stats.Paired) -> str:
    """Say which part of the way to int8 lost the points."""
    before = drop.drop_pp - quantization.drop_pp
    return f"{before:.2f} of them between float and model_f32.tflite, {quantization.drop_pp:.2f} in quantization"


def trusted_runtime(edges: Mapping[str, Edge]) -> str:
    """Return the interpreter that judges int8: the fast one where it was byte equal to the reference."""
    return "litert-builtin" if edges["int8_litert_ref-litert_builtin"].equal else "litert-ref"
