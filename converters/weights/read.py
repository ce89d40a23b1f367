"""The front door: a weight file of any known format to named convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from converters import foreign
from converters.weights import caffemodel, chainer, deep_compression, mxnet, onnx, safetensors, torch7, torch_file
from converters.weights.tensors import MAX_BYTES, Shape, WeightFile

FORMATS = {
    ".net": "net",
    ".caffemodel": "caffemodel",
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".pth": "torch",
    ".pt": "torch",
    ".params": "mxnet",
    ".npz": "chainer",
    ".t7": "torch7",
}
"""File name endings, and the format each stands for."""
_TOLD = {
    foreign.TORCH: "torch",
    foreign.SAFETENSORS: "safetensors",
    foreign.MXNET: "mxnet",
    foreign.NUMPY_ZIP: "chainer",
    foreign.TORCH7: "torch7",
}
"""Formats that a file's beginning tells, whatever its name ends in."""
_KERNELS = (
    "save its kernels [O, I, H, W] and biases as .safetensors under torchvision's names (features.0.weight and so on)"
)
_CONVERTED = "give the weights that it was made of; python -m sqz_tf.compile and others take it as it is"
_ADVICE = {
    **foreign.REMEDIES,
    foreign.KERAS: _KERNELS,
    foreign.HDF5: _KERNELS,
    foreign.NUMPY: _KERNELS,
    foreign.TORCHSCRIPT: "save its tensors: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')",
    foreign.TFLITE: _CONVERTED,
    foreign.SQZ: _CONVERTED,
}
_READERS: dict[str, Callable[[bytes], WeightFile]] = {
    "caffemodel": caffemodel.read,
    "onnx": onnx.read,
    "safetensors": safetensors.read,
    "torch": torch_file.read,
    "mxnet": mxnet.read,
    "chainer": chainer.read,
    "torch7": torch7.read,
}


def read_weights(
    source: Path | str | bytes, file_format: str = "", net_layers: Mapping[str, Shape] | None = None
) -> WeightFile:
    """Read the convolutions of a weight file. Nothing in the file is executed.

    Args:
      source: a path, or the file's bytes.
      file_format: one of the values of FORMATS; by default as the file's beginning or its name says.
      net_layers: for `net`, which names no layers: kernel shape [H, W, I, O] by name, in the file's order.

    Raises:
      ValueError: unknown format, another kind of file, or it is damaged; says where, what was received and what was
        expected.
      OSError: the path cannot be read.
    """
    file_format = file_format or _format_of(source)
    data = source if isinstance(source, bytes) else _bytes(Path(source))
    if file_format == "net":
        if net_layers is None:
            raise ValueError("a .net file names no layers; expected the table of layers with it")
        return deep_compression.read(data, net_layers)
    if file_format in _READERS:
        return _READERS[file_format](data)
    raise ValueError(f"the format is {file_format!r}; expected one of {', '.join(sorted(set(FORMATS.values())))}")


def _format_of(source: Path | str | bytes) -> str:
    """Return a file's format, by its beginning if that tells, else by its name."""
    if isinstance(source, bytes):
        raise ValueError("bytes came without a format; expected its name with them")
    expected, found = f"expected one of {', '.join(FORMATS)}", foreign.kind(Path(source))
    if found and found not in _TOLD:
        raise ValueError("; ".join(filter(None, [f"it is {foreign.WHAT[found]}", expected, _ADVICE.get(found)])))
    suffix = Path(source).suffix.lower()
    if not found and suffix not in FORMATS:
        raise ValueError(f"its name ends in {suffix or 'nothing'}; {expected}")
    return _TOLD.get(found) or FORMATS[suffix]


def _bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path} has {size:,} bytes; expected at most {MAX_BYTES:,}")
    return path.read_bytes()
