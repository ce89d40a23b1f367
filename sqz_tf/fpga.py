"""A network as hardware: `python -m sqz_tf.fpga MODEL.tflite --out DIR`, without TensorFlow.

The model's scales must be powers of two (`sqz_tf.export --scheme ristretto`). The folder holds Verilog of an
accelerator with the weights in it, and C that makes scores of the sums it sends.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from converters import compiler
from sqz_tf import __version__
from sqz_tf.artifact.disk import require_place
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.errors import ConversionError, OutputError, translated
from sqz_tf.base.paths import absolute
from sqz_tf.base.shipped import shipped_model
from sqz_tf.base.text import printable
from sqz_tf.deploy.c_folder import default_name, write_folder
from sqz_tf.deploy.fpga import devices
from sqz_tf.inference.model_file import int8_given

EXAMPLES = """\
examples:
  python -m sqz_tf.fpga model_int8.tflite --out hardware
  python -m sqz_tf.fpga model_int8.tflite --out hardware --macs 64 --simulate --image seven.png three.png --rows
  python -m sqz_tf.fpga model_int8.tflite --out hardware --device ecp5-85k --synthesize
"""
DEVICES = tuple(devices.DEVICES)
MACS = (16, 32, 48, 64, 96, 128)


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.fpga",
        description="Write an int8 .tflite whose scales are powers of two as hardware: an accelerator in Verilog that "
        "streams rows, byte equal to TFLite's reference kernels. Exit code 0: done, 1: the model cannot be "
        "hardware, or a comparison failed, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=shipped_model, help="an int8 .tflite of one picture, or a .sqz")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to write")
    parser.add_argument("--device", choices=DEVICES, default=DEVICES[0], help="to fit on (default: %(default)s)")
    parser.add_argument("--macs", type=int, choices=MACS, metavar="N", default=None, help=_MACS)
    parser.add_argument("--simulate", action="store_true", help="run pictures in Verilator and compare every score")
    parser.add_argument("--image", nargs="+", metavar="FILE", default=[], help="with --simulate: the pictures")
    parser.add_argument("--rows", action="store_true", help="with --simulate: compare every row of every layer, too")
    parser.add_argument(
        "--synthesize",
        action="store_true",
        help="place and route: logic, block RAM, highest clock; for Xilinx parts counts alone",
    )
    common_options(parser, json="print the figures as JSON", quiet="no notes")
    return parser


_SYNTHESIZE = "place and route: logic, block RAM, highest clock; for parts of Xilinx only count blocks"
_MACS = f"multipliers: {', '.join(map(str, MACS))} (default: 32, or 16 where the device has fewer)"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.simulate != bool(arguments.image):
        parser.error("--simulate and --image go together: give both, or neither")
    if arguments.rows and not arguments.simulate:
        parser.error("--rows is for --simulate")
    return command(arguments, _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    data = int8_given(arguments.model)
    _require_place(arguments.out)
    from sqz_tf.deploy.fpga import synthesize

    device = devices.DEVICES[arguments.device]
    synthesize.require(device, arguments.synthesize)
    from converters.compiler.accelerator import design_accelerator
    from converters.compiler.back.fpga import build, scores
    from sqz_tf.deploy.fpga import compare, figures, simulate

    if arguments.simulate:
        simulate.require()
    pictures = compare.prepared(arguments.model, data, arguments.image) if arguments.simulate else None
    macs = arguments.macs or devices.multipliers_for(device)
    with translated(ConversionError, f"{arguments.model} cannot be hardware"):
        design = design_accelerator(data, macs)
    devices.require_fit(design, device)
    name = compiler.model_name(default_name(arguments.model))
    console.note(f"{arguments.model}: {design.macs:,} multiply-accumulates on {macs} multipliers; writing Verilog")
    with translated(ConversionError, "the Verilog could not be written"):
        verilog = build.to_verilog(design, name)
    provenance = {"tools": f"sqz-tf {__version__}", "device": device.name}
    told: dict[str, Any] = figures.told(design, device)
    if pictures is not None:
        console.note(f"building the simulator, then {len(pictures)} pictures")
        hardware = compare.Hardware(design, verilog, name)
        told["simulation"] = compare.pictures(data, hardware, pictures, arguments.rows)
        if not told["simulation"]["equal"]:
            raise simulate.SimulationError(
                f"the hardware is wrong: {told['simulation']['verdict']}; nothing is written"
            )
    if arguments.synthesize:
        console.note("Yosys and nextpnr take minutes" if device.options else "Yosys takes minutes")
        with translated(ConversionError, "the netlist could not be written"):
            rtlil = build.to_rtlil(design, name)
        taken = synthesize.synthesize(rtlil, name, device, devices.CLOCK)
        told["placed"] = figures.placed(design, taken)
    if arguments.json:
        show_json(json.dumps(told, indent=1))
    else:
        show("\n".join(figures.lines(told)))
    write_folder(arguments.out, {f"{name}.v": verilog, **scores.c_files(design, name, provenance)})
    console.note(f"{printable(str(arguments.out))}: {name}.v and {name}_scores.c")
    return EXIT_OK


def _require_place(folder: Path) -> None:
    """Raise if a folder could not be written, before the first minute."""
    if Path.cwd().is_relative_to(absolute(folder)):
        raise OutputError(f"{folder} is where this command runs", fix="choose another --out")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputError(f"{folder} exists", fix="choose another --out")
    require_place(absolute(folder))


if __name__ == "__main__":
    sys.exit(main())
