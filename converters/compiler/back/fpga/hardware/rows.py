"""The row memory: block RAM in LANES banks, so that LANES bytes at any address are read or written in a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
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
        m = Module()
        turned = Signal(BANK_BITS)
        m.d.sync += turned.eq(self.read_address[:BANK_BITS])
        read_word, read_bank = self.read_address[BANK_BITS:], self.read_address[:BANK_BITS]
        write_word, write_bank = self.write_address[BANK_BITS:], self.write_address[:BANK_BITS]
        read, write_lane = [], [Signal(BANK_BITS, name=f"lane_{bank}") for bank in range(LANES)]
        for bank in range(LANES):
            memory = m.submodules[f"bank_{bank}"] = Memory(shape=8, depth=self.words, init=[])
            reading, writing = memory.read_port(), memory.write_port()
            m.d.comb += [
                reading.addr.eq(read_word + (bank < read_bank)),
                reading.en.eq(1),
                write_lane[bank].eq(bank - write_bank),
                writing.addr.eq(write_word + (bank < write_bank)),
                writing.en.eq(self.write_mask.bit_select(write_lane[bank], 1)),
                writing.data.eq(self.write_data.as_value().word_select(write_lane[bank], 8)),
            ]
            read.append(reading.data)
        banks = Cat(*read)
        for lane in range(LANES):
            place = Signal(BANK_BITS, name=f"place_{lane}")
            m.d.comb += place.eq(turned + lane)
            m.d.comb += self.read_data[lane].eq(banks.word_select(place, 8).as_signed())
        return m
