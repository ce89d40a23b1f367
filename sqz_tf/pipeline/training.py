"""The recipe that trains: data → dense → pruned → quantized, from scratch or from published weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.manifest import versions
from sqz_tf.artifact.workspace import Stage
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import DsdConfig, PreprocessSpec, PruneConfig
from sqz_tf.data.dataset import Dataset, Summary, load, open_cached
from sqz_tf.network.architecture import HEAD
from sqz_tf.network.exported_weights import ExportedWeights, digest_of
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline.doubts import doubts
from sqz_tf.pipeline.files import read_json, read_weights, write_json, write_weights
from sqz_tf.pipeline.plan import Plan
from sqz_tf.pipeline.quantizing import BEFORE, aware, before_tuning, read_quantized, rivals
from sqz_tf.pipeline.run import Made, Material, Run
from sqz_tf.pipeline.teaching import teacher_of
from sqz_tf.quantize.aware import activation_ranges, without_fake_quantization
from sqz_tf.quantize.calibrate import Calibration, calibrate
from sqz_tf.quantize.equalise import unit_scale
from sqz_tf.quantize.schemes.every import QuantizeConfig, grid_of
from sqz_tf.train.batches import Examples, Teacher, evaluation_batches
from sqz_tf.train.fit import FitPlan, History, fit
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import prunable, prune, sparsity
from sqz_tf.train.squeezenet import change_pixels, convolutions, fold, set_layers, squeezenet

SEED_OF = {"dense": 0, "small": 0, "pruned": 1, "quantized": 2, "sparse": 3, "dense_again": 4, "enlarged": 5}
"""Added to the seed, so that no stage repeats another's shuffles."""
HEAD_EPOCHS = 15
HEAD_RATE = 3e-3
SCALE_IMAGES = 64
STATISTICS_IMAGES = 2000
_MORE = "look whether the labels fit the pictures; more --epochs, pictures or --width may help"


@dataclass(frozen=True)
class _Training:
    """What the stages of this recipe share; `pretrained` are weights to start from, None starts from nothing."""

    run: Run
    material: Material
    pretrained: Pretrained | None
    teaching: ExportedWeights | None = None

    @property
    def plan(self) -> Plan:
        """What to do."""
        return self.run.plan

    def examples(self, split: str, pixels: Pixels | None = None) -> Examples:
        """Return one split as a network sees it."""
        data = self.material.dataset
        rows, classes = data.splits[split], len(data.classes)
        return Examples(data.images, data.labels, rows, classes, pixels or self.material.raw)

    def network(self, folder: Path | None = None) -> Any:
        """Return the network that is trained, with the weights a stage left if one is given."""
        model = squeezenet(self.plan.model, self.material.preprocess)
        if folder is not None:
            model.set_weights(read_weights(folder / "weights.npz"))
        return model


def make(run: Run, summary: Summary, pretrained: Pretrained | None, teaching: ExportedWeights | None = None) -> Made:
    """Run or resume every stage up to the quantized network."""
    plan = run.plan
    data = run.first_stage("data", [summary.sha256, plan.preprocess], lambda out: _load(run, summary, out))
    work = _Training(run, _material(plan, open_cached(data.folder / "cache"), pretrained), pretrained, teaching)
    origin = digest_of(pretrained.layers) if pretrained else None
    started = _started(run, summary, teaching)
    dense = run.stage(
        "dense",
        [plan.model, plan.train, plan.seed, origin],
        lambda out: _train(work, out, "enlarged", started[0].folder) if started else _train(work, out),
        needs=[data, *started],
        resumable=True,
    )
    trained = _detour(work, dense)
    doubted = doubts(run, work.material, trained[-1].folder, "the trained network", _MORE)
    pruned = run.stage(
        "pruned", plan.prune, lambda out: _prune(work, trained[-1].folder, out), needs=trained[-1:], resumable=True
    )
    quantized = run.stage(
        "quantized",
        plan.quantize,
        lambda out: _quantize(work, pruned.folder, out, plan.quantize),
        needs=[pruned],
        resumable=True,
    )
    return _made(work, started, trained, pruned, quantized, doubted)


