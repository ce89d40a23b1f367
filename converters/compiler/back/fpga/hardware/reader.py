"""The reader: fetches the bytes of a step from the row memory; outside the picture there are others in their place."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import BYTES, LANES, Sizes


class Reader(Component):
    """Three cycles after a step, `bytes` hold what it reads; `address` and `read` go to the row memory."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(
            {
                "step": In(sizes.step),
                "address": Out(sizes.address),
                "read": In(BYTES),
                "bytes": Out(BYTES),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        step = self.step
        inside, inside_later = Signal(LANES), Signal(LANES)
        fill, fill_later = Signal(8), Signal(8)
        m.d.sync += [
            self.address.eq((step.row + step.position)[: len(self.address)]),
            fill.eq(step.fill),
            inside_later.eq(inside),
            fill_later.eq(fill),
        ]
        for lane in range(LANES):
            place = step.position + lane
            m.d.sync += inside[lane].eq(step.inside & (place >= 0) & (place < step.row_bytes))
            m.d.sync += self.bytes[lane].eq(Mux(inside_later[lane], self.read[lane], fill_later.as_signed()))
        return m
