"""Layers that move bytes: joined, cut, enlarged, blocks, sides that go; every row as the reference kernels make it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from converters import compiler
from converters.compiler.middle import program as prog
from tests.helpers.compiled_networks import functions, program_of, simple
from tests.helpers.compiled_on_host import SANITIZERS, Program, Reference
from tests.helpers.int8_networks import Map, Net

Change = Callable[[Net, Map], Map]


def reduced(operator: str, axis: int) -> Change:
    return lambda n, x: n.dense(n.reduce(operator, x, (axis,), keep_dims=False), 3)


def last_step(n: Net, x: Map) -> Map:
    """Return what is made of the last of 36 steps."""
    return n.dense(n.strided_slice(n.reshape(x, 1, 36, 4), (0, -1, 0), (0, 0, 0), (1, 1, 1), (1,)), 3)


def pooled_sequence(n: Net, x: Map) -> Map:
    """Pool and convolve a sequence as a map of one column, as Keras does."""
    x = n.pool(n.reshape(n.reshape(x, 1, 36, 4), 1, 36, 1, 4), (3, 1), (2, 1), average=True)
    x = n.conv(n.reshape(n.reshape(x, 1, 18, 4), 1, 18, 1, 4), 3, (4, 1), (2, 1))
    return n.dense(n.reshape(x, 1, 9, 3), 2)


def anchors(n: Net, x: Map) -> Map:
    """Return boxes of two scales as one list."""
    y = n.conv(x, 8, (3, 3), (2, 2), out=(x.scale, x.zero_point))
    return n.concat([n.reshape(x, 1, 72, 2), n.reshape(y, 1, 36, 2)], axis=1)


def with_anchors(n: Net, x: Map) -> Map:
    """Join what is computed with constants on either side."""
    anchors = [Map(n.constant(x.shape, x.scale, x.zero_point), x.shape, x.scale, x.zero_point) for _ in range(2)]
    return n.conv(n.concat([anchors[0], x, anchors[1]], axis=2), 2)


def packed(n: Net, x: Map) -> Map:
    """Take three rows apart and put two of them together as channels."""
    rows = n.unpack(x, 1)
    return n.dense(n.pack([rows[4], rows[1]], 3), 3)


def mean_beside(n: Net, x: Map) -> Map:
    """Return a mean over height of several columns, beside another map."""
    mean = n.reduce("MEAN", x, (1,))
    return n.concat([mean, n.conv(mean, 3, out=(mean.scale, mean.zero_point))])


def attention(n: Net, x: Map) -> Map:
    """Scale each place by what its channels' mean says."""
    gate = n.elementwise("LOGISTIC", n.conv(n.reduce("MEAN", x, (3,)), 1), 0, 0)
    return n.binary("MUL", x, gate, x, x.scale / 4)


def shuffled(n: Net, x: Map) -> Map:
    a, b = n.split(x, 2, 3)
    return n.concat([n.conv(b, 2, out=(x.scale, x.zero_point)), a])


def transposed(*how: object, **more: object) -> Change:
    return lambda n, x: n.conv(n.transposed(x, 3, *how, **more), 2)  # type: ignore[arg-type]


def resized(operator: str, size: tuple[int, int], *how: bool) -> Change:
    return lambda n, x: n.conv(n.resize(f"RESIZE_{operator}", x, size, *how), 2)


def gated_beside(n: Net, x: Map) -> Map:
    """Scale a map by one column, and read both again."""
    gate = n.requantize(n.reduce("MEAN", x, (2,)), 0.03, 3)
    return n.conv(n.add(n.binary("MUL", x, gate, x, x.scale / 3), x), 3)


def excited_sequence(n: Net, x: Map) -> Map:
    """Squeeze and excite a sequence, with a bypass."""
    y = n.conv(n.reshape(x, 1, 1, 36, 4), 4, (1, 3))
    gate = n.elementwise("LOGISTIC", n.conv(n.reduce("MEAN", y, (1, 2)), 4, (1, 1)), 0, 0)
    return n.dense(n.add(n.binary("MUL", y, gate, y, y.scale / 2), y), 3)


