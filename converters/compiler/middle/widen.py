"""Give a network's last layers room for more classes than it has, so that one program runs heads of many sizes."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np

from converters.compiler.faults import check
from converters.compiler.middle.arithmetic import QMIN
from converters.compiler.middle.program import ConvKernel, Operator, Program, Requant, SoftmaxKernel

_EXPECTED = "expected a convolution whose mean over the map, or its softmax, is the output"


def widened(program: Program, classes: int) -> Program:
    """Return a program of so many outputs, of which those beyond the network's own say nothing.

    Args:
      program: that ends with a convolution, the mean over its map, and a softmax if it has one.
      classes: as many as the network has, or more.

    Raises:
      ValueError: it ends in another way, or has more classes.
    """
    own = program.results[0].channels
    check(own <= classes, f"the network has {own} classes, more than the {classes} of the program")
    if own == classes:
        return program
    head = max((i for i, each in enumerate(program.operators) if isinstance(each.kernel, ConvKernel)), default=-1)
    tail = program.operators[head + 1 :]
    kernel = program.operators[head].kernel
    check(
        isinstance(kernel, ConvKernel) and kernel.mean is not None and all(map(_is_softmax, tail)),
        f"the network's classes cannot be given room; {_EXPECTED}",
    )
    wide = {each.output for each in program.operators[head:]}
    streams = tuple(replace(each, channels=classes) if i in wide else each for i, each in enumerate(program.streams))
    operators = (*program.operators[:head], _head(program.operators[head], classes), *tail)
    return replace(
        program, streams=streams, operators=operators, results=(replace(program.results[0], channels=classes),)
    )


def _is_softmax(operator: Operator) -> bool:
    return isinstance(operator.kernel, SoftmaxKernel) and operator.kernel.width == 1 and operator.fires == 1


def _head(operator: Operator, classes: int) -> Operator:
    """Return the convolution with channels added whose outputs are the lowest there are."""
    conv = operator.kernel
    assert isinstance(conv, ConvKernel)
    assert conv.mean is not None
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
    return replace(operator, kernel=kernel, macs=operator.macs // conv.out_channels * classes)


def _padded(requant: Requant, more: int) -> Requant:
    def pad(values: np.ndarray) -> np.ndarray:
        return np.pad(values, (0, more), mode="edge") if values.size > 1 else values

    return replace(requant, multiplier=pad(requant.multiplier), shift=pad(requant.shift))
