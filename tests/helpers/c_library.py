"""The C library of mcu/src for tests: built with any compiler, called through ctypes or from a generated C program.

A `Case` is a small model as tables (what a compiled model's NAME.c holds) with an input and the output expected of
it. `run` computes it in this process; `program` writes cases as C text, for other processors and for sanitizers.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from ctypes import POINTER, Structure, c_int8, c_int32, c_size_t, c_uint8, c_uint16, c_uint32, c_void_p
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.needs import ROOT, require

SOURCES = ROOT / "mcu" / "src"
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
EACH, WINDOW, LAST = range(3)
NONE = 0xFF
ALIGN = 16
OK, NULL, ALIGNMENT, ARENA, STATE = 0, -1, -2, -3, -4

# The structures of sqz_ops.h; test_tables_have_the_layout_of_the_header compares their sizes with C's.


def _structure(name: str, **fields: Any) -> Any:
    return type(name, (Structure,), {"_fields_": list(fields.items())})


Requant = _structure(
    "sqz_requant",
    multiplier=POINTER(c_int32),
    shift=POINTER(c_int8),
    step=c_uint8,
    zero_point=c_int8,
    lowest=c_int8,
    highest=c_int8,
)
ExactRequant = _structure(
    "sqz_exact_requant",
    high=POINTER(c_int32),
    low=POINTER(c_int32),
    shift=POINTER(c_int8),
    step=c_uint8,
    zero_point=c_int8,
    lowest=c_int8,
    highest=c_int8,
)
Conv = _structure(
    "sqz_conv",
    weights=POINTER(c_int8),
    bias=POINTER(c_int32),
    requant=Requant,
    in_width=c_uint16,
    in_channels=c_uint16,
    out_width=c_uint16,
    out_channels=c_uint16,
    out_stride=c_uint16,
    kernel_h=c_uint8,
    kernel_w=c_uint8,
    stride_w=c_uint8,
    pad_left=c_uint8,
    dilation_h=c_uint8,
    dilation_w=c_uint8,
    input_zero_point=c_int8,
)
ConvWinograd = _structure("sqz_conv_winograd", conv=Conv, tiles=c_uint16)
ConvMean = _structure("sqz_conv_mean", conv=Conv, mean=Requant, zero_sum=c_int32)
Packed = _structure(
    "sqz_packed",
    data=POINTER(c_uint8),
    bytes=c_uint32,
    block=c_uint16,
    scales=c_uint16,
    group_bits=c_uint8,
    value_bits=c_uint8,
    bias_bits=c_uint8,
    scale_bits=c_uint8,
    stride_h=c_uint8,
)
ConvPacked = _structure("sqz_conv_packed", conv=Conv, packed=Packed)
ConvMeanPacked = _structure("sqz_conv_mean_packed", both=ConvMean, packed=Packed)
Pool = _structure(
    "sqz_pool",
    in_width=c_uint16,
    channels=c_uint16,
    out_width=c_uint16,
    out_stride=c_uint16,
    kernel_h=c_uint8,
    kernel_w=c_uint8,
    stride_h=c_uint8,
    stride_w=c_uint8,
    pad_top=c_uint8,
    pad_left=c_uint8,
    lowest=c_int8,
    highest=c_int8,
)
Mean = _structure("sqz_mean", requant=Requant, zero_sum=c_int32, width=c_uint16, channels=c_uint16)
Second = _structure("sqz_second", constant=POINTER(c_int8), step=c_uint16)
Add = _structure(
    "sqz_add",
    multiplier_a=c_int32,
    multiplier_b=c_int32,
    multiplier_out=c_int32,
    shift_a=c_int8,
    shift_b=c_int8,
    shift_out=c_int8,
    zero_point_a=c_int8,
    zero_point_b=c_int8,
    zero_point_out=c_int8,
    lowest=c_int8,
    highest=c_int8,
    width=c_uint16,
    channels=c_uint16,
    out_stride=c_uint16,
    second=Second,
)
Mul = _structure(
    "sqz_mul",
    requant=Requant,
    zero_point_a=c_int8,
    zero_point_b=c_int8,
    width=c_uint16,
    channels=c_uint16,
    out_stride=c_uint16,
    second=Second,
)
Extreme = _structure(
    "sqz_extreme", larger=c_uint8, width=c_uint16, channels=c_uint16, out_stride=c_uint16, second=Second
)
Table = _structure("sqz_table", table=POINTER(c_int8), width=c_uint16, channels=c_uint16, out_stride=c_uint16)
PRelu = _structure(
    "sqz_prelu",
    positive=Requant,
    negative=Requant,
    slopes=POINTER(c_int8),
    input_zero_point=c_int8,
    slope_zero_point=c_int8,
    width=c_uint16,
    channels=c_uint16,
    out_stride=c_uint16,
)
Transpose = _structure(
    "sqz_transpose",
    row_step=c_uint32,
    pixel_step=c_uint32,
    channel_step=c_uint32,
    width=c_uint16,
    channels=c_uint16,
    out_stride=c_uint16,
)
Quantize = _structure(
    "sqz_quantize", requant=Requant, width=c_uint16, channels=c_uint16, out_stride=c_uint16, input_zero_point=c_int8
)
Pad = _structure(
    "sqz_pad",
    in_width=c_uint16,
    channels=c_uint16,
    out_width=c_uint16,
    out_stride=c_uint16,
    pad_left=c_uint8,
    value=c_int8,
)
Reshape = _structure("sqz_reshape", width=c_uint16, channels=c_uint16, out_stride=c_uint16)
FullyConnected = _structure(
    "sqz_fully_connected",
    weights=POINTER(c_int8),
    bias=POINTER(c_int32),
    requant=ExactRequant,
    row_bytes=c_uint32,
    height=c_uint16,
    out_channels=c_uint16,
)
FullyConnectedEach = _structure("sqz_fully_connected_each", pixel=FullyConnected, width=c_uint16, out_stride=c_uint16)
Softmax = _structure(
    "sqz_softmax", multiplier=c_int32, diff_min=c_int32, shift=c_uint8, width=c_uint16, channels=c_uint16
)
Stream = _structure(
    "sqz_stream",
    offset=c_uint32,
    row_bytes=c_uint32,
    ring_rows=c_uint16,
    height=c_uint16,
    last_producer=c_uint8,
)
Op = _structure(
    "sqz_op",
    kernel=c_void_p,
    params=c_void_p,
    scratch=c_uint32,
    state=c_uint32,
    out_offset=c_uint16,
    fires=c_uint16,
    yields=c_uint8,
    input=c_uint8,
    input_b=c_uint8,
    output=c_uint8,
    kernel_h=c_uint8,
    stride_h=c_uint8,
    pad_top=c_uint8,
    band=c_uint8,
    first_band=c_uint8,
    left_over=c_uint8,
    at_once=c_uint8,
    lag=c_uint8,
    doublings=c_uint8,
)
Model = _structure(
    "sqz_model",
    streams=POINTER(Stream),
    ops=POINTER(Op),
    stream_count=c_uint8,
    op_count=c_uint8,
    output=c_uint16,
    arena_bytes=c_uint32,
    output_bytes=c_uint32,
    zero_from=c_uint32,
    zero_bytes=c_uint32,
)
STRUCTURES = (
    ConvWinograd,
    *(Packed, ConvPacked, ConvMeanPacked),
    *(Requant, ExactRequant, Conv, ConvMean, Pool, Mean, Second, Add, Mul, Extreme, Table, PRelu, Transpose),
    *(Quantize, Pad, Reshape, FullyConnected, FullyConnectedEach, Softmax),
    *(Stream, Op, Model),
)
PARAMS = {structure.__name__: structure for structure in STRUCTURES}


# Cases.


@dataclass(frozen=True)
class Call:
    """An operator: its kernel, the fields of its parameters, and when it fires.

    `state` and `scratch` are bytes. `params` is (name of the structure, its fields); a field is an integer, an array,
    None (null) or a dict (a structure within).
    """

    kernel: str
    params: tuple[str, dict[str, Any]]
    output: int
    fires: int
    yields: int = EACH
    input: int = 0
    input_b: int = NONE
    kernel_h: int = 1
    stride_h: int = 1
    pad_top: int = 0
    band: int = 0
    first_band: int = 1
    left_over: int = 0
    at_once: int = 0
    lag: int = 0
    doublings: int = 0
    out_offset: int = 0
    state: int = 0
    scratch: int = 0

    @property
    def pointers(self) -> int:
        """Bytes in front of the scratch: where a window has more rows than the engine's stack has room for."""
        return 8 * self.kernel_h if self.kernel_h > 16 and self.yields != WINDOW else 0


