"""Compiled models on the host, for tests: build the C of one or many into a program, run it, compare every row."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from converters.compiler.back.c import library
from converters.compiler.back.c.selection import DENSE, Packing
from converters.compiler.compilation import Compilation, analyse, files
from converters.compiler.front.network import NO_TENSOR
from converters.compiler.middle import program as prog
from tests.helpers.int8_networks import pixels
from tests.helpers.needs import require

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SOURCES = library.root() / "src"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_TEMPORARY = tempfile.TemporaryDirectory(prefix="sqz-c-models-")

# Reads inputs to their end; writes every complete row as stream, row, bytes; then UINT32_MAX and the
# output. Rows go to stdout as they are made, before anything can overwrite them.
_MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
INCLUDES
static void put(uint32_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8) putchar((int)(value & 255));
}

void sqz_trace(unsigned stream, unsigned y, const int8_t *row, size_t bytes);
void sqz_trace(unsigned stream, unsigned y, const int8_t *row, size_t bytes) {
    put(stream);
    put(y);
    put((uint32_t)bytes);
    fwrite(row, 1, bytes, stdout);
}

typedef struct model {
    const char *name;
    sqz_status (*invoke)(void *, const int8_t *, int8_t *);
    size_t arena, align, input, output;
} model;

static const model models[] = {MODELS};

static int run(const model *m) {
    void *arena = aligned_alloc(m->align, m->arena);
    int8_t *input = malloc(m->input), *output = malloc(m->output);
    if (!arena || !input || !output) return 3;
    memset(arena, 0x5A, m->arena);
    while (fread(input, 1, m->input, stdin) == m->input) {
        const sqz_status status = m->invoke(arena, input, output);
        if (status != SQZ_OK) return 4;
        put(UINT32_MAX);
        fwrite(output, 1, m->output, stdout);
    }
    free(arena);
    free(input);
    free(output);
    return 0;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < sizeof models / sizeof models[0]; ++i) {
        if (strcmp(models[i].name, argv[1]) == 0) return run(&models[i]);
    }
    return 2;
}
"""


@dataclass(frozen=True, eq=False)
class Run:
    """What a compiled model did with one input: the rows of each stream (a map or fewer rows), and its output."""

    streams: dict[int, np.ndarray]
    output: np.ndarray


