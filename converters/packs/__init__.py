"""Packs (`.sqz`): an int8 `.tflite` compressed without loss, in sections that can be checked and decoded alone.

`docs/formats/sqz.md` is the format, byte by byte. Needs NumPy and the standard library alone.
"""

from converters.packs.container import LARGEST, MAGIC, PackError, is_pack
from converters.packs.read import unpack
from converters.packs.sizes import section_bytes
from converters.packs.write import pack

__all__ = ["LARGEST", "MAGIC", "PackError", "is_pack", "pack", "section_bytes", "unpack"]
