"""Weight files of Keras, written by h5py from named kernels, as Keras 1, 2 and 3 lay them out."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from tests.helpers.weight_files import Tensors

KERAS_FILES = ("keras-1", "keras-1-theano", "keras-2", "keras-2-theano", "keras-2-whole", "keras-3", "keras-3-whole")
"""Ways to lay a network out: what wrote it, on what, and whether its layers are described beside the weights."""


def keras_bytes(tensors: Tensors, way: str = "keras-2", additions: int = 0, **changes: Any) -> bytes:
    """Write kernels [O, I, H, W] and biases as a file of Keras.

    Args:
      way: one of KERAS_FILES, or `keras-2-new`: what Keras 2 calls `.weights.h5`, without names.
      additions: layers that add maps, in a description.
      changes: options of layers by name in a description, `conv10={"padding": "same"}` for instance.
    """
    config = _config(tensors, additions, changes)
    if way == "keras-3-whole":
        return keras_zip(config, _new(tensors, named=False))
    if way in ("keras-3", "keras-2-new"):
        return _new(tensors, named=way == "keras-3")
    return _old(tensors, way, config)


def keras_zip(config: Mapping[str, Any], weights: bytes) -> bytes:
    """Write a `.keras`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (
            ("metadata.json", b'{"keras_version": "3.15.1"}'),
            ("config.json", json.dumps(config).encode()),
            ("model.weights.h5", weights),
        ):
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def hdf5_bytes(write: Any) -> bytes:
    """Return an HDF5 file that `write` put things into."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)
    return out.getvalue()


def hwio(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))


def _config(tensors: Tensors, additions: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    layers = [
        {
            "class_name": "Conv2D",
            "config": {
                "name": name,
                "kernel_size": list(kernel.shape[2:]),
                "padding": "same" if kernel.shape[2] == 3 and "conv1" not in name else "valid",
                **changes.get(name, {}),
            },
            "name": name,
        }
        for name, (kernel, _) in tensors.items()
    ]
    layers += [{"class_name": "Add", "config": {"name": f"add{n}"}, "name": f"add{n}"} for n in range(additions)]
    return {"class_name": "Functional", "config": {"name": "tiny", "layers": layers}}


def _old(tensors: Tensors, way: str, config: Mapping[str, Any]) -> bytes:
    kernel_name, bias_name = ("_W", "_b") if way.startswith("keras-1") else ("/kernel:0", "/bias:0")

    def write(file: Any) -> None:
        group = file.create_group("model_weights") if way.endswith("whole") else file
        if way.endswith("whole"):
            file.attrs["model_config"] = json.dumps(config)
        if way.startswith("keras-2"):
            group.attrs["backend"] = b"theano" if way.endswith("theano") else b"tensorflow"
        group.attrs["layer_names"] = [b"pool1", *(name.encode() for name in tensors)]
        group.create_group("pool1").attrs["weight_names"] = np.zeros(0, "S1")
        for name, (kernel, bias) in tensors.items():
            layer, names = group.create_group(name), [name + kernel_name, name + bias_name]
            layer.attrs["weight_names"] = [each.encode() for each in names]
            layer[names[0]] = _kept(kernel, way)
            layer[names[1]] = bias

    return hdf5_bytes(write)


def _kept(kernel: np.ndarray, way: str) -> np.ndarray:
    """Return a kernel [O, I, H, W] in the order in which a file keeps it."""
    turned = kernel[:, :, ::-1, ::-1] if way.endswith("theano") else kernel
    return np.ascontiguousarray(turned) if way == "keras-1-theano" else hwio(turned)


def _new(tensors: Tensors, named: bool) -> bytes:
    def write(file: Any) -> None:
        for number, (name, (kernel, bias)) in enumerate(tensors.items()):
            group = file.create_group(f"layers/conv2d{f'_{number}' if number else ''}/vars")
            if named:
                group.attrs["name"] = name
            group["0"], group["1"] = hwio(kernel), bias

    return hdf5_bytes(write)
