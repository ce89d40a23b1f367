"""Compiled networks keep to what they may take on each core; on made-up figures each limit is seen missed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.int8_networks import Net
from tests.helpers.needs import ROOT, dev_data, require
from tools.bench_mcu import __main__ as bench
from tools.bench_mcu.graphs import GRAPHS, squeezenet
from tools.bench_mcu.limits import Verdict, asked, judged, missed, verdicts
from tools.bench_mcu.measurement import KB, NETWORKS, PEERS, Measurement
from tools.bench_mcu.networks import BOARDS, readable

IMAGENET = ROOT / "build" / "imagenet" / "model_int8.tflite"
SMALL = Measurement("a", "cortex-m4", 1000, 1000, 1000, 1000, 1000, 100, 100, True, {}, {})  # within every limit


def what(row: Measurement) -> list[str]:
    """Return the limits that a measurement misses, without their figures."""
    return [verdict.what for verdict in verdicts(row) if not verdict.kept]


# Made-up figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"equal": False}, "outputs that are not TFLite's"),
        ({"instructions": 11_800_000}, "instructions, of TFLM + CMSIS-NN's"),
        ({"graph": "c", "instructions": 286_000_000}, "instructions, of TFLM + CMSIS-NN's"),
        ({"code_bytes": 14 * KB + 1}, "code KB"),
        ({"arena_bytes": 10 * KB - 199}, "RAM KB"),
        ({"graph": "c", "stack_bytes": 96 * KB - 1099}, "RAM KB"),
        ({"model_bytes": 1081}, "weights + tables, of weights"),
        ({"core": "riscv32imc", "instructions": 23_000_001}, "instructions"),
        ({"core": "cortex-m0plus", "instructions": 40_000_001}, "instructions"),
        ({"core": "cortex-m3", "instructions": 17_500_001}, "instructions"),
        ({"graph": "imagenet", "instructions": 640_000_001}, "instructions"),
        ({"graph": "imagenet", "arena_bytes": 120 * KB - 199}, "RAM KB"),
    ],
)
def test_a_limit_of_a_squeezenet_is_seen_missed(change: dict[str, object], named: str) -> None:
    row = replace(SMALL, **change)  # type: ignore[arg-type]
    assert what(row) == [named]
    assert what(replace(row, **{name: getattr(SMALL, name) for name in change if name not in ("graph", "core")})) == []


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_limit_of_others_networks_is_seen_missed(name: str, core: str) -> None:
    share = 0.9 if core == "cortex-m55" else 0.7 if name == "ad01" else 0.6
    most = int(share * NETWORKS[name]["instructions"][core])
    half = int(NETWORKS[name]["arena_kb"] * KB * (1 if name == "ad01" else 0.5))
    row = replace(SMALL, graph=name, core=core, instructions=most, arena_bytes=half - SMALL.stack_bytes)
    assert missed(row) == []
    assert what(replace(row, instructions=most + 1)) == ["instructions, of TFLM + CMSIS-NN's"]
    assert what(replace(row, arena_bytes=row.arena_bytes + 1)) == ["arena + stack, of TFLM's arena"]
    assert what(replace(row, equal=False)) == ["outputs that are not TFLite's"]
    if core == "cortex-m4" and name in PEERS["limits"]["cycle_share"]:
        cycles = int(share * NETWORKS[name]["cycles"][core])
        assert missed(replace(row, cycles=cycles)) == []
        assert what(replace(row, cycles=cycles + 1)) == ["modelled cycles, of TFLM + CMSIS-NN's at least"]


def test_every_network_and_graph_has_limits() -> None:
    limits = PEERS["limits"]
    assert set(limits["share"]) == {*GRAPHS, *NETWORKS}
    assert set(limits["arena_share"]) == set(NETWORKS)
    assert set(limits["cycle_share"]) | set(PEERS["asked"]["cycle_share"]) == {*GRAPHS, *NETWORKS}
    assert set(limits["ram_kb"]) == {*GRAPHS, "imagenet"}


def test_a_network_that_nobody_named_is_held_to_its_output_alone() -> None:
    row = replace(SMALL, graph="another", instructions=10**12)
    assert [verdict.what for verdict in verdicts(row)] == ["outputs that are not TFLite's"]
    assert asked(row) == []


def test_each_limit_has_a_line_that_says_met_or_missed() -> None:
    theirs = PEERS["a"]["instructions"]["cortex-m4"]
    told, kept = judged([replace(SMALL, instructions=theirs // 2)])
    assert not kept
    assert told.splitlines() == [
        "met: a on cortex-m4: outputs that are not TFLite's 0 ≤ 0",
        "missed: a on cortex-m4: instructions, of TFLM + CMSIS-NN's 0.500 > 0.320",
        "met: a on cortex-m4: code KB 0.977 ≤ 14",
        "met: a on cortex-m4: RAM KB 1.172 ≤ 10",
        "met: a on cortex-m4: weights + tables, of weights 1 ≤ 1.080",
    ]
    told, kept = judged([replace(SMALL, graph="sww", cycles=NETWORKS["sww"]["cycles"]["cortex-m4"] * 61 // 100)])
    assert kept, "what was asked for beyond the limits does not count"
    assert told.splitlines()[-1] == (
        "missed: sww on cortex-m4, asked: modelled cycles, of TFLM + CMSIS-NN's at least 0.610 > 0.600"
    )
    told, kept = judged([replace(SMALL, equal=False)])
    assert not kept
    assert told.startswith("missed: a on cortex-m4: outputs that are not TFLite's 1 > 0\n")
    assert (
        str(Verdict("a", "instructions", 23_000_001, 23_000_000)) == "missed: a: instructions 23,000,001 > 23,000,000"
    )


# Measured --------------------------------------------------------------------------------------------------------


def measured(graph: str, model: bytes, board: str, folder: Path, judge: bytes | None = None) -> Measurement:
    """Measure, or skip where the emulator or the compiler is missing."""
    riscv = board == "rv32-virt"
    tools = ("qemu-system-riscv32", "riscv64-unknown-elf-gcc") if riscv else ("qemu-system-arm", "arm-none-eabi-gcc")
    for tool in tools:
        require(shutil.which(tool), f"{tool} is not installed")
    return bench.measure(graph, model, board, folder, judge=judge)


@pytest.mark.slow
@pytest.mark.device
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_others_networks_take_less_than_in_tflite_micro(name: str, board: str, tmp_path: Path) -> None:
    model = (dev_data("int8_models") / f"{name}.tflite").read_bytes()
    row = measured(name, model, board, tmp_path, readable(model))
    assert {"instructions, of TFLM + CMSIS-NN's", "arena + stack, of TFLM's arena"} <= {
        verdict.what for verdict in verdicts(row)
    }
    assert missed(row) == []


@pytest.mark.slow
@pytest.mark.device
@pytest.mark.parametrize("board", bench.PLAIN)
def test_plain_c_keeps_to_its_instructions(board: str, tmp_path: Path) -> None:
    row = measured("a", squeezenet(GRAPHS["a"]), board, tmp_path)
    assert "instructions" in {verdict.what for verdict in verdicts(row)}
    assert missed(row) == []


@pytest.mark.slow
@pytest.mark.device
@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_benchmarks_networks_keep_every_limit(name: str, board: str, tmp_path: Path) -> None:
    assert missed(measured(name, squeezenet(GRAPHS[name]), board, tmp_path)) == []


@pytest.mark.slow
@pytest.mark.device
@pytest.mark.skipif(not IMAGENET.is_file(), reason="build/imagenet is not there: an export of --weights imagenet")
def test_imagenet_keeps_to_its_instructions_and_ram(tmp_path: Path) -> None:
    row = measured("imagenet", IMAGENET.read_bytes(), "mps2-an386", tmp_path)
    told = {verdict.what: verdict for verdict in verdicts(row)}
    for name in ("outputs that are not TFLite's", "instructions", "RAM KB"):
        assert told[name].kept, told[name]


# Layers ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_layers_whose_last_rows_nobody_reads_are_counted(tmp_path: Path) -> None:
    net = Net()
    x = net.conv(net.conv(net.input(8, 8, 3), 4), 4)
    x = net.dense(net.conv(x, 4, (1, 1), (3, 3), padding="VALID"), 3)
    row = bench.measure("unread", net.bytes(x), "mps2-an386", tmp_path)
    assert len(row.layers) == 4
    assert all(taken > macs / 2 for taken, macs in row.layers.values())
