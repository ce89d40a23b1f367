"""The sums of the last layer's bytes over all pixels, and what sends them when the picture is done."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import BYTES, LANES

BITS = 32


class Sums(Component):
    """Adds LANES bytes a cycle to the sums of `word`; `fresh` ones begin anew. `send` makes it send all of them."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.words = -(-classes // LANES)
        super().__init__(
            {
                "add": In(1),
                "fresh": In(1),
                "word": In(range(max(self.words, 2))),
                "bytes": In(BYTES),
                "send": In(1),
                "sent": Out(1),
                "sum": Out(signed(BITS)),
                "sum_valid": Out(1),
                "sum_ready": In(1),
                "sum_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        layout = data.ArrayLayout(signed(BITS), LANES)
        memory = m.submodules.memory = Memory(shape=layout, depth=self.words, init=[])
        before, out = memory.read_port(domain="comb"), memory.read_port(domain="comb")
        after = memory.write_port()
        m.d.comb += [before.addr.eq(self.word), after.addr.eq(self.word), after.en.eq(self.add)]
        for lane in range(LANES):
            so_far = Signal(signed(BITS), name=f"so_far_{lane}")
            m.d.comb += so_far.eq(Mux(self.fresh, 0, before.data[lane]))
            m.d.comb += after.data[lane].eq(so_far + self.bytes[lane])
        count = Signal(range(max(self.classes, 2)))
        sending = Signal()
        lane_bits = (LANES - 1).bit_length()
        m.d.comb += [
            out.addr.eq(count[lane_bits:]),
            self.sum.eq(out.data[count[:lane_bits]]),
            self.sum_valid.eq(sending),
            self.sum_last.eq(count == self.classes - 1),
            self.sent.eq(sending & self.sum_ready & self.sum_last),
        ]
        with m.If(self.send):
            m.d.sync += [sending.eq(1), count.eq(0)]
        with m.Elif(sending & self.sum_ready):
            m.d.sync += count.eq(count + 1)
            with m.If(self.sum_last):
                m.d.sync += sending.eq(0)
        return m
