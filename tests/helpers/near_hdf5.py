"""HDF5 read without starting Python: in a fork, which damage may end, for thousands of files."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
from collections.abc import Iterator
from unittest import mock

import h5py  # noqa: F401, so that a fork has it

from converters.weights import hdf5, hdf5_worker


@contextlib.contextmanager
def forked_hdf5() -> Iterator[None]:
    """Have every HDF5 file be read in a fork of this process meanwhile."""
    with mock.patch.object(hdf5, "_reply", forked_reply):
        yield


def forked_reply(data: bytes) -> bytes:
    """Return what a worker replies to a file, within the same limits; as `converters.weights.hdf5` asks one."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _serve(data, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        reply = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"\1its process was ended by {signal.Signals(os.WTERMSIG(status)).name}".encode()
    return reply or b"\1its process ended with nothing"


def _serve(data: bytes, writing: int) -> None:
    """Be a worker, and end."""
    try:
        faulthandler.disable()  # of a test's runner; a worker has none
        hdf5_worker.limit()
        with os.fdopen(writing, "wb") as file:
            file.write(hdf5_worker.reply_to(data))
    finally:
        os._exit(0)
