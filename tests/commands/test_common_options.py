"""What all commands have in common: their options, what they print, and how they end."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from types import ModuleType

import pytest

from sqz_tf import __main__ as front_door
from sqz_tf import __version__
from sqz_tf.base.console import EXIT_FAILED, EXIT_USAGE, Console, command, common_options
from sqz_tf.base.errors import DataError

COMMON = ("--json", "--quiet", "--debug", "--version")


@pytest.fixture(params=front_door.COMMANDS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"sqz_tf.{request.param}")


@pytest.mark.parametrize("option", COMMON)
def test_every_command_has_the_common_options(module: ModuleType, option: str) -> None:
    known = {name: action for action in module.build_parser()._actions for name in action.option_strings}
    assert known[option].nargs == 0
    assert known[option].help


def test_every_command_says_the_version(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        module.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"sqz-tf {__version__}\n")


def test_every_command_ends_on_wrong_usage_alike(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        module.main(["--no-such-option"])
    assert ended.value.code == EXIT_USAGE
    assert capsys.readouterr().err.startswith("usage: python -m sqz_tf.")


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["juggle"]) == EXIT_USAGE
    assert "unknown command 'juggle'" in capsys.readouterr().err


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    common_options(parser.add_argument_group("output"))
    return parser.parse_args(arguments)


def failing(arguments: argparse.Namespace, console: Console) -> int:
    console.note("a note")
    raise DataError("it is lost")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), lambda err: err == "a note\nerror: it is lost\n"),
        (("--quiet",), lambda err: err == "error: it is lost\n"),
        (("--debug", "--quiet"), lambda err: err.startswith("Traceback") and err.endswith("error: it is lost\n")),
    ],
)
def test_the_options_do_what_they_say(
    options: tuple[str, ...], told: Callable[[str], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(parsed(*options), failing) == EXIT_FAILED
    said = capsys.readouterr()
    assert told(said.err), said.err
    assert said.out == ""


def test_a_command_without_results_has_no_json() -> None:
    parser = argparse.ArgumentParser()
    common_options(parser, json=None)
    assert "--json" not in parser.format_help()
