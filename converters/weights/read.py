"""The front door: a weight file of any known format to named convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from converters.weights.tensors import MAX_BYTES, Shape, WeightFile

FORMATS = {
    ".net": "net",
    ".caffemodel": "caffemodel",
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".pth": "torch",
    ".pt": "torch",
}
"""File name endings, and the format each stands for."""


def read_weights(
    source: Path | str | bytes, file_format: str = "", net_layers: Mapping[str, Shape] | None = None
) -> WeightFile:
    """Read the convolutions of a weight file. Nothing in the file is executed.

    Args:
      source: a path, or the file's bytes.
      file_format: `net`, `caffemodel`, `onnx`, `safetensors` or `torch`; by default what the path ends in.
      net_layers: for `net`, which names no layers: kernel shape [H, W, I, O] by name, in the file's order.

    Raises:
      ValueError: unknown format, or the file is damaged; says where, what was received and what was expected.
      OSError: the path cannot be read.
    """
    file_format = file_format or _format_of(source)
    data = source if isinstance(source, bytes) else _bytes(Path(source))
    if file_format == "net":
        from converters.weights import deep_compression

        if net_layers is None:
            raise ValueError("a .net file names no layers; expected the table of layers with it")
        return deep_compression.read(data, net_layers)
    if file_format == "caffemodel":
        from converters.weights import caffemodel

        return caffemodel.read(data)
    if file_format == "onnx":
        from converters.weights import onnx

        return onnx.read(data)
    if file_format == "safetensors":
        from converters.weights import safetensors

        return safetensors.read(data)
    if file_format == "torch":
        from converters.weights import torch_file

        return torch_file.read(data)
    raise ValueError(f"the format is {file_format!r}; expected one of {', '.join(sorted(set(FORMATS.values())))}")


def _format_of(source: Path | str | bytes) -> str:
    if isinstance(source, bytes):
        raise ValueError("bytes came without a format; expected its name with them")
    suffix = Path(source).suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{source} ends in {suffix or 'nothing'}; expected one of {', '.join(FORMATS)}")
    return FORMATS[suffix]


def _bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path} has {size:,} bytes; expected at most {MAX_BYTES:,}")
    return path.read_bytes()
