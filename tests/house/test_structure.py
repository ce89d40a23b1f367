"""What the measure of the house says of a house made up for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import structure
from tools.structure import LONG, components, longest_path, main, markdown, measure, plain, tables

HOUSE = {
    "sqz_tf/__init__.py": "__version__ = '1'\n",
    "sqz_tf/check.py": (
        "from sqz_tf import __version__\nfrom sqz_tf.parity.edges import Edge\nfrom sqz_tf.base import units\n"
    ),
    "sqz_tf/base/__init__.py": "",
    "sqz_tf/base/units.py": "def kib():\n    return 1024\n",
    "sqz_tf/base/errors.py": "from converters.tflite.reader import read\nfrom sqz_tf.base.units import kib\n",
    "sqz_tf/parity/__init__.py": "",
    "sqz_tf/parity/edges.py": (
        "from typing import TYPE_CHECKING\n"
        "from sqz_tf.base import errors, units\n"
        "if TYPE_CHECKING:\n"
        "    from sqz_tf.pipeline.job import Job\n"
        "class Edge:\n"
        "    def judge(self):\n"
        "        def inner():\n"
        "            return 1\n"
        "        return inner()\n"
    ),
    "converters/__init__.py": "",
    "converters/tflite/__init__.py": "",
    "converters/tflite/reader.py": "import numpy\nasync def read():\n    return 1\n",
    "converters/c_text.py": "# long\n" * (LONG + 1),
}


def test_packages_and_the_arrows_between_them() -> None:
    found = measure(HOUSE)
    assert found.packages == {
        "converters.c_text": (1, LONG + 1),
        "converters.tflite": (2, 3),
        "sqz_tf.base": (3, 4),
        "sqz_tf.check": (1, 3),
        "sqz_tf.parity": (2, 9),
    }
    assert found.arrows == {
        ("sqz_tf.base", "converters.tflite"): 1,
        ("sqz_tf.check", "sqz_tf.base"): 1,
        ("sqz_tf.check", "sqz_tf.parity"): 1,
        ("sqz_tf.parity", "sqz_tf.base"): 2,
    }
    assert (found.upward, found.circles) == ([], [])


def test_the_longest_paths() -> None:
    found = measure(HOUSE)
    assert found.package_path == ["sqz_tf.check", "sqz_tf.parity", "sqz_tf.base", "converters.tflite"]
    errors = ["sqz_tf.base.errors", "sqz_tf.base.units"]
    assert found.module_path == ["sqz_tf.check", "sqz_tf.parity.edges", *errors]


def test_functions_and_long_modules() -> None:
    found = measure(HOUSE)
    assert found.function_lines == [2, 2, 2, 4]
    assert (found.percentile(0.5), found.percentile(0.9), found.percentile(1.0)) == (2, 4, 4)
    assert found.long_modules == {"converters/c_text.py": LONG + 1}


@pytest.mark.parametrize(
    ("path", "source", "upward"),
    [
        ("sqz_tf/base/spec.py", "def f():\n    from sqz_tf.parity.edges import Edge\n", "spec -> sqz_tf.parity.edges"),
        ("sqz_tf/parity/judge.py", "import sqz_tf.check\n", "sqz_tf.parity.judge -> sqz_tf.check"),
        ("sqz_tf/fit.py", "from sqz_tf.check import main\n", "sqz_tf.fit -> sqz_tf.check"),
        ("converters/x.py", "import sqz_tf.base.units\n", "converters.x -> sqz_tf.base.units"),
    ],
)
def test_imports_against_the_order_are_told(path: str, source: str, upward: str) -> None:
    (line,) = measure({**HOUSE, path: source}).upward
    assert line.endswith(upward)


def test_a_circle_is_one_link_of_a_path() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"d"}}
    assert components(graph) == [("d",), ("b", "c"), ("a",), ("e",)]
    assert longest_path(graph) == ["a", "b = c", "d"]
    found = measure({**HOUSE, "sqz_tf/base/spec.py": "import sqz_tf.parity.edges\n"})
    assert found.circles == [("sqz_tf.base", "sqz_tf.parity")]
    assert found.package_path == ["sqz_tf.check", "sqz_tf.base = sqz_tf.parity", "converters.tflite"]


def test_an_empty_house_has_no_figures() -> None:
    found = measure({})
    assert (found.percentile(0.5), found.package_path, found.packages) == (0, [], {})


def test_tables_in_columns_and_in_markdown() -> None:
    figures, packages, told = tables(measure(HOUSE))
    assert "lines of a function     " in plain(figures)
    assert "median 2, 90 % 4, most 4" in plain(figures)
    assert "| sqz_tf.check | 1 | 3 | sqz_tf.base 1, sqz_tf.parity 1 |" in markdown(packages).splitlines()
    assert told[1] == [(f"over {LONG} lines", f"converters/c_text.py: {LONG + 1}")]


def test_an_earlier_revision_is_read_from_git_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    flat = {
        "sqz_tf/errors.py": "",
        "sqz_tf/fit.py": "from sqz_tf.errors import SqzError\n",
        "tests/test_a.py": "x = 1\n",
    }
    for path, source in flat.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    git("init", "--quiet")
    git("add", "-A")
    git("commit", "--quiet", "-m", "flat")
    (tmp_path / "sqz_tf" / "fit.py").unlink()
    assert list(structure.at("HEAD", tmp_path)) == ["sqz_tf/errors.py", "sqz_tf/fit.py"]
    assert measure(structure.at("HEAD", tmp_path)).arrows == {("sqz_tf.fit", "sqz_tf.errors"): 1}
    assert list(structure.here(tmp_path)) == ["sqz_tf/errors.py"]
    assert not (tmp_path / "sqz_tf" / "fit.py").exists()
    assert main(["--at", "nonsense"]) == 1
    assert capsys.readouterr().err.startswith("error: git has no revision 'nonsense'")


def test_the_command_measures_this_house(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--markdown"]) == 0
    assert "| imports against the order | 0 |" in capsys.readouterr().out
