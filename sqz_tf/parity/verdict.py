"""The one judge: does the folder's int8 network still do what the float one did, on every interpreter?

Byte equality and closeness are measured by `parity`; here float against int8 is judged by accuracy on held-out
pictures, with its interval, and everything becomes one verdict. XNNPACK rounds otherwise than the reference
kernels: it is judged by accuracy, its differences are reported.

Accuracy of int8 is measured with LiteRT's fast kernels if they are seen to be byte equal to the reference kernels,
as they are where a ReLU follows each convolution; else with the reference kernels, up to twenty times as slow.

NumPy and what reads models are imported when the judging begins, not before.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters import strict_json
from sqz_tf.base.spec import CheckConfig

if TYPE_CHECKING:
    import numpy as np

    from sqz_tf.base import stats
    from sqz_tf.parity.artifacts import Artifacts
    from sqz_tf.parity.edges import Edge, Predict


REQUIRE_VARIABLE = "SQZ_TF_REQUIRE_ALL"


SQNR_IMAGES = 8


CHUNK = 512  # pictures run at a time


Progress = Callable[[str], None]


@dataclass(frozen=True)
class ParityReport:
    """The verdict and everything it rests on.

    `accuracy` has `float` (what int8 is judged against), `final_float` (model_f32.tflite), `int8` and
    `int8_xnnpack`. `drop` is from `float` to `int8`, `agreement_top1` between `final_float` and `int8`; edge
    `float-int8` has the agreement with `float`.
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
        return {**strict_json.plain(values), "passed": self.passed}


