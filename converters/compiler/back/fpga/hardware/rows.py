"""The row memory: block RAM in LANES banks, so that LANES bytes at any address are read or written in a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import BYTES, LANES

BANK_BITS = (LANES - 1).bit_length()


class RowMemory(Component):
    """Reads the LANES bytes from `read_address` on (a cycle later), writes those of `write_mask` at `write_address`."""

    def __init__(self, depth: int, address_bits: int) -> None:
        self.words = -(-depth // LANES)
        super().__init__(
            {
                "read_address": In(address_bits),
                "read_data": Out(BYTES),
                "write_address": In(address_bits),
                "write_mask": In(LANES),
                "write_data": In(BYTES),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        turned = Signal(BANK_BITS)
        m.d.sync += turned.eq(self.read_address)
        read = []
        for bank in range(LANES):
            memory = m.submodules[f"bank_{bank}"] = Memory(shape=8, depth=self.words, init=[])
            reading, writing = memory.read_port(), memory.write_port()
            lane = Signal(BANK_BITS, name=f"lane_{bank}")
            m.d.comb += [
                reading.addr.eq(self._word(self.read_address, bank)),
                reading.en.eq(1),
                lane.eq(LANES + bank - self.write_address[:BANK_BITS]),
                writing.addr.eq(self._word(self.write_address, bank)),
                writing.en.eq(self.write_mask.bit_select(lane, 1)),
                writing.data.eq(self.write_data.as_value().word_select(lane, 8)),
            ]
            read.append(reading.data)
        for lane in range(LANES):
            bank = Signal(BANK_BITS, name=f"bank_of_{lane}")
            m.d.comb += bank.eq(LANES + lane + turned)
            m.d.comb += self.read_data[lane].eq(Cat(*read).word_select(bank, 8).as_signed())
        return m

    def _word(self, address: Signal, bank: int) -> Value:
        """Return where a bank has its byte of those from `address` on: its word, or the one after."""
        if bank == LANES - 1:
            return address[BANK_BITS:]
        return (address + (LANES - 1 - bank))[BANK_BITS:]
