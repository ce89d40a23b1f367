"""The command line with names from strangers: paths, failures and names shown end in plain lines."""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sqz_tf import __main__ as front_door
from sqz_tf import classify, compile, evaluate, export, flash, fpga, pack, unpack, web
from sqz_tf.base import console, streams
from sqz_tf.base.console import Console, Parser, command, common_options, positive, say, show, show_json
from sqz_tf.base.errors import DataError
from sqz_tf.base.text import printable, printable_json, printable_lines, readable
from tests.helpers.echo_models import described, model, picture
from tests.helpers.needs import ROOT

ESCAPES = {
    "a colour": "\x1b[31mred",
    "a title": "\x1b]0;owned\x07",
    "C1": "\x9b2J",
    "a bell": "\x07",
    "a return": "ok\rerror",
    "a line feed": "a\nerror: forged",
    "an override": "\u202egnp.exe",
    "an isolate": "\u2066a\u2069",
    "a mark": "\u200fa",
    "a separator": "a\u2028b",
    "DEL": "a\x7fb",
    "another encoding": "a\udcffb",
}
NEVER = set(
    "\0\x07\x08\x0b\x0c\r\x1b\x7f\x85\x9b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
# What stands before and after the path of each command, and an option that takes one.
PATHS: dict[str, tuple[list[str], str | None]] = {
    "export": (["--data"], "--out"),
    "explore": (["--sweep", "width=0.1", "--board", "hifive1-revb", "--data"], "--out"),
    "classify": (["m.tflite"], None),
    "evaluate": (["m.tflite"], None),
    "check": ([], "--data"),
    "bench": ([], None),
    "compare": (["--data"], "--out"),
    "pack": ([], "--out"),
    "unpack": ([], "--out"),
    "compile": ([], "--out"),
    "web": ([], "--out"),
    "fpga": ([], "--out"),
    "update": (["show"], None),
    "fit": ([], None),
    "flash": (["--board", "host"], "--out"),
}


@pytest.fixture(params=front_door.COMMANDS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"sqz_tf.{request.param}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.tflite").write_bytes(described(model()))
    Path("a.png").write_bytes(picture(0, 128, 64, 0))
    Path("loop").symlink_to("loop")
    return tmp_path


def commands(module: ModuleType, path: str) -> list[list[str]]:
    before, _ = PATHS[module.__name__.split(".")[-1]]
    lines = [[*before, path], [*before, f"{path}/x"]]
    if module in (pack, unpack, compile, web, fpga):
        return [[*line, "--out", "c" if module in (compile, fpga) else "m.tflite"] for line in lines]
    return lines


# Paths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("", "is empty"),
        ("a\0b", "holds a NUL"),
        ("a\ud800", "is no text"),
        ("\0", "holds a NUL"),
        ("\udbff/x", "no text"),
    ],
)
def test_what_is_no_path_is_wrong_usage(
    path: str, fault: str, module: ModuleType, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, option = PATHS[module.__name__.split(".")[-1]]
    for arguments in ([*before, path], [*before, "m.tflite", *([option, path] if option else [path])]):
        with pytest.raises(SystemExit) as ended:
            module.main(arguments)
        said = capsys.readouterr().err
        assert ended.value.code == 2
        assert fault in said.splitlines()[-1]
        assert not NEVER & set(said)


def test_an_option_without_its_value_is_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        compile.main(["m.tflite", "--out="])
    assert ended.value.code == 2
    assert "is empty" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["loop", "loop/../loop", "missing", ".", "/dev/null", "m.tflite", "a" * 300])
