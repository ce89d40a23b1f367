"""Give a network's last layers room for more classes than it has, so that one program runs heads of many sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple, get_args

import numpy as np

from converters.compiler.faults import check
from converters.compiler.limits import LARGEST_SIDE
from converters.compiler.middle.arithmetic import QMIN
from converters.compiler.middle.program import ConvKernel, Kernel, Program, Requant, SoftmaxKernel

_EXPECTED = "expected a convolution whose mean over the map, or its softmax, is the output"


class _Wide(NamedTuple):
    """A kernel with room, and whether it is the first that knows of classes."""

    kernel: Kernel
    first: bool


def widened(program: Program, classes: int) -> Program:
    """Return a program of so many outputs, of which those beyond the network's own say nothing.

    Args:
      program: that ends with a convolution, the mean over its map, and a softmax if it has one.
      classes: as many as the network has, or more.

    Raises:
      ValueError: it ends in another way, or has more classes.
    """
    own = program.results[0].channels
    check(classes <= LARGEST_SIDE, f"a program has room for {LARGEST_SIDE} classes at most, not {classes}")
    check(own <= classes, f"the network has {own} classes, more than the {classes} of the program")
    if own == classes:
        return program
    operators, streams = list(program.operators), list(program.streams)
    for i in reversed(range(len(operators))):
        operator, found = operators[i], WIDER[type(operators[i].kernel)](operators[i].kernel, classes)
        check(found is not None, f"the network's classes cannot be given room; {_EXPECTED}")
        assert found
        operators[i] = replace(operator, kernel=found.kernel, macs=operator.macs // own * classes)
        streams[operator.output] = replace(streams[operator.output], channels=classes)
        if found.first:
            break
    result = replace(program.results[0], channels=classes)
    return replace(program, streams=tuple(streams), operators=tuple(operators), results=(result,))


def _never(kernel: Kernel, classes: int) -> _Wide | None:
    return None


def _softmax(kernel: SoftmaxKernel, classes: int) -> _Wide | None:
    """Return the softmax as it is: it is over the classes there are."""
    return _Wide(kernel, False) if kernel.width == 1 else None


def _head(conv: ConvKernel, classes: int) -> _Wide | None:
    """Return the convolution with channels added whose outputs are the lowest there are."""
    if conv.mean is None:
        return None
    more = classes - conv.out_channels
    real = float(conv.requant.multiplier.ravel()[-1]) * 2.0 ** (float(conv.requant.shift.ravel()[-1]) - 31)
    bias = -ceil((conv.requant.zero_point - QMIN + 1) / real)
    kernel = replace(
        conv,
        weights=np.pad(conv.weights, ((0, more), (0, 0), (0, 0), (0, 0))),
        bias=np.pad(conv.bias, (0, more), constant_values=bias),
        requant=_padded(conv.requant, more),
        mean=_padded(conv.mean, more),
        out_channels=classes,
    )
    return _Wide(kernel, True)


def _padded(requant: Requant, more: int) -> Requant:
    def pad(values: np.ndarray) -> np.ndarray:
        return np.pad(values, (0, more), mode="edge") if values.size > 1 else values

    return replace(requant, multiplier=pad(requant.multiplier), shift=pad(requant.shift))


WIDER: dict[type, Callable[[Any, int], _Wide | None]] = {
    **dict.fromkeys(get_args(Kernel), _never),
    ConvKernel: _head,
    SoftmaxKernel: _softmax,
}
