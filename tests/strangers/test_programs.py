"""What strangers name and send reaches no shell, no import and no file: make, `python -m`, QEMU, host programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sqz_tf import compile as compile_command
from sqz_tf import flash
from sqz_tf.deploy import firmware
from tests.helpers import compiled_stub
from tests.helpers.int8_networks import Net
from tests.helpers.needs import ROOT, require

NAMES = [
    "it's",
    "run(1) & touch pwned",
    "a`touch pwned`b",
    "$(touch pwned) $(shell touch pwned)",
    "a|touch pwned;touch pwned\ntouch pwned",
    '-dash "two words" #100%: ü\\=~*?[x]',
]
PWNED = "pwned"


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Start in an empty folder; after the test no file called pwned may be anywhere that it could be."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    assert not list(tmp_path.rglob(PWNED))
    assert not [folder for folder in (ROOT, ROOT / "mcu") if (folder / PWNED).exists()]


def need(*tools: str) -> None:
    missing = [tool for tool in tools if not shutil.which(tool)]
    require(not missing, f"{', '.join(missing)} not installed")


def flashed(folder: Path, *arguments: str) -> int:
    return flash.main([str(folder), *(arguments or ("--board", "host"))])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line of error, without the commands noted before it."""
    lines = capsys.readouterr().err.splitlines()
    assert sum("error:" in line for line in lines) == 1, lines
    return lines[-1]


# Names and make ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_built_and_run(tmp_path: Path, name: str) -> None:
    need("make", "cc")
    assert flashed(compiled_stub.write(tmp_path / name)) == 0
    assert (tmp_path / f"{name}-host" / "firmware").is_file()


def test_an_output_folder_of_any_name_takes_the_firmware_of_a_virtual_board(tmp_path: Path) -> None:
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    folder, out = compiled_stub.write(tmp_path / NAMES[1]), tmp_path / "".join(NAMES).replace("/", "")
    assert flashed(folder, "--board", "mps2-an386", "--out", str(out)) == 0
    assert [path.name for path in out.iterdir()] == ["firmware.elf"]


