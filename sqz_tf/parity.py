"""The comparisons a verdict rests on: each edge of the graph of runtimes, and each layer's quantization noise.

Exactness is stated per edge. The same int8 model must give the same bytes in every layer on TFLite's reference
kernels, tflite-runtime's and TFLite-Micro. Keras and TFLite floats must be close.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters import tflite_reader, tflite_writer
from sqz_tf import artifact, interpreters, stats
from sqz_tf.errors import SqzError
from sqz_tf.images import to_int8
from sqz_tf.interpreters import InterpreterError, Result, Unavailable
from sqz_tf.spec import CheckConfig, PreprocessSpec, from_dict

# Keras and TFLite add the same float32 products in different orders, which moved the probabilities of whole
# SqueezeNets by less than 1e-5; a wrong weight, layout or channel order moves them by far more than this.
CLOSE = 1e-4
LEAST_AGREEMENT = 0.97
SQNR_LIMIT_DB = 200.0
INT8_STEPS_BELOW_0 = 128
MOVES_VALUES = ("CONCATENATION", "MAX_POOL_2D", "PAD", "PADV2")

Predict = Callable[[np.ndarray], np.ndarray]
Activations = dict[str, np.ndarray]


class CheckError(SqzError):
    """The folder cannot be judged."""


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
class Artifacts:
    """What is judged, read once."""

    float_model: bytes
    int8_model: bytes
    uint8_model: bytes
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    manifest: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A model, what it is fed, [N, ...], and the interpreter it runs on."""

    model: bytes
    inputs: np.ndarray
    runtime: str


# Reading -----------------------------------------------------------------------------------------------------