@dataclass(frozen=True)
class Case:
    """A model, an input for it, and the output it should give.

    `streams`: (height, row bytes, ring rows) each; stream 0 is the input, the last the output.
    """

    streams: tuple[tuple[int, int, int], ...]
    calls: tuple[Call, ...]
    input: np.ndarray
    expected: np.ndarray
    shared: dict[int, int] = field(default_factory=dict)  # stream → stream whose memory it is written over

    def layout(self) -> tuple[list[int], list[int], list[int], int]:
        """Return where streams, states and scratch lie, and the arena's size: everything side by side."""
        sizes = [0 if i in self.shared else bytes_ * ring for i, (_, bytes_, ring) in enumerate(self.streams)]
        sizes += [call.state for call in self.calls] + [call.pointers + call.scratch for call in self.calls]
        offsets, top = [], 4 + 2 * (len(self.streams) + 2 * len(self.calls))
        for size in sizes:
            top = -(-top // ALIGN) * ALIGN
            offsets.append(top)
            top += size
        for stream, other in self.shared.items():
            offsets[stream] = offsets[other]
        s, c = len(self.streams), len(self.calls)
        scratches = [offset + call.pointers for offset, call in zip(offsets[s + c :], self.calls, strict=True)]
        return offsets[:s], offsets[s : s + c], scratches, top

    def last_producer(self, stream: int) -> int:
        """Return the index of the last operator that writes to a stream."""
        return max((i for i, call in enumerate(self.calls) if call.output == stream), default=NONE)


def run(case: Case, library: Any = None) -> np.ndarray:
    """Compute a case through sqz_invoke in this process; the output in the shape of what is expected."""
    library = library or build()
    with_tables = Tables(case, library)
    output = np.full(case.expected.shape, 99, np.int8)
    status = library.sqz_invoke(
        ctypes.byref(with_tables.model), with_tables.arena, pointer(case.input), pointer(output)
    )
    assert status == OK
    assert with_tables.intact()
    return output


class Tables:
    """A case as ctypes structures, with an arena between two guards."""

    def __init__(self, case: Case, library: Any) -> None:
        streams, states, scratches, self.arena_bytes = case.layout()
        self.keep: list[Any] = []
        self.streams = (Stream * len(case.streams))(
            *(
                Stream(offset, bytes_, ring, height, case.last_producer(i))
                for i, (offset, (height, bytes_, ring)) in enumerate(zip(streams, case.streams, strict=True))
            )
        )
        self.ops = (Op * len(case.calls))(
            *(self._op(*each, library) for each in zip(case.calls, states, scratches, strict=True))
        )
        self.model = Model(
            streams=self.streams,
            ops=self.ops,
            stream_count=len(self.streams),
            op_count=len(self.ops),
            output=len(self.streams) - 1,
            arena_bytes=self.arena_bytes,
            output_bytes=case.expected.size,
            zero_from=states[0],
            zero_bytes=scratches[0] - states[0],
        )
        self.buffer = np.full(self.arena_bytes + 4 * ALIGN, 0xA5, np.uint8)
        self.start = ALIGN - self.buffer.ctypes.data % ALIGN
        self.arena = self.buffer.ctypes.data + self.start

    def _op(self, call: Call, state: int, scratch: int, library: Any) -> Any:
        params = self._fill(*call.params)
        self.keep.append(params)
        return Op(
            kernel=ctypes.cast(getattr(library, call.kernel), c_void_p),
            params=ctypes.cast(ctypes.pointer(params), c_void_p),
            scratch=scratch,
            state=state,
            **{name: getattr(call, name) for name, _ in Op._fields_[4:]},
        )

    def _fill(self, name: str, fields: dict[str, Any]) -> Any:
        structure = PARAMS[name]()
        for key, kind in structure._fields_:
            value = fields[key]
            if isinstance(value, np.ndarray):
                self.keep.append(value)
                value = value.ctypes.data_as(kind)
            elif isinstance(value, dict):
                value = self._fill(kind.__name__, value)
            setattr(structure, key, value)
        return structure

    def intact(self) -> bool:
        """Return whether nothing was written outside the arena."""
        inside = slice(self.start, self.start + self.arena_bytes)
        return bool(np.all(np.delete(self.buffer, inside) == 0xA5))


def pointer(array: np.ndarray) -> int:
    """Return the address of a contiguous array."""
    assert array.flags.c_contiguous
    return int(array.ctypes.data)


# Building.

TRACE = """
#include "sqz_ops.h"
void (*sqz_trace_to)(unsigned, unsigned, const int8_t *, size_t);
#if defined(SQZ_TRACE)
void sqz_trace(unsigned stream, unsigned y, const int8_t *row, size_t bytes) {
    sqz_trace_to(stream, y, row, bytes);
}
#endif
"""
"""Built into the shared object: with SQZ_TRACE the rows go to the function in `sqz_trace_to`."""


PORTABLE = (
    *("add", "add_pixels", "average_pool", "connected", "conv", "conv_mean", "depthwise", "extreme", "fully_connected"),
    *(
        "image",
        "log_softmax",
        "max_pool",
        "mean",
        "mul",
        "pad",
        "prelu",
        "quantize",
        "reshape",
        "softmax",
        "stream",
        "sub",
        "table",
    ),
    "transpose",
)


def sources() -> list[str]:
    """Return the C files of the engine, the portable kernels and the camera rows."""
    return [str(SOURCES / f"sqz_{name}.c") for name in PORTABLE]


@lru_cache
def build(*flags: str, compiler: str = "cc") -> Any:
    """Return the library as a shared object, loaded."""
    folder = Path(tempfile.mkdtemp(prefix="sqz-library-"))
    target = folder / "libsqz.so"
    (folder / "trace.c").write_text(TRACE)
    command = [compiler, *STRICT, "-O2", "-fPIC", "-shared", *flags, f"-I{SOURCES}", "-o", str(target)]
    subprocess.run([*command, str(folder / "trace.c"), *sources()], check=True)
    library = ctypes.CDLL(str(target))
    shutil.rmtree(folder)
    signatures = {
        "sqz_invoke": [POINTER(Model), c_void_p, c_void_p, c_void_p],
        "sqz_begin": [POINTER(Model), c_void_p, c_size_t],
        "sqz_push_row": [POINTER(Model), c_void_p, c_void_p],
        "sqz_finish": [POINTER(Model), c_void_p, c_void_p],
    }
    for name, types in signatures.items():
        getattr(library, name).argtypes = types
    return library


@lru_cache
def _can_link(*compiler: str) -> bool:
    if not shutil.which(compiler[0]):
        return False
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.c").write_text('#include <stdio.h>\nint main(void) { return puts(""); }\n')
        done = subprocess.run([*compiler, "main.c"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


def can_run(compiler: Sequence[str], emulator: Sequence[str] = ()) -> bool:
    """Return whether a compiler builds programs, its C library included, and the emulator for them is there."""
    return _can_link(*compiler) and (not emulator or shutil.which(emulator[0]) is not None)


def execute(text: str, folder: Path, compiler: Sequence[str], emulator: Sequence[str] = ()) -> str:
    """Build a C program with the library, run it, and return what it printed; it must exit with 0."""
    return run_program(build_program(text, folder, [*compiler, *sources()]), emulator)


def build_program(text: str, folder: Path, compiler: Sequence[str]) -> Path:
    """Build a C program with the C files that are among the compiler's words."""
    source, target = folder / "program.c", folder / "program"
    source.write_text(text)
    subprocess.run([*compiler, *STRICT, f"-I{SOURCES}", "-o", str(target), str(source)], check=True)
    return target


def run_program(program: Path, emulator: Sequence[str] = ()) -> str:
    """Run a program and return what it printed; it must exit with 0."""
    done = subprocess.run([*emulator, str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


OTHERS: dict[str, tuple[list[str], list[str]]] = {
    "32-bit": (["cc", "-O2", "-m32"], []),
    "big-endian": (["powerpc-linux-gnu-gcc", "-O2", "-static"], ["qemu-ppc"]),
    "sanitizers": (["cc", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], []),
}
"""Compilers and emulators of processors without the fast kernels' instructions."""


_CROSS = "/usr/aarch64-linux-gnu"
ARM64 = [
    *("clang", "--target=aarch64-linux-gnu", "-O2", "-fuse-ld=lld", "-nostdlib", "-isystem", f"{_CROSS}/include"),
    *(f"-L{_CROSS}/lib", f"-Wl,{_CROSS}/lib/crt1.o", "-Wl,-dynamic-linker,/lib/ld-linux-aarch64.so.1"),
    *("-Wl,-l:libc.so.6", "-Wl,-l:ld-linux-aarch64.so.1", "-Wno-overlength-strings"),
    "-Wno-unused-command-line-argument",
]
"""A compiler of programs for 64-bit ARM, without flags for a processor."""

ARM64_PROCESSORS = ("cortex-a72", "neoverse-n1", "max")
"""As QEMU calls them: ARMv8.0, with the dot product, and with the product of matrices of int8."""


def require_arm64() -> None:
    """Skip unless programs for 64-bit ARM can be built and run here."""
    missing = "clang, lld, libc6-dev-arm64-cross or qemu-user is not installed"
    require(can_run(ARM64, on_arm64(ARM64_PROCESSORS[0])), missing)


def on_arm64(processor: str) -> list[str]:
    """Return the emulator of one of ARM64_PROCESSORS."""
    return ["qemu-aarch64", "-cpu", processor, "-L", _CROSS]


def require_equal(
    cases: Sequence[Case], folder: Path, compiler: Sequence[str], emulator: Sequence[str], files: Sequence[str]
) -> None:
    """Run cases with further C files as a program of a compiler's; every output must be the expected one."""
    require(can_run(compiler, emulator), f"{compiler[0]} or its C library or {emulator} is not installed")
    text = aligned(program(cases))
    assert execute(text, folder, [*compiler, *files], emulator) == f"{len(cases)} cases\n"


def aligned(text: str) -> str:
    """Return a C program whose tables of int8 are aligned as a compiled model's are."""
    return text.replace("static const int8_t", "static const _Alignas(4) int8_t")


# Virtual boards.

BOARDS = {
    "cortex-m4": ("mps2-an386", "soft"),
    "cortex-m7": ("mps2-an500", "soft"),
    "cortex-m55": ("mps3-an547", "hard"),
    "cortex-m0plus": ("mps2-an385", "soft"),  # an M3 has all of an M0+'s instructions
    "cortex-m3": ("mps2-an385", "soft"),
    "riscv32": ("virt,firmware=none", "ilp32"),
}
MEMORY = """MEMORY { FLASH : ORIGIN = %s, LENGTH = 1M
RAM : ORIGIN = %s, LENGTH = 512K }
REGION_ALIAS("WEIGHTS", FLASH)
"""
RISCV = ("-march=rv32imc", "-mcmodel=medany", "-msmall-data-limit=0", "-fno-asynchronous-unwind-tables")


CLANG = ("clang-14", "--target=arm-none-eabi", "-isystem", "/usr/include/newlib")


def by_clang(core: str, folder: Path, *flags: str, files: Sequence[str] = ()) -> list[str]:
    """Return the object files that Clang makes of the library and further C files for a core of BOARDS."""
    require(shutil.which(CLANG[0]), f"{CLANG[0]} is not installed")
    command = [*CLANG, *STRICT, f"-mcpu={core}", "-mthumb", f"-mfloat-abi={BOARDS[core][1]}", *flags, f"-I{SOURCES}"]
    subprocess.run(
        [*command, "-fshort-enums", "-Wno-overlength-strings", "-c", *sources(), *files], check=True, cwd=folder
    )
    return sorted(str(path) for path in folder.glob("*.o"))


def on_board(
    cases: Sequence[Case], core: str, folder: Path, *flags: str, files: Sequence[str] = (), library: Sequence[str] = ()
) -> int:
    """Run cases on a virtual board, with further C files or a whole library of object files.

    Returns:
      0, or 1 + the number of the first case that is wrong.
    """
    machine, abi = BOARDS[core]
    riscv = core == "riscv32"
    gcc, qemu = (
        ("riscv64-unknown-elf-gcc", "qemu-system-riscv32") if riscv else ("arm-none-eabi-gcc", "qemu-system-arm")
    )
    for tool in (gcc, qemu):
        require(shutil.which(tool), f"{tool} is not installed")
    text = re.sub(r'printf\("case (\d+)\\n"\); wrong = 1;', r"wrong = wrong ? wrong : \1 + 1;", program(cases))
    text = aligned(re.sub(r" *printf.*", "", text))
    (folder / "program.c").write_text(text)
    (folder / "memory.ld").write_text(MEMORY % (("0x80000000", "0x80100000") if riscv else ("0", "0x20000000")))
    boards = SOURCES.parent / "boards"
    kind = [*RISCV, f"-mabi={abi}", "--specs=picolibc.specs"] if riscv else [f"-mcpu={core}", "-mthumb"]
    kind += [] if riscv else [f"-mfloat-abi={abi}"]
    command = [gcc, *STRICT, *kind, *flags]
    command += ["-nostartfiles", f"-T{folder}/memory.ld", f"-T{boards}/bare/sections.ld", f"-I{SOURCES}"]
    command += ["-o", f"{folder}/program.elf", f"{folder}/program.c", *(library or (*sources(), *files))]
    command += [
        f"{boards}/{'riscv' if riscv else 'cortex_m'}/startup.c",
        f"{boards}/bare/start.c",
        f"{boards}/bare/semihosted_board.c",
    ]
    subprocess.run(command, check=True)
    quiet = ["-display", "none", "-monitor", "none", "-serial", "null"]
    command = [qemu, "-M", machine, "-kernel", f"{folder}/program.elf", *quiet]
    command += ["-semihosting-config", "enable=on,target=native"]
    return subprocess.run(command, check=False, timeout=120).returncode


# Cases as C text.


def program(cases: Sequence[Case]) -> str:
    """Return a C program that computes all cases and exits with 0 if every output is the expected one."""
    lines = ['#include "sqz_ops.h"', "#include <stdio.h>", "#include <string.h>"]
    most = max(case.layout()[3] for case in cases)
    lines += [f"static _Alignas({ALIGN}) int8_t arena[{most}], output[{max(case.expected.size for case in cases)}];"]
    for number, case in enumerate(cases):
        lines += _case_text(number, case)
    lines += ["int main(void) {", "    int wrong = 0;"]
    for number, case in enumerate(cases):
        call = f"sqz_invoke(&m{number}_model, arena, m{number}_input, output)"
        same = f"memcmp(output, m{number}_expected, {case.expected.size}) == 0"
        lines.append(f'    if ({call} || !({same})) {{ printf("case {number}\\n"); wrong = 1; }}')
    lines += [f'    printf("{len(cases)} cases\\n");', "    return wrong;", "}", ""]
    return "\n".join(lines)


def _case_text(number: int, case: Case) -> Iterator[str]:
    streams, states, scratches, arena_bytes = case.layout()
    prefix = f"m{number}"
    yield array_text(f"{prefix}_input", case.input)
    yield array_text(f"{prefix}_expected", case.expected)
    rows = (
        f"{{{offset}, {bytes_}, {ring}, {height}, {case.last_producer(i)}}}"
        for i, (offset, (height, bytes_, ring)) in enumerate(zip(streams, case.streams, strict=True))
    )
    yield f"static const sqz_stream {prefix}_streams[] = {{{', '.join(rows)}}};"
    ops = []
    for i, (call, state, scratch) in enumerate(zip(case.calls, states, scratches, strict=True)):
        name = f"{prefix}_params{i}"
        tables: list[str] = []
        value = _value(name, call.params[1], PARAMS[call.params[0]], tables)
        yield from tables
        yield f"static const {call.params[0]} {name} = {value};"
        numbers = [scratch, state, *(getattr(call, key) for key, _ in Op._fields_[4:])]
        ops.append(f"{{{call.kernel}, &{name}, {', '.join(map(str, numbers))}}}")
    yield f"static const sqz_op {prefix}_ops[] = {{{', '.join(ops)}}};"
    numbers = [len(streams), len(ops), len(streams) - 1, arena_bytes, case.expected.size, states[0]]
    numbers.append(scratches[0] - states[0])
    yield f"static const sqz_model {prefix}_model = {{{prefix}_streams, {prefix}_ops, {', '.join(map(str, numbers))}}};"


def _value(name: str, fields: dict[str, Any], structure: Any, tables: list[str]) -> str:
    parts = []
    for key, kind in structure._fields_:
        value = fields[key]
        if isinstance(value, np.ndarray):
            tables.append(array_text(f"{name}_{key}", value))
            parts.append(f"{name}_{key}")
        elif isinstance(value, dict):
            parts.append(_value(f"{name}_{key}", value, kind, tables))
        else:
            parts.append("0" if value is None else str(value))
    return "{" + ", ".join(parts) + "}"


def array_text(name: str, values: np.ndarray) -> str:
    """Return a table of integers in C."""
    kind = f"{values.dtype}_t"
    return f"static const {kind} {name}[] = {{{', '.join(map(str, values.ravel().tolist()))}}};"
