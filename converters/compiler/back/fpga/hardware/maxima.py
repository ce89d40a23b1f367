"""The largest byte of each lane: what pooling needs."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import BYTES, LANES


class Maxima(Component):
    """Three cycles after its bytes, as the multipliers, `largest` holds them; with `first` they begin anew."""

    def __init__(self) -> None:
        super().__init__({"valid": In(1), "first": In(1), "bytes": In(BYTES), "largest": Out(BYTES)})

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        valid, first = Signal(2), Signal(2)
        early, late = Signal(BYTES), Signal(BYTES)
        m.d.sync += [valid.eq((valid << 1) | self.valid), first.eq((first << 1) | self.first)]
        m.d.sync += [early.eq(self.bytes), late.eq(early)]
        with m.If(valid[1]):
            for lane in range(LANES):
                larger = first[1] | (late[lane] > self.largest[lane])
                m.d.sync += self.largest[lane].eq(Mux(larger, late[lane], self.largest[lane]))
        return m
