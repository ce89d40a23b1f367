"""Results of updates that are files: a `.sqz` or `.tflite` that carries all that an app needs to know."""

from __future__ import annotations

from pathlib import Path

from converters.delta.container import FILE
from converters.tflite.writer import read_attached
from sqz_tf.base.errors import DataError
from sqz_tf.deploy.update.images import Built
from sqz_tf.inference.model_file import LABELS_FILE, PREPROCESS_FILE, int8_given

MOST = 32 << 20  # ModelStore.LARGEST
NO_NETWORK = bytes(32)


def build(path: Path) -> Built:
    """Return a model's file as it is, once it is known that an app takes it.

    Raises:
      SqzError: it cannot be read, is no int8 model, is too large, or carries no labels or preprocessing.
    """
    model = int8_given(path)
    attached = read_attached(model)
    missing = [name for name in (LABELS_FILE, PREPROCESS_FILE) if name not in attached]
    if missing:
        raise DataError(
            f"{path} carries no {' and no '.join(missing)}",
            expected="a model that an app can run",
            fix="export it by python -m sqz_tf.export",
        )
    data = path.read_bytes()
    if max(len(data), len(model)) > MOST:
        raise DataError(f"{path} takes {max(len(data), len(model)):,} bytes in an app", expected=f"at most {MOST:,}")
    return Built(data, (), NO_NETWORK, FILE)
