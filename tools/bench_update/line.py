"""The line to a device that takes updates (`mcu/firmware/update`): a pipe for the file of cases; it outlasts resets."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqz_tf.deploy import firmware

END = b"E"


def update(data: bytes) -> bytes:
    """Return the message with an update."""
    return b"U" + len(data).to_bytes(4, "little") + data


def picture(data: bytes) -> bytes:
    """Return the message with an input to classify, int8."""
    return b"C" + data


@contextmanager
def line(folder: Path, messages: bytes) -> Iterator[None]:
    """Send messages to the program that runs in a folder; `END` is added.

    A device opens its line again after each reset, so the pipe is kept open for as long as the program runs.
    """
    pipe, done = folder / firmware.CASES, threading.Event()
    os.mkfifo(pipe)

    def send() -> None:
        try:
            with pipe.open("wb") as to:
                to.write(messages + END)
                to.flush()
                done.wait()
        except BrokenPipeError:
            pass  # the program ended before the messages did, and its verdict tells

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # for who still waits for a program that never opened it
        done.set()
        os.close(reader)
        sender.join()
        pipe.unlink()
