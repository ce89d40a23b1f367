"""What every command line shares: notes and progress on stderr, results on stdout, errors as one line."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from sqz_tf import __version__
from sqz_tf.base.errors import SqzError

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a file that is open already
PLAIN_SECONDS = 10.0  # between two progress lines where there is no terminal


class Console:
    """Notes and progress on stderr: one moving line on a terminal, plain lines otherwise, nothing if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._moving = False
        self._last = 0.0
        self._label = ""

    def note(self, line: str) -> None:
        """Print one line."""
        if not self.quiet:
            self._end_moving_line()
            print(line, file=sys.stderr, flush=True)

    def step(self, label: str, done: int, total: int, extra: str = "") -> None:
        """Show how far a long job is."""
        if self.quiet or not total:
            return
        new = label != self._label
        now = time.monotonic()
        finished = done >= total
        interval = 0.1 if self.terminal else PLAIN_SECONDS
        if not (new or finished) and now - self._last < interval:
            return
        self._label, self._last = ("" if finished else label), now
        self._show(f"{label:<12} {done}/{total} {extra}".rstrip(), done / total, finished)

    def _show(self, text: str, share: float, finished: bool) -> None:
        if not self.terminal:
            print(text, file=sys.stderr, flush=True)
            return
        bar = "━" * round(24 * share)
        print(f"\r\x1b[2K{bar:<24} {text}", end="\n" if finished else "", file=sys.stderr, flush=True)
        self._moving = not finished

    def _end_moving_line(self) -> None:
        if self._moving:
            print(file=sys.stderr)
            self._moving = False


def common_options(
    parser: argparse._ActionsContainer,
    json: str | None = "print JSON instead of the table",
    quiet: str = "no notes and no progress",
) -> None:
    """Give a command line the options that all have: --json, --quiet, --debug and --version.

    Args:
      parser: a parser, or a group of one.
      json: what --json does; None for a command that prints no results.
      quiet: what --quiet does.
    """
    if json:
        parser.add_argument("--json", action="store_true", help=json)
    parser.add_argument("--quiet", action="store_true", help=quiet)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.add_argument("--version", action="version", version=f"sqz-tf {__version__}")


def command(
    arguments: argparse.Namespace,
    work: Callable[[argparse.Namespace, Console], int],
    interrupted: str = "interrupted",
) -> int:
    """Do a command's work as its common options say; return its exit code. See `run`.

    Args:
      arguments: as parsed, with the options of `common_options`.
      work: does it, and returns the exit code.
    """
    return run(lambda: work(arguments, Console(arguments.quiet)), arguments.debug, interrupted)


def run(main: Callable[[], int], debug: bool = False, interrupted: str = "interrupted") -> int:
    """Run a command's work; a known failure becomes one line on stderr and exit code 1.

    Args:
      interrupted: what to say after Ctrl-C.
    """
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = main()
        if sys.stdout:
            sys.stdout.flush()  # while a full disk can still be told
        return code
    except SqzError as error:
        if debug:
            traceback.print_exc()
        print(f"{_red('error:')} {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its end
        if not isinstance(error, BrokenPipeError):
            print(f"{_red('error:')} the output cannot be written ({error.strerror})", file=sys.stderr)
        return EXIT_FAILED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave like Ctrl-C does, so that work is put away."""
    raise KeyboardInterrupt


def _red(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or not sys.stderr.isatty()
    return text if plain else f"\x1b[31m{text}\x1b[0m"


def positive(text: str) -> int:
    """Read a command line's integer from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: expected at least 1")
    return value
