"""Updates whose result is a file, from the command line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from converters import delta, packs
from sqz_tf import update
from tests.helpers import android_packs, echo_models
from tests.helpers.needs import require


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A key, and models with and without what an app needs."""
    require(importlib.util.find_spec("cryptography"), "cryptography is not installed")
    here = Path(android_packs.write_own(tmp_path / "own"))
    (here / "bare.tflite").write_bytes(echo_models.model())
    assert run("keygen", "--out", here / "release.pem") == 0
    return here


def run(*arguments: object) -> int:
    return update.main([*map(str, arguments), "--quiet"])


def make(folder: Path, model: str, *more: object) -> int:
    given = (
        "--kind",
        "file",
        "--version",
        2,
        "--key",
        folder / "release.pem",
        "--model",
        "door",
        "--out",
        folder / "f.squ",
    )
    return run("make", folder / model, *given, *more)


@pytest.mark.parametrize("model", ["own.sqz", "own.tflite"])
def test_a_file_is_carried_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str], model: str) -> None:
    assert make(folder, model) == 0
    content, made = (folder / model).read_bytes(), (folder / "f.squ").read_bytes()
    assert made[delta.HEADER_BYTES :] == content
    assert make(folder, model, "--overwrite") == 0
    assert (folder / "f.squ").read_bytes() == made
    capsys.readouterr()
    assert run("show", folder / "f.squ", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["kind"], shown["body"], shown["model"], shown["version"]) == ("file", "full", "door", 2)
    assert (shown["network"], shown["image_bytes"]) == ("0" * 64, len(content))
    assert run("verify", folder / "f.squ", "--key", folder / "release.pem.pub") == 0
    out = folder / "again"
    assert run("apply", folder / "f.squ", "--key", folder / "release.pem.pub", "--out", out) == 0
    assert out.read_bytes() == content
    assert run("apply", folder / "f.squ", "--out", out, "--overwrite") == 0


def test_a_file_takes_the_place_of_no_other_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(folder, "own.sqz") == 0
    (folder / "x.image").write_bytes(update.MAGIC + bytes(60))
    assert run("apply", folder / "f.squ", "--out", folder / "x.image", "--overwrite") == 1
    assert "not written by this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "content", "said"),
    [
        ("bare.tflite", None, "carries no labels.txt and no preprocess.json"),
        ("none.sqz", packs.MAGIC + b"cut off", "cannot be unpacked"),
        ("notes.txt", b"a text", "expected a .tflite or .sqz"),
        ("missing.sqz", None, "cannot be read"),
    ],
)
def test_what_an_app_would_refuse_is_not_signed(
    folder: Path, capsys: pytest.CaptureFixture[str], model: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (folder / model).write_bytes(content)
    assert make(folder, model) == 1
    assert said in capsys.readouterr().err
    assert not (folder / "f.squ").exists()


@pytest.mark.parametrize(
    "option",
    [("--from", "own.sqz"), ("--board", "stm32f405"), ("--optimize", "speed"), ("--slot-kb", 9), ("--labels",)],
)
def test_what_is_about_programs_and_slots_is_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], option: tuple[object, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make(folder, "own.sqz", *[folder / str(each) if str(each).endswith(".sqz") else each for each in option])
    assert ended.value.code == 2
    assert f"leave out {option[0]}" in capsys.readouterr().err


def test_a_delta_to_a_file_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(folder, "own.sqz") == 0
    changed = bytearray((folder / "f.squ").read_bytes())
    changed[6] = 1
    (folder / "f.squ").write_bytes(changed)
    assert run("show", folder / "f.squ") == 1
    assert "a delta to a file" in capsys.readouterr().err