def masked_place(n: Net, x: Map) -> Map:
    """Take the row that a mask says to begin with, whatever the begin is."""
    y = n.strided_slice(x, (0, 2, 0, 0), (0, 3, 0, 0), (1, 1, 1, 1), (1,))
    n.graph.operators[-1].builtinOptions.beginMask = 0b0010
    return n.dense(y, 3)


def between_groups(n: Net, x: Map) -> Map:
    """Shuffle channels as ShuffleNet does."""
    y = n.transpose(n.reshape(n.conv(x, 6), 1, 6, 6, 2, 3), 0, 1, 2, 4, 3)
    return n.conv(n.reshape(y, 1, 6, 6, 6), 2)


CHANGES: dict[str, Change] = {
    "along_width": lambda n, x: n.conv(n.concat([x, n.pool(x, (2, 2), (1, 2)), x], axis=2), 3),
    "along_height": lambda n, x: n.conv(n.concat([x, n.pool(x, (2, 2), (2, 1))], axis=-3), 3),
    "anchors": anchors,
    "with_anchors": with_anchors,
    "packed": packed,
    "mean_of_width": reduced("MEAN", 2),
    "mean_of_height": reduced("MEAN", 1),
    "maximum_of_width": reduced("REDUCE_MAX", 2),
    "mean_beside": mean_beside,
    "padded_channels": lambda n, x: n.conv(n.pad(x, 1, 0, 2, 1, channels=(2, 3), value=7), 3),
    "padded_sequence": lambda n, x: n.dense(n.pad(n.reshape(x, 1, 36, 4), 0, 0, 2, 1), 3),
    "rows": lambda n, x: n.conv(n.strided_slice(x, (0, 1, 0, 0), (0, -1, 0, 0), (1, 2, 1, 1)), 3),
    "columns_and_channels": lambda n, x: n.conv(n.strided_slice(x, (0, 0, 1, 1), (0, 0, -1, 0), (1, 1, 2, 2)), 3),
    "last_step": last_step,
    "part": lambda n, x: n.conv(n.slice(x, (0, 1, 2, 1), (1, -1, 3, 2)), 2),
    "third_part": lambda n, x: n.conv(n.split(x, (1, 2, 3), 1)[2], 2),
    "unpacked": lambda n, x: n.dense(n.unpack(x, 2)[1], 2),
    "shuffled": shuffled,
    "between_groups": between_groups,
    "pooled_sequence": pooled_sequence,
    "each_step": lambda n, x: n.reshape(n.dense(n.reshape(x, 36, 4), 3, each=True), 1, 36, 3),
    "each_pixel_as_a_step": lambda n, x: n.reshape(n.dense(x, 3, so_many=4), 1, 6, 6, 3),
    "each_row_as_a_step": lambda n, x: n.reshape(n.dense(x, 5, so_many=24), 1, 6, 1, 5),
    "each_two_rows_as_a_step": lambda n, x: n.softmax(n.reshape(n.dense(x, 5, so_many=48), 1, 3, 1, 5)),
    "each_pixel": lambda n, x: n.conv(n.dense(x, 3, "RELU", each=True), 2),
    "transposed": transposed(),
    "transposed_valid": transposed((3, 3), (2, 2), "VALID", per_channel=False),
    "transposed_narrow": transposed((1, 2), (2, 4), "SAME", bias=False, less=1),
    "transposed_thrice": transposed((4, 5), (3, 1), "SAME", "RELU"),
    "twice": resized("NEAREST_NEIGHBOR", (12, 12)),
    "some": resized("NEAREST_NEIGHBOR", (7, 4), True),
    "bilinear": resized("BILINEAR", (24, 12), False, True),
    "bilinear_some": resized("BILINEAR", (4, 9), True),
    "maximum_of_channels": reduced("REDUCE_MAX", 3),
    "attention": attention,
    "gated_beside": gated_beside,
    "excited_sequence": excited_sequence,
    "masked_place": masked_place,
    "halves_of_float32": resized("NEAREST_NEIGHBOR", (83, 95), True),
    "turned_rows": lambda n, x: n.conv(n.transpose(x, 0, 1, 3, 2), 2),
    "slope_each": lambda n, x: n.conv(n.prelu(x, n.constant((6, 6, 4), 0.01, 3), x.scale, 4), 2),
    "constant_map": lambda n, x: n.conv(n.binary("SUB", n.constant((1, 6, 6, 4), 0.03, 3), x, x, x.scale * 1.7), 2),
    "constant_column": lambda n, x: n.conv(n.binary("MUL", x, n.constant((6, 1, 1), 0.03, 3), x, x.scale * 1.7), 2),
    "row_for_all": lambda n, x: n.conv(n.binary("ADD", n.reduce("MEAN", x, (1,)), x, x, x.scale * 1.7), 2),
    "to_space": lambda n, x: n.conv(n.blocks("DEPTH_TO_SPACE", x, 2), 2),
    "to_depth": lambda n, x: n.conv(n.blocks("SPACE_TO_DEPTH", x, 3), 2),
}


