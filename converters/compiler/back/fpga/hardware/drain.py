"""The drain: turns a group of finished sums into bytes, LANES a cycle, and says where they belong."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import BYTES, LANES, Sizes
from converters.compiler.back.fpga.hardware.requantize import Requantizer

STAGES = 4  # cycles from a quad of sums to its bytes


class Drain(Component):
    """Takes sums, or maxima, with `take`; from then on one word of LANES bytes a cycle comes out.

    `table` holds biases and shifts, one word for LANES channels.
    """

    def __init__(self, sizes: Sizes, table: list[dict[str, list[dict[str, int]]]]) -> None:
        self.sizes, self.words = sizes, table
        super().__init__(
            {
                "take": In(1),
                "maximum": In(1),
                "sums": In(data.ArrayLayout(signed(sizes.sum), sizes.outputs)),
                "largest": In(BYTES),
                "tag": In(sizes.tag),
                "write": Out(1),  # bytes for the row memory
                "add": Out(1),  # bytes for the sums
                "fresh": Out(1),
                "address": Out(sizes.address),
                "mask": Out(LANES),
                "bytes": Out(BYTES),
                "retired": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        sizes = self.sizes
        rom = m.submodules.table = Memory(shape=sizes.table_word, depth=len(self.words), init=self.words)
        table = rom.read_port()
        quad_bits = LANES * sizes.sum

        # A group waits here until all its words were sent on.
        held, tag, active = Signal(sizes.outputs * sizes.sum), Signal(sizes.tag), Signal()
        with m.If(self.take):
            widened = Cat(
                *(Cat(self.largest[lane], self.largest[lane][-1].replicate(sizes.sum - 8)) for lane in range(LANES))
            )
            m.d.sync += [held.eq(Mux(self.maximum, widened, self.sums.as_value())), tag.eq(self.tag), active.eq(1)]
        with m.Elif(active):
            m.d.sync += [
                held.eq(held >> quad_bits),
                tag.out.eq(tag.out + LANES),
                tag.left.eq(tag.left - LANES),
                tag.quads.eq(tag.quads - 1),
                active.eq(tag.quads != 0),
            ]
            with m.If(~tag.uniform):
                m.d.sync += tag.table.eq(tag.table + 1)
        m.d.comb += [table.addr.eq(tag.table), table.en.eq(1)]

        # One cycle for the table, three for the requantizers; the tag keeps step.
        ready, sums = Signal(), Signal(quad_bits)
        m.d.sync += sums.eq(held[:quad_bits])
        tags = [Signal(sizes.tag, name=f"tag_{stage}") for stage in range(STAGES)]
        valid = [Signal(name=f"valid_{stage}") for stage in range(STAGES)]
        m.d.comb += ready.eq(active)
        for stage in range(STAGES):
            m.d.sync += tags[stage].eq(tags[stage - 1] if stage else tag)
            m.d.sync += valid[stage].eq(valid[stage - 1] if stage else ready)
        for lane in range(LANES):
            unit = m.submodules[f"requantizer_{lane}"] = Requantizer(sizes.sum)
            m.d.comb += [
                unit.sum.eq(sums.word_select(lane, sizes.sum).as_signed()),
                unit.bias.eq(table.data.lanes[lane].bias),
                unit.shift.eq(table.data.lanes[lane].shift),
                unit.zero.eq(tags[2].zero),
                unit.low.eq(tags[2].low),
                unit.high.eq(tags[2].high),
                self.bytes[lane].eq(unit.byte),
                self.mask[lane].eq(tags[3].left >= lane + 1),
            ]
        end = tags[STAGES - 1]
        m.d.comb += [
            self.write.eq(valid[STAGES - 1] & ~end.to_sums),
            self.add.eq(valid[STAGES - 1] & end.to_sums),
            self.fresh.eq(end.fresh),
            self.address.eq(end.out),
            self.retired.eq(valid[STAGES - 1] & (end.quads == 0)),
            self.done.eq(self.retired & end.done),
        ]
        return m
