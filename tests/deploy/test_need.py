"""What a model needs is what its compilation, its link and TFLite-Micro say, and a board fits if it has so much."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from converters.compiler import Packing
from converters.compiler.back.c import library, targets
from converters.compiler.compilation import compile_model
from converters.compiler.front.read import read_graph
from converters.compiler.middle import timeline
from converters.compiler.report import flash_bytes
from sqz_tf import fit
from sqz_tf.deploy import boards, footprint
from sqz_tf.deploy.boards import Board
from sqz_tf.deploy.need import CODE_BYTES, CYCLES, STACK_KEPT, STATIC_BYTES, TFLM_CODE_BYTES, Model, judge
from sqz_tf.inference import interpreters
from tests.helpers import echo_models
from tests.helpers.int8_networks import Net
from tests.helpers.needs import ROOT, require
from tools.bench_mcu import graphs
from tools.bench_mcu.coarse import coarse

TINY = Board("tiny", "Tiny", "cortex-m4", "cortex-m4", 4096, 65536, 100, "openocd", None, "none", "made up")
ROOMY = replace(TINY, name="roomy", ram_bytes=1 << 20, flash_bytes=1 << 22)


@lru_cache
def data() -> bytes:
    """Return the benchmark's smallest network, SqueezeNet v1.1 at 96 × 96 and width 0.25."""
    return graphs.squeezenet(graphs.GRAPHS["a"])


@lru_cache
def model() -> Model:
    return Model(data())


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fit") / "model.tflite"
    path.write_bytes(data())
    return path


@pytest.fixture
def no_linker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "why_not", lambda: "arm-none-eabi-gcc not found")


def linker() -> None:
    reason = footprint.why_not()
    require(not reason, reason or "")


# The table of boards.


def test_every_board_is_described() -> None:
    owned = fit.owned()
    assert len(owned) >= 15
    for name, each in boards.boards().items():
        assert each.name == name
        assert each.target in targets.TARGETS
        assert (each.target == "generic") == each.core.startswith("xtensa")
        assert each.core.startswith(("xtensa", "riscv32")) or each.core in CYCLES
        assert 16 * 1024 <= each.ram_bytes <= 4 << 20
        assert 256 * 1024 <= each.flash_bytes <= 16 << 20
        assert 10 <= each.mhz <= 1000
        assert each.source
    assert not [each for each in owned if each.flash_tool == "qemu"]


# What a model needs.


def test_the_arena_is_the_one_the_c_asks_for() -> None:
    files = compile_model(data(), "model", "cortex-m4")
    found = re.search(r"#define MODEL_ARENA_BYTES (\d+)u", files["model.h"])
    assert found
    need = model().need(TINY)
    assert need.arena == int(found[1])
    row_and_scores = 96 * 3 + 10
    assert need.static == row_and_scores + STATIC_BYTES, "what a caller has, and hardly anything besides"
    assert need.ram == need.arena + need.static + need.stack
    assert need.stack == STACK_KEPT >= need.stack_bound
    assert replace(need, stack_bound=3000).stack == 3000
    assert replace(need, stack_bound=0).stack == 0, "not counted"


def test_code_and_stack_are_measured_where_there_is_a_compiler() -> None:
    linker()
    for core, target in (
        ("cortex-m0plus", "cortex-m0plus"),
        ("cortex-m3", "cortex-m3"),
        ("cortex-m4", "cortex-m4"),
        ("cortex-m55", "cortex-m55"),
    ):
        need = model().need(replace(TINY, core=core, target=target))
        assert need.linked
        assert 2000 < need.code < 20_000
        assert 100 < need.stack_bound < 2000
        tables = flash_bytes(model().compiled(target))["total"]
        assert tables <= need.weights < 1.05 * tables + 1024, "weights and tables, each aligned"
        assert model()._estimated(model().compiled(target)).code >= need.code, "an estimate is on the safe side"
        assert model()._estimated(model().compiled(target)).stack_bound >= need.stack_bound


def test_without_a_compiler_estimates_say_so(no_linker: None) -> None:
    fresh = Model(data())
    need = fresh.need(TINY)
    assert not need.linked
    assert need.weights == flash_bytes(fresh.compiled("cortex-m4"))["total"]
    verdicts = judge(fresh, [TINY], None)
    text = fit.table(fresh, verdicts, "not asked for")
    assert "~ estimated: arm-none-eabi-gcc not found." in text
    assert re.search(r"~\d", text)
    assert fit.as_json(fresh, verdicts, "")["linker"] is None


