"""Run a model's C (`converters.compiler`) on this machine: build it with the C compiler, feed it, read its rows."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from converters.compiler import Compilation, analyse, files
from converters.compiler.front.network import NO_TENSOR
from sqz_tf.base.errors import SqzError

NAME = "model"
PATIENCE = 600  # seconds for the compiler, and for all inputs together
OUTPUT = 0xFFFFFFFF  # in place of a stream's number: the output follows
FLAGS = ("-std=c11", "-O2", "-DSQZ_TRACE")

# Reads inputs until they end. Of the first ones, as many as the argument says, every complete row is written:
# stream, row, bytes, the row; then, of each input, OUTPUT and the output.
_MAIN = r"""
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

static _Alignas(MODEL_ARENA_ALIGN) unsigned char arena[MODEL_ARENA_BYTES];
static int8_t input[MODEL_INPUT_BYTES], output[MODEL_OUTPUT_BYTES];
static long traced;

static void put(uint32_t value) { fwrite(&value, sizeof value, 1, stdout); }

void sqz_trace(unsigned stream, unsigned y, const int8_t *row, size_t bytes);
void sqz_trace(unsigned stream, unsigned y, const int8_t *row, size_t bytes) {
    if (traced <= 0) return;
    put(stream);
    put(y);
    put((uint32_t)bytes);
    fwrite(row, 1, bytes, stdout);
}

int main(int argc, char **argv) {
    for (traced = argc > 1 ? atol(argv[1]) : 0; fread(input, 1, sizeof input, stdin) == sizeof input; --traced) {
        const sqz_status status = model_invoke(arena, input, output);
        if (status != SQZ_OK) return -(int)status;
        put(0xFFFFFFFFu);
        fwrite(output, 1, sizeof output, stdout);
    }
    return fflush(stdout) != 0;
}
"""


class HostError(SqzError):
    """The C does not build, or the program failed."""


class MeasurementError(SqzError):
    """This machine had no room to build or run anything, which says nothing about the model."""


def compiler() -> str | None:
    """Return the path of this machine's C compiler (`CC`, or cc), None where there is none."""
    return shutil.which(os.environ.get("CC", "cc"))


def run(model: bytes, inputs: np.ndarray, traced: int = 0) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Compile a model to C, build that and run it.

    Args:
      model: an int8 `.tflite`.
      inputs: int8 [N, h, w, c].
      traced: of how many inputs to bring back what each layer gave.

    Returns:
      Outputs int8 [N, classes]; and for each tensor whose every row was made, index → int8 [traced, h, w, c].

    Raises:
      ValueError: the model cannot be compiled.
      HostError: the C does not build, or the program failed.
    """
    compilation = analyse(model)
    with _measuring(), tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        folder = Path(place)
        for name, text in {**files(compilation, NAME), "main.c": _MAIN}.items():
            (folder / name).write_text(text, encoding="utf-8")
        sources = sorted(path.name for path in folder.glob("*.c"))
        _call([compiler() or "cc", *FLAGS, "-I.", *sources, "-o", "program"], folder)
        written = _call([str(folder / "program"), str(traced)], folder, inputs.tobytes())
    return _Reader(compilation, written).results(traced)


def require_programs() -> None:
    """Build and run the least program there is, as `run` would build and run a model.

    Raises:
      HostError: the compiler makes none, or it does not run where temporary files lie.
      MeasurementError: this machine has no room for it.
    """
    with _measuring(), tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        folder = Path(place)
        (folder / "main.c").write_text("#include <stdio.h>\n#include <string.h>\nint main(void) { return 0; }\n")
        _call([compiler() or "cc", *FLAGS, "main.c", "-o", "program"], folder, of="a program")
        _call([str(folder / "program")], folder, of="a program")


@contextmanager
def _measuring() -> Iterator[None]:
    """Tell what this machine refuses from what is wrong with the model: that could not be measured is no difference."""
    try:
        yield
    except OSError as error:
        raise _no_room(error.strerror or str(error)) from error
    except HostError as error:
        if os.strerror(errno.ENOSPC) in str(error) or os.strerror(errno.EDQUOT) in str(error):
            raise _no_room(os.strerror(errno.ENOSPC)) from error
        raise


def _no_room(why: str) -> MeasurementError:
    return MeasurementError(
        f"the compiled C could not be built and run in {tempfile.gettempdir()} ({why})",
        expected="a folder for temporary files with room for some MB",
        fix="free some, or name another folder in TMPDIR, and run the same command again",
    )


def _call(command: list[str], folder: Path, given: bytes = b"", of: str = "the compiled model") -> bytes:
    try:
        done = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{Path(command[0]).name} took over {PATIENCE} s on {of}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        told = [line for line in lines if os.strerror(errno.ENOSPC) in line]
        said = told or [line for line in lines if "error" in line] or lines or [f"exit code {done.returncode}"]
        raise HostError(f"{Path(command[0]).name} failed on {of}: {said[0][:200]}")
    return done.stdout


class _Reader:
    """Reads what the program wrote."""

    def __init__(self, compilation: Compilation, written: bytes) -> None:
        self.program, self.written = compilation.program, written

    def results(self, traced: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        outputs: list[np.ndarray] = []
        kept: list[dict[int, np.ndarray]] = []
        rows: dict[int, list[bytes]] = {}
        for stream, data in self._records():
            if stream != OUTPUT:
                rows.setdefault(stream, []).append(data)
                continue
            outputs.append(np.frombuffer(data, np.int8))
            if len(kept) < traced:
                kept.append(self._tensors(rows))
            rows = {}
        every = {index: np.stack([one[index] for one in kept]) for index in kept[0]} if kept else {}
        return np.stack(outputs), every

    def _records(self) -> Iterator[tuple[int, bytes]]:
        at, last = 0, self.program.streams[self.program.output]
        while at < len(self.written):
            (stream,) = struct.unpack_from("=I", self.written, at)
            start, size = at + 4, last.height * last.row_bytes
            if stream != OUTPUT:
                start, (_, size) = at + 12, struct.unpack_from("=II", self.written, at + 4)
            at = start + size
            yield stream, self.written[start:at]

    def _tensors(self, rows: Mapping[int, list[bytes]]) -> dict[int, np.ndarray]:
        """Return the tensors of one input: whole streams, and slices of channels of which they are joined."""
        found: dict[int, np.ndarray] = {}
        for number, stream in enumerate(self.program.streams):
            if len(rows.get(number, ())) != stream.height:
                continue  # rows that nothing reads are not made
            values = np.frombuffer(b"".join(rows[number]), np.int8).reshape(stream.height, stream.width, -1)
            found[stream.tensor] = values
            for operator in self.program.operators:
                if operator.output == number and operator.tensor not in (stream.tensor, NO_TENSOR):
                    last = operator.channel + operator.kernel.out_channels
                    found[operator.tensor] = values[..., operator.channel : last]
        found.pop(NO_TENSOR, None)
        return found
