"""What FPGAs have, and what a design takes of it, told before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from converters.compiler.back.fpga.jobs import Design
from sqz_tf.base.errors import ConversionError

ECP5, XILINX, ICE40 = "ecp5", "xilinx", "ice40"
SOURCES = {
    ECP5: "Lattice, ECP5 and ECP5-5G Family Data Sheet, FPGA-DS-02012",
    XILINX: "AMD, 7 Series FPGAs Data Sheet: Overview, DS180, and Zynq-7000 SoC Data Sheet: Overview, DS190",
    ICE40: "Lattice, iCE40 UltraPlus Family Data Sheet, FPGA-DS-02008",
}
BLOCKS_OF_18K = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
ASPECTS = {  # bits and words of a block of RAM: DP16KD, RAMB18E1, SB_RAM40_4K
    ECP5: BLOCKS_OF_18K,
    XILINX: BLOCKS_OF_18K,
    ICE40: ((16, 256), (8, 512), (4, 1024), (2, 2048)),
}
LEAST = 16
"""Multipliers of the smallest accelerator."""
CLOCK = 50.0
"""MHz that are asked of a place, and that times are told for where nothing was placed."""


@dataclass(frozen=True)
class Device:
    """One FPGA: how many of its blocks a design may take, and what nextpnr calls it where it is placed, too."""

    name: str
    family: str
    luts: int
    multipliers: int
    block_rams: int
    options: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The document its figures are from."""
        return SOURCES[self.family]


PACKAGE = ("--package", "CABGA381", "--speed", "6")
DEVICES = {
    each.name: each
    for each in (
        Device("ecp5-85k", ECP5, 83_640, 156, 208, ("--85k", *PACKAGE)),
        Device("ecp5-25k", ECP5, 24_288, 28, 56, ("--25k", *PACKAGE)),
        Device("xc7a35t", XILINX, 20_800, 90, 100),
        Device("xc7z020", XILINX, 53_200, 220, 280),
        Device("xc7z045", XILINX, 218_600, 900, 1_090),
        Device("up5k", ICE40, 5_280, 8, 30),
    )
}


def block_rams(design: Design, device: Device) -> dict[str, int]:
    """Return how many block RAMs of a device each memory of a design takes, of the shape that takes the fewest."""
    from converters.compiler.back.fpga.build import word_bits  # takes Amaranth, which a command asks for by name

    shapes = ASPECTS[device.family]
    return {name: _blocks(bits, words, shapes) * count for name, (bits, words, count) in word_bits(design).items()}


def _blocks(bits: int, words: int, shapes: tuple[tuple[int, int], ...]) -> int:
    return min(-(-bits // width) * -(-words // depth) for width, depth in shapes)


def multipliers_for(device: Device) -> int:
    """Return how many multipliers an accelerator has unless that is asked for."""
    return 32 if device.multipliers >= 32 else LEAST


def require_fit(design: Design, device: Device) -> None:
    """Raise unless a device has the multipliers and the block RAM of a design.

    Raises:
      ConversionError: it has not.
    """
    if design.multipliers > device.multipliers:
        raise ConversionError(
            f"the accelerator has {design.multipliers} multipliers",
            expected=f"at most the {device.multipliers} of {device.name}",
            fix="give fewer with --macs, or another --device"
            if device.multipliers >= LEAST
            else "give another --device",
        )
    taken = block_rams(design, device)
    if sum(taken.values()) > device.block_rams:
        parts = ", ".join(f"{name} {count}" for name, count in taken.items())
        raise ConversionError(
            f"the network takes {sum(taken.values())} block RAMs ({parts})",
            expected=f"at most the {device.block_rams} of {device.name}",
            fix="take a larger device or a smaller network",
        )
