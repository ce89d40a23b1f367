"""Carry out the steps that put firmware on a board, and hear what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.pixels import to_int8
from sqz_tf.deploy import firmware, received
from sqz_tf.deploy.firmware import FirmwareError, Run
from sqz_tf.deploy.flash_steps import PLACE, UF2_DRIVE, Copies, Job, Step, steps
from sqz_tf.deploy.serial import hear
from sqz_tf.inference import interpreters
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.model_file import contents

REPORT = r"^model .*?^verdict \d+$"  # what the firmware says from its beginning to its end


HOUSE = Path(__file__).resolve().parents[2]  # the folder of the packages


SECONDS = 120.0  # to wait for that on a serial port


UF2_PLACES = ("/media/*/*", "/run/media/*/*", "/Volumes/*", "/mnt/*")


CONFINED = ("qemu", firmware.HOST)  # what runs on this computer


UF2_MARK = "INFO_UF2.TXT"


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
    if job.tool in CONFINED and not firmware.confinable():
        note("the firmware will not be kept from your files: this system has no Landlock (SECURITY.md)")
    with firmware.private(cases) as place:
        said = _carry_out(plan, job, place, note)
    if job.hears:
        assert job.port
        return firmware.parse_report(hear(job.port, REPORT, seconds))
    return said


def build(job: Job, cases: bytes, note: Callable[[str], None]) -> list[Path]:
    """Carry out the steps until the firmware is built; return where it is. See `run`.

    Raises:
      SqzError: a tool is missing or failed.
    """
    plan = steps(job)
    last = max(i for i, step in enumerate(plan) if step.copies is Copies.PROGRAM)
    plan = plan[: last + 1]
    _check_tools(plan, job)
    with firmware.private(cases) as place:
        _carry_out(plan, job, place, note)
    return [job.out / Path(step.argv[1]).name for step in plan if step.copies is Copies.PROGRAM]


def _check_tools(plan: Sequence[Step], job: Job) -> None:
    for tool in dict.fromkeys(step.argv[0] for step in plan if step.copies is None):
        if not tool.startswith("./"):
            firmware.need(tool)
        if tool == "make":
            firmware.need(firmware.compiler(job.board.name))
        if tool == "cmake" and "PICO_SDK_PATH" not in os.environ:
            raise FirmwareError("PICO_SDK_PATH is not set", fix="install the Pico SDK and say where it is")


def _carry_out(plan: Sequence[Step], job: Job, place: Path, note: Callable[[str], None]) -> Run | None:
    said = None
    for step in plan:
        note(str(step))
        if step.copies is None:
            said = _carried_out(step, job, place)
        else:
            _copy(step, job, place)
    return said


def _copy(step: Step, job: Job, place: Path) -> None:
    if step.copies is Copies.MODEL:
        received.copy(job.folder, place / firmware.C)
    elif step.copies is Copies.PROGRAM:
        firmware.deliver(place / step.argv[1], job.out)
    else:
        _copy_to_drive(place / step.argv[1], step.argv[2])


def _carried_out(step: Step, job: Job, place: Path) -> Run | None:
    confines = step.tells and job.tool in CONFINED
    done = firmware.run_confined(step.argv, place / step.folder) if confines else _called(step, place)
    output, errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if step.tells and (confines or firmware.is_report(output) or done.returncode == firmware.EXIT_FAULT):
        return firmware.parse(done.returncode, output, errors)
    if done.returncode or step.tells:
        builds = step.argv[0] in ("make", "cmake", "idf.py", "arm-none-eabi-objcopy", sys.executable)
        reason = firmware.reason(errors + output) if builds else _complaint(errors, output)
        fix = "" if builds else f"is {job.board.title} plugged in and ready to be programmed?"
        raise FirmwareError(f"{step.argv[0]} ended with code {done.returncode}: {reason}", fix=fix)
    return None


def _called(step: Step, place: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a step's command; our own modules are found where this one was, and nowhere else before that."""
    given = {name: value.replace(PLACE, str(place)) for name, value in step.environment.items()}
    paths = [path for path in (os.environ.get("PYTHONPATH"), str(HOUSE)) if path]
    ours = {"PYTHONPATH": os.pathsep.join(paths)} if step.argv[0] == sys.executable else {}
    environment = {**firmware.build_environment(), **ours, **given}
    try:
        return subprocess.run(
            [word.replace(PLACE, str(place)) for word in step.argv],
            cwd=place / step.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=firmware.SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise FirmwareError(f"{step.argv[0]} did not end within {firmware.SECONDS:.0f} seconds") from error


def _complaint(errors: str, text: str) -> str:
    """Return the line in which a programming tool says what is wrong."""
    lines = [line.strip() for line in (errors.strip() or text).splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return re.sub(r"^Error: ", "", (telling[:1] or lines[-1:] or ["it said nothing"])[0])


def _copy_to_drive(file: Path, drive: str) -> None:
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
        content = contents(model)
    except OSError as error:
        raise ConfigError(f"{model} cannot be read: {error.strerror}") from error
    header.check_made_from(content, model)
    names: tuple[str, ...] = ("noise",)
    labels: tuple[str, ...] = ()
    inputs = noise(header.input_shape)
    if pictures:
        classifier = Classifier(model)
        inputs = to_int8(np.stack([classifier.pixels(picture) for picture in pictures]))
        names, labels = tuple(map(str, pictures)), classifier.labels
    asked = inputs.reshape(-1, *firmware.input_dimensions(content))
    return Given(inputs, interpreters.run(content, asked, "litert-ref").outputs, names, labels)


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """Return one input [1, H, W, C] of random int8, always the same."""
    return np.random.default_rng(0).integers(-128, 128, (1, *shape)).astype(np.int8)
