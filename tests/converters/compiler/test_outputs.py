"""Several outputs: callers get their bytes one after another, and NAME.h says where each begins."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from converters import c_packages, compiler
from tests.helpers.compiled_on_host import SANITIZERS, Program, Reference
from tests.helpers.int8_networks import Map, Net


def heads(net: Net) -> list[Map]:
    """Return a class's scores and a map of boxes."""
    x = net.conv(net.input(8, 8, 3), 6, stride=(2, 2))
    return [net.softmax(net.dense(net.mean(x), 5)), net.conv(x, 3, (1, 1))]


def read_inside(net: Net) -> list[Map]:
    """Return a map that another reads, and one twice."""
    x = net.conv(net.input(8, 8, 3), 6)
    y = net.conv(x, 4)
    return [y, x, y]


def edges(net: Net) -> list[Map]:
    """Return the input, a map in another shape, and the same as floats."""
    source = net.input(6, 5, 2)
    y = net.conv(source, 4)
    return [source, net.reshape(y, 1, 120), net.requantize(y, y.scale, y.zero_point, "float32", "DEQUANTIZE")]


def joined(net: Net) -> list[Map]:
    """Return a concatenation and one of what it is made of, whose rows come at different times."""
    x = net.conv(net.input(9, 4, 2), 3)
    y = net.conv(net.conv(x, 4, (5, 3)), 2, out=(x.scale, x.zero_point))
    return [net.concat([x, y]), y, net.pad(x)]


def model(build: Callable[[Net], list[Map]]) -> bytes:
    net = Net(1)
    return net.bytes(*build(net))


BUILDS = (heads, read_inside, edges, joined)


def test_every_output_and_every_row_is_the_references(tmp_path: Path) -> None:
    models = {build.__name__: model(build) for build in BUILDS}
    program = Program(tmp_path, models, target="cortex-m4", flags=SANITIZERS)
    found = {name: program.compare(name, Reference(each), 2) for name, each in models.items()}
    assert found == {name: [] for name in models}


def test_the_header_says_where_each_output_begins_and_what_it_is() -> None:
    text = compiler.compile_model(model(heads), "net")["net.h"]
    values = dict(re.findall(r"^#define NET_(OUTPUT\w*) \(?([-.\w]+?)[uf]?\)?$", text, re.MULTILINE))
    sizes = {name: value for name, value in values.items() if not name.endswith(("SCALE", "POINT"))}
    assert sizes == {
        "OUTPUT_BYTES": "53",
        "OUTPUTS": "2",
        "OUTPUT_0_OFFSET": "0",
        "OUTPUT_0_BYTES": "5",
        "OUTPUT_0_HEIGHT": "1",
        "OUTPUT_0_WIDTH": "1",
        "OUTPUT_0_CHANNELS": "5",
        "OUTPUT_1_OFFSET": "5",
        "OUTPUT_1_BYTES": "48",
        "OUTPUT_1_HEIGHT": "4",
        "OUTPUT_1_WIDTH": "4",
        "OUTPUT_1_CHANNELS": "3",
    }
    assert (values["OUTPUT_0_SCALE"], values["OUTPUT_0_ZERO_POINT"]) == ("0.00390625", "-128")
    assert values["OUTPUT_1_SCALE"] != values["OUTPUT_0_SCALE"]
    assert "CLASS_COUNT" not in text
    assert re.search(r"output 1 +int8 \[1, 4, 4, 3\] NHWC, real = .*, t\d+$", text, re.MULTILINE)


def test_the_report_has_each_output() -> None:
    said = compiler.report(compiler.analyse(model(heads)))
    assert said["output"] is None
    assert [(each["offset"], each["bytes"]) for each in said["outputs"]] == [(0, 5), (5, 48)]


def test_one_output_is_told_as_before() -> None:
    net = Net(1)
    one = net.bytes(heads(net)[0])
    text = compiler.compile_model(one, "net")["net.h"]
    assert "NET_CLASS_COUNT 5" in text
    assert "OUTPUTS" not in text
    said = compiler.report(compiler.analyse(one))
    assert said["outputs"] == [{"offset": 0, **said["output"]}]


def test_labels_are_of_one_output() -> None:
    with pytest.raises(ValueError, match="the model has 2 outputs; labels can name the classes of one alone"):
        compiler.compile_model(model(heads), "net", labels=["a"] * 5)


def test_outputs_together_are_no_more_than_a_row_can_have() -> None:
    net = Net(1)
    x = net.conv(net.input(120, 120, 3), 4, (1, 1))
    with pytest.raises(ValueError, match="the model's 2 outputs take 115,200 bytes; expected at most 65,534 in all"):
        compiler.analyse(net.bytes(x, net.conv(x, 4)))


def test_a_packages_example_reads_the_first_output() -> None:
    files = compiler.compile_model(model(heads), "net")
    example = c_packages.package(files, "net", "cmake")["examples/classify.c"]
    assert "i < (int)NET_OUTPUT_0_BYTES" in example
    assert "returns the first output's best class" in example
