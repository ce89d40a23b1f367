"""What each kernel takes: bytes it keeps, constants besides its weights, operations. One row a kernel in each table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from converters.compiler.middle import program as prog

SUM_BYTES = 4  # int32


def state_bytes(kernel: prog.Kernel) -> int:
    """Return what an operator keeps from one firing to the next."""
    return STATE_BYTES[type(kernel)](kernel)


def may_overwrite(kernel: prog.Kernel) -> bool:
    """Whether an operator that writes whole rows reads no byte of its row after it has written there."""
    return OVERWRITES[type(kernel)](kernel)


def constants(kernel: prog.Kernel) -> Constants:
    """Return the bytes of a kernel's constants besides its weights."""
    return CONSTANTS[type(kernel)](kernel)


def operations(operator: prog.Operator, output: prog.Stream) -> int:
    """Return the elementary operations of one inference: two for a multiply-accumulate, one for each value compared,
    added or converted by an operator without weights.
    """
    return OPERATIONS[type(operator.kernel)](operator, output)


@dataclass(frozen=True)
class Constants:
    """Bytes of biases, of multipliers and shifts, and of those of a MEAN that is part of the kernel."""

    bias: int = 0
    scaling: int = 0
    mean: int = 0


def _nothing(kernel: prog.Kernel) -> int:
    return 0


# State.


def _conv_state(kernel: prog.ConvKernel) -> int:
    return SUM_BYTES * kernel.out_channels if kernel.mean else 0


def _pool_state(kernel: prog.PoolKernel) -> int:
    if not kernel.streaming:
        return 0
    return kernel.out_width * kernel.channels * (SUM_BYTES if kernel.average else 1)


def _mean_state(kernel: prog.MeanKernel) -> int:
    return SUM_BYTES * kernel.channels


def _fully_connected_state(kernel: prog.FullyConnectedKernel) -> int:
    return SUM_BYTES * kernel.out_channels if kernel.height > 1 else 0


STATE_BYTES: dict[type, Callable[[Any], int]] = {
    prog.AddKernel: _nothing,
    prog.ExtremeKernel: _nothing,
    prog.MulKernel: _nothing,
    prog.PReluKernel: _nothing,
    prog.TableKernel: _nothing,
    prog.TransposeKernel: _nothing,
    prog.ConvKernel: _conv_state,
    prog.FullyConnectedKernel: _fully_connected_state,
    prog.MeanKernel: _mean_state,
    prog.PadKernel: _nothing,
    prog.PoolKernel: _pool_state,
    prog.QuantizeKernel: _nothing,
    prog.ReshapeKernel: _nothing,
    prog.BilinearKernel: _nothing,
    prog.NearestKernel: _nothing,
    prog.SliceKernel: _nothing,
    prog.SoftmaxKernel: _nothing,
}


# Overwriting.


def _never(kernel: prog.Kernel) -> bool:
    return False


def _always(kernel: prog.Kernel) -> bool:
    return True


def _pool_overwrites(kernel: prog.PoolKernel) -> bool:
    # Pixel x must be written after pixel x was read for the last time.
    left_to_right = kernel.window.stride_w > kernel.window.pad_left
    return kernel.streaming and not kernel.average and left_to_right


OVERWRITES: dict[type, Callable[[Any], bool]] = {
    prog.AddKernel: _always,
    prog.ExtremeKernel: _always,
    prog.MulKernel: _always,
    prog.PReluKernel: _always,
    prog.TableKernel: _always,
    prog.TransposeKernel: _never,
    prog.ConvKernel: _never,
    prog.FullyConnectedKernel: _never,
    prog.MeanKernel: _never,
    prog.PadKernel: _never,
    prog.PoolKernel: _pool_overwrites,
    prog.QuantizeKernel: _always,
    prog.ReshapeKernel: _never,
    prog.BilinearKernel: _never,
    prog.NearestKernel: _never,
    prog.SliceKernel: _never,
    prog.SoftmaxKernel: _never,
}


# Constants.


def _no_constants(kernel: prog.Kernel) -> Constants:
    return Constants()


