"""Read numbers and strings of a binary file one after another, never past its end."""

from __future__ import annotations

import struct


class Cursor:
    """A place in a file's bytes, little-endian."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes from here to the end."""
        return len(self.data) - self.at

    def take(self, count: int, what: str) -> bytes:
        """Return the next bytes.

        Raises:
          ValueError: the file has fewer; names what they are of.
        """
        if not 0 <= count <= self.left:
            raise ValueError(
                f"the file ends inside {what}: {self.left} bytes are left at byte {self.at}; expected {count} "
                "(it is cut short or damaged)"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, kind: str, what: str) -> int:
        """Return the next integer; `kind` as in the module `struct`."""
        return self.numbers(kind, 1, what)[0]

    def numbers(self, kind: str, count: int, what: str) -> tuple[int, ...]:
        """Return the next integers."""
        data = self.take(struct.calcsize(kind) * count, what)
        return struct.unpack(f"<{count}{kind}", data)

    def text(self, kind: str, most: int, what: str) -> str:
        """Return a string, whose length in bytes is an integer of `kind` before it.

        Raises:
          ValueError: it is longer than `most`, or no UTF-8.
        """
        length = self.number(kind, what)
        if not 0 <= length <= most:
            raise ValueError(f"{what} is {length} bytes long; expected at most {most} (the file is damaged)")
        try:
            return self.take(length, what).decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{what} is no text; expected UTF-8 (the file is damaged)") from error
