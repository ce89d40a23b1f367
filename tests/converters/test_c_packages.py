"""Each package holds the compiled files word for word, in the form its build system reads, and its example runs."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from converters import c_packages
from converters.c_packages import KINDS, package
from converters.compiler import compile_model
from tests.helpers import keras_models as tiny
from tests.helpers.needs import require

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SYSTEMS = [kind for kind in KINDS if kind != "plain"]

# A model small enough to see through: the scores are the first bytes of the last row.
HEADER = """#ifndef TINY_H
#define TINY_H
#include "sqz.h"
#define TINY_ARENA_BYTES 64u
#define TINY_ARENA_ALIGN 16
#define TINY_INPUT_HEIGHT 4
#define TINY_INPUT_BYTES 48u
#define TINY_OUTPUT_BYTES 5u
#ifdef __cplusplus
extern "C" {
#endif
sqz_status tiny_begin(void *arena, size_t arena_bytes);
sqz_status tiny_push_row(void *arena, const int8_t *row);
sqz_status tiny_finish(void *arena, int8_t *output);
#ifdef __cplusplus
}
#endif
#endif
"""
SOURCE = """#include "tiny.h"
#include "tiny_tables.h"
#include <string.h>
sqz_status tiny_begin(void *arena, size_t arena_bytes) {
    memset(arena, 0, TINY_ARENA_BYTES);
    return arena_bytes < TINY_ARENA_BYTES ? SQZ_ERROR_ARENA : SQZ_OK;
}
sqz_status tiny_push_row(void *arena, const int8_t *row) {
    memcpy(arena, row, TINY_OUTPUT_BYTES);
    return ++((char *)arena)[63] > TINY_INPUT_HEIGHT ? SQZ_ERROR_STATE : SQZ_OK;
}
sqz_status tiny_finish(void *arena, int8_t *output) {
    memcpy(output, arena, TINY_OUTPUT_BYTES);
    output[tiny_best] = 100;
    return ((char *)arena)[63] == TINY_INPUT_HEIGHT ? SQZ_OK : SQZ_ERROR_STATE;
}
"""
STATUS = "typedef enum sqz_status { SQZ_OK = 0, SQZ_ERROR_ARENA = -3, SQZ_ERROR_STATE = -4 } sqz_status;"
FILES = {
    "tiny.h": HEADER,
    "tiny.c": SOURCE,
    "tiny_weights.c": '#include "tiny_tables.h"\nconst int tiny_best = 3;\n',
    "tiny_tables.h": "extern const int tiny_best;\n",
    "sqz.h": f"#ifndef SQZ_H\n#define SQZ_H\n#include <stddef.h>\n#include <stdint.h>\n{STATUS}\n#endif\n",
    "LICENSE": "Apache-2.0\n",
}
ANSWER = "class 3, score 100"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def made(kind: str) -> dict[str, str]:
    return package(FILES, "tiny", kind, version="2.1.0", description='Tells "cats"\nfrom dogs.')


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# What is in them.


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_files_are_carried_word_for_word(kind: str) -> None:
    files = made(kind)
    assert files == made(kind), "the same files give the same package"
    for name, text in FILES.items():
        assert [other for path, other in files.items() if path.split("/")[-1] == name] == [text]
    if kind == "plain":
        assert files == FILES
    else:
        assert "Not run:" in files["README.md"]
        assert not re.search(r"\b(NAME|MACRO_|ENTRY|END)\b", "".join(files.values())), "a place was not filled in"


@pytest.mark.parametrize("kind", ["esp-idf", "zephyr", "cmake"])
def test_every_source_is_listed_once_and_exists(kind: str) -> None:
    files = made(kind)
    cmake = files["zephyr/CMakeLists.txt" if kind == "zephyr" else "CMakeLists.txt"]
    assert sorted(re.findall(r"src/([\w.]+\.c)\b", cmake)) == sorted(name for name in FILES if name.endswith(".c"))


def test_an_arduino_library_has_the_fields_its_specification_asks_for() -> None:
    fields = dict(line.split("=", 1) for line in made("arduino")["library.properties"].splitlines())
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert required <= set(fields)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\- ]{0,62}", fields["name"])
    assert (fields["version"], fields["includes"]) == ("2.1.0", "tiny.h")
    assert fields["sentence"] == 'Tells "cats" from dogs.', "one line, or the next field is lost"
    assert fields["category"] in {"Data Processing", "Sensors", "Other"}


def test_a_sketch_is_called_like_its_folder() -> None:
    for kind in ("arduino", "platformio"):
        sketches = [path.split("/") for path in made(kind) if path.endswith(".ino")]
        assert sketches
        assert all(path[-1] == f"{path[-2]}.ino" for path in sketches)


def test_platformios_manifest_names_what_is_there() -> None:
    files = made("platformio")
    manifest = json.loads(files["library.json"])
    assert (manifest["name"], manifest["version"]) == ("tiny", "2.1.0")
    assert f"{manifest['build']['srcDir']}/{manifest['headers']}" in files
    for example in manifest["examples"]:
        assert all(f"{example['base']}/{name}" in files for name in example["files"])


def test_the_yaml_files_say_what_their_readers_ask_for() -> None:
    require(importlib.util.find_spec("yaml"), "PyYAML is not installed")
    yaml = importlib.import_module("yaml")
    component = yaml.safe_load(made("esp-idf")["idf_component.yml"])
    assert component["version"] == "2.1.0"
    assert component["description"] == 'Tells "cats" from dogs.'
    assert component["dependencies"]["idf"].startswith(">=")
    files = made("zephyr")
    module = yaml.safe_load(files["zephyr/module.yml"])
    assert module["name"] == "tiny"
    assert f"{module['build']['cmake']}/CMakeLists.txt" in files
    assert module["build"]["kconfig"] in files


def test_the_zephyr_symbol_is_the_same_everywhere() -> None:
    files = made("zephyr")
    assert "config SQZ_MODEL_TINY" in files["zephyr/Kconfig"]
    for path in ("zephyr/CMakeLists.txt", "samples/classify/prj.conf"):
        assert "CONFIG_SQZ_MODEL_TINY" in files[path]


# What they do.


def test_the_cmake_targets_build_and_the_example_runs(tmp_path: Path) -> None:
    require(shutil.which("cmake") and shutil.which("gcc"), "cmake and gcc are not installed")
    write(tmp_path / "tiny", made("cmake"))
    flags = " ".join(WARNINGS)
    run(["cmake", "-S", "tiny", "-B", "build", f"-DCMAKE_C_FLAGS={flags}"], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    assert run([str(tmp_path / "build" / "classify")], tmp_path).strip() == ANSWER


def test_both_cmake_targets_serve_a_program_of_ones_own(tmp_path: Path) -> None:
    require(shutil.which("cmake") and shutil.which("gcc"), "cmake and gcc are not installed")
    write(tmp_path / "tiny", made("cmake"))
    project = ["cmake_minimum_required(VERSION 3.13)", "project(app C)", "add_subdirectory(tiny)"]
    for target in ("tiny", "tiny_sources"):
        project += [f"add_executable(with_{target} tiny/examples/classify.c)"]
        project += [f"target_link_libraries(with_{target} PRIVATE sqz::{target})"]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(project))
    run(["cmake", "-S", ".", "-B", "build"], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    for target in ("tiny", "tiny_sources"):
        assert run([f"./build/with_{target}"], tmp_path).strip() == ANSWER


@pytest.mark.parametrize(
    ("kind", "example", "main"),
    [
        ("zephyr", "samples/classify/src/main.c", ""),
        ("esp-idf", "examples/classify/main/main.c", "void app_main(void); int main(void) { app_main(); }"),
    ],
)
def test_the_c_examples_run_on_a_host(kind: str, example: str, main: str, tmp_path: Path) -> None:
    require(shutil.which("gcc"), "gcc is not installed")
    write(tmp_path, {**made(kind), "host.c": main or "extern int nothing;"})
    sources = [path for path in made(kind) if path.startswith("src/") and path.endswith(".c")]
    run(["gcc", "-std=c11", *WARNINGS, "-Isrc", example, "host.c", *sources, "-o", "classify"], tmp_path)
    assert run(["./classify"], tmp_path).strip() == ANSWER


ARDUINO_H = """#pragma once
#include <stdint.h>
#include <stdio.h>
struct Printer {
  void begin(unsigned long) {}
  void print(const char *text) { printf("%s", text); }
  void print(int value) { printf("%d", value); }
  void println(int value) { printf("%d\\n", value); }
  void println(unsigned long value) { printf("%lu\\n", value); }
};
static Printer Serial;
static unsigned long clock_now;
static unsigned long millis() { return clock_now += 7; }
static void delay(unsigned long) {}
void setup();
void loop();
"""


@pytest.mark.parametrize("kind", ["arduino", "platformio"])
def test_the_sketch_runs_with_a_stand_in_for_arduino(kind: str, tmp_path: Path) -> None:
    require(shutil.which("gcc") and shutil.which("g++"), "gcc and g++ are not installed")
    write(tmp_path, {**made(kind), "Arduino.h": ARDUINO_H})
    sketch = '#include "Arduino.h"\n#include "examples/Classify/Classify.ino"\nint main() { setup(); loop(); }\n'
    (tmp_path / "sketch.cc").write_text(sketch)
    run(["gcc", "-std=gnu11", "-c", "-Isrc", "src/tiny.c", "src/tiny_weights.c"], tmp_path)
    run(["g++", "-std=gnu++11", *WARNINGS, "-Isrc", "sketch.cc", "tiny.o", "tiny_weights.o", "-o", "sketch"], tmp_path)
    assert run(["./sketch"], tmp_path).strip() == f"{ANSWER}, milliseconds 7"


def test_a_compiled_network_answers_as_tflite_does(tmp_path: Path) -> None:
    require(shutil.which("cmake") and shutil.which("gcc"), "cmake and gcc are not installed")
    data = tiny.int8_model()
    write(tmp_path / "net", package(compile_model(data, "net"), "net", "cmake"))
    run(["cmake", "-S", "net", "-B", "build"], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    row, column = np.arange(tiny.SIZE)[:, None], np.arange(tiny.SIZE * 3)[None, :]
    pattern = ((7 * column + 13 * row) % 256).astype(np.uint8).reshape(1, *tiny.INPUT[1:])
    (scores,) = tiny.run(data, tiny.as_int8(pattern))
    best = int(np.argmax(scores))
    assert run(["./build/classify"], tmp_path).strip() == f"class {best}, score {scores[best]}"


# What is refused.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "mbed"}, "the package is 'mbed'; expected one of plain, arduino"),
        ({"version": "1.0"}, "version is '1.0'; expected three numbers"),
        ({"name": "other"}, "other.h is not among the files"),
        ({"name": "int"}, "cannot be a name in C"),
        ({"files": {**FILES, "../up.c": ""}}, "'../up.c' is no plain file name"),
    ],
)
def test_what_cannot_be_packed_is_refused(changes: dict, message: str) -> None:
    values = {"files": FILES, "name": "tiny", "kind": "cmake", **changes}
    with pytest.raises(ValueError, match=re.escape(message)):
        package(**values)


def test_each_kind_has_a_maker() -> None:
    assert set(c_packages._MAKERS) == set(KINDS)
    assert all(made(kind) != made("plain") for kind in SYSTEMS)
