"""Named tensors, as frameworks save them, to convolutions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from converters.weights.tensors import ConvWeights, WeightFile, checked_shape, convolution

WEIGHT_ENDINGS = (".weight", "_weight", "_w_0", "/W")
"""How publishers end the name of a layer's kernel."""
BIAS_ENDINGS = (".bias", "_bias", "_b_0", "/b")
"""The same for its bias, in the same order."""


def layer_of(tensor: str, endings: tuple[str, ...]) -> str:
    """Return a tensor's name without its ending, or an empty string if it has none of them."""
    return next((tensor[: -len(ending)] for ending in endings if tensor.endswith(ending)), "")


_EXPECTED = f"expected floating-point kernels of four axes whose names end in {' or '.join(WEIGHT_ENDINGS)}"
_STATISTICS = (".running_mean", "_running_mean", ".moving_mean", "_moving_mean", "/avg_mean")  # of batch normalisation


def from_tensors(
    file_format: str, tensors: Mapping[str, np.ndarray], sha256: str, labels: tuple[str, ...] = ()
) -> WeightFile:
    """Pair kernels [O, I, H, W] with their biases.

    Args:
      tensors: arrays by name; a floating-point one with four axes and a weight's name is a kernel. Single
        integers, which are counters, are passed over.
      labels: names of the network's outputs, if the file has them.

    Raises:
      ValueError: a convolution contradicts itself, or there is none; names the layer.
    """
    floats = {name: values for name, values in tensors.items() if values.dtype.kind == "f"}
    layers: dict[str, ConvWeights] = {}
    used: set[str] = set()
    without: list[str] = []
    for name, values in floats.items():
        layer = layer_of(name, WEIGHT_ENDINGS)
        if not layer or values.ndim != 4:
            continue
        if layer in layers:
            raise ValueError(f"layer {layer} is there twice; expected each convolution once")
        bias = next((layer + end for end in BIAS_ENDINGS if layer + end in floats), "")
        checked_shape(layer, values.shape, values.size)
        # MXNet saves a network in one type, and one damaged byte there makes an array half as precise.
        if file_format == "mxnet" and bias and floats[bias].dtype != values.dtype:
            raise ValueError(
                f"layer {layer} has weights of {values.dtype} and biases of {floats[bias].dtype}; expected one"
            )
        layers[layer] = convolution(layer, values, floats[bias] if bias else None)
        used |= {name, bias}
        without += [] if bias else [layer]
    if not layers:
        raise ValueError(f"the file holds {len(tensors)} tensors and no convolution{_alike(tensors)}; {_EXPECTED}")
    unused = (name for name, values in tensors.items() if name not in used and (name in floats or values.size > 1))
    normalisations = tuple(filter(None, (layer_of(name, _STATISTICS) for name in tensors)))
    return WeightFile(
        file_format,
        layers,
        sha256,
        tuple(unused),
        normalisations=normalisations,
        labels=labels,
        notes=_missed(without) if len(without) < len(layers) else (),
    )


def _missed(layers: list[str]) -> tuple[str, ...]:
    """Return what to say of layers that have no bias where others have one."""
    more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
    return (f"no bias of {', '.join(layers[:3])}{more} is in the file: zero",) if layers else ()


def _alike(tensors: Mapping[str, np.ndarray]) -> str:
    """Name the first tensor that has a kernel's axes and cannot be one."""
    name = next((name for name, values in tensors.items() if values.ndim == 4), None)
    return "" if name is None else f", though {name:.100} ({tensors[name].dtype}) has four axes"
