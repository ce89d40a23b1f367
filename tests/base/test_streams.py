"""Standard streams of every kind that a terminal, a shell or a program gives a command."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from sqz_tf.__main__ import main
from sqz_tf.base import streams
from sqz_tf.base.console import Console, show, show_json, shown
from tests.helpers.needs import ROOT


class Gone(io.StringIO):
    """A reader that has left, as a program may pass one on: it has no number."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class Bare:
    """A stream that can do nothing but be written to."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Do nothing."""


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [Gone, closed, Bare, io.StringIO, lambda: None])
def test_notes_and_results_outlive_any_stream(make: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    for which in ("stdout", "stderr"):
        monkeypatch.setattr(sys, which, make())
    try:
        use(int(make is Gone))
    finally:
        if isinstance(sys.stdout, io.TextIOWrapper):  # made in place of what is closed
            sys.stdout.close()
            sys.stderr.close()


def use(failed: int) -> None:
    assert main(["--version"]) == failed
    console = Console()
    console.note("a note ×")
    console.step("work", 1, 1)
    if not failed:
        show("grün ×")
        show_json('{"a": "grün ×"}')
    assert shown("text\n") == failed


def test_a_stream_without_a_number_is_left_alone() -> None:
    for stream in (io.StringIO(), closed(), Bare()):
        streams.swallow(stream)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "encoding"),
    [
        ("utf8=0", ""),
        ("utf8=1", ""),
        ("utf8=1", "ascii:strict"),
        ("utf8=0", "utf-8:surrogateescape"),
        *(("utf8=0", name) for name in ("utf-16", "utf-7", "cp037", "cp932:strict")),
    ],
)
def test_every_encoding_that_python_is_told_shows_an_error(mode: str, encoding: str) -> None:
    line = [sys.executable, "-X", mode, "-m", "sqz_tf", "größe×鶴"]
    setting = {"PYTHONIOENCODING": encoding} if encoding else {"LC_ALL": "C"}
    done = subprocess.run(line, capture_output=True, check=False, cwd=ROOT, env={**os.environ, **setting})
    said = done.stderr.decode(encoding.partition(":")[0] or "utf-8")
    assert done.returncode == 2
    assert "unknown command 'gr" in said
    assert "Traceback" not in said
