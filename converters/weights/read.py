"""The front door: a weight file of any known format to named convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from converters import lfs
from converters.weights import caffemodel, deep_compression, onnx, safetensors, torch_file
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
_READERS: dict[str, Callable[[bytes], WeightFile]] = {
    "caffemodel": caffemodel.read,
    "onnx": onnx.read,
    "safetensors": safetensors.read,
    "torch": torch_file.read,
}


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
    if lfs.is_pointer(data):
        raise ValueError(f"it is a git-LFS pointer; expected the weights themselves: {lfs.PULL}")
    if file_format == "net":
        if net_layers is None:
            raise ValueError("a .net file names no layers; expected the table of layers with it")
        return deep_compression.read(data, net_layers)
    if file_format in _READERS:
        return _READERS[file_format](data)
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
