"""Torch7's `.t7`: a network of `nn`, or a table that holds one, saved in binary.

Layers have no names there: they are called `convolution 1` and so on in the order in which containers hold them. What
the objects of a file are is in `torch7_objects`; nothing in it is executed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from converters.weights.tensors import ConvWeights, WeightFile, checked_shape, convolution, require_few
from converters.weights.torch7_objects import Table, Tensor, read_object

_CONVOLUTIONS = ("SpatialConvolution", "SpatialConvolutionMM")
_NETWORKS = ("model", "net", "network")  # where training scripts put it in a table
_REPLICAS = "DataParallelTable"  # holds the same network once for each GPU
_MOST_LAYERS = 10_000


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a `.t7` file.

    Raises:
      ValueError: cut short, damaged, without a network, or a layer contradicts itself; names the layer.
    """
    layers: dict[str, ConvWeights] = {}
    additions, normalisations, unused = [], [], []
    values = 0
    for number, module in enumerate(_modules(_network(read_object(data)))):
        kind, place = module.kind.rpartition(".")[2], f"{module.kind} number {number + 1}"
        if kind in _CONVOLUTIONS:
            name = f"convolution {len(layers) + 1}"
            found = layers[name] = _convolution(name, module)
            values += found.kernel.size + found.bias.size
            require_few(values)  # modules may share one tensor, and each has a copy here
        elif kind == "CAddTable":
            additions.append(place)
        elif kind.endswith("BatchNormalization"):
            normalisations.append(place)
        elif isinstance(module.fields.get("weight"), Tensor):
            unused.append(place)
    if not layers:
        raise ValueError("the file's network holds no SpatialConvolution; expected a network of convolutions")
    return WeightFile(
        "torch7",
        layers,
        hashlib.sha256(data).hexdigest(),
        tuple(unused),
        tuple(additions),
        normalisations=tuple(normalisations),
    )


def _network(content: Any) -> Table:
    if isinstance(content, Table) and not content.kind:
        content = next((content.fields[key] for key in _NETWORKS if key in content.fields), content)
    if not isinstance(content, Table) or not content.kind:
        found = "table" if isinstance(content, Table) else type(content).__name__
        raise ValueError(
            f"the file holds a {found}; expected a network, from torch.save(FILE, net:clearState():float())"
        )
    return content


def _modules(network: Table) -> Iterator[Table]:
    """Yield a network's modules in order, each before those it contains, and none twice."""
    waiting, seen = [network], set[int]()
    while waiting:
        module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        if len(seen) > _MOST_LAYERS:
            raise ValueError(f"the network has more than {_MOST_LAYERS} modules (the file is damaged)")
        yield module
        inside = _inside(module)
        waiting += reversed(inside[:1] if module.kind.endswith(_REPLICAS) else inside)


def _inside(module: Table) -> list[Table]:
    """Return the modules that a container holds, or the one that a decorator does."""
    held = module.fields.get("modules")
    if not isinstance(held, Table):
        return [each] if isinstance(each := module.fields.get("module"), Table) else []
    found = [held.fields.get(float(number)) for number in range(1, len(held.fields) + 1)]
    return [each for each in found if isinstance(each, Table)]


def _convolution(name: str, module: Table) -> ConvWeights:
    kernel, bias = (_numbers(f"layer {name}'s {part}", module.fields.get(part)) for part in ("weight", "bias"))
    groups = max(1, _whole(module, "groups", 1))
    if kernel.ndim == 2:  # as SpatialConvolutionMM keeps it
        inputs, height, width = (_whole(module, part, 1) for part in ("nInputPlane", "kH", "kW"))
        kernel = kernel.reshape(checked_shape(name, (len(kernel), inputs // groups, height, width), kernel.size))
    kernel = kernel.reshape(checked_shape(name, kernel.shape, kernel.size))
    padding = _whole(module, "padH", _whole(module, "padding", 0)), _whole(module, "padW", _whole(module, "padding", 0))
    return convolution(name, kernel, bias, groups, padding)


def _numbers(what: str, value: Any) -> np.ndarray:
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} is {'missing' if value is None else 'no tensor'}; expected a tensor")
    found = value.values(what)
    if found.dtype.kind != "f":
        raise ValueError(f"{what} has {found.dtype} numbers; expected floating-point ones")
    return found


def _whole(module: Table, key: str, otherwise: int) -> int:
    value = module.fields.get(key)
    if not isinstance(value, float):
        return otherwise
    if not 0 <= value <= 1 << 20 or value != int(value):
        raise ValueError(f"a {module.kind} has {key} {value:g}; expected a small whole number")
    return int(value)
