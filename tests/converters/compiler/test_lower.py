"""Layers become operators: concatenations vanish, means join convolutions, pools run row by row."""

from __future__ import annotations

import numpy as np
import pytest

from converters import compiler
from converters.compiler.middle import program as prog
from tests.helpers.compiled_networks import edited, functions, program_of
from tests.helpers.int8_networks import Map, Net


def test_sums_that_could_overflow_name_their_layer() -> None:
    largest = np.full(4, 2**31 - 1, np.int32)
    model = edited(lambda form, graph: setattr(form.buffers[2], "data", largest.view(np.uint8)))
    with pytest.raises(ValueError, match=r"layer conv_2d \(CONV_2D\): a (partial )?sum can reach \d+"):
        compiler.analyse(model)


def test_more_layers_than_the_tables_can_number_are_refused() -> None:
    net = Net()
    x = net.input(1, 1, 1)
    for _ in range(255):
        x = net.requantize(x, 1 / 64, -128)
    with pytest.raises(ValueError, match="the model has 256 streams; expected at most 254"):
        compiler.analyse(net.bytes(x))


def test_a_model_that_computes_nothing_is_refused() -> None:
    net = Net()
    with pytest.raises(ValueError, match="the model computes nothing"):
        compiler.analyse(net.bytes(net.reshape(net.input(2, 2, 1), 1, 4)))


def test_concatenation_becomes_slices_of_one_stream() -> None:
    program = program_of(lambda n: n.fire(n.input(4, 4, 2), 3, 5))
    assert functions(program) == ["CONV_2D"] * 3
    _, one, three = program.operators
    assert (one.output, one.channel, three.output, three.channel) == (2, 0, 2, 5)
    assert program.streams[2].channels == 10


def test_nested_concatenations_are_one() -> None:
    def build(n: Net) -> Map:
        a = n.conv(n.input(4, 4, 2), 2)
        maps = [n.conv(a, c, out=(a.scale, -128)) for c in (3, 1, 2)]
        return n.concat([maps[0], n.concat(maps[1:])])

    program = program_of(build)
    assert [(each.output, each.channel) for each in program.operators[1:]] == [(2, 0), (2, 3), (2, 4)]


def test_what_others_read_too_is_copied_into_a_concatenation() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(4, 4, 2), 3)
        return n.concat([x, n.conv(x, 2, out=(x.scale, x.zero_point))])

    program = program_of(build)
    assert functions(program) == ["CONV_2D", "CONV_2D", "CONCATENATION"]
    copy = program.operators[2]
    assert isinstance(copy.kernel, prog.PadKernel)
    assert (copy.channel, copy.kernel.channels, program.operators[1].channel) == (0, 3, 3)


def test_the_mean_of_a_pointwise_convolution_is_part_of_it() -> None:
    fused = program_of(lambda n: n.mean(n.conv(n.pad(n.input(4, 4, 2)), 3, (1, 1))))
    (operator,) = fused.operators
    assert isinstance(operator.kernel, prog.ConvKernel)
    assert (operator.yields, operator.fires, operator.kernel.zero_sum) == (prog.LAST, 6, 36 * -128)
    assert operator.macs == 36 * 3 * 2
    assert functions(program_of(lambda n: n.mean(n.conv(n.input(4, 4, 2), 3)))) == ["CONV_2D", "MEAN"]

    def read_twice(n: Net) -> Map:
        x = n.conv(n.input(4, 4, 2), 3, (1, 1))
        return n.add(n.mean(x, keep_dims=True), n.mean(n.pool(x), keep_dims=True))

    assert functions(program_of(read_twice)) == ["CONV_2D", "MEAN", "MAX_POOL_2D", "MEAN", "ADD"]


def test_a_depthwise_convolution_of_one_channel_is_a_dense_one() -> None:
    program = program_of(lambda n: n.conv(n.input(6, 5, 1), 4, depthwise=True))
    kernel = program.operators[0].kernel
    assert isinstance(kernel, prog.ConvKernel)
    assert not kernel.depthwise
    assert kernel.weights.shape == (4, 3, 3, 1)


@pytest.mark.parametrize(
    ("filter_", "stride", "padding", "average", "streaming"),
    [
        ((3, 3), (2, 2), "SAME", False, True),
        ((3, 3), (2, 2), "VALID", False, True),
        ((2, 2), (2, 2), "SAME", True, True),
        ((3, 3), (2, 2), "SAME", True, False),  # two windows would be open
        ((3, 3), (1, 1), "SAME", False, False),
        ((2, 2), (1, 1), "SAME", False, False),  # the last row ends two windows
        ((2, 2), (1, 1), "VALID", False, True),
        ((9, 7), (1, 1), "VALID", True, True),  # one window: nothing comes after it
    ],
)
def test_pools_that_can_run_row_by_row_do(
    filter_: tuple[int, int], stride: tuple[int, int], padding: str, average: bool, streaming: bool
) -> None:
    program = program_of(lambda n: n.pool(n.input(9, 7, 2), filter_, stride, padding, average=average))
    assert program.operators[0].kernel.streaming == streaming  # type: ignore[union-attr]
