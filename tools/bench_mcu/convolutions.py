"""Count what the fast convolutions execute in QEMU, for each layer of the benchmark's three SqueezeNets.

    python -m tools.bench_mcu.convolutions [--target cortex-m4] [--graph a] [--layers]

One row in the middle of each layer's map is computed and counted, and multiplied by the rows there are; pooling, the
engine and softmax are not in it. Values do not matter to the counts, so weights are zeros.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from converters.compiler.back.c import library
from converters.compiler.back.c.weight_layout import lay_out
from converters.compiler.front.network import Window
from converters.compiler.middle.program import ConvKernel, Requant
from tools.bench_mcu import count
from tools.bench_mcu.graphs import FIRES, GRAPHS, Graph

HERE = Path(__file__).resolve().parent

MCU = HERE.parents[1] / "mcu"
BOARDS = {  # target: (core, machine, flags)
    "cortex-m4": ("cortex-m4", "mps2-an386", "-mfloat-abi=soft"),
    "cortex-m55": ("cortex-m55", "mps3-an547", "-mfloat-abi=hard"),
    "cortex-m3": ("cortex-m3", "mps2-an385", "-mfloat-abi=soft"),  # in plain C, as the next
    "cortex-m0plus": ("cortex-m0plus", "mps2-an385", "-mfloat-abi=soft"),  # whose instructions an M3 has, too
}
MEMORY = """MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 512K  RAM : ORIGIN = 0x20000000, LENGTH = 512K
WEIGHTS : ORIGIN = %s, LENGTH = 2048K }
"""
WEIGHTS_AT = {**dict.fromkeys(BOARDS, "0x00100000"), "cortex-m55": "0x01000000"}


@dataclass(frozen=True)
class Layer:
    """A convolution of a network and the rows of its map."""

    name: str
    conv: ConvKernel
    rows: int

    @property
    def macs(self) -> int:
        """Multiplications for the whole map."""
        return self.rows * self.conv.out_width * self.conv.weights.size


def layers(graph: Graph, powers_of_two: bool = False) -> list[Layer]:
    """Return the convolutions of SqueezeNet v1.1 with SAME padding, with scales as they come or powers of two."""

    def scaled(channels: int) -> int:
        return int(channels * graph.width)

    size, channels = -(-graph.size // 2), scaled(64)
    result = [_layer("conv1", size, 3, channels, 3, stride=2)]
    for i, (squeeze, expand) in enumerate(FIRES):
        size = -(-size // 2) if i in (0, 2, 4) else size
        result.append(_layer(f"fire{i + 2}/squeeze1x1", size, channels, scaled(squeeze)))
        result.append(_layer(f"fire{i + 2}/expand1x1", size, scaled(squeeze), scaled(expand)))
        result.append(_layer(f"fire{i + 2}/expand3x3", size, scaled(squeeze), scaled(expand), 3))
        channels = 2 * scaled(expand)
    result.append(_layer("conv10", size, channels, graph.classes, mean=True))
    assert sum(layer.macs for layer in result) == graph.macs
    return [_by_shifts(layer) for layer in result] if powers_of_two else result


def _by_shifts(layer: Layer) -> Layer:
    requant = replace(layer.conv.requant, multiplier=np.full(layer.conv.out_channels, 1 << 30, np.int32), zero_point=0)
    return replace(layer, conv=replace(layer.conv, requant=requant))


def _layer(
    name: str, size: int, channels: int, filters: int, kernel: int = 1, stride: int = 1, mean: bool = False
) -> Layer:
    zero_point = 0 if mean else -128  # logits go either way
    requant = Requant(np.full(filters, 3 << 29, np.int32), np.full(filters, -8, np.int8), zero_point, -128, 127)
    conv = ConvKernel(
        weights=np.zeros((filters, kernel, kernel, channels), np.int8),
        bias=np.zeros(filters, np.int32),
        requant=requant,
        window=Window(kernel, kernel, stride, stride, kernel // 2, kernel // 2 if stride == 1 else 0),
        in_width=size * stride,
        in_channels=channels,
        out_width=size,
        out_channels=filters,
        input_zero_point=-128,
        depthwise=False,
        mean=requant if mean else None,
    )
    return Layer(name, conv, size)


def _program(todo: Sequence[Layer], target: str) -> str:
    lines = [
        '#include "sqz_ops.h"',
        "int main(void);",
        "void bench_mark(void);",
        '__attribute__((noinline)) void bench_mark(void) { __asm__ volatile("" ::: "memory"); }',
        "static _Alignas(16) int8_t row[1 << 17], out[1 << 17], scratch[1 << 15], state[1 << 12];",
        "static const int8_t *const in[] = {row, row, row, row, row, row, row};",
        "static const sqz_rows rows = {in, 0, scratch, state, 0}, mean_rows = {in, 0, scratch, state, 0};",
    ]
    calls = []
    for i, layer in enumerate(todo):
        choice, conv, window = lay_out(layer.conv, target), layer.conv, layer.conv.window
        assert choice.weights is not None
        lines.append(
            f'static _Alignas(16) __attribute__((section(".model"))) const int8_t w{i}[{len(choice.weights)}] = {{1}};'
            f"static const int32_t b{i}[{conv.out_channels}] = {{1}}, m{i}[{conv.out_channels}] = {{1 << 30}};"
            f"static const int8_t s{i}[{conv.out_channels}] = {{{', '.join(map(str, conv.requant.shift))}}};"
        )
        numbers = [conv.in_width, conv.in_channels, conv.out_width, conv.out_channels, conv.out_channels]
        numbers += [window.kernel_h, window.kernel_w, window.stride_w, window.pad_left, 1, 1, -128]
        fields = (
            f"{{w{i}, b{i}, {{m{i}, s{i}, 1, {conv.requant.zero_point}, -128, 127}}, {', '.join(map(str, numbers))}}}"
        )
        kind = "sqz_conv"
        if conv.mean:
            kind, fields = "sqz_conv_mean", f"{{{fields}, {{m{i}, s{i}, 0, -128, -128, 127}}, 1}}"
        lines.append(f"static const {kind} p{i} = {fields};")
        calls.append(f"    bench_mark(); {choice.function}(&p{i}, &{'mean_rows' if conv.mean else 'rows'});")
    lines[6] = lines[6].replace("rows = {in, 0,", "rows = {in, out,", 1)
    return "\n".join([*lines, "int main(void) {", *calls, "    bench_mark();", "    return 0;", "}", ""])


def measure(
    todo: Sequence[Layer], target: str, flags: Sequence[str] = ("-O2",), compiler: Sequence[str] = ()
) -> list[int]:
    """Return the instructions of one row of each layer; another compiler than GCC makes the library's objects."""
    core, machine, float_abi = BOARDS[target]
    folder = Path(tempfile.mkdtemp(prefix="sqz-bench-"))
    functions = {lay_out(layer.conv, target).function for layer in todo}
    for name, text in library.files(functions).items():
        (folder / name).write_text(text)
    (folder / "main.c").write_text(_program(todo, target))
    (folder / "memory.ld").write_text(MEMORY % WEIGHTS_AT[target])
    boards = MCU / "boards"
    command = ["arm-none-eabi-gcc", "-std=gnu11", f"-mcpu={core}", "-mthumb", float_abi, "-ffunction-sections", *flags]
    command += [
        "-nostartfiles",
        "-Wl,--gc-sections",
        f"-T{folder}/memory.ld",
        f"-T{boards}/bare/sections.ld",
        f"-I{folder}",
    ]
    library_c = sorted(folder.glob("sqz_*.c"))
    if compiler:
        own = [*compiler, "-std=c11", f"-mcpu={core}", "-mthumb", float_abi, "-fshort-enums", "-ffunction-sections"]
        subprocess.run([*own, *flags, "-c", *map(str, library_c)], check=True, cwd=folder)
    objects = sorted(folder.glob("*.o")) if compiler else library_c
    command += ["-o", f"{folder}/bench.elf", f"{folder}/main.c", *map(str, objects)]
    command += [f"{boards}/cortex_m/startup.c", f"{boards}/bare/start.c", f"{boards}/bare/semihosted_board.c"]
    subprocess.run(command, check=True)
    marks = [total for _, total in count.count(folder / "bench.elf", machine, marks=["bench_mark"]).marks]
    return [after - before for before, after in itertools.pairwise(marks)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print instructions and instructions per MAC, by layer or by kind of layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=BOARDS, default="cortex-m4")
    parser.add_argument("--graph", choices=GRAPHS, nargs="+", default=sorted(GRAPHS))
    parser.add_argument("--layers", action="store_true", help="every layer, not kinds of layers")
    parser.add_argument("--powers-of-two", action="store_true", help="scales of Ristretto's kind")
    options = parser.parse_args(arguments)
    for name in options.graph:
        todo = layers(GRAPHS[name], options.powers_of_two)
        sums: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
        for layer, instructions in zip(todo, measure(todo, options.target), strict=True):
            for key in ("all", layer.name if options.layers else layer.name.split("/")[-1]):
                sums[key][0] += instructions * layer.rows
                sums[key][1] += layer.macs
        for key, (instructions, macs) in sums.items():
            print(f"{name} {key:<18} {instructions:>13,} instructions {instructions / macs:6.3f} per MAC")
    return 0


if __name__ == "__main__":
    sys.exit(main())