def test_other_cores_are_estimated() -> None:
    need = model().need(boards.board("esp32"))
    assert not need.linked
    assert need.code == CODE_BYTES["generic"]


# The stack.


def graph(frames: dict[str, str], calls: list[tuple[str, str]]) -> str:
    nodes = "".join(f'node: {{ title: "{name}" label: "{name}\\n{size}" }}\n' for name, size in frames.items())
    return nodes + "".join(f'edge: {{ sourcename: "{a}" targetname: "{b}" label: "x" }}\n' for a, b in calls)


FRAMES = {"main": "8 bytes (static)", "step": "16 bytes (static)", "a.c:small": "8 bytes (static)"}
CALLS = [("main", "step"), ("step", "a.c:small")]


@pytest.mark.parametrize(
    ("frames", "calls", "linked", "bytes_"),
    [
        ({}, [], "", 8 + 16 + 8),
        ({"big": "100 bytes (static)"}, [("step", "big")], "big", 8 + 16 + 100),
        ({"big": "100 bytes (static)"}, [("step", footprint.INDIRECT)], "big", 8 + 16 + 100),
        ({"big": "100 bytes (static)"}, [("step", footprint.INDIRECT)], "", 8 + 16 + 8),
        ({}, [("a.c:small", "memcpy")], "", 8 + 16 + 8 + footprint.LIBRARY_STACK),
        ({"big": "100 bytes (dynamic)"}, [("step", "big")], "big", None),
        ({"big": "100 bytes (dynamic,bounded)"}, [("step", "big")], "big", 8 + 16 + 100),
        ({}, [("a.c:small", "step")], "", None),
        ({"big": "1 bytes (static)"}, [("step", footprint.INDIRECT), ("big", footprint.INDIRECT)], "big", None),
        (  # each file's pointers are to its own private functions, if it has such
            {"kernel": "50 bytes (static)", "k.c:inner": "30 bytes (static)"},
            [("step", footprint.INDIRECT), ("kernel", footprint.INDIRECT)],
            "kernel k.c:inner",
            8 + 16 + 50 + 30,
        ),
        ({"sqz_dsp_fours": "0 bytes (static)"}, [("step", "sqz_dsp_fours")], "sqz_dsp_fours", 8 + 16 + 88),
        ({"z.c:big": "9 bytes (static)"}, [("step", footprint.INDIRECT)], "big", 8 + 16 + 8),  # its namesake is linked
    ],
)
def test_the_stack_bound_is_the_deepest_path(
    frames: dict[str, str], calls: list[tuple[str, str]], linked: str, bytes_: int | None
) -> None:
    text = graph({**FRAMES, **frames}, [*CALLS, *calls])
    more = {f"k.c:{name.removeprefix('k.c:')}" for name in linked.split()}
    assert footprint.stack_bound(text, "main", {"m.c:main", "m.c:step", "a.c:small"} | more) == bytes_


def test_the_stack_bound_does_not_depend_on_the_librarys_names() -> None:
    require(not footprint.why_not(), footprint.why_not() or "")
    files = compile_model(data(), "net", "cortex-m4")
    plain = files | {library.NAMES: ""}
    assert footprint.link(files, "net", "cortex-m4") == footprint.link(plain, "net", "cortex-m4")