def _started(run: Run, summary: Summary, teaching: ExportedWeights | None) -> list[Stage]:
    """Return the stage of the network that smaller pictures trained, alone, if the plan begins with them."""
    plan = run.plan.beginning()
    if plan is None:
        return []
    small = replace(run, plan=plan)
    data = small.first_stage("small_data", [summary.sha256, plan.preprocess], lambda out: _load(small, summary, out))
    work = _Training(small, _material(plan, open_cached(data.folder / "cache"), None), None, teaching)
    return [
        small.stage(
            "small",
            [plan.model, plan.train, plan.seed],
            lambda out: _train(work, out, "small"),
            needs=[data],
            resumable=True,
        )
    ]


def _detour(work: _Training, dense: Stage) -> list[Stage]:
    """Return the dense network's stage, and those of `--dsd` after it; the last one holds what goes on."""
    run, config = work.run, work.plan.dsd
    if config is None:
        return [dense]
    sparse = run.stage(
        "sparse", config, lambda out: _sparse(work, config, dense.folder, out), needs=[dense], resumable=True
    )
    again = run.stage(
        "dense_again",
        config,
        lambda out: _dense_again(work, config, sparse.folder, out),
        needs=[sparse],
        resumable=True,
    )
    return [dense, sparse, again]


def _made(
    work: _Training,
    started: list[Stage],
    trained: list[Stage],
    pruned: Stage,
    quantized: Stage,
    doubted: tuple[str, ...],
) -> Made:
    plan, scale = work.plan, work.material.preprocess.scale
    others, stages, trimming = rivals(
        work.run,
        work.material,
        [pruned],
        lambda: _folded(work, pruned.folder),
        lambda out, config: _quantize(work, pruned.folder, out, config),
        epochs=plan.quantize.epochs,
    )
    return Made(
        material=work.material,
        quantized=quantized,
        models=lambda: _models(work, quantized.folder),
        reference_scores=np.load(trained[-1].folder / "scores.npy"),
        pruned_scores=np.load(pruned.folder / "scores.npy"),
        sparsity=read_json(pruned.folder / "sparsity.json"),
        sparsity_target=plan.prune.sparsity,
        training={
            **_histories(("small",), started),
            **_histories(("float", "sparse", "dense"), trained),
            "pruned": read_json(pruned.folder / "history.json"),
            "qat": read_json(quantized.folder / "history.json"),
        },
        rivals=(*others, *before_tuning(quantized, plan.quantize, plan.model, scale)),
        rival_stages=stages,
        trimming=trimming,
        notes=doubted,
    )


def _histories(phases: tuple[str, ...], stages: list[Stage]) -> dict[str, Any]:
    return {phase: read_json(stage.folder / "history.json") for phase, stage in zip(phases, stages, strict=False)}


def _load(run: Run, summary: Summary, out: Path) -> None:
    load(run.plan.data, run.plan.preprocess, out / "cache", run.console.step, summary.copies)


