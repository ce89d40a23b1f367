"""The Verilog, simulated cycle by cycle by Verilator, and compared with the interpreter."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.compiler.back.fpga.cycles import ACTIVITIES
from converters.compiler.back.fpga.jobs import IDLE, Design
from sqz_tf.base.errors import SqzError

BENCH = Path(__file__).with_name("bench.cpp")
WORD = np.dtype([("address", "<u4"), ("bytes", "i1", 4), ("mask", "u1"), ("done", "u1")])
PREFIX = "Vaccelerator"


class SimulationError(SqzError):
    """The simulator is not there, cannot be built, or ended otherwise than it should."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """What came out.

    Attributes:
      sums: int32 [pictures, classes].
      cycles: of each picture, from the end of the one before, int64 [pictures].
      activity: cycles of each of ACTIVITIES in each job of the last picture, int64 [jobs + 1, 7].
      rows: for each picture and job, the bytes of the row it made, in order; empty unless traced.
    """

    sums: np.ndarray
    cycles: np.ndarray
    activity: np.ndarray
    rows: tuple[tuple[np.ndarray, ...], ...]


def require() -> str:
    """Return Verilator.

    Raises:
      SimulationError: there is none, or nothing that builds what it writes.
    """
    for program in ("verilator", "make", "g++"):
        if shutil.which(program) is None:
            raise SimulationError(f"{program} is not installed", fix="apt-get install verilator make g++")
    return shutil.which("verilator") or "verilator"


@contextmanager
def simulator(verilog: str, name: str) -> Iterator[Path]:
    """Build the simulator of a design; it is there within the block.

    Raises:
      SimulationError: Verilator is not there, or does not take the Verilog.
    """
    verilator = require()
    with tempfile.TemporaryDirectory(prefix="sqz-fpga-") as folder:
        here = Path(folder)
        (here / f"{name}.v").write_text(verilog, encoding="utf-8")
        shutil.copy(BENCH, here / "bench.cpp")
        how = ["--cc", "--exe", "--build", "-O3", "-CFLAGS", "-O1", "--prefix", PREFIX, "--top-module", name]
        call([verilator, *how, "-Mdir", "build", f"{name}.v", "bench.cpp"], here)
        yield here / "build" / PREFIX


def lint(verilog: str, name: str) -> None:
    """Raise unless Verilator's lint has nothing to say.

    Raises:
      SimulationError: it has; the message is its first line.
    """
    verilator = require()
    with tempfile.TemporaryDirectory(prefix="sqz-fpga-") as folder:
        (Path(folder) / f"{name}.v").write_text(verilog, encoding="utf-8")
        call([verilator, "--lint-only", "--top-module", name, f"{name}.v"], Path(folder))


def call(command: list[str], folder: Path, given: bytes = b"") -> bytes:
    """Run a program in a folder; return what it writes.

    Raises:
      SimulationError: it fails; the message is its first line.
    """
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or b"it said nothing").decode(errors="replace").splitlines()
        raise SimulationError(f"{Path(command[0]).name} failed: {said[0][:300]}")
    return done.stdout


def run(program: Path, design: Design, pictures: np.ndarray, *, traced: bool = False, stalls: int = 0) -> Simulated:
    """Return what a simulator makes of pictures.

    Args:
      program: the simulator.
      design: what it simulates.
      pictures: uint8 [N, ...], the network's input with the sign bit inverted.
      traced: whether to bring back rows.
      stalls: of 256 cycles so many have no pixel, or take no sum.

    Raises:
      SimulationError: it ended otherwise than it should.
    """
    source = design.program.streams[0]
    classes, jobs = design.layers[-1].channels, len(design.jobs)
    with tempfile.TemporaryDirectory(prefix="sqz-fpga-") as folder:
        here = Path(folder)
        (here / "pictures").write_bytes(np.ascontiguousarray(pictures, np.uint8).tobytes())
        names = ["pictures", "sums", "counts", "trace" if traced else ""]
        call([str(program), *names, str(jobs), str(classes), str(source.bytes), str(stalls)], here)
        results = np.fromfile(here / "sums", "<i4").reshape(len(pictures), classes + 1)
        activity = np.fromfile(here / "counts", "<u4").reshape(jobs + 1, len(ACTIVITIES)).astype(np.int64)
        trace = np.fromfile(here / "trace", WORD) if traced else np.zeros(0, WORD)
    rows = tuple(rows_of(design, trace, len(pictures))) if traced else ()
    return Simulated(results[:, :-1], results[:, -1].astype(np.int64), activity, rows)


def rows_of(design: Design, trace: np.ndarray, pictures: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield for each picture the rows that its jobs wrote, int8 [pixels, channels]."""
    ends = np.flatnonzero(trace["done"]) + 1
    parts = np.split(trace, ends)[:-1]
    jobs = [job for job in design.jobs if job.operator != IDLE]
    if len(parts) != len(jobs) * pictures:
        raise SimulationError(f"{len(parts)} rows were written", expected=f"{len(jobs) * pictures}")
    for picture in range(pictures):
        own = parts[picture * len(jobs) : (picture + 1) * len(jobs)]
        yield tuple(_row(design, job.operator, words) for job, words in zip(jobs, own, strict=True))


def _row(design: Design, operator: int, words: np.ndarray) -> np.ndarray:
    layer = design.layers[operator]
    lanes = (words["mask"][:, None] >> np.arange(4)) & 1
    return words["bytes"][lanes.astype(bool)].reshape(layer.pixels, layer.channels)


def differing_row(design: Design, rows: tuple[np.ndarray, ...], tensors: dict[int, np.ndarray]) -> str | None:
    """Return the first row that differs from the interpreter's, in words; None if all are equal.

    Args:
      design: what made them.
      rows: of one picture.
      tensors: tensor index → int8 [1, height, width, channels] of that picture.
    """
    jobs = [job for job in design.jobs if job.operator != IDLE]
    for job, row in zip(jobs, rows, strict=True):
        wanted = _wanted(design, job.operator, job.firing, tensors)
        if wanted is not None and not np.array_equal(wanted, row):
            name = design.program.operators[job.operator].name
            pixel, channel = np.argwhere(wanted != row)[0]
            return (
                f"{name}, row {job.firing}, pixel {pixel}, channel {channel}: {row[pixel, channel]}; "
                f"expected {wanted[pixel, channel]}"
            )
    return None


def _wanted(design: Design, operator: int, row: int, tensors: dict[int, np.ndarray]) -> np.ndarray | None:
    """Return the row of the interpreter, None where the file has no such tensor."""
    layer, tensor = design.layers[operator], design.row_tensors[operator]
    if tensor not in tensors:
        return None
    values = np.asarray(tensors[tensor])
    whole = values.shape[-1]
    first = design.program.operators[operator].channel if whole > layer.channels else 0  # of what is copied into others
    wanted: np.ndarray = values.reshape(-1, layer.pixels, whole)[row, :, first : first + layer.channels]
    return wanted