def test_what_assembly_functions_take_of_the_stack_is_known() -> None:
    text = "".join(path.read_text() for path in sorted((ROOT / "mcu" / "src").glob("*.c")))
    found: dict[str, int] = {}
    for each in re.finditer(r"^[^\n]*\bSQZ_NAKED\b[^\n]*?void (\w+)\(.*?\{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        name, body = each.groups()
        pushed = sum(
            (8 if vector else 4) * _registers(held) for vector, held in re.findall(r"(v?)push \{(.*?)\}", body)
        )
        kept = sum(map(int, re.findall(r"sub sp, #(\d+)", body)))
        found[name] = pushed + kept
    assert found == footprint.NAKED


def _registers(listed: str) -> int:
    """Count the registers of `r4-r11, lr`."""
    spans = [re.findall(r"\d+", part) for part in listed.split(",")]
    return sum(int(span[1]) - int(span[0]) + 1 if len(span) == 2 else 1 for span in spans)


def test_each_operator_is_estimated_by_what_runs_it() -> None:
    net = Net()
    wide = net.conv(net.input(8, 8, 4), 16)
    deep = net.conv(wide, 1, depthwise=True)
    compiled = Model(net.bytes(net.dense(net.mean(deep), 3)))
    fast, depthwise, dense = 8 * 8 * 16 * 9 * 4, 8 * 8 * 16 * 9, 16 * 3
    assert compiled.macs == fast + depthwise + dense
    expected = 0.9 * fast + 3 * depthwise + 1.0 * dense, 1.8 * fast + 10 * depthwise + 2.5 * dense
    assert compiled.instructions("cortex-m4") == pytest.approx(expected)
    low, _ = compiled.instructions("generic")
    assert low == pytest.approx(2.5 * fast + 5.5 * dense + 20 * depthwise)


def test_estimated_instructions_hold_what_was_counted() -> None:
    """SqueezeNet v1.1 at 96 × 96, width 0.25, and at 224 × 224, in QEMU (docs/results.md)."""
    for target, counted in {"cortex-m4": (1.67, 0.94), "cortex-m55": (0.71, 0.198), "generic": (4.1, 2.6)}.items():
        low, high = (instructions / model().macs for instructions in model().instructions(target))
        assert all(low <= one <= high for one in counted)


def test_what_does_not_compile_is_named() -> None:
    linker()
    files = {**compile_model(data(), "model"), "broken.c": "int broken( {"}
    with pytest.raises(footprint.LinkError, match=r"refuses the compiled model: broken\.c:1"):
        footprint.link(files, "model", "cortex-m4")


# Verdicts.


def test_a_board_fits_if_it_has_both_kinds_of_memory() -> None:
    need = model().need(ROOMY)
    exact = replace(ROOMY, ram_bytes=need.ram, flash_bytes=need.flash)
    cases = [
        (exact, ()),
        (replace(exact, ram_bytes=need.ram - 1), ("RAM",)),
        (replace(exact, flash_bytes=need.flash - 1), ("flash",)),
        (replace(exact, ram_bytes=0, flash_bytes=0), ("RAM", "flash")),
    ]
    for board, lacking in cases:
        (verdict,) = judge(model(), [board], None)
        assert (verdict.lacking, verdict.fits) == (lacking, not lacking)


def test_time_follows_work_and_clock() -> None:
    slow, fast = judge(model(), [ROOMY, replace(ROOMY, mhz=2 * ROOMY.mhz)], None)
    low, high = slow.milliseconds
    assert 0 < low < high
    assert fast.milliseconds == pytest.approx((low / 2, high / 2))
    macs = fit.as_json(model(), [slow], "")["model"]["macs"]
    assert low == pytest.approx(1e3 * macs * 0.9 * 1.3 / 100e6)
    assert high == pytest.approx(1e3 * macs * 1.8 * 1.9 / 100e6)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [((5.6, 13.2), "5.6–13 ms"), ((0.05, 0.1), "0.05–0.1 ms"), ((452, 1162), "0.45–1.2 s"), ((998, 999), "998–999 ms")],
)
def test_durations_are_short(milliseconds: tuple[float, float], text: str) -> None:
    assert fit._duration(milliseconds) == text


# The command line.


