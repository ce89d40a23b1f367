"""int32 to int8 by a shift, rounded twice as TFLite's reference kernels do (`MultiplyByQuantizedMultiplier`).

A scale of 2^-n is the multiplier 2^30 and a shift of n - 1 to the right. The multiplication halves, halves up; the
shift rounds halves away from zero.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out


class Requantizer(Component):
    """One channel; three cycles long, one result a cycle. `shift` is n, from 0 (nothing is rounded) to 32."""

    def __init__(self, sum_bits: int) -> None:
        self.bits = sum_bits
        super().__init__(
            {
                "sum": In(signed(sum_bits)),
                "bias": In(signed(sum_bits)),
                "shift": In(6),
                "zero": In(signed(8)),
                "low": In(signed(8)),
                "high": In(signed(8)),
                "byte": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        # Bias, and the multiplication: n = 0 has nothing to round.
        total = Signal(signed(self.bits))
        rounded = Signal(signed(self.bits + 1))
        halved = Signal(signed(self.bits))
        right = Signal(5)
        m.d.comb += [total.eq((self.sum + self.bias)[: self.bits].as_signed()), rounded.eq(total + 1)]
        m.d.sync += [
            halved.eq(Mux(self.shift == 0, total, rounded[1:].as_signed())),
            right.eq(Mux(self.shift == 0, 0, self.shift - 1)),
        ]
        # The shift: one bit more than is left says whether to round up; of negative numbers, after taking off 1.
        lowered = Signal(signed(self.bits + 1))
        shifted = Signal(signed(self.bits + 2))
        m.d.comb += lowered.eq(halved - ((halved < 0) & (right != 0)))
        m.d.sync += shifted.eq((lowered << 1) >> right)
        # Zero point and clamp.
        placed = Signal(signed(self.bits + 2))
        m.d.comb += placed.eq((shifted >> 1) + shifted[0] + self.zero)
        m.d.sync += self.byte.eq(Mux(placed < self.low, self.low, Mux(placed > self.high, self.high, placed)))
        return m
