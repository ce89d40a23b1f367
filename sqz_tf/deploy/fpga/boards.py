"""FPGA boards people own, and whether a network's accelerator fits them; of the tools it takes Amaranth alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from converters.compiler.accelerator import design_accelerator
from sqz_tf.base.errors import ConversionError
from sqz_tf.deploy.fpga import devices, figures
from sqz_tf.deploy.fpga.devices import CLOCK


@dataclass(frozen=True)
class FpgaBoard:
    """One board.

    Attributes:
      name: what `--board` calls it.
      title: what its maker calls it.
      device: its FPGA, as `sqz_tf.fpga --device` names it.
      source: where that is from.
    """

    name: str
    title: str
    device: str
    source: str


FPGA_BOARDS = {
    each.name: each
    for each in (
        FpgaBoard("ulx3s-85f", "Radiona ULX3S 85F", "ecp5-85k", "ULX3S manual, LFE5U-85F-6BG381C"),
        FpgaBoard("icebreaker", "1BitSquared iCEBreaker", "up5k", "iCEBreaker schematic v1.0e, iCE40UP5K-SG48"),
        FpgaBoard("zedboard", "Avnet ZedBoard (Zynq-7020)", "xc7z020", "ZedBoard Hardware User's Guide v2.2"),
        FpgaBoard("zc706", "AMD ZC706 (Zynq-7045, ZynqNet's part)", "xc7z045", "ZC706 Evaluation Board, UG954"),
    )
}


@dataclass(frozen=True)
class Placement:
    """What an accelerator takes of a board, or why there is none.

    Attributes:
      board: which.
      why_not: why it does not fit; empty if it does.
      figures: what `figures.told` says of it.
      source: the document that the figures of the FPGA are from.
    """

    board: FpgaBoard
    why_not: str
    figures: dict[str, Any]
    source: str

    @property
    def fits(self) -> bool:
        """Whether it fits."""
        return not self.why_not


def placement(model: bytes, board: FpgaBoard) -> Placement:
    """Return what a network's accelerator takes of a board.

    Args:
      model: the bytes of an int8 `.tflite`.
      board: which.

    Raises:
      ValueError: the network cannot be hardware: its scales are free, or an operator is lacking.
    """
    device = devices.DEVICES[board.device]
    why_not = ""
    for multipliers in sorted({devices.multipliers_for(device), devices.LEAST}, reverse=True):
        design = design_accelerator(model, multipliers)
        try:
            devices.require_fit(design, device)
        except ConversionError as error:
            why_not = f"{error.what}; expected {error.expected}"
        else:
            return Placement(board, "", figures.told(design, device), device.source)
    return Placement(board, why_not, figures.told(design, device), device.source)


def as_json(of: Placement) -> dict[str, Any]:
    """Return the same as plain values."""
    told = {**asdict(of.board), "fits": of.fits, "lacking": of.why_not}
    return {**told, "milliseconds": round(_milliseconds(of), 3), "at_mhz": CLOCK, **of.figures}


def lines(of: Placement) -> Iterator[str]:
    """Yield the same for a person."""
    taken, told = sum(of.figures["block_rams"].values()), of.figures
    yield f"{of.board.title}, {of.board.device}: {'fits' if of.fits else f'does not fit: {of.why_not}'}"
    yield (
        f"{told['multipliers']} multipliers, {taken} block RAMs; {told['cycles']:,} cycles a picture, "
        f"{_milliseconds(of):.2g} ms at {CLOCK:g} MHz"
    )
    yield f"Board: {of.board.source}. FPGA: {of.source}."


def _milliseconds(of: Placement) -> float:
    return float(of.figures["cycles"]) / CLOCK / 1000
