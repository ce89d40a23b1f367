"""What is read from a `.tflite` file: frozen values, from which nothing can be changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

NUMPY_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")
NUMPY_DTYPES = (*NUMPY_INTEGERS, "float16", "float32", "float64", "complex64", "complex128")
INTEGER_DTYPES = (*NUMPY_INTEGERS, "int2", "int4", "uint4")


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor: real = scale * (q - zero_point).

    `scale` and `zero_point` are empty where the tensor is not quantized, of length 1 per tensor, of length
    `shape[quantized_dimension]` per channel. `data` is read-only, of `shape` and `dtype`; None for activations
    and for constants of a dtype NumPy lacks (int4, string). `shape_signature` holds -1 for unknown sizes.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    quantized_dimension: int = 0
    is_constant: bool = False
    data: np.ndarray | None = None
    shape_signature: tuple[int, ...] = ()
    is_variable: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def per_channel(self) -> bool:
        """Whether each channel has a scale of its own."""
        return len(self.scale) > 1


@dataclass(frozen=True)
class Op:
    """One operator; `inputs` holds -1 for an optional input left out.

    `options` by operator (height before width): convolutions `padding` (SAME, VALID), `stride`, `dilation`,
    `fused_activation` (NONE, RELU, RELU6, ...), depthwise also `depth_multiplier`; pools `padding`, `stride`,
    `filter`, `fused_activation`; CONCATENATION `axis`, `fused_activation`; ADD, SUB, MUL `fused_activation`;
    FULLY_CONNECTED `fused_activation`, `weights_format`, `keep_num_dims`; MEAN `keep_dims`; SOFTMAX `beta`;
    RESHAPE `new_shape`; STRIDED_SLICE `begin_mask`, `end_mask`, `ellipsis_mask`, `new_axis_mask`, `shrink_axis_mask`;
    UNPACK `axis`; TRANSPOSE_CONV `padding`, `stride`, `fused_activation`; RESIZE_… `align_corners`, `half_pixels`;
    DEPTH_TO_SPACE, SPACE_TO_DEPTH `block`. Others have none.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """The main (and only) subgraph; `ops` in execution order, `op_names` in order of first use."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    op_names: tuple[str, ...]
    description: str = ""

    def tensor(self, index: int) -> Tensor:
        """Return a tensor by index."""
        return self.tensors[index]

    def input_tensors(self) -> tuple[Tensor, ...]:
        """Return the graph's inputs."""
        return tuple(self.tensors[index] for index in self.inputs)

    def output_tensors(self) -> tuple[Tensor, ...]:
        """Return the graph's outputs."""
        return tuple(self.tensors[index] for index in self.outputs)
