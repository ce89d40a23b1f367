"""Boards people own, as data: what memory they have, what core, and what puts a program on them.

`boards.json` beside this file is the table. Memory is what a program can use: of the RAM the largest contiguous
block, of the flash what a boot loader leaves.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.json_files import parse


@dataclass(frozen=True)
class Board:
    """One board.

    Attributes:
      name: what `--board` calls it.
      title: what its maker calls it.
      core: `cortex-m4`, `xtensa-lx7` …
      target: whose kernels they are compiled with: `generic`, `cortex-m0plus`, `cortex-m3`, `cortex-m4` (SMLAD),
        `cortex-m55` (Helium) or `riscv32`.
      ram_bytes, flash_bytes: what a program can use; RAM in one block.
      mhz: the core's highest clock.
      flash_tool: what puts a program on it: openocd, st-flash, dfu-util, uf2, esptool or qemu; arduino or vendor
        where only the board's Arduino package or its maker's tool does.
      flash: what that tool must be told (`sqz_tf.flash`).
      qemu: QEMU's machine, if there is one.
      source: where the figures are from: title and revision.
      note: what a reader should know besides.
      sectors: of that flash, in order, what is erased at once, as bytes and how many such: `16384x4,65536,131072x7`
        (from the maker's reference manual, as the part is delivered). Empty where that is not told here.
    """

    name: str
    title: str
    core: str
    target: str
    ram_bytes: int
    flash_bytes: int
    mhz: int
    flash_tool: str
    qemu: str | None
    source: str
    note: str
    flash: Mapping[str, Any] = field(default_factory=dict)
    sectors: str = ""

    @property
    def sector_bytes(self) -> tuple[int, ...]:
        """Bytes of each sector."""
        runs = [(*each.split("x"), "1")[:2] for each in self.sectors.split(",") if each]
        return tuple(int(size) for size, times in runs for _ in range(int(times)))


@lru_cache
def boards() -> dict[str, Board]:
    """Return every board by its name, in the order of the table."""
    text = resources.files(__package__).joinpath("boards.json").read_text(encoding="utf-8")
    return {each.name: each for each in parse(text, tuple[Board, ...], what="boards.json")}


def board(name: str) -> Board:
    """Return the board of a name, its own or the one QEMU gives it.

    Raises:
      ConfigError: there is none; the message names the nearest.
    """
    known = boards()
    if name in known:
        return known[name]
    for each in known.values():
        if each.qemu == name:
            return each
    near = difflib.get_close_matches(name, known, 3, 0.5)
    fix = f"did you mean {' or '.join(near)}?" if near else ""
    raise ConfigError(f"board is {name!r}", expected=f"one of {', '.join(known)}", fix=fix)


def board_argument(name: str) -> Board:
    """Return the board of a name, as the `type` of a command line's argument: an unknown one is wrong usage."""
    try:
        return board(name)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
