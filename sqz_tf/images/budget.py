"""How much memory pictures may take, all threads together."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Budget:
    """So many bytes, shared by all threads: whoever needs some waits until there is room.

    A thread that has room in a budget must not ask the same one for more: two that did would wait for each other.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()

    @contextmanager
    def room(self, need: int) -> Iterator[None]:
        """Hold `need` bytes until the block ends; wait for them first.

        Raises:
          ValueError: it is more than there is in all, so that waiting would never end.
        """
        if need > self.total:
            raise ValueError(f"{need:,} bytes are asked of a budget of {self.total:,}")
        with self._changed:
            self._changed.wait_for(lambda: self._free >= need)
            self._free -= need
        try:
            yield
        finally:
            with self._changed:
                self._free += need
                self._changed.notify_all()


def give_back() -> None:
    """Let the C library return free memory to the system: glibc's keeps Pillow's blocks of 16 MB in each thread."""
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


MAX_FILE_BYTES = 1 << 27
"""Largest single picture file, in bytes, compressed or not."""
FILES = Budget(MAX_FILE_BYTES)
"""What picture files take that are read and not yet decoded."""
PIXELS = Budget(780_000_000)
"""What decoding takes, up to the network's input: a photograph of 108 million pixels, or many small ones at a time."""
