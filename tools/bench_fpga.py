"""What networks take as hardware: `python -m tools.bench_fpga`.

Cycles and memories follow from shapes, so the networks are untrained, with scales rounded to powers of two. A line for
each network and number of multipliers; `--json` for programs. LUTs take Yosys, half an hour for ImageNet's weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from converters.compiler.accelerator import design_accelerator
from converters.compiler.back.fpga import build
from converters.compiler.back.fpga.jobs import Design
from converters.tflite import edit
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import ModelSpec
from sqz_tf.deploy.fpga import compare, devices, figures, simulate, synthesize
from sqz_tf.trials.untrained import untrained

DIGITS = ModelSpec(input_size=48, channels=1, classes=10, width=0.25)
IMAGENET = ModelSpec(arch="squeezenet-1.0", input_size=227, conv10_padding=1)
SYNTHESIZED = [name for name, device in devices.DEVICES.items() if device.family in synthesize.SCRIPTS]
NETWORKS = {"digits": (DIGITS, (16, 32, 64)), "imagenet-1.0": (IMAGENET, (64, 128))}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_fpga", description=__doc__)
    parser.add_argument("network", nargs="*", choices=[*NETWORKS, []], help="default: all")
    parser.add_argument("--simulate", type=int, default=0, metavar="N", help="random pictures, every row compared")
    parser.add_argument("--synthesize", choices=SYNTHESIZED, metavar="DEVICE", help="place and route, or count LUTs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    for told in measured(arguments.network or list(NETWORKS), arguments.simulate, arguments.synthesize):
        if arguments.json:
            print(json.dumps(told))
        else:
            print(told["network"], told["multipliers"], "multipliers:", *figures.lines(told))
    return 0


def measured(names: list[str], pictures: int = 0, device: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the figures of networks; with pictures, what Verilator makes of so many; with a device, what Yosys does."""
    part = devices.DEVICES[device or "ecp5-85k"]
    for name in names:
        spec, counts = NETWORKS[name]
        model = powers_of_two(untrained(spec))
        for count in counts:
            of = design_accelerator(model, count)
            if device:
                devices.require_fit(of, part)
            told = {"network": name, **figures.told(of, part)}
            if pictures:
                told["simulation"] = simulated(model, of, pictures)
            if device:
                netlist = build.to_rtlil(of, "network")
                taken = synthesize.synthesize(netlist, "network", part, devices.CLOCK)
                told["placed"] = figures.placed(of, taken)
            yield told


def simulated(model: bytes, of: Design, pictures: int) -> dict[str, Any]:
    """Return what Verilator makes of random pictures, every row compared with TFLite's reference kernels."""
    source = of.program.streams[0]
    shape = (pictures, source.height, source.width, source.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with simulate.simulator(build.to_verilog(of, "network"), "network") as program:
        found = simulate.run(program, of, pixels, traced=True)
    difference = compare.differing(model, of, "network", to_int8(pixels), found)
    verdict = difference or "every score and every row equal"
    return {"pictures": pictures, "verdict": verdict, "cycles": found.cycles.tolist()}


def powers_of_two(model: bytes) -> bytes:
    """Return a network of the same shapes whose scales are the nearest powers of two, with zero points of 0."""
    form = edit.unpack(model)
    (graph,) = form.subgraphs
    for index, tensor in enumerate(graph.tensors):
        quantization = tensor.quantization
        if quantization is None or quantization.scale is None or index in graph.outputs:
            continue
        nearest = 2.0 ** np.round(np.log2(np.asarray(quantization.scale, np.float64)))
        quantization.scale = nearest.astype(np.float32)
        quantization.zeroPoint = np.zeros(len(nearest), np.int64)
    return edit.pack(form)


if __name__ == "__main__":
    sys.exit(main())
