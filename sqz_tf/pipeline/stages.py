"""What every export has in common: its stages on disk, and the way from a quantized network to the judged folder.

Each stage is a folder of plain files (weights as .npz, figures as .json, models as .tflite), so that a resumed run
reads what an unbroken one wrote, and both write the same bytes.
"""

from __future__ import annotations

import json
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from converters import compiler
from converters.tflite.from_keras import Scales, float_model, integer_model, verify_fixed_point, verify_integer
from converters.tflite.reader import Model, macs, read_model
from converters.tflite.saturation import by_saturation
from converters.tflite.writer import for_microcontroller, to_uint8_twin, with_metadata
from converters.tflm_sources import tflm_files
from sqz_tf import __version__
from sqz_tf.artifact.manifest import manifest, versions, write_manifest
from sqz_tf.artifact.workspace import Workspace, stage_key
from sqz_tf.base import stats
from sqz_tf.base.console import Console
from sqz_tf.base.errors import ConversionError
from sqz_tf.base.pixels import Pixels, Range, to_int8
from sqz_tf.base.spec import PreprocessSpec, QuantizeConfig, to_dict
from sqz_tf.base.units import xz_size
from sqz_tf.data.dataset import Dataset, open_cached
from sqz_tf.inference import interpreters
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.parity.artifacts import spread
from sqz_tf.parity.verdict import ParityReport, int8_scores, judge, trusted_runtime
from sqz_tf.pipeline.plan import Plan
from sqz_tf.quantize.aware import Kernels, quantize_aware, used_scales
from sqz_tf.quantize.fractional_lengths import bits, fractional_lengths
from sqz_tf.quantize.schemes.grid import Grid, grid_of
from sqz_tf.quantize.trimming import trim
from sqz_tf.report import pages
from sqz_tf.train.keras import keras
from sqz_tf.train.saved import KerasRun
from sqz_tf.train.squeezenet import change_pixels, plain_squeezenet

OPS = {"CONV_2D", "MAX_POOL_2D", "CONCATENATION", "MEAN", "SOFTMAX"}
MISTAKES_SHOWN = 24
C_NAME = "model_int8"  # in C, and of its files
BEFORE, FREE_SCALE = "before", "free_scale"  # quantizations that one with powers of two is compared with
TRIM_IMAGES = 400


@dataclass(frozen=True)
class Made:
    """What a recipe hands over beside its models.

    Attributes:
      reference_scores: [N, classes] of the float network that int8 is judged against, on the held-out pictures.
      pruned_scores: the same after pruning, if there was any.
      sparsity: fraction of zeros in each layer that int8 must keep.
      training: histories by phase.
      more: further sections of report.json.
    """

    reference_scores: np.ndarray
    pruned_scores: np.ndarray | None
    sparsity: dict[str, float]
    sparsity_target: float
    training: dict[str, Any]
    more: dict[str, Any]


