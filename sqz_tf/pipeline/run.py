"""What every step of one export is told, and what a recipe hands over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.manifest import versions
from sqz_tf.artifact.workspace import Stage, Workspace
from sqz_tf.base.console import Console
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import PreprocessSpec, to_dict
from sqz_tf.data.dataset import Dataset
from sqz_tf.pipeline.plan import Plan
from sqz_tf.pipeline.together import hand_out, jointly
from sqz_tf.quantize.schemes.every import QuantizeConfig
from sqz_tf.train.distribute import ALONE, Alone


@dataclass(frozen=True)
class Run:
    """One export while it is made.

    Attributes:
      plan: what to do.
      workspace: entered; holds the stages and takes the result.
      console: told what happens.
      command: the command line, for the record.
      shared: the replicas that train together.
    """

    plan: Plan
    workspace: Workspace
    console: Console
    command: tuple[str, ...]
    shared: Alone = ALONE

    def first_stage(self, name: str, config: Sequence[Any], build: Callable[[Path], None]) -> Stage:
        """Run or resume a stage that others need and that needs none; versions and threads are in its key, too.

        Of several machines each makes its own. How many replicas there are is in the key, since sums depend on it.
        """
        replicas = [self.shared.replicas] if self.shared.replicas > 1 else []
        values = [*config, versions(), self.plan.threads, *replicas]
        return staged(self.workspace, self.console, name, values, build)

    def stage(
        self,
        name: str,
        config: Any,
        build: Callable[[Path], None],
        *,
        needs: Sequence[Stage] = (),
        resumable: bool = False,
    ) -> Stage:
        """Run or resume a stage; its key covers its configuration and the stages it needs.

        Args:
          config: specs or plain JSON values, one or a list.
          build: writes the stage's files into the folder given.
          resumable: whether the build can take up its own half-finished files.
        """
        build, reuse = jointly(self.shared.meeting, build)
        stage = staged(self.workspace, self.console, name, config, build, needs=needs, resumable=resumable, reuse=reuse)
        hand_out(self.shared.meeting, stage.folder)
        return stage


def staged(
    workspace: Workspace,
    console: Console,
    name: str,
    config: Any,
    build: Callable[[Path], None],
    *,
    needs: Sequence[Stage] = (),
    resumable: bool = False,
    reuse: bool = True,
) -> Stage:
    """Run or resume a stage of a workspace as `Run.stage` does, and say when it is built."""
    parts = config if isinstance(config, list) else [config]
    values = [to_dict(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]

    def announced(folder: Path) -> None:
        console.note(f"{name} …")
        build(folder)

    return workspace.stage(name, values, announced, needs=needs, resumable=resumable, reuse=reuse)


@dataclass(frozen=True)
class Material:
    """The pictures a recipe works on, and how they reach the network.

    Attributes:
      dataset: preprocessed, memory-mapped.
      preprocess: with the mean and standard deviation that are folded into conv1.
    """

    dataset: Dataset
    preprocess: PreprocessSpec

    @property
    def raw(self) -> Pixels:
        """What a pixel is to the float network."""
        return Pixels(self.preprocess.scale)

    def numbers(self, rows: np.ndarray, pixels: Pixels | None = None) -> np.ndarray:
        """Return pictures as a network's input, float32 [N, H, W, C]; by default the float network's."""
        return (pixels or self.raw).numbers(self.dataset.images[rows])


@dataclass(frozen=True)
class Rival:
    """Another quantization of the network, to be judged beside it; `model` makes the Keras model."""

    name: str
    config: QuantizeConfig
    model: Callable[[], Any]


@dataclass(frozen=True, eq=False)
class Made:
    """What a recipe hands over.

    Attributes:
      material: the pictures and their preprocessing.
      quantized: the stage that holds the quantized network.
      models: makes the quantized Keras model and the float network it stands for, when they are needed.
      reference_scores: [N, classes] of the float network that int8 is judged against, on the held-out pictures.
      pruned_scores: the same after pruning, if there was any.
      sparsity: fraction of zeros in each layer that int8 must keep.
      sparsity_target: fraction that was asked for.
      training: histories by phase.
      rivals: other quantizations to judge, and the stages that hold them.
      trimming: how few bits would do, as plain values; None where it was not asked.
      more: further sections of report.json.
      attached: what `preprocess.json` inside each `.tflite` holds besides the preprocessing.
      calibration: pictures that calibrated, if they are not the data's own.
      notes: what was found out on the way and a person should know.
    """

    material: Material
    quantized: Stage
    models: Callable[[], tuple[Any, Any]]
    reference_scores: np.ndarray
    pruned_scores: np.ndarray | None
    sparsity: dict[str, float]
    sparsity_target: float
    training: dict[str, Any] = field(default_factory=dict)
    rivals: tuple[Rival, ...] = ()
    rival_stages: tuple[Stage, ...] = ()
    trimming: dict[str, Any] | None = None
    more: dict[str, Any] = field(default_factory=dict)
    attached: dict[str, Any] = field(default_factory=dict)
    calibration: str | None = None
    notes: tuple[str, ...] = ()

    def preprocessing(self) -> dict[str, Any]:
        """Return the whole content of `preprocess.json`."""
        return {**to_dict(self.material.preprocess), **self.attached}
