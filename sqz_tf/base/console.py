"""What every command line shares: notes and progress on stderr, results on stdout, errors as one line."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn, TextIO

from sqz_tf import __version__
from sqz_tf.base import streams
from sqz_tf.base.errors import Note, SqzError, first_line
from sqz_tf.base.spec import DataConfig
from sqz_tf.base.text import printable, printable_json, printable_lines

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a file that is open already
MOST = 1_000_000_000  # of anything counted on a command line
MOST_THREADS = 1024
PLAIN_SECONDS = 10.0  # between two progress lines where there is no terminal
REPORT = "run it again with --debug and report what that prints to the maintainers, see SECURITY.md"


class Parser(argparse.ArgumentParser):
    """A command line's parser, which refuses what no argument can be and says so without obeying escape codes."""

    given: Sequence[str] = ()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def,override]
        """Parse as argparse does; an argument that is empty, or no path could hold, is wrong usage."""
        streams.make_safe()
        args = self.given = sys.argv[1:] if args is None else list(args)
        for before, text in zip([self.prog, *args], args, strict=False):
            if fault := _argument_fault(text):
                self.error(f"argument {text!r:.60} after {before} {fault}")
        return super().parse_known_args(args, namespace)

    def print_help(self, file: Any = None) -> None:
        """Print the help."""
        if file is not None:
            super().print_help(file)
        elif code := shown(self.format_help()):
            sys.exit(code)

    def error(self, message: str) -> NoReturn:
        """End as wrong usage does; of a file whose name begins like an option, say how it is given."""
        file = next((text for text in self.given if text.startswith("-") and os.path.lexists(text)), "")
        fix = f"; if {file} is a file, write ./{file}" if file else ""
        self.exit(EXIT_USAGE, f"{self.format_usage()}{self.prog}: error: {message}{fix}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End with a message."""
        say_lines(message or "")
        sys.exit(status)


def _argument_fault(text: str) -> str:
    if not text or (text.startswith("--") and text.endswith("=")):
        return "is empty: expected a value"
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return "is no text: expected Unicode without halves of surrogate pairs"
    return "holds a NUL: expected none" if "\0" in text else ""


class Console:
    """Notes and progress on stderr: one moving line on a terminal, plain lines otherwise, nothing if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.terminal = _is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        self._moving = False
        self._last = 0.0
        self._label = ""

    def note(self, line: str) -> None:
        """Print one line."""
        if not self.quiet:
            self._end_moving_line()
            say(line)

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
            say(text)
            return
        bar = "━" * round(24 * share)
        _write_note(f"\r\x1b[2K{bar:<24} {printable(text)}" + ("\n" if finished else ""))
        self._moving = not finished

    def _end_moving_line(self) -> None:
        if self._moving:
            _write_note("\n")
            self._moving = False


class _Version(argparse.Action):
    """Print the version and end, as argparse's own does, where that can be printed."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        sys.exit(shown(f"sqz-tf {__version__}\n"))


def say(line: str, error: bool = False) -> None:
    """Print one line on stderr, whatever is in it; see `printable`."""
    _write_note(f"{_red('error:')} {printable(line)}\n" if error else f"{printable(line)}\n")


def show(text: str, end: str = "\n") -> None:
    """Print lines of text on stdout, with what a terminal would obey escaped."""
    print(printable_lines(text), end=end, flush=True)


def shown(text: str) -> int:
    """Print lines of text that end with a line feed on stdout; return the exit code."""

    def work() -> int:
        show(text, end="")
        return EXIT_OK

    return run(work)


def show_json(text: str) -> None:
    """Print a JSON text on stdout, escaped as JSON does where a terminal would obey it or cannot show it."""
    print(printable_json(text, getattr(sys.stdout, "encoding", None)))


def say_lines(text: str) -> None:
    """Print lines of text on stderr; see `printable`."""
    _write_note(printable_lines(text))


def _write_note(text: str) -> None:
    """Write on stderr; where that fails, no note is worth the end of a long job."""
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # ValueError: it has been closed
        streams.swallow(sys.stderr)


def common_options(
    parser: argparse._ActionsContainer,
    json: str | None = "print JSON instead of the table",
    quiet: str = "no notes and no progress",
    version: bool = True,
) -> None:
    """Give a command line the options that all have: --json, --quiet, --debug and --version.

    Args:
      parser: a parser, or a group of one.
      json: what --json does; None for a command that prints no results.
      quiet: what --quiet does.
      version: whether --version is this program's, and not the command's own.
    """
    if json:
        parser.add_argument("--json", action="store_true", help=json)
    parser.add_argument("--quiet", action="store_true", help=quiet)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    if version:
        parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")


def reading_options(group: argparse._ActionsContainer) -> None:
    """Give a command line the options that say how a folder or `.zip` of pictures is to be read."""
    group.add_argument(
        "--splits",
        default="",
        metavar="WHICH",
        help="of the folders on top: none if they are the classes, or train=FOLDER,validation=FOLDER,test=FOLDER "
        "(default: told by their names)",
    )
    group.add_argument(
        "--zip-encoding",
        default="",
        metavar="NAME",
        help="of names in a .zip that does not say it: cp932, gb18030 or another (default: guessed, with a warning)",
    )


def fraction_options(group: argparse._ActionsContainer) -> None:
    """Give a command line the shares of the pictures that are held out; 0 where they are not given."""
    for split, usual in (("test", "0.25"), ("validation", "0.15")):
        group.add_argument(
            f"--{split}-fraction",
            type=_fraction,
            default=0.0,
            metavar="SHARE",
            help=f"of the pictures, where none are given for it (default: {usual}, or 0.1 from 10,000 pictures)",
        )


def data_config(arguments: argparse.Namespace, source: str, **more: Any) -> DataConfig:
    """Return what `reading_options` and `fraction_options` say of a source, and more fields of it."""
    names = ("splits", "zip_encoding", "test_fraction", "validation_fraction")
    return DataConfig(source=source, **{name: getattr(arguments, name) for name in names}, **more)


def _fraction(text: str) -> float:
    """Read a command line's share of the pictures; other limits are those of `DataConfig`."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; expected such as 0.2") from None
    if value == 0:
        raise argparse.ArgumentTypeError("0 would hold out nothing: expected more, or leave it out for the default")
    return value


def metaparameter_options(group: argparse._ActionsContainer) -> None:
    """Give a command line the paper's metaparameters of Fire modules; None where they are not given."""
    group.add_argument("--base-e", type=int, metavar="N", help="expand filters of the first modules (default: 128)")
    group.add_argument("--incr-e", type=int, metavar="N", help="more of them after each --freq modules (default: 128)")
    group.add_argument("--freq", type=int, metavar="N", help="Fire modules with the same filters (default: 2)")
    group.add_argument(
        "--squeeze-ratio", type=float, metavar="R", help="squeeze filters for one expand filter (default: 0.125)"
    )
    group.add_argument("--pct-3x3", type=float, metavar="P", help="of the expand filters, 0 to 1 (default: 0.5)")


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
    console = Console(arguments.quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("once", Note)
        warnings.showwarning = _noting(console, warnings.showwarning)
        return run(lambda: work(arguments, console), arguments.debug, interrupted, arguments.quiet)


def _noting(console: Console, usual: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a warning: a note of ours as a note, any other as usual."""

    def shows(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, Note):
            console.note(f"note: {message}")
        else:
            usual(message, category, *place, **more)

    return shows


def run(main: Callable[[], int], debug: bool = False, interrupted: str = "interrupted", quiet: bool = False) -> int:
    """Run a command's work; any failure, foreseen or not, becomes one line on stderr and exit code 1.

    Args:
      interrupted: what to say after Ctrl-C.
      quiet: say no notes, not even before an error.
    """
    streams.make_safe()
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = main()
        sys.stdout.flush()  # while a full disk can still be told
        return code
    except KeyboardInterrupt:
        say(interrupted)
        return EXIT_INTERRUPTED
    except Exception as error:
        _report(error, debug, quiet)
        return EXIT_FAILED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _report(error: Exception, debug: bool, quiet: bool) -> None:
    if debug:
        say_lines(traceback.format_exc())
    for note in () if quiet else getattr(error, "notes", ()):
        say(f"note: {note}")
    if line := _told(error):
        say(line, error=True)
    for each in error.lines if isinstance(error, SqzError) else ():
        say(f"    {each}")


def _told(error: Exception) -> str:
    """Return what is to be said of a failure; nothing of a reader who has left."""
    if isinstance(error, SqzError):
        return str(error)
    if isinstance(error, OSError) and not error.filename and error.errno in UNWRITABLE:
        streams.swallow(sys.stdout)
        return "" if isinstance(error, BrokenPipeError) else f"the output cannot be written ({error.strerror})"
    if isinstance(error, OSError) and error.filename:
        return f"{_name(error.filename)} cannot be used ({error.strerror or error})"
    if isinstance(error, OSError) and error.strerror:
        return f"the system refuses: {error.strerror}"  # no folder for temporary files, no further process
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "the system refuses: no further thread can be started"
    if isinstance(error, MemoryError):
        return f"there is too little memory ({first_line(error)})"
    return f"unforeseen {type(error).__name__}: {first_line(error)[:300]}; {REPORT}"


def _name(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave like Ctrl-C does, so that work is put away."""
    raise KeyboardInterrupt


def _is_terminal(stream: TextIO | None) -> bool:
    return bool(getattr(stream, "isatty", bool)())


def _red(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or not _is_terminal(sys.stderr)
    return text if plain else f"\x1b[31m{text}\x1b[0m"


def kilobytes(text: str) -> int:
    """Return KB as bytes, as the `type` of an argument."""
    try:
        size = round(float(text) * 1024)
    except (ValueError, OverflowError):
        size = 0
    if size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of KB; expected such as 128")
    return size


def positive(text: str, most: int = MOST) -> int:
    """Read a command line's integer from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: expected at least 1")
    if value > most:
        raise argparse.ArgumentTypeError(f"{value} is too large: expected at most {most}")
    return value


def thread_count(text: str) -> int:
    """Read a command line's number of threads: more than a machine has harm every program on it."""
    return positive(text, MOST_THREADS)
