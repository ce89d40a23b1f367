"""The multipliers: LANES input bytes, shared by all outputs, times a word of weights, added up for each output."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import BYTES, LANES


class MultiplierArray(Component):
    """Three cycles after its bytes and weights, `sums` hold them; with `first` they begin anew."""

    def __init__(self, outputs: int, sum_bits: int) -> None:
        self.outputs, self.sum_bits = outputs, sum_bits
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "bytes": In(BYTES),
                "weights": In(data.ArrayLayout(BYTES, outputs)),
                "sums": Out(data.ArrayLayout(signed(sum_bits), outputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        valid, first = Signal(2), Signal(2)
        m.d.sync += [valid.eq((valid << 1) | self.valid), first.eq((first << 1) | self.first)]
        for output in range(self.outputs):
            products = [Signal(signed(16), name=f"product_{output}_{lane}") for lane in range(LANES)]
            for lane, product in enumerate(products):
                m.d.sync += product.eq(self.bytes[lane] * self.weights[output][lane])
            added = Signal(signed(18), name=f"added_{output}")
            m.d.sync += added.eq((products[0] + products[1]) + (products[2] + products[3]))
            before = Signal(signed(self.sum_bits), name=f"before_{output}")
            with m.If(~first[1]):
                m.d.comb += before.eq(self.sums[output])
            with m.If(valid[1]):
                m.d.sync += self.sums[output].eq((before + added)[: self.sum_bits].as_signed())
        return m
