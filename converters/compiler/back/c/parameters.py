"""What each operator's function is told: its structure of mcu/src/sqz_ops.h as designated initialisers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.compiler.back.c.tables import Reference, Tables
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.middle import program as prog

Parameters = tuple[str, dict[str, object]]  # a structure's name, and its fields


@dataclass(frozen=True)
class Site:
    """Where an operator stands: bytes between pixels of its output, how it is run, where its constants go."""

    out_stride: int
    choice: Choice
    tables: Tables
    owner: str

    def table(self, what: str, values: np.ndarray, about: str) -> Reference:
        """Add constants; return their name in C."""
        return self.tables.add(self.owner, what, values, about)


class Inner(dict[str, object]):
    """The fields of a structure within another, one a line."""


class Short(dict[str, object]):
    """The same on one line."""


def parameters(kernel: prog.Kernel, site: Site) -> Parameters:
    """Return the structure that a kernel's function reads; its constants are added to the tables."""
    return PARAMETERS[type(kernel)](kernel, site)


def designated(values: Mapping[str, object]) -> str:
    """Return designated initialisers, one a line."""
    return "\n".join(f"    .{key} = {_initialiser(value)}," for key, value in values.items())


def _initialiser(value: object) -> str:
    if isinstance(value, Inner):
        lines = designated(value).replace("\n", "\n    ")
        return f"{{\n    {lines}\n    }}"
    if isinstance(value, Short):
        return "{" + ", ".join(f".{key} = {_initialiser(each)}" for key, each in value.items()) + "}"
    return str(value)


def _requant(requant: prog.Requant, site: Site, prefix: str = "") -> Short:
    count = len(requant.shift)
    how = "one a channel" if count > 1 else "one for all"
    multiplier: object = "NULL"
    if not requant.only_shifts:
        multiplier = site.table(f"{prefix}multiplier", requant.multiplier, how)
    shift = site.table(f"{prefix}shift", requant.shift, how)
    return Short(multiplier=multiplier, shift=shift, step=int(count > 1), **_range(requant))


def _range(requant: prog.Requant | prog.ExactRequant) -> dict[str, object]:
    return {"zero_point": requant.zero_point, "lowest": requant.lowest, "highest": requant.highest}


def _in_records(requant: prog.Requant) -> Short:
    """For kernels that find multipliers and shifts beside the weights (mcu/src/sqz_record.h)."""
    return Short(multiplier="NULL", shift="NULL", step=int(not requant.only_shifts), **_range(requant))


def _exact_requant(requant: prog.ExactRequant, site: Site) -> Short:
    count = len(requant.shift)
    how = "one a channel" if count > 1 else "one for all"
    high, low, shift = (site.table(name, getattr(requant, name), how) for name in ("high", "low", "shift"))
    return Short(high=high, low=low, shift=shift, step=int(count > 1), **_range(requant))


def _conv_params(k: prog.ConvKernel, site: Site) -> Parameters:
    name, values = _conv_or_mean(k, site)
    section = site.choice.packed
    if site.choice.tiles:
        return "sqz_conv_winograd", {"conv": Inner(values), "tiles": site.choice.tiles}
    if section is None:
        return name, values
    data = site.table("packed", np.frombuffer(section.data, np.uint8), _shape(k))
    data.packed = section
    packed = {
        "data": data,
        "bytes": len(section.data),
        "block": site.choice.block,
        "scales": section.scales,
        "group_bits": site.choice.group_bits,
        "value_bits": section.value_bits,
        "bias_bits": section.bias_bits,
        "scale_bits": section.scale_bits,
        "stride_h": k.window.stride_h,
    }
    first = "conv" if k.mean is None else "both"
    return f"{name}_packed", {first: Inner(values), "packed": Inner(packed)}


def _shape(k: prog.ConvKernel) -> str:
    return "x".join(str(n) for n in k.weights.shape)


def _weights(k: prog.ConvKernel, site: Site) -> str:
    if site.choice.packed:
        return "NULL"
    assert site.choice.weights is not None
    return site.table("records" if site.choice.records else "weights", site.choice.weights, _shape(k))