def read_artifacts(folder: Path) -> Artifacts:
    """Read an output folder.

    Raises:
      CheckError: a file is missing or damaged, or a model takes other pictures than the manifest says.
    """
    try:
        models = [(folder / f"model_{kind}.tflite").read_bytes() for kind in ("f32", "int8", "uint8")]
        labels = tuple((folder / "labels.txt").read_text(encoding="utf-8").splitlines())
        manifest = json.loads((folder / artifact.MANIFEST).read_text(encoding="utf-8"))
        preprocess = from_dict(PreprocessSpec, manifest["config"]["preprocess"])
        for model in models:
            tflite_reader.read_model(model)
    except OSError as error:
        raise CheckError(
            f"{error.filename} cannot be read ({error.strerror})", expected="a folder that an export wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"{folder} is damaged ({error})", expected="a folder that an export wrote") from error
    artifacts = Artifacts(models[0], models[1], models[2], labels, preprocess, manifest)
    _check_models(artifacts)
    return artifacts


def check_pictures(artifacts: Artifacts, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
    """Check that pictures and labels fit the manifest and the models.

    Args:
      images: uint8 [N, h, w, c].
      labels: integers [N], in [0, classes) for the rows used.
      rows: integers [M], which of them are used.

    Raises:
      CheckError: they do not.
    """
    shape, classes = _shape(artifacts.preprocess), output_size(artifacts.int8_model)
    if images.dtype != np.uint8 or images.shape[1:] != shape or images.shape[:1] != labels.shape or not len(rows):
        raise CheckError(
            f"pictures are {images.dtype} {list(images.shape)}, labels {list(labels.shape)}",
            expected=f"uint8 {['N', *shape]} and ['N'], N at least 1",
        )
    used = labels[rows]
    if used.dtype.kind not in "iu" or used.min() < 0 or used.max() >= classes:
        raise CheckError(
            f"labels are {used.dtype} from {used.min()} to {used.max()}",
            expected=f"integers from 0 to {classes - 1}",
        )


def _check_models(artifacts: Artifacts) -> None:
    shape = (1, *_shape(artifacts.preprocess))
    for (name, model), kind in zip(_models(artifacts).items(), ("float32", "int8", "uint8"), strict=True):
        tensor = tflite_reader.read_model(model).input_tensors()[0]
        if tensor.shape != shape or tensor.dtype != kind:
            raise CheckError(
                f"{name} takes {tensor.dtype} {list(tensor.shape)}",
                expected=f"{kind} {list(shape)}, as the manifest says",
            )


def _shape(spec: PreprocessSpec) -> tuple[int, int, int]:
    return spec.height, spec.width, spec.channels


def output_size(model: bytes) -> int:
    """Return the number of classes a model tells apart."""
    return tflite_reader.read_model(model).output_tensors()[0].shape[-1]


# What is fed -------------------------------------------------------------------------------------------------


def as_float(images: np.ndarray, preprocess: PreprocessSpec) -> np.ndarray:
    """Return the float model's input for uint8 pictures: `pixel * scale` in float32."""
    return images.astype(np.float32) * np.float32(preprocess.scale)


def spread(n: int, count: int) -> np.ndarray:
    """Return at most `count` of the row numbers 0…n-1, evenly spaced: splits may be sorted by class."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(np.int64))


# Edges that need no picture ----------------------------------------------------------------------------------


def static_edges(artifacts: Artifacts) -> dict[str, Edge]:
    """Check the input's quantization, the labels and the preprocessing that travels in the files."""
    return {
        "input_quantization": input_edge(artifacts.int8_model, artifacts.preprocess),
        "labels": labels_edge(artifacts),
        "preprocess": preprocess_edge(artifacts),
    }


def input_edge(int8_model: bytes, preprocess: PreprocessSpec) -> Edge:
    """Check that the int8 input is [1, h, w, c] with `pixel ^ 0x80` standing for `pixel * scale` or `pixel - 128`."""
    tensor = tflite_reader.read_model(int8_model).input_tensors()[0]
    shape = (1, *_shape(preprocess))
    fits = tensor.dtype == "int8" and tensor.shape == shape and is_pixel(tensor, preprocess.scale)
    return _equality(
        fits,
        f"the input is {tensor.dtype} {list(tensor.shape)} with scale {_plain(tensor.scale)} and zero point "
        f"{_plain(tensor.zero_point)}; expected int8 {list(shape)}, {preprocess.scale:.9g} and -128, or 1 and 0",
    )


def is_pixel(tensor: tflite_reader.Tensor, pixel_scale: float) -> bool:
    """Whether q = pixel - 128 stands for `pixel * pixel_scale`, or for itself."""
    # float32 in the file, so equal to within its rounding.
    same_scale = len(tensor.scale) == 1 and bool(np.isclose(tensor.scale[0], pixel_scale, rtol=1e-6, atol=0))
    return (same_scale and tensor.zero_point == (-128,)) or (tensor.scale == (1.0,) and tensor.zero_point == (0,))


def labels_edge(artifacts: Artifacts) -> Edge:
    """Check that there is one label for each output and that the models carry the labels of labels.txt."""
    classes = output_size(artifacts.int8_model)
    if classes != len(artifacts.labels):
        return _equality(False, f"{len(artifacts.labels)} labels in labels.txt for {classes} outputs")
    carried = {
        name: tuple(files.get(tflite_writer.LABELS_FILE, b"").decode("utf-8", "replace").splitlines())
        for name, files in _attached(artifacts).items()
    }
    wrong = [name for name, labels in carried.items() if labels != artifacts.labels]
    return _equality(not wrong, f"the labels in {', '.join(wrong)} are not those of labels.txt")


def preprocess_edge(artifacts: Artifacts) -> Edge:
    """Check that each model carries the manifest's preprocessing."""
    expected = artifacts.manifest["config"]["preprocess"]
    wrong = [name for name, files in _attached(artifacts).items() if _preprocess(files) != expected]
    return _equality(not wrong, f"preprocess.json in {', '.join(wrong)} is not the manifest's")


def _preprocess(files: dict[str, bytes]) -> Any:
    """Return the attached preprocessing without what else the file says of the outputs."""
    values = _json(files.get(tflite_writer.PREPROCESS_FILE, b""))
    return {key: value for key, value in values.items() if key != "wnids"} if isinstance(values, dict) else values


def attached_wnids(artifacts: Artifacts) -> tuple[str, ...]:
    """Return the WordNet id of each output, as model_int8.tflite carries them; empty if it carries none."""
    values = _json(_attached(artifacts)["model_int8.tflite"].get(tflite_writer.PREPROCESS_FILE, b""))
    wnids = values.get("wnids") if isinstance(values, dict) else None
    return tuple(map(str, wnids)) if isinstance(wnids, list) else ()


def _models(artifacts: Artifacts) -> dict[str, bytes]:
    return {
        "model_f32.tflite": artifacts.float_model,
        "model_int8.tflite": artifacts.int8_model,
        "model_uint8.tflite": artifacts.uint8_model,
    }


def _attached(artifacts: Artifacts) -> dict[str, dict[str, bytes]]:
    try:
        return {name: tflite_writer.read_attached(model) for name, model in _models(artifacts).items()}
    except ValueError as error:
        raise CheckError(str(error), fix="export again") from error


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _plain(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.9g}" for value in values) or "none"


def _equality(equal: bool, note: str) -> Edge:
    return Edge("equal", equal, equal=equal, note="" if equal else note)


# Edges between interpreters ----------------------------------------------------------------------------------


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
    for name, values in _activations(float_model, floats).items():
        if name in expected and values.shape == expected[name].shape:
            difference = np.abs(values - expected[name]).max()
            if not difference <= 1e-3 * np.abs(expected[name]).max():  # true for NaN, too
                return name
    return None


def runtime_edges(artifacts: Artifacts, images: np.ndarray) -> dict[str, Edge]:
    """Compare the int8 model on every interpreter, and its uint8 twin, with the reference kernels.

    LiteRT's fast kernels are only reported on: they decide who judges accuracy, not whether a model is right.
    """
    pixels = to_int8(images)
    runs = {
        "ref": Run(artifacts.int8_model, pixels, "litert-ref"),
        "int8_litert_ref-litert_builtin": Run(artifacts.int8_model, pixels, "litert-builtin"),
        "int8_litert_ref-tflite_runtime_ref": Run(artifacts.int8_model, pixels, "tflite-runtime"),
        "int8_litert_ref-tflm": Run(artifacts.int8_model, pixels, "tflm"),
        "int8_litert_ref-compiled_c": Run(artifacts.int8_model, pixels, "compiled-c"),
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


def compare(reference: Run, candidate: Run) -> Edge:
    """Compare two runs byte for byte, in every layer, and name the first layer that differs.

    Layers are compared on the first pictures, outputs on all; where an output differs that picture is run again
    to find the layer. A uint8 output may be the int8 one plus 128.
    """
    return _edge(reference, _attempt(reference), candidate, _attempt(candidate))


def _edge(reference: Run, ours: Result | SqzError, candidate: Run, theirs: Result | SqzError) -> Edge:
    for error in (ours, theirs):
        if isinstance(error, Unavailable):
            return Edge("equal", None, skipped=str(error))
        if isinstance(error, SqzError):
            return Edge("equal", False, len(reference.inputs), note=str(error))
    assert isinstance(ours, Result)
    assert isinstance(theirs, Result)
    difference = np.abs(_signed(theirs.outputs) - _signed(ours.outputs))
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


def first_bad_layer(reference: bytes, ours: Result, candidate: bytes, theirs: Result) -> str | None:
    """Return the first layer, in the reference's order, whose bytes differ; None if none does."""
    candidates = layer_outputs(candidate)
    for name, index in layer_outputs(reference).items():
        if name in candidates and index in ours.tensors and candidates[name] in theirs.tensors:
            left, right = ours.tensors[index], theirs.tensors[candidates[name]]
            if not np.array_equal(_signed(left), _signed(right)):
                return name
    return None


def layer_outputs(model: bytes) -> dict[str, int]:
    """Return layer name → tensor index of its output, in the order the layers run."""
    graph = tflite_reader.read_model(model)
    return {name: op.outputs[0] for name, op in zip(tflite_reader.layer_names(graph), graph.ops, strict=True)}


def _signed(values: np.ndarray) -> np.ndarray:
    """Return int8 values, or uint8 values less 128, in a type that holds their differences."""
    return values.astype(np.int32) - (128 if values.dtype == np.uint8 else 0)


# Accuracy ----------------------------------------------------------------------------------------------------


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the fraction of pictures on which two [N, classes] put the same class first."""
    return float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean())


def accuracy_edge(reference: np.ndarray, candidate: np.ndarray, drop: stats.Paired, config: CheckConfig) -> Edge:
    """Judge a candidate by what it loses of the reference's top-1.

    Fails when even the lower end of the drop's interval is above `max_drop`, warns when the estimate is. Two int8
    runs are also compared value by value, and warned of when they agree on fewer than 97 % of the pictures.
    """
    integers = reference.dtype == candidate.dtype
    difference = np.abs(_signed(candidate) - _signed(reference)) if integers else None
    agree = agreement(reference, candidate)
    passed = drop.interval_pp[0] <= config.max_drop
    return Edge(
        "accuracy",
        passed,
        len(candidate),
        None if difference is None else not difference.any(),
        None if difference is None else float(difference.max()),
        agreement_top1=agree,
        note=_accuracy_note(drop, config, agree if integers else 1.0),
    )


def _accuracy_note(drop: stats.Paired, config: CheckConfig, agree: float) -> str:
    low, high = drop.interval_pp
    if drop.drop_pp > config.max_drop:
        return (
            f"top-1 falls by {drop.drop_pp:.2f} points (95 % interval {low:.2f} to {high:.2f}, {drop.n} pictures, "
            f"{drop.lost} lost, {drop.gained} gained); more than {config.max_drop:g}"
        )
    return "" if agree >= LEAST_AGREEMENT else f"only {100 * agree:.1f} % of the pictures get the same class"


# Quantization noise ------------------------------------------------------------------------------------------


def layer_sqnr(artifacts: Artifacts, images: np.ndarray) -> dict[str, Any]:
    """Measure each layer's quantization noise: 10 log10(sum x² / sum (x - x̂)²), x float, x̂ dequantized int8.

    Args:
      images: uint8 [N, h, w, c].

    Returns:
      `layers`: layer → decibels, within ±200 (200: no noise at all); `worst`: the name of the lowest.
    """
    floats = _activations(artifacts.float_model, as_float(images, artifacts.preprocess))
    integers = _activations(artifacts.int8_model, to_int8(images), _meanings(artifacts))
    layers = {name: sqnr_db(values, integers[name]) for name, values in floats.items() if name in integers}
    return {"layers": layers, "worst": min(layers, key=lambda name: layers[name], default=None)}


def sqnr_db(signal: np.ndarray, approximation: np.ndarray) -> float:
    """Return the signal-to-quantization-noise ratio in decibels, within ±200."""
    power, noise = (float(np.square(x, dtype=np.float64).sum()) for x in (signal, signal - approximation))
    if noise == 0 or power == 0:
        return SQNR_LIMIT_DB if noise == 0 else -SQNR_LIMIT_DB
    return float(np.clip(10 * np.log10(power / noise), -SQNR_LIMIT_DB, SQNR_LIMIT_DB))


@dataclass(frozen=True)
class _Meaning:
    """What a tensor's real values stand for, where `converters.tflite_saturation` moved them: (x + offset) · factor."""

    offset: float = 0.0
    factor: float = 1.0


def _activations(model: bytes, inputs: np.ndarray, meanings: Mapping[int, _Meaning] | None = None) -> Activations:
    """Return layer name → real values of its output, float64."""
    result = interpreters.run(model, inputs, "litert-builtin", all_tensors=True, tensor_images=len(inputs))
    graph = tflite_reader.read_model(model)
    return {
        name: _real(result.tensors[index], graph.tensor(index), (meanings or {}).get(index, _Meaning()))
        for name, index in layer_outputs(model).items()
    }


def _real(values: np.ndarray, tensor: tflite_reader.Tensor, meaning: _Meaning) -> np.ndarray:
    if not tensor.scale:
        return values
    return ((values.astype(np.float64) - tensor.zero_point[0]) * tensor.scale[0] + meaning.offset) * meaning.factor


def _meanings(artifacts: Artifacts) -> dict[int, _Meaning]:
    """Return what tensors of the int8 model stand for: those whose ReLU is its saturation, and a mean over padding."""
    graph = tflite_reader.read_model(artifacts.int8_model)
    found = {
        index: _Meaning(INT8_STEPS_BELOW_0 * scale)
        for index in _saturated(artifacts)
        for scale in graph.tensor(index).scale
    }
    pads = {op.outputs[0]: op for op in graph.ops if op.name == "PADV2"}
    for op in graph.ops:
        if op.name == "MEAN" and op.inputs[0] in pads:
            found[op.outputs[0]] = _padded_mean(graph, pads[op.inputs[0]])
    return found


def _padded_mean(graph: tflite_reader.Model, pad: tflite_reader.Op) -> _Meaning:
    """Return what a mean over a padded map says of the map itself."""
    inside, outside, constant = (graph.tensor(index) for index in (pad.inputs[0], pad.outputs[0], pad.inputs[2]))
    padding = float(np.asarray(constant.data).item()) * constant.scale[0] * (1 - inside.size / outside.size)
    return _Meaning(-padding, outside.size / inside.size)


def _saturated(artifacts: Artifacts) -> frozenset[int]:
    """Return the int8 tensors whose ReLU is the saturation of int8 (converters.tflite_saturation).

    Their convolutions have a ReLU in the float model and none in the int8 model; what only moves values passes it on.
    """
    relu = {name for name, op in _convolutions(artifacts.float_model) if op.options["fused_activation"] == "RELU"}
    plain = {
        op.outputs[0]
        for name, op in _convolutions(artifacts.int8_model)
        if name in relu and op.options["fused_activation"] == "NONE"
    }
    for op in tflite_reader.read_model(artifacts.int8_model).ops:
        if op.name in MOVES_VALUES and op.inputs[0] in plain:
            plain.update(op.outputs)
    return frozenset(plain)


def _convolutions(model: bytes) -> Iterator[tuple[str, tflite_reader.Op]]:
    """Yield the name and the operator of each convolution."""
    graph = tflite_reader.read_model(model)
    names = {index: name for name, index in layer_outputs(model).items()}
    yield from ((names[op.outputs[0]], op) for op in graph.ops if op.name == "CONV_2D")
