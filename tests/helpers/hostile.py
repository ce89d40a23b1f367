"""Hostile inputs of every kind that the kit reads, structured and random, and commands run on them under watch.

Each kind is a seed file and two ways to damage it: `structured` sets fields to values that an attacker would choose,
`random` flips, cuts and inserts bytes. `attack` hands inputs to the commands that read them, here or apart.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from converters import packs
from sqz_tf.base.spec import PreprocessSpec, to_dict
from tests.helpers import colour_network, damaged_models, damaged_packs, echo_models, hostile_models
from tests.helpers.hostile_weights import weight_files
from tests.helpers.needs import ROOT

SECONDS = 20  # that one input may take
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 256, 4096, 4097, 2**31, 2**63, -(2**63), 10**40, 1e308, -0.0, 1e-320, 0.5),
    *("", "a", "\0", "é", "\x1b[31m", "../../etc/passwd", "x" * 5000, "1" * 5000, "NaN"),
    *([], [[]], [0] * 2000, {}, {"a": 1}, [None], ["a"]),
)
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "PCX", "SGI", "JPEG2000", "AVIF")


@dataclass(frozen=True)
class Attack:
    """One kind of input: the seed, how it is damaged on purpose, and the command lines that read it.

    `place` puts an input into a folder; `commands` are command lines there, `MODULE ARGUMENTS…`.
    """

    name: str
    seed: bytes
    structured: Callable[[bytes, np.random.Generator], bytes]
    place: Callable[[Path, bytes], None]
    commands: tuple[tuple[str, ...], ...]


def inputs(attack: Attack, count: int, structured: bool, seed: int = 0) -> Iterator[bytes]:
    """Yield damaged inputs of one kind; the same seed gives the same."""
    rng = np.random.default_rng([seed, structured, sum(attack.name.encode())])
    for _ in range(count):
        yield attack.structured(attack.seed, rng) if structured else scrambled(attack.seed, rng)


def scrambled(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes flipped, cut, doubled or inserted in one to four places."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at, kind = int(rng.integers(len(found) + 1)), int(rng.integers(6))
        if kind == 0:
            del found[at:]
        elif kind == 1:
            found[at:at] = rng.bytes(int(rng.integers(1, 40)))
        elif kind == 2:
            del found[at : at + int(rng.integers(1, 40))]
        elif kind == 3:
            found[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000])))
        elif at < len(found):
            found[at] ^= 1 << int(rng.integers(8))
    return bytes(found)


# JSON -----------------------------------------------------------------------------------------------------------


def edited_json(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a JSON object with one to three values, anywhere in it, replaced, removed, renamed or buried."""
    value = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        value = _edited(value, rng)
    text = json.dumps(value)
    if rng.integers(20) == 0:
        text = text.replace("1", "NaN", 1)
    if rng.integers(40) == 0:
        text = "[" * 20_000 + text
    return text.encode("utf-8", "surrogatepass")


def _edited(value: Any, rng: np.random.Generator) -> Any:
    holders = [each for each in _walk(value) if isinstance(each, (dict, list)) and each]
    if not holders:
        return VALUES[int(rng.integers(len(VALUES)))]
    found = copy.deepcopy(value)
    holder = [each for each in _walk(found) if isinstance(each, (dict, list)) and each][int(rng.integers(len(holders)))]
    key = list(holder)[int(rng.integers(len(holder)))] if isinstance(holder, dict) else int(rng.integers(len(holder)))
    kind = int(rng.integers(6))
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder["unknown"] = holder.pop(key)
    elif kind == 2:
        holder[key] = [holder[key]]
    else:
        holder[key] = VALUES[int(rng.integers(len(VALUES)))]
    return found


def _walk(value: Any) -> Iterator[Any]:
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(part)


# Zips and pictures ----------------------------------------------------------------------------------------------


