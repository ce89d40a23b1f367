"""The one judge: does the folder's int8 network still do what the float one did, on every interpreter?

Exactness is stated per edge. The same int8 bytes on reference kernels, tflite-runtime and TFLite-Micro must give the
same bytes in every layer. Float against int8 is judged by accuracy on the held-out split, with its interval.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf import interpreters, stats
from sqz_tf.errors import SqzError
from sqz_tf.spec import CheckConfig, PreprocessSpec, from_dict

REQUIRE_VARIABLE = "SQZ_TF_REQUIRE_ALL"
# Keras and TFLite add the same float32 products in different orders; over SqueezeNet's depth that moved
# probabilities by up to 2e-6, a wrong weight, layout or channel order by far more.
CLOSE = 1e-4
LEAST_AGREEMENT = 0.97
SQNR_IMAGES = 8

Progress = Callable[[str], None]


class CheckError(SqzError):
    """The folder cannot be judged."""


@dataclass(frozen=True)
class Edge:
    """One comparison. `gate` says what decides: `equal`, `close`, `accuracy`, or `none` (reported only).

    `equal`, `max_abs_diff` (in the outputs' own units), `first_bad_layer` and `agreement_top1` are None where they
    were not measured; `skipped` holds the reason when nothing was, and then `passed` is None. `n` counts images.
    """

    gate: str
    passed: bool | None
    n: int = 0
    equal: bool | None = None
    max_abs_diff: float | None = None
    first_bad_layer: str | None = None
    agreement_top1: float | None = None
    skipped: str | None = None


@dataclass(frozen=True)
class ParityReport:
    """The verdict and everything it rests on; `to_json` gives plain values for report.json."""

    edges: dict[str, Edge]
    accuracy: dict[str, stats.Accuracy]
    drop: stats.Paired
    agreement_top1: float
    sqnr: dict[str, Any]
    sparsity: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True when no gate failed."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {**json.loads(json.dumps(dataclasses.asdict(self))), "passed": self.passed}


@dataclass(frozen=True)
class Artifacts:
    """What is judged, read once: the three models, the labels and the manifest."""

    float_model: bytes
    int8_model: bytes
    uint8_model: bytes
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    manifest: dict[str, Any]


def read_artifacts(folder: Path) -> Artifacts:
    """Read an export's folder.

    Raises:
      CheckError: a file is missing, or the manifest has no preprocessing.
    """
    try:
        models = [(folder / f"model_{kind}.tflite").read_bytes() for kind in ("f32", "int8", "uint8")]
        labels = tuple((folder / "labels.txt").read_text(encoding="utf-8").splitlines())
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        preprocess = from_dict(PreprocessSpec, manifest["config"]["preprocess"])
    except OSError as error:
        raise CheckError(
            f"{error.filename} cannot be read: {error.strerror}", fix="give the folder an export wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"{folder / 'manifest.json'} is not an export's manifest: {error!r}") from error
    return Artifacts(*models, labels, preprocess, manifest)


def judge(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray,
    config: CheckConfig,
    keras_predict: Callable[[np.ndarray], np.ndarray] | None = None,
    pruned_sparsity: dict[str, float] | None = None,
    progress: Progress | None = None,
) -> ParityReport:
    """Judge an output folder on held-out pictures.

    Args:
      folder: holds model_f32.tflite, model_int8.tflite, model_uint8.tflite, labels.txt and manifest.json.
      images: uint8 [N, h, w, c], as the device sees them.
      labels: integers [N].
      config: the gate.
      keras_predict: maps float32 [M, h, w, c] (`pixel * scale`) to probabilities [M, classes]; None skips that edge.
      pruned_sparsity: fraction of zeros that pruning left in each layer; None checks nothing.
      progress: told what happens now, one line a step.

    Raises:
      CheckError: the folder or the pictures do not fit.
    """
    tell = progress or (lambda _: None)
    artifacts = read_artifacts(folder)
    few = images[: config.parity_images]
    edges = static_edges(artifacts)
    floats = as_float(images, artifacts.preprocess)
    tell(f"running the float model on {len(images)} pictures")
    float_scores = interpreters.run(artifacts.float_model, floats, "litert-xnnpack").outputs
    edges["keras_float-tflite_float"] = _keras_edge(keras_predict, floats[: len(few)], float_scores)
    tell(f"comparing interpreters on {len(few)} pictures")
    edges |= _runtime_edges(artifacts, few, tell)
    trusted = "litert-builtin" if edges["int8_litert_ref-litert_builtin"].passed else "litert-ref"
    tell(f"running the int8 model on {len(images)} pictures")
    int8_scores = interpreters.run(artifacts.int8_model, as_int8(images), trusted).outputs
    return _verdict(artifacts, images, labels, config, edges, float_scores, int8_scores, pruned_sparsity)


def as_float(images: np.ndarray, preprocess: PreprocessSpec) -> np.ndarray:
    """Return the float model's input, `pixel * scale` in float32."""
    return images.astype(np.float32) * np.float32(preprocess.scale)


def as_int8(images: np.ndarray) -> np.ndarray:
    """Return the int8 model's input, `pixel ^ 0x80`."""
    return (images ^ np.uint8(0x80)).view(np.int8)


def static_edges(artifacts: Artifacts) -> dict[str, Edge]:
    """Check what needs no image: input quantization, number of labels, attached preprocessing."""
    scale, zero_point = input_quantization(artifacts.int8_model)
    expected = np.float32(artifacts.preprocess.scale)
    fits = zero_point == -128 and bool(np.isclose(scale, expected, rtol=1e-6, atol=0))
    classes = _output_size(artifacts.int8_model)
    attached = attached_json(artifacts.int8_model, "preprocess.json")
    return {
        "input_quantization": Edge("equal", fits, equal=fits),
        "labels": Edge("equal", classes == len(artifacts.labels), equal=classes == len(artifacts.labels)),
        "preprocess": _same(attached, artifacts.manifest["config"]["preprocess"]),
    }


def _same(got: Any, expected: Any) -> Edge:
    return Edge("equal", got == expected, equal=got == expected)


def attached_json(model: bytes, name: str) -> Any:
    """Return a JSON file from the zip appended to a `.tflite`, or None."""
    try:
        with zipfile.ZipFile(BytesIO(model)) as attached:
            return json.loads(attached.read(name))
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None


def input_quantization(model: bytes) -> tuple[float, int]:
    """Return scale and zero point of the input tensor."""
    details = interpreters.input_details(model)
    scale, zero_point = details["quantization"]
    return float(scale), int(zero_point)


def _output_size(model: bytes) -> int:
    return int(interpreters.output_details(model)["shape"][-1])


def compare(
    reference: tuple[bytes, np.ndarray, str],
    candidate: tuple[bytes, np.ndarray, str],
    *,
    offset: int = 0,
    layers: bool = True,
) -> Edge:
    """Compare two runs byte for byte, in every layer, and name the first layer that differs.

    Args:
      reference, candidate: (model, inputs, runtime), see `interpreters.run`.
      offset: the candidate's outputs are the reference's plus this.
      layers: also compare every activation of the first images.
    """
    try:
        ours = interpreters.run(*reference, all_tensors=layers)
        theirs = interpreters.run(*candidate, all_tensors=layers)
    except interpreters.Unavailable as error:
        return Edge("equal", None, skipped=str(error))
    difference = np.abs(theirs.outputs.astype(np.int64) - ours.outputs - offset)
    names = _shared_layers(reference[0], candidate[0]) if layers else {}
    bad = next((name for name, pair in names.items() if _differ(ours, theirs, pair)), None)
    if difference.any() and bad is None and layers:
        bad = "output"
    equal = not difference.any() and bad is None
    return Edge("equal", equal, len(ours.outputs), equal, float(difference.max()), bad)


def _shared_layers(reference: bytes, candidate: bytes) -> dict[str, tuple[int, int]]:
    ours = interpreters.activation_names(reference)
    theirs = {name: index for index, name in interpreters.activation_names(candidate).items()}
    return {name: (index, theirs[name]) for index, name in ours.items() if name in theirs}


def _differ(ours: interpreters.Result, theirs: interpreters.Result, pair: tuple[int, int]) -> bool:
    left, right = ours.tensors[pair[0]], theirs.tensors[pair[1]]
    return left.dtype == right.dtype and not np.array_equal(left, right)


def _keras_edge(
    keras_predict: Callable[[np.ndarray], np.ndarray] | None, floats: np.ndarray, tflite_scores: np.ndarray
) -> Edge:
    if keras_predict is None:
        return Edge("close", None, skipped="no Keras model was given")
    scores = np.asarray(keras_predict(floats), np.float64)
    expected = tflite_scores[: len(scores)].astype(np.float64)
    worst = float(np.abs(scores - expected).max())
    agreement = float((scores.argmax(1) == expected.argmax(1)).mean())
    return Edge("close", worst <= CLOSE, len(scores), None, worst, None, agreement)


def _runtime_edges(artifacts: Artifacts, few: np.ndarray, tell: Progress) -> dict[str, Edge]:
    model, pixels = artifacts.int8_model, as_int8(few)
    reference = (model, pixels, "litert-ref")
    edges = {
        f"int8_litert_ref-{name}": compare(reference, (model, pixels, runtime))
        for name, runtime in (
            ("litert_builtin", "litert-builtin"),
            ("tflite_runtime_ref", "tflite-runtime"),
            ("tflm", "tflm"),
        )
    }
    twin = (artifacts.uint8_model, few, "litert-ref")
    edges["int8-uint8_twin"] = compare(reference, twin, offset=128)
    return edges


def _verdict(
    artifacts: Artifacts,
    images: np.ndarray,
    labels: np.ndarray,
    config: CheckConfig,
    edges: dict[str, Edge],
    float_scores: np.ndarray,
    int8_scores: np.ndarray,
    pruned_sparsity: dict[str, float] | None,
) -> ParityReport:
    float_right = stats.top_k_correct(float_scores, labels, 1)
    int8_right = stats.top_k_correct(int8_scores, labels, 1)
    drop = stats.paired_drop(float_right, int8_right)
    agreement = float((float_scores.argmax(1) == int8_scores.argmax(1)).mean())
    failures, warnings = [], []
    passed = drop.interval_pp[0] <= config.max_drop
    edges["tflite_float-int8"] = Edge("accuracy", passed, len(images), agreement_top1=agreement)
    xnnpack = interpreters.run(artifacts.int8_model, as_int8(images), "litert-xnnpack").outputs
    edges["int8_litert_ref-litert_xnnpack"] = _xnnpack_edge(int8_scores, xnnpack, labels, config)
    if not passed:
        failures.append(f"int8 loses {drop.drop_pp:.2f} points of top-1; at most {config.max_drop} pass")
    elif drop.drop_pp > config.max_drop:
        warnings.append(f"int8 loses {drop.drop_pp:.2f} points of top-1, more than {config.max_drop}")
    for name, edge in edges.items():
        if edge.passed is False and name != "tflite_float-int8":
            failures.append(f"{name}: not {edge.gate}, first bad layer {edge.first_bad_layer}")
        if edge.skipped and os.environ.get(REQUIRE_VARIABLE) == "1":
            failures.append(f"{name} was skipped: {edge.skipped}")
    return ParityReport(
        edges=edges,
        accuracy={
            "float": stats.accuracy(float_scores, labels),
            "int8": stats.accuracy(int8_scores, labels),
            "int8_xnnpack": stats.accuracy(xnnpack, labels),
        },
        drop=drop,
        agreement_top1=agreement,
        sqnr={"layers": {}, "worst": None},
        failures=tuple(failures),
        warnings=tuple(warnings),
    )


def _xnnpack_edge(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, config: CheckConfig) -> Edge:
    difference = np.abs(theirs.astype(np.int64) - ours)
    agreement = float((ours.argmax(1) == theirs.argmax(1)).mean())
    drop = stats.paired_drop(stats.top_k_correct(ours, labels, 1), stats.top_k_correct(theirs, labels, 1))
    return Edge(
        "accuracy",
        drop.interval_pp[0] <= config.max_drop,
        len(ours),
        not difference.any(),
        float(difference.max()),
        None,
        agreement,
    )


def check_sparsity(pruned: dict[str, float], tflite: dict[str, float]) -> tuple[str, ...]:
    """Return one line for each layer whose fraction of zeros in the `.tflite` is below what pruning left."""
    return tuple(
        f"{name}: {tflite.get(name, 0.0):.4f} of the weights are zero, pruning left {fraction:.4f}"
        for name, fraction in pruned.items()
        if tflite.get(name, 0.0) < fraction - 1e-9
    )
