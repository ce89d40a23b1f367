"""An export that trains nothing: published weights → calibrated → quantized, then what every export does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.workspace import Workspace
from sqz_tf.base.console import Console
from sqz_tf.base.spec import QuantizeConfig
from sqz_tf.data.dataset import load_for_judging
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline.plan import Plan
from sqz_tf.pipeline.stages import Made, Pipeline, read_json, write_json, write_weights
from sqz_tf.quantize.aware import activation_ranges
from sqz_tf.quantize.calibrate import calibrate, divergence, predict
from sqz_tf.quantize.distil import distil
from sqz_tf.quantize.schemes.grid import grid_of
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import sparsity
from sqz_tf.train.squeezenet import change_pixels, convolutions, fold, set_layers, squeezenet

CHUNK = 500  # pictures in memory at once


class CalibrationPipeline(Pipeline):
    """Quantize published weights after training.

    Args:
      calibration: a folder of pictures to calibrate with, or None for a part of the data that is then not judged.
      outputs: the network's output for each class of the data.
      labels: names of the network's outputs.
      wnids: their WordNet ids.
    """

    pretrained: Pretrained

    def __init__(
        self,
        plan: Plan,
        fingerprint: str,
        workspace: Workspace,
        console: Console,
        command: list[str],
        pretrained: Pretrained,
        *,
        calibration: str | None,
        outputs: Sequence[int],
        labels: Sequence[str],
        wnids: Sequence[str] = (),
    ) -> None:
        super().__init__(plan, fingerprint, workspace, console, command, pretrained)
        self.calibration, self.outputs, self.labels, self.wnids = calibration, outputs, labels, wnids

    def _make(self) -> Made:
        plan = self.plan
        self.data = self._stage("data", [plan.data, plan.preprocess, self.calibration], self._load)
        self.float = self._stage("float", [plan.model, self.pretrained.sha256], self._fold)
        if grid_of(plan.quantize).power_of_two:
            self._compare(lambda: self._plain(self.float / "weights.npz"), self._calibrate)
        calibrating = replace(plan.quantize, epochs=0)
        self.calibrated = self._stage("calibrated", calibrating, lambda out: self._calibrate(out, calibrating))
        self.quantized = (
            self._stage("distilled", plan.quantize, self._distil) if plan.quantize.epochs else self.calibrated
        )
        return Made(
            reference_scores=np.load(self.float / "scores.npy"),
            pruned_scores=None,
            sparsity=read_json(self.float / "sparsity.json"),
            sparsity_target=0.0,
            training={},
            more={
                "calibration": read_json(self.calibrated / "calibration.json"),
                **({"distilled": read_json(self.quantized / "distilled.json")} if plan.quantize.epochs else {}),
            },
        )

    @property
    def _free_config(self) -> QuantizeConfig:
        """Free scales are calibrated, not distilled: they lose too little to win back."""
        return replace(super()._free_config, epochs=0)

    def _models(self) -> tuple[Any, Any]:
        model, _ = self._quantized(self.quantized, self.plan.quantize)
        return model, self._plain(self.calibrated / "equalised.npz")

    @cached_property
    def attached(self) -> dict[str, Any]:
        """What `preprocess.json` holds: the preprocessing, and the outputs' WordNet ids."""
        return {**super().attached, **({"wnids": list(self.wnids)} if self.wnids else {})}

    def _load(self, out: Path) -> None:
        load_for_judging(
            self.plan.data,
            self.calibration,
            self.outputs,
            self.labels,
            self.plan.preprocess,
            out / "cache",
            self.console.step,
        )

    def _fold(self, out: Path) -> None:
        """Put the weights into the network, the normalisation into conv1, and score the pictures."""
        make_deterministic(self.plan.seed)
        network = squeezenet(replace(self.plan.model, dropout=0.0), self.preprocess)
        set_layers(network, self.pretrained.layers)
        model = fold(network, self.plan.model, self.preprocess)
        write_weights(out / "weights.npz", model.get_weights())
        write_json(out / "sparsity.json", sparsity(model, [layer.name for layer in convolutions(model)]))
        rows = self.dataset.splits["test"]
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        np.save(out / "scores.npy", np.concatenate([predict(model, self._numbers(chunk)) for chunk in chunks]))

    def _calibrate(self, out: Path, config: QuantizeConfig) -> None:
        make_deterministic(self.plan.seed)
        rows = self.dataset.splits["calibration"]
        grid = grid_of(config)
        pixels = grid.pixels(self.preprocess.scale)
        plain = self._plain(self.float / "weights.npz")
        model, x = change_pixels(plain, self._raw, pixels), self._numbers(rows, pixels)
        found = calibrate(model, x, pixels.range, grid, self.console.step)
        quantized = self._quantize_aware(found.model, config, found.ranges, found.bounds)
        write_weights(out / "equalised.npz", change_pixels(found.equalised, pixels, self._raw).get_weights())
        write_weights(out / "plain.npz", found.model.get_weights())
        write_weights(out / "weights.npz", quantized.get_weights())
        write_json(out / "ranges.json", found.ranges)
        wanted = predict(model, x)
        min_max = self._quantize_aware(model, config, activation_ranges(model, x, grid))
        record = {
            "images": len(x),
            "source": self.calibration or "a part of the data that is not judged",
            "tensors": {name: asdict(choice) for name, choice in found.choices.items()},
            "min_max": _agreement(wanted, predict(min_max, x)),
            "chosen": _agreement(wanted, predict(quantized, x)),
        }
        write_json(out / "calibration.json", record)

    def _distil(self, out: Path) -> None:
        """Fine-tune what calibration made on its own pictures; keep that if nothing is better."""
        config = self.plan.quantize
        make_deterministic(self.plan.seed)
        model, plain = self._quantized(self.calibrated, config)
        write_weights(out / "before.npz", model.get_weights())
        network = self._plain(self.float / "weights.npz")
        found = distil(
            model,
            lambda images: predict(network, self._raw.numbers(images)),
            self.dataset.images[self.dataset.splits["calibration"]],
            grid_of(config).pixels(self.preprocess.scale),
            epochs=config.epochs,
            learning_rate=config.learning_rate,
            seed=self.plan.seed,
            progress=lambda done, total, cost: self.console.step("distilled", done, total, f"divergence {cost:.4f}"),
        )
        write_weights(out / "plain.npz", plain.get_weights())
        (out / "ranges.json").write_bytes((self.calibrated / "ranges.json").read_bytes())
        write_weights(out / "weights.npz", model.get_weights())
        write_json(out / "distilled.json", asdict(found))


def _agreement(wanted: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return how near two networks' probabilities [N, classes] are, on the calibration pictures."""
    return {
        "divergence": divergence(wanted, found),
        "agreement_top1": float(np.mean(wanted.argmax(1) == found.argmax(1))),
    }
