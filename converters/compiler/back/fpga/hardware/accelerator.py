"""The accelerator: all units joined.

pixels → Loader ─┐                ┌─────────── weights (ROM)
                 ▼                ▼
              RowMemory → Reader → MultiplierArray ─┐
                 ▲                 Maxima ──────────┤
                 │                                  ▼
                 └──────────────── bytes ──────── Drain ← biases, shifts (ROM)
                                                    └→ Sums → sums out
Sequencer ← control program (ROM): tells the Reader and the Drain, step by step
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.array import MultiplierArray
from converters.compiler.back.fpga.hardware.drain import Drain
from converters.compiler.back.fpga.hardware.loader import Loader
from converters.compiler.back.fpga.hardware.maxima import Maxima
from converters.compiler.back.fpga.hardware.reader import Reader
from converters.compiler.back.fpga.hardware.records import BYTES, LANES, Sizes
from converters.compiler.back.fpga.hardware.rows import RowMemory
from converters.compiler.back.fpga.hardware.sequencer import Sequencer
from converters.compiler.back.fpga.hardware.sums import BITS, Sums

READ = 3  # cycles from a step to its bytes
MULTIPLY = 3  # from there to its sums


@dataclass(frozen=True)
class Contents:
    """What makes an accelerator one network's.

    Attributes:
      sizes: how wide everything is.
      jobs: the control program, field by field.
      weights: words of the array's weights.
      table: biases and shifts.
      rows: bytes of the row memory.
      ring: address, rows in the ring, rows and bytes of a row of the input.
      classes: sums that go out.
    """

    sizes: Sizes
    jobs: list[dict[str, int]]
    weights: list[int]
    table: list[dict[str, Any]]
    rows: int
    ring: tuple[int, int, int, int]
    classes: int


class Accelerator(Component):
    """Pixels in, sums of the last layer's bytes out; `trace_…` say what is written, for simulation."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        super().__init__(
            {
                "pixel": In(8),
                "pixel_valid": In(1),
                "pixel_ready": Out(1),
                "sum": Out(signed(BITS)),
                "sum_valid": Out(1),
                "sum_ready": In(1),
                "sum_last": Out(1),
                "trace_write": Out(1),
                "trace_done": Out(1),
                "trace_address": Out(contents.sizes.address),
                "trace_mask": Out(LANES),
                "trace_bytes": Out(8 * LANES),
                "trace_activity": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        contents, sizes = self.contents, self.contents.sizes
        sequencer = m.submodules.sequencer = Sequencer(sizes, contents.jobs)
        reader = m.submodules.reader = Reader(sizes)
        rows = m.submodules.rows = RowMemory(contents.rows, sizes.address)
        array = m.submodules.array = MultiplierArray(sizes.outputs, sizes.sum)
        maxima = m.submodules.maxima = Maxima()
        drain = m.submodules.drain = Drain(sizes, contents.table)
        sums = m.submodules.sums = Sums(contents.classes)
        loader = m.submodules.loader = Loader(*contents.ring, sizes.address)
        word = data.ArrayLayout(BYTES, sizes.outputs)
        rom = m.submodules.weights = Memory(
            shape=sizes.outputs * LANES * 8, depth=len(contents.weights), init=contents.weights
        )
        weights = rom.read_port()

        # The step goes along with what it reads.
        steps = [sequencer.step]
        for stage in range(READ + MULTIPLY):
            steps.append(Signal(sizes.step, name=f"step_{stage + 1}"))
            m.d.sync += steps[-1].eq(steps[-2])
        word_read = Signal(word)
        read, made = steps[READ], steps[READ + MULTIPLY]
        m.d.comb += [
            reader.step.eq(steps[0]),
            rows.read_address.eq(reader.address),
            reader.read.eq(rows.read_data),
            weights.addr.eq(steps[1].weights),
            weights.en.eq(1),
            array.valid.eq(read.valid),
            array.first.eq(read.first),
            array.bytes.eq(reader.bytes),
            array.weights.eq(word_read),
            maxima.valid.eq(read.valid),
            maxima.first.eq(read.first),
            maxima.bytes.eq(reader.bytes),
            drain.take.eq(made.valid & made.last),
            drain.maximum.eq(made.maximum),
            drain.sums.eq(array.sums),
            drain.largest.eq(maxima.largest),
            drain.tag.eq(made.tag),
        ]
        m.d.sync += word_read.eq(weights.data)

        # Bytes go back to the rows, or to the sums; pixels use the cycles that are left.
        m.d.comb += [
            rows.write_address.eq(Mux(drain.write, drain.address, loader.address)),
            rows.write_mask.eq(Mux(drain.write, drain.mask, loader.write)),
            rows.write_data.eq(Mux(drain.write, drain.bytes.as_value(), loader.byte)),
            loader.busy.eq(drain.write),
            loader.pixel.eq(self.pixel),
            loader.pixel_valid.eq(self.pixel_valid),
            self.pixel_ready.eq(loader.pixel_ready),
            loader.grant.eq(sequencer.grant),
            loader.take.eq(sequencer.take),
            sequencer.row_there.eq(loader.row_there),
            sequencer.retired.eq(drain.retired),
            sequencer.sent.eq(sums.sent),
            sums.add.eq(drain.add),
            sums.fresh.eq(drain.fresh),
            sums.word.eq(drain.address[(LANES - 1).bit_length() :]),
            sums.bytes.eq(drain.bytes),
            sums.send.eq(sequencer.send),
            self.sum.eq(sums.sum),
            self.sum_valid.eq(sums.sum_valid),
            sums.sum_ready.eq(self.sum_ready),
            self.sum_last.eq(sums.sum_last),
        ]
        m.d.comb += [
            self.trace_write.eq(drain.write | drain.add),
            self.trace_done.eq(drain.done),
            self.trace_address.eq(drain.address),
            self.trace_mask.eq(drain.mask),
            self.trace_bytes.eq(drain.bytes.as_value()),
            self.trace_activity.eq(sequencer.activity),
        ]
        return m
