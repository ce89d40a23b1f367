"""What each operator of a `.tflite` file takes: how many inputs, and its options by name. A table each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from converters.tflite.flatbuffer import File, check, names, numbers

_ACTIVATIONS = names(schema.ActivationFunctionType)
_PADDINGS = names(schema.Padding)
_OPTIONS = names(schema.BuiltinOptions)

# Operator → how many inputs it needs and may have; each of these but SPLITTING has one output. Others are not checked.
INPUTS = {
    "ABS": (1, 1),
    "ADD": (2, 2),
    "AVERAGE_POOL_2D": (1, 1),
    "BATCH_TO_SPACE_ND": (3, 3),
    "CONCATENATION": (1, None),
    "CONV_2D": (2, 3),
    "DEPTHWISE_CONV_2D": (2, 3),
    "DEPTH_TO_SPACE": (1, 1),
    "DEQUANTIZE": (1, 1),
    "EXP": (1, 1),
    "EXPAND_DIMS": (2, 2),
    "FULLY_CONNECTED": (2, 3),
    "GELU": (1, 1),
    "HARD_SWISH": (1, 1),
    "LEAKY_RELU": (1, 1),
    "LOGISTIC": (1, 1),
    "LOG": (1, 1),
    "LOG_SOFTMAX": (1, 1),
    "MAXIMUM": (2, 2),
    "MAX_POOL_2D": (1, 1),
    "MEAN": (2, 2),
    "MINIMUM": (2, 2),
    "MUL": (2, 2),
    "PACK": (1, None),
    "PAD": (2, 2),
    "PADV2": (3, 3),
    "PRELU": (2, 2),
    "QUANTIZE": (1, 1),
    "REDUCE_MAX": (2, 2),
    "RELU": (1, 1),
    "RELU6": (1, 1),
    "RELU_N1_TO_1": (1, 1),
    "RESHAPE": (1, 2),
    "RESIZE_BILINEAR": (2, 2),
    "RESIZE_NEAREST_NEIGHBOR": (2, 2),
    "SLICE": (3, 3),
    "SOFTMAX": (1, 1),
    "SPACE_TO_BATCH_ND": (3, 3),
    "SPACE_TO_DEPTH": (1, 1),
    "SPLIT": (2, 2),
    "SPLIT_V": (3, 3),
    "SQUEEZE": (1, 1),
    "STRIDED_SLICE": (4, 4),
    "SUB": (2, 2),
    "TANH": (1, 1),
    "TRANSPOSE": (2, 2),
    "TRANSPOSE_CONV": (3, 4),
    "UNPACK": (1, 1),
}
SPLITTING = ("SPLIT", "SPLIT_V", "UNPACK")  # have one output or more


def _conv(o: Any, file: File) -> dict[str, Any]:
    return {
        "padding": _PADDINGS[o.Padding()],
        "stride": (o.StrideH(), o.StrideW()),
        "dilation": (o.DilationHFactor(), o.DilationWFactor()),
        **_activation(o, file),
    }


def _depthwise(o: Any, file: File) -> dict[str, Any]:
    return {**_conv(o, file), "depth_multiplier": o.DepthMultiplier()}


def _pool(o: Any, file: File) -> dict[str, Any]:
    return {
        "padding": _PADDINGS[o.Padding()],
        "stride": (o.StrideH(), o.StrideW()),
        "filter": (o.FilterHeight(), o.FilterWidth()),
        **_activation(o, file),
    }


def _activation(o: Any, file: File) -> dict[str, Any]:
    return {"fused_activation": _ACTIVATIONS[o.FusedActivationFunction()]}


def _concatenation(o: Any, file: File) -> dict[str, Any]:
    return {"axis": o.Axis(), **_activation(o, file)}


def _fully_connected(o: Any, file: File) -> dict[str, Any]:
    formats = names(schema.FullyConnectedOptionsWeightsFormat)
    return {
        "weights_format": formats[o.WeightsFormat()],
        "keep_num_dims": bool(o.KeepNumDims()),
        **_activation(o, file),
    }


def _reducer(o: Any, file: File) -> dict[str, Any]:
    return {"keep_dims": bool(o.KeepDims())}


def _softmax(o: Any, file: File) -> dict[str, Any]:
    return {"beta": o.Beta()}


def _slope(o: Any, file: File) -> dict[str, Any]:
    return {"alpha": o.Alpha()}


def _strided_slice(o: Any, file: File) -> dict[str, Any]:
    return {
        "begin_mask": o.BeginMask(),
        "end_mask": o.EndMask(),
        "ellipsis_mask": o.EllipsisMask(),
        "new_axis_mask": o.NewAxisMask(),
        "shrink_axis_mask": o.ShrinkAxisMask(),
    }


def _transposed(o: Any, file: File) -> dict[str, Any]:
    return {"padding": _PADDINGS[o.Padding()], "stride": (o.StrideH(), o.StrideW()), **_activation(o, file)}


def _resize(o: Any, file: File) -> dict[str, Any]:
    return {"align_corners": bool(o.AlignCorners()), "half_pixels": bool(o.HalfPixelCenters())}


def _blocks(o: Any, file: File) -> dict[str, Any]:
    return {"block": o.BlockSize()}


def _unpack(o: Any, file: File) -> dict[str, Any]:
    return {"axis": o.Axis()}


def _gelu(o: Any, file: File) -> dict[str, Any]:
    return {"approximate": bool(o.Approximate())}


def _reshape(o: Any, file: File) -> dict[str, Any]:
    return {"new_shape": tuple(numbers(o, "NewShape", file))}


# Operator → the table that holds its options and what to take from it. RESHAPE may have its shape as an input.
OPTIONS: dict[str, tuple[str, Callable[[Any, File], dict[str, Any]]]] = {
    "CONV_2D": ("Conv2DOptions", _conv),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _depthwise),
    "MAX_POOL_2D": ("Pool2DOptions", _pool),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _pool),
    "CONCATENATION": ("ConcatenationOptions", _concatenation),
    "ADD": ("AddOptions", _activation),
    "SUB": ("SubOptions", _activation),
    "MUL": ("MulOptions", _activation),
    "FULLY_CONNECTED": ("FullyConnectedOptions", _fully_connected),
    "MEAN": ("ReducerOptions", _reducer),
    "REDUCE_MAX": ("ReducerOptions", _reducer),
    "GELU": ("GeluOptions", _gelu),
    "LEAKY_RELU": ("LeakyReluOptions", _slope),
    "SOFTMAX": ("SoftmaxOptions", _softmax),
    "RESHAPE": ("ReshapeOptions", _reshape),
    "STRIDED_SLICE": ("StridedSliceOptions", _strided_slice),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _transposed),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", _blocks),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", _blocks),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _resize),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _resize),
    "PACK": ("PackOptions", _unpack),
    "UNPACK": ("UnpackOptions", _unpack),
}
_MAY_LACK_OPTIONS = ("RESHAPE", "ADD", "SUB", "MUL")


def options(op: Any, name: str, where: str, file: File) -> dict[str, Any]:
    """Return an operator's options as `model.Op` describes them; none of one that OPTIONS lacks.

    Raises:
      ValueError: they are missing, of another operator, or no sizes; the message says `where`.
    """
    if name not in OPTIONS:
        return {}
    table_name, reader = OPTIONS[name]
    found = _OPTIONS.get(op.BuiltinOptionsType(), str(op.BuiltinOptionsType()))
    table = op.BuiltinOptions()
    if found == "NONE" or table is None:
        check(name in _MAY_LACK_OPTIONS, f"{where} has no options, expected {table_name}")
        return {"new_shape": ()} if name == "RESHAPE" else {"fused_activation": "NONE"}
    check(found == table_name, f"{where} has {found}, expected {table_name}")
    given = getattr(schema, table_name)()
    given.Init(table.Bytes, table.Pos)
    values = reader(given, file)
    for key in ("stride", "dilation", "filter"):
        check(all(number > 0 for number in values.get(key, ())), f"{where} has {key} {values.get(key)}")
    return values