def test_every_row_equals_the_reference_kernels(tmp_path: Path) -> None:
    models = {name: simple(change) for name, change in CHANGES.items()}
    program = Program(tmp_path, models, target="cortex-m4", flags=SANITIZERS)
    found = {name: program.compare(name, Reference(model), 1) for name, model in models.items()}
    assert found == {name: [] for name in models}


def test_a_map_of_twice_the_rows_waits_for_no_further_row() -> None:
    """Nor does a slice keep rows."""
    net = Net()
    x = net.resize("RESIZE_NEAREST_NEIGHBOR", net.conv(net.input(8, 8, 2), 4), (16, 16))
    rings = _rings(net.bytes(net.conv(net.strided_slice(x, (0, 5, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1)), 2, (1, 1))))
    assert rings[1:4] == [5, 1, 1]  # one row comes in a step, and one of two goes: half of the rows wait at the most


def _rings(model: bytes) -> list[int]:
    return [each["ring_rows"] for each in compiler.report(compiler.analyse(model))["streams"]]


def test_a_long_sequence_is_pooled_without_a_copy() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(1, 1000, 2), 3, (1, 5))
        x = n.pool(n.reshape(n.reshape(x, 1, 1000, 3), 1, 1000, 1, 3), (2, 1), (2, 1))
        return n.dense(n.reshape(x, 1, 500, 3), 2)

    assert functions(program_of(build)) == ["CONV_2D", "MAX_POOL_2D", "FULLY_CONNECTED"]


def test_transposed_convolutions_use_the_fast_kernels() -> None:
    program = program_of(lambda n: n.transposed(n.input(6, 6, 8), 4))
    assert sum(isinstance(each.kernel, prog.ConvKernel) for each in program.operators) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, x: n.strided_slice(x, (0, 3, 0, 0), (0, 2, 0, 0), (1, 1, 1, 1)), "expected sizes from 1"),
        (lambda n, x: n.reduce("MEAN", x, (2, 3)), r"it reduces axes \[2, 3\]; expected height, width or both"),
        (lambda n, x: n.transpose(n.reshape(x, 1, 6, 6, 2, 2), 0, 1, 3, 2, 4), "expected at most 4 dimensions here"),
        (lambda n, x: n.resize("RESIZE_BILINEAR", n.reduce("MEAN", x, (1, 2)), (65, 3)), "1 to 65 TFLite reads beyond"),
        (
            lambda n, x: n.reduce("MEAN", n.resize("RESIZE_NEAREST_NEIGHBOR", x, (6, 16500)), (1,)),
            "it sums 66,000 values",
        ),
        (lambda n, x: n.blocks("SPACE_TO_DEPTH", x, 4), r"\(6, 6, 4\) has no whole blocks of 4"),
    ],
)
def test_what_cannot_be_moved_is_named(change: Change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiler.analyse(simple(change))