class FakeVenv:
    """A virtual environment whose python notes its arguments, for the recipes of the Makefile."""

    def __init__(self, folder: Path) -> None:
        (folder / "venv" / "bin").mkdir(parents=True)
        self.venv, self.log = folder / "venv", folder / "log"
        python = self.venv / "bin" / "python"
        python.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >> {self.log}\n")
        python.chmod(0o755)
        (self.venv / ".installed").touch()

    def make(self, *words: str, **environment: str) -> list[str]:
        """Run make in the checkout; return what python was given."""
        command = ["make", "--silent", "-C", str(ROOT), f"VENV={self.venv}", "RUNTIME_PYTHON=", *words]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
        return self.log.read_text().split("\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("target", "variable"), [("mcu", "MODEL"), ("android", "MODEL"), ("demo", "OUT")])
def test_makes_recipes_hand_a_name_on_as_it_is(tmp_path: Path, name: str, target: str, variable: str) -> None:
    need("make")
    (tmp_path / name).mkdir()
    fake, path = FakeVenv(tmp_path / "here"), str(tmp_path / name)
    assert path in fake.make(target, **{variable: path}), "from the environment"
    fake.log.unlink()
    assert path in fake.make(target, f"{variable}={path}"), "from the command line"


def test_make_android_takes_several_models_and_processors(tmp_path: Path) -> None:
    need("make")
    asked = FakeVenv(tmp_path).make("android", "MODEL=build/x  build/y", "ABI=arm64-v8a x86_64")
    assert asked[-7:] == ["--abi", "arm64-v8a", "--abi", "x86_64", "--", "build/x", "build/y"]


@pytest.mark.parametrize(
    "words",
    [
        ("DIR=c'$$(touch pwned)'",),
        ("DIR=c", "OUT=o;touch pwned"),
        ("DIR=c", "CASES=`touch pwned`"),
        ("DIR=$(shell touch pwned)",),
        ("DIR=c", "BOARD=host$(shell touch pwned)"),
        ("DIR=c d",),
        ("DIR=c", "OUT=/tmp/x\ntouch pwned"),
        ("DIR=c", "LINE=;touch pwned"),
    ],
)
def test_the_firmwares_makefile_refuses_what_a_shell_could_read(tmp_path: Path, words: tuple[str, ...]) -> None:
    need("make", "cc")
    compiled_stub.write(tmp_path / "here" / "c")
    done = subprocess.run(["make", "-f", ROOT / "mcu" / "Makefile", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected letters, digits and" in done.stderr


# What is in a received folder ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x'$(touch pwned)'", "a;touch pwned;b", "$(shell touch pwned)", "b-c", "int", "sqzx"])
def test_a_model_whose_file_is_no_name_in_c_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    need("make", "cc")
    folder = compiled_stub.write(tmp_path / "c")
    for path in list(folder.glob("stub*")):
        path.rename(folder / path.name.replace("stub", name))
    assert flashed(folder) == 1
    assert "cannot be" in one_line(capsys)
    made = subprocess.run(["make", "-f", ROOT / "mcu" / "Makefile", f"DIR={folder}"], capture_output=True, text=True)
    assert made.returncode == 2 or name in ("int", "sqzx")


def test_only_the_compilers_files_are_compiled(tmp_path: Path) -> None:
    need("make", "cc")
    folder = compiled_stub.write(tmp_path / "c")
    run = '__attribute__((constructor)) static void run(void) { fclose(fopen("pwned", "w")); }'
    for name in ("extra.c", "stub_more.c", "sqz_unknown.c", "stub_weights.c.c"):
        (folder / name).write_text(f"#include <stdio.h>\n{run}\n")
    (folder / "stdint.h").write_text("#error this is found in place of the compiler's\n")
    (folder / "Makefile").write_text("$(shell touch pwned)\n")
    assert flashed(folder) == 0


@pytest.mark.parametrize("name", ["sqz.h", "sqz_names.h"])
def test_a_file_of_the_library_that_was_changed_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = compiled_stub.write(tmp_path / "c")
    with (folder / name).open("a") as file:
        file.write('#include "/etc/passwd"\n')
    assert flashed(folder) == 1
    assert f"{name} is not this version's" in one_line(capsys)


@pytest.mark.parametrize("name", ["stub.c", "stub.h", "stub_weights.c"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "by hand", "huge"])
def test_a_file_that_the_compiler_does_not_write_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    path = compiled_stub.write(tmp_path / "c") / name
    text = path.read_bytes()
    path.unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(text)
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "by hand":
        path.write_bytes(b"int main(void) { return 0; }\n" + text)
    else:
        path.write_bytes(text)
        os.truncate(path, 1 << 40)  # a hole
    assert flashed(path.parent) == 1
    assert name in one_line(capsys)


def test_what_lies_in_the_output_folder_is_neither_run_nor_followed(tmp_path: Path) -> None:
    """A received archive may hold the output folder too: rules for make, objects, links out of it."""
    need("make", "cc")
    folder, out = compiled_stub.write(tmp_path / "c"), tmp_path / "c-host"
    (out / "objects" / "firmware").mkdir(parents=True)
    (out / "objects" / "firmware" / "main.d").write_text("$(shell touch pwned)\n")
    (out / "objects" / "firmware" / "main.o").write_bytes(b"an object that was sent along")
    mine = tmp_path / "mine"
    mine.write_text("a person's own")
    for name in ("firmware", "command", "command.new", firmware.CASES):
        (out / name).symlink_to(mine)
    assert flashed(folder) == 0
    assert mine.read_text() == "a person's own"


# Python's path -------------------------------------------------------------------------------------------------------

FOREIGN = ("numpy", "PIL", "argparse", "json", "subprocess", "flatbuffers", "ai_edge_litert", "converters")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A received folder with modules that say that they ran."""
    folder = tmp_path / "received"
    folder.mkdir()
    for name in FOREIGN[::2]:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / PWNED)!r}, 'w')\n")
    for name in FOREIGN[1::2]:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"open({str(tmp_path / PWNED)!r}, 'w')\n")
    return folder


def python(folder: Path, *words: str, path: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("command", ["sqz_tf.classify", "sqz_tf.compile", "sqz_tf.flash", "sqz_tf"])
def test_a_received_folders_modules_are_not_imported(foreign: Path, command: str) -> None:
    done = python(foreign, "-m", command, "--help")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", [f"{ROOT}:", f":{ROOT}", f"{ROOT}:."])
def test_an_empty_entry_of_pythonpath_is_the_current_folder_too(foreign: Path, path: str) -> None:
    done = python(foreign, "-m", "sqz_tf.classify", "--help", path=path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_link_to_the_received_folder_is_that_folder(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(foreign)
    done = python(tmp_path / "link", "-m", "sqz_tf.classify", "--help", path=f"{ROOT}:{tmp_path / 'link'}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_checkout_works_without_installation_and_libraries_keep_their_path(tmp_path: Path) -> None:
    done = python(ROOT, "-m", "sqz_tf.classify", "--help", path="")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "mine.py").write_text("import sqz_tf, beside\n")
    (tmp_path / "beside.py").write_text("print('beside')\n")
    assert python(tmp_path, "-m", "mine").stdout == "beside\n", "a person's own program keeps its folder"
    assert python(tmp_path, "mine.py").stdout == "beside\n"
    assert python(tmp_path, "-c", "import mine").stdout == "beside\n"


def test_the_compiler_that_flash_starts_does_not_see_the_current_folder(foreign: Path, tmp_path: Path) -> None:
    """Not even a `sqz_tf` there, which `python -m` itself would find first."""
    (foreign / "sqz_tf").mkdir()
    (foreign / "sqz_tf" / "__init__.py").write_text(f"open({str(tmp_path / PWNED)!r}, 'w')\n")
    need("make", "cc")
    net, model = Net(), foreign / "export" / "model_int8.tflite"
    model.parent.mkdir()
    model.write_bytes(net.bytes(net.softmax(net.conv(net.input(4, 4, 1), 3, (4, 4)))))
    assert compile_command.main([str(model), "--out", str(model.parent / "c"), "--quiet"]) == 0
    start = f"import sys; sys.path[:] = [{str(ROOT)!r}, *sys.path[1:]]; from sqz_tf.flash import main; "
    done = python(foreign, "-c", f"{start}sys.exit(main(['export', '--board', 'host', '--only-build']))")
    assert done.returncode == 0, done.stderr
    assert (foreign / "export-host" / "firmware").is_file()


# QEMU and host programs ----------------------------------------------------------------------------------------------


def calling(operation: int, arguments: str) -> str:
    """Return C that asks whoever answers semihosting calls for an operation."""
    return (
        f"{{ const uint32_t arguments[] = {{{arguments}}};"
        f'register uint32_t r0 __asm__("r0") = {operation}; register const void *r1 __asm__("r1") = arguments;'
        '__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory"); }'
    )


def text(value: str) -> str:
    return f'(uint32_t)(uintptr_t)"{value}"'


def _need_landlock() -> None:
    if not firmware.confinable():  # nothing that a set-up could install
        pytest.skip("this kernel has no Landlock")


def test_firmware_in_qemu_starts_no_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    for i, command in enumerate((f"touch {tmp_path / PWNED}", "touch pwned", "exec touch pwned")):
        folder = compiled_stub.write(tmp_path / f"c{i}", at_the_end=calling(0x12, f"{text(command)}, {len(command)}"))
        assert flashed(folder, "--board", "mps2-an386") == 1
        assert "QEMU's sandbox stopped it" in one_line(capsys)


def test_firmware_in_qemu_writes_reads_and_removes_nothing_outside(tmp_path: Path) -> None:
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    _need_landlock()
    mine, there = tmp_path / "mine", tmp_path / PWNED
    mine.write_text("a person's own")
    write = calling(0x01, f"{text(str(there))}, 4, {len(str(there))}")
    overwrite = calling(0x01, f"{text(str(mine))}, 4, {len(str(mine))}")
    remove = calling(0x0E, f"{text(str(mine))}, {len(str(mine))}")
    rename = calling(0x0F, f"{text(str(mine))}, {len(str(mine))}, {text(str(there))}, {len(str(there))}")
    folder = compiled_stub.write(tmp_path / "c", at_the_end="".join((write, overwrite, remove, rename)))
    assert flashed(folder, "--board", "mps2-an386") == 0
    assert mine.read_text() == "a person's own"


@pytest.mark.parametrize(
    "statement",
    [
        'extern int system(const char *); (void)!system("touch TMP/pwned");',
        'extern int creat(const char *, unsigned); (void)creat("TMP/pwned", 0644);',
        'extern int unlink(const char *); (void)unlink("TMP/mine");',
        'extern int rename(const char *, const char *); (void)rename("TMP/mine", "TMP/pwned");',
    ],
)
def test_a_host_program_stays_in_its_folder(tmp_path: Path, statement: str) -> None:
    need("make", "cc")
    _need_landlock()
    (tmp_path / "mine").write_text("a person's own")
    folder = compiled_stub.write(tmp_path / "c", at_the_end=statement.replace("TMP", str(tmp_path)))
    flashed(folder)
    assert (tmp_path / "mine").read_text() == "a person's own"
    assert (tmp_path / "c-host" / "firmware").is_file(), "it was built, and run"


def test_what_host_and_virtual_mean_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    told = " ".join(flash.build_parser().format_help().split())
    assert "SECURITY.md" in told
    assert "host builds the C as a program for this computer and runs it" in told


def test_a_system_that_cannot_confine_is_told_and_still_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("make", "cc")
    monkeypatch.setattr(firmware.confined, "version", lambda: 0)
    assert flashed(compiled_stub.write(tmp_path / "c")) == 0
    assert "will not be kept from your files" in capsys.readouterr().err


def test_a_qemu_without_a_sandbox_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    monkeypatch.setattr(firmware, "has_sandbox", lambda qemu: False)
    assert flashed(compiled_stub.write(tmp_path / "c"), "--board", "mps2-an386") == 0
