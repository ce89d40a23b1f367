"""Every command before every kind of terminal: what cannot be shown is shown otherwise, and exit codes stay right."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import cycle, product
from pathlib import Path

import pytest

from sqz_tf.__main__ import COMMANDS
from sqz_tf.artifact.exported import FLOAT, INT8
from tests.helpers import terminals
from tests.helpers.echo_models import described, model, picture
from tests.helpers.exports import BYPASSED, refused_folder
from tests.helpers.int8_networks import Net
from tests.helpers.needs import require
from tests.helpers.terminals import ENCODINGS, SINKS, Case, Ended

MISSING = {
    "classify": ["öde×", "a.png"],
    "compare": ["--data", "öde×"],
    "evaluate": ["öde×", "data"],
    "explore": ["--sweep", "width", "--data", "öde×"],
    "export": ["--data", "öde×"],
    "flash": ["öde×", "--board", "host"],
    **{name: ["öde×", "--out", "鶴×"] for name in ("pack", "unpack", "compile", "web", "fpga")},
    "update": ["show", "öde×"],
}
LINES = {
    "the front door": ["sqz_tf.__main__", "--help"],
    "its version": ["sqz_tf.__main__", "--version"],
    "no command": ["sqz_tf.__main__", "grün×"],
    **{f"{name} --help": [f"sqz_tf.{name}", "--help"] for name in COMMANDS},
    **{f"{name} --version": [f"sqz_tf.{name}", "--version"] for name in COMMANDS},
    **{f"{name} --grün×": [f"sqz_tf.{name}", "--grün×"] for name in COMMANDS},
    **{f"{name} of nothing": [f"sqz_tf.{name}", *MISSING.get(name, ["öde×"])] for name in COMMANDS},
}
"""What is over at once."""
WORK = {
    "compile": ["sqz_tf.compile", "net.tflite", "--out", "größe×", "--overwrite"],
    "compile --dump": ["sqz_tf.compile", "net.tflite", "--dump"],
    "fit": ["sqz_tf.fit", "net.tflite", "--no-tflm", "--board", "stm32f405"],
    "fit --json": ["sqz_tf.fit", "net.tflite", "--no-tflm", "--board", "stm32f405", "--json"],
    "pack": ["sqz_tf.pack", "net.tflite", "--out", "鶴×.sqz", "--overwrite"],
    "flash --dry-run": ["sqz_tf.flash", "größe", "--board", "host", "--dry-run", "--out", "鶴×"],
}
"""What works a moment."""
LONGER = {
    "classify": ["sqz_tf.classify", "m.tflite", "größe.png"],
    "classify --json": ["sqz_tf.classify", "m.tflite", "größe.png", "--json"],
    "evaluate": ["sqz_tf.evaluate", "m.tflite", "data"],
    "evaluate --json": ["sqz_tf.evaluate", "m.tflite", "data", "--json"],
    "bench": ["sqz_tf.bench", "both", "--runs", "1", "--threads", "1"],
    "android": ["android_demo.tools.__main__", "--help"],
    "unpack": ["sqz_tf.unpack", "größe.sqz", "--out", "鶴×.tflite", "--overwrite"],
    "flash": ["sqz_tf.flash", "größe", "--board", "host", "--out", "größe×"],
}
SLOWEST = {"export --dry-run": ["sqz_tf.export", "--data", "many", "--out", "größe×", "--dry-run"]}
IN_TURN = list(zip(cycle(ENCODINGS[:-1]), SINKS, strict=False))
"""Every sink, each before another encoding than the one before it."""
FAULTS = ("Traceback", "Exception ignored", "unforeseen", "UnicodeEncodeError")


def code(name: str, sink: str) -> int:
    """Return the exit code that a line must end with: one whose results cannot be written has failed."""
    if "grün×" in name or name == "no command":
        return 2
    return int("nothing" in name or sink in ("broken", "full"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of names, labels and pictures that many a terminal cannot show."""
    require(Path("/dev/full").exists(), "there is no /dev/full")
    folder = tmp_path_factory.mktemp("terminals")
    (folder / "m.tflite").write_bytes(described(model(), ("grün", "鶴 ×", "–", "d")))
    (folder / "größe.png").write_bytes(picture(0, 128, 64, 0))
    for name, pixels in {"grün": (255, 0, 0, 0), "鶴 ×": (0, 255, 0, 0)}.items():
        (folder / "data" / name).mkdir(parents=True)
        (folder / "data" / name / "1.png").write_bytes(picture(*pixels))
    (folder / "both").mkdir()
    for name in (FLOAT, INT8):
        (folder / "both" / name).write_bytes(described(model()))
    net = Net()
    (folder / "net.tflite").write_bytes(net.bytes(net.softmax(net.conv(net.input(8, 8, 3), 4, (8, 8)))))
    made = {
        "c": ["sqz_tf.compile", "net.tflite", "--out", "größe"],
        "sqz": ["sqz_tf.pack", "net.tflite", "--out", "größe.sqz"],
    }
    ended = terminals.run(made, [(name, "utf-8", "file") for name in made], folder)
    assert all(done[0] == 0 for done in ended.values()), ended
    return folder