def _material(plan: Plan, dataset: Dataset, pretrained: Pretrained | None) -> Material:
    """Return the pictures with the plan's preprocessing; from scratch, with their mean and standard deviation."""
    preprocess: PreprocessSpec = plan.preprocess
    if pretrained is None:
        train = dataset.splits["train"]
        mean, std = _channel_statistics(dataset.images, train[:: -(-len(train) // STATISTICS_IMAGES)])
        preprocess = replace(
            preprocess,
            mean=tuple(round(float(value), 4) for value in mean),
            std=tuple(round(max(float(value), 0.05), 4) for value in std),
        )
    return Material(dataset, preprocess)


def _channel_statistics(images: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel in units of 0…1, from exact integer sums."""
    sums = np.zeros((2, images.shape[-1]), np.int64)
    for row in rows:
        pixels = images[row].reshape(-1, images.shape[-1]).astype(np.int64)
        sums += np.stack([pixels.sum(0), np.square(pixels).sum(0)])
    mean, square = sums / (len(rows) * images[0].size / images.shape[-1])
    return mean / 255, np.sqrt(square - mean**2) / 255


def _models(work: _Training, quantized: Path) -> tuple[Any, Any]:
    config, material = work.plan.quantize, work.material
    model, plain = read_quantized(quantized, config, work.plan.model, material.preprocess.scale)
    final = without_fake_quantization(model, plain)
    return model, change_pixels(final, grid_of(config).pixels(material.preprocess.scale), material.raw)


def _folded(work: _Training, pruned: Path) -> Any:
    """Return the pruned network as the plain graph that is quantized."""
    return fold(work.network(pruned), work.plan.model, work.material.preprocess)


# Training -------------------------------------------------------------------------------------------------------


def _train(work: _Training, out: Path, phase: str = "dense", begun: Path | None = None) -> None:
    """Train the dense network from the weights that a stage left, from published ones, or from nothing."""
    train = work.plan.train
    plan = replace(
        _phase(work.plan, train.epochs, train.learning_rate),
        warmup_epochs=train.warmup_epochs,
        patience=train.patience,
        averaging=train.averaging,
        restart=work.pretrained is None and begun is None,
        keep_start=work.pretrained is not None,
    )
    make_deterministic(work.plan.seed + SEED_OF[phase])
    model = work.network(begun)
    if work.pretrained:
        _set_body(work, work.pretrained, model)
        if not train.goes_on:
            _train_head(work, model, plan, out)
    _finish(work, out, model, _fit(work, model, plan, phase, out))


def _set_body(work: _Training, pretrained: Pretrained, model: Any) -> None:
    """Load the published layers, at a scale that trains well; a new head stays as it was initialised."""
    new = model.get_layer(HEAD).get_weights()
    goes_on = work.plan.train.goes_on
    set_layers(model, {name: pair for name, pair in pretrained.layers.items() if goes_on or name != HEAD})
    unit_scale(model, work.material.numbers(work.material.dataset.splits["calibration"][:SCALE_IMAGES]))
    if not goes_on:
        model.get_layer(HEAD).set_weights(new)


def _train_head(work: _Training, model: Any, plan: FitPlan, out: Path) -> None:
    """Fit the new head alone, so that its first steps do not spoil the published layers."""
    body = [layer for layer in convolutions(model) if layer.name != HEAD]
    for layer in body:
        layer.trainable = False
    warm_up = replace(plan, epochs=HEAD_EPOCHS, learning_rate=HEAD_RATE, warmup_epochs=0.5, restart=False, patience=0)
    _fit(work, model, warm_up, "dense", out, "head")
    for layer in body:
        layer.trainable = True


def _sparse(work: _Training, config: DsdConfig, dense: Path, out: Path) -> None:
    """The second phase of dense, sparse, dense."""
    rule = replace(
        work.plan.prune,
        sparsity=config.sparsity,
        pattern="unstructured",
        epochs=config.sparse_epochs,
        learning_rate=config.sparse_rate,
    )
    _finish(work, out, *_pruned(work, dense, rule, "sparse", out))


def _dense_again(work: _Training, config: DsdConfig, sparse: Path, out: Path) -> None:
    """The third phase: every weight is free again, the pruned ones start at zero."""
    make_deterministic(work.plan.seed + SEED_OF["dense_again"])
    model = work.network(sparse)
    plan = replace(
        _phase(work.plan, config.dense_epochs, config.dense_rate), averaging=work.plan.train.averaging, keep_start=True
    )
    _finish(work, out, model, _fit(work, model, plan, "dense_again", out))


def _prune(work: _Training, dense: Path, out: Path) -> None:
    config = work.plan.prune
    model, history = _pruned(work, dense, config, "pruned", out)
    _finish(work, out, model, history)
    write_json(out / "sparsity.json", sparsity(model, prunable(model, config.skip)))


def _pruned(work: _Training, dense: Path, config: PruneConfig, phase: str, out: Path) -> tuple[Any, History]:
    """Return a pruned copy of the network that a stage left, and how it was trained."""
    seed = work.plan.seed + SEED_OF[phase]
    make_deterministic(seed)
    return prune(
        work.network(dense),
        work.examples("train"),
        work.examples("validation"),
        config,
        _phase(work.plan, config.epochs, config.learning_rate, first_best_epoch=round(0.7 * config.epochs)),
        seed=seed,
        state=out / "training",
        progress=_progress(work.run, phase),
        note=work.run.console.note,
        teacher=_teacher(work),
        shared=work.run.shared,
    )


def _quantize(work: _Training, pruned: Path, out: Path, config: QuantizeConfig) -> None:
    make_deterministic(work.plan.seed + SEED_OF["quantized"])
    scale = work.material.preprocess.scale
    pixels = grid_of(config).pixels(scale)
    found = _calibrated(work, change_pixels(_folded(work, pruned), work.material.raw, pixels), config, pixels)

    def build() -> Any:
        return aware(found.model, config, scale, found.ranges, found.bounds)

    model = build()
    write_weights(out / f"{BEFORE}.npz", model.get_weights())
    plan = replace(_phase(work.plan, config.epochs, config.learning_rate), keep_start=True)
    history = _fit(work, model, plan, "quantized", out, pixels=pixels, build=build)
    write_weights(out / "plain.npz", found.model.get_weights())
    write_json(out / "ranges.json", found.ranges)
    _finish(work, out, model, history, pixels)


def _calibrated(work: _Training, plain: Any, config: QuantizeConfig, pixels: Pixels) -> Calibration:
    """Return the network to quantize and its ranges.

    A network trained with batch norm has even activations: where any range is allowed, the values it puts out are the
    range. A published one has outliers, and a coarse grid has few ranges, so these are searched.
    """
    x, grid = work.material.numbers(work.material.dataset.splits["calibration"], pixels), grid_of(config)
    if work.pretrained is None and not grid.coarse:
        return Calibration(plain, plain, activation_ranges(plain, x))
    return calibrate(plain, x, pixels.range, grid, work.run.console.step)


def _phase(plan: Plan, epochs: int, learning_rate: float, first_best_epoch: int = 0) -> FitPlan:
    train = plan.train
    return FitPlan(
        epochs=epochs,
        batch_size=train.batch_size,
        learning_rate=learning_rate,
        warmup_epochs=min(0.5, epochs / 5),
        weight_decay=train.weight_decay,
        label_smoothing=train.label_smoothing,
        augment=train.augment,
        mix=train.mix,
        first_best_epoch=first_best_epoch,
    )


def _teacher(work: _Training) -> Teacher | None:
    return teacher_of(work.teaching, work.plan.train.teacher_share) if work.teaching else None


def _fit(
    work: _Training,
    model: Any,
    plan: FitPlan,
    phase: str,
    out: Path,
    part: str = "training",
    pixels: Pixels | None = None,
    build: Callable[[], Any] | None = None,
) -> History:
    return fit(
        model,
        work.examples("train", pixels),
        work.examples("validation", pixels),
        plan,
        seed=work.plan.seed + SEED_OF[phase],
        state=out / part,
        progress=_progress(work.run, phase if part == "training" else part),
        note=work.run.console.note,
        teacher=_teacher(work),
        shared=work.run.shared,
        build=build,
    )


def _finish(work: _Training, out: Path, model: Any, history: History, pixels: Pixels | None = None) -> None:
    """Keep a phase's weights, its history, and its scores on the held-out pictures."""
    np.save(out / "scores.npy", model.predict(evaluation_batches(work.examples("test", pixels)), verbose=0))
    write_json(out / "history.json", asdict(history))
    write_weights(out / "weights.npz", model.get_weights())


def _progress(run: Run, phase: str) -> Callable[[int, int, dict[str, float]], None]:
    def progress(epoch: int, epochs: int, logs: dict[str, float]) -> None:
        extra = f"loss {logs['loss']:.3f}  validation top-1 {logs['val_accuracy']:.3f}"
        run.console.step(phase, epoch, epochs, extra)

    return progress


def train_alone(run: Run, summary: Summary, data: Dataset, sha256: str) -> Stage:
    """Run or resume the dense training of a recipe from scratch, and nothing after it.

    Args:
      run: its plan says what is trained.
      summary: of the data.
      data: the pictures as the plan's preprocessing makes them.
      sha256: of what `data` depends on besides the summary.

    Returns:
      The stage, with weights.npz, history.json and the held-out pictures' scores.npy.
    """
    plan, work = run.plan, _Training(run, _material(run.plan, data, None), None)
    return run.stage(
        "dense",
        [plan.model, plan.train, plan.seed, plan.threads, summary.sha256, sha256, versions()],
        lambda out: _train(work, out),
        resumable=True,
    )
