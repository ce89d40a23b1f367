"""Networks are rewritten until every layer is an operator: edges, reshapes, what nobody reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from converters import compiler
from converters.compiler.front.read import read_graph
from converters.compiler.middle.legalise import legalise
from tests.helpers.compiled_networks import functions, mixed, program_of, reshaped
from tests.helpers.int8_networks import Map, Net


def test_edges_of_other_types_become_the_int8_inside() -> None:
    program = legalise(read_graph(mixed()))
    assert "QUANTIZE" not in functions(program)
    assert "DEQUANTIZE" not in functions(program)
    assert (program.streams[0].scale, program.streams[0].zero_point) == (1 / 64, -128)
    assert program.streams[program.output].zero_point == -128


def test_quantize_between_int8_maps_is_an_operator() -> None:
    program = program_of(lambda n: n.requantize(n.conv(n.input(4, 4, 2), 2), 0.5, 3))
    assert functions(program) == ["CONV_2D", "QUANTIZE"]


@pytest.mark.parametrize(
    ("shape", "build"),
    [
        ((6, 4), lambda n, x: n.conv(n.reshape(x, 1, 6, 4, 1), 2)),
        ((24,), lambda n, x: n.conv(n.reshape(x, 1, 6, 4, 1), 2)),
        ((24,), lambda n, x: n.conv(n.reshape(n.reshape(x, 1, 4, 6), 1, 6, 4, 1), 2)),
    ],
)
def test_an_input_that_is_reshaped_at_once_comes_in_the_rows_that_are_read(
    shape: tuple[int, ...], build: Callable[[Net, Map], Map]
) -> None:
    program = program_of(lambda n: build(n, n.input(*shape)))
    assert functions(program) == ["CONV_2D"]
    source = program.streams[0]
    assert (source.height, source.width, source.channels) == (6, 4, 1)


@pytest.mark.parametrize(
    ("where", "copies"),
    [("flat", ["RESHAPE"]), ("rows", ["RESHAPE"]), ("both", ["RESHAPE"] * 2), ("beside", ["RESHAPE"] * 2)],
)
def test_other_rows_than_the_map_has_are_copied(where: str, copies: list[str]) -> None:
    assert [name for name in functions(legalise(read_graph(reshaped(where)))) if name == "RESHAPE"] == copies


def test_the_output_has_its_own_shape(tmp_path: Path) -> None:
    """Not that of the map it is a view of."""
    net = Net()
    model = net.bytes(net.reshape(net.conv(net.input(6, 6, 2), 2), 1, 72))
    header = compiler.compile_model(model, "net", labels=[str(i) for i in range(72)])["net.h"]
    sizes = dict(re.findall(r"#define NET_(OUTPUT_\w+|CLASS_COUNT) (\d+)", header))
    names = ("OUTPUT_BYTES", "OUTPUT_HEIGHT", "OUTPUT_WIDTH", "OUTPUT_CHANNELS", "CLASS_COUNT")
    assert [int(sizes[name]) for name in names] == [72, 1, 1, 72, 72]
    said = compiler.report(compiler.analyse(model))["output"]
    assert (said["bytes"], said["height"], said["width"], said["channels"]) == (72, 1, 1, 72)
    with pytest.raises(ValueError, match="2 labels for 72 classes"):
        compiler.compile_model(model, "net", labels=["a", "b"])


def test_what_nobody_reads_is_not_compiled() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(4, 4, 2), 3)
        n.pool(n.conv(x, 9))
        return n.mean(x)

    assert functions(program_of(build)) == ["CONV_2D", "MEAN"]
