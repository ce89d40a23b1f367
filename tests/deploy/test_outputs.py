"""A model of several outputs: flash compares all of their bytes, fit has TFLite Micro's figures, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converters import compiler
from sqz_tf import fit, flash
from tests.helpers.int8_networks import Net


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Return a model with two outputs, whose C is in the folder `c` beside it."""
    net = Net(1)
    x = net.conv(net.input(8, 8, 3), 6, stride=(2, 2))
    path = tmp_path / "two.tflite"
    path.write_bytes(net.bytes(net.dense(net.mean(x), 5), net.conv(x, 3, (1, 1))))
    (tmp_path / "c").mkdir()
    for name, text in compiler.compile_model(path.read_bytes(), "two").items():
        (tmp_path / "c" / name).write_text(text, encoding="utf-8")
    return path


def test_flash_compares_the_bytes_of_all_outputs(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [str(two.parent / "c"), "--board", "host", "--json", "--model", str(two)]
    assert flash.main(command) == 0
    told = capsys.readouterr()
    (case,) = json.loads(told.out)["cases"]
    assert case["equal"] is True
    assert "the model has 2 outputs; a class is told as the number of its byte among all of them" in told.err


def test_fit_knows_what_both_ways_take(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit.main([str(two), "--board", "stm32f405", "--json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert board["fits"]
    assert board["tflm"]["ram"]["arena"] > 0
