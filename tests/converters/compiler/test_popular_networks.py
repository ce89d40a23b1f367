"""Small networks of the kinds that people bring, as TensorFlow converts them: every row as the reference kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from converters.compiler import TARGETS
from tests.helpers import c_library as mcu
from tests.helpers import popular_networks as popular
from tests.helpers import wasm_programs as wasm
from tests.helpers.compiled_networks import edited
from tests.helpers.compiled_on_host import Program, Reference

QUICK = ("dense",)
SLOW = [pytest.param(name, marks=[pytest.mark.slow]) for name in popular.NETWORKS if name not in QUICK]


def _older(form: schema.ModelT, graph: schema.SubGraphT) -> None:
    """Have DEPTH_TO_SPACE in the version that the reference kernels are registered for; they are the same for int8."""
    for code in form.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.DEPTH_TO_SPACE:
            code.version = 1


@pytest.mark.parametrize("name", [*QUICK, *SLOW])
def test_every_row_equals_the_reference_kernels(name: str, tmp_path: Path) -> None:
    model = edited(_older, popular.converted(name))
    for target in TARGETS if name not in QUICK else ("cortex-m4",):
        program = Program(tmp_path / target, {name: model}, target=target)
        assert program.compare(name, Reference(model), 2) == [], target


@pytest.mark.slow
@pytest.mark.parametrize("name", popular.NETWORKS)
def test_every_row_equals_the_reference_kernels_on_64_bit_arm(name: str, tmp_path: Path) -> None:
    mcu.require_arm64()
    model = edited(_older, popular.converted(name))
    compiler, *flags = mcu.ARM64
    program = Program(tmp_path, {name: model}, target="aarch64", flags=flags, compiler=compiler)
    for processor in mcu.ARM64_PROCESSORS:
        assert program.compare(name, Reference(model), 2, mcu.on_arm64(processor)) == [], processor


@pytest.mark.slow
@pytest.mark.parametrize("kind", wasm.KINDS)
@pytest.mark.parametrize("name", popular.NETWORKS)
def test_every_row_equals_the_reference_kernels_in_node(name: str, kind: str, tmp_path: Path) -> None:
    model = edited(_older, popular.converted(name))
    compiler, *flags = wasm.compiler(kind)
    program = Program(tmp_path, {name: model}, target="wasm32", flags=flags, compiler=compiler)
    assert program.compare(name, Reference(model), 2, wasm.HOST) == []
