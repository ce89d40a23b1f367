"""Files that are not what a person took them for, told by their first bytes: pointers, web pages, other frameworks.

What a name ends in is not believed: files are renamed, and what a server or Git hands out in place of one is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from converters.archive import Archive, ArchiveError

POINTER, PAGE, PACKED, EMPTY, TEXT, PICTURE = "pointer", "page", "packed", "empty", "text", "picture"
KERAS, HDF5, TORCH, TORCHSCRIPT, SAFETENSORS = "keras", "hdf5", "torch", "torchscript", "safetensors"
TFLITE, SQZ, NUMPY, SAVED_MODEL, GGUF, ZIP = "tflite", "sqz", "numpy", "saved model", "gguf", "zip"
MXNET, NUMPY_ZIP, TORCH7 = "mxnet", "numpy zip", "torch7"
LEFT, PULL = "a pointer of Git LFS, which stands for the file", "fetch the file itself with: git lfs pull"
WHAT = {
    POINTER: LEFT,
    PAGE: "a web page",
    PACKED: "packed, by gzip, bzip2, xz, zstd, 7z or rar",
    EMPTY: "an empty file",
    TEXT: "text",
    PICTURE: "a picture",
    KERAS: "a Keras model",
    HDF5: "an HDF5 file, as Keras writes models and weights",
    TORCH: "a PyTorch checkpoint",
    TORCHSCRIPT: "a TorchScript program",
    SAFETENSORS: "a safetensors file",
    TFLITE: "a .tflite",
    SQZ: "a pack of this kit, .sqz",
    NUMPY: "an array of NumPy",
    NUMPY_ZIP: "arrays of NumPy, as Chainer writes them",
    MXNET: "arrays of MXNet",
    TORCH7: "an object of Torch7",
    SAVED_MODEL: "a folder of a TensorFlow SavedModel",
    GGUF: "a GGUF file, of a language model",
    ZIP: "a zip file",
}
"""By what `kind` returns: how to call it."""
REMEDIES = {
    POINTER: PULL,
    PAGE: "download the file itself, not the page that shows it",
    PACKED: "unpack it first",
    EMPTY: "copy or download it again",
}
"""What helps whoever is given such a file, whatever it was to be."""

_HEAD = 4096
_MOST_MEMBERS = 1 << 40  # bytes that an archive may declare: nothing is unpacked
_POINTS = b"version https://git-lfs.github.com/spec/"
ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
}
"""What archives and packed files begin with, and the program's name; a tar file has its mark further on."""
_BEGINNINGS = {
    _POINTS: POINTER,
    b"\x89HDF\r\n\x1a\n": HDF5,
    b"\x93NUMPY": NUMPY,
    b"GGUF": GGUF,
    b"\x12\1\0\0\0\0\0\0": MXNET,
    b"\x89SQZ\r\n\x1a\n": SQZ,
    **dict.fromkeys(ARCHIVES, PACKED),
    b"\x89PNG\r\n\x1a\n": PICTURE,
    b"\xff\xd8\xff": PICTURE,
    b"GIF8": PICTURE,
}
_PICKLE = re.compile(rb"\x80[\x02-\x05][^\0]")
_TORCH7 = re.compile(rb"\x04\0\0\0....\x03\0\0\0V \d", re.DOTALL)  # a torch object, its index, its version
_PLAIN = re.compile(rb"[\t\n\f\r\x20-\x7e]+")
_OF_KERAS = (".keras", ".h5", ".hdf5")  # endings of names, where the bytes say nothing
_PAGES = (b"<!doctype html", b"<html", b"<?xml")


def is_pointer(data: bytes) -> bool:
    """Tell from a file's first bytes whether Git LFS left it in place of another."""
    return data.startswith(_POINTS)


def kind(path: Path) -> str:
    """Tell what a plain file or a folder is; an empty string if that cannot be told, or of a pipe.

    Raises:
      OSError: it cannot be read.
    """
    if path.is_dir():
        return SAVED_MODEL if (path / "saved_model.pb").is_file() else ""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    found = _kind_of_zip(path) if head.startswith(b"PK") else _kind_of(head)
    return found or (KERAS if path.suffix.lower() in _OF_KERAS else "")


def _kind_of(head: bytes) -> str:
    if not head:
        return EMPTY
    if found := next((name for begins, name in _BEGINNINGS.items() if head.startswith(begins)), ""):
        return found
    if head[4:8] == b"TFL3":
        return TFLITE
    if _PICKLE.match(head):
        return TORCH
    if _TORCH7.match(head):
        return TORCH7
    if head.lstrip().lower().startswith(_PAGES):
        return PAGE
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return SAFETENSORS
    return TEXT if _PLAIN.fullmatch(head) else ""


def _kind_of_zip(path: Path) -> str:
    """Tell by the names in it; an empty string for one that is damaged."""
    try:
        with Archive(path, _MOST_MEMBERS) as archive:
            return _by_members(archive.sizes)
    except ArchiveError:
        return ""


def _by_members(names: Iterable[str]) -> str:
    ends = {name.rpartition("/")[2] for name in names}
    if {"config.json", "model.weights.h5"} <= ends:
        return KERAS
    if "data.pkl" in ends:
        return TORCHSCRIPT if "constants.pkl" in ends else TORCH
    return NUMPY_ZIP if ends and all(name.endswith(".npy") for name in ends) else ZIP