def assert_calm(ended: dict[Case, Ended]) -> None:
    faults = {
        case: done
        for case, done in ended.items()
        if done[0] != code(case[0], case[2]) or any(fault in text for fault in FAULTS for text in done[1:])
    }
    assert not faults


def test_what_is_quick_ends_as_it_should(here: Path) -> None:
    lines = {**LINES, **WORK}
    in_turn = zip(lines, cycle(product(ENCODINGS[:-1], SINKS)), strict=False)  # the slow test has all of them
    shown = [(name, encoding, "file") for name in ("fit", "fit of nothing") for encoding in ("ascii", "utf-8")]
    ended = terminals.run(lines, [*shown, *((line, *terminal) for line, terminal in in_turn)], here)
    assert_calm(ended)
    assert "\\xf6dex" in ended["fit of nothing", "ascii", "file"][2]
    assert "8 × 8 × 3 input" in ended["fit", "utf-8", "file"][1]
    assert "8 x 8 x 3 input" in ended["fit", "ascii", "file"][1]


def some(lines: Iterable[str]) -> list[Case]:
    """Return the cases of lines that take long: every encoding, every sink, not every pair of them."""
    return [*product(lines, ENCODINGS, SINKS[:1]), *product(lines, ENCODINGS[:1], SINKS[1:])]


@pytest.mark.slow
def test_every_quick_line_before_every_terminal(here: Path) -> None:
    lines = {**LINES, **WORK}
    ended = terminals.run(lines, list(product(lines, ENCODINGS, SINKS)), here)
    assert len(ended) == len(lines) * len(ENCODINGS) * len(SINKS)
    assert_calm(ended)


@pytest.mark.slow
def test_every_other_line_before_every_terminal(here: Path) -> None:
    assert_calm(terminals.run(LONGER, some(LONGER), here))


@pytest.mark.slow
def test_the_interpreter_s_own_end_says_nothing(here: Path) -> None:
    lines = {**LINES, **WORK}
    in_turn = zip(lines, cycle(product(ENCODINGS[:-1], SINKS)), strict=False)
    assert_calm(terminals.run(lines, [(line, *terminal) for line, terminal in in_turn], here, whole=True))


@pytest.mark.slow
@pytest.mark.training
def test_what_an_export_would_do_before_every_terminal(here: Path) -> None:
    for name in ("grün", "鶴 ×"):
        (here / "many" / name).mkdir(parents=True)
        for shade in range(12):
            (here / "many" / name / f"{shade}.png").write_bytes(picture(shade, 128, 64, len(name)))
    ended = terminals.run(SLOWEST, [(name, *each) for name in SLOWEST for each in IN_TURN], here, whole=True)
    assert_calm(ended)
    assert "gr\\xfcn, \\u9db4 x" in ended["export --dry-run", "ascii", "file"][1]


@pytest.mark.slow
@pytest.mark.training
def test_a_whole_export_before_every_terminal(here: Path) -> None:
    refused, lines = refused_folder(), {}
    for number, _ in enumerate(IN_TURN):  # each goes on from the stages of one that has trained, and publishes
        shutil.copytree(refused / "photos.work", here / f"größe×{number}.work")
        pictures = ["--data", str(refused / "pictures" / "photos"), "--out", f"größe×{number}"]
        lines[str(number)] = ["sqz_tf.export", *pictures, *(word for word in BYPASSED if word != "--quiet")]
    ended = terminals.run(lines, [(str(number), *each) for number, each in enumerate(IN_TURN)], here, whole=True)
    assert_calm(ended)
    assert all((here / f"größe×{name}" / "manifest.json").is_file() for name in lines)
