"""A larger network of the kit as teacher: opened and checked before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.base.text import some
from sqz_tf.network.exported_weights import ExportedWeights, read_exported

if TYPE_CHECKING:
    from sqz_tf.train.batches import Teacher


def open_teacher(given: str) -> ExportedWeights:
    """Open a model of the kit, the export in a folder, or the one that a file lies in.

    Args:
      given: `--teacher`.

    Raises:
      ExportError: it is none.
    """
    return read_exported(shipped_folder(given))


def require_alike(given: str, teacher: ExportedWeights, classes: tuple[str, ...], channels: int) -> None:
    """Refuse a teacher of other classes or other pictures.

    Args:
      given: `--teacher`.
      classes: of the data, in the order of the outputs.
      channels: of the pictures.

    Raises:
      ConfigError: it is one.
    """
    if teacher.labels != classes:
        raise ConfigError(
            f"--teacher {given} knows {len(teacher.labels)} classes: {some(teacher.labels)}",
            expected=f"those of the data: {some(classes)}",
        )
    if teacher.model.channels != channels:
        raise ConfigError(
            f"--teacher {given} sees {teacher.model.channels} channels",
            expected=f"{channels}, as the network that learns",
        )


def teacher_of(found: ExportedWeights, share: float) -> Teacher:
    """Build the network; imports TensorFlow."""
    from sqz_tf.train.batches import Teacher
    from sqz_tf.train.squeezenet import plain_squeezenet, set_layers

    network = plain_squeezenet(found.model)
    set_layers(network, found.layers)
    return Teacher(network, Pixels(found.preprocess.scale), share)