def run(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = fit.main(argv)
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.usefixtures("no_linker")
def test_the_exit_code_is_the_verdict(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boards, "boards", lambda: {"tiny": TINY, "roomy": ROOMY})
    monkeypatch.setattr(fit, "boards", boards.boards)
    plain = [str(model_file), "--no-tflm"]
    code, out, _ = run([*plain, "--board", "roomy"], capsys)
    assert (code, out.count("yes")) == (0, 1)
    code, out, _ = run([*plain, "--board", "tiny"], capsys)
    assert code == 1
    assert "no: RAM and flash" in out
    assert re.search(r"It lacks [\d,]+ B of RAM\.\nIt lacks [\d,]+ B of flash\.", out)
    assert run([*plain, "--all"], capsys)[0] == 0, "it fits one of them"


@pytest.mark.usefixtures("no_linker")
def test_json_and_table_tell_the_same(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run([str(model_file), "--json", "--no-tflm"], capsys)
    values = json.loads(out)
    assert (code, err) == (0, "")
    assert values["model"]["macs"] == 4_087_296
    assert values["model"]["operators"]["CONV_2D"] == 26
    assert [each["name"] for each in values["boards"]] == [each.name for each in fit.owned()]
    table = run([str(model_file), "--no-tflm"], capsys)[1]
    for each in values["boards"]:
        assert each["compiled"]["ram"]["total"] == sum(
            each["compiled"]["ram"][part] for part in ("arena", "static", "stack")
        )
        (row,) = [line for line in table.splitlines() if line.startswith(f"{each['name']} ")]
        assert f"{each['compiled']['ram']['total'] / 1024:.1f}" in row
        assert ("yes" in row) == each["fits"]
        assert each["tflm"] is None


@pytest.mark.usefixtures("no_linker")
def test_tflm_is_measured_in_its_wheel(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = interpreters.why_not("tflm")
    require(not reason, reason or "")
    code, out, _ = run([str(model_file), "--json", "--board", "nrf5340-dk"], capsys)
    (board,) = json.loads(out)["boards"]
    maps = max(size for _, size in timeline.whole_maps(read_graph(data())))
    assert board["tflm"]["ram"]["arena"] > maps, "whole maps, and its structures"
    assert board["tflm"]["ram"]["total"] > 5 * board["compiled"]["ram"]["total"]
    assert board["tflm"]["flash"]["code"] == TFLM_CODE_BYTES["cortex-m4"]
    assert (code, board["tflm"]["fits"]) == (0, True)


@pytest.mark.usefixtures("no_linker")
def test_a_missing_wheel_is_told(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: Any) -> None:
        raise interpreters.Unavailable("tflite-micro is not installed")

    monkeypatch.setattr(interpreters, "arena_bytes", missing)
    code, out, _ = run([str(model_file), "--board", "pico"], capsys)
    assert code == 0
    assert "TFLite Micro's arena is not measured: tflite-micro is not installed" in out


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["MODEL", "--board", "picoo"], 2, "did you mean pico"),
        (["MODEL", "--board", "pico", "--all"], 2, "not allowed with argument"),
        ([], 2, "required: model"),
        (["nothing.tflite"], 1, "nothing.tflite cannot be read: No such file"),
        (["GARBAGE"], 1, "the model cannot be read"),
        (["TEXT"], 1, "text is text; expected a .tflite or .sqz"),
        (["FLOAT", "--no-tflm"], 1, "is a float32 model"),
    ],
)
def test_what_cannot_be_judged_is_told(
    argv: list[str], code: int, message: str, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "garbage").write_bytes(b"\0no model at all")
    (tmp_path / "text").write_bytes(b"no model at all")
    (tmp_path / "float").write_bytes(echo_models.model("float32"))
    places = {
        "MODEL": model_file,
        "GARBAGE": tmp_path / "garbage",
        "TEXT": tmp_path / "text",
        "FLOAT": tmp_path / "float",
    }
    result, out, err = run([str(places.get(word, word)) for word in argv], capsys)
    assert (result, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


# Compressed weights.


def small_board(flash_kb: int, ram_kb: int = 64) -> Board:
    return replace(TINY, flash_bytes=flash_kb * 1024, ram_bytes=ram_kb * 1024)


def test_weights_are_compressed_for_a_board_that_lacks_flash_otherwise() -> None:
    linker()
    few = Model(coarse(data()))
    dense = few.need(TINY)
    (roomy, tight, tiny) = judge(few, [small_board(256), small_board(48), small_board(16)], None)
    assert (roomy.fits, roomy.flash_budget, roomy.compiled.weights) == (True, None, dense.weights)
    assert (tight.fits, tight.flash_budget) == (True, 48 * 1024)
    assert tight.compiled.weights < dense.weights
    assert tight.milliseconds > roomy.milliseconds
    assert (tiny.fits, tiny.flash_budget, tiny.lacking) == (False, None, ("flash",))
    assert "compressed" in fit.table(few, [tight], "")
    assert "Compile with --board tiny --flash-budget 48." in fit.table(few, [tight], "")


@pytest.mark.slow
def test_what_compressed_weights_need_is_what_is_linked() -> None:
    linker()
    few = Model(coarse(data()))
    for core, target in (
        ("cortex-m0plus", "cortex-m0plus"),
        ("cortex-m3", "cortex-m3"),
        ("cortex-m4", "cortex-m4"),
        ("cortex-m55", "cortex-m55"),
    ):
        packing = Packing(optimize="flash")
        need = few.need(replace(TINY, core=core, target=target), packing)
        compiled = few.compiled(target, packing)
        tables = flash_bytes(compiled)["total"]
        assert tables <= need.weights < 1.05 * tables + 1024
        assert few._estimated(compiled).code >= need.code
        assert few._estimated(compiled).stack_bound >= need.stack_bound
