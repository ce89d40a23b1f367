"""Workers that do not start Python, for thousands of runs of a command.

A worker (`sqz_tf.inference.worker`) imports NumPy and a runtime for 0.1 to 0.3 s. Two things stand in for that here:

- `forked_workers`, for foreign models: a fork of a process that has imported them begins in milliseconds, and is still
  a process of its own for each model, with the same limits, which a model may end. `process.Process` starts what
  stands for `subprocess.Popen`, `apart` asks it.
- `workers_here`, for models of our own: the same server, in this process and without limits.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import IO, Any
from unittest import mock

import numpy as np

from sqz_tf.inference import apart, classifier, process, worker

FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None


class Forked:
    """A fork that runs `worker.main`; what `process` and `apart` need of a `subprocess.Popen`."""

    def __init__(self, command: list[str], *, stdin: int, stdout: int, stderr: IO[bytes]) -> None:
        assert FORK
        assert command[0] == sys.executable, "a runtime of another Python"
        theirs, ours = _pipes()
        self._child = FORK.Process(target=_serve, args=(*theirs, stderr.fileno(), ours), daemon=True)
        self._child.start()
        for file in theirs:
            os.close(file)
        self.stdin, self.stdout = os.fdopen(ours[0], "wb"), os.fdopen(ours[1], "rb")

    def kill(self) -> None:
        """End the process."""
        self._child.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative after a signal.

        Raises:
          TimeoutExpired: it has not ended yet.
        """
        self._child.join(timeout)
        if self._child.exitcode is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return self._child.exitcode


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return two pipes: (the ends that a worker reads and writes), (those that its owner writes and reads)."""
    (requests, asked), (answered, replies) = os.pipe(), os.pipe()
    return (requests, replies), (asked, answered)


def _serve(requests: int, replies: int, said: int, others: tuple[int, int]) -> None:
    """Be a worker: its standard input, output and error are the given files."""
    for file in others:
        os.close(file)
    for number, file in enumerate((requests, replies, said)):
        os.dup2(file, number)
    faulthandler.disable()  # of a test's runner; `worker` has none
    sys.stdin, sys.stderr = os.fdopen(0), os.fdopen(2, "w", closefd=False)
    worker.main()


@contextlib.contextmanager
def forked_workers() -> Iterator[None]:
    """Have every worker be a fork of this process meanwhile."""
    worker.first_runtime()
    stand_in: Any = SimpleNamespace(Popen=Forked, PIPE=subprocess.PIPE)
    with mock.patch.object(process, "subprocess", stand_in):
        yield


class Here:
    """A server in this process; what `apart` and `classifier` need of a worker."""

    alive = True

    def __init__(self, python: object = None) -> None:
        self._server = worker.Server()

    def ask(self, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[worker.Head, worker.Arrays]:
        """Return the reply to a request."""
        return self._server.answer({"seconds": worker.SECONDS, **head}, dict(arrays))

    def close(self) -> None:
        """Leave the model."""
        self._server.engine = None


@contextlib.contextmanager
def workers_here() -> Iterator[None]:
    """Have every worker be in this process meanwhile."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(worker, "resource", None))  # its limits would be ours
        stack.enter_context(mock.patch.object(worker, "_limit_time"))
        stack.enter_context(mock.patch.object(process, "begin"))
        for user in (apart, classifier):
            stack.enter_context(mock.patch.object(user, "Worker", Here))
        yield
