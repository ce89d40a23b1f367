"""What can be refused before the first minute of work is spent: missing packages and runtimes, and too little space."""

from __future__ import annotations

import importlib.util
import math
import os

from sqz_tf.artifact.disk import NEED_BYTES
from sqz_tf.base.errors import ConfigError
from sqz_tf.inference import interpreters
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.parity.verdict import REQUIRE_VARIABLE
from sqz_tf.pipeline.plan import Plan

PACKAGES = (
    *("tensorflow", "tf_keras", "tensorflow_model_optimization", "threadpoolctl", "matplotlib", "jinja2"),
    "imagehash",
)
RUNTIMES = ("tflite-runtime", "tflm", "compiled-c")  # that the verdict asks besides LiteRT
CHECKPOINTS = 40  # bytes for each parameter: weights and the optimizer's state, in every stage that trains


def require_tools() -> None:
    """Refuse to begin what could not be finished: a package is missing, or a runtime that the verdict must ask.

    Raises:
      ConfigError: names what is missing and how to install it.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} cannot be imported", fix="run: pip install 'sqz-tf[train]'")
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        for runtime in RUNTIMES:
            if why := interpreters.why_not(runtime):
                raise ConfigError(f"{REQUIRE_VARIABLE}=1 asks for {runtime}, which cannot be used: {why}")


def needed_bytes(plan: Plan, pictures: int) -> int:
    """Return the disk space that an export may take at once: pictures as the network sees them, checkpoints, results.

    Args:
      pictures: in all splits.
    """
    preprocess = plan.preprocess
    pixels = preprocess.width * preprocess.height * preprocess.channels
    parameters = sum(math.prod(shape) for shape in layer_shapes(plan.model).values())
    return NEED_BYTES + pictures * pixels + CHECKPOINTS * parameters
