"""Packing from the command line: what is written, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from converters import packs
from converters.tflite.reader import read_model, weight_zero_fraction
from sqz_tf import classify, pack, unpack
from sqz_tf.compress import curve, job
from sqz_tf.compress.graph import Graph, GraphError
from sqz_tf.pipeline import packing_files
from tests.helpers import echo_models
from tests.helpers.exports import digits_folder
from tests.helpers.int8_networks import Net

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def digits() -> Path:
    return digits_folder() / "digits"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take few samples and points; leave TensorFlow's threads as other tests have set them."""
    monkeypatch.setattr(job, "SAMPLES", 60)
    monkeypatch.setattr(job, "PRICES", curve.PRICES[2:4])
    monkeypatch.setattr(curve, "BISECTIONS", 5)
    monkeypatch.setattr(packing_files, "use_threads", lambda number: None)


def packed(*arguments: str | Path) -> int:
    return pack.main([str(each) for each in (*arguments, "--quiet")])


@pytest.mark.slow
def test_an_export_becomes_a_pack_that_every_command_takes(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, model = tmp_path / "a.sqz", tmp_path / "model.tflite"
    assert packed(digits, "--budget-kb", "18", "--tune-epochs", "0", "--out", out, "--json") == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert figures["bytes"] == len(out.read_bytes()) <= 18_000
    assert [point["chosen"] for point in figures["curve"]].count(True) == 1
    assert figures["curve"][0]["drop"]["n"] > 400
    assert unpack.main([str(out), "--out", str(model), "--quiet"]) == 0
    assert packs.pack(model.read_bytes()) == out.read_bytes()
    zeros = [weight_zero_fraction(read_model(each.read_bytes())) for each in (digits / "model_int8.tflite", model)]
    assert sum(zeros[1].values()) > sum(zeros[0].values())
    assert not list(tmp_path.glob("*.parts*"))
    picture = tmp_path / "one.png"
    Image.new("L", (8, 8), 90).save(picture)
    answers = []
    capsys.readouterr()
    for each in (out, model):
        assert classify.main([str(each), str(picture), "--json", "--quiet"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["images"])
    assert answers[0] == answers[1]


@pytest.mark.slow
def test_the_same_command_gives_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    found = [tmp_path / name for name in ("a.sqz", "b.sqz")]
    for out in found:
        assert packed(digits, "--budget-kb", "18", "--tune-epochs", "1", "--out", out) == 0
    assert found[0].read_bytes() == found[1].read_bytes()


def test_without_pictures_nothing_is_changed(digits: Path, tmp_path: Path) -> None:
    for model in (digits / "model_int8.tflite", digits):
        out = tmp_path / "lossless.sqz"
        assert packed(model, "--lossless", "--out", out, "--overwrite") == 0
        assert packs.unpack(out.read_bytes()) == (digits / "model_int8.tflite").read_bytes()


@pytest.mark.slow
def test_a_budget_that_nothing_keeps_to_is_an_error_and_so_is_what_loses_too_much(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.sqz"
    assert packed(digits, "--budget-kb", "3", "--tune-epochs", "0", "--out", out) == 1
    smallest = re.search("the smallest pack of this network has ([0-9,]+) bytes", capsys.readouterr().err)
    assert smallest is not None
    assert not out.exists()
    tight = ("--budget-kb", f"{int(smallest[1].replace(',', '')) * 1.02 / 1000:.2f}", "--tune-epochs", "0")
    assert packed(digits, *tight, "--out", out) == 1
    said = capsys.readouterr().err
    assert "the pack loses" in said
    assert "give a larger --budget-kb or --max-drop" in said
    assert not out.exists()
    assert packed(digits, *tight, "--max-drop", "100", "--out", out) == 0


@pytest.mark.slow
def test_an_interrupted_run_goes_on_behind_the_moments(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.sqz"

    def interrupt(self: object, price: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(curve.Curve, "rounded", interrupt)
        assert packed(digits, "--tune-epochs", "0", "--out", out) == 130
    assert not out.exists()
    assert pack.main([str(digits), "--tune-epochs", "0", "--max-drop", "2", "--out", str(out)]) == 0
    assert "moments: taken from the earlier run" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--budget-kb", "20"), ("--max-drop", "1"), ("--tune-epochs", "1")])
def test_goals_without_pictures_are_refused(
    option: tuple[str, str], digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert packed(digits / "model_int8.tflite", *option, "--out", tmp_path / "a.sqz") == 1
    assert f"{option[0]} would change weights, but nothing is rounded" in capsys.readouterr().err


@pytest.mark.slow
def test_pictures_of_a_person_pack_a_model_of_its_own(digits: Path, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(load_digits().images[:40]):
        Image.fromarray((picture * 15).astype("uint8")).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "a.sqz"
    assert packed(digits / "model_int8.tflite", "--data", folder, "--budget-kb", "20", "--out", out) == 0
    assert len(out.read_bytes()) <= 20_000


def test_few_pictures_are_refused(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "one.png")
    assert packed(digits / "model_int8.tflite", "--data", tmp_path, "--out", tmp_path / "a.sqz") == 1
    assert "there are 1 pictures to compress with" in capsys.readouterr().err


def test_a_link_is_never_written_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    (tmp_path / "m.tflite").write_bytes(net.bytes(net.softmax(net.conv(net.input(4, 4, 1), 3, (4, 4)))))
    (tmp_path / "link.sqz").symlink_to(tmp_path / "elsewhere.sqz")
    assert pack.main([str(tmp_path / "m.tflite"), "--out", str(tmp_path / "link.sqz"), "--overwrite"]) == 1
    assert f"link.sqz is a link to {tmp_path / 'elsewhere.sqz'}; give that" in capsys.readouterr().err


def test_what_is_read_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    model = net.bytes(net.softmax(net.conv(net.input(4, 4, 1), 3, (4, 4))))
    (tmp_path / "m.tflite").write_bytes(model)
    (tmp_path / "m.sqz").write_bytes(packs.pack(model))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for line in (["m.sqz", "--out", "m.sqz"], ["m.sqz", "--data", "pictures", "--out", "./m.sqz"]):
        assert packed(*[tmp_path / word if word.endswith("sqz") else word for word in line], "--overwrite") == 1
        assert "m.sqz is the file that is read; choose another --out" in capsys.readouterr().err
    given = str(tmp_path / "m.tflite")
    assert unpack.main([given, "--tflm", "--out", given, "--overwrite"]) == 1
    assert "m.tflite is the file that is read" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_is_cut_off_is_not_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    model = net.bytes(net.softmax(net.conv(net.input(4, 4, 1), 30, (4, 4))))
    (tmp_path / "m.tflite").write_bytes(model[: len(model) // 2])
    assert packed(tmp_path / "m.tflite", "--out", tmp_path / "m.sqz") == 1
    assert "m.tflite is damaged (cut off at" in capsys.readouterr().err
    assert not (tmp_path / "m.sqz").exists()


def test_a_model_without_weights_cannot_be_rounded(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"the .tflite has no layer with weights; .* pack it with --lossless"):
        Graph.read(echo_models.model())
