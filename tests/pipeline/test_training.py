"""What the stages of a training are told, and what their keys cover; nothing is trained here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqz_tf.artifact.workspace import Workspace
from sqz_tf.base.console import Console
from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec
from sqz_tf.data.dataset import Dataset, summarise
from sqz_tf.network.architecture import HEAD, layer_shapes
from sqz_tf.network.exported_weights import ExportedWeights
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline import job as jobs
from sqz_tf.pipeline.job import from_scratch
from sqz_tf.pipeline.plan import Options, make_plan
from sqz_tf.pipeline.run import Run
from tests.helpers.colour_network import CLASSES, write_pictures

pytestmark = pytest.mark.training


def options(folder: Path, **more: Any) -> Options:
    return Options(
        DataConfig(str(folder)), width=0.1, input_size=32, epochs=4, prune_epochs=1, quantize_epochs=1, **more
    )


def teacher() -> ExportedWeights:
    spec, rng = ModelSpec(input_size=32, classes=len(CLASSES), width=0.1), np.random.default_rng(1)
    layers = {
        name: (rng.normal(0, 0.1, shape).astype(np.float32), np.zeros(shape[-1], np.float32))
        for name, shape in layer_shapes(spec).items()
    }
    return ExportedWeights(layers, spec, PreprocessSpec(32, 32), CLASSES)


@pytest.mark.slow
def test_every_phase_learns_from_the_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqz_tf.pipeline import training
    from sqz_tf.train import prune
    from sqz_tf.train.fit import History

    taught: dict[str, Any] = {}

    def fit(*given: Any, state: Path, teacher: Any = None, **more: Any) -> History:
        taught[state.parent.name.split("-")[0]] = teacher and teacher.network.output_shape
        return History()

    write_pictures(tmp_path / "pictures", per_class=12)
    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(prune, "fit", fit)
    monkeypatch.setattr(jobs, "open_teacher", lambda *given: teacher())
    job = from_scratch(options(tmp_path / "pictures", dsd=True, teacher="large", start_size=20))
    with Workspace(tmp_path / "out") as workspace:
        job.make(Run(job.plan, workspace, Console(quiet=True), ()))
    assert taught == dict.fromkeys(
        ("small", "dense", "sparse", "dense_again", "pruned", "quantized"), (None, len(CLASSES))
    )


def test_a_start_on_smaller_pictures_hands_its_weights_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqz_tf.pipeline import training
    from sqz_tf.train.fit import History

    seen: list[tuple[int, int, float]] = []

    class EnoughError(Exception):
        pass

    def fit(model: Any, train: Any, *given: Any, seed: int, **more: Any) -> History:
        bias = model.get_layer("conv10_bn").beta
        seen.append((train.images.shape[1], seed, float(bias[0])))
        if len(seen) == 2:
            raise EnoughError
        bias.assign(bias + 0.625)
        return History()

    write_pictures(tmp_path / "pictures", per_class=12)
    monkeypatch.setattr(training, "fit", fit)
    job = from_scratch(options(tmp_path / "pictures", start_size=20))
    with Workspace(tmp_path / "out") as workspace, pytest.raises(EnoughError):
        job.make(Run(job.plan, workspace, Console(quiet=True), ()))
    assert seen == [(20, 1, 0.0), (32, 6, 0.625)]


def stopping_at(monkeypatch: pytest.MonkeyPatch, name: str) -> type[Exception]:
    """Let a function of the training raise what is returned."""
    from sqz_tf.pipeline import training

    class EnoughError(Exception):
        pass

    def stop(*given: Any, **more: Any) -> None:
        raise EnoughError

    monkeypatch.setattr(training, name, stop)
    return EnoughError


def test_weights_whose_outputs_are_in_another_order_are_trained_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "pictures", per_class=12)
    from_nothing = from_scratch(options(tmp_path / "pictures"))
    numbers = teacher()
    kernel, bias = numbers.layers[HEAD]
    plan = replace(from_nothing.plan, model=numbers.model)
    enough = stopping_at(monkeypatch, "_train")
    begun: set[str] = set()
    for layers in (numbers.layers, {**numbers.layers, HEAD: (kernel[..., ::-1], bias)}):
        pretrained = Pretrained(layers, plan.preprocess, numbers.model, "", "mine", "export", sha256="0" * 64)
        with Workspace(tmp_path / "out") as workspace, pytest.raises(enough):
            replace(from_nothing, plan=plan, pretrained=pretrained).make(Run(plan, workspace, Console(quiet=True), ()))
        begun |= {path.name for path in (tmp_path / "out.work").glob("dense-*")}
    assert len(begun) == 2


@pytest.mark.slow
def test_dense_sparse_dense_sets_weights_to_zero_and_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqz_tf.pipeline import training
    from sqz_tf.train.fit import History

    really_fit = training.fit

    def fit(model: Any, train: Any, validation: Any, plan: Any, **more: Any) -> History:
        return really_fit(model, train, validation, replace(plan, keep_start=False), **more)

    write_pictures(tmp_path / "pictures", per_class=12)
    monkeypatch.setattr(training, "fit", fit)  # a few steps seldom beat the start, which would be kept with its zeros
    enough = stopping_at(monkeypatch, "_prune")
    job = from_scratch(options(tmp_path / "pictures", dsd=True))

    def zeros(stage: str) -> list[float]:
        (found,) = (tmp_path / "out.work").glob(f"{stage}-*/weights.npz")
        with np.load(found) as arrays:
            kernels = [arrays[name] for name in arrays.files if arrays[name].ndim == 4]
        return [float(np.mean(kernel == 0)) for kernel in kernels[1:]]  # conv1 is not pruned

    with Workspace(tmp_path / "out") as workspace, pytest.raises(enough):
        job.make(Run(job.plan, workspace, Console(quiet=True), ()))
    assert zeros("sparse") == pytest.approx([0.3] * len(zeros("sparse")), abs=0.05)
    assert np.mean(zeros("dense_again")) < 0.1 > np.mean(zeros("dense"))


def test_a_training_alone_is_another_one_under_other_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqz_tf.pipeline import training

    write_pictures(tmp_path / "pictures", per_class=12)
    summary = summarise(DataConfig(str(tmp_path / "pictures")))
    plan = make_plan(options(tmp_path / "pictures"), summary)
    built: list[str] = []
    monkeypatch.setattr(training, "_train", lambda work, out: built.append(out.name))
    images, rows = np.zeros((8, 32, 32, 3), np.uint8), np.arange(8)
    data = Dataset("", CLASSES, images, rows % 4, (), {"train": rows}, "", plan.data, plan.preprocess)
    for version in ("2.14.0", "2.15.1", "2.15.1"):
        monkeypatch.setattr(training, "versions", lambda version=version: {"tensorflow": version})
        with Workspace(tmp_path / "out") as workspace:
            training.train_alone(Run(plan, workspace, Console(quiet=True), ()), summary, data, "")
    assert len(built) == len(set(built)) == 2
