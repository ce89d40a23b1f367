"""The loader: takes pixels as they come and writes them to the ring of input rows, at most one row ahead."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out


class Loader(Component):
    """Writes a byte a cycle, as long as a row may be written (`grant`) and nobody else writes (`busy`)."""

    def __init__(self, address: int, ring_rows: int, rows: int, row_bytes: int, address_bits: int) -> None:
        self.first, self.ring_rows, self.rows, self.row_bytes = address, ring_rows, rows, row_bytes
        super().__init__(
            {
                "pixel": In(8),
                "pixel_valid": In(1),
                "pixel_ready": Out(1),
                "grant": In(1),  # one row more may be written
                "take": In(1),  # a row was taken
                "row_there": Out(1),
                "busy": In(1),
                "write": Out(1),
                "address": Out(address_bits),
                "byte": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        allowed, there = Signal(2, init=1), Signal(2)
        row, slot, column = Signal(range(self.rows)), Signal(range(self.ring_rows)), Signal(range(self.row_bytes))
        place = Signal(len(self.address), init=self.first)
        ends, granted = Signal(), Signal(2)  # whoever reads the row before has two cycles to do so
        m.d.comb += [
            self.pixel_ready.eq((allowed != 0) & ~self.busy),
            self.write.eq(self.pixel_valid & self.pixel_ready),
            self.address.eq(place),
            self.byte.eq(self.pixel ^ 0x80),
            self.row_there.eq(there != 0),
            ends.eq(self.write & (column == self.row_bytes - 1)),
        ]
        m.d.sync += granted.eq((granted << 1) | self.grant)
        m.d.sync += [allowed.eq(allowed + granted[1] - ends), there.eq(there + ends - self.take)]
        with m.If(self.write):
            m.d.sync += [column.eq(column + 1), place.eq(place + 1)]
        with m.If(ends):
            m.d.sync += [column.eq(0), row.eq(row + 1), slot.eq(slot + 1)]
            with m.If(slot == self.ring_rows - 1):
                m.d.sync += [slot.eq(0), place.eq(self.first)]
            with m.If(row == self.rows - 1):  # the next picture begins
                m.d.sync += [row.eq(0), slot.eq(0), place.eq(self.first)]
        return m
