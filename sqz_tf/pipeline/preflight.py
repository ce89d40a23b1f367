"""What can be refused before the first minute of work is spent.

Missing packages and runtimes, a compiler that makes no programs, too little space, a network or too few pictures that a
later stage could not take. What is left for later is listed in docs/results.md, each with why it cannot be told here.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Mapping

from converters.compiler.back.c import library
from sqz_tf.artifact.disk import NEED_BYTES
from sqz_tf.base.errors import ConfigError, SqzError, translated
from sqz_tf.base.spec import LEAST_LEARNT, ModelSpec, PackConfig
from sqz_tf.base.units import megabytes
from sqz_tf.deploy.web import toolchain
from sqz_tf.inference import host_c, interpreters, worker
from sqz_tf.network.architecture import feature_values, layer_shapes, multiplications
from sqz_tf.parity.verdict import REQUIRE_VARIABLE
from sqz_tf.pipeline.plan import Plan
from sqz_tf.quantize.schemes.every import SCHEMES

PACKAGES = (
    *("tensorflow", "tf_keras", "tensorflow_model_optimization", "threadpoolctl", "matplotlib", "jinja2"),
    *("ai_edge_litert", "scipy"),
)
# Of these, what is imported after the training.
LATE = ("matplotlib.figure", "jinja2", "scipy.optimize", "ai_edge_litert.interpreter")
PACKING = ("zstandard",)
RUNTIMES = ("tflite-runtime", "tflm", "compiled-c")  # that the verdict asks besides LiteRT
_INSTALL = "run: pip install 'sqz-tf[train]'"
_OTHER_CC = "name a C compiler that does in CC, or a folder that programs may run in in TMPDIR"
CHECKPOINTS = 40  # bytes for each parameter: weights and the optimizer's state, in every stage that trains


MOST_PARAMETERS = 32_000_000  # of which float weights fit into the largest model that any command reads
MOST_CLASSES = 65_534  # channels of a map in compiled C: uint16
SECONDS_A_BILLION = 0.5  # of processor time, for multiplications on the slowest interpreter that judges
LEAST_OTHERS = 5  # pictures, of which one calibrates where no others do


def require_tools(packing: bool = False, web: bool = False) -> None:
    """Refuse to begin what could not be finished.

    Args:
      packing: whether the network is going to be packed.
      web: whether a page for browsers is going to be made.

    Raises:
      ConfigError: a package or a runtime that the verdict must ask is missing, or the C compiler makes no programs that
        run; names it and how to install it.
    """
    _require(PACKAGES + (PACKING if packing else ()))
    for name in LATE + (PACKING if packing else ()):
        with translated(ConfigError, f"{name} is there and cannot be imported", fix=_INSTALL, of=(Exception,)):
            importlib.import_module(name)
    with translated(ConfigError, "models cannot be compiled to C"):
        library.root()
    if interpreters.why_not(interpreters.COMPILED) is None:
        with translated(ConfigError, "no program can be built to judge the compiled C", fix=_OTHER_CC, of=(SqzError,)):
            host_c.require_programs()
    if web:
        toolchain.find().prove()
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        for runtime in RUNTIMES:
            if why := interpreters.why_not(runtime):
                raise ConfigError(f"{REQUIRE_VARIABLE}=1 asks for {runtime}, which cannot be used: {why}")


def require_packages(training: bool) -> None:
    """Refuse to begin without what draws a page, and what trains.

    Raises:
      ConfigError: a package is missing; says how to install it.
    """
    _require(PACKAGES if training else ("matplotlib", "jinja2"))


def _require(needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} cannot be imported", fix=_INSTALL)


def require_possible(plan: Plan, train: int, calibration: int, held: Mapping[str, int] | None = None) -> None:
    """Refuse what a stage after the training could not take.

    Args:
      train: pictures to train on, 0 if nothing is trained.
      calibration: pictures to calibrate with.
      held: pictures of each split that judges.

    Raises:
      ConfigError: the network is too large to be compiled, run or read, or there are too few pictures.
    """
    _require_network(plan.model)
    if not calibration:
        raise ConfigError(
            "no picture is left to calibrate with", expected=f"at least {LEAST_OTHERS}, or --calibration-data"
        )
    for name, count in (held or {}).items():
        if not count:
            raise ConfigError(f"no picture is left in {name}", expected="at least one", fix=f"add pictures to {name}")
    if plan.pack:
        _require_pack(plan, plan.pack, train or calibration)
    if not train and plan.quantize.epochs and calibration < 2:
        raise ConfigError(
            f"--quantize-epochs {plan.quantize.epochs} fine-tunes on {calibration} picture", expected="at least 2"
        )


def _require_pack(plan: Plan, pack: PackConfig, pictures: int) -> None:
    scheme, least = SCHEMES[plan.quantize.scheme], _biases(plan.model)
    if scheme.operators:  # which rounding has no gradients of
        raise ConfigError(
            f"--pack does not round networks of --scheme {scheme.name}, which have {', '.join(scheme.operators)}",
            fix="leave --pack out, and run python -m sqz_tf.pack OUT --lossless afterwards",
        )
    if pictures < LEAST_LEARNT:
        raise ConfigError(
            f"--pack learns from {pictures} pictures", expected=f"at least {LEAST_LEARNT}", fix="leave --pack out"
        )
    if 0 < 1000 * pack.budget_kb < least:
        raise ConfigError(
            f"--pack-budget-kb is {pack.budget_kb:g}, less than a byte for each output of this network's layers",
            expected=f"{least / 1000:.1f} at the very least",
            fix="give a larger one, or a smaller --width",
        )


def _require_network(model: ModelSpec) -> None:
    parameters, work = _parameters(model), multiplications(model)
    if parameters > MOST_PARAMETERS:
        raise ConfigError(
            f"the network has {parameters:,} parameters", expected=f"at most {MOST_PARAMETERS:,}", fix="lower --width"
        )
    if model.classes > MOST_CLASSES:
        raise ConfigError(f"there are {model.classes:,} classes", expected=f"at most {MOST_CLASSES:,}")
    seconds = work / 1e9 * SECONDS_A_BILLION
    if seconds > worker.SECONDS:
        raise ConfigError(
            f"one inference is {work / 1e9:.0f} billion multiplications, which take reference kernels about "
            f"{seconds:.0f} s, and a worker may take {worker.SECONDS}",
            fix=f"lower --input-size or --width, or set SQZ_TF_WORKER_SECONDS={4 * seconds:.0f}",
        )
    if (held := 4 * feature_values(model)) > worker.MEMORY:
        raise ConfigError(
            f"the network's maps are {megabytes(held)} of floats, which are compared layer by layer",
            expected=f"at most {megabytes(worker.MEMORY)}",
            fix="lower --input-size or --width",
        )


def _parameters(model: ModelSpec) -> int:
    return sum(math.prod(shape) + shape[3] for shape in layer_shapes(model).values())


def _biases(model: ModelSpec) -> int:
    """Return the outputs of all layers: what a pack takes that holds a byte for each bias and nothing else."""
    return sum(shape[3] for shape in layer_shapes(model).values())


def needed_bytes(plan: Plan, pictures: int) -> int:
    """Return the disk space that an export may take at once: pictures as the network sees them, checkpoints, results.

    Args:
      pictures: in all splits.
    """
    sides = [plan.preprocess.width, *([plan.start.input_size] if plan.start else [])]
    pixels = sum(side * side for side in sides) * plan.preprocess.channels
    parameters = sum(math.prod(shape) for shape in layer_shapes(plan.model).values())
    return NEED_BYTES + pictures * pixels + CHECKPOINTS * parameters
