"""HDF5 files, as Keras writes them: arrays and attributes by path, read by h5py in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from converters import strict_json
from converters.weights import safetensors

MAGIC = b"\x89HDF\r\n\x1a\n"
"""What every such file begins with."""


@dataclass(frozen=True, eq=False)
class Hdf5:
    """What an HDF5 file holds.

    `arrays`: float32 by path, `conv1/kernel:0` for instance. `attributes`: text, or a list of texts, by name by path;
    the file's own are under the empty path.
    """

    arrays: Mapping[str, np.ndarray]
    attributes: Mapping[str, Mapping[str, Any]]

    def texts(self, path: str, name: str) -> list[str] | None:
        """Return a list of texts, which Keras parts into NAME0, NAME1 and so on if it is long; None without one."""
        own = self.attributes.get(path, {})
        whole = own.get(name)
        if whole is None and f"{name}0" not in own:
            return None
        parts = [whole] if whole is not None else [own[f"{name}{n}"] for n in range(len(own)) if f"{name}{n}" in own]
        return [text for part in parts for text in (part if isinstance(part, list) else [part])]

    def text(self, path: str, name: str) -> str:
        """Return one text, empty if it is not there."""
        found = self.attributes.get(path, {}).get(name, "")
        return found if isinstance(found, str) else ""


def read(data: bytes) -> Hdf5:
    """Read a file.

    Raises:
      ValueError: h5py is not installed, or the file is damaged, hostile or too large.
    """
    if not data.startswith(MAGIC):
        raise ValueError("the file is no HDF5; expected one, as Keras writes weights (it is cut short or damaged)")
    if find_spec("h5py") is None:
        raise ValueError(
            "an HDF5 file needs h5py, which is not installed; expected `h5py` beside this package (pip install h5py), "
            "or the same weights as .safetensors or .onnx"
        )
    return parsed(_reply(data))


def parsed(reply: bytes) -> Hdf5:
    """Return what a worker replied, which is believed no more than a file is.

    Raises:
      ValueError: what the worker says is wrong with the file, or no reply at all.
    """
    if reply[:1] != b"\0":
        said = reply[1:].decode("utf-8", "replace").splitlines() or ["nothing more is known"]
        raise ValueError(f"h5py cannot read the file ({said[0]}); expected HDF5 (it is cut short or damaged)")
    arrays = safetensors.read_tensors(reply[1:])
    try:
        attributes = strict_json.loads(safetensors.metadata(reply[1:]).get("attributes", "{}"))
    except ValueError as error:
        raise ValueError(f"the file's names are damaged ({error}); expected text") from error
    return Hdf5(arrays, attributes)


def _reply(data: bytes) -> bytes:
    worker = Path(__file__).with_name("hdf5_worker.py")
    done = subprocess.run([sys.executable, str(worker)], input=data, capture_output=True, check=False)
    if done.returncode < 0:
        return f"\1its process was ended by {signal.Signals(-done.returncode).name}".encode()
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.stdout or f"\1its process ended with {done.returncode}: {(said or [''])[-1]}".encode()
