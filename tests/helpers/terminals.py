"""Commands before every kind of terminal: one process imports them all and forks once for each case.

Run as a program: it reads cases from standard input, and a child ends as the interpreter does, so that what is said and
returned at its very end counts, too.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.helpers.needs import ROOT

ENCODINGS = ("ascii", "latin-1", "cp1251", "cp437", "utf-8")
SINKS = ("file", "broken", "closed", "full", "no stderr", "full stderr", "nothing open")

Case = tuple[str, str, str]
"""A command of the table, an encoding, a sink."""
Ended = tuple[int, str, str]
"""The exit code, and what stood on stdout and stderr."""


def run(
    lines: Mapping[str, Sequence[str]], cases: Sequence[Case], here: Path, whole: bool = False
) -> dict[Case, Ended]:
    """Run cases, each a line of a table (module and arguments) before a terminal, in the folder `here`.

    Args:
      whole: whether each ends as the interpreter does, with all that is in memory cleared.
    """
    asked = json.dumps({"lines": {name: list(line) for name, line in lines.items()}, "cases": cases})
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.terminals", str(here), *(["--whole"] if whole else [])],
        input=asked.encode(),
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    return {tuple(case): tuple(ended) for case, ended in json.loads(done.stdout)}


def _main(here: str, whole: bool) -> None:
    asked = json.load(sys.stdin)
    commands = {name: (importlib.import_module(line[0]).main, line[1:]) for name, line in asked["lines"].items()}
    os.chdir(here)
    results = []
    for number, (name, encoding, sink) in enumerate(asked["cases"]):
        files = [f"{number}.out", f"{number}.err"]
        if not (child := os.fork()):
            main, arguments = commands[name]
            _stand_before(encoding, sink, files)
            sys.argv = [name, *arguments]
            if whole:
                sys.exit(main(arguments))
            _end(main, arguments)
        _, status = os.waitpid(child, 0)
        said = [Path(file).read_bytes().decode("utf-8" if encoding == "utf-8" else "latin-1") for file in files]
        results.append(((name, encoding, sink), (os.waitstatus_to_exitcode(status), *said)))
    json.dump(results, sys.stdout)


def _end(main: Callable[[list[str]], int], arguments: list[str]) -> None:
    """Run a command and end as the interpreter does, but leave what is in memory, which takes long to clear."""
    code: object = None
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        code = 120
    os._exit(code if isinstance(code, int) else 1)


def _stand_before(encoding: str, sink: str, files: list[str]) -> None:
    """Give this process the standard streams of a case."""
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    _OPEN[sink]()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        raw = os.fdopen(number, "wb" if number else "rb", closefd=False) if _is_open(number) else None
        setattr(sys, name, raw and io.TextIOWrapper(raw, encoding=encoding))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _break(number: int) -> None:
    reading, writing = os.pipe()
    os.dup2(writing, number)
    os.close(reading)
    os.close(writing)


def _fill(number: int) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), number)


_OPEN: dict[str, Callable[[], object]] = {
    "file": lambda: None,
    "broken": lambda: _break(1),
    "closed": lambda: os.close(1),
    "full": lambda: _fill(1),
    "no stderr": lambda: os.close(2),
    "full stderr": lambda: _fill(2),
    "nothing open": lambda: [os.close(number) for number in range(3)],
}


if __name__ == "__main__":
    _main(sys.argv[1], "--whole" in sys.argv)
