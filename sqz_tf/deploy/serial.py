"""Hear what a board says on its serial port: 115,200 baud, 8N1; POSIX systems only."""

from __future__ import annotations

import os
import re
import select
import time
from pathlib import Path

from sqz_tf.base.errors import SqzError

BAUD = "B115200"
PATTERNS = ("/dev/ttyACM*", "/dev/ttyUSB*", "/dev/cu.usb*")


class SerialError(SqzError):
    """The port cannot be opened, or nothing of use was heard."""


def hear(port: str, report: str, seconds: float) -> str:
    """Return the first text on a port that matches the pattern `report`, with plain line ends.

    Raises:
      SerialError: there is no such port, or `seconds` went by without it.
    """
    handle = _open(port)
    text, end = "", time.monotonic() + seconds
    try:
        while not (found := re.search(report, text, re.MULTILINE | re.DOTALL)):
            left = end - time.monotonic()
            if left <= 0:
                raise SerialError(f"nothing was heard on {port} for {seconds:.0f} seconds", fix=_heard(text))
            if select.select([handle], [], [], left)[0]:
                text += os.read(handle, 4096).decode("ascii", "replace").replace("\r", "")
    except OSError as error:
        raise SerialError(f"{port} stopped: {error.strerror}", fix="is the board still plugged in?") from error
    finally:
        os.close(handle)
    return found[0]


def _heard(text: str) -> str:
    lines = text.strip().splitlines()
    return f"the last line was {lines[-1]!r}" if lines else "is it the right port?"


def _open(port: str) -> int:
    try:
        import termios
        import tty
    except ImportError:
        raise SerialError("serial ports can be read on POSIX systems only", fix="leave out --port") from None
    try:
        handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        known = sorted(str(path) for pattern in PATTERNS for path in Path("/").glob(pattern[1:]))
        there = f"there are {', '.join(known)}" if known else "no serial port was found"
        raise SerialError(
            f"{port} cannot be opened: {error.strerror}", fix=f"{there}; is the board plugged in?"
        ) from error
    try:
        tty.setraw(handle, termios.TCSANOW)
        settings = termios.tcgetattr(handle)
        settings[4] = settings[5] = getattr(termios, BAUD)
        termios.tcsetattr(handle, termios.TCSANOW, settings)
    except termios.error as error:
        os.close(handle)
        raise SerialError(f"{port} is no serial port") from error
    return handle
