"""`python -m sqz_tf.classify`: a table or JSON on stdout, everything else on stderr, the exit code is the verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sqz_tf import classify
from sqz_tf.base import streams
from tests.helpers.echo_models import described, model, picture
from tests.helpers.needs import ROOT


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder to work in: a model of four classes, two pictures and a file that is none."""
    monkeypatch.chdir(tmp_path)
    Path("model.tflite").write_bytes(described(model()))
    Path("a.png").write_bytes(picture(0, 128, 64, 0))
    Path("b.png").write_bytes(picture(0, 0, 0, 255))
    Path("bad.png").write_bytes(b"this is no picture")
    return tmp_path


def test_the_table_names_each_picture_and_its_best_classes(files, capsys):
    assert classify.main(["model.tflite", "a.png", "b.png", "--top", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "a.png",
        "   50.0%  ██████████            green (1)",
        "   25.0%  █████                 blue (2)",
        "b.png",
        "   99.6%  ███████████████████▉  crane (3)",
        "    0.0%                        red (0)",
    ]
    assert err == "model.tflite: 4 classes, 4×1×1 int8, run by ai-edge-litert\n"


def test_json_is_alone_on_stdout(files, capsys):
    assert classify.main(["model.tflite", "a.png", "--json", "--top", "2"]) == 0
    out, _ = capsys.readouterr()
    assert json.loads(out) == {
        "model": "model.tflite",
        "runtime": "ai-edge-litert",
        "images": [
            {
                "image": "a.png",
                "top": [
                    {"index": 1, "label": "green", "probability": 0.5},
                    {"index": 2, "label": "blue", "probability": 0.25},
                ],
            }
        ],
    }


def test_json_has_the_wnids_that_are_known(files, capsys):
    Path("model.tflite").write_bytes(described(model(), wnids=["n1", "n2", "n3", "n4"]))
    classify.main(["model.tflite", "b.png", "--json", "--quiet", "--top", "1"])
    out, err = capsys.readouterr()
    assert json.loads(out)["images"][0]["top"][0]["wnid"] == "n4"
    assert err == ""


def test_five_classes_are_shown_by_default(files, capsys):
    Path("model.tflite").write_bytes(described(model(shape=(1, 2, 4, 1)), list("abcdefgh"), _spec(4, 2)))
    classify.main(["model.tflite", "a.png"])
    assert len(capsys.readouterr().out.splitlines()) == 1 + 5


def _spec(width: int, height: int):
    from sqz_tf.base.spec import PreprocessSpec

    return PreprocessSpec(width, height, channels=1, fit="warp")


def test_a_bad_picture_does_not_stop_the_others(files, capsys):
    assert classify.main(["model.tflite", "bad.png", "missing.png", "b.png", "--top", "1", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "b.png"
    assert len(out.splitlines()) == 2
    first, second = err.splitlines()
    assert first.startswith("error: bad.png cannot be decoded")
    assert second.startswith("error: missing.png cannot be read")


def test_json_tells_of_a_bad_picture_in_its_place(files, capsys):
    assert classify.main(["model.tflite", "a.png", "bad.png", "b.png", "--json"]) == 1
    results = json.loads(capsys.readouterr().out)["images"]
    assert [result["image"] for result in results] == ["a.png", "bad.png", "b.png"]
    assert ["error" in result for result in results] == [False, True, False]
    assert "top" not in results[1]


@pytest.mark.parametrize("name", ["missing.tflite", "bad.png"])
def test_a_bad_model_is_one_line_and_exit_code_1(name, files, capsys):
    assert classify.main([name, "a.png", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.tflite"], "IMG"),
        (["model.tflite", "a.png", "--top", "0"], "0 is too small: expected at least 1"),
        (["model.tflite", "a.png", "--threads", "-1"], "-1 is too small"),
        (["model.tflite", "a.png", "--top", "many"], "many"),
        (["model.tflite", "a.png", "--colour"], "--colour"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, message, files, capsys):
    with pytest.raises(SystemExit) as ended:
        classify.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_threads_give_the_same_answers(files, capsys):
    answers = []
    for threads in ("1", "2"):
        assert classify.main(["model.tflite", "a.png", "--threads", threads, "--json"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_bars_have_eighths_and_a_plain_form():
    assert classify.bar(0) == " " * 20
    assert classify.bar(1) == classify.bar(1.7) == "█" * 20
    assert classify.bar(0.5 + 3 / 160) == "█" * 10 + "▍" + " " * 9
    assert classify.bar(-0.2) == " " * 20
    streams.make_safe()
    for eighths, shown in ((3, b" "), (4, b"#")):
        assert classify.bar(0.5 + eighths / 160).encode("ascii", streams.HANDLER) == b"#" * 10 + shown + b" " * 9


def test_a_terminal_without_unicode_gets_a_table_all_the_same(files):
    Path("model.tflite").write_bytes(described(model(), ("rot", "grün", "blå", "鶴")))
    command = [sys.executable, "-m", "sqz_tf.classify", "model.tflite", "a.png", "b.png"]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"##########" in done.stdout
    assert b"gr\\xfcn (1)" in done.stdout


def test_help_loads_neither_numpy_nor_a_runtime():
    code = (
        "import sys; from sqz_tf import classify; classify.build_parser().format_help();"
        "print(*sorted({'numpy', 'PIL', 'ai_edge_litert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
