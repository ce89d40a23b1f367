"""Data flows one way: a package imports only packages to its left, commands nothing of each other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.needs import ROOT
from tools.structure import ORDER, imported

TENSORFLOW = (
    "train",
    "quantize",
    "compress",
    "pipeline",
    "comparison",
    "trials",
)  # the packages that may import Keras, from `train.keras` alone
KERAS = "sqz_tf/train/keras.py"
DOWNLOADS = {"sqz_tf/data/sources.py": "tf_keras.datasets.cifar10"}  # asked for by name; nothing else of it is used
FRONT_DOOR = "__main__"  # loads a command by its name
LIGHT = [
    *("sqz_tf.images.find", "sqz_tf.inference.interpreters", "sqz_tf.check", "sqz_tf.export", "sqz_tf.data.dataset"),
    *("sqz_tf.__main__", "sqz_tf.runtime", "sqz_tf.classify", "sqz_tf.evaluate", "sqz_tf.compile", "sqz_tf.fit"),
    *("sqz_tf.explore", "sqz_tf.web", "sqz_tf.fpga"),
]
HEAVY = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "sklearn", "matplotlib", "scipy"}


def files(package: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))


def faults(path: str, source: str) -> list[str]:
    """Return what a file of `sqz_tf` imports but may not."""
    _, *folders, _ = Path(path).parts
    package = folders[0] if folders else None
    allowed = set(ORDER) if package is None else set(ORDER[: ORDER.index(package) + 1])
    wrong = []
    for name in sorted(imported(source)):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if top == "sqz_tf" and target not in allowed and target != "__version__":
            wrong.append(name)
        if (
            top in ("tensorflow", "tf_keras", "tensorflow_model_optimization")
            and path != KERAS
            and name != DOWNLOADS.get(path)
        ):
            wrong.append(name)
        if name.startswith("sqz_tf.train.keras.") and package not in TENSORFLOW:
            wrong.append(name)
    return wrong


def private(source: str) -> list[str]:
    """Return what a file takes of another module though its name begins with an underscore."""
    ours = (name for name in sorted(imported(source)) if name.split(".")[0] in ("sqz_tf", "converters"))
    return [name for name in ours if re.match(r"_(?!_)", name.rpartition(".")[2])]


@pytest.mark.parametrize("path", files("sqz_tf"), ids=str)
def test_packages_import_only_to_their_left(path: Path) -> None:
    assert faults(str(path), (ROOT / path).read_text()) == []


@pytest.mark.parametrize("path", files("converters"), ids=str)
def test_converters_know_nothing_of_the_network(path: Path) -> None:
    assert not [name for name in imported((ROOT / path).read_text()) if name.startswith("sqz_tf")]


@pytest.mark.parametrize("path", [*files("sqz_tf"), *files("converters")], ids=str)
def test_an_underscore_is_private_to_its_module(path: Path) -> None:
    assert private((ROOT / path).read_text()) == []


def test_every_package_has_its_place() -> None:
    assert {path.parts[1] for path in files("sqz_tf") if len(path.parts) > 2} == set(ORDER)


def test_the_rules_catch_what_they_forbid() -> None:
    lazy = "def f():\n    from sqz_tf.train.fit import fit\n"
    assert faults("sqz_tf/data/x.py", lazy) == ["sqz_tf.train.fit.fit"]
    assert faults("sqz_tf/check.py", "from sqz_tf import evaluate\n") == ["sqz_tf.evaluate"]
    assert faults("sqz_tf/check.py", lazy) == []
    assert faults("sqz_tf/train/x.py", "import tensorflow as tf\n") == ["tensorflow"]
    assert faults("sqz_tf/report/x.py", "from sqz_tf.train.keras import tf\n") == ["sqz_tf.train.keras.tf"]
    assert private("from sqz_tf.data.rows import _chunks, Rows\n") == ["sqz_tf.data.rows._chunks"]


def test_packages_import_nothing_themselves() -> None:
    for path in files("sqz_tf"):
        if path.name == "__init__.py":
            allowed = {"__future__"} | ({"os", "sys"} if path == Path("sqz_tf/__init__.py") else set())
            assert not [name for name in imported((ROOT / path).read_text()) if name.split(".")[0] not in allowed]


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_do_not_load_tensorflow(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
