"""Run models in worker processes (`worker.py`): what a model does to its interpreter is an error here, no more.

A worker is no sandbox against code that attacks the system on purpose. It ends the kinds of harm that interpreters are
known for: they crash, or take all the time and memory there is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.inference import worker
from sqz_tf.inference.process import NoWorkerError, take
from sqz_tf.inference.worker import Arrays, Head

__all__ = ["Apart", "NoWorkerError", "Worker", "WorkerError"]

PATIENCE = 3 * worker.SECONDS  # seconds for one request where processor time is not limited, or the machine is busy

UNREADABLE = (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError)  # of a reply that is none


class WorkerError(RuntimeError):
    """A worker ended, or its interpreter refused the model or the input; the message says which."""


class Worker:
    """One process that answers requests, one at a time; it ends with this object at the latest."""

    def __init__(self, python: Path | str = sys.executable) -> None:
        """Start a process; it gets ready while the caller goes on.

        Args:
          python: what runs it; needs NumPy and a runtime.

        Raises:
          NoWorkerError: it cannot be started.
        """
        self._process = take(str(python))
        self._late = False
        self.close = self._process.close

    def ask(self, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[Head, Arrays]:
        """Send a request and return the reply; see `worker`.

        Raises:
          WorkerError: the process ended or took too long, and answers no more; or it answered with an error.
          NoRuntimeError: there is nothing to run models with.
        """
        if not self.alive:
            raise WorkerError("it has ended")
        handle = self._process.handle
        assert handle.stdin
        assert handle.stdout
        deadline = threading.Timer(PATIENCE, self._give_up)
        deadline.daemon = True
        deadline.start()
        try:
            worker.send(handle.stdin, {"seconds": worker.SECONDS, **head}, arrays)
            reply = worker.receive(handle.stdout)
        except UNREADABLE:
            reply = None
        except BaseException:  # Ctrl-C in the middle of a message: what comes next would be its rest
            self.close()
            raise
        finally:
            deadline.cancel()
            deadline.join()  # it holds this object
        if reply is None:
            raise WorkerError(self._ending())
        if "error" in reply[0]:
            raise _refusal(str(reply[0]["error"]), str(reply[0].get("message")))
        return reply

    @property
    def alive(self) -> bool:
        """Whether it may answer again: a fork has no part in its parent's."""
        return self.close.alive and self._process.owner == os.getpid()

    def _give_up(self) -> None:
        self._late = True
        self._process.handle.kill()

    def _ending(self) -> str:
        """End what is left of the process and return how it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it closed its end, so it is about to
            self._process.handle.wait(1)
        self._process.handle.kill()
        code = self._process.handle.wait()
        self._process.said.seek(0)
        lines = self._process.said.read(1 << 16).decode(errors="replace").splitlines()
        self.close()
        said = [line.strip() for line in lines if line.strip() and not line.startswith("INFO:")]
        return f"it took over {PATIENCE} s" if self._late else _ending(code, said[-1][:200] if said else "")


def _ending(code: int, said: str) -> str:
    if code >= 0:
        return said or f"it ended with exit code {code}"
    if -code == getattr(signal, "SIGPROF", None):
        return f"it took over {worker.SECONDS} s of processor time (SQZ_TF_WORKER_SECONDS=120 allows 120)"
    with contextlib.suppress(ValueError):
        said = ", ".join([signal.Signals(-code).name, *([said] if said else [])])
    return f"it was ended by signal {-code} ({said})"


def _refusal(error: str, message: str) -> Exception:
    """Return what a worker's answer is to be raised as."""
    if error == worker.NoRuntimeError.__name__:
        return worker.NoRuntimeError(message)
    if error == MemoryError.__name__:
        return WorkerError(f"it asked for over {worker.MEMORY >> 20} MB of memory")
    return WorkerError(message.strip() or f"{error} without a message")


class Apart:
    """A model in a worker. One that a picture has ended is started again for the next."""

    def __init__(
        self,
        model: bytes,
        runtime: str = "first",
        *,
        threads: int | None = None,
        preserve: bool = False,
        python: Path | str = sys.executable,
        started: Worker | None = None,
    ) -> None:
        """Set the model up.

        Args:
          model: the `.tflite`.
          runtime: a key of `worker.ENGINES`.
          threads: processors to use; None leaves it to the runtime.
          preserve: keep all tensors, for `run` to bring back.
          python: what runs the worker.
          started: a worker to use for a start.

        Raises:
          WorkerError: the interpreter refuses the model or ends on it.
          NoWorkerError: there is no worker.
        """
        self._python, self._model = python, np.frombuffer(model, np.uint8)
        self._request = {"do": "load", "runtime": runtime, "threads": threads, "preserve": preserve}
        self._load(started or Worker(python))

    def _load(self, started: Worker) -> None:
        self._worker = started
        reply, _ = started.ask(self._request, {"model": self._model})
        self.package, self._ports = str(reply["package"]), reply["ports"]

    def ports(self) -> Head:
        """Return the model's inputs and outputs, as `worker.TfliteEngine.ports`."""
        return dict(self._ports)

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the output [1, ...] for one input [1, ...]."""
        return self.run_all(image, ())["output"]

    def run_all(self, image: np.ndarray, tensors: Sequence[int]) -> Arrays:
        """Return `output` and a `tensor_INDEX` each, all [1, ...], for one input [1, ...].

        Raises:
          WorkerError: the interpreter refuses the input or ends on it.
        """
        if not self._worker.alive:
            self._load(Worker(self._python))
        return self._worker.ask({"do": "run", "tensors": list(tensors)}, {"input": image})[1]

    def time(self) -> float:
        """Run once more on the same input; return the milliseconds that took."""
        return float(self._worker.ask({"do": "time"}, {})[0]["milliseconds"])

    def close(self) -> None:
        """End the process."""
        self._worker.close()
