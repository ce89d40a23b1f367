"""The one place that chooses Keras: TF-MOT needs Keras 2 (`tf_keras`), chosen before TensorFlow is imported.

Import `tf`, `keras` and `tfmot` from here, nowhere else. It takes 2–6 s, silences TensorFlow's start-up notes,
and reports a missing package with the extra that installs it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.quiet import quiet_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
os.environ["TF_USE_LEGACY_KERAS"] = "1"
# TensorFlow leaves oneDNN out on processors without AVX-512, where it halves a training step, too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextmanager
def _without_keras_3() -> Iterator[None]:
    """Keep TF-MOT from importing Keras 3, a third of all imports, only to see that it is not Keras 2."""
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if sys.modules.get("keras", ...) is None:
            del sys.modules["keras"]


try:
    with quiet_stderr():
        import tensorflow as tf
        import tf_keras as keras

        with _without_keras_3():
            import tensorflow_model_optimization as tfmot
except ImportError as error:
    raise ConfigError(
        f"training and export need TensorFlow ({error})", fix="run: pip install 'sqz-tf[train]'"
    ) from error

tf.get_logger().setLevel("ERROR")
# Grappler's remapper joins batch normalisation to the ReLU after it, in a kernel that takes a processor three times as
# long as the two apart.
tf.config.optimizer.set_experimental_options({"remapping": False})

__all__ = ["keras", "make_deterministic", "tf", "tfmot", "use_threads"]


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow and ask for repeatable kernels.

    Called at the start of each stage, so that a resumed run draws the same numbers as an unbroken one.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def use_threads(number: int) -> None:
    """Let TensorFlow compute in so many threads, however many processors there are.

    Sums are parted among threads, so results depend on their number; left to TensorFlow it is that of the processors.

    Raises:
      ConfigError: TensorFlow has computed already, with another number.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(number)
    except RuntimeError as error:
        raise ConfigError(
            f"TensorFlow computes in {tf.config.threading.get_intra_op_parallelism_threads()} threads already",
            expected=f"{number}, set before anything is computed",
            fix="run it in a process of its own",
        ) from error
