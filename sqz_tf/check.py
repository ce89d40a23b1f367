"""The one judge: does the folder's int8 network still do what the float one did, on every interpreter?

Byte equality and closeness are measured by `parity`; here float against int8 is judged by accuracy on held-out
pictures, with its interval, and everything becomes one verdict. XNNPACK rounds otherwise than the reference
kernels: it is judged by accuracy, its differences are reported.

Accuracy of int8 is measured with LiteRT's fast kernels if they are seen to be byte equal to the reference kernels,
as they are where a ReLU follows each convolution; else with the reference kernels, up to twenty times as slow.

    python -m sqz_tf.check FOLDER    judge an output folder again

NumPy and what reads models are imported when the judging begins, not before.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf import __version__, _cli
from sqz_tf.errors import SqzError
from sqz_tf.spec import CheckConfig, DataConfig, from_dict

if TYPE_CHECKING:
    import numpy as np

    from sqz_tf import stats
    from sqz_tf.data import Dataset
    from sqz_tf.parity import Artifacts, Edge, Predict

REQUIRE_VARIABLE = "SQZ_TF_REQUIRE_ALL"
SQNR_IMAGES = 8
CHUNK = 512  # pictures run at a time

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ParityReport:
    """The verdict and everything it rests on.

    `accuracy` has `float` (what int8 is judged against), `final_float` (model_f32.tflite), `int8` and
    `int8_xnnpack`. `drop` is from `float` to `int8`, `agreement_top1` between `final_float` and `int8`.
    `sqnr`: `layers`, layer → decibels, and `worst`, a layer's name. `sparsity`: layer → {`pruned`, `tflite`},
    fractions of zeros in [0, 1]. `int8_scores`: int8 [N, classes], for reports; not part of the JSON.
    """

    edges: dict[str, Edge]
    accuracy: dict[str, stats.Accuracy]
    drop: stats.Paired
    agreement_top1: float
    sqnr: dict[str, Any]
    sparsity: dict[str, dict[str, float]]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    int8_scores: np.ndarray = field(repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """True when no gate failed."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        values = dataclasses.asdict(dataclasses.replace(self, int8_scores=self.int8_scores[:0]))
        del values["int8_scores"]
        plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
        return {**plain, "passed": self.passed}


class KerasRun:
    """A loaded Keras model as `judge` takes it."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, floats: np.ndarray) -> np.ndarray:
        """Return the outputs [N, classes] for float32 [N, h, w, c]."""
        scores: np.ndarray = self.model.predict(floats, verbose=0)
        return scores

    def layers(self, floats: np.ndarray) -> dict[str, np.ndarray]:
        """Return layer name → its output [N, ...], in the model's order."""
        names = [layer.name for layer in self.model.layers]
        every = type(self.model)(self.model.inputs, [layer.output for layer in self.model.layers])
        return dict(zip(names, every.predict(floats, verbose=0), strict=True))


# Judging -----------------------------------------------------------------------------------------------------


