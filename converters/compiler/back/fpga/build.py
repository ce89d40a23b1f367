"""From a design to its hardware, to Verilog and to what Yosys reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.back import rtlil

from converters.compiler.back.fpga import yosys
from converters.compiler.back.fpga.hardware.accelerator import Accelerator, Contents
from converters.compiler.back.fpga.hardware.records import SIGNED, Sizes
from converters.compiler.back.fpga.jobs import Design
from converters.compiler.back.fpga.layers import LANES, Layer
from converters.compiler.back.fpga.widths import techmap

FIELDS = (
    *("idle", "wait_row", "grant_row", "wait_writes", "finish", "diagonal", "uniform", "maximum", "to_sums", "fresh"),
    *("address", "ring", "ring_end", "row_bytes", "above", "below", "rows", "taps", "vectors", "tap_step", "first"),
    *("step", "pixels", "groups", "channels", "weights", "table", "out", "out_step", "fill", "low", "high", "zero"),
)
PASSES = """\
read_rtlil design.il
proc -norom
memory_collect
opt_expr
pmuxtree
techmap -max_iter 1 -map widths.v
opt_expr
opt_clean -purge
"""
SMALLEST_SUM = 18  # bits: of four products


def accelerator(design: Design) -> Accelerator:
    """Return the hardware of a design."""
    return Accelerator(contents(design))


def to_verilog(design: Design, name: str) -> str:
    """Return the hardware of a design as modules, `name` on top; the same design gives the same text."""
    return _written(design, name, "write_verilog -norename -noattr design.v", "design.v")


def to_rtlil(design: Design, name: str) -> str:
    """Return the same hardware in Yosys' own language: reading megabytes of Verilog takes it too long."""
    return _written(design, name, "write_rtlil netlist.il", "netlist.il")


def _written(design: Design, name: str, how: str, file: str) -> str:
    converted = rtlil.convert(accelerator(design), name=name, emit_src=False)
    return yosys.run(f"{PASSES}{how}\n", {"design.il": converted, "widths.v": techmap()}, file)


def contents(design: Design) -> Contents:
    """Return what makes an accelerator this design's."""
    life = design.plan.schedule.lives[0]
    source = design.program.streams[0]
    jobs = [{field: int(job.fields.get(field, 0)) for field in FIELDS} for job in design.jobs]
    return Contents(
        sizes(design, jobs),
        jobs,
        [int.from_bytes(word.tobytes(), "little") for word in design.weights],
        [_table_word(*each) for each in zip(design.bias, design.shift, strict=True)],
        design.plan.arena_bytes,
        (design.plan.stream_offset[0], life.ring_rows, source.height, source.row_bytes),
        design.layers[-1].channels,
    )


def sizes(design: Design, jobs: list[dict[str, int]]) -> Sizes:
    """Return how wide everything must be."""
    largest = max(each.largest for each in design.layers)
    channels = max(each.channels for each in design.layers)
    return Sizes(
        outputs=design.outputs,
        address=max(design.plan.arena_bytes, channels + design.outputs).bit_length(),
        position=max(_farthest(each, design.outputs) for each in design.layers).bit_length(),
        channels=(channels + design.outputs).bit_length(),
        weights=len(design.weights).bit_length(),
        table=(len(design.bias) + design.outputs).bit_length(),
        sum=max(largest.bit_length() + 1, SMALLEST_SUM),
        job=tuple((field, _bits(field, [job[field] for job in jobs])) for field in FIELDS),
    )


def _farthest(layer: Layer, outputs: int) -> int:
    """Return the farthest place in a row, on either side, that the loops of a layer come to, or a little more."""
    along = abs(layer.first) + layer.pixels * layer.step + layer.taps * layer.tap_step
    return along + LANES * (layer.vectors + layer.groups(outputs) + 1)


def _bits(field: str, values: list[int]) -> int:
    if field in SIGNED:
        return max(max(each, -each - 1).bit_length() for each in values) + 1
    return max(1, max(values).bit_length())


def _table_word(bias: np.ndarray, shift: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    return {"lanes": [{"bias": int(b), "shift": int(s)} for b, s in zip(bias, shift, strict=True)]}


def word_bits(design: Design) -> dict[str, tuple[int, int, int]]:
    """Return the memories that lie in block RAM: name → bits of a word, words, how many of them there are."""
    own = contents(design)
    return {
        "weights": (own.sizes.outputs * LANES * 8, len(own.weights), 1),
        "program": (sum(bits for _, bits in own.sizes.job), len(own.jobs), 1),
        "table": (LANES * (own.sizes.sum + 6), len(own.table), 1),
        "rows": (8, -(-own.rows // LANES), LANES),
    }