def _conv_or_mean(k: prog.ConvKernel, site: Site) -> Parameters:
    window = k.window
    values: dict[str, object] = {
        "weights": _weights(k, site),
        "bias": "NULL" if site.choice.records else site.table("bias", k.bias, "input zero point folded in"),
        "requant": _in_records(k.requant) if site.choice.records else _requant(k.requant, site),
        "in_width": k.in_width,
        "in_channels": k.in_channels,
        "out_width": k.out_width,
        "out_channels": k.out_channels,
        "out_stride": site.out_stride if k.mean is None else k.out_channels,
        "kernel_h": window.kernel_h,
        "kernel_w": window.kernel_w,
        "stride_w": window.stride_w,
        "pad_left": window.pad_left,
        "dilation_h": window.dilation_h,
        "dilation_w": window.dilation_w,
        "input_zero_point": k.input_zero_point,
    }
    if k.mean is None:
        return "sqz_conv", values
    both = {
        "conv": Inner(values),
        "mean": _requant(k.mean, site, "mean_"),
        "zero_sum": k.zero_sum,
    }
    return "sqz_conv_mean", both


def _pool_params(k: prog.PoolKernel, site: Site) -> Parameters:
    window = k.window
    return "sqz_pool", {
        "in_width": k.in_width,
        "channels": k.channels,
        "out_width": k.out_width,
        "out_stride": site.out_stride,
        "kernel_h": window.kernel_h,
        "kernel_w": window.kernel_w,
        "stride_h": window.stride_h,
        "stride_w": window.stride_w,
        "pad_top": window.pad_top,
        "pad_left": window.pad_left,
        "lowest": k.lowest,
        "highest": k.highest,
    }


def _mean_params(k: prog.MeanKernel, site: Site) -> Parameters:
    return "sqz_mean", {
        "requant": _requant(k.requant, site),
        "zero_sum": k.zero_sum,
        "width": k.width,
        "channels": k.channels,
    }


def _add_params(k: prog.AddKernel, site: Site) -> Parameters:
    three = ("multiplier", k.multiplier), ("shift", k.shift), ("zero_point", k.zero_point)
    of = ("a", "b", "out")
    values = {f"{key}_{which}": value for key, row in three for which, value in zip(of, row, strict=True)}
    return "sqz_add", {
        **values,
        "lowest": k.lowest,
        "highest": k.highest,
        **_pixels(k, site),
        "second": _second(k, site),
    }


def _pixels(k: Any, site: Site) -> dict[str, object]:
    return {"width": k.width, "channels": k.channels, "out_stride": site.out_stride}


def _second(k: prog.AddKernel | prog.ExtremeKernel | prog.MulKernel, site: Site) -> Short:
    constant, one_for_all = k.second.constant, k.second.one_pixel or k.second.constant is not None
    name = "NULL" if constant is None else site.table("constant", constant, "one a channel")
    return Short(constant=name, step=0 if one_for_all else k.channels)


def _mul_params(k: prog.MulKernel, site: Site) -> Parameters:
    zero_a, zero_b = k.zero_point
    values = {"requant": _requant(k.requant, site), "zero_point_a": zero_a, "zero_point_b": zero_b}
    return "sqz_mul", {**values, **_pixels(k, site), "second": _second(k, site)}


def _extreme_params(k: prog.ExtremeKernel, site: Site) -> Parameters:
    return "sqz_extreme", {"larger": int(k.larger), **_pixels(k, site), "second": _second(k, site)}


def _table_params(k: prog.TableKernel, site: Site) -> Parameters:
    return "sqz_table", {"table": site.table("table", k.table, "by the byte without its sign"), **_pixels(k, site)}


def _prelu_params(k: prog.PReluKernel, site: Site) -> Parameters:
    return "sqz_prelu", {
        "positive": _requant(k.positive, site),
        "negative": _requant(k.negative, site, "negative_"),
        "slopes": site.table("slopes", k.slopes, "one a channel" if k.slopes.size == k.channels else "one a value"),
        "input_zero_point": k.input_zero_point,
        "slope_zero_point": k.slope_zero_point,
        **_pixels(k, site),
    }


def _transpose_params(k: prog.TransposeKernel, site: Site) -> Parameters:
    steps = dict(zip(("row_step", "pixel_step", "channel_step"), k.steps, strict=True))
    return "sqz_transpose", {**steps, **_pixels(k, site)}


