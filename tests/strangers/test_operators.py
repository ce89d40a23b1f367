"""An operator that lacks an input is a ValueError that names it, wherever a model is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters import compiler
from converters.compiler.front.read import READERS
from converters.tflite.operators import INPUTS
from converters.tflite.reader import read_model
from sqz_tf import compile, fit
from tests.helpers import one_operator_models as one
from tests.helpers.one_operator_models import Tensor

SOURCE, TARGET = Tensor((1, 4, 4, 2), 0.5), Tensor((1, 6, 6, 2), 0.5)
PADDING = Tensor((4, 2), None, np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
VALUE = Tensor((1,), 0.5, np.array([0], np.int8))


def padv2(*inputs: Tensor) -> bytes:
    return one._model("PADV2", schema.PadV2OptionsT(), "PadV2Options", list(inputs), TARGET)


def squeeze(*inputs: Tensor) -> bytes:
    return one._model("SQUEEZE", schema.SqueezeOptionsT(), "SqueezeOptions", list(inputs), TARGET)


LACKING = {
    "PADV2 of two inputs": padv2(SOURCE, PADDING),
    "PADV2 of one": padv2(SOURCE),
    "PADV2 of four": padv2(SOURCE, PADDING, VALUE, VALUE),
    "SQUEEZE of two": squeeze(SOURCE, VALUE),
    "RELU of none": one._model("RELU", schema.ReducerOptionsT(), "NONE", [], TARGET),
    "MEAN of one": one._model("MEAN", schema.ReducerOptionsT(), "ReducerOptions", [SOURCE], TARGET),
    "PAD of three": one._model("PAD", schema.PadOptionsT(), "PadOptions", [SOURCE, PADDING, VALUE], TARGET),
}


@pytest.mark.parametrize(("name", "data"), LACKING.items(), ids=LACKING)
def test_the_operator_is_named(name: str, data: bytes) -> None:
    for reader in (read_model, compiler.analyse):
        with pytest.raises(ValueError, match=rf"^op 0 \({name.split()[0]}\) has \d inputs"):
            reader(data)


def compiled(path: str) -> int:
    return compile.main([path, "--json", "--quiet"])


def fitted(path: str) -> int:
    return fit.main([path])


@pytest.mark.parametrize("data", LACKING.values(), ids=LACKING)
@pytest.mark.parametrize(
    "command", [lambda path: compile.main([path, "--json", "--quiet"]), lambda path: fit.main([path])]
)
def test_commands_end_in_one_line(
    command: Callable[[str], int], data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.tflite").write_bytes(data)
    assert command(str(tmp_path / "m.tflite")) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "unforeseen" not in said


def test_a_sound_padv2_is_read() -> None:
    assert [op.name for op in read_model(padv2(SOURCE, PADDING, VALUE)).ops] == ["PADV2"]


def test_every_operator_that_is_compiled_has_its_inputs_counted() -> None:
    assert set(READERS) <= set(INPUTS)