def judge(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray,
    config: CheckConfig,
    keras_predict: Predict | None = None,
    pruned_sparsity: Mapping[str, float] | None = None,
    reference_scores: np.ndarray | None = None,
    progress: Progress | None = None,
    rows: np.ndarray | None = None,
) -> ParityReport:
    """Judge an output folder on held-out pictures.

    With the environment variable SQZ_TF_REQUIRE_ALL=1 a skipped edge fails.

    Args:
      folder: holds model_f32.tflite, model_int8.tflite, model_uint8.tflite, labels.txt and manifest.json, of which
        only `config.preprocess` is read.
      images: uint8 [N, h, w, c], as the device sees them; may be a memory map, of which CHUNK pictures are read at
        a time.
      labels: integers [N].
      config: the gate; `parity_images` pictures, evenly spaced, are compared layer by layer or byte by byte.
      keras_predict: maps float32 [M, h, w, c] (`pixel * scale`) to probabilities [M, classes]; None skips that edge.
        A `KerasRun` can also name the first bad layer.
      pruned_sparsity: fraction of zeros that pruning left in each layer; None checks nothing.
      reference_scores: [N, classes] (with `rows`: [M, classes]) of the float network that int8 is judged against,
        such as the dense one before pruning; None takes model_f32.tflite.
      progress: told what happens next, a line at a time.
      rows: integers [M], which pictures judge; None takes all.

    Raises:
      CheckError: the folder or the pictures do not fit.
      InterpreterError: LiteRT cannot run a model.
    """
    import numpy as np

    from sqz_tf.parity import (
        CheckError,
        check_pictures,
        keras_edge,
        layer_sqnr,
        output_size,
        read_artifacts,
        runtime_edges,
        spread,
        static_edges,
    )

    tell = progress or (lambda line: None)
    artifacts = read_artifacts(folder)
    images, labels = np.asarray(images), np.asarray(labels)
    rows = np.arange(len(images)) if rows is None else rows
    check_pictures(artifacts, images, labels, rows)
    expected = (len(rows), output_size(artifacts.int8_model))
    if reference_scores is not None and reference_scores.shape != expected:
        raise CheckError(
            f"the reference scores are {list(reference_scores.shape)}",
            expected=f"{list(expected)}, a row for each picture",
        )
    few = images[rows[spread(len(rows), config.parity_images)]]
    tell(f"comparing interpreters on {len(few)} pictures …")
    edges = {**static_edges(artifacts), "keras_float-tflite_float": keras_edge(artifacts, few, keras_predict)}
    edges |= runtime_edges(artifacts, few)
    tell(f"measuring accuracy on {len(rows)} pictures …")
    scores = _all_scores(artifacts, images, rows, trusted_runtime(edges))
    scores = {"float": scores["final_float"] if reference_scores is None else reference_scores, **scores}
    sqnr = layer_sqnr(artifacts, images[rows[spread(len(rows), SQNR_IMAGES)]])
    return verdict(scores, labels[rows], config, edges, sqnr, _sparsity(artifacts.int8_model, pruned_sparsity))


def verdict(
    scores: Mapping[str, np.ndarray],
    labels: np.ndarray,
    config: CheckConfig,
    edges: Mapping[str, Edge],
    sqnr: dict[str, Any],
    sparsity: dict[str, dict[str, float]],
) -> ParityReport:
    """Put everything measured together and decide.

    Args:
      scores: [N, classes] of `float`, `final_float`, `int8` and `int8_xnnpack`, the last two in int8.
      labels: integers [N].
      edges: everything compared so far; the two that rest on accuracy are added here.
      sqnr, sparsity: as in `ParityReport`.
    """
    from sqz_tf import stats
    from sqz_tf.parity import accuracy_edge, agreement

    right = {name: stats.top_k_correct(values, labels, 1) for name, values in scores.items()}
    drop = stats.paired_drop(right["float"], right["int8"])
    xnnpack_drop = stats.paired_drop(right["int8"], right["int8_xnnpack"])
    every = {
        **edges,
        "tflite_float-int8": accuracy_edge(scores["final_float"], scores["int8"], drop, config),
        "int8_litert_ref-litert_xnnpack": accuracy_edge(scores["int8"], scores["int8_xnnpack"], xnnpack_drop, config),
    }
    fractions = [{name: both[key] for name, both in sparsity.items()} for key in ("pruned", "tflite")]
    return ParityReport(
        edges=every,
        accuracy={name: stats.accuracy(values, labels) for name, values in scores.items()},
        drop=drop,
        agreement_top1=agreement(scores["final_float"], scores["int8"]),
        sqnr=sqnr,
        sparsity=sparsity,
        failures=(*_failures(every), *check_sparsity(*fractions)),
        warnings=tuple(f"{name}: {edge.note}" for name, edge in every.items() if edge.passed and edge.note),
        int8_scores=scores["int8"],
    )


