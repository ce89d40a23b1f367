"""The class files that a package's dex turns into, by Debian's enjarify."""

from __future__ import annotations

from pathlib import Path

from android_demo.tools import process

SIGNED = """
import sys
from enjarify import dalvikformats as formats, main
decode = formats.decode
def signed(shorts, place, opcode):
    end, values = decode(shorts, place, opcode)
    if opcode == 0x17:
        values = [*values[:-1], formats.sign(values[-1], 32)]
    return end, values
formats.decode = signed
main.main()
"""
"""enjarify 1.0.3, but that const-wide/32 has a sign, as Dalvik's specification says: -121665 is no 4294845631."""


def class_files(package: Path, jar: Path) -> Path:
    """Write the class files of a package's dex as a jar, and return it."""
    process.run("/usr/bin/python3", "-c", SIGNED, "-o", jar, package)  # Debian's, which has enjarify's modules
    return jar
