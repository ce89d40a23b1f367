"""Packs (`.sqz`): an int8 `.tflite` compressed without loss, in sections that can be checked and decoded alone.

`docs/formats/sqz.md` is the format, byte by byte. Needs NumPy and the standard library alone.
"""

from converters.packs.container import LARGEST, MAGIC, PackError, is_pack
from converters.packs.read import unpack
from converters.packs.sizes import PartBytes, part_bytes, section_bytes
from converters.packs.write import pack

__all__ = ["LARGEST", "MAGIC", "PackError", "PartBytes", "is_pack", "pack", "part_bytes", "section_bytes", "unpack"]
