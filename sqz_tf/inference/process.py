"""Start the processes that models run in (`worker.py`), before anything heavy is imported here.

Both sides import for a good part of a second; a worker that `begin` started does so while its caller does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import IO


class NoWorkerError(RuntimeError):
    """No worker can be started here."""


class Process:
    """A worker's process, and the file that it writes its complaints to; it ends with this object at the latest."""

    def __init__(self, python: str) -> None:
        """Start it.

        Args:
          python: what runs it; needs NumPy and a runtime.

        Raises:
          NoWorkerError: it cannot be started.
        """
        self.said = tempfile.TemporaryFile()  # noqa: SIM115, closed with the process
        command = [python, str(Path(__file__).with_name("worker.py"))]
        try:
            self.handle = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said)
        except OSError as error:
            self.said.close()
            raise NoWorkerError(f"{python or 'Python'} cannot be started ({error.strerror})") from error
        self.owner = os.getpid()
        self.close = weakref.finalize(self, _close, self.handle, self.said, self.owner)


def _close(handle: subprocess.Popen[bytes], said: IO[bytes], owner: int) -> None:
    if owner == os.getpid():  # not in a fork
        handle.kill()
        handle.wait()
    for stream in (handle.stdin, handle.stdout, said):
        with contextlib.suppress(OSError):  # what was not sent any more
            if stream:
                stream.close()


_begun: list[Process] = []


def begin() -> None:
    """Start a process for the next `take` to find ready."""
    if not _begun:
        with contextlib.suppress(NoWorkerError):  # `take` will say so
            _begun.append(Process(sys.executable))


def take(python: str) -> Process:
    """Return a process of a Python: the one begun, or a new one.

    Raises:
      NoWorkerError: it cannot be started.
    """
    return _begun.pop() if _begun and python == sys.executable else Process(python)
