"""What FPGAs have, and what a design takes of it, told before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from converters.compiler.back.fpga.build import word_bits
from converters.compiler.back.fpga.jobs import Design
from sqz_tf.base.errors import ConversionError

SOURCE = "Lattice, ECP5 and ECP5-5G Family Data Sheet, FPGA-DS-02012"
ASPECTS = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))  # bits and words of a block, DP16KD


@dataclass(frozen=True)
class Device:
    """One FPGA: how many of its blocks a design may take, and what nextpnr calls it."""

    name: str
    luts: int
    multipliers: int
    block_rams: int
    options: tuple[str, ...]
    source: str = SOURCE


PACKAGE = ("--package", "CABGA381", "--speed", "6")
DEVICES = {
    each.name: each
    for each in (
        Device("ecp5-85k", 83_640, 156, 208, ("--85k", *PACKAGE)),
        Device("ecp5-25k", 24_288, 28, 56, ("--25k", *PACKAGE)),
    )
}


def block_rams(design: Design) -> dict[str, int]:
    """Return how many block RAMs each memory of a design takes, of the shape that takes the fewest."""
    return {name: _blocks(bits, words) * count for name, (bits, words, count) in word_bits(design).items()}


def _blocks(bits: int, words: int) -> int:
    return min(-(-bits // width) * -(-words // depth) for width, depth in ASPECTS)


def require_fit(design: Design, device: Device) -> None:
    """Raise unless a device has the multipliers and the block RAM of a design.

    Raises:
      ConversionError: it has not.
    """
    if design.multipliers > device.multipliers:
        raise ConversionError(
            f"--macs is {design.multipliers}", expected=f"at most the {device.multipliers} multipliers of {device.name}"
        )
    taken = block_rams(design)
    if sum(taken.values()) > device.block_rams:
        parts = ", ".join(f"{name} {count}" for name, count in taken.items())
        raise ConversionError(
            f"the network takes {sum(taken.values())} block RAMs ({parts})",
            expected=f"at most the {device.block_rams} of {device.name}",
            fix="take a larger device or a smaller network",
        )