def _failures(edges: Mapping[str, Edge]) -> list[str]:
    failures = [f"{name}: {edge.note}" for name, edge in edges.items() if edge.passed is False]
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        failures += [
            f"{name} was skipped though {REQUIRE_VARIABLE}=1: {edge.skipped}"
            for name, edge in edges.items()
            if edge.skipped
        ]
    return failures


def trusted_runtime(edges: Mapping[str, Edge]) -> str:
    """Return the interpreter that judges int8: the fast one where it was byte equal to the reference."""
    return "litert-builtin" if edges["int8_litert_ref-litert_builtin"].equal else "litert-ref"


def _all_scores(artifacts: Artifacts, images: np.ndarray, rows: np.ndarray, runtime: str) -> dict[str, np.ndarray]:
    from sqz_tf.parity import as_float

    return {
        "final_float": _scores(
            artifacts.float_model, "litert-xnnpack", images, rows, lambda chunk: as_float(chunk, artifacts.preprocess)
        ),
        "int8": int8_scores(artifacts.int8_model, runtime, images, rows),
        "int8_xnnpack": int8_scores(artifacts.int8_model, "litert-xnnpack", images, rows),
    }


def int8_scores(model: bytes, runtime: str, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return an int8 model's outputs, int8 [M, classes], for rows [M] of uint8 pictures [N, h, w, c]."""
    from sqz_tf.images import to_int8

    return _scores(model, runtime, images, rows, to_int8)


def _scores(
    model: bytes, runtime: str, images: np.ndarray, rows: np.ndarray, feed: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Run a chunk of pictures at a time: as floats a large split would not fit in memory.

    The reference kernels are slow and run in processes of their own: as many at once as there are processors.
    """
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from sqz_tf import interpreters

    workers = os.cpu_count() or 1 if runtime in interpreters.IN_WORKER else 1
    chunk = min(CHUNK, -(-len(rows) // workers))

    def outputs(start: int) -> np.ndarray:
        return interpreters.run(model, feed(images[rows[start : start + chunk]]), runtime).outputs

    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(outputs, range(0, len(rows), chunk))))


def _sparsity(int8_model: bytes, pruned: Mapping[str, float] | None) -> dict[str, dict[str, float]]:
    from converters import tflite_reader

    if not pruned:
        return {}
    found = tflite_reader.weight_zero_fraction(tflite_reader.read_model(int8_model))
    return {name: {"pruned": fraction, "tflite": found.get(name, 0.0)} for name, fraction in pruned.items()}


def check_sparsity(pruned: Mapping[str, float], tflite: Mapping[str, float]) -> tuple[str, ...]:
    """Return a line for each layer with fewer zeros in the `.tflite` than pruning left.

    Args:
      pruned: layer → fraction of zeros in [0, 1] after pruning.
      tflite: the same in the `.tflite`; quantization may add zeros, never take them.
    """
    return tuple(
        f"{name}: {tflite.get(name, 0.0):.4f} of the weights in model_int8.tflite are zero, pruning left {fraction:.4f}"
        for name, fraction in pruned.items()
        if tflite.get(name, 0.0) < fraction - 1e-9
    )


# Command line ------------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m sqz_tf.check",
        description="Judge an output folder again: files against their manifest, Keras against TFLite, int8 on every "
        "interpreter, and int8's accuracy against model_f32.tflite's on the held-out pictures. "
        "Exit code 0: passed, 1: failed, 2: usage.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what an export wrote")
    parser.add_argument("--data", metavar="SOURCE", help="pictures to judge on (default: those of the export)")
    parser.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="percentage points of top-1 that int8 may lose (default: as exported)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of the table")
    parser.add_argument("--quiet", action="store_true", help="no notes and no progress")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.add_argument("--version", action="version", version=f"sqz-tf {__version__}")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    arguments = build_parser().parse_args(argv)
    return _cli.run(lambda: _work(arguments, _cli.Console(arguments.quiet)), arguments.debug)


def _work(arguments: argparse.Namespace, console: _cli.Console) -> int:
    report = judge_folder(arguments.folder, arguments.data, arguments.max_drop, console)
    print(json.dumps(report.to_json(), indent=2) if arguments.json else table(report))
    return _cli.EXIT_OK if report.passed else _cli.EXIT_FAILED


def judge_folder(folder: Path, source: str | None, max_drop: float | None, console: _cli.Console) -> ParityReport:
    """Judge an output folder by what its manifest says, on its own held-out pictures.

    Args:
      source: pictures to use instead, as in `DataConfig`.
      max_drop: gate to use instead, in percentage points.

    Raises:
      SqzError: the folder or the pictures cannot be read.
    """
    from sqz_tf.data import trains_nothing
    from sqz_tf.parity import read_artifacts

    artifacts = read_artifacts(folder)
    config = artifacts.manifest["config"]
    gate = from_dict(CheckConfig, config.get("check", {}))
    if max_drop is not None:
        gate = dataclasses.replace(gate, max_drop=max_drop)
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as cache:
        pictures = _judging if trains_nothing(config) else _held_out
        dataset, rows = pictures(artifacts, source, Path(cache, "data"), console)
        predict, why_not = _keras(folder, console)
        report = judge(
            folder,
            dataset.images,
            dataset.labels,
            gate,
            predict,
            _pruned_sparsity(folder),
            progress=console.note,
            rows=rows,
        )
    return _with_edges(report, {"files": _files_edge(folder)}, why_not)


def _held_out(
    artifacts: Artifacts, source: str | None, cache: Path, console: _cli.Console
) -> tuple[Dataset, np.ndarray]:
    """Return the pictures, kept in `cache`, and which of them judge."""
    from sqz_tf.data import load
    from sqz_tf.parity import CheckError

    config = _data_config(artifacts, source, console)
    dataset = load(config, artifacts.preprocess, cache, console.step)
    if dataset.classes != artifacts.labels:
        raise CheckError(
            f"the pictures' classes are {_some(dataset.classes)}",
            expected=f"those of labels.txt, {_some(artifacts.labels)}",
            fix="give the pictures of the export with --data",
        )
    _compare_pictures(artifacts, source, dataset, console)
    return dataset, dataset.splits["test"]


def _judging(
    artifacts: Artifacts, source: str | None, cache: Path, console: _cli.Console
) -> tuple[Dataset, np.ndarray]:
    """Do as `_held_out` for a network that was only quantized, whose classes the pictures need not all have."""
    import numpy as np

    from sqz_tf import images
    from sqz_tf._matching import match_classes
    from sqz_tf.data import load_for_judging
    from sqz_tf.parity import CheckError, attached_wnids

    config = _data_config(artifacts, source, console)
    found = images.scan(config.source)
    if not found.classes:
        raise CheckError(
            f"{config.source} holds {len(found.entries)} pictures without labels",
            expected="one folder per class, or labels.csv",
        )
    outputs = match_classes(
        found.classes,
        artifacts.labels,
        wnids=found.wnids,
        numbers=found.label_numbers,
        label_wnids=attached_wnids(artifacts),
    )
    given = artifacts.manifest["config"].get("calibration_data")
    calibration = given if given and Path(given).exists() else None
    dataset = load_for_judging(
        config, calibration, outputs, artifacts.labels, artifacts.preprocess, cache, console.step
    )
    if given and not calibration:
        console.note(f"note: {given}, which calibrated, is not there: cannot tell if these are the export's pictures")
        return dataset, np.sort(np.concatenate([dataset.splits["calibration"], dataset.splits["test"]]))
    _compare_pictures(artifacts, source, dataset, console)
    return dataset, dataset.splits["test"]


def _data_config(artifacts: Artifacts, source: str | None, console: _cli.Console) -> DataConfig:
    config = from_dict(DataConfig, artifacts.manifest["config"].get("data", {}))
    if source is not None:
        config = dataclasses.replace(config, source=source)
    console.note(f"reading {config.source} …")
    return config


def _compare_pictures(artifacts: Artifacts, source: str | None, dataset: Dataset, console: _cli.Console) -> None:
    if source is None and dataset.sha256 != artifacts.manifest.get("data_sha256"):
        console.note("note: these are not the pictures of the export, or they are split otherwise")


def _some(names: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" … ({len(names)})" if len(names) > most else "")


def _keras(folder: Path, console: _cli.Console) -> tuple[Predict | None, str]:
    """Return model.keras as a function, or None and the reason why it cannot be run."""
    from sqz_tf.parity import CheckError

    console.note("loading model.keras …")
    try:
        from sqz_tf import model as _registers_layers  # noqa: F401
        from sqz_tf._keras import keras

        loaded = keras.models.load_model(folder / "model.keras", compile=False)
    except SqzError as error:  # TensorFlow is not installed
        return None, str(error)
    except (OSError, ValueError, TypeError) as error:
        raise CheckError(f"{folder / 'model.keras'} cannot be loaded ({error})", fix="export again") from error
    return KerasRun(loaded), ""


def _pruned_sparsity(folder: Path) -> dict[str, float] | None:
    """Return what pruning left, from report.json; None where there is none."""
    try:
        layers = json.loads((folder / "report.json").read_text(encoding="utf-8"))["sparsity"]["layers"]
        return {name: float(both["pruned"]) for name, both in layers.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _files_edge(folder: Path) -> Edge:
    from sqz_tf import artifact
    from sqz_tf.parity import Edge

    problems = artifact.verify_manifest(folder)
    return Edge("equal", not problems, equal=not problems, note="; ".join(problems))


def _with_edges(report: ParityReport, edges: dict[str, Edge], why_no_keras: str) -> ParityReport:
    """Return the report with further edges in front, and the reason for a missing Keras edge."""
    every = {**edges, **report.edges}
    if why_no_keras:
        name = "keras_float-tflite_float"
        every[name] = dataclasses.replace(every[name], skipped=why_no_keras)
    new = _failures(edges)
    return dataclasses.replace(report, edges=every, failures=(*new, *report.failures))


def table(report: ParityReport) -> str:
    """Return the report as text: a line for each edge, the accuracies, and the verdict."""
    lines = [f"{'edge':<36}{'gate':<10}{'pictures':>8}  result"]
    lines += [f"{name:<36}{edge.gate:<10}{edge.n or '':>8}  {_result(edge)}" for name, edge in report.edges.items()]
    lines.append("")
    for name, figures in report.accuracy.items():
        low, high = figures.interval
        lines.append(
            f"{name:<14}top-1 {figures.top1:7.2%} ({low:.2%} to {high:.2%})  top-5 {figures.top5:7.2%}  of {figures.n}"
        )
    low, high = report.drop.interval_pp
    lines.append(
        f"{'drop':<14}{report.drop.drop_pp:.2f} points ({low:.2f} to {high:.2f}), {report.drop.lost} lost, "
        f"{report.drop.gained} gained, McNemar p {report.drop.mcnemar_p:.2g}"
    )
    if worst := report.sqnr["worst"]:
        lines.append(f"{'worst layer':<14}{worst}, {report.sqnr['layers'][worst]:.1f} dB")
    lines += [f"warning: {line}" for line in report.warnings] + [f"FAILED: {line}" for line in report.failures]
    return "\n".join([*lines, "passed" if report.passed else "failed"])


def _result(edge: Edge) -> str:
    if edge.skipped:
        return f"skipped: {edge.skipped}"
    parts = [{True: "passed", False: "FAILED", None: "reported"}[edge.passed]]
    if edge.equal:
        parts.append("equal")
    elif edge.max_abs_diff is not None:
        parts.append(f"largest difference {edge.max_abs_diff:.3g}")
    if edge.first_bad_layer:
        parts.append(f"first in {edge.first_bad_layer}")
    if edge.agreement_top1 is not None:
        parts.append(f"same class on {edge.agreement_top1:.1%}")
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
