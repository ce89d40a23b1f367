"""Shapes that a file leaves open are found from the numbers it computes, once each, however they hang together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from converters.compiler.front.sizes import with_sizes
from converters.tflite.model import Model, Op, Tensor


def reshaped_by(links: int, reads: int) -> Model:
    """Return a RESHAPE of 12 values to [-1, 4], told by a chain of CONCATENATIONs that each read the last so often."""
    tensors = [
        Tensor(0, "x", (1, 3, 4), "int8", shape_signature=(1, 3, 4)),
        Tensor(1, "y", (1, 4), "int8", shape_signature=(-1, 4)),
        Tensor(2, "shape", (2,), "int32", is_constant=True, data=np.array([-1, 4], np.int32)),
    ]
    ops = []
    for link in range(links):
        tensors.append(Tensor(3 + link, f"shape{link}", (2,), "int32", shape_signature=(2,)))
        ops.append(Op(link, "CONCATENATION", (2 + link,) * reads, (3 + link,), {"axis": 0}))
    ops.append(Op(links, "RESHAPE", (0, 2 + links), (1,), {}))
    return Model(tuple(tensors), tuple(ops), (0,), (1,), ("CONCATENATION", "RESHAPE"))


@pytest.mark.parametrize("links", [0, 1, 1000])
def test_numbers_pass_through_any_number_of_operators(links: int) -> None:
    assert with_sizes(reshaped_by(links, 1)).tensors[1].shape == (3, 4)


@pytest.mark.parametrize("operator", ["GATHER", "STRIDED_SLICE"])
def test_operators_that_lack_inputs_tell_nothing(operator: str) -> None:
    model = reshaped_by(1, 1)
    lacking = replace(model.ops[0], name=operator, options={"shrink_axis_mask": 0, "begin_mask": 0, "end_mask": 0})
    assert with_sizes(replace(model, ops=(lacking, model.ops[1]))).tensors[1].shape == (1, 4)


def test_numbers_that_double_with_each_operator_are_given_up() -> None:
    """Two numbers would be 2^60 here, although the file says that they are two."""
    assert with_sizes(reshaped_by(60, 2)).tensors[1].shape == (1, 4)
