"""Build the firmware of a compiled model, put it on a board and tell its verdict; on a virtual board, run it in QEMU.

DIR is what `python -m sqz_tf.compile` wrote, or an export's output folder. The firmware classifies the pictures of
--image, or noise, and says the best five classes of each. With the model itself (--model; an export holds it) every
score is compared with TFLite's reference kernels.

C is a program: build that of people you trust. Board host builds the C as a program for this computer and runs it;
--virtual has QEMU run it, which answers its calls for files. Both see no file of yours where the kernel is Linux 5.13
or newer, and QEMU's sandbox starts no program; a board under a debug probe has no such walls. SECURITY.md has the rest.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqz_tf.artifact.exported import C_FOLDER, INT8
from sqz_tf.base.console import EXIT_FAILED, EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.paths import absolute
from sqz_tf.base.text import printable
from sqz_tf.deploy import firmware, flashing
from sqz_tf.deploy.boards import board, board_argument
from sqz_tf.deploy.firmware import Run
from sqz_tf.deploy.flash_steps import CASES, HOST, Job, preparation, steps
from sqz_tf.deploy.flashing import Given, given


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.flash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="a compiled model's folder, or an export's")
    parser.add_argument(
        "--board", type=_known, required=True, help="its name in the table of boards, QEMU's name for it, or host"
    )
    parser.add_argument("--port", help="the board's serial port, or the drive of its UF2 boot loader")
    parser.add_argument("--virtual", action="store_true", help="run in QEMU instead of on the board")
    parser.add_argument("--image", metavar="FILE", type=Path, action="append", default=[], help="classify this picture")
    parser.add_argument("--model", metavar="FILE", type=Path, help="the .tflite or .sqz that DIR was compiled from")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to build (default: DIR-BOARD)")
    parser.add_argument("--only-build", action="store_true", help="build the firmware and stop")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and do nothing")
    common_options(parser, json="print JSON alone", quiet="no notes")
    return parser


def _known(name: str) -> str:
    """Return the name as it was given: QEMU's own asks for QEMU."""
    if name != firmware.HOST:
        board_argument(name)
    return name


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 if all is as expected, 1 if not."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    job = _job(arguments)
    _note_other_target(job, console)
    if arguments.dry_run:
        show(f"# this command itself writes the pictures and what is expected of them to {CASES}")
        show("\n".join([*preparation(), *(printable(str(step)) for step in steps(job))]))
        return EXIT_OK
    _note_several_outputs(_compiled(arguments.folder), console)
    what = given(_compiled(arguments.folder), arguments.image, arguments.model or job.model)
    cases = firmware.cases_file(what.inputs, what.outputs)
    if arguments.only_build:
        show("\n".join(map(str, flashing.build(job, cases, console.note))))
        return EXIT_OK
    said = flashing.run(job, cases, console.note)
    if arguments.json:
        show_json(json.dumps(_result(job, what, said), indent=2))
    else:
        show(_text(job, what, said), end="")
    return EXIT_OK if said is None or said.verdict == firmware.EXIT_GOOD else EXIT_FAILED


def _job(arguments: argparse.Namespace) -> Job:
    chosen = HOST if arguments.board == firmware.HOST else board(arguments.board)
    virtual = arguments.virtual or arguments.board == chosen.qemu
    folder: Path = absolute(arguments.folder)
    out: Path = absolute(arguments.out or folder.parent / f"{folder.name}-{chosen.name}")
    firmware.header(_compiled(folder))
    if _is_export(folder):  # whose C is for any processor: compile again for this one
        return Job(chosen, out / "c", out, arguments.port, virtual, folder / INT8)
    return Job(chosen, folder, out, arguments.port, virtual)


def _note_other_target(job: Job, console: Console) -> None:
    """Say so if what was compiled is not meant for the board's processor: its answers are right, and slow."""
    if job.model or job.board is HOST:
        return
    was, best = firmware.header(job.folder).target, job.board.target
    if was not in ("", best):
        console.note(f"{job.folder} was compiled for {was}; {job.board.title} is faster with --target {best}")


def _note_several_outputs(folder: Path, console: Console) -> None:
    """Say so if there are no classes: every byte is compared all the same."""
    outputs = firmware.header(folder).outputs
    if outputs > 1:
        console.note(f"the model has {outputs} outputs; a class is told as the number of its byte among all of them")


def _is_export(folder: Path) -> bool:
    return (folder / INT8).is_file() and (folder / C_FOLDER).is_dir()


def _compiled(folder: Path) -> Path:
    """Return where the C of a folder is."""
    return folder / C_FOLDER if _is_export(folder) else folder


def _result(job: Job, what: Given, said: Run | None) -> dict[str, Any]:
    if said is None:
        return {"board": job.board.name, "verdict": None}
    cases = [{"image": name, **asdict(answer)} for name, answer in zip(what.names, said.answers, strict=False)]
    return {
        "board": job.board.name,
        "verdict": firmware.VERDICTS[said.verdict],
        "stack_bytes": said.stack_bytes,
        "cases": cases,
    }


def _text(job: Job, what: Given, said: Run | None) -> str:
    if said is None:
        return f"{job.board.title} is programmed; it says its verdict on its serial port\n"
    lines = []
    for name, answer in zip(what.names, said.answers, strict=False):
        lines.append(printable(name))
        lines += [f"{score:5} {printable(what.label(number))} ({number})" for number, score in answer.best]
        lines += {None: [], True: ["      equal to TFLite"], False: ["      not TFLite's output"]}[answer.equal]
    stack = f"{said.stack_bytes} bytes of stack used, " if said.stack_bytes else ""
    return "\n".join([*lines, f"{job.board.title}: {stack}{firmware.VERDICTS[said.verdict]}", ""])


if __name__ == "__main__":
    sys.exit(main())
