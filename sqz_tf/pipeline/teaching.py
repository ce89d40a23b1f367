"""A larger network of the kit as teacher: opened and checked before anything is trained."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf.artifact.exported import NUMBERS, Export
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, from_dict

if TYPE_CHECKING:
    from sqz_tf.train.batches import Teacher


@dataclass(frozen=True)
class TeachingExport:
    """A finished export whose float network teaches."""

    model: ModelSpec
    preprocess: PreprocessSpec
    numbers: bytes

    @property
    def sha256(self) -> str:
        """What a stage that learnt from it depends on."""
        return hashlib.sha256(self.numbers).hexdigest()

    def teacher(self, share: float) -> Teacher:
        """Build the network; imports TensorFlow."""
        from sqz_tf.train.batches import Teacher
        from sqz_tf.train.saved import rebuilt

        return Teacher(rebuilt(self.model, self.numbers).model, Pixels(self.preprocess.scale), share)


def open_teacher(given: str, classes: tuple[str, ...]) -> TeachingExport:
    """Open the export in a folder, or the one that a file lies in.

    Args:
      given: `--teacher`.
      classes: of the data, in the order of the outputs.

    Raises:
      ExportError: it is none.
      ConfigError: it holds no float network, or one for other classes or other pictures.
    """
    path = Path(given)
    export = Export.open(path.parent if path.is_file() else path)
    if export.labels != classes:
        raise ConfigError(
            f"--teacher {given} knows {_some(export.labels)}", expected=f"the classes of the data: {_some(classes)}"
        )
    if export.numbers is None:
        raise ConfigError(f"--teacher {given} has no {NUMBERS}", fix="export it again")
    return TeachingExport(
        _spec(ModelSpec, export, "model"), _spec(PreprocessSpec, export, "preprocess"), export.numbers
    )


def _spec(kind: Any, export: Export, name: str) -> Any:
    return from_dict(kind, export.config.get(name), name)


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names)} classes ({shown}{', …' if len(names) > 5 else ''})"
