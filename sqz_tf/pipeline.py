"""The stages of an export, wired: data → dense → pruned → quantized → converted → judged → reported.

Each stage is a folder of plain files (weights as .npz, figures as .json, models as .tflite), so that a resumed run
reads what an unbroken one wrote, and both write the same bytes.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from converters import c_array, tflite_reader, tflite_writer, to_tflite
from sqz_tf import __version__, check, interpreters, report, stats
from sqz_tf._cli import Console
from sqz_tf._keras import keras, make_deterministic
from sqz_tf.artifact import Workspace, manifest, stage_key, versions, write_manifest, xz_size
from sqz_tf.batches import Examples, class_weights, evaluation_batches
from sqz_tf.data import Dataset, Summary, load, open_cached
from sqz_tf.errors import ConversionError
from sqz_tf.model import fold, squeezenet
from sqz_tf.plan import Plan
from sqz_tf.prune import prunable, prune, sparsity
from sqz_tf.quantize import activation_ranges, quantize_aware, without_fake_quantization
from sqz_tf.spec import PreprocessSpec, to_dict
from sqz_tf.train import FitPlan, History, fit

OPS = {"CONV_2D", "MAX_POOL_2D", "CONCATENATION", "MEAN", "SOFTMAX"}
FIXED_SECONDS = 45.0  # start-up, compilation, conversion, checks and report
MISTAKES_SHOWN = 24
SEED_OF = {"dense": 0, "pruned": 1, "quantized": 2}  # added to the seed: no stage repeats another's shuffles


class Pipeline:
    """One export.

    Args:
      plan: what to do.
      summary: the data set as counted before.
      workspace: entered; holds the stages and takes the result.
      console: told what happens.
      command: the command line, for the record.
    """

    def __init__(
        self, plan: Plan, summary: Summary, workspace: Workspace, console: Console, command: list[str]
    ) -> None:
        self.plan, self.summary, self.workspace, self.console, self.command = (
            plan,
            summary,
            workspace,
            console,
            command,
        )
        self._key = stage_key(summary.sha256, versions())

    def run(self) -> tuple[dict[str, Any], Path]:
        """Run or resume every stage, publish or reject; return the report and the folder it is in."""
        self.data = self._stage("data", self.plan.preprocess, self._load)
        dense = self._stage("dense", [self.plan.model, self.plan.train, self.plan.seed], self._train, resumable=True)
        pruned = self._stage("pruned", self.plan.prune, lambda out: self._prune(dense, out), resumable=True)
        quantized = self._stage(
            "quantized", self.plan.quantize, lambda out: self._quantize(pruned, out), resumable=True
        )
        converted = self._stage("converted", __version__, lambda out: self._convert(quantized, out))
        started = time.monotonic()
        assembled = self.workspace.assemble(lambda out: self._assemble(out, dense, pruned, quantized, converted))
        self.workspace.seconds["checked"] = time.monotonic() - started
        result = self._report(assembled, dense, pruned, quantized)
        passed = result["gate"]["passed"]
        return result, self.workspace.publish() if passed else self.workspace.reject()

    def _stage(self, name: str, config: Any, build: Callable[[Path], None], resumable: bool = False) -> Path:
        """Run one stage; its key covers its config and every stage before it."""
        parts = [to_dict(part) if hasattr(part, "__dataclass_fields__") else part for part in _as_list(config)]
        self._key = stage_key(self._key, name, parts)

        def announced(folder: Path) -> None:
            self.console.note(f"{name} …")
            build(folder)

        return self.workspace.stage(name, self._key, announced, resumable=resumable)

    # Data -------------------------------------------------------------------------------------------------------

    def _load(self, out: Path) -> None:
        load(self.plan.data, self.plan.preprocess, out / "cache", self.console.step)

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures, memory-mapped."""
        return open_cached(self.data / "cache")

    @cached_property
    def preprocess(self) -> PreprocessSpec:
        """The plan's preprocessing with the training pictures' mean and standard deviation."""
        chosen = self.dataset.splits["train"][:: max(1, len(self.dataset.splits["train"]) // 2000)]
        values = self.dataset.images[chosen].reshape(-1, self.plan.preprocess.channels) / 255.0
        return replace(
            self.plan.preprocess,
            mean=tuple(round(float(mean), 4) for mean in values.mean(0)),
            std=tuple(round(max(float(std), 0.05), 4) for std in values.std(0)),
        )

    def examples(self, split: str) -> Examples:
        """Return one split as what training and evaluation take."""
        return Examples(
            self.dataset.images,
            self.dataset.labels,
            self.dataset.splits[split],
            len(self.dataset.classes),
            self.preprocess.scale,
        )

    # Training ---------------------------------------------------------------------------------------------------

    def _network(self, folder: Path | None = None) -> Any:
        model = squeezenet(self.plan.model, self.preprocess)
        if folder is not None:
            model.set_weights(_read_weights(folder / "weights.npz"))
        return model

    def _train(self, out: Path) -> None:
        train = self.plan.train
        plan = FitPlan(
            epochs=train.epochs,
            batch_size=train.batch_size,
            learning_rate=train.learning_rate,
            warmup_epochs=train.warmup_epochs,
            weight_decay=train.weight_decay,
            label_smoothing=train.label_smoothing,
            augment=train.augment,
            patience=train.patience,
            restart=True,
        )
        make_deterministic(self.plan.seed)
        model = self._network()
        self._finish(out, model, self._fit(model, plan, "dense", out))

    def _prune(self, dense: Path, out: Path) -> None:
        config = self.plan.prune
        plan = self._short_plan(config.epochs, config.learning_rate, first_best_epoch=round(0.7 * config.epochs))
        make_deterministic(self.plan.seed + SEED_OF["pruned"])
        model, history = prune(
            self._network(dense),
            self.examples("train"),
            self.examples("validation"),
            config,
            plan,
            seed=self.plan.seed + SEED_OF["pruned"],
            state=out / "training",
            progress=self._progress("pruned"),
        )
        self._finish(out, model, history)
        _write_json(out / "sparsity.json", sparsity(model, prunable(model, config.skip)))

    def _quantize(self, pruned: Path, out: Path) -> None:
        config = self.plan.quantize
        make_deterministic(self.plan.seed + SEED_OF["quantized"])
        plain = fold(self._network(pruned), self.plan.model, self.preprocess)
        ranges = activation_ranges(plain, self._calibration())
        model = quantize_aware(plain, ranges, self._input_range)
        plan = self._short_plan(config.epochs, config.learning_rate)
        history = self._fit(model, plan, "quantized", out)
        _write_weights(out / "plain.npz", plain.get_weights())
        _write_json(out / "ranges.json", ranges)
        self._finish(out, model, history)

    def _short_plan(self, epochs: int, learning_rate: float, first_best_epoch: int = 0) -> FitPlan:
        train = self.plan.train
        return FitPlan(
            epochs=epochs,
            batch_size=train.batch_size,
            learning_rate=learning_rate,
            warmup_epochs=min(0.5, epochs / 5),
            weight_decay=train.weight_decay,
            label_smoothing=train.label_smoothing,
            augment=train.augment,
            first_best_epoch=first_best_epoch,
        )

    def _fit(self, model: Any, plan: FitPlan, phase: str, out: Path) -> History:
        return fit(
            model,
            self.examples("train"),
            self.examples("validation"),
            plan,
            seed=self.plan.seed + SEED_OF[phase],
            state=out / "training",
            progress=self._progress(phase),
        )

    def _finish(self, out: Path, model: Any, history: History) -> None:
        """Keep a phase's weights, its history, and its scores on the held-out pictures."""
        scores = model.predict(evaluation_batches(self.examples("test")), verbose=0)
        np.save(out / "scores.npy", scores)
        _write_json(out / "history.json", asdict(history))
        _write_weights(out / "weights.npz", model.get_weights())

    def _progress(self, phase: str) -> Callable[[int, int, dict[str, float]], None]:
        def progress(epoch: int, epochs: int, logs: dict[str, float]) -> None:
            extra = f"loss {logs['loss']:.3f}  validation top-1 {logs['val_accuracy']:.3f}"
            self.console.step(phase, epoch, epochs, extra)

        return progress

    def _calibration(self) -> np.ndarray:
        chosen = self.dataset.splits["calibration"]
        return self.dataset.images[chosen].astype(np.float32) * np.float32(self.preprocess.scale)

    @property
    def _input_range(self) -> tuple[float, float]:
        return 0.0, 255.0 * self.preprocess.scale

    # Conversion -------------------------------------------------------------------------------------------------

    def _convert(self, quantized: Path, out: Path) -> None:
        plain = squeezenet(replace(self.plan.model, batch_norm=False, dropout=0.0))
        plain.set_weights(_read_weights(quantized / "plain.npz"))
        ranges = {name: tuple(pair) for name, pair in _read_json(quantized / "ranges.json").items()}
        model = quantize_aware(plain, ranges, self._input_range)
        model.set_weights(_read_weights(quantized / "weights.npz"))
        final = without_fake_quantization(model, plain)
        final.save(out / "model.keras")
        int8 = to_tflite.integer_model(model)
        ops = OPS | ({"ADD"} if self.plan.model.bypass != "none" else set())
        ops |= {"PAD"} if self.plan.model.conv10_padding else set()
        try:
            to_tflite.verify_integer(int8, ops)
        except ValueError as error:
            raise ConversionError(str(error)) from error
        for name, data in (
            ("model_f32.tflite", to_tflite.float_model(final)),
            ("model_int8.tflite", int8),
            ("model_uint8.tflite", tflite_writer.to_uint8_twin(int8)),
        ):
            (out / name).write_bytes(self._with_metadata(data))

    def _with_metadata(self, model: bytes) -> bytes:
        return tflite_writer.with_metadata(
            model,
            name=f"{self.plan.model.arch} on {self.dataset.name}",
            description=f"Tells {len(self.dataset.classes)} classes apart.",
            labels=list(self.dataset.classes),
            preprocess=to_dict(self.preprocess),
            version=__version__,
            licence=f"Apache-2.0; trained on {self.dataset.licence}",
        )

    # The folder -------------------------------------------------------------------------------------------------

    def _assemble(self, out: Path, dense: Path, pruned: Path, quantized: Path, converted: Path) -> None:
        for name in ("model.keras", "model_f32.tflite", "model_int8.tflite", "model_uint8.tflite"):
            (out / name).write_bytes((converted / name).read_bytes())
        (out / "labels.txt").write_text("".join(f"{name}\n" for name in self.dataset.classes), encoding="utf-8")
        int8 = (out / "model_int8.tflite").read_bytes()
        self.console.note("measuring the TFLM arena …")
        self.arena = interpreters.arena_bytes(tflite_writer.strip_metadata(int8))
        self._write_tflm(out / "tflm", int8)
        self._write_manifest(out)
        self.parity = self._judge(out, dense, pruned)

    def _write_tflm(self, folder: Path, int8: bytes) -> None:
        files = c_array.tflm_files(
            tflite_writer.strip_metadata(int8),
            labels=list(self.dataset.classes),
            settings={
                "arena_bytes": self.arena.total,
                "arena_measured_bytes": self.arena.measured,
                "preprocess": to_dict(self.preprocess),
            },
            provenance={"model": "model_int8.tflite without its attached files", "tools": f"sqz-tf {__version__}"},
        )
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def _write_manifest(self, out: Path) -> None:
        values = manifest(out, config=self._config(), data_sha256=self.dataset.sha256, command=self.command)
        write_manifest(out, values)

    def _config(self) -> dict[str, Any]:
        return {**self.plan.to_dict(), "preprocess": to_dict(self.preprocess)}

    def _judge(self, out: Path, dense: Path, pruned: Path) -> check.ParityReport:
        test = self.dataset.splits["test"]
        model = keras.models.load_model(out / "model.keras", compile=False)
        return check.judge(
            out,
            self.dataset.images[test],
            self.dataset.labels[test],
            self.plan.check,
            keras_predict=check.KerasRun(model),
            pruned_sparsity=_read_json(pruned / "sparsity.json"),
            reference_scores=np.load(dense / "scores.npy"),
            progress=self.console.note,
        )

    def _report(self, out: Path, dense: Path, pruned: Path, quantized: Path) -> dict[str, Any]:
        values = self._figures(out, dense, pruned, quantized)
        test = self.dataset.splits["test"]
        mistakes = report.mistakes(
            self.dataset.images[test],
            self.dataset.labels[test],
            self.parity.int8_scores,
            [self.dataset.names[row] for row in test],
            self.dataset.classes,
            MISTAKES_SHOWN,
        )
        (out / "report.html").write_text(report.render_html(values, mistakes), encoding="utf-8")
        (out / "report.json").write_text(report.to_json(values), encoding="utf-8")
        (out / "README.md").write_text(report.render_model_card(values), encoding="utf-8")
        self._write_manifest(out)
        return values

    def _figures(self, out: Path, dense: Path, pruned: Path, quantized: Path) -> dict[str, Any]:
        """Return the content of report.json."""
        plan, data, parity = self.plan, self.dataset, self.parity
        int8 = tflite_reader.read_model((out / "model_int8.tflite").read_bytes())
        labels = data.labels[data.splits["test"]]
        return {
            "format": report.FORMAT,
            "sqz_tf": __version__,
            "name": data.name,
            "command": " ".join(shlex.quote(part) for part in ["python", "-m", *self.command]),
            "scheme": plan.quantize.scheme,
            "data": {
                "source": plan.data.source,
                "name": data.name,
                "classes": list(data.classes),
                "counts": {name: len(index) for name, index in data.splits.items()},
                "per_class": {name: list(counts) for name, counts in self.summary.counts.items()},
                "licence": data.licence,
                "notes": list(data.notes),
            },
            "model": to_dict(plan.model),
            "preprocess": to_dict(self.preprocess),
            "config": self._config(),
            "accuracy": {
                "float": asdict(stats.accuracy(np.load(dense / "scores.npy"), labels)),
                "pruned": asdict(stats.accuracy(np.load(pruned / "scores.npy"), labels)),
                "final_float": asdict(parity.accuracy["final_float"]),
                "int8": asdict(parity.accuracy["int8"]),
                "drop_pp": parity.drop.drop_pp,
                "drop_interval_pp": list(parity.drop.interval_pp),
                "mcnemar_p": parity.drop.mcnemar_p,
                "flips": {"lost": parity.drop.lost, "gained": parity.drop.gained},
            },
            "agreement_top1": parity.agreement_top1,
            "sparsity": {"target": plan.prune.sparsity, "layers": parity.sparsity},
            "sizes": {name: {"bytes": len(content), "xz": xz_size(content)} for name, content in _contents(out)},
            "params": squeezenet(replace(plan.model, batch_norm=False)).count_params(),
            "macs": tflite_reader.macs(int8),
            "tflm": {
                "arena_bytes": self.arena.total,
                "arena_measured_bytes": self.arena.measured,
                "margin_bytes": self.arena.margin,
                "ops": sorted(int8.op_names),
            },
            "parity": {name: asdict(edge) for name, edge in parity.edges.items()},
            "sqnr": parity.sqnr,
            "training": {
                "float": _read_json(dense / "history.json"),
                "pruned": _read_json(pruned / "history.json"),
                "qat": _read_json(quantized / "history.json"),
            },
            "confusion": stats.confusion(parity.int8_scores, labels).tolist(),
            "gate": {
                "passed": parity.passed,
                "failures": list(parity.failures),
                "warnings": list(parity.warnings),
            },
            "seconds": {name: round(seconds, 2) for name, seconds in self.workspace.seconds.items()},
        }


def foresee(plan: Plan, summary: Summary) -> dict[str, Any]:
    """Return what a run would make and about how long it would take, from a few timed training steps."""
    make_deterministic(plan.seed)
    model = squeezenet(plan.model, plan.preprocess)
    plain = squeezenet(replace(plan.model, batch_norm=False, dropout=0.0))
    counts = {name: sum(per_class) for name, per_class in summary.counts.items()}
    size = (plan.train.batch_size, plan.model.input_size, plan.model.input_size, plan.model.channels)
    step = _seconds_per_step(model, size, plan.model.classes)
    steps = -(-counts["train"] // plan.train.batch_size)
    epochs = plan.train.epochs + 1.3 * plan.prune.epochs + 1.8 * plan.quantize.epochs
    return {
        "classes": list(summary.classes),
        "counts": counts,
        "per_class": {name: list(per_class) for name, per_class in summary.counts.items()},
        "params": plain.count_params(),
        "int8_bytes": plain.count_params() + 40_000,
        "pruned_layers": prunable(model, plan.prune.skip),
        "class_weights": _class_weights(summary),
        "seconds": round(FIXED_SECONDS + epochs * steps * step * 1.1),
    }


def _seconds_per_step(model: Any, shape: tuple[int, ...], classes: int, tries: int = 4) -> float:
    model.compile("sgd", "categorical_crossentropy")
    x = np.zeros(shape, np.float32)
    y = np.eye(classes, dtype=np.float32)[np.arange(shape[0]) % classes]
    model.train_on_batch(x, y)
    start = time.perf_counter()
    for _ in range(tries):
        model.train_on_batch(x, y)
    return (time.perf_counter() - start) / tries


def _class_weights(summary: Summary) -> str:
    labels = np.repeat(np.arange(len(summary.classes)), summary.counts["train"])
    weights = class_weights(Examples(labels, labels, np.arange(len(labels)), len(summary.classes), 1.0))
    if np.all(weights == 1):
        return "none (the classes are balanced)"
    return f"from {weights.min():.2f} to {weights.max():.2f} (the classes are unbalanced)"


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file the report gives sizes for: all but what describes the result."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (path.parent != folder or name.startswith(("model", "labels"))):
            yield name, path.read_bytes()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _write_weights(path: Path, weights: list[np.ndarray]) -> None:
    np.savez(path, **{f"w{number:04d}": value for number, value in enumerate(weights)})  # type: ignore[arg-type]


def _read_weights(path: Path) -> list[np.ndarray]:
    with np.load(path) as stored:
        return [stored[name] for name in sorted(stored.files)]


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
