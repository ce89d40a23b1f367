"""Networks that people bring: MLPerf Tiny's and TFLite Micro's examples, every row of every layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.compiler import TARGETS, analyse
from tests.helpers.compiled_on_host import Program, Reference
from tests.helpers.needs import dev_data, quick
from tools.bench_mcu.networks import NETWORKS, readable

pytestmark = pytest.mark.device
REFUSED = ("dynamic_range", "float16")  # small cases that cannot be compiled


@pytest.mark.parametrize("target", quick([each for each in TARGETS if each != "cortex-m3"], "generic", "cortex-m4"))
def test_every_row_equals_the_reference_kernels(tmp_path: Path, target: str) -> None:
    folder = dev_data("int8_models")
    models = {name: (folder / f"{name}.tflite").read_bytes() for name in NETWORKS}
    models |= {path.stem: path.read_bytes() for path in dev_data("cases").glob("*.tflite") if path.stem not in REFUSED}
    program = Program(tmp_path, models, target=target, flags=("-O2",))
    found = {name: program.compare(name, Reference(readable(model)), 2) for name, model in models.items()}
    assert not {name: each for name, each in found.items() if each}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str) -> None:
    with pytest.raises(ValueError, match="expected an int8 model: convert with a representative_dataset"):
        analyse((dev_data("cases") / f"{name}.tflite").read_bytes())
