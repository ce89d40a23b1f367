"""Weight files of other frameworks' ports, written from their published descriptions.

MXNet and Chainer are no longer kept, and need NumPy 1.23: a slow test has them write their own (`make frameworks`).
Torch7 is a program of its own, in Lua.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.helpers.weight_files import Tensors, flat

# MXNet ----------------------------------------------------------------------------------------------------------

MXNET_VERSIONS = (0, 1, 2, 3)
_MARKS = {1: 0xF993FAC8, 2: 0xF993FAC9, 3: 0xF993FACA}
_DTYPES = {"<f4": 0, "<f8": 1, "<f2": 2, "|u1": 3, "<i4": 4, "|i1": 5, "<i8": 6}


def mxnet_bytes(arrays: Mapping[str, np.ndarray], version: int = 2, prefix: str = "") -> bytes:
    """Write a `.params` file as `mxnet.nd.save` does; `prefix` is `arg:` in checkpoints."""
    names = [(prefix + name).encode() for name in arrays]
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    parts += [_mxnet_array(values, version) for values in arrays.values()]
    parts.append(struct.pack("<Q", len(names)))
    parts += [struct.pack("<Q", len(name)) + name for name in names]
    return b"".join(parts)


def _mxnet_array(values: np.ndarray, version: int) -> bytes:
    head = struct.pack("<I", _MARKS[version]) if version else b""
    storage = struct.pack("<i", 0) if version >= 2 else b""
    lengths = struct.pack(f"<I{values.ndim}{'q' if version else 'I'}", values.ndim, *values.shape)
    device_and_dtype = struct.pack("<iii", 1, 0, _DTYPES[values.dtype.str])
    return head + storage + lengths + device_and_dtype + values.tobytes()


def mxnet_tensors(tensors: Tensors) -> dict[str, np.ndarray]:
    """Return kernels and biases under MXNet's endings."""
    return flat(tensors, ("_weight", "_bias"))


# Chainer --------------------------------------------------------------------------------------------------------


def chainer_bytes(arrays: Mapping[str, np.ndarray], compressed: bool = True, prefix: str = "") -> bytes:
    """Write an `.npz` as `chainer.serializers.save_npz` does, which calls NumPy's own writer."""
    out = io.BytesIO()
    write = np.savez_compressed if compressed else np.savez
    named: dict[str, Any] = {prefix + name: values for name, values in arrays.items()}
    write(out, **named)
    return out.getvalue()


def chainer_tensors(tensors: Tensors) -> dict[str, np.ndarray]:
    """Return kernels and biases under Chainer's endings."""
    return flat(tensors, ("/W", "/b"))


