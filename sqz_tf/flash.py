"""Build the firmware of a compiled model, put it on a board and tell its verdict; on a virtual board, run it in QEMU.

DIR is what `python -m sqz_tf.compile` wrote, or an export's output folder. The firmware classifies the pictures of
--image, or noise, and says the best five classes of each. With the model itself (--model; an export holds it) every
score is compared with TFLite's reference kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf import _cli, _serial, firmware, images, interpreters
from sqz_tf._flash_steps import HOST, UF2_DRIVE, Job, Step, steps
from sqz_tf.boards import board, board_argument
from sqz_tf.errors import ConfigError
from sqz_tf.firmware import FirmwareError, Run
from sqz_tf.runtime import Classifier

REPORT = r"^model .*?^verdict \d+$"  # what the firmware says from its beginning to its end
SECONDS = 120.0  # to wait for that on a serial port
UF2_PLACES = ("/media/*/*", "/run/media/*/*", "/Volumes/*", "/mnt/*")
UF2_MARK = "INFO_UF2.TXT"
EXPORTED_MODEL, EXPORTED_C = "model_int8.tflite", "c"  # in an export's output folder


def run(job: Job, cases: bytes, note: Callable[[str], None], seconds: float = SECONDS) -> Run | None:
    """Carry the steps out.

    Args:
      cases: what the firmware classifies, from `firmware.cases_file`.
      note: told each command before it runs.
      seconds: to wait for a verdict on a serial port.

    Returns:
      What the firmware said, or None where it cannot be heard from here.

    Raises:
      FirmwareError: a tool is missing or failed, the board is not there, or the firmware stopped half-way.
    """
    plan = steps(job)
    _check_tools(plan, job)
    job.out.mkdir(parents=True, exist_ok=True)
    job.cases.write_bytes(cases)
    said = None
    for step in plan:
        note(str(step))
        if step.argv[0] == "cp":
            _copy_to_drive(step)
        else:
            said = _carried_out(step, job)
    if job.hears:
        assert job.port
        return firmware.parse_report(_serial.hear(job.port, REPORT, seconds))
    return said


def _check_tools(plan: Sequence[Step], job: Job) -> None:
    for tool in dict.fromkeys(step.argv[0] for step in plan if step.argv[0] not in ("cp", str(job.program))):
        firmware.need(tool)
        if tool == "make":
            firmware.need(firmware.compiler(job.board.name))
        if tool == "cmake" and "PICO_SDK_PATH" not in os.environ:
            raise FirmwareError("PICO_SDK_PATH is not set", fix="install the Pico SDK and say where it is")


def _carried_out(step: Step, job: Job) -> Run | None:
    environment = {**os.environ, **step.environment}
    try:
        done = subprocess.run(
            step.argv,
            cwd=step.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            errors="replace",
            timeout=firmware.SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise FirmwareError(f"{step.argv[0]} did not end within {firmware.SECONDS:.0f} seconds") from error
    if step.tells and (firmware.is_report(done.stdout) or done.returncode == firmware.EXIT_FAULT):
        return firmware.parse(done.returncode, done.stdout)
    if done.returncode or step.tells:
        builds = step.argv[0] in ("make", "cmake", "idf.py", "arm-none-eabi-objcopy", sys.executable)
        reason = firmware.reason(done.stderr + done.stdout) if builds else _complaint(done.stderr, done.stdout)
        virtual = job.tool in ("qemu", firmware.HOST)
        fix = "" if builds or virtual else f"is {job.board.title} plugged in and ready to be programmed?"
        raise FirmwareError(f"{step.argv[0]} ended with code {done.returncode}: {reason}", fix=fix)
    return None


def _complaint(errors: str, text: str) -> str:
    """Return the line in which a programming tool says what is wrong."""
    lines = [line.strip() for line in (errors.strip() or text).splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return re.sub(r"^Error: ", "", (telling[:1] or lines[-1:] or ["it said nothing"])[0])


def _copy_to_drive(step: Step) -> None:
    _, file, drive = step.argv
    place = uf2_drive() if drive == UF2_DRIVE else Path(drive)
    if not (place / UF2_MARK).is_file():
        raise FirmwareError(f"{place} is no drive of a UF2 boot loader", expected=f"a folder with {UF2_MARK}")
    try:
        shutil.copy(file, place)
    except OSError as error:
        raise FirmwareError(f"{file} cannot be copied to {place}: {error.strerror}") from error


def uf2_drive(places: Sequence[str] = UF2_PLACES) -> Path:
    """Return the one drive a UF2 boot loader shows.

    Raises:
      FirmwareError: there is none, or more than one.
    """
    found = sorted(path.parent for place in places for path in Path("/").glob(f"{place[1:]}/{UF2_MARK}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise FirmwareError(
            f"there are {len(found)} UF2 drives", fix=f"choose one with --port: {', '.join(map(str, found))}"
        )
    raise FirmwareError(
        "no drive of a UF2 boot loader is mounted",
        fix="plug the board in with BOOTSEL held down, or name the drive with --port",
    )


# What is classified -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What the firmware is given: inputs [N, H, W, C] int8, what is expected of them, their names, the labels."""

    inputs: np.ndarray
    outputs: np.ndarray | None
    names: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def label(self, number: int) -> str:
        """Return the name of a class."""
        return self.labels[number] if self.labels else "class"


