"""Random small networks: the compiled C gives every row of every layer as TFLite's reference kernels do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.compiler import TARGETS, Packing
from converters.compiler.back.c.weight_layout import GROUPED
from tests.helpers import c_library as mcu
from tests.helpers import wasm_programs as wasm
from tests.helpers.compiled_on_host import SANITIZERS, Program, Reference
from tests.helpers.random_networks import RandomNet, random_nets
from tools.bench_mcu.coarse import coarse
from tools.bench_mcu.zero_blocks import without_blocks

BATCH = 8  # networks built into one program


def check(
    nets: Sequence[RandomNet],
    target: str = "generic",
    flags: Sequence[str] = (),
    change: Callable[[bytes], bytes] = bytes,
    emulators: Sequence[Sequence[str]] = ((),),
    **how: Any,
) -> None:
    """Build the networks, changed, into one program and compare every row, on each of some emulators."""
    models = {f"n{i}": change(net.model) for i, net in enumerate(nets)}
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder), models, target=target, flags=flags, **how)
        found = {
            f"{net} {before}": program.compare(name, Reference(models[name]), 2, before)
            for name, net in zip(models, nets, strict=True)
            for before in emulators
        }
    assert not {net: each for net, each in found.items() if each}


def batches(count: int):
    """Return how a test draws batches of networks: as many examples as make `count` networks."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    settled = settings(max_examples=max(1, count // BATCH), deadline=None, suppress_health_check=checks)
    given_ = given(st.lists(random_nets(), min_size=1, max_size=BATCH))
    return lambda test: settled(given_(test))


@pytest.mark.device
@batches(200)
def test_every_row_equals_the_reference_kernels(nets: list[RandomNet]) -> None:
    check(nets, flags=SANITIZERS)


@pytest.mark.device
@pytest.mark.parametrize("target", ["cortex-m0plus", "riscv32"])
@batches(24)
def test_every_row_equals_the_reference_kernels_in_plain_c_with_scratch(target: str, nets: list[RandomNet]) -> None:
    check(nets, target, flags=SANITIZERS)


@pytest.mark.device
@pytest.mark.parametrize("target", ["generic", *GROUPED])  # as which the others decode
@batches(48)
def test_every_row_with_compressed_weights(target: str, nets: list[RandomNet]) -> None:
    check(nets, target, flags=SANITIZERS, packing=Packing(optimize="flash", arena_budget=1 << 20), change=coarse)


@pytest.mark.device
@batches(24)
def test_every_row_without_zero_blocks(nets: list[RandomNet]) -> None:
    check(nets, "cortex-m4", flags=SANITIZERS, change=lambda model: without_blocks(model, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@batches(500)
def test_every_row_without_any_share_of_blocks(share: float, nets: list[RandomNet]) -> None:
    check(nets, "cortex-m4", change=lambda model: without_blocks(model, share))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@batches(3000)
def test_every_row_equals_the_reference_kernels_on_every_target(target: str, nets: list[RandomNet]) -> None:
    check(nets, target)


@pytest.mark.slow
@batches(400)
def test_every_row_equals_the_reference_kernels_on_64_bit_arm(nets: list[RandomNet]) -> None:
    emulators = [mcu.on_arm64(processor) for processor in mcu.ARM64_PROCESSORS]
    mcu.require_arm64()
    compiler, *flags = mcu.ARM64
    check(nets, "aarch64", flags, compiler=compiler, emulators=emulators)


@pytest.mark.slow
@pytest.mark.parametrize("kind", wasm.KINDS)
@batches(400)
def test_every_row_equals_the_reference_kernels_in_node(kind: str, nets: list[RandomNet]) -> None:
    compiler, *flags = wasm.compiler(kind)
    check(nets, "wasm32", flags, compiler=compiler, emulators=[wasm.HOST])
