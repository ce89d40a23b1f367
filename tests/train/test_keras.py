"""The one place that chooses Keras."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from sqz_tf.train import keras as chosen
from tests.helpers.needs import ROOT


def test_keras_3_is_imported_by_nothing_here_and_can_be_afterwards() -> None:
    code = (
        "import sys, sqz_tf.train.keras as chosen; print('keras' in sys.modules, chosen.keras.__version__);"
        "import keras; print(keras.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    before, after = done.stdout.splitlines()
    assert before.startswith("False 2.")
    assert after.startswith("3.")


def test_a_keras_3_that_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ModuleType("keras")
    monkeypatch.setitem(sys.modules, "keras", there)
    with chosen._without_keras_3():
        assert sys.modules["keras"] is there
    assert sys.modules["keras"] is there


def test_keras_3_is_importable_again_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    with pytest.raises(ImportError, match="keras"), chosen._without_keras_3():
        import keras  # noqa: F401
    assert "keras" not in sys.modules
