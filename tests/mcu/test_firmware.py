"""The firmware on the host and on virtual boards: answers, verdicts, stack, memory, and compiled networks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters.compiler import Packing
from converters.tflite import reader
from sqz_tf import compile as compile_command
from sqz_tf import flash
from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import board, boards
from sqz_tf.deploy.firmware import FirmwareError, Run
from sqz_tf.deploy.need import Model
from sqz_tf.deploy.received import FolderError
from tests.helpers import compiled_stub
from tests.helpers.int8_networks import Net
from tests.helpers.needs import ROOT, dev_data, quick, require
from tools.bench_mcu import __main__ as bench
from tools.bench_mcu import count
from tools.bench_mcu.coarse import coarse
from tools.bench_mcu.graphs import GRAPHS, Graph, squeezenet
from tools.bench_mcu.limits import missed
from tools.bench_mcu.measurement import Measurement

pytestmark = pytest.mark.device

VIRTUAL = ("mps2-an386", "mps2-an500", "mps3-an547", "stm32f405", "microbit", "lm3s6965evb", "hifive1-revb")
TOOLS = ("make", "cc", "arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc", "qemu-system-riscv32")


@pytest.fixture(autouse=True)
def tools() -> None:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    require(not missing, f"{', '.join(missing)} not installed")


def run(name: str, program: Path, cases: bytes) -> Run:
    return firmware.run(None if name == "host" else board(name), program, cases)


def built(folder: Path, name: str = "mps2-an386", **model: Any) -> Path:
    return firmware.build(name, compiled_stub.write(folder / "c", **model), folder / name)


# A stand-in for a model -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["host", *VIRTUAL])
def test_answers_are_the_models(tmp_path: Path, name: str) -> None:
    inputs = compiled_stub.inputs()
    outputs = compiled_stub.outputs(inputs)
    said = run(name, built(tmp_path, name), firmware.cases_file(inputs, outputs))
    assert said.verdict == firmware.EXIT_GOOD
    assert [answer.equal for answer in said.answers] == [True] * 3
    for answer, output in zip(said.answers, outputs, strict=True):
        order = np.argsort(-output.astype(int), kind="stable")[:5]  # of equal scores the lower class comes first
        assert answer.best == tuple((int(i), int(output[i])) for i in order)


def test_a_different_output_is_named_and_the_other_cases_still_run(tmp_path: Path) -> None:
    inputs = compiled_stub.inputs()
    outputs = compiled_stub.outputs(inputs)
    outputs[1, 2] += 1
    said = run("mps2-an386", built(tmp_path), firmware.cases_file(inputs, outputs))
    assert said.verdict == firmware.EXIT_DIFFERENT
    assert [answer.equal for answer in said.answers] == [True, False, True]
    assert f"first difference at 2 got {outputs[1, 2] - 1} expected {outputs[1, 2]}\n" in said.text


def test_without_expectations_the_answers_are_told(tmp_path: Path) -> None:
    said = run("mps2-an386", built(tmp_path), firmware.cases_file(compiled_stub.inputs()))
    assert said.verdict == firmware.EXIT_GOOD
    assert [answer.equal for answer in said.answers] == [None] * 3


@pytest.mark.parametrize("cases", [b"", b"SQZC", b"x" * 100, firmware.cases_file(np.zeros((1, 4, 2, 2), np.int8))])
def test_cases_of_another_model_are_refused(tmp_path: Path, cases: bytes) -> None:
    assert run("host", built(tmp_path, "host"), cases).verdict == firmware.EXIT_NO_CASES


@pytest.mark.parametrize("cut", [3, 10])  # in the expected output, in the image
def test_cases_that_end_too_early_are_no_success(tmp_path: Path, cut: int) -> None:
    inputs = compiled_stub.inputs()
    cases = firmware.cases_file(inputs, compiled_stub.outputs(inputs))[:-cut]
    assert run("host", built(tmp_path, "host"), cases).verdict in (firmware.EXIT_DIFFERENT, firmware.EXIT_FAILED)


@pytest.mark.parametrize("name", VIRTUAL)
def test_a_fault_of_the_processor_is_a_verdict(tmp_path: Path, name: str) -> None:
    program = built(tmp_path, name, at_the_end=compiled_stub.FAULT)
    assert run(name, program, firmware.cases_file(compiled_stub.inputs())).verdict == firmware.EXIT_FAULT


def test_an_error_of_the_model_is_a_verdict(tmp_path: Path) -> None:
    said = run(
        "host", built(tmp_path, "host", at_the_end=compiled_stub.ERROR), firmware.cases_file(compiled_stub.inputs())
    )
    assert said.verdict == firmware.EXIT_FAILED
    assert "failed with status -4\n" in said.text


@pytest.mark.parametrize("name", quick(VIRTUAL, "mps2-an386", "hifive1-revb"))
def test_the_stack_is_measured_exactly(tmp_path: Path, name: str) -> None:
    def used(bytes_: int) -> int:
        touch = f"volatile uint8_t big[{bytes_}]; for (int i = 0; i < {bytes_}; i++) {{ big[i] = 1; }} (void)big[0];"
        program = built(tmp_path / str(bytes_), name, at_the_end=touch)
        return run(name, program, firmware.cases_file(compiled_stub.inputs())).stack_bytes

    assert used(1936) - used(912) == 1024  # RISC-V keeps to multiples of 16, its ADDI to 2,047
    assert 912 < used(912) < 912 + 600


def test_the_linker_keeps_to_the_memory_of_the_part(tmp_path: Path) -> None:
    largest = 128 * 1024 - 2048  # the linker script keeps 2 KB for the stack
    with pytest.raises(FirmwareError, match=r"no room for 2 KB of stack"):
        built(tmp_path / "a", "stm32f405", arena_bytes=largest)
    with pytest.raises(FirmwareError, match=r"stm32f405 cannot be built: .*`\.bss' will not fit in region `RAM'"):
        built(tmp_path / "b", "stm32f405", arena_bytes=128 * 1024)  # which QEMU's 192 KB would hold
    program = built(tmp_path / "c", "stm32f405", arena_bytes=largest - 256)
    assert run("stm32f405", program, firmware.cases_file(compiled_stub.inputs())).verdict == firmware.EXIT_GOOD


def test_neither_stdio_nor_a_heap_is_linked_in(tmp_path: Path) -> None:
    names = subprocess.run(["arm-none-eabi-nm", built(tmp_path)], capture_output=True, text=True, check=True).stdout
    assert "sqz_infer" in names
    assert not re.findall(r"\b(_?malloc\w*|_sbrk\w*|\w*printf\w*|_impure\w*|__sf\w*|_write\w*)$", names, re.MULTILINE)


def test_a_serial_line_tells_what_is_linked_in(tmp_path: Path) -> None:
    inputs = compiled_stub.inputs()
    cases = firmware.cases_file(inputs, compiled_stub.outputs(inputs))
    firmware.build("stm32f405", compiled_stub.write(tmp_path / "c"), tmp_path / "out", cases, ["LINE=serial"])
    quiet = ["-display", "none", "-monitor", "none", "-serial", "null", "-serial", "null", "-serial", "stdio"]
    emulator = ["qemu-system-arm", "-M", "netduinoplus2", "-kernel", str(tmp_path / "out" / "firmware.elf"), *quiet]
    with subprocess.Popen(emulator, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        lines = [line for line, _ in zip(running.stdout, range(100), strict=False)]  # it tells itself again and again
        running.kill()
    text = "".join(lines[: lines.index("verdict 0\n") + 1])
    assert firmware.parse_report(text).answers[0].equal
    assert lines.count("model stub\n") > 1


def test_without_a_debugger_the_program_goes_on(tmp_path: Path) -> None:
    """Each semihosting call is a breakpoint, which nobody answers: the fault handler steps over it."""
    program = built(tmp_path)
    at = {symbol.name: symbol.address for symbol in count.symbols(program)}
    region = f"start={at['main']:x},stop={at['board_exit']:x},quit=1,out={tmp_path / 'counts'}"
    quiet = ["-display", "none", "-monitor", "none", "-serial", "null"]
    emulator = ["qemu-system-arm", "-M", "mps2-an386", "-kernel", str(program), *quiet]
    subprocess.run([*emulator, "-plugin", f"{count.plugin()},{region}"], check=True, timeout=60)
    assert re.search(r"^R 0 \d+$", (tmp_path / "counts").read_text(), re.MULTILINE)


def test_ports_and_table_agree() -> None:
    known = boards()
    for name in firmware.ported():
        if name == "host":
            continue
        text = (firmware.mcu() / "boards" / f"{name}.mk").read_text()
        assigned = dict(re.findall(r"^(\w+)\s*:=\s*(.*)$", text, re.MULTILINE))
        regions = {key: int(assigned[key].split()[1].removesuffix("K")) for key in assigned if key in REGIONS}
        assert assigned["CORE"] == known[name].core
        assert regions["RAM"] * 1024 == known[name].ram_bytes
        assert (regions["FLASH"] + regions.get("WEIGHTS", 0)) * 1024 == known[name].flash_bytes


REGIONS = ("FLASH", "WEIGHTS", "RAM")


def test_make_knows_qemus_name_and_builds_beside_the_folder(tmp_path: Path) -> None:
    folder = compiled_stub.write(tmp_path / "c")
    before = sorted(folder.iterdir())
    command = ["make", "--silent", "-C", str(firmware.mcu()), "BOARD=netduinoplus2", f"DIR={folder}"]
    subprocess.run(command, check=True)
    assert (tmp_path / "c-stm32f405" / "firmware.elf").is_file()
    assert sorted(folder.iterdir()) == before


def test_what_cannot_be_built_is_said(tmp_path: Path) -> None:
    folder = compiled_stub.write(tmp_path / "c")
    with pytest.raises(FirmwareError, match="no port for pico"):
        firmware.build("pico", folder, tmp_path / "out")
    with pytest.raises(FolderError, match="no compiled models"):
        firmware.header(tmp_path)
    (folder / "stub.c").write_text('/* Generated by sqz-tf. */\n#error "broken"\n')
    with pytest.raises(FirmwareError, match="#error"):
        firmware.build("host", folder, tmp_path / "out")


def test_a_missing_tool_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FirmwareError, match="make is not installed; apt install make"):
        firmware.build("host", compiled_stub.write(tmp_path / "c"), tmp_path / "out")


def test_firmware_that_stops_half_way_is_no_answer() -> None:
    with pytest.raises(FirmwareError, match="code 1 and no verdict: case 0"):
        firmware.parse(1, "model stub\ncase 0\n")
    with pytest.raises(FirmwareError, match="code 0 and no verdict"):
        firmware.parse(0, "model stub\nverdict 1\n")


# Compiled networks -----------------------------------------------------------------------------------------------


def test_the_benchmarks_networks_are_the_ones_named() -> None:
    for name, graph in GRAPHS.items():
        model = squeezenet(graph)
        assert reader.macs(reader.read_model(model)) == graph.macs, name
        assert model == squeezenet(graph)


@pytest.mark.parametrize("name", ["mps2-an386", "mps3-an547"])
def test_a_compiled_network_keeps_the_benchmarks_limits(tmp_path: Path, name: str) -> None:
    row = bench.measure("b", squeezenet(GRAPHS["b"]), name, tmp_path)
    assert row.equal
    assert missed(row) == []
    assert sum(taken for taken, _ in row.layers.values()) == pytest.approx(row.instructions, rel=0.02)
    assert sum(macs for _, macs in row.layers.values()) == GRAPHS["b"].macs
    assert row.read_bytes >= row.weight_bytes
    if name == "mps2-an386":
        assert row.cycles is not None
        assert row.instructions < row.cycles < 2 * row.instructions
    else:
        assert row.cycles is None


@pytest.mark.parametrize(
    "name", quick(["mps2-an386", "mps2-an500", "mps3-an547", "nucleo-f411re"], "mps2-an386", "mps3-an547")
)
def test_compressed_weights_give_the_same_scores_on_boards(tmp_path: Path, name: str) -> None:
    row = bench.measure("b", coarse(squeezenet(GRAPHS["b"])), name, tmp_path, Packing(optimize="flash"))
    assert row.equal
    assert row.model_ratio < 0.4
    assert sum(taken for taken, _ in row.layers.values()) == pytest.approx(row.instructions, rel=0.02)
    text = bench._markdown(["net"], [bench._compressed(row, row)])
    assert f"| {row.model_bytes:,} | {row.instructions:,} | 1.000 |" in text


def test_the_tables_are_written_into_a_page() -> None:
    row = Measurement("b", "cortex-m4", 10**9, 15 << 10, 10**6, 188_808, 2960, 120, 8000, False, {}, {})
    assert "| NO |" in bench.tables([row])
    page = f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n"
    assert bench.written(page, [row]) == f"before\n{bench.BEGIN}\n\n{bench.tables([row])}\n\n{bench.END}\nafter\n"


def depthwise_net() -> bytes:
    net = Net()
    x = net.conv(net.input(16, 16, 3), 8, stride=(2, 2))
    for kernel in (3, 5):
        x = net.conv(net.conv(x, 1, (kernel, kernel), depthwise=True), 16, (1, 1))
    return net.bytes(net.dense(net.mean(x), 10))


@pytest.mark.parametrize("name", quick(["microbit", "lm3s6965evb", "hifive1-revb"], "microbit"))
def test_fits_range_of_instructions_holds_in_plain_c(tmp_path: Path, name: str) -> None:
    model = squeezenet(GRAPHS["b"])
    row = bench.measure("b", model, name, tmp_path)
    low, high = Model(model).instructions(board(name).target)
    assert row.equal
    assert low <= row.instructions <= high


@pytest.mark.parametrize("name", quick(["mps2-an386", "mps3-an547"], "mps2-an386"))
def test_fits_range_of_instructions_holds_depthwise_layers_too(tmp_path: Path, name: str) -> None:
    row = bench.measure("depthwise", depthwise_net(), name, tmp_path)
    low, high = Model(depthwise_net()).instructions(board(name).target)
    assert low <= row.instructions <= high


@pytest.mark.parametrize("name", quick(["stm32f405", "mps3-an547"], "stm32f405"))
def test_a_model_fits_if_its_firmware_links(tmp_path: Path, name: str) -> None:
    model = squeezenet(GRAPHS["b"])
    (tmp_path / "model.tflite").write_bytes(model)
    arguments = [str(tmp_path / "model.tflite"), "--out", str(tmp_path / "c"), "--board", name, "--quiet"]
    assert compile_command.main(arguments) == 0
    needed = Model(model).need(board(name)).ram
    firmware.build(name, tmp_path / "c", tmp_path / "out", more=[f"RAM=0x20000000 {needed}"])
    with pytest.raises(FirmwareError, match="no room for 2 KB of stack"):
        firmware.build(name, tmp_path / "c", tmp_path / "out", more=[f"RAM=0x20000000 {needed - 64}"])


def flashed(board_name: str, model: Path, folder: Path, pictures: list[Path]) -> int:
    code = compile_command.main([str(model), "--out", str(folder), "--board", board_name, "--name", "net", "--quiet"])
    assert code == 0
    images = [word for picture in pictures for word in ("--image", str(picture))]
    return flash.main([str(folder), "--board", board_name, "--virtual", "--model", str(model), "--json", *images])


@pytest.mark.parametrize("name", quick(["a", "b"], "a"))
def test_a_network_runs_in_the_memory_of_an_stm32f405(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.tflite").write_bytes(squeezenet(GRAPHS[name]))
    assert flashed("stm32f405", tmp_path / "model.tflite", tmp_path / "c", []) == 0


@pytest.mark.slow
def test_a_cortex_m33_runs_the_kernels_of_a_cortex_m4(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(squeezenet(GRAPHS["b"]))
    assert flashed("mps2-an505", tmp_path / "model.tflite", tmp_path / "c", []) == 0


def test_a_network_runs_in_the_memory_of_a_microbit(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(squeezenet(GRAPHS["b"]))  # 184 KB of 256, 5 KB of 16
    assert flashed("microbit", tmp_path / "model.tflite", tmp_path / "c", []) == 0


@pytest.mark.parametrize(
    "name", quick(["mps2-an386", "mps3-an547", "microbit", "hifive1-revb"], "mps2-an386", "microbit")
)
def test_kernels_run_from_a_section_of_their_own(tmp_path: Path, name: str) -> None:
    model = squeezenet(GRAPHS["b"])
    (tmp_path / "model.tflite").write_bytes(model)
    arguments = [str(tmp_path / "model.tflite"), "--out", str(tmp_path / "c"), "--board", name, "--quiet"]
    assert compile_command.main(arguments) == 0
    program = firmware.build(name, tmp_path / "c", tmp_path / "out", more=["CODE_SECTION=.ramcode"])
    assert run(name, program, bench._cases(model)).verdict == firmware.EXIT_GOOD
    kernels = [
        symbol for symbol in count.symbols(program) if re.match(r"model_sqz_(\w+_row|\w+_fours|\w+_four)$", symbol.name)
    ]
    data = next(symbol.address for symbol in count.symbols(program) if symbol.name == "model_sqz_push_row")
    assert len(kernels) >= 3
    assert all(abs(symbol.address - data) > 1 << 20 for symbol in kernels if "conv" in symbol.name), "in RAM"
    (tmp_path / firmware.CASES).write_bytes(bench._cases(model))
    executed = count.count(program, str(board(name).qemu), "sqz_infer", folder=tmp_path).addresses
    elsewhere = sum(times for address, times in executed.items() if abs(address - data) <= 1 << 20)
    assert elsewhere < 0.1 * sum(executed.values()), "the engine and the C library alone are left where they were"


def test_a_program_for_size_has_kernels_for_speed(tmp_path: Path) -> None:
    model, taken = squeezenet(GRAPHS["b"]), {}
    (tmp_path / "model.tflite").write_bytes(model)
    arguments = [str(tmp_path / "model.tflite"), "--out", str(tmp_path / "c"), "--board", "mps2-an386", "--quiet"]
    assert compile_command.main(arguments) == 0
    (tmp_path / firmware.CASES).write_bytes(bench._cases(model))
    for optimise in ("-O2", "-Os"):
        program = firmware.build("mps2-an386", tmp_path / "c", tmp_path / optimise, more=[f"OPTIMISE={optimise}"])
        taken[optimise] = sum(count.count(program, "mps2-an386", "sqz_infer", folder=tmp_path).regions)
    assert taken["-Os"] < 1.03 * taken["-O2"]


@pytest.mark.parametrize(
    "name", quick(["model", "main", "cases", "text", "board", "startup", "null"], "null")
)  # NULL is a macro
def test_a_model_may_be_called_like_a_file_of_the_firmware(tmp_path: Path, name: str) -> None:
    (tmp_path / "small.tflite").write_bytes(squeezenet(Graph(32, 0.125, 2, 0)))
    arguments = [str(tmp_path / "small.tflite"), "--out", str(tmp_path / "c"), "--name", name, "--quiet"]
    assert compile_command.main(arguments) == 0
    assert firmware.build("host", tmp_path / "c", tmp_path / "host").is_file()
    assert firmware.build("stm32f405", tmp_path / "c", tmp_path / "chip").is_file()


@pytest.mark.slow
def test_imagenet_photographs_on_a_cortex_m7(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte equal to TFLite's reference kernels on 20 photographs, the image streamed row by row."""
    labelled, others = dev_data("imagenet_dev"), dev_data("imagenet_unlabelled")
    weights = dev_data("squeezenet_v1.0_deep_compression")
    out = tmp_path / "imagenet"
    command = [sys.executable, "-m", "sqz_tf.export", "--weights", "imagenet", "--data", str(labelled)]
    command += ["--calibration-data", str(others), "--out", str(out)]
    subprocess.run(command, check=True, env={**os.environ, "SQZ_TF_WEIGHTS": str(weights)})
    pictures = sorted((labelled / "images").iterdir())[::20]
    assert len(pictures) == 20
    assert flashed("mps2-an500", out / "model_int8.tflite", tmp_path / "c", pictures) == 0
    assert capsys.readouterr().out.count('"equal": true') == 20


@pytest.mark.slow
def test_digits_on_small_boards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An STM32F405, and a micro:bit, an LM3S6965 and a HiFive1 with 16 and 64 KB of RAM."""
    from sklearn.datasets import load_digits

    pictures = []
    for i, pixels in enumerate(load_digits().images[:20]):
        pictures.append(tmp_path / f"{i}.png")
        Image.fromarray(np.rint(pixels * 255 / 16).astype(np.uint8)).save(pictures[-1])
    for name in ("stm32f405", "microbit", "lm3s6965evb", "hifive1-revb"):
        assert flashed(name, ROOT / "models/digits/model_int8.tflite", tmp_path / name, pictures) == 0
        assert capsys.readouterr().out.count('"equal": true') == 20
