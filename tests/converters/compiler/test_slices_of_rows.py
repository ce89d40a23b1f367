"""Every operator writes between others: what it makes is the middle of a concatenation's rows of several pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator

from converters.compiler import TARGETS
from converters.compiler.front.read import READERS
from tests.helpers.compiled_on_host import SANITIZERS, Program, Reference
from tests.helpers.int8_networks import Map, Net

Change = Callable[[Net, Map], Map]
LIKE_OTHERS = {"DEQUANTIZE": "only at an edge", "EXPAND_DIMS": "RESHAPE", "SQUEEZE": "RESHAPE"}


def constant(n: Net, x: Map) -> Map:
    return Map(n.constant(x.shape, x.scale, x.zero_point), x.shape, x.scale, x.zero_point)


def pack(n: Net, x: Map) -> Map:
    y = n.conv(x, 4, (1, 1), out=(x.scale, x.zero_point))
    return n.pack([n.reshape(x, 1, 36, 4), n.reshape(y, 1, 36, 4)], 2)


def conv(*how: object, **more: object) -> Change:
    return lambda n, x: n.conv(x, *how, **more)  # type: ignore[arg-type]


def binary(operator: str, other: Change | tuple[int, ...]) -> Change:
    """Return what combines a map with another or, of a shape, a constant."""

    def change(n: Net, x: Map) -> Map:
        y = n.constant(other, x.scale, x.zero_point) if isinstance(other, tuple) else other(n, x)
        extreme = operator in ("MINIMUM", "MAXIMUM")
        return n.binary(operator, x, y, x, x.scale * (1 if extreme else 1.7), x.zero_point if extreme else 3)

    return change


def binaries(operator: str) -> tuple[Change, ...]:
    return (
        binary(operator, lambda n, x: n.conv(x, 4, out=(x.scale, x.zero_point))),
        binary(operator, lambda n, x: n.reduce("REDUCE_MAX", x, (1, 2))),
        binary(operator, lambda n, x: n.reduce("REDUCE_MAX", x, (1,))),
        *(binary(operator, shape) for shape in ((), (4,), (6, 1, 1), (1, 6, 6, 4))),
    )


def lookup(operator: str) -> tuple[Change, ...]:
    return (lambda n, x: n.elementwise(operator, x, x.scale, 3),)


def requantized(operator: str) -> tuple[Change, ...]:
    return (lambda n, x: n.requantize(x, x.scale * 1.7, 4, operator=operator),)


def resized(operator: str) -> tuple[Change, ...]:
    return tuple(
        lambda n, x, size=size, how=how: n.resize(operator, x, size, *how)  # type: ignore[misc]
        for size, how in (((12, 12), (False, True)), ((7, 4), (True, False)), ((6, 6), (False, False)))
    )


def reduced(operator: str) -> tuple[Change, ...]:
    return tuple(lambda n, x, axis=axis: n.reduce(operator, x, (axis,)) for axis in (1, 3))  # type: ignore[misc]


# Operator → maps of several columns that it makes.
CASES: dict[str, tuple[Change, ...]] = {
    **{name: binaries(name) for name in ("ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM")},
    **{name: lookup(name) for name in ("ABS", "EXP", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "TANH")},
    **{name: requantized(name) for name in ("QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1")},
    **{name: resized(name) for name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")},
    **{name: reduced(name) for name in ("MEAN", "REDUCE_MAX")},
    "AVERAGE_POOL_2D": (lambda n, x: n.pool(x, average=True), lambda n, x: n.pool(x, (5, 5), (1, 1), average=True)),
    "MAX_POOL_2D": (lambda n, x: n.pool(x), lambda n, x: n.pool(x, (2, 2), activation="RELU")),
    "CONCATENATION": (
        lambda n, x: n.concat([constant(n, x), x]),
        lambda n, x: n.concat([x, n.pool(x, (2, 2), (1, 2))], axis=2),
        lambda n, x: n.concat([x, constant(n, x)], axis=1),
    ),
    "CONV_2D": (
        conv(4),
        conv(5, (1, 1)),
        conv(8, (1, 1), per_channel=False),
        conv(3, (5, 3), (2, 2)),
        conv(4, groups=2),
        conv(4, dilation=(2, 2)),
        lambda n, x: n.conv(n.pad(x, value=9), 4, padding="VALID"),
    ),
    "DEPTHWISE_CONV_2D": (
        conv(1, depthwise=True),
        conv(2, depthwise=True),
        conv(1, (5, 1), (2, 2), depthwise=True),
        lambda n, x: n.conv(n.reshape(x, 1, 18, 2, 4), 1, (3, 1), depthwise=True),
    ),
    "DEPTH_TO_SPACE": (lambda n, x: n.blocks("DEPTH_TO_SPACE", x, 2),),
    "SPACE_TO_DEPTH": (lambda n, x: n.blocks("SPACE_TO_DEPTH", x, 3),),
    "FULLY_CONNECTED": (
        lambda n, x: n.dense(x, 5, each=True),
        lambda n, x: n.reshape(n.dense(x, 36), 1, 3, 4, 3),
    ),
    "SOFTMAX": (lambda n, x: n.softmax(x),),
    "LOG_SOFTMAX": (lambda n, x: n.log_softmax(x),),
    "PACK": (pack,),
    "PAD": (lambda n, x: n.pad(x), lambda n, x: n.pad(x, channels=(1, 2))),
    "PADV2": (lambda n, x: n.pad(x, 0, 1, 2, 0, value=7), lambda n, x: n.pad(x, channels=(2, 0), value=7)),
    "PRELU": tuple(
        lambda n, x, shape=shape: n.prelu(x, n.constant(shape, 0.01, 3), x.scale, 4)  # type: ignore[misc]
        for shape in ((1, 1, 4), (6, 6, 4), (6, 1, 1))
    ),
    "RESHAPE": tuple(
        lambda n, x, shape=shape: n.reshape(x, *shape)  # type: ignore[misc]
        for shape in ((1, 6, 4, 6), (1, 12, 3, 4), (1, 3, 12, 4), (1, 4, 9, 4))
    ),
    "SLICE": (lambda n, x: n.slice(x, (0, 1, 2, 1), (1, -1, 3, 2)),),
    "STRIDED_SLICE": (lambda n, x: n.strided_slice(x, (0, 1, 0, 1), (0, -1, 0, 0), (1, 2, 1, 2)),),
    "SPLIT": (lambda n, x: n.split(x, 2, 3)[1],),
    "SPLIT_V": (lambda n, x: n.split(x, (1, 2, 3), 1)[2],),
    "TRANSPOSE": tuple(
        lambda n, x, axes=axes: n.transpose(x, 0, *axes)  # type: ignore[misc]
        for axes in ((1, 3, 2), (2, 1, 3), (3, 1, 2))
    ),
    "TRANSPOSE_CONV": (
        lambda n, x: n.transposed(x, 3),
        lambda n, x: n.transposed(x, 4, (2, 2), (2, 2), per_channel=False),
        lambda n, x: n.transposed(x, 4, stride=(1, 1)),
    ),
    "UNPACK": (lambda n, x: n.unpack(x, 1)[2], lambda n, x: n.unpack(x, 2)[1]),
}


def between_others(n: Net, x: Map, y: Map) -> Map:
    """Return the channels of `y` between those of two other maps."""
    *_, height, width, _ = (1, *y.shape)
    assert width > 1
    z = n.resize("RESIZE_NEAREST_NEIGHBOR", x, (height, width))
    others = [n.conv(z, channels, (1, 1), out=(y.scale, y.zero_point)) for channels in (3, 2)]
    if len(y.shape) == 3:
        others = [n.reshape(each, *y.shape[:2], each.channels) for each in others]
    return n.concat([others[0], y, others[1]], axis=-1)


def network_of(operator: str) -> bytes:
    """Return input → CONV_2D → each map that the operator makes, between others."""
    n = Net()
    x = n.conv(n.input(6, 6, 2), 4)
    outputs = [between_others(n, x, change(n, x)) for change in CASES[operator]]
    assert getattr(BuiltinOperator, operator) in n.codes
    return n.bytes(*outputs)


def test_every_operator_that_is_read_is_here() -> None:
    assert set(CASES) | set(LIKE_OTHERS) == set(READERS)


@pytest.mark.parametrize("target", [pytest.param(t, marks=[pytest.mark.slow] * (t != "generic")) for t in TARGETS])
def test_every_row_equals_the_reference_kernels(tmp_path: Path, target: str) -> None:
    models = {operator: network_of(operator) for operator in CASES}
    program = Program(tmp_path, models, target=target, flags=SANITIZERS)
    found = {operator: program.compare(operator, Reference(model), 1) for operator, model in models.items()}
    assert {operator: some for operator, some in found.items() if some} == {}
