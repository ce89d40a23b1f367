"""`python -m sqz_tf.pack` and `unpack`: one file, whole or not at all; a pack is taken wherever a model is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sqz_tf import compile, evaluate, fit, pack, unpack
from sqz_tf.base.errors import OutputError
from sqz_tf.deploy.flashing import given
from sqz_tf.inference import model_file
from sqz_tf.runtime import Classifier, ModelError
from tests.helpers import echo_models, hostile
from tests.helpers.hostile_models import classifier


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in a folder to work in."""
    monkeypatch.chdir(tmp_path)
    Path("model.tflite").write_bytes(classifier("plain"))
    return Path("model.tflite")


@pytest.fixture
def packed(model: Path) -> Path:
    """Its pack, by a name that says nothing."""
    assert pack.main([str(model), "--out", "model.bin", "--quiet"]) == 0
    return Path("model.bin")


def test_a_model_is_packed_and_restored(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack.main(["model.tflite", "--out", "made/model.sqz"]) == 0
    out, err = capsys.readouterr()
    sizes = [int(part.split(" ")[1].replace(",", "")) for part in out.strip().split(", ")]
    assert sum(sizes) == Path("made/model.sqz").stat().st_size
    assert f"model.tflite: {model.stat().st_size:,} bytes, packed" in err
    assert unpack.main(["made/model.sqz", "--out", "back.tflite", "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"bytes": model.stat().st_size, "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    assert Path("back.tflite").read_bytes() == model.read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == ["back.tflite", "made", "model.tflite"]


def test_the_sections_as_json(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack.main(["model.tflite", "--out", "model.sqz", "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes"] == sum(said["sections"].values()) == Path("model.sqz").stat().st_size
    assert {"graph", "weights", "labels"} <= set(said["sections"])


def test_a_pack_is_packed_as_the_model_it_stands_for(packed: Path) -> None:
    assert pack.main([str(packed), "--out", "again.sqz", "--quiet"]) == 0
    assert Path("again.sqz").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize(
    ("there", "options", "said"),
    [
        ("pack", (), "exists; add --overwrite"),
        ("text", ("--overwrite",), "was not written by this command"),
        ("folder", ("--overwrite",), "was not written by this command"),
    ],
)
def test_nothing_of_a_person_is_replaced(
    packed: Path, there: str, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path("out.sqz")
    if there == "folder":
        out.mkdir()
    else:
        out.write_bytes(packed.read_bytes() if there == "pack" else b"my text")
    assert pack.main(["model.tflite", "--out", "out.sqz", *options]) == 1
    assert said in capsys.readouterr().err
    assert out.is_dir() or out.read_bytes() in (packed.read_bytes(), b"my text")


def test_a_pack_is_replaced_where_asked(packed: Path) -> None:
    assert pack.main(["model.tflite", "--out", str(packed), "--overwrite", "--quiet"]) == 0


def test_a_file_is_whole_or_not_there(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write new/model.sqz \(No space left on device\)"):
        pack.write_file(Path("new/model.sqz"), b"x", bool)
    assert list(Path("new").iterdir()) == []


@pytest.mark.parametrize("command", [pack, unpack])
def test_what_cannot_be_read_is_told(command: object, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("text").write_text("no model")
    for name in ("none", "text"):
        assert command.main([name, "--out", "out"]) == 1  # type: ignore[attr-defined]
        assert capsys.readouterr().err.startswith(f"error: {name} ")
    assert not Path("out").exists()


def test_a_damaged_pack_is_told_by_every_command(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(packed.read_bytes())
    data[100] ^= 1
    packed.write_bytes(data)
    for main in (compile.main, fit.main):
        assert main([str(packed), "--json"]) == 1
        assert capsys.readouterr().err.startswith("error: model.bin cannot be unpacked: the pack is damaged")
    assert unpack.main([str(packed), "--out", "out.tflite"]) == 1
    assert "its sha256 is another; copy or download it again" in capsys.readouterr().err
    with pytest.raises(ModelError, match=r"model\.bin cannot be unpacked"):
        Classifier(packed)


def test_a_pack_is_read_as_its_model(model: Path, packed: Path) -> None:
    ours, theirs = (model_file.read(path) for path in (packed, model))
    assert (ours.content, ours.labels, ours.preprocess) == (theirs.content, theirs.labels, theirs.preprocess)


def test_commands_take_a_pack(model: Path, packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures.zip").write_bytes(hostile.zip_of_pictures())
    Path("picture.png").write_bytes(echo_models.picture(1, 2, 3, 4))
    answers = []
    for path in (model, packed):
        classified = Classifier(path).classify("picture.png")
        assert fit.main([str(path), "--board", "stm32f405", "--no-tflm", "--json"]) == 0
        fits = capsys.readouterr().out
        assert compile.main([str(path), "--out", "c", "--name", "net", "--labels", "--overwrite", "--quiet"]) == 0
        compiled = {file.name: file.read_bytes() for file in Path("c").iterdir()}
        assert given(Path("c"), [Path("picture.png")], path).outputs is not None
        capsys.readouterr()
        evaluated = evaluate.main([str(path), "pictures.zip", "--quiet"]), capsys.readouterr().out
        answers.append((classified, fits, compiled, evaluated))
    assert answers[0] == answers[1]
