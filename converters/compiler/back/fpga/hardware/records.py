"""What passes between the units: a job of the control program, a step of it, and what becomes of a finished sum."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

LANES = 4  # input bytes that are multiplied at once, and output bytes that are written at once


@dataclass(frozen=True)
class Sizes:
    """How wide things are, in bits, and how many outputs are computed at once.

    Attributes:
      outputs: output channels at once; each has LANES multipliers.
      address: of a byte in the row memory.
      position: of a byte in a row, which may lie outside of it: signed.
      channels: of a count of channels.
      weights, table: of an address in the memories of that name.
      sum: of a sum of products, bias included: signed.
      job: each field of a job.
    """

    outputs: int
    address: int
    position: int
    channels: int
    weights: int
    table: int
    sum: int
    job: tuple[tuple[str, int], ...]

    @property
    def job_layout(self) -> data.StructLayout:
        """A word of the control program."""
        return data.StructLayout({name: signed(bits) if name in SIGNED else unsigned(bits) for name, bits in self.job})

    @property
    def tag(self) -> data.StructLayout:
        """What a finished group of sums needs to become bytes."""
        return data.StructLayout(
            {
                "out": self.address,  # of the first channel's byte, or which sum
                "left": self.channels,  # channels from the first on
                "quads": 4,  # words of LANES channels to write, less 1
                "table": self.table,
                "uniform": 1,
                "to_sums": 1,
                "fresh": 1,
                "done": 1,  # the last of its job
                "zero": signed(8),
                "low": signed(8),
                "high": signed(8),
            }
        )

    @property
    def step(self) -> data.StructLayout:
        """LANES bytes to read, what to do with them, and what to do with the sums if they are the last of a group."""
        return data.StructLayout(
            {
                "valid": 1,
                "first": 1,
                "last": 1,
                "maximum": 1,
                "inside": 1,  # the row is in the picture
                "row": self.address,
                "row_bytes": self.position,
                "position": signed(self.position + 1),
                "fill": 8,
                "weights": self.weights,
                "tag": self.tag,
            }
        )

    @property
    def table_word(self) -> data.StructLayout:
        """What requantizing LANES channels takes."""
        lane = data.StructLayout({"bias": signed(self.sum), "shift": 6})
        return data.StructLayout({"lanes": data.ArrayLayout(lane, LANES)})


SIGNED = ("first", "zero", "low", "high")
BYTES = data.ArrayLayout(signed(8), LANES)
