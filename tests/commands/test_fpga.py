"""`python -m sqz_tf.fpga`: what it writes, and what it refuses before it writes anything."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters.compiler.accelerator import design_accelerator
from converters.compiler.back.fpga import build, yosys
from sqz_tf import fit, fpga
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy.fpga import compare, devices, simulate, synthesize
from sqz_tf.deploy.fpga.synthesize import Placed
from tests.helpers.accelerators import powers
from tests.helpers.echo_models import described
from tests.helpers.needs import ROOT, require

DIGITS = ROOT / "models" / "digits" / "model_int8.tflite"
LABELS = ("a", "b", "c", "d", "e")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(described(powers(), LABELS, PreprocessSpec(12, 12, channels=3, fit="warp", scale=1.0)))
    return path


def run(*arguments: str | Path) -> int:
    return fpga.main([str(each) for each in arguments])


def test_free_scales_are_refused_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DIGITS, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "layer conv1 (CONV_2D): its scales are not powers of two" in said
    assert "those that sqz_tf.export --scheme ristretto makes" in said
    assert not (tmp_path / "out").exists()


def test_more_multipliers_than_the_device_has_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--out", tmp_path / "out", "--macs", "32", "--device", "ecp5-25k") == 1
    assert "the accelerator has 32 multipliers; expected at most the 28 of ecp5-25k" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_more_block_ram_than_the_device_has_is_refused() -> None:
    of = design_accelerator(powers(), 32)
    taken = devices.block_rams(of, devices.DEVICES["ecp5-85k"])
    assert taken["rows"] == 4
    assert taken["weights"] == 8  # 256 bits of 36 each
    small = devices.Device("small", devices.ECP5, 1000, 64, sum(taken.values()) - 1)
    said = r"the network takes \d+ block RAMs \(weights 8, .*the \d+ of small"
    with pytest.raises(devices.ConversionError, match=said):
        devices.require_fit(of, small)
    devices.require_fit(of, devices.DEVICES["ecp5-85k"])


def test_a_part_with_too_few_multipliers_is_refused_whatever_the_network(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--out", tmp_path / "out", "--device", "up5k") == 1
    assert "16 multipliers; expected at most the 8 of up5k; give another --device\n" in capsys.readouterr().err


def test_the_command_and_the_table_have_the_same_devices() -> None:
    assert list(devices.DEVICES) == list(fpga.DEVICES)
    ice = devices.block_rams(design_accelerator(powers(), 16), devices.DEVICES["up5k"])
    assert ice["weights"] == 8  # 128 bits of 16 each


@pytest.mark.slow
def test_a_xilinx_part_is_counted(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = model.rename(tmp_path / "module.tflite")  # a word of Verilog's
    assert run(model, "--out", tmp_path / "out", "--device", "xc7a35t", "--synthesize", "--json") == 0
    told = json.loads(capsys.readouterr().out)["placed"]
    assert told["multipliers"] == 32
    assert told["mhz"] is told["pictures_per_second"] is None
    assert 500 < told["luts"] < 20_800
    assert told["flip_flops"] > 500
    assert told["block_rams"] == 0  # its memories are so small that they are made of LUTs


def stat(cells: dict[str, int]) -> str:
    """Return what Yosys says of a design of these cells."""
    return json.dumps({"design": {"num_cells_by_type": cells}})


def test_cells_that_a_part_lacks_are_refused() -> None:
    part = devices.DEVICES["xc7a35t"]
    few = synthesize.counted(stat({"LUT6": 10, "RAM64M": 2, "RAMB36E1": 3, "INV": 1, "IBUF": 9}), part)
    assert (few.luts, few.block_rams) == (19, 6)
    with pytest.raises(synthesize.SynthesisError, match="takes 91 multipliers; expected at most 90 of xc7a35t"):
        synthesize.counted(stat({"DSP48E1": 91}), part)
    with pytest.raises(synthesize.SynthesisError, match="Yosys made 2 RAM512X1S"):
        synthesize.counted(stat({"RAM512X1S": 2}), part)


def test_a_folder_that_is_there_is_left_alone(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--out", tmp_path) == 1
    assert "exists; choose another --out" in capsys.readouterr().err


def test_a_missing_tool_is_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(synthesize.importlib.util, "find_spec", lambda name: None)
    assert run(model, "--out", tmp_path / "out") == 1
    assert 'amaranth is not installed; pip install "sqz-tf[fpga]"' in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(simulate.shutil, "which", lambda name: None)
    assert run(model, "--out", tmp_path / "out", "--simulate", "--image", "a.png") == 1
    assert "verilator is not installed; apt-get install" in capsys.readouterr().err


def test_a_package_that_is_not_there_is_named_before_it_is_imported(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['amaranth'] = None; from sqz_tf import fpga; "
        f"sys.exit(fpga.main([{str(model)!r}, '--out', {str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, 'error: amaranth is not installed; pip install "sqz-tf[fpga]"\n')


def test_wrong_hardware_is_not_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require(shutil.which("verilator"), "Verilator is not installed")
    monkeypatch.setattr(yosys, "run", lambda script, files, result: "module small;\nendmodule\n")
    monkeypatch.setattr(compare, "pictures", lambda *arguments: {"equal": False, "verdict": "picture 1: row 2"})
    Image.new("RGB", (12, 12)).save(tmp_path / "a.png")
    assert run(model, "--out", tmp_path / "out", "--simulate", "--image", tmp_path / "a.png") == 1
    assert "picture 1: row 2; nothing is written" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_is_told_before_the_first_minute(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "to_verilog", None)
    (tmp_path / "file").write_text("")
    assert run(model, "--out", tmp_path / "file" / "sub") == 1
    monkeypatch.chdir(tmp_path)
    assert run(model, "--out", ".") == 1
    assert "is where this command runs; choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--simulate"], ["--image", "a.png"], ["--rows"], ["--macs", "20"]])
def test_options_that_do_not_go_together(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("m.tflite", "--out", "c", *words)
    assert ended.value.code == 2


def test_what_is_written_and_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(yosys, "run", lambda script, files, result: "module small;\nendmodule\n")
    monkeypatch.setattr(synthesize, "synthesize", lambda *arguments: Placed(100, 50, 32, 20, 100.0))
    assert run(model, "--out", tmp_path / "out", "--synthesize", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["multipliers"] == 32
    assert told["cycles"] == sum(told["spent"].values())
    assert told["utilisation"] == round(told["macs"] / 32 / told["cycles"], 4)
    assert told["placed"]["pictures_per_second"] == round(100e6 / told["cycles"], 1)
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"small.v", "small_scores.c", "small_scores.h", "sqz_softmax.c", "sqz_requantize.h"} <= files
    assert "sqz_stream.c" not in files


@pytest.mark.slow
def test_the_verilog_is_clean_and_the_same_each_time() -> None:
    of = design_accelerator(powers(), 32)
    require(shutil.which("verilator"), "Verilator is not installed")
    text = build.to_verilog(of, "small")
    simulate.lint(text, "small")
    assert build.to_verilog(design_accelerator(powers(), 32), "small") == text
    assert str(ROOT) not in text
    with pytest.raises(simulate.SimulationError, match="verilator failed"):
        simulate.lint(text.replace("endmodule", "wire [3:0] narrow = 5'd17;\nendmodule"), "small")


@pytest.mark.slow
def test_what_is_synthesized_takes_what_the_verilog_does() -> None:
    of = design_accelerator(powers(), 16)
    count = f"read_verilog top.v\n{synthesize.SCRIPTS[devices.XILINX]}"
    top = synthesize.TOP.format(name="small")
    ways = (
        ("read_verilog design.v\n", {"design.v": build.to_verilog(of, "small")}),
        ("read_rtlil design.il\n", {"design.il": build.to_rtlil(of, "small")}),
    )
    part = devices.DEVICES["xc7a35t"]
    first, second = (
        synthesize.counted(yosys.run(f"{read}{count}", {**files, "top.v": top}, "design.json"), part)
        for read, files in ways
    )
    assert replace(first, luts=0) == replace(second, luts=0)
    assert first.luts == pytest.approx(second.luts, rel=0.02)  # gates meet the optimizer in another order
    assert first.multipliers == 16


@pytest.mark.slow
def test_pictures_through_the_verilog(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(shutil.which("verilator"), "Verilator is not installed")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    pictures = [tmp_path / f"{number}.png" for number in range(3)]
    options = ("--macs", "16", "--json", "--rows", "--simulate", "--image")
    assert run(model, "--out", tmp_path / "out", *options, *pictures) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["simulation"]["verdict"] == "every score and every row equal"
    assert abs(told["simulation"]["cycles"][-1] - told["cycles"]) < 0.05 * told["cycles"]


def told_of(model: Path, board: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = fit.main([str(model), "--board", board, "--json"])
    (found,) = json.loads(capsys.readouterr().out)["boards"]
    return code, found


def test_fit_knows_boards_of_fpgas(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told_of(model, "ulx3s-85f", capsys)
    assert (code, found["fits"], found["multipliers"]) == (0, True, 32)
    assert found["milliseconds"] == round(found["cycles"] / 50_000, 3)
    code, found = told_of(model, "icebreaker", capsys)
    assert (code, found["fits"], found["lacking"]) == (
        1,
        False,
        "the accelerator has 16 multipliers; expected at most the 8 of up5k",
    )
    assert fit.main([str(model), "--board", "zedboard"]) == 0
    assert "xc7z020: fits" in capsys.readouterr().out


def test_fit_says_what_a_network_needs_for_an_fpga(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit.main([str(DIGITS), "--board", "ulx3s-85f"]) == 1
    assert "powers of two; expected those that sqz_tf.export --scheme ristretto makes" in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert fit.main([str(DIGITS), "--board", "ulx3s-85f"]) == 1
    assert 'amaranth is needed; pip install "sqz-tf[fpga]"' in capsys.readouterr().err