def zip_of(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


# Torch7 ---------------------------------------------------------------------------------------------------------


class Module:
    """An object of a class of `nn`, as Torch7 saves it: the class's name and a table."""

    def __init__(self, kind: str, **fields: Any) -> None:
        self.kind, self.fields = kind, fields


class LuaFunction:
    """A function, as Torch7 saves it: its code, and what it refers to; `tag` is 6, 7 or 8."""

    def __init__(self, tag: int = 8) -> None:
        self.tag = tag


def torch7_bytes(content: Any, numbers: str = "Float", old: bool = False) -> bytes:
    """Write an object in binary; tensors are arrays. `old` leaves versions of classes out, as Torch7 once did."""
    return _Writer(numbers, old).object(content)


class _Writer:
    def __init__(self, numbers: str, old: bool) -> None:
        self.numbers, self.old = numbers, old
        self.indices: dict[int, int] = {}
        self.kept: list[Any] = []  # so that no identity is used twice

    def object(self, value: Any) -> bytes:
        if value is None:
            return struct.pack("<i", 0)
        if isinstance(value, bool):
            return struct.pack("<ii", 5, value)
        if isinstance(value, (int, float)):
            return struct.pack("<id", 1, value)
        if isinstance(value, str):
            return struct.pack("<i", 2) + _text(value)
        if isinstance(value, LuaFunction) and value.tag == 6:
            return struct.pack("<i", 6) + self._code()
        return self._indexed(value)

    def _indexed(self, value: Any) -> bytes:
        tag = value.tag if isinstance(value, LuaFunction) else 3 if isinstance(value, (dict, list)) else 4
        known, index = id(value) in self.indices, self.indices.setdefault(id(value), len(self.indices) + 1)
        self.kept.append(value)
        head = struct.pack("<ii", tag, index)
        if known:
            return head
        if isinstance(value, LuaFunction):
            return head + self._code()
        if isinstance(value, (dict, list)):
            return head + self._table(value)
        return head + self._torch(value)

    def _code(self) -> bytes:
        return struct.pack("<i", 4) + b"\x1bLJ\x01" + self.object({1: {"name": "_ENV"}})

    def _table(self, value: Any) -> bytes:
        pairs = dict(enumerate(value, start=1)) if isinstance(value, list) else value
        return struct.pack("<i", len(pairs)) + b"".join(self.object(k) + self.object(v) for k, v in pairs.items())

    def _torch(self, value: Any) -> bytes:
        kind = value.kind if isinstance(value, Module) else f"torch.{self.numbers}Tensor"
        head = (b"" if self.old else _text("V 1")) + _text(kind)
        return head + (self.object(value.fields) if isinstance(value, Module) else self._tensor(value))

    def _tensor(self, values: np.ndarray) -> bytes:
        strides = [step // values.itemsize for step in values.strides]
        shape = struct.pack(f"<i{2 * values.ndim}qq", values.ndim, *values.shape, *strides, 1)
        index = len(self.indices) + 1
        self.indices[-index] = index
        storage = struct.pack("<ii", 4, index) + (b"" if self.old else _text("V 1"))
        storage += _text(f"torch.{self.numbers}Storage") + struct.pack("<q", values.size)
        dtype = {"Double": "<f8", "CudaDouble": "<f8", "CudaHalf": "<f2", "Half": "<f2"}.get(self.numbers, "<f4")
        return shape + storage + values.astype(dtype).tobytes()


def _text(value: str) -> bytes:
    return struct.pack("<i", len(value.encode())) + value.encode()


def torch7_convolution(kernel: np.ndarray, bias: np.ndarray, padding: int = 0, flat_kernel: bool = False) -> Module:
    """Return a convolution with the fields that `nn` gives it; `flat_kernel` as SpatialConvolutionMM keeps it."""
    outputs, inputs, height, width = kernel.shape
    return Module(
        "nn.SpatialConvolutionMM" if flat_kernel else "nn.SpatialConvolution",
        weight=kernel.reshape(outputs, -1) if flat_kernel else kernel,
        bias=bias,
        nInputPlane=inputs,
        nOutputPlane=outputs,
        kW=width,
        kH=height,
        dW=1,
        dH=1,
        padW=padding,
        padH=padding,
        train=False,
    )


def torch7_network(tensors: Tensors, bypassed: Sequence[int] = (), flat_kernels: bool = False) -> Module:
    """Return a SqueezeNet of `nn.Sequential` and `nn.Concat`, from a first layer, triples of a Fire module, and a last.

    Args:
      tensors: in graph order.
      bypassed: places of Fire modules, from 0, that a `CAddTable` leads around.
    """
    layers = [
        torch7_convolution(kernel, bias, int(kernel.shape[2] == 3 and number > 0), flat_kernels)
        for number, (kernel, bias) in enumerate(tensors.values())
    ]
    fires = [_fire(*layers[at : at + 3]) for at in range(1, len(layers) - 3, 3)]
    fires = [_bypass(fire) if place in bypassed else fire for place, fire in enumerate(fires)]
    rest = layers[1 + 3 * len(fires) :]
    return sequential(layers[0], Module("nn.ReLU", inplace=True), *fires, *rest, Module("nn.LogSoftMax"))


def sequential(*modules: Module) -> Module:
    return Module("nn.Sequential", modules=list(modules))


def _fire(squeeze: Module, expand1x1: Module, expand3x3: Module) -> Module:
    expand = Module("nn.Concat", dimension=2, modules=[expand1x1, expand3x3])
    return sequential(squeeze, Module("nn.ReLU", inplace=True), expand, Module("nn.ReLU", inplace=True))


def _bypass(fire: Module) -> Module:
    both = Module("nn.ConcatTable", modules=[fire, Module("nn.Identity")])
    return sequential(both, Module("nn.CAddTable", inplace=True))