def given(folder: Path, pictures: Sequence[Path], model: Path | None) -> Given:
    """Return what to classify.

    Args:
      folder: of the compiled model.
      pictures: image files; without any, one picture of noise.
      model: the `.tflite` the folder was compiled from; pictures need it, for it says how to prepare them.

    Raises:
      SqzError: the folder holds no compiled model, the model is another one, or a picture cannot be read.
    """
    header = firmware.header(folder)
    if model is None:
        if pictures:
            raise ConfigError("--image needs --model", fix="give the .tflite that DIR was compiled from")
        return Given(noise(header.input_shape), None, ("noise",))
    try:
        content = model.read_bytes()
    except OSError as error:
        raise ConfigError(f"{model} cannot be read: {error.strerror}") from error
    header.check_made_from(content, model)
    names: tuple[str, ...] = ("noise",)
    labels: tuple[str, ...] = ()
    inputs = noise(header.input_shape)
    if pictures:
        classifier = Classifier(model)
        inputs = images.to_int8(np.stack([classifier.pixels(picture) for picture in pictures]))
        names, labels = tuple(map(str, pictures)), classifier.labels
    asked = inputs.reshape(-1, *firmware.input_dimensions(content))
    return Given(inputs, interpreters.run(content, asked, "litert-ref").outputs, names, labels)


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """Return one input [1, H, W, C] of random int8, always the same."""
    return np.random.default_rng(0).integers(-128, 128, (1, *shape)).astype(np.int8)


# The command line ---------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m sqz_tf.flash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="a compiled model's folder, or an export's")
    parser.add_argument(
        "--board", type=_known, required=True, help="its name in the table of boards, QEMU's name for it, or host"
    )
    parser.add_argument("--port", help="the board's serial port, or the drive of its UF2 boot loader")
    parser.add_argument("--virtual", action="store_true", help="run in QEMU instead of on the board")
    parser.add_argument("--image", metavar="FILE", type=Path, action="append", default=[], help="classify this picture")
    parser.add_argument("--model", metavar="FILE", type=Path, help="the .tflite that DIR was compiled from")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to build (default: DIR-BOARD)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and do nothing")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _known(name: str) -> str:
    """Return the name as it was given: QEMU's own asks for QEMU."""
    if name != firmware.HOST:
        board_argument(name)
    return name


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 if all is as expected, 1 if not."""
    arguments = build_parser().parse_args(argv)
    return _cli.run(lambda: _work(arguments), arguments.debug)


def _work(arguments: argparse.Namespace) -> int:
    job = _job(arguments)
    console = _cli.Console(quiet=arguments.json)
    _note_other_target(job, console)
    if arguments.dry_run:
        print(f"# this command itself writes the pictures and what is expected of them to {job.cases}")
        print("\n".join(map(str, steps(job))))
        return _cli.EXIT_OK
    what = given(_compiled(arguments.folder), arguments.image, arguments.model or job.model)
    said = run(job, firmware.cases_file(what.inputs, what.outputs), console.note)
    if arguments.json:
        print(json.dumps(_result(job, what, said), indent=2))
    else:
        print(_text(job, what, said), end="")
    return _cli.EXIT_OK if said is None or said.verdict == firmware.EXIT_GOOD else _cli.EXIT_FAILED


def _job(arguments: argparse.Namespace) -> Job:
    chosen = HOST if arguments.board == firmware.HOST else board(arguments.board)
    virtual = arguments.virtual or arguments.board == chosen.qemu
    folder: Path = arguments.folder.resolve()
    out: Path = (arguments.out or folder.with_name(f"{folder.name}-{chosen.name}")).resolve()
    firmware.header(_compiled(folder))
    if _is_export(folder):  # whose C is for any processor: compile again for this one
        return Job(chosen, out / "c", out, arguments.port, virtual, folder / EXPORTED_MODEL)
    return Job(chosen, folder, out, arguments.port, virtual)


def _note_other_target(job: Job, console: _cli.Console) -> None:
    """Say so if what was compiled is not meant for the board's processor: its answers are right, and slow."""
    if job.model or job.board is HOST:
        return
    was, best = firmware.header(job.folder).target, job.board.target
    if was not in ("", best):
        console.note(f"{job.folder} was compiled for {was}; {job.board.title} is faster with --target {best}")


def _is_export(folder: Path) -> bool:
    return (folder / EXPORTED_MODEL).is_file() and (folder / EXPORTED_C).is_dir()


def _compiled(folder: Path) -> Path:
    """Return where the C of a folder is."""
    return folder / EXPORTED_C if _is_export(folder) else folder


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
        lines.append(name)
        lines += [f"{score:5} {what.label(number)} ({number})" for number, score in answer.best]
        lines += {None: [], True: ["      equal to TFLite"], False: ["      not TFLite's output"]}[answer.equal]
    stack = f"{said.stack_bytes} bytes of stack used, " if said.stack_bytes else ""
    return "\n".join([*lines, f"{job.board.title}: {stack}{firmware.VERDICTS[said.verdict]}", ""])


if __name__ == "__main__":
    sys.exit(main())