class Program:
    """A program that runs one or several compiled models by name."""

    def __init__(
        self,
        folder: Path,
        models: Mapping[str, bytes],
        *,
        target: str = "generic",
        packing: Packing = DENSE,
        flags: Sequence[str] = (),
        compiler: str = "gcc",
    ) -> None:
        """Build it in `folder`; the models' tables are one translation unit, the library is built once per test run."""
        require(shutil.which(compiler), f"{compiler} is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self.compilations = {name: analyse(model, target, packing) for name, model in models.items()}
        self.path = folder / "program"
        for name, compilation in self.compilations.items():
            for file, text in files(compilation, name).items():
                if file.startswith(name):
                    (folder / file).write_text(text, encoding="utf-8")
        (folder / "main.c").write_text(main_source(list(models)), encoding="utf-8")
        options = (compiler, "-std=c11", "-O1", *WARNINGS, "-DSQZ_TRACE", *flags)
        command = [*options, "-I.", f"-I{SOURCES}", "-o", "program", "main.c", *_library(options)]
        _succeed(command, folder)

    @classmethod
    def load(cls, folder: Path, models: Mapping[str, bytes]) -> Program:
        """Return the program that was built in a folder of these models."""
        program = cls.__new__(cls)
        program.compilations = {name: analyse(model) for name, model in models.items()}
        program.path = folder / "program"
        return program

    def run(self, name: str, inputs: np.ndarray, before: Sequence[str] = ()) -> list[Run]:
        """Run a model on int8 inputs [N, …]; `before` is what to run the program with, such as an emulator."""
        command = [*before, str(self.path), name]
        done = subprocess.run(command, input=inputs.astype(np.int8).tobytes(), capture_output=True, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr.decode()[:4000])
        return list(_runs(done.stdout, self.compilations[name]))

    def compare(self, name: str, reference: Reference, count: int, before: Sequence[str] = ()) -> list[str]:
        """Name what differs from the reference kernels, in `count` noisy inputs and three that are not."""
        compilation = self.compilations[name]
        source = compilation.program.streams[0]
        offered = pixels((source.height, source.width, source.channels), count)
        inputs = np.stack([reference.run(value, source) for value in offered])
        found: list[str] = []
        for value, run in zip(offered, self.run(name, inputs, before), strict=True):
            reference.run(value, source)
            found += differences(compilation, run, reference)
        return found


@lru_cache
def _library(options: tuple[str, ...]) -> list[str]:
    """Return the library, compiled with these options: an archive, but of Clang, for other machines, objects."""
    folder = Path(_TEMPORARY.name) / str(abs(hash(options)))
    folder.mkdir()
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    _succeed([*options, "-c", *sources], folder)
    objects = sorted(path.name for path in folder.glob("*.o"))
    if options[0] == "clang":
        return [str(folder / name) for name in objects]
    archiver = options[0].replace("gcc", "ar") if options[0] != "gcc" else "ar"
    _succeed([archiver, "rcs", "library.a", *objects], folder)
    return [str(folder / "library.a")]


def _succeed(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]


def main_source(names: Sequence[str]) -> str:
    """Return a `main` for these models."""
    rows = [
        f'{{"{n}", {n}_invoke, {u}_ARENA_BYTES, {u}_ARENA_ALIGN, {u}_INPUT_BYTES, {u}_OUTPUT_BYTES}}'
        for n, u in ((name, name.upper()) for name in names)
    ]
    parts = ("", "_weights")
    includes = "\n".join(f'#include "{name}{part}.c"' for name in names for part in parts)
    return _MAIN.replace("INCLUDES", includes).replace("MODELS", ", ".join(rows))


def _runs(data: bytes, compilation: Compilation):
    program = compilation.program
    rows: dict[int, list[bytes]] = {i: [] for i in range(len(program.streams))}
    at = 0
    while at < len(data):
        (stream,) = struct.unpack_from("<I", data, at)
        at += 4
        if stream != 0xFFFFFFFF:
            y, count = struct.unpack_from("<II", data, at)
            assert y == len(rows[stream]), f"row {y} of stream {stream} after {len(rows[stream])}"
            rows[stream].append(data[at + 8 : at + 8 + count])
            at += 8 + count
            continue
        target = program.streams[program.output]
        size = target.height * target.row_bytes
        streams = {i: _as_map(program.streams[i], each) for i, each in rows.items()}
        yield Run(streams, np.frombuffer(data, np.int8, size, at).copy())
        at += size
        rows = {i: [] for i in rows}


def _as_map(stream: prog.Stream, rows: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.int8).reshape(len(rows), stream.width, stream.channels)


class Reference:
    """TFLite's reference kernels, every tensor kept."""

    def __init__(self, model: bytes) -> None:
        self.engine = Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        self.engine.allocate_tensors()

    def run(self, value: np.ndarray, stream: prog.Stream) -> np.ndarray:
        """Run with `value`, int8 [H, W, C], at the model's own edge; return what the compiled model's input then is."""
        (edge,) = self.engine.get_input_details()
        if edge["dtype"] == np.float32:
            value = (value.astype(np.float32) - stream.zero_point) * np.float32(stream.scale)
        elif edge["dtype"] == np.uint8:
            value = (value.astype(np.int16) + 128).astype(np.uint8)
        self.engine.set_tensor(edge["index"], value.reshape(edge["shape"]))
        self.engine.invoke()
        return self.tensor(stream.tensor)

    def tensor(self, index: int) -> np.ndarray:
        """Return a tensor of the last run."""
        return self.engine.get_tensor(index)


def differences(compilation: Compilation, run: Run, reference: Reference) -> list[str]:
    """Name every stream, slice and output that differs from the reference's tensors."""
    program = compilation.program
    found = []
    for i, stream in enumerate(program.streams):
        if stream.tensor == NO_TENSOR:
            continue
        expected = reference.tensor(stream.tensor).reshape(stream.height, stream.width, stream.channels)
        got = run.streams[i]
        if len(got) < stream.height and i != program.output:  # rows that nothing needs are not made
            expected = expected[: len(got)]
        if not np.array_equal(got, expected):
            found.append(f"stream {i} ({stream.name[:60]}): {len(got)} of {stream.height} rows")
    for operator in program.operators:
        stream = program.streams[operator.output]
        if operator.operator == "CONCATENATION" or operator.tensor in (stream.tensor, NO_TENSOR):
            continue
        part = run.streams[operator.output]
        width, whole = operator.kernel.out_channels, reference.tensor(operator.tensor)
        if whole.size != stream.height * stream.width * width:
            continue  # a part of a PACK or SPACE_TO_DEPTH within a concatenation
        expected = whole.reshape(stream.height, stream.width, width)[: len(part)]
        if not np.array_equal(part[..., operator.channel : operator.channel + width], expected):
            found.append(f"slice of {operator.name}")
    for i, (at, result) in enumerate(zip(program.offsets, program.results, strict=True)):
        if not np.array_equal(run.output[at : at + result.bytes], reference.tensor(result.tensor).ravel()):
            found.append("output" if len(program.results) == 1 else f"output {i}")
    return found