def _slice_params(k: prog.SliceKernel, site: Site) -> Parameters:
    pixel, channel = k.steps
    return "sqz_slice", {"first": k.first, "pixel_step": pixel, "channel_step": channel, **_pixels(k, site)}


def _nearest_params(k: prog.NearestKernel, site: Site) -> Parameters:
    rows = "NULL" if k.rows is None else site.table("rows", k.rows, "of the input, one a row")
    columns = site.table("columns", k.columns, "of the input, one a pixel")
    return "sqz_nearest", {"rows": rows, "columns": columns, **_pixels(k, site)}


def _bilinear_params(k: prog.BilinearKernel, site: Site) -> Parameters:
    rows, columns = (Short(scale=each.scale, offset=each.offset, size=each.size) for each in (k.rows, k.columns))
    how = {"doublings": k.doublings, "top": k.top, "whole": int(k.whole)}
    return "sqz_bilinear", {"rows": rows, "columns": columns, **_pixels(k, site), **how}


def _constant_params(k: prog.ConstantKernel, site: Site) -> Parameters:
    values = site.table("values", k.values, "row by row")
    return "sqz_constant", {"values": values, "width": k.width, "channels": k.channels}


def _quantize_params(k: prog.QuantizeKernel, site: Site) -> Parameters:
    return "sqz_quantize", {
        "requant": _requant(k.requant, site),
        "width": k.width,
        "channels": k.channels,
        "out_stride": site.out_stride,
        "input_zero_point": k.input_zero_point,
    }


def _pad_params(k: prog.PadKernel, site: Site) -> Parameters:
    pad: dict[str, object] = {
        "in_width": k.in_width,
        "channels": k.channels,
        "out_width": k.out_width,
        "out_stride": site.out_stride,
        "pad_left": k.pad_left,
        "value": k.value,
    }
    if not k.pads_channels:
        return "sqz_pad", pad
    return "sqz_pad_channels", {"pad": Inner(pad), "before": k.before, "after": k.after}


def _reshape_params(k: prog.ReshapeKernel, site: Site) -> Parameters:
    values: dict[str, object] = {"width": k.width, "channels": k.channels, "out_stride": site.out_stride}
    return ("sqz_unstack", {"reshape": Inner(values), "mask": k.parts - 1}) if k.parts else ("sqz_reshape", values)


def _fully_connected_params(k: prog.FullyConnectedKernel, site: Site) -> Parameters:
    assert site.choice.weights is not None
    values: dict[str, object] = {
        "weights": site.table("weights", site.choice.weights, "x".join(str(n) for n in k.weights.shape)),
        "bias": site.table("bias", k.bias, "input zero point folded in"),
        "requant": _exact_requant(k.requant, site),
        "row_bytes": k.row_bytes,
        "height": k.height,
        "out_channels": k.out_channels,
    }
    if not k.width:
        return "sqz_fully_connected", values
    return "sqz_fully_connected_each", {"pixel": Inner(values), "width": k.width, "out_stride": site.out_stride}


def _softmax_params(k: prog.SoftmaxKernel, site: Site) -> Parameters:
    return "sqz_softmax", {
        "multiplier": k.multiplier,
        "diff_min": k.diff_min,
        "shift": k.shift,
        "width": k.width,
        "channels": k.channels,
    }


PARAMETERS: dict[type, Callable[[Any, Site], Parameters]] = {
    prog.ConvKernel: _conv_params,
    prog.PoolKernel: _pool_params,
    prog.MeanKernel: _mean_params,
    prog.AddKernel: _add_params,
    prog.ExtremeKernel: _extreme_params,
    prog.MulKernel: _mul_params,
    prog.PReluKernel: _prelu_params,
    prog.TableKernel: _table_params,
    prog.TransposeKernel: _transpose_params,
    prog.QuantizeKernel: _quantize_params,
    prog.PadKernel: _pad_params,
    prog.ReshapeKernel: _reshape_params,
    prog.FullyConnectedKernel: _fully_connected_params,
    prog.BilinearKernel: _bilinear_params,
    prog.NearestKernel: _nearest_params,
    prog.ConstantKernel: _constant_params,
    prog.SliceKernel: _slice_params,
    prog.SoftmaxKernel: _softmax_params,
}
