"""Documents tell the truth about commands, links, modules and files, and both READMEs know the same commands."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path

import pytest

from sqz_tf.__main__ import COMMANDS
from tests.helpers import documents as docs
from tests.helpers.needs import ROOT

DOCUMENTS = docs.documents()
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")


def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@lru_cache
def flags_of(command: str) -> frozenset[str]:
    """Return the flags that a command's `--help` tells of."""
    parser = importlib.import_module(f"sqz_tf.{command}").build_parser()
    return frozenset(docs.FLAG.findall(parser.format_help()))


def wrong_commands(text: str) -> list[str]:
    """Return what a text tells a reader to type that is no command, or a flag its command does not know."""
    wrong = []
    for line in docs.commands(text):
        for module in docs.MODULE.findall(line):
            package, _, command = module.partition(".")
            if package == "sqz_tf" and not docs.PLACEHOLDER.search(command):
                wrong += _wrong(command, line)
    return wrong


def _wrong(command: str, line: str) -> list[str]:
    if command not in COMMANDS:
        return [command]
    return [f"{command} {flag}" for flag in docs.FLAG.findall(line) if flag not in flags_of(command)]


def other_commands(english: str, other: str) -> list[tuple[str, str]]:
    """Return the commands in which two READMEs differ."""
    ours, theirs = ([*docs.fenced_commands(text), *docs.table_commands(text)] for text in (english, other))
    longest = max(len(ours), len(theirs))
    pairs = zip(ours + [""] * (longest - len(ours)), theirs + [""] * (longest - len(theirs)), strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


def test_both_readmes_have_the_same_commands() -> None:
    assert other_commands(ENGLISH, KOREAN) == []


def test_a_difference_between_the_readmes_is_found() -> None:
    assert other_commands(ENGLISH, KOREAN.replace("| `fit` |", "| `fits` |")) == [("`fit`", "`fits`")]
    assert other_commands(ENGLISH, KOREAN.replace("make test   #", "make check  #")) == [("make test", "make check")]
    assert other_commands(ENGLISH, KOREAN.replace("--split test", "--split val")) != []


def test_the_readme_tells_of_every_command() -> None:
    told = [cell.strip("`") for cell in docs.table_commands(ENGLISH)[::2]]
    assert [name for name in told if not name.startswith("make ")] == list(COMMANDS)


def test_two_commands_do_all_set_up() -> None:
    assert docs.fenced_commands(ENGLISH) == ["make demo", "make test"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    assert docs.broken_links(path, read(path)) == []


def test_a_broken_link_is_found() -> None:
    text = "[a](architecture.md) [b](none.md) [c](https://example.org/none.md) [d](adr) `[e](code.md)`"
    assert docs.broken_links(Path("docs/x.md"), text) == ["none.md"]
    assert docs.broken_links(Path("README.md"), "[a](#start) [b](docs/mcu.md#packages) [c](docs/mcu.md#none)") == [
        "docs/mcu.md#none"
    ]


@pytest.mark.parametrize("path", [*DOCUMENTS, Path("sqz_tf/report/templates/model_card.md.j2")], ids=str)
def test_commands_and_their_flags_are_real(path: Path) -> None:
    assert wrong_commands(read(path)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`python -m sqz_tf.export --data x --scheme\nristretto --faster`", ["export --faster"]),
        ("```sh\npython -m sqz_tf.flash d \\\n  --board b --baud 9600  # --not-this\n```\n", ["flash --baud"]),
        ("see `python -m sqz_tf.prune --help`", ["prune"]),
        ("`python -m sqz_tf.COMMAND --anything` `python -m sqz_tf.fit m.tflite --all`", []),
    ],
)
def test_a_wrong_command_or_flag_is_found(text: str, wrong: list[str]) -> None:
    assert wrong_commands(text) == wrong


@pytest.mark.parametrize("path", [*DOCUMENTS, *docs.sources()], ids=str)
def test_modules_and_files_that_are_named_exist(path: Path) -> None:
    text = docs.said(path, read(path))
    assert docs.missing_names(text) == []
    assert docs.missing_paths(text) == []


def test_documents_and_sources_are_looked_at() -> None:
    assert {Path("README.ko.md"), Path("docs/formats/tflm.md"), Path("mcu/tflm/README.md")} <= set(DOCUMENTS)
    assert {Path("Makefile"), Path("mcu/src/sqz_image.h"), Path("sqz_tf/base/spec.py")} <= set(docs.sources())
    assert "python -m sqz_tf.export --data photos/ --out build/photos" in docs.commands(ENGLISH)


def test_a_missing_module_is_found() -> None:
    text = '"""Of sqz_tf.images.resize."""\n# sqz_tf.images.scale\nx = "sqz_tf.none"\n"""converters.c_array.x"""\n'
    assert docs.missing_names(docs.said(Path("x.py"), text)) == ["converters.c_array.x", "sqz_tf.images.scale"]
    assert docs.missing_names("`sqz_tf.quantize.trimming.trim`, `sqz_tf.quantize.trimming.cut`, `sqz_tf.COMMAND`") == [
        "sqz_tf.quantize.trimming.cut"
    ]


def test_a_missing_file_is_found() -> None:
    text = "docs/adr/0006, docs/artifact-format.md, tests/house/test_docs.py, mcu/boards/NAME.mk, tests/test_none.py"
    assert docs.missing_paths(text) == ["docs/artifact-format.md", "tests/test_none.py"]