def edited_zip(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a zip file whose directory lies: sizes, offsets, names, methods, flags; or whose members are strange."""
    found = bytearray(data)
    records = [hit.start() for hit in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06", data)]
    for _ in range(int(rng.integers(1, 4))):
        at = records[int(rng.integers(len(records)))] + int(rng.integers(4, 46))
        size = int(rng.choice([1, 2, 4]))
        value = int(rng.choice([0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])) & (256**size - 1)
        found[at : at + size] = value.to_bytes(size, "little")
    return bytes(found)


def picture_file(kind: str, size: tuple[int, int] = (13, 9)) -> bytes:
    """Return a small picture of a format; empty where Pillow cannot write it."""
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    try:
        Image.fromarray(pixels).save(file, kind)
    except (KeyError, OSError, ValueError):
        return b""
    return file.getvalue()


def edited_picture(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a picture whose header, most often, or body says something else."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(min(64, len(found)))) if rng.integers(3) else int(rng.integers(len(found)))
        size = int(rng.choice([1, 2, 4]))
        value = int(rng.choice([0, 1, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])) & (256**size - 1)
        found[at : at + size] = value.to_bytes(size, "big" if rng.integers(2) else "little")
    return bytes(found)


def edited_numbers(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a binary file of which one to three integers of four or eight bytes, anywhere, say something else."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        size = int(rng.choice([4, 8]))
        at = int(rng.integers(len(found) // 4)) * 4
        value = int(rng.choice([0, 1, 2, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**63 - 1])) & (256**size - 1)
        found[at : at + size] = value.to_bytes(size, "little")
    return bytes(found)


# Kinds ----------------------------------------------------------------------------------------------------------


def zip_of_pictures() -> bytes:
    """Return a zip of two classes of three PNG files each."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            name = f"pictures/{('red', 'green')[number % 2]}/{number}.png"
            archive.writestr(zipfile.ZipInfo(name), echo_models.picture(*(40 * number + place for place in range(4))))
    return file.getvalue()


def _model_with(attached: bytes) -> bytes:
    whole = io.BytesIO(echo_models.described(echo_models.model(), preprocess=None))
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("preprocess.json", attached)
    return whole.getvalue()


def _put(name: str) -> Callable[[Path, bytes], None]:
    def put(folder: Path, data: bytes) -> None:
        (folder / name).write_bytes(data)

    return put


def _put_described(labels: Sequence[str], spec: PreprocessSpec) -> Callable[[Path, bytes], None]:
    """Return what attaches labels and preprocessing to a damaged model: without them nothing would run it."""

    def put(folder: Path, data: bytes) -> None:
        (folder / "model.tflite").write_bytes(echo_models.described(data, labels, spec))

    return put


def _put_preprocess(folder: Path, data: bytes) -> None:
    (folder / "model.tflite").write_bytes(_model_with(data))


def _pack() -> bytes:
    """Return the pack of a small network that every command takes."""
    return packs.pack(hostile_models.classifier("plain"))


MODEL_COMMANDS = (
    ("sqz_tf.compile", "model.tflite", "--json"),
    ("sqz_tf.fit", "model.tflite", "--json", "--no-tflm", "--board", "stm32f405"),
    ("sqz_tf.classify", "model.tflite", "picture.png", "--json"),
    ("sqz_tf.evaluate", "model.tflite", "pictures.zip", "--json"),
)


def attacks(manifest: bytes) -> dict[str, Attack]:
    """Return every kind; the model of most is one of a RESHAPE, whose scores are the pixels.

    Args:
      manifest: the manifest.json of an export whose folder the input is put beside.
    """
    preprocess = json.dumps(to_dict(echo_models.SPEC)).encode()
    classify = MODEL_COMMANDS[2:3]
    found = [
        *_models(),
        Attack(
            "sqz",
            _pack(),
            damaged_packs.damaged,
            _put("model.tflite"),
            (*MODEL_COMMANDS, ("sqz_tf.unpack", "model.tflite", "--out", "unpacked.tflite", "--overwrite")),
        ),
        Attack("preprocess.json", preprocess, edited_json, _put_preprocess, MODEL_COMMANDS[2:]),
        Attack(
            "manifest.json",
            manifest,
            edited_json,
            _put("manifest.json"),
            (("sqz_tf.evaluate", "model.tflite", "pictures.zip", "--split", "test", "--json"), ("sqz_tf.check", ".")),
        ),
        Attack("zip", zip_of_pictures(), edited_zip, _put("pictures.zip"), MODEL_COMMANDS[3:]),
    ]
    for ending, seed in weight_files().items():
        name = f"weights{ending}"
        damaged = edited_zip if seed.startswith(b"PK") else edited_numbers
        command = ("sqz_tf.export", "--data", "pictures.zip", "--weights", name, "--dry-run", "--json")
        found.append(Attack(f"weights {ending}", seed, damaged, _put(name), (command,)))
    for kind in FORMATS:
        if seed := picture_file(kind):
            found.append(Attack(f"picture {kind}", seed, edited_picture, _put("picture.png"), classify))
    return {attack.name: attack for attack in found}


def _models() -> list[Attack]:
    """Return the kinds of `.tflite`. `fit` has its own: it compiles C for each network that is whole."""
    model, network = echo_models.model(), hostile_models.network("both_convolutions")
    echo = _put_described(echo_models.LABELS, echo_models.SPEC)
    classes = _put_described(colour_network.CLASSES, PreprocessSpec(hostile_models.SIDE, hostile_models.SIDE))
    commands = tuple(command for command in MODEL_COMMANDS if command[0] != "sqz_tf.fit")
    return [
        Attack("tflite", model, damaged_models.mutant, echo, MODEL_COMMANDS),
        Attack("tflite network", network, damaged_models.mutant, classes, commands),
        Attack("tflite fit", network, damaged_models.mutant, classes, MODEL_COMMANDS[1:2]),
        Attack("tflite labels", echo_models.described(model), edited_zip, _put("model.tflite"), MODEL_COMMANDS[2:]),
    ]


@dataclass(frozen=True)
class Fault:
    """What was wrong with how a command took an input."""

    command: str
    what: str


def run_here(command: tuple[str, ...]) -> Fault | None:
    """Run a command line in this process and in its current folder; return what is wrong, or None."""
    out, err = io.StringIO(), io.StringIO()
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = importlib.import_module(command[0]).main(list(command[1:]))
    except SystemExit as error:
        code = error.code
    except BaseException as error:
        return Fault(" ".join(command), f"{type(error).__name__}: {error}")
    finally:
        signal.alarm(0)
    return judged(command, code, err.getvalue())


def run_real(command: tuple[str, ...]) -> Fault | None:
    """Run a command line as a person does, in the current folder; return what is wrong, or None."""
    line = [sys.executable, "-m", *command]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TMPDIR": tempfile.gettempdir()}
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, errors="replace", env=environment, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Fault(" ".join(command), f"over {SECONDS} seconds")
    return judged(command, done.returncode, done.stderr)


def judged(command: tuple[str, ...], code: Any, errors: str) -> Fault | None:
    """Return what is wrong with how a command ended, or None."""
    if code not in (0, 1, 2):
        return Fault(" ".join(command), f"exit code {code}: {errors[-300:]}")
    for word in ("Traceback", "unforeseen"):
        if word in errors:
            return Fault(" ".join(command), errors[-600:])
    return None


def peak_bytes() -> int:
    """Return the most memory that this process ever held, and the most that one which it started did."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return 1024 * (int(found[1]) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def attack(
    kind: Attack,
    folder: Path,
    number: int,
    count: int,
    structured: bool,
    run: Callable[[tuple[str, ...]], Fault | None] = run_here,
) -> dict[str, Any]:
    """Run a share of one kind's inputs in a folder.

    Returns:
      `slowest`, seconds of the slowest command; `peak`, bytes; `faults`, (number of the input, command, what).
    """
    os.chdir(folder)
    slowest, faults = 0.0, []
    for place, data in enumerate(inputs(kind, count, structured, seed=number)):
        kind.place(folder, data)
        for command in kind.commands:
            seconds, fault = timed(run, command)
            slowest = max(slowest, seconds)
            faults += [(place, fault.command, fault.what)] if fault else []
    return {"slowest": round(slowest, 2), "peak": peak_bytes(), "faults": faults}


def timed(
    run: Callable[[tuple[str, ...]], Fault | None], command: tuple[str, ...], most: float = SECONDS
) -> tuple[float, Fault | None]:
    """Run a command; return its seconds and its fault, which too many of them are: it may have caught the alarm."""
    started = time.monotonic()
    fault = run(command)
    seconds = time.monotonic() - started
    if not fault and seconds > most:
        fault = Fault(" ".join(command), f"took {seconds:.1f} seconds")
    return seconds, fault


def _too_slow(number: int, frame: object) -> None:
    raise TimeoutError(f"over {SECONDS} seconds")