def _conv_constants(kernel: prog.ConvKernel) -> Constants:
    mean = kernel.mean.table_bytes if kernel.mean else 0
    return Constants(int(kernel.bias.nbytes), kernel.requant.table_bytes, mean)


def _fully_connected_constants(kernel: prog.FullyConnectedKernel) -> Constants:
    return Constants(int(kernel.bias.nbytes), kernel.requant.table_bytes)


def _second(kernel: prog.AddKernel | prog.ExtremeKernel | prog.MulKernel) -> Constants:
    constant = kernel.second.constant
    return Constants() if constant is None else Constants(scaling=int(constant.nbytes))


def _product_constants(kernel: prog.MulKernel) -> Constants:
    return Constants(scaling=kernel.requant.table_bytes + _second(kernel).scaling)


def _prelu_constants(kernel: prog.PReluKernel) -> Constants:
    return Constants(scaling=kernel.positive.table_bytes + kernel.negative.table_bytes + int(kernel.slopes.nbytes))


def _table(kernel: prog.TableKernel) -> Constants:
    return Constants(scaling=int(kernel.table.nbytes))


def _nearest_constants(kernel: prog.NearestKernel) -> Constants:
    return Constants(scaling=int(kernel.columns.nbytes + (0 if kernel.rows is None else kernel.rows.nbytes)))


def _scaling(kernel: prog.MeanKernel | prog.QuantizeKernel) -> Constants:
    return Constants(scaling=kernel.requant.table_bytes)


CONSTANTS: dict[type, Callable[[Any], Constants]] = {
    prog.AddKernel: _second,
    prog.ExtremeKernel: _second,
    prog.MulKernel: _product_constants,
    prog.PReluKernel: _prelu_constants,
    prog.TableKernel: _table,
    prog.TransposeKernel: _no_constants,
    prog.ConvKernel: _conv_constants,
    prog.FullyConnectedKernel: _fully_connected_constants,
    prog.MeanKernel: _scaling,
    prog.PadKernel: _no_constants,
    prog.PoolKernel: _no_constants,
    prog.QuantizeKernel: _scaling,
    prog.ReshapeKernel: _no_constants,
    prog.BilinearKernel: _no_constants,
    prog.NearestKernel: _nearest_constants,
    prog.SliceKernel: _no_constants,
    prog.SoftmaxKernel: _no_constants,
}


# Operations.


def _two_each_mac(operator: prog.Operator, output: prog.Stream) -> int:
    return 2 * operator.macs


def _one_each_value(operator: prog.Operator, output: prog.Stream) -> int:
    return output.height * output.width * operator.kernel.out_channels


def _window_each_value(operator: prog.Operator, output: prog.Stream) -> int:
    assert isinstance(operator.kernel, prog.PoolKernel)
    window = operator.kernel.window
    return output.height * output.row_bytes * window.kernel_h * window.kernel_w


def _all_pixels(operator: prog.Operator, output: prog.Stream) -> int:
    assert isinstance(operator.kernel, prog.MeanKernel)
    return operator.kernel.pixels * operator.kernel.channels


OPERATIONS: dict[type, Callable[[prog.Operator, prog.Stream], int]] = {
    prog.AddKernel: _one_each_value,
    prog.ExtremeKernel: _one_each_value,
    prog.MulKernel: _one_each_value,
    prog.PReluKernel: _one_each_value,
    prog.TableKernel: _one_each_value,
    prog.TransposeKernel: _one_each_value,
    prog.ConvKernel: _two_each_mac,
    prog.FullyConnectedKernel: _two_each_mac,
    prog.MeanKernel: _all_pixels,
    prog.PadKernel: _one_each_value,
    prog.PoolKernel: _window_each_value,
    prog.QuantizeKernel: _one_each_value,
    prog.ReshapeKernel: _one_each_value,
    prog.BilinearKernel: _one_each_value,
    prog.NearestKernel: _one_each_value,
    prog.SliceKernel: _one_each_value,
    prog.SoftmaxKernel: _one_each_value,
}
