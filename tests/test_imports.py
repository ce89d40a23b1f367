"""Data flows one way: a module imports only modules to its left, and `converters` nothing of `sqz_tf`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = [
    *("errors", "spec", "architecture", "stats", "_quiet", "_disk", "artifact", "_cli", "images", "imagenet_classes"),
    *("boards", "_native", "_model_file", "_matching", "host_c", "_interpreter_worker", "interpreters", "bench"),
    *("compile", "footprint", "fit", "android"),
    *("runtime", "classify", "_serial", "firmware", "_flash_steps", "flash"),
    *("data", "evaluate", "_weight_files", "weights", "plan", "ristretto", "grid"),
    *("_keras", "batches", "model", "train", "prune", "quantize", "calibrate", "distil", "trimming", "parity", "check"),
    *("plots", "_report_text", "_report_schema", "report"),
    *("fixed_point", "pipeline", "pipeline_train", "pipeline_calibrate", "job", "export", "__main__"),
]
WITH_CONVERTERS = {
    "host_c",
    "interpreters",
    "parity",
    "check",
    "fixed_point",
    "pipeline",
    "weights",
    "_weight_files",
    "compile",
    "fit",
    "firmware",
    "android",
}
LIGHT = [
    *("sqz_tf.images", "sqz_tf.interpreters", "sqz_tf.check", "sqz_tf.export", "sqz_tf.data", "sqz_tf.__main__"),
    *("sqz_tf.runtime", "sqz_tf.classify", "sqz_tf.evaluate", "sqz_tf.compile", "sqz_tf.fit"),
]
HEAVY = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "sklearn", "matplotlib", "scipy"}


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if path.stem != "__init__")


def imported(source: str) -> set[str]:
    """Return the first-party modules imported anywhere in `source`, inside functions too, but not for types only."""
    names: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in {"sqz_tf", "converters"}}


def _without_type_checking(tree: ast.AST) -> ast.AST:
    class Strip(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    return Strip().visit(tree)


def faults(module: str, source: str) -> list[str]:
    """Return what `sqz_tf.<module>` imports but may not."""
    left = set(ORDER[: ORDER.index(module)])
    wrong = []
    for name in imported(source):
        package, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if package == "converters":
            wrong += [name] if module not in WITH_CONVERTERS else []
        elif target not in left and target != "__version__":
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", modules("sqz_tf"), ids=lambda path: path.stem)
def test_stages_import_only_to_their_left(path: Path) -> None:
    assert path.stem in ORDER, f"give {path.stem} its place in ORDER"
    assert faults(path.stem, path.read_text()) == []


@pytest.mark.parametrize("path", modules("converters"), ids=lambda path: path.stem)
def test_converters_know_nothing_of_the_network(path: Path) -> None:
    assert not [name for name in imported(path.read_text()) if name.startswith("sqz_tf")]


def test_the_rule_catches_a_lazy_import_to_the_right() -> None:
    assert faults("model", "def f():\n    from sqz_tf.train import fit\n") == ["sqz_tf.train.fit"]
    assert faults("model", "from converters.tflite_reader import macs\n")
    assert faults("train", "from sqz_tf.model import fold\nimport numpy\n") == []


def test_packages_import_nothing_themselves() -> None:
    for package in ("sqz_tf", "converters"):
        assert imported((ROOT / package / "__init__.py").read_text()) == set()


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_do_not_load_tensorflow(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
