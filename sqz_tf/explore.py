"""The paper's design space on one's own pictures: `python -m sqz_tf.explore --data D --sweep squeeze-ratio`.

For each point what it takes, told without training, and how well it learns; the front of those that no other beats.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf.base.console import (
    EXIT_OK,
    Console,
    Parser,
    command,
    common_options,
    data_config,
    fraction_options,
    kilobytes,
    metaparameter_options,
    positive,
    reading_options,
    show,
    show_json,
)
from sqz_tf.base.paths import absolute
from sqz_tf.base.spec import ARCHS, BYPASSES, METAPARAMETERS, THREADS
from sqz_tf.base.text import printable, printable_lines
from sqz_tf.deploy.boards import board_argument, boards

if TYPE_CHECKING:
    from sqz_tf.trials.request import Request

EXAMPLES = """\
examples:
  python -m sqz_tf.explore --data digits --sweep squeeze-ratio --sweep pct-3x3      the paper's figure 3
  python -m sqz_tf.explore --data photos/ --sweep bypass --epochs 30                its table 3
  python -m sqz_tf.explore --data photos/ --sweep width=0.2,0.3,0.4 --board nucleo-f411re --max-flash 300
  python -m sqz_tf.explore --data photos/ --trials 50 --max-ram 64                  search all of it
  python -m sqz_tf.explore --data photos/ --trials 50 --storage postgresql://me@host/studies    with other machines
  python -m sqz_tf.explore --classes 1000 --arch squeezenet-1.0 --input-size 227 --sweep squeeze-ratio
                                                       sizes alone, nothing is trained
"""
INTERRUPTED = "interrupted; run the same command again to go on from here"
DEFAULT_BOARD = "stm32f405"
DEFAULT_TRIALS = 32
NETWORK = ("arch", "width", "input_size", "channels", "bypass", *METAPARAMETERS)


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.explore",
        description="Explore SqueezeNet's design space on pictures: what each network takes of a board and how well "
        "it learns. Several processes or machines may share one exploration. Exit code 0: done, 1: failed, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_points(parser.add_argument_group("points"))
    _add_board(parser.add_argument_group("board"))
    _add_network(parser.add_argument_group("the network that points differ from"))
    _add_training(parser.add_argument_group("training"))
    group = parser.add_argument_group("output")
    group.add_argument("--out", type=Path, metavar="FOLDER", help="default: build/explore-NAME OF THE DATA")
    group.add_argument(
        "--storage",
        metavar="URL",
        help="a database that processes share: sqlite:////shared/study.db, postgresql://user@host/name "
        "(default: SQLite in FOLDER)",
    )
    common_options(group, json="print explore.json instead of the table")
    return parser


def _add_points(group: Any) -> None:
    group.add_argument("--data", metavar="SOURCE", help="pictures, as for sqz_tf.export")
    reading_options(group)
    fraction_options(group)
    group.add_argument("--classes", type=positive, metavar="N", help="instead of --data: only measure such networks")
    group.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME[=V,V]",
        help="squeeze-ratio, pct-3x3, bypass, arch, width, input-size, base-e, incr-e or freq, with the values given "
        "or the paper's; may be given for several",
    )
    group.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help=f"without --sweep: points to search among all (default: {DEFAULT_TRIALS})",
    )


def _add_board(group: Any) -> None:
    group.add_argument(
        "--board",
        type=board_argument,
        metavar="B",
        help=f"whose RAM and flash are told, and are the limits (default: {DEFAULT_BOARD}, without limits); one of "
        f"{', '.join(boards())}",
    )
    group.add_argument("--max-ram", type=kilobytes, metavar="KB", help="of 1024 bytes, that a network may take")
    group.add_argument("--max-flash", type=kilobytes, metavar="KB", help="of 1024 bytes, that a network may take")


def _add_network(group: Any) -> None:
    group.add_argument("--arch", choices=ARCHS, help="default: squeezenet-1.1")
    group.add_argument("--width", type=float, help="multiplies every layer's filters (default: by data)")
    group.add_argument("--input-size", type=int, metavar="PX", help="side of the network's input (default: by data)")
    group.add_argument("--channels", type=int, choices=(1, 3), help="1 grey, 3 RGB (default: by data)")
    group.add_argument("--bypass", choices=BYPASSES, help="default: none")
    metaparameter_options(group)


def _add_training(group: Any) -> None:
    group.add_argument(
        "--epochs", type=int, metavar="N", help="of each point; 0 only measures (default: by number of pictures)"
    )
    group.add_argument("--learning-rate", type=float, metavar="RATE", help="peak of the schedule (default: 0.01)")
    group.add_argument("--seed", type=int, default=1, help="default: 1")
    group.add_argument("--threads", type=positive, default=THREADS, metavar="N", help="default: %(default)s")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if (arguments.data is None) == (arguments.classes is None):
        parser.error("expected --data SOURCE, or --classes N to measure without pictures")
    if arguments.sweep and arguments.trials:
        parser.error("--trials searches among all points: leave it or --sweep out")
    if not arguments.sweep and (arguments.classes or arguments.epochs == 0):
        parser.error("expected --sweep: a search needs training")
    idle = _idle(arguments)
    if idle:
        parser.error(f"{', '.join(idle)}: nothing is trained, so leave it out")
    return command(arguments, _work, INTERRUPTED)


def _idle(arguments: argparse.Namespace) -> list[str]:
    """Return the options that have no effect where points are only measured."""
    names = []
    if arguments.classes:
        names += ["splits", "zip_encoding", "epochs"]
    if arguments.classes or arguments.epochs == 0:
        names += ["test_fraction", "validation_fraction", "learning_rate", "storage"]
    return [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name) not in (None, "", 0)]


def _work(arguments: argparse.Namespace, console: Console) -> int:
    from sqz_tf.trials.request import prepare
    from sqz_tf.trials.results import record, summary

    exploration = prepare(_request(arguments), console)
    result = exploration.run()
    if arguments.json:
        show_json(json.dumps(record(result), indent=1, ensure_ascii=False))
        return EXIT_OK
    show(printable_lines(summary(result)))
    show(printable(f"page: {exploration.folder / 'explore.html'}"))
    return EXIT_OK


def _request(arguments: argparse.Namespace) -> Request:
    from sqz_tf.trials.request import Request

    name = Path((arguments.data or f"{arguments.classes}-classes").split(":")[-1]).stem
    network = {name: value for name in NETWORK if (value := getattr(arguments, name)) is not None}
    return Request(
        data=arguments.data,
        pictures=data_config(arguments, arguments.data or ""),
        classes=arguments.classes,
        sweeps=tuple(arguments.sweep),
        trials=arguments.trials or DEFAULT_TRIALS,
        board=arguments.board or boards()[DEFAULT_BOARD],
        ram=_limit(arguments, "ram"),
        flash=_limit(arguments, "flash"),
        network=network,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        threads=arguments.threads,
        folder=absolute(arguments.out or Path("build") / f"explore-{name}"),
        storage=arguments.storage,
    )


def _limit(arguments: argparse.Namespace, kind: str) -> int | None:
    """Return the most bytes of RAM or flash: what was asked for, or what a board that was named has."""
    asked: int | None = getattr(arguments, f"max_{kind}")
    if asked is None and arguments.board:
        found: int = getattr(arguments.board, f"{kind}_bytes")
        return found
    return asked


if __name__ == "__main__":
    sys.exit(main())
