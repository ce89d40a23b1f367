"""Networks that people bring: MLPerf Tiny's and TFLite Micro's examples, every row of every layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.compiler import TARGETS
from tests.helpers.compiled_on_host import Program, Reference
from tests.helpers.needs import dev_data
from tools.bench_mcu.networks import NETWORKS, readable

pytestmark = pytest.mark.device


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "cortex-m3"])  # as riscv32
def test_every_row_equals_the_reference_kernels(tmp_path: Path, target: str) -> None:
    folder = dev_data("int8_models")
    models = {name: (folder / f"{name}.tflite").read_bytes() for name in NETWORKS}
    models["conv1d"] = (dev_data("cases") / "conv1d.tflite").read_bytes()
    program = Program(tmp_path, models, target=target, flags=("-O2",))
    found = {name: program.compare(name, Reference(readable(model)), 2) for name, model in models.items()}
    assert not {name: each for name, each in found.items() if each}