def test_a_path_that_leads_nowhere_is_one_line(
    path: str, module: ModuleType, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in commands(module, path):
        code = module.main([*arguments, "--quiet"])
        said = capsys.readouterr().err
        assert code == 1
        assert "unforeseen" not in said, (arguments, said)
        assert [line.startswith("error: ") for line in said.splitlines()] == [True], (arguments, said)


@pytest.mark.parametrize("out", ["/", "//", "/..", "loop", "loop/x", "m.tflite", "m.tflite/x", "a" * 300])
@pytest.mark.parametrize(
    "main", [export.main, pack.main, compile.main, flash.main], ids=["export", "pack", "compile", "flash"]
)
def test_an_output_that_cannot_be_is_one_line(
    main: Callable[[list[str]], int], out: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"export": ["--data", "digits"], "pack": ["m.tflite"], "compile": ["m.tflite"]}
    first["flash"] = ["c", "--board", "host"]
    Path("c").mkdir()
    code = main([*first[main.__module__.split(".")[-1]], "--out", out, "--quiet"])
    said = capsys.readouterr().err
    assert code == 1
    assert "unforeseen" not in said, said
    assert len(said.splitlines()) == 1


def test_an_export_of_names_that_no_manifest_can_hold_is_refused_at_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--data", "a\udcff"], ["--out", "\udc80"], ["--weights", "w\udcfe"]):
        assert export.main(arguments) == 1
        assert "is not UTF-8; expected names that the manifest can hold" in capsys.readouterr().err


def test_numbers_of_arguments_have_an_end(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("9" * 5_000, "1000000001", "-9" * 30):
        with pytest.raises(SystemExit) as ended:
            classify.main(["m.tflite", "a.png", "--top", number])
        assert ended.value.code == 2
        capsys.readouterr()
    assert positive("1000000000") == 10**9


@pytest.mark.parametrize("label", ["9" * 5_000, "٣" * 4_400, "0" * 5_000, "1" * 10])
def test_a_label_of_thousands_of_digits_is_a_text(label: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p/images").mkdir(parents=True)
    Path("p/images/a.png").write_bytes(picture(0, 128, 64, 0))
    Path("p/labels.csv").write_text(f"file,label\na.png,{label}\n", encoding="utf-8")
    code = evaluate.main(["m.tflite", "p", "--quiet"])
    said = capsys.readouterr().err
    assert (code, len(said.splitlines())) == (1, 1)
    assert "unforeseen" not in said


# The catch-all -----------------------------------------------------------------------------------------------


def parsed(*arguments: str) -> object:
    parser = Parser()
    common_options(parser)
    return parser.parse_args(arguments)


def recursing() -> None:
    recursing()


def raising(error: BaseException) -> Callable[..., int]:
    def work(arguments: object, console: Console) -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("odd\nand more"), "unforeseen ValueError: odd; run it again with --debug"),
        (KeyError("a"), "unforeseen KeyError: 'a';"),
        (MemoryError(), "there is too little memory (MemoryError)"),
        (RecursionError("deep"), "unforeseen RecursionError: deep;"),
        (AssertionError(), "unforeseen AssertionError"),
        (UnicodeEncodeError("ascii", "ä", 0, 1, "no"), "unforeseen UnicodeEncodeError"),
        (ValueError("\x1b[2J" + "x" * 1_000), "unforeseen ValueError: \\x1b[2Jxxx"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a\x1bb"), "a\\x1bb cannot be used (No such file)"),
        (OSError(errno.ENOSPC, "No space"), "the output cannot be written (No space)"),
        (DataError("lost\x1b[31m\n"), "lost\\x1b[31m\\n"),
    ],
)
def test_whatever_is_raised_becomes_one_line(
    error: BaseException, told: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "swallow", lambda stream: None)
    assert command(parsed(), raising(error)) == 1  # type: ignore[arg-type]
    said = capfd.readouterr().err
    assert said.startswith(f"error: {told}")
    assert said.count("\n") == 1
    assert len(said) < 500


def test_the_traceback_is_there_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(parsed("--debug"), lambda arguments, console: recursing() or 0) == 1  # type: ignore[arg-type,func-returns-value]
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("error: unforeseen RecursionError: maximum recursion depth")


def test_where_to_report_is_a_file_of_the_repository_or_named_there() -> None:
    assert "SECURITY.md" in console.REPORT


@pytest.mark.parametrize("name", front_door.COMMANDS)
def test_every_commands_work_is_caught(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"sqz_tf.{name}")
    monkeypatch.setattr(module, "_work", lambda *arguments: recursing())
    first: dict[str, list[str]] = {"export": [], "compare": [], "flash": ["c", "--board", "host"]}
    first |= {"classify": ["m", "a"], "evaluate": ["m", "a"]}
    first["explore"] = ["--classes", "2", "--sweep", "width"]
    last = {key: ["m", "--out", "c"] for key in ("pack", "unpack", "compile", "web", "fpga")} | {
        "update": ["show", "m"]
    }
    assert module.main(first.get(name, last.get(name, ["m"]))) == 1
    assert capsys.readouterr().err.startswith("error: unforeseen RecursionError")


# What is shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES)
def test_nothing_a_terminal_obeys_is_shown(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    notes = Console()
    for sink in (notes.note, lambda text: notes.step(text, 1, 2, text), say, lambda text: say(text, error=True)):
        sink(text)  # type: ignore[operator]
    said = capsys.readouterr()
    assert not NEVER & set(said.err)
    assert said.err.count("\n") == 4
    show(text)
    show_json(json.dumps([text], ensure_ascii=False))
    said = capsys.readouterr()
    assert not NEVER & set(said.out)
    assert json.loads(said.out[said.out.index("[") :] if "\x1b" not in text else said.out.splitlines()[-1]) == [text]


def test_what_is_plain_stays_as_it_is() -> None:
    plain = "grün 鶴 👩\u200d🔬 a\\b\u00a0c"
    assert printable(plain) == printable_lines(plain) == printable_json(plain) == readable(plain) == plain
    assert printable("\x1b\t\u202e") == "\\x1b\\t\\u202e"
    assert printable_lines("a\nb\r") == "a\nb\\r"
    assert readable("a\udcff.png") == "a�.png"


@pytest.mark.parametrize(
    "label", [text for name, text in ESCAPES.items() if name not in ("a line feed", "another encoding")]
)
def test_labels_are_shown_without_their_escapes(label: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.tflite").write_bytes(described(model(), (label, "b", "c", "d")))
    Path("a.png").write_bytes(picture(255, 0, 0, 0))
    for options in ([], ["--json"]):
        classify.main(["m.tflite", "a.png", *options])
        said = capsys.readouterr()
        assert not NEVER & set(said.out + said.err)


@pytest.mark.parametrize("name", ESCAPES.values(), ids=ESCAPES)
def test_file_names_are_shown_without_their_escapes(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{name}.png").write_bytes(Path("a.png").read_bytes())
    Path(f"bad{name}").write_bytes(b"no picture")
    assert classify.main(["m.tflite", f"{name}.png", f"bad{name}"]) == 1
    said = capsys.readouterr()
    assert not NEVER & set(said.out + said.err)
    assert len(said.err.splitlines()) == 2  # the note, the error
    assert len(said.out.splitlines()) == 5
    assert evaluate.main(["m.tflite", name]) == 1
    said = capsys.readouterr()
    assert not NEVER & set(said.err)
    with pytest.raises(SystemExit):
        classify.main(["m.tflite", "a.png", f"-{name.replace(' ', '')}"])
    assert not NEVER & set(capsys.readouterr().err)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_says_the_same_in_every_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"ä": "鶴 👩 ü", "b": [*ESCAPES.values()]}
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    streams.make_safe()
    show_json(json.dumps(values, ensure_ascii=False, indent=1))
    show("鶴 ü", end="")
    sys.stdout.flush()
    written = raw.getvalue().decode(encoding)
    text = written[: written.rindex("}") + 1]
    assert json.loads(text) == values
    assert not NEVER & set(text)


def run(*arguments: str, redirect: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-m", "sqz_tf", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", **environment}
    shell = ["sh", "-c", f'"$@" {redirect}', "sh", *line]
    return subprocess.run(shell, capture_output=True, env=variables, check=False)


def test_streams_that_are_closed_or_narrow_are_no_failure(here: Path) -> None:
    assert run("classify", "m.tflite", "a.png", redirect=">&-").returncode == 0
    done = run("classify", "m.tflite", "bad.png", redirect="2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    done = run("classify", "m.tflite", "a.png", redirect="| head -c 0")
    assert b"Traceback" not in done.stderr
    for arguments in (["--help"], ["export", "--help"], ["fit", "--help"], ["grün"]):
        done = run(*arguments, PYTHONIOENCODING="ascii")
        assert b"Traceback" not in done.stderr, done.stderr


def test_a_file_called_like_an_option_gets_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-m.tflite").write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        classify.main(["-m.tflite", "a.png"])
    assert ended.value.code == 2
    assert "required: IMG; if -m.tflite is a file, write ./-m.tflite\n" in capfd.readouterr().err
