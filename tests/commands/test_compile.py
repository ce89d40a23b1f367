"""`python -m sqz_tf.compile`: a whole folder or none, results on stdout, everything else on stderr."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from converters.compiler import PASSES
from sqz_tf import __main__, compile
from sqz_tf.base.errors import OutputError
from sqz_tf.deploy.c_folder import default_name, write_folder
from sqz_tf.deploy.need import CODE_BYTES
from tests.helpers import echo_models
from tests.helpers.int8_networks import Net, squeezenet
from tests.helpers.needs import ROOT, require
from tools.bench_mcu import graphs
from tools.bench_mcu.coarse import coarse


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in a folder to work in."""
    monkeypatch.chdir(tmp_path)
    Path("Digits v1.1.tflite").write_bytes(echo_models.described(squeezenet(), list("abcde")))
    return Path("Digits v1.1.tflite")


def run(*arguments: object) -> int:
    return compile.main([str(argument) for argument in arguments])


def test_the_folder_is_whole_and_builds(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--out", "made/c") == 0
    out, err = capsys.readouterr()
    assert out == "made/c\n"
    assert "multiply-accumulates; arena " in err
    files = {path.name for path in Path("made/c").iterdir()}
    assert {"digits_v1_1.h", "digits_v1_1.c", "digits_v1_1_weights.c", "sqz.h", "sqz_stream.c"} <= files
    assert list(Path("made").iterdir()) == [Path("made/c")], "nothing else is left"
    main = '#include "digits_v1_1.h"\nint main(void) { return DIGITS_V1_1_INPUT_HEIGHT != 16; }\n'
    Path("main.c").write_text(main)
    require(shutil.which("cc"), "cc is not installed")
    sources = [str(path) for path in Path("made/c").glob("*.c")]
    subprocess.run(["cc", "-std=c11", "-O1", "-Imade/c", "-o", "main", "main.c", *sources], check=True)
    assert subprocess.run(["./main"], check=False).returncode == 0


def test_the_files_say_what_wrote_them(model: Path) -> None:
    assert run(model, "--out", "c", "--name", "net", "--target", "cortex-m4", "--quiet") == 0
    top = Path("c/net.h").read_text()
    assert "target  cortex-m4" in top
    assert "tools   sqz-tf " in top


def test_the_model_files_name_and_place_are_not_in_the_c(model: Path) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/other.tflite").write_bytes(model.read_bytes())
    for path, out in ((model, "a"), ("elsewhere/other.tflite", "b")):
        assert run(path, "--out", out, "--name", "net", "--quiet") == 0
    first, second = ({path.name: path.read_bytes() for path in Path(out).iterdir()} for out in ("a", "b"))
    assert first == second


def test_json_is_alone_on_stdout(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--json", "--quiet") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["target"] == "generic"
    assert err == ""
    assert [path.name for path in Path().iterdir()] == [model.name], "without --out nothing is written"


@pytest.mark.parametrize("what", PASSES)
def test_a_pass_is_printed(model: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    assert run(model, "--dump", what) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 10
    assert run(model, "--dump", what, "--out", "c") == 0
    assert Path("c").is_dir()


def test_dump_alone_prints_every_pass(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one_by_one = []
    for what in PASSES:
        assert run(model, "--dump", what) == 0
        one_by_one.append(f"{what}:\n{capsys.readouterr().out}")
    assert run(model, "--dump") == 0
    assert capsys.readouterr().out == "\n".join(one_by_one)


def test_a_board_decides_the_target(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--json", "--board", "stm32f405") == 0
    assert json.loads(capsys.readouterr().out)["target"] == "cortex-m4"


@pytest.fixture
def few() -> Path:
    """The benchmark's smallest network, with few different weights."""
    path = Path("few.tflite")
    path.write_bytes(coarse(graphs.squeezenet(graphs.GRAPHS["a"])))
    return path


def flash_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict[str, Any], str]:
    assert run(*arguments, "--json") == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_a_flash_budget_compresses_what_it_must_and_says_so(
    model: Path, few: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense, quiet = flash_of(capsys, few)
    assert {each["layout"] for each in dense["layouts"]} == {"dense"}
    assert "prefix codes" not in quiet
    sizes = []
    for kb in (100, 48, 40):
        said, err = flash_of(capsys, few, "--board", "nucleo-f411re", "--flash-budget", kb)
        packed = [each for each in said["layouts"] if each["layout"] == "prefix codes"]
        assert bool(packed) == (kb < 100) == ("prefix codes" in err)
        assert all(each["constant_bytes"] < each["dense_bytes"] for each in packed)
        assert sum(each["constant_bytes"] for each in said["layouts"]) == said["flash"]["total"]
        assert said["flash"]["total"] <= kb * 1024 - CODE_BYTES["cortex-m4"]
        sizes.append(said["flash"]["total"])
    assert sizes == sorted(sizes, reverse=True)
    smallest, _ = flash_of(capsys, few, "--board", "nucleo-f411re", "--optimize", "flash")
    assert smallest["flash"]["total"] < sizes[-1]


def test_a_flash_budget_that_cannot_be_kept_is_said(model: Path, few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(few, "--out", "c", "--flash-budget", "18") == 1
    assert re.search(
        r"the weights and tables take \d+ bytes at the least; expected \d+ or fewer", capsys.readouterr().err
    )
    assert not Path("c").exists()


def test_a_ram_budget_bounds_bands_and_blocks(model: Path, few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--target", "cortex-m4", "--optimize", "flash", "--ram-budget")
    tight, _ = flash_of(capsys, few, *small, 16)
    roomy, _ = flash_of(capsys, few, *small, 64)
    assert tight["arena"]["bytes"] <= 16 * 1024 < roomy["arena"]["bytes"] <= 64 * 1024
    instructions = [sum(each["decode_instructions"] for each in said["layouts"]) for said in (tight, roomy)]
    assert instructions[0] > instructions[1]
    assert sum(each["band"] for each in roomy["layouts"]) > sum(each["band"] for each in tight["layouts"])


def test_labels_come_from_the_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--out", "c", "--name", "net", "--labels") == 0
    assert '"e", /* 4 */' in Path("c/net_labels.c").read_text()
    Path("bare.tflite").write_bytes(squeezenet())
    assert run("bare.tflite", "--out", "d", "--labels") == 1
    assert "bare.tflite carries no labels.txt" in capsys.readouterr().err
    Path("wrong.tflite").write_bytes(echo_models.described(squeezenet(), ["a", "b"]))
    assert run("wrong.tflite", "--out", "d", "--labels") == 1
    assert "2 labels for 5 classes" in capsys.readouterr().err
    assert not Path("d").exists()


def test_a_package_has_its_build_systems_files(model: Path) -> None:
    assert run(model, "--out", "c", "--name", "net", "--package", "arduino") == 0
    assert Path("c/library.properties").is_file()
    assert Path("c/src/net.h").is_file()
    assert run(model, "--out", "c", "--name", "net", "--overwrite") == 0, "a package is such a folder, too"
    assert Path("c/net.h").is_file()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model_int8.tflite", "model_int8"),
        ("SqueezeNet v1.1.tflite", "squeezenet_v1_1"),
        ("96x96.tflite", "model_96x96"),
        ("__.tflite", "model"),
        ("größe.tflite", "gr_e"),
        ("int.tflite", "model_int"),
        ("a__b.tflite", "a_b"),
        ("time.tflite", "model_time"),  # time.h would hide the C library's
        ("sqz_conv.tflite", "model_sqz_conv"),  # which is a file of ours
        ("net_weights.tflite", "net"),  # whose weights would look like another model's
        ("net-labels weights.tflite", "net"),
        ("weights.tflite", "weights"),
    ],
)
def test_names_come_from_the_files(name: str, expected: str) -> None:
    assert default_name(Path(name)) == expected


# Bad input.


def _int16() -> bytes:
    return echo_models.model("int16", (1, 2, 2, 1))


def _unsupported() -> bytes:
    net = Net()
    x = net.input(4, 4, 1)
    return net.bytes(net.op("ELU", [x.index], net.map(x.shape, 1 / 128, 0)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (echo_models.model("float32", (1, 2, 2, 1)), "is a float32 model"),
        (_int16(), "is int16; expected int8"),
        (_unsupported(), "cannot be compiled: layer elu (ELU): the operator is not supported"),
        (b"this is no model at all", "is text; expected a .tflite"),
        (b"\0 no model at all", "expected a .tflite file"),
        (b"", "is an empty file; expected a .tflite"),
        (squeezenet()[:900], "damaged"),
        (echo_models.model("int8", (1, 2, 2, 1), inputs=2), "has 2 inputs"),
    ],
)
def test_what_cannot_be_compiled_leaves_no_folder(
    model: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    Path("bad.tflite").write_bytes(content)
    assert run("bad.tflite", "--out", "made/c") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: bad.tflite ")
    assert message in err
    assert not Path("made").exists()


def test_a_file_that_cannot_be_read_is_named(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("missing.tflite", "--out", "c") == 1
    assert "missing.tflite cannot be read (No such file or directory)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--out", "c", "--target", "z80"),
        ("--out", "c", "--board", "stm32f40"),
        ("--dump", "magic"),
        ("--out", "c", "--target", "generic", "--board", "stm32f405"),
    ],
)
def test_wrong_usage_is_exit_code_2(model: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(model, *arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int", "'int' is a reserved word of C or C++"),
        ("a b", "'a b' cannot be a name in C; expected letters"),
        ("a__b", "'a__b' cannot be a name in C"),
        ("time", "time.h would hide a header"),
        ("net_weights", "'net_weights' ends like a file of the model net; leave _weights out"),
        ("net_labels", "leave _labels out"),
    ],
)
def test_a_name_that_cannot_be_is_wrong_usage(
    model: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(model, "--out", "c", "--name", name)
    assert message in capsys.readouterr().err
    assert not Path("c").exists()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_one_line(model: Path, unbuffered: str) -> None:
    require(Path("/dev/full").exists(), "there is no /dev/full")
    command = [sys.executable, "-m", "sqz_tf.compile", str(model), "--json", "--quiet"]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written (No space left on device)\n"


# The folder.


def test_only_a_folder_of_this_command_is_replaced_and_only_if_asked(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--out", "c", "--name", "first") == 0
    assert run(model, "--out", "c", "--name", "second") == 1
    assert "c exists; add --overwrite to replace it" in capsys.readouterr().err
    assert run(model, "--out", "c", "--name", "second", "--overwrite") == 0
    assert Path("c/second.c").is_file()
    assert not Path("c/first.c").exists(), "what is left over would be compiled, too"
    Path("mine").mkdir()
    Path("mine/main.c").write_text("int main(void) { return 0; }\n")
    assert run(model, "--out", "mine", "--overwrite") == 1
    assert "mine exists and was not written by this command" in capsys.readouterr().err
    assert run(model, "--out", "mine/main.c", "--overwrite") == 1
    assert Path("mine/main.c").is_file()


@pytest.mark.parametrize("mine", ["made/main.c", "made/net/main.c", "made/net/src/main.c", "made/net/README.md"])
def test_what_a_person_put_beside_it_is_not_replaced(
    model: Path, capsys: pytest.CaptureFixture[str], mine: str
) -> None:
    assert run(model, "--out", "made/net", "--name", "net") == 0
    Path(mine).parent.mkdir(exist_ok=True)
    Path(mine).write_text("mine\n")
    out = "made" if mine == "made/main.c" else "made/net"
    assert run(model, "--out", out, "--name", "net", "--overwrite") == 1
    assert re.search("did not write|was not written", capsys.readouterr().err)
    assert Path(mine).is_file()
    assert Path("made/net/net.c").is_file()


@pytest.mark.parametrize("kind", ["plain", "arduino", "esp-idf", "zephyr", "platformio", "cmake"])
def test_a_package_is_replaced_by_its_like(model: Path, kind: str) -> None:
    for name in ("first", "second"):
        assert run(model, "--out", "c", "--name", name, "--package", kind, "--overwrite", "--quiet") == 0
    assert not list(Path("c").rglob("first*"))


def test_another_kind_of_package_is_replaced_with_a_word(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--out", "c", "--package", "cmake") == 0
    assert run(model, "--out", "c", "--package", "cmake", "--overwrite") == 0
    assert "was of the kind" not in capsys.readouterr().err
    assert run(model, "--out", "c", "--package", "arduino", "--overwrite") == 0
    assert "c was of the kind cmake and is now arduino" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("plain", "sqz_camera.c"),
        ("arduino", "src/sqz_camera.c"),
        ("arduino", "examples/Classify/Classify.ino"),
        ("cmake", "CMakeLists.txt"),
        ("cmake", "README.md"),
        ("zephyr", "samples/classify/prj.conf"),
    ],
)
def test_what_a_person_wrote_into_it_is_named_and_kept(
    model: Path, capsys: pytest.CaptureFixture[str], kind: str, path: str
) -> None:
    assert run(model, "--out", "c", "--package", kind) == 0
    with (Path("c") / path).open("a") as file:
        file.write("mine\n")
    assert run(model, "--out", "c", "--package", kind, "--overwrite") == 1
    assert f"c also holds {path}, which " in capsys.readouterr().err
    assert (Path("c") / path).read_text().endswith("mine\n")


def test_a_link_is_a_persons(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--out", "c") == 0
    Path("c/link").symlink_to("..")
    assert run(model, "--out", "c", "--overwrite") == 1
    assert "c also holds link" in capsys.readouterr().err


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stands_for_what_it_leads_to(there: bool, model: Path) -> None:
    Path("elsewhere").mkdir()
    Path("link").symlink_to("elsewhere/c")
    if there:
        assert run(model, "--out", "elsewhere/c") == 0
    assert run(model, "--out", "link", "--overwrite") == 0
    assert Path("link").is_symlink()
    assert [path.name for path in Path("elsewhere").iterdir()] == ["c"]
    assert list(Path("elsewhere/c").glob("*_weights.c"))


def test_an_empty_folder_is_used(model: Path) -> None:
    Path("c").mkdir()
    assert run(model, "--out", "c") == 0


def test_a_disk_that_refuses_leaves_the_old_folder(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(model, "--out", "c") == 0
    before = {path: path.read_bytes() for path in Path("c").iterdir()}

    def full(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert run(model, "--out", "c", "--overwrite") == 1
    assert "cannot write c (No space left on device)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("c").iterdir()} == before
    assert sorted(path.name for path in Path().iterdir()) == ["Digits v1.1.tflite", "c"]


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "c", tmp_path / ("n" * 300)):
        with pytest.raises(OutputError, match="cannot write"):
            write_folder(place, {"a": ""})


def test_a_folder_one_may_not_enter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuses)  # what it does below such a folder, unless root asks
    with pytest.raises(OutputError, match=r"cannot write .*c \(Permission denied\)"):
        write_folder(tmp_path / "c", {"a": ""})


def test_a_folder_called_like_a_file_of_weights_is_a_persons(tmp_path: Path) -> None:
    (tmp_path / "c" / "x_weights.c").mkdir(parents=True)
    with pytest.raises(OutputError, match="was not written by this command"):
        write_folder(tmp_path / "c", {"a": ""}, overwrite=True)


def test_the_folder_it_runs_in_is_not_replaced(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("empty").mkdir()
    monkeypatch.chdir("empty")
    assert run(Path("..") / model, "--out", ".") == 1
    assert "error: . is where this command runs; run it from outside" in capsys.readouterr().err


# Two models.


def test_two_models_in_one_folder_make_one_program(model: Path) -> None:
    """As docs/mcu.md says: the library is the same whatever the model and the target, but for what it is called."""
    require(shutil.which("cc"), "cc is not installed")
    assert run(model, "--out", "a", "--name", "first", "--quiet") == 0
    assert run(model, "--out", "b", "--name", "second", "--target", "cortex-m4", "--quiet") == 0
    shared = [path for path in Path("a").glob("sqz*") if path.name != "sqz_names.h"]
    assert len(shared) > 5
    for path in shared:
        assert not (Path("b") / path.name).exists() or path.read_bytes() == (Path("b") / path.name).read_bytes()
    shutil.copytree("b", "a", dirs_exist_ok=True)
    main = """#include "first.h"
#include "second.h"
_Alignas(16) static unsigned char arena[FIRST_ARENA_BYTES + SECOND_ARENA_BYTES];
static int8_t input[FIRST_INPUT_BYTES], one[FIRST_OUTPUT_BYTES], other[SECOND_OUTPUT_BYTES];
int main(void) {
    int failed = first_invoke(arena, input, one) != SQZ_OK || second_invoke(arena, input, other) != SQZ_OK;
    for (unsigned i = 0; i < sizeof one; i++) failed |= one[i] != other[i];
    return failed;
}
"""
    Path("main.c").write_text(main)
    sources = [str(path) for path in Path("a").glob("*.c")]
    subprocess.run(["cc", "-std=c11", "-O1", "-Ia", "-o", "main", "main.c", *sources], check=True)
    assert subprocess.run(["./main"], check=False).returncode == 0


# The installed package.


def test_the_console_script_knows_the_command(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["compile", str(model), "--out", "c"]) == 0
    assert __main__.main(["--help"]) == 0
    assert "compile" in capsys.readouterr().out


@pytest.mark.device
def test_a_wheel_carries_the_c_sources(tmp_path: Path) -> None:
    version = int(importlib.metadata.version("setuptools").split(".")[0])
    require(version >= 77, f"setuptools is {version}, the build needs 77")
    source, site = tmp_path / "source", tmp_path / "site"
    for name in ("sqz_tf", "converters", "mcu", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "-w", ".."]
    subprocess.run(build, cwd=source, check=True)
    shutil.rmtree(source)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (tmp_path / "model.tflite").write_bytes(squeezenet())
    command = [sys.executable, "-m", "sqz_tf.compile", "model.tflite", "--out", "c"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(site)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c" / "sqz_stream.c").read_bytes() == (ROOT / "mcu" / "src" / "sqz_stream.c").read_bytes()
    listed = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mcu").rglob("*") if _is_source(path)}
    carried = {f"mcu/{name.partition('/mcu/')[2]}" for name in zipfile.ZipFile(wheel).namelist() if "/mcu/" in name}
    assert carried == listed
    assert (site / "sqz_tf" / "models" / "digits" / "model_int8.tflite").is_file()
    page = ROOT / "sqz_tf" / "deploy" / "web"
    for name in ("page", "glue"):
        assert {each.name for each in (site / page.relative_to(ROOT) / name).iterdir()} == set(os.listdir(page / name))


def _is_source(path: Path) -> bool:
    """Whether a file of mcu/ is one that an installed package needs: all but the benchmark."""
    return path.is_file() and "bench" not in path.relative_to(ROOT / "mcu").parts and "build" not in str(path.parent)


def test_every_package_is_in_the_wheels_list() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    listed = text[text.index("packages = [") : text.index("]", text.index("packages = ["))]
    for path in [*ROOT.glob("sqz_tf/**/__init__.py"), *ROOT.glob("converters/**/__init__.py")]:
        assert f'"{".".join(path.parent.relative_to(ROOT).parts)}"' in listed