def judge(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray,
    config: CheckConfig,
    keras_predict: Predict | None = None,
    pruned_sparsity: Mapping[str, float] | None = None,
    reference: np.ndarray | None = None,
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
      reference: best classes, integers [N, up to 5] (with `rows`: [M, up to 5]), of the float network that int8 is
        judged against, such as the dense one before pruning; None takes model_f32.tflite.
      progress: told what happens next, a line at a time.
      rows: integers [M], which pictures judge; None takes all.

    Raises:
      CheckError: the folder or the pictures do not fit.
      InterpreterError: LiteRT cannot run a model.
    """
    import numpy as np

    from sqz_tf.artifact.exported import best_answers
    from sqz_tf.parity.artifacts import CheckError, check_pictures, read_artifacts, spread
    from sqz_tf.parity.edges import keras_edge, runtime_edges, static_edges, trusted_runtime
    from sqz_tf.parity.layers import layer_sqnr

    tell = progress or (lambda line: None)
    artifacts = read_artifacts(folder)
    images, labels = np.asarray(images), np.asarray(labels)
    rows = np.arange(len(images)) if rows is None else rows
    check_pictures(artifacts, images, labels, rows)
    if reference is not None and len(reference) != len(rows):
        raise CheckError(
            f"there are reference answers for {len(reference)} pictures", expected=f"{len(rows)}, one for each picture"
        )
    few = images[rows[spread(len(rows), config.parity_images)]]
    tell(f"comparing interpreters on {len(few)} pictures …")
    edges = {**static_edges(artifacts), "keras_float-tflite_float": keras_edge(artifacts, few, keras_predict)}
    edges |= runtime_edges(artifacts, few)
    tell(f"measuring accuracy on {len(rows)} pictures …")
    scores = _all_scores(artifacts, images, rows, trusted_runtime(edges))
    answers = best_answers(scores["final_float"]) if reference is None else reference
    sqnr = layer_sqnr(artifacts, images[rows[spread(len(rows), SQNR_IMAGES)]])
    sparsity = _sparsity(artifacts.int8_model, pruned_sparsity)
    return verdict(answers, scores, labels[rows], config, edges, sqnr, sparsity)


def verdict(
    reference: np.ndarray,
    scores: Mapping[str, np.ndarray],
    labels: np.ndarray,
    config: CheckConfig,
    edges: Mapping[str, Edge],
    sqnr: dict[str, Any],
    sparsity: dict[str, dict[str, float]],
) -> ParityReport:
    """Put everything measured together and decide.

    Args:
      reference: integers [N, up to 5], the best classes of the float network that int8 is judged against.
      scores: [N, classes] of `final_float`, `int8` and `int8_xnnpack`, the last two in int8.
      labels: integers [N].
      edges: everything compared so far; those that rest on accuracy are added here.
      sqnr, sparsity: as in `ParityReport`.
    """
    from sqz_tf.base import stats
    from sqz_tf.parity.edges import accuracy_edges, agreement

    right = {name: stats.top_k_correct(values, labels, 1) for name, values in scores.items()}
    right["float"] = stats.answered(reference, labels, 1)
    every = {**edges, **accuracy_edges(reference, scores, right, config)}
    float_accuracy = stats.accuracy_of(right["float"], stats.answered(reference, labels, 5))
    fractions = [{name: both[key] for name, both in sparsity.items()} for key in ("pruned", "tflite")]
    return ParityReport(
        edges=every,
        accuracy={
            "float": float_accuracy,
            **{name: stats.accuracy(values, labels) for name, values in scores.items()},
        },
        drop=stats.paired_drop(right["float"], right["int8"]),
        agreement_top1=agreement(scores["final_float"], scores["int8"]),
        sqnr=sqnr,
        sparsity=sparsity,
        failures=(*failures_in(every), *check_sparsity(*fractions)),
        warnings=tuple(f"{name}: {edge.note}" for name, edge in every.items() if edge.passed and edge.note),
        int8_scores=scores["int8"],
    )


def failures_in(edges: Mapping[str, Edge]) -> list[str]:
    """Return one line for each edge that failed, or was not asked though all are mandatory."""
    failures = [f"{name}: {edge.note}" for name, edge in edges.items() if edge.passed is False]
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        failures += [
            f"{name} was skipped though {REQUIRE_VARIABLE}=1: {edge.skipped}"
            for name, edge in edges.items()
            if edge.skipped
        ]
    return failures


def _all_scores(artifacts: Artifacts, images: np.ndarray, rows: np.ndarray, runtime: str) -> dict[str, np.ndarray]:
    from sqz_tf.parity.artifacts import as_float

    return {
        "final_float": _scores(
            artifacts.float_model, "litert-xnnpack", images, rows, lambda chunk: as_float(chunk, artifacts.preprocess)
        ),
        "int8": int8_scores(artifacts.int8_model, runtime, images, rows),
        "int8_xnnpack": int8_scores(artifacts.int8_model, "litert-xnnpack", images, rows),
    }


def int8_scores(model: bytes, runtime: str, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return an int8 model's outputs, int8 [M, classes], for rows [M] of uint8 pictures [N, h, w, c]."""
    from sqz_tf.base.pixels import to_int8

    return _scores(model, runtime, images, rows, to_int8)


def _scores(
    model: bytes, runtime: str, images: np.ndarray, rows: np.ndarray, feed: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Run a chunk of pictures at a time: as floats a large split would not fit in memory.

    The reference kernels are slow and run in processes of their own: as many at once as there are processors.
    """
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from sqz_tf.inference import interpreters

    workers = os.cpu_count() or 1 if runtime in interpreters.SLOW else 1
    chunk = min(CHUNK, -(-len(rows) // workers))

    def outputs(start: int) -> np.ndarray:
        return interpreters.run(model, feed(images[rows[start : start + chunk]]), runtime).outputs

    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(outputs, range(0, len(rows), chunk))))


def _sparsity(int8_model: bytes, pruned: Mapping[str, float] | None) -> dict[str, dict[str, float]]:
    from converters.tflite.reader import read_model, weight_zero_fraction

    if not pruned:
        return {}
    found = weight_zero_fraction(read_model(int8_model))
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
