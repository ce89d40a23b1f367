"""PyTorch checkpoints, `.pth` and `.pt`, read by PyTorch itself and only with `weights_only=True`.

A checkpoint is a pickle: reading it any other way could execute what it holds.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np

from converters.archive import Archive, ArchiveError
from converters.weights.class_names import class_names
from converters.weights.state_dict import from_tensors
from converters.weights.tensors import MAX_BYTES, WeightFile

_WRAPPERS = ("state_dict", "model")  # where training scripts put the tensors
_PARALLEL = "module."  # what DataParallel puts before every name


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a PyTorch state dict.

    Raises:
      ValueError: PyTorch is not installed, or the file is damaged or holds more than tensors.
    """
    _check_zip(data)
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            "a .pth file needs PyTorch, which is not installed; expected `torch` beside this package, or the same "
            "weights as .safetensors or .onnx"
        ) from error
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises nearly anything on garbled files
        # Its own message may advise to load the file unsafely, so it is not passed on.
        raise ValueError(
            f"PyTorch cannot read the file without executing it ({type(error).__name__}); expected a checkpoint of "
            "tensors alone, from torch.save(model.state_dict(), ...)"
        ) from error
    tensors = {name: _array(name, value) for name, value in _state(content).items()}
    labels = class_names(content) if isinstance(content, dict) else ()
    return from_tensors("torch", tensors, hashlib.sha256(data).hexdigest(), labels)


def _check_zip(data: bytes) -> None:
    """Check sizes and checksums of the zip that checkpoints have been since PyTorch 1.6; older ones have neither."""
    if not data.startswith(b"PK"):
        return
    try:
        with Archive(data, MAX_BYTES) as archive:
            archive.check()
    except ArchiveError as error:
        raise ValueError(f"the file is cut short or damaged ({error})") from error


def _state(content: Any) -> dict[str, Any]:
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"the file holds a {type(content).__name__}; expected a state dict of named tensors")
    parallel = content and all(name.startswith(_PARALLEL) for name in content)
    return {name.removeprefix(_PARALLEL) if parallel else name: value for name, value in content.items()}


def _array(name: str, tensor: Any) -> np.ndarray:
    try:
        values: np.ndarray = (tensor.float() if tensor.is_floating_point() else tensor).detach().cpu().numpy()
    except Exception as error:
        raise ValueError(f"tensor {name} cannot be read ({_first_line(error)}); expected a dense tensor") from error
    return values


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