class Pipeline(ABC):
    """One export.

    Args:
      plan: what to do.
      fingerprint: hash of the pictures: what the first stage depends on.
      workspace: entered; holds the stages and takes the result.
      console: told what happens.
      command: the command line, for the record.
      pretrained: published weights it starts from; their licence goes into the folder.
    """

    def __init__(
        self,
        plan: Plan,
        fingerprint: str,
        workspace: Workspace,
        console: Console,
        command: list[str],
        pretrained: Pretrained | None = None,
    ) -> None:
        self.plan, self.workspace, self.console, self.command = plan, workspace, console, command
        self.pretrained = pretrained
        self._key = stage_key(fingerprint, versions())

    def run(self) -> tuple[dict[str, Any], Path]:
        """Run or resume every stage, publish or reject; return the report and the folder it is in."""
        self.made = self._make()
        for note in self._notes():
            self.console.note(f"note: {note}")
        self.converted = self._stage("converted", __version__, self._convert)
        started = time.monotonic()
        assembled = self.workspace.assemble(self._assemble)
        self.workspace.seconds["checked"] = time.monotonic() - started
        result = self._report(assembled)
        passed = result["gate"]["passed"]
        return result, self.workspace.publish() if passed else self.workspace.reject()

    def _notes(self) -> list[str]:
        return [*self.dataset.notes, *(self.pretrained.notes if self.pretrained else ())]

    @abstractmethod
    def _make(self) -> Made:
        """Run the stages up to the quantized network."""

    @abstractmethod
    def _models(self) -> tuple[Any, Any]:
        """Return the quantized Keras model and the float network it came from."""

    def _rivals(self) -> Iterator[tuple[str, QuantizeConfig, Any]]:
        """Yield other quantizations of the network, to be judged beside it: name, config, Keras model."""
        config = self.plan.quantize
        if grid_of(config).power_of_two:
            yield FREE_SCALE, self._free_config, self._quantized(self.free_scale, self._free_config)[0]
            if (self.quantized / "before.npz").exists():
                before, _ = self._quantized(self.quantized, config)
                before.set_weights(read_weights(self.quantized / "before.npz"))
                yield BEFORE, config, before

    def _quantized(self, folder: Path, config: QuantizeConfig) -> tuple[Any, Any]:
        """Return the quantized Keras model that a stage kept, and the plain network it was made of."""
        plain = self._plain(folder / "plain.npz")
        model = self._quantize_aware(plain, config, read_ranges(folder / "ranges.json"))
        model.set_weights(read_weights(folder / "weights.npz"))
        return model, plain

    def _quantize_aware(
        self, plain: Any, config: QuantizeConfig, ranges: dict[str, Range], bounds: Kernels | None = None
    ) -> Any:
        grid = grid_of(config)
        pixels = grid.pixels(self.preprocess.scale)
        gains = {"conv1": pixels.gain} if grid.power_of_two else {}
        return quantize_aware(plain, ranges, pixels.range, grid, bounds, gains)

    def _plain(self, weights: Path) -> Any:
        """Return the plain network with the weights of a file."""
        model = plain_squeezenet(self.plan.model)
        model.set_weights(read_weights(weights))
        return model

    def _compare(self, plain: Callable[[], Any], quantize: Callable[[Path, QuantizeConfig], None]) -> None:
        """Make what a network with powers of two is compared with: free scales, and fewer bits.

        Args:
          plain: gives the float network that is quantized.
          quantize: writes a quantization of it into a folder.
        """
        config = self._free_config
        self.free_scale = self._stage(FREE_SCALE, config, lambda out: quantize(out, config))
        per_channel = bool(self.plan.quantize.per_channel)
        self.trimmed = self._stage("trimmed", per_channel, lambda out: self._trim(out, plain(), per_channel))

    def _trim(self, out: Path, plain: Any, per_channel: bool) -> None:
        splits = self.dataset.splits
        rows = splits["test"][spread(len(splits["test"]), TRIM_IMAGES)]
        pixels = grid_of(self.plan.quantize).pixels(self.preprocess.scale)
        found = trim(
            change_pixels(plain, self._raw, pixels),
            self._numbers(splits["calibration"], pixels),
            self._numbers(rows, pixels),
            self.dataset.labels[rows],
            per_channel=per_channel,
            progress=self.console.step,
        )
        write_json(out / "trimming.json", asdict(found))

    @property
    def _free_config(self) -> QuantizeConfig:
        return replace(self.plan.quantize, scheme="int8", per_channel=None)

    data: Path  # the stage that holds the pictures
    quantized: Path  # holds the result: plain.npz, ranges.json, weights.npz; before.npz: before fine-tuning, if any
    calibration: str | None = None  # pictures to calibrate with, if they are not the data's own

    def _stage(self, name: str, config: Any, build: Callable[[Path], None], resumable: bool = False) -> Path:
        """Run one stage; its key covers its config and every stage before it."""
        parts = [to_dict(part) if hasattr(part, "__dataclass_fields__") else part for part in _as_list(config)]
        self._key = stage_key(self._key, name, parts)

        def announced(folder: Path) -> None:
            self.console.note(f"{name} …")
            build(folder)

        return self.workspace.stage(name, self._key, announced, resumable=resumable)

    # Data -------------------------------------------------------------------------------------------------------

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures, memory-mapped."""
        return open_cached(self.data / "cache")

    @cached_property
    def preprocess(self) -> PreprocessSpec:
        """The preprocessing, with the mean and standard deviation that are folded into conv1."""
        return self.plan.preprocess

    @cached_property
    def attached(self) -> dict[str, Any]:
        """What `preprocess.json` inside each `.tflite` holds."""
        return to_dict(self.preprocess)

    @property
    def _raw(self) -> Pixels:
        """What a pixel is to the float network."""
        return Pixels(self.preprocess.scale)

    def _numbers(self, rows: np.ndarray, pixels: Pixels | None = None) -> np.ndarray:
        """Return pictures as a network's input, float32 [N, H, W, C]; by default the float network's."""
        return (pixels or self._raw).numbers(self.dataset.images[rows])

    # Conversion -------------------------------------------------------------------------------------------------

    def _convert(self, out: Path) -> None:
        model, final = self._models()
        final.save(out / "model.keras")
        int8 = self._integer_model(model, grid_of(self.plan.quantize))
        for name, config, rival in self._rivals():
            (out / f"{name}.tflite").write_bytes(self._integer_model(rival, grid_of(config)))
        for name, data in (
            ("model_f32.tflite", float_model(final)),
            ("model_int8.tflite", int8),
            ("model_uint8.tflite", to_uint8_twin(int8)),
        ):
            (out / name).write_bytes(self._with_metadata(data))

    def _integer_model(self, model: Any, grid: Grid) -> bytes:
        """Convert a quantized Keras model and make sure that the converter undid nothing."""
        int8 = integer_model(model)
        if grid.power_of_two:
            int8 = by_saturation(int8)
        ops = OPS | ({"ADD"} if self.plan.model.bypass != "none" else set())
        ops |= {"PAD"} if self.plan.model.conv10_padding else set()
        ops |= {"PADV2"} if grid.power_of_two else set()
        try:
            verify_integer(int8, ops)
            if grid.power_of_two:
                verify_fixed_point(int8, Scales(*used_scales(model)))
        except ValueError as error:
            raise ConversionError(str(error)) from error
        return int8

    def _with_metadata(self, model: bytes) -> bytes:
        return with_metadata(
            model,
            name=f"{self.plan.model.arch} on {self.dataset.name}",
            description=f"Tells {len(self.dataset.classes)} classes apart.",
            labels=list(self.dataset.classes),
            preprocess=self.attached,
            version=__version__,
            licence=self._licence(),
        )

    def _licence(self) -> str:
        parts = ["Apache-2.0", f"pictures: {self.dataset.licence}"]
        return "; ".join([*parts, "weights: see LICENCE.weights.txt"] if self.pretrained else parts)

    # The folder -------------------------------------------------------------------------------------------------

    def _assemble(self, out: Path) -> None:
        for name in ("model.keras", "model_f32.tflite", "model_int8.tflite", "model_uint8.tflite"):
            (out / name).write_bytes((self.converted / name).read_bytes())
        if self.pretrained:
            (out / "LICENCE.weights.txt").write_text(self.pretrained.licence, encoding="utf-8")
        (out / "labels.txt").write_text("".join(f"{name}\n" for name in self.dataset.classes), encoding="utf-8")
        int8 = (out / "model_int8.tflite").read_bytes()
        self.console.note("measuring the TFLM arena …")
        small = for_microcontroller(int8)
        self.arena = self._arena(small)
        self._write_tflm(out / "tflm", small)
        self.compiled = self._write_c(out / "c", int8)
        self._write_manifest(out)
        self.parity = self._judge(out)

    def _arena(self, model: bytes) -> interpreters.ArenaUse | None:
        """Measure TFLite-Micro's arena; None where its wheel is not installed."""
        try:
            return interpreters.arena_bytes(model, self._sample())
        except interpreters.Unavailable as error:
            self.console.note(f"note: the arena is not measured: {error}")
            return None

    def _sample(self) -> np.ndarray:
        """Return one held-out picture as the int8 network's input."""
        return to_int8(np.asarray(self.dataset.images[self.dataset.splits["test"][:1]]))

    def _write_tflm(self, folder: Path, model: bytes) -> None:
        arena = self.arena
        files = tflm_files(
            model,
            labels=list(self.dataset.classes),
            settings={
                **({"arena_bytes": arena.total, "arena_measured_bytes": arena.measured} if arena else {}),
                "preprocess": to_dict(self.preprocess),
            },
            provenance={
                "model": "model_int8.tflite without names and attached files",
                "tools": f"sqz-tf {__version__}",
            },
        )
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def _write_c(self, folder: Path, model: bytes) -> dict[str, Any]:
        """Compile the model to C that streams rows; return what it takes, for report.json."""
        try:
            compilation = compiler.analyse(model)
            tools = {"tools": f"sqz-tf {__version__}", "model": "model_int8.tflite"}
            files = compiler.files(compilation, C_NAME, tools, list(self.dataset.classes))
        except ValueError as error:
            raise ConversionError(f"the int8 model cannot be compiled to C: {error}") from error
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        takes = compiler.report(compilation)
        return {
            "target": takes["target"],
            "arena_bytes": takes["arena"]["bytes"],
            "weight_bytes": takes["flash"]["total"],
            "timeline": {name: takes["timeline"][name] for name in ("kept", "working")},
            "whole_maps": takes["whole_maps"],
        }

    def _write_manifest(self, out: Path) -> None:
        values = manifest(out, config=self._config(), data_sha256=self.dataset.sha256, command=self.command)
        write_manifest(out, values)

    def _config(self) -> dict[str, Any]:
        origin = self.pretrained
        weights = origin and {"source": origin.source, "layout": origin.layout, "sha256": origin.sha256}
        return {
            **self.plan.to_dict(),
            "preprocess": to_dict(self.preprocess),
            "weights": weights,
            "calibration_data": self.calibration,
        }

    def _judge(self, out: Path) -> ParityReport:
        model = keras.models.load_model(out / "model.keras", compile=False)
        return judge(
            out,
            self.dataset.images,
            self.dataset.labels,
            self.plan.check,
            keras_predict=KerasRun(model),
            pruned_sparsity=self.made.sparsity,
            reference_scores=self.made.reference_scores,
            progress=self.console.note,
            rows=self.dataset.splits["test"],
        )

    def _report(self, out: Path) -> dict[str, Any]:
        values = self._figures(out)
        test = self.dataset.splits["test"]
        mistakes = pages.mistakes(
            self.dataset.images[test],
            self.dataset.labels[test],
            self.parity.int8_scores,
            [self.dataset.names[row] for row in test],
            self.dataset.classes,
            MISTAKES_SHOWN,
        )
        (out / "report.html").write_text(pages.render_html(values, mistakes), encoding="utf-8")
        (out / "report.json").write_text(pages.to_json(values), encoding="utf-8")
        (out / "README.md").write_text(pages.render_model_card(values), encoding="utf-8")
        self._write_manifest(out)
        return values

    def _figures(self, out: Path) -> dict[str, Any]:
        """Return the content of report.json."""
        plan, data, parity, made = self.plan, self.dataset, self.parity, self.made
        int8 = read_model((out / "model_int8.tflite").read_bytes())
        labels = data.labels[data.splits["test"]]
        return {
            "format": pages.FORMAT,
            "sqz_tf": __version__,
            "name": data.name,
            "command": " ".join(shlex.quote(part) for part in ["python", "-m", *self.command]),
            "scheme": plan.quantize.scheme,
            "data": {
                "source": plan.data.source,
                "name": data.name,
                "classes": list(data.classes),
                "counts": {name: len(index) for name, index in data.splits.items()},
                "per_class": {name: _per_class(data, index) for name, index in data.splits.items()},
                "licence": data.licence,
                "notes": self._notes(),
            },
            "model": to_dict(plan.model),
            "preprocess": to_dict(self.preprocess),
            "config": self._config(),
            "accuracy": {
                "float": asdict(stats.accuracy(made.reference_scores, labels)),
                "pruned": None if made.pruned_scores is None else asdict(stats.accuracy(made.pruned_scores, labels)),
                "final_float": asdict(parity.accuracy["final_float"]),
                "int8": asdict(parity.accuracy["int8"]),
                "drop_pp": parity.drop.drop_pp,
                "drop_interval_pp": list(parity.drop.interval_pp),
                "mcnemar_p": parity.drop.mcnemar_p,
                "flips": {"lost": parity.drop.lost, "gained": parity.drop.gained},
            },
            "agreement_top1": parity.agreement_top1,
            "sparsity": {"target": made.sparsity_target, "layers": parity.sparsity},
            "sizes": {name: {"bytes": len(content), "xz": xz_size(content)} for name, content in _contents(out)},
            "params": plain_squeezenet(plan.model).count_params(),
            "macs": macs(int8),
            "tflm": {
                "arena_bytes": self.arena and self.arena.total,
                "arena_measured_bytes": self.arena and self.arena.measured,
                "margin_bytes": self.arena and self.arena.margin,
                "ops": sorted(int8.op_names),
            },
            "mcu": self.compiled,
            "parity": {name: asdict(edge) for name, edge in parity.edges.items()},
            "sqnr": parity.sqnr,
            "training": made.training,
            "confusion": stats.confusion(parity.int8_scores, labels).tolist(),
            "gate": {
                "passed": parity.passed,
                "failures": list(parity.failures),
                "warnings": list(parity.warnings),
            },
            "licences": [self.pretrained.licence] if self.pretrained else [],
            **made.more,
            **(self._fixed_point(int8) if grid_of(plan.quantize).power_of_two else {}),
            "seconds": {name: round(seconds, 2) for name, seconds in self.workspace.seconds.items()},
        }

    def _fixed_point(self, int8: Model) -> dict[str, Any]:
        """Return the sections of report.json that only powers of two have."""
        labels = self.dataset.labels[self.dataset.splits["test"]]
        free = self._rival_scores(FREE_SCALE)
        tuned = (self.converted / f"{BEFORE}.tflite").exists()
        ours = stats.top_k_correct(self.parity.int8_scores, labels, 1)
        return {
            "fractional_length": fractional_lengths(int8),
            "bits": bits(int8),
            "ristretto": {
                "before": asdict(stats.accuracy(self._rival_scores(BEFORE), labels)) if tuned else None,
                "after": asdict(self.parity.accuracy["int8"]),
                "free_scale": asdict(stats.accuracy(free, labels)),
                "against_free_scale": asdict(stats.paired_drop(stats.top_k_correct(free, labels, 1), ours)),
                "trimming": read_json(self.trimmed / "trimming.json"),
            },
        }

    def _rival_scores(self, name: str) -> np.ndarray:
        """Return what another quantization says of the held-out pictures, int8 [N, classes]."""
        model = (self.converted / f"{name}.tflite").read_bytes()
        runtime = trusted_runtime(self.parity.edges)
        return int8_scores(model, runtime, self.dataset.images, self.dataset.splits["test"])


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file the report gives sizes for: all but what describes the result."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (path.parent != folder or name.startswith(("model", "labels"))):
            yield name, path.read_bytes()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _per_class(data: Dataset, index: np.ndarray) -> list[int]:
    labels = data.labels[index]
    return np.bincount(labels[labels >= 0], minlength=len(data.classes)).tolist()


def write_weights(path: Path, weights: list[np.ndarray]) -> None:
    """Write a model's weights, in its own order."""
    np.savez(path, **{f"w{number:04d}": value for number, value in enumerate(weights)})  # type: ignore[arg-type]


def read_weights(path: Path) -> list[np.ndarray]:
    """Return what `write_weights` wrote."""
    with np.load(path) as stored:
        return [stored[name] for name in sorted(stored.files)]


def write_json(path: Path, value: Any) -> None:
    """Write plain JSON values."""
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def read_ranges(path: Path) -> dict[str, Range]:
    """Return ranges that `write_json` wrote."""
    return {name: (low, high) for name, (low, high) in read_json(path).items()}


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
