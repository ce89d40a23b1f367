"""The output folder of an export, read: its files by what they are, the manifest checked for its form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters import foreign
from sqz_tf.artifact.manifest import MANIFEST, verify_manifest
from sqz_tf.base.errors import ConfigError, SqzError
from sqz_tf.base.json_files import parse

if TYPE_CHECKING:
    import numpy as np

FLOAT, INT8, UINT8 = "model_f32.tflite", "model_int8.tflite", "model_uint8.tflite"
KERAS, LABELS, LICENCE = "model.keras", "labels.txt", "LICENCE.weights.txt"
NUMBERS = "model_f32.safetensors"  # the final float network as arrays: what we read; model.keras is for people
PACK = "model.sqz"  # where a pack was asked for
PAGE = "try.html"
C_FOLDER, TFLM_FOLDER = "c", "tflm"
REPORT = "report.json"
REFERENCE = "reference_answers.npy"  # the float network's best classes for each held-out picture: what int8 must match
BEST = 5  # classes kept there


class ExportError(SqzError):
    """The folder is no whole output folder of an export."""


@dataclass(frozen=True)
class Export:
    """One output folder; files are read when they are asked for, each once.

    Raises (any property):
      ExportError: the file is missing or damaged.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path | str) -> Export:
        """Return the export of a folder.

        Raises:
          ExportError: it holds no manifest of an export.
        """
        export = cls(Path(folder))
        _ = export.config
        return export

    @classmethod
    def beside(cls, model: Path) -> Export | None:
        """Return the export that a model lies in, None if it lies elsewhere."""
        try:
            return cls.open(model.parent)
        except ExportError:
            return None

    @cached_property
    def int8(self) -> bytes:
        """The product: int8 in and out."""
        return self._bytes(INT8)

    @cached_property
    def float(self) -> bytes:
        """The final network in float."""
        return self._bytes(FLOAT)

    @cached_property
    def uint8(self) -> bytes:
        """The twin with uint8 in and out."""
        return self._bytes(UINT8)

    @cached_property
    def numbers(self) -> bytes | None:
        """The weights of the final float network; None in a folder without them."""
        return self._bytes(NUMBERS) if (self.folder / NUMBERS).exists() else None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the outputs."""
        try:
            return tuple(self._bytes(LABELS).decode("utf-8").splitlines())
        except ValueError as error:
            raise self._damaged(str(error)) from error

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What manifest.json says; a folder's own files are checked by `differences`."""
        return self._json(MANIFEST)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration that the manifest holds: one entry a stage."""
        config = self.manifest.get("config")
        if not isinstance(config, dict):
            raise self._damaged(f"{MANIFEST} has no configuration")
        return config

    @cached_property
    def report(self) -> dict[str, Any]:
        """What report.json says."""
        return self._json(REPORT)

    @cached_property
    def reference_answers(self) -> np.ndarray | None:
        """The float network's best classes, integers [N, up to 5]; None in a folder without them."""
        import numpy as np

        path = self.folder / REFERENCE
        if not path.exists():
            return None
        try:
            found: np.ndarray = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(f"{REFERENCE}: {error}") from error
        if found.ndim != 2 or found.dtype.kind not in "iu":
            raise self._damaged(f"{REFERENCE} holds {found.dtype} {list(found.shape)}")
        return found

    def differences(self) -> list[str]:
        """Return one line for each file that is not as the manifest says."""
        return verify_manifest(self.folder)

    def _bytes(self, name: str) -> bytes:
        path = self.folder / name
        try:
            found, content = foreign.kind(path), path.read_bytes()
        except OSError as error:
            why = f"{error.filename or path} cannot be read ({error.strerror})"
            raise ExportError(
                f"{self.folder} is a file" if self.folder.is_file() else why, expected="a folder that an export wrote"
            ) from error
        if fix := foreign.REMEDIES.get(found):
            raise ExportError(f"{path} is {foreign.WHAT[found]}", expected="what an export wrote", fix=fix)
        return content

    def _json(self, name: str) -> dict[str, Any]:
        try:
            values: dict[str, Any] = parse(self._bytes(name), dict[str, Any], what=name)
        except ConfigError as error:
            raise self._damaged(error.what) from error
        return values

    def _damaged(self, how: str) -> ExportError:
        return ExportError(f"{self.folder} is damaged ({how})", expected="a folder that an export wrote")


def best_answers(scores: np.ndarray) -> np.ndarray:
    """Return the best classes of each picture, best first; of equal scores the lower index comes first.

    Args:
      scores: real [N, classes].

    Returns:
      uint16 or uint32 [N, at most 5].
    """
    import numpy as np

    order = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :BEST]
    return order.astype(np.uint16 if scores.shape[1] <= 1 << 16 else np.uint32)
