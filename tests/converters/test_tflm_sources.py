"""The generated C compiles clean, holds the model's very bytes, and fails to compile when it is not whole."""

from __future__ import annotations

import doctest
import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import c_text as c
from converters.tflite.edit import pack, unpack
from converters.tflite.reader import read_model
from converters.tflite.writer import for_microcontroller, to_uint8_twin
from converters.tflm_decode.encodings import encodings
from converters.tflm_decode.writer import insert
from converters.tflm_sources import _METHODS, tflm_files
from tests.helpers import keras_models as tiny
from tests.helpers.needs import require

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
LABELS = ("plain", 'say "cheese"', "back\\slash ??/ ??)", "crème brûlée 7", "crane")
SETTINGS: dict[str, Any] = {
    "arena_bytes": 23_456,
    "arena_measured_bytes": 20_000,
    "preprocess": {"width": 12, "fit": "centre-crop", "scale": 1 / 255, "mean": [0.0, 0.0, 0.0], "mirror": True},
}
PROVENANCE = {"tools": "sqz-tf 0.1.0, TensorFlow 2.21.0", "model": "tiny */ int x; /* ??/\n.tflite"}


def model() -> bytes:
    """Return the model that is embedded."""
    return for_microcontroller(tiny.int8_model())


def files(data: bytes | None = None, **changes: Any) -> dict[str, str]:
    """Return the generated files."""
    values: dict[str, Any] = {"labels": LABELS, "settings": SETTINGS, "provenance": PROVENANCE, **changes}
    return tflm_files(model() if data is None else data, **values)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files into a folder."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


def compiler(source: str) -> list[str]:
    """Return the command that compiles a C or C++ source with every warning an error."""
    name, standard = ("gcc", "c11") if source.endswith(".c") else ("g++", "c++17")
    require(shutil.which(name), f"{name} is not installed")
    return [name, f"-std={standard}", *WARNINGS, "-I."]


def compile_(folder: Path, source: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Compile a source to an object file."""
    command = [*compiler(source), *more, "-c", source, "-o", f"{source}.o"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


# What is generated.


def test_the_same_model_gives_the_same_files() -> None:
    assert files() == files()
    assert set(files()) == {"model_data.h", "model_data.cc", "op_resolver.h", "settings.h"}


def test_every_file_says_what_it_was_made_from() -> None:
    digest = hashlib.sha256(model()).hexdigest()
    for text in files().values():
        top = text[: text.index("*/")]
        assert "Do not edit" in top
        assert f"sha256  {digest}" in top
        assert f"bytes   {len(model())}" in top
        assert "int8 [1, 12, 12, 3] NHWC, real = (q - (-128)) * 0.003921569, each byte is pixel ^ 0x80" in top
        assert "sqz-tf 0.1.0, TensorFlow 2.21.0" in top
        assert "tiny * / int x; / * ? ?/ .tflite" in top, "what would end the comment is made harmless"


def test_there_are_twelve_bytes_a_line() -> None:
    rows = re.findall(r"^    ((?:0x[0-9a-f]{2}, ?)+) /\* 0x([0-9a-f]{6}) \*/$", files()["model_data.cc"], re.MULTILINE)
    assert bytes(int(byte, 16) for row, _ in rows for byte in row.replace(" ", "").split(",") if byte) == model()
    assert {len(row.split()) for row, _ in rows[:-1]} == {12}
    assert [int(offset, 16) for _, offset in rows] == list(range(0, len(model()), 12))


# Compiling and running it.

PRINT_ALL = r"""
#include <stdio.h>
#include "model_data.h"
#include "settings.h"

int main(void) {
  uint32_t sum = 5381;
  for (uint32_t i = 0; i < SQZ_MODEL_DATA_BYTES; ++i) sum = sum * 33u + sqz_model_data[i];
  printf("%u %u %u\n", SQZ_MODEL_DATA_BYTES, (unsigned)sum, (unsigned)((uintptr_t)sqz_model_data % 16u));
  printf("%u %u ", SQZ_ARENA_BYTES, SQZ_ARENA_MEASURED_BYTES);
  printf("%s %s\n", SQZ_PREPROCESS_FIT, SQZ_PREPROCESS_MIRROR ? "yes" : "no");
  printf("%d %d %d %u %u\n", SQZ_INPUT_HEIGHT, SQZ_INPUT_WIDTH, SQZ_INPUT_CHANNELS, SQZ_INPUT_BYTES, SQZ_OUTPUT_BYTES);
  printf("%a %d ", (double)SQZ_INPUT_SCALE, SQZ_INPUT_ZERO_POINT);
  printf("%a %d\n", (double)SQZ_OUTPUT_SCALE, SQZ_OUTPUT_ZERO_POINT);
  for (int pixel = 0; pixel < 256; ++pixel) {
    int8_t byte = SQZ_INPUT_FROM_PIXEL(pixel);
    if ((uint8_t)byte != (pixel ^ 0x80)) return 1;
  }
  for (int i = 0; i < SQZ_CLASS_COUNT; ++i) printf("%s\n", sqz_labels[i]);
  return 0;
}
"""


@pytest.mark.parametrize("main", ["main.c", "main.cc"])
def test_a_program_sees_the_bytes_and_settings(tmp_path: Path, main: str) -> None:
    write(tmp_path, {**files(), main: PRINT_ALL})
    for source in ("model_data.cc", main):
        result = compile_(tmp_path, source)
        assert result.returncode == 0, result.stderr
    subprocess.run(["g++", "model_data.cc.o", f"{main}.o", "-o", "program"], cwd=tmp_path, check=True)
    output = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, check=True).stdout.decode().splitlines()
    checksum = 5381
    for byte in model():
        checksum = (checksum * 33 + byte) & 0xFFFFFFFF
    assert output[0] == f"{len(model())} {checksum} 0"
    assert output[1] == "23456 20000 centre-crop yes"
    assert output[2] == f"12 12 3 {12 * 12 * 3} {tiny.CLASSES}"
    (image,), (scores,) = read_model(model()).input_tensors(), read_model(model()).output_tensors()
    scale, zero_point, output_scale, output_zero_point = output[3].split()
    assert (float.fromhex(scale), int(zero_point)) == (image.scale[0], image.zero_point[0])
    assert (float.fromhex(output_scale), int(output_zero_point)) == (scores.scale[0], scores.zero_point[0])
    assert output[4:] == list(LABELS)


@pytest.mark.parametrize("header", ["model_data.h", "settings.h"])
@pytest.mark.parametrize("source", ["twice.c", "twice.cc"])
def test_each_header_stands_alone_and_can_be_included_twice(tmp_path: Path, header: str, source: str) -> None:
    include = f'#include "{header}"\n'
    write(tmp_path, {**files(), source: include * 2 + "extern int nothing;\n"})
    result = compile_(tmp_path, source)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"    0x[^\n]*\n\};", "};", "the model is truncated"),
        (r", 0x[0-9a-f]{2}, /\*", ", /*", "the model is truncated"),
        (r"\Z", "/* whole */\n", None),
    ],
)
def test_a_truncated_model_does_not_compile(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    texts = files()
    texts["model_data.cc"] = re.sub(old, new, texts["model_data.cc"], count=1)
    write(tmp_path, texts)
    result = compile_(tmp_path, "model_data.cc")
    assert (result.returncode != 0) == (message is not None)
    assert (message or "") in result.stderr


def test_a_missing_label_does_not_compile(tmp_path: Path) -> None:
    texts = files()
    texts["settings.h"] = texts["settings.h"].replace('    "crane", /* 4 */\n', "")
    write(tmp_path, texts)
    result = compile_(tmp_path, "model_data.cc")
    assert result.returncode != 0
    assert "one label for each class" in result.stderr


# The operators. TFLite-Micro's sources are not at hand: this stub declares the part of
# micro_mutable_op_resolver.h that is used, counts what is registered, and can be told to fail.
RESOLVER_STUB = """
#pragma once
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
namespace tflite {
struct TFLMRegistration { const char *kernel; };
inline TFLMRegistration Register_ADD_INT8() { return {"ADD_INT8"}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D_INT8() { return {"AVERAGE_POOL_2D_INT8"}; }
inline TFLMRegistration Register_CONV_2D_INT8() { return {"CONV_2D_INT8"}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D_INT8() { return {"DEPTHWISE_CONV_2D_INT8"}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {"FULLY_CONNECTED_INT8"}; }
inline TFLMRegistration Register_MAX_POOL_2D_INT8() { return {"MAX_POOL_2D_INT8"}; }
inline TFLMRegistration Register_SOFTMAX_INT8() { return {"SOFTMAX_INT8"}; }
template <unsigned int tOpCount>
class MicroMutableOpResolver {
 public:
  explicit MicroMutableOpResolver(int fail_at = -1) : fail_at_(fail_at) {}
METHODS
  const char *names[tOpCount] = {};
  const char *kernels[tOpCount] = {};
  unsigned int count = 0;
 private:
  TfLiteStatus Add(const char *name, const char *kernel) {
    if (count >= tOpCount || calls_++ == fail_at_) return kTfLiteError;
    names[count] = name;
    kernels[count] = kernel;
    ++count;
    return kTfLiteOk;
  }
  int calls_ = 0, fail_at_;
};
}  // namespace tflite
"""

RESOLVER_MAIN = """
#include <cstdio>
#include "op_resolver.h"
int main() {
  sqz::OpResolver resolver;
  if (sqz::RegisterOps(resolver) != kTfLiteOk) return 1;
  for (unsigned int i = 0; i < resolver.count; ++i) std::printf("%s %s\\n", resolver.names[i], resolver.kernels[i]);
  for (unsigned int i = 0; i < resolver.count; ++i) {
    sqz::OpResolver failing(static_cast<int>(i));
    if (sqz::RegisterOps(failing) != kTfLiteError || failing.count != i) return 2;
  }
  return 0;
}
"""
STUB = "tensorflow/lite/micro/micro_mutable_op_resolver.h"


def registered(folder: Path, data: bytes, labels: tuple[str, ...] = LABELS) -> dict[str, str]:
    """Return what the generated header registers, in order: method → kernel."""
    methods = "\n".join(
        f'  TfLiteStatus {method}(TFLMRegistration r = {{"any"}}) {{ return Add("{method}", r.kernel); }}'
        for method, _ in _METHODS.values()
    )
    stub = RESOLVER_STUB.replace("METHODS", methods)
    write(folder, {**files(data, labels=labels), STUB: stub, "ops.cc": RESOLVER_MAIN})
    result = compile_(folder, "ops.cc")
    assert result.returncode == 0, result.stderr
    subprocess.run(["g++", "ops.cc.o", "-o", "ops"], cwd=folder, check=True)
    output = subprocess.run(["./ops"], cwd=folder, capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in output.splitlines())


def test_exactly_the_models_operators_are_registered(tmp_path: Path) -> None:
    assert registered(tmp_path, model()) == {
        "AddConv2D": "CONV_2D_INT8",
        "AddMaxPool2D": "MAX_POOL_2D_INT8",
        "AddConcatenation": "any",
        "AddAdd": "ADD_INT8",
        "AddPad": "any",
        "AddMean": "any",
        "AddSoftmax": "SOFTMAX_INT8",
    }
    header = files()["op_resolver.h"]
    assert f"MicroMutableOpResolver<{len(read_model(model()).op_names)}>" in header


def test_an_operator_that_also_meets_other_types_gets_the_general_kernel(tmp_path: Path) -> None:
    editable = unpack(tiny.int8_model())
    graph = editable.subgraphs[0]
    conv = graph.operators[0]
    graph.tensors[conv.outputs[0]].type = 7  # int16
    kernels = registered(tmp_path, pack(editable))
    assert (kernels["AddConv2D"], kernels["AddMaxPool2D"], kernels["AddSoftmax"]) == ("any", "any", "SOFTMAX_INT8")


def test_a_model_with_compressed_weights_registers_the_operator_that_restores_them(tmp_path: Path) -> None:
    tensor = read_model(model()).tensors[read_model(model()).ops[0].inputs[1]]
    held = insert(model(), {tensor.index: encodings(tensor)[0]})
    assert registered(tmp_path, held) == {"AddDecode": "any", **registered(tmp_path, model())}


def test_the_registrations_exist_for_every_operator_we_know() -> None:
    for name, (method, kernel) in _METHODS.items():
        assert method == "Add" + name.removeprefix("CUSTOM:TFLM_").title().replace("_", "").replace("2D", "2D").replace(
            "Padv2", "PadV2"
        )
        assert kernel in (None, f"Register_{name}_INT8")


# Bad input.


def test_an_operator_without_registration_is_named() -> None:
    editable = unpack(tiny.int8_model())
    code = next(code for code in editable.operatorCodes if code.builtinCode == 34)  # PAD
    code.builtinCode, code.deprecatedBuiltinCode = 100, 100  # MIRROR_PAD
    with pytest.raises(ValueError, match="operator MIRROR_PAD has no registration"):
        files(pack(editable))


def _input_scale(scale: float, zero_point: int = -128) -> bytes:
    editable = unpack(tiny.int8_model())
    graph = editable.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    quantization.scale, quantization.zeroPoint = np.array([scale], np.float32), np.array([zero_point])
    return pack(editable)


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (tiny.float_model, {}, "'input' is float32; expected int8"),
        (lambda: to_uint8_twin(tiny.int8_model()), {}, "'input' is uint8; expected int8"),
        (model, {"labels": LABELS[:-1]}, "4 labels for 5 outputs"),
        (model, {"labels": (*LABELS[:-1], "a\0b")}, "NUL"),
        (model, {"settings": {"arena_bytes": 0}}, "arena_bytes is 0"),
        (model, {"prefix": "2fast"}, "'2fast' cannot be a name in C"),
        (model, {"prefix": "class"}, "'class' cannot be a name in C"),
        (model, {"settings": {"arena_bytes": 1, "preprocess": {"scale": 1.0}}}, "expected 1 and -128, or 1 and 0, so"),
        (lambda: _input_scale(1 / 250), {}, "scale 0.00400000019 .* so that a byte is a pixel"),
        (lambda: _input_scale(1 / 255, 0), {}, "zero point 0; expected 0.00392156863 and -128"),
        (lambda: _input_scale(0.0), {}, "int8 with scale 0 and zero point"),
        (lambda: b"no model at all", {}, "expected a .tflite"),
    ],
)
def test_a_model_or_setting_that_does_not_fit_is_refused(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        files(make(), **changes)


def test_an_arena_that_was_not_measured_is_not_invented() -> None:
    assert "ARENA" not in files(model(), settings={})["settings.h"]
    assert "ARENA_BYTES 23456u" in files(model())["settings.h"]


def test_centred_pixels_are_raw_pixels_whatever_the_float_model_takes() -> None:
    for scale in (1 / 255, 1.0):
        settings = {"arena_bytes": 1, "preprocess": {"scale": scale}}
        header = files(_input_scale(1.0, 0), settings=settings)["settings.h"]
        assert "SQZ_INPUT_SCALE 1.0f" in header
        assert "SQZ_INPUT_ZERO_POINT (0)" in header


def test_a_learned_input_scale_that_still_gives_whole_pixels_is_fine() -> None:
    assert "0.003921444" in files(_input_scale(0.003921444))["settings.h"]


# Text.


def test_the_examples_in_the_text_module_hold() -> None:
    failures, tests = doctest.testmod(c)
    assert (failures, tests > 0) == (0, True)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_a_string_literal_reads_back(text: str) -> None:
    literal = c.string_literal(text)
    assert literal.isascii()
    assert "??" not in literal
    body = literal[1:-1]
    read = re.sub(r'\\([0-7]{3}|["\\?])', lambda m: chr(int(m[1], 8)) if len(m[1]) == 3 else m[1], body)
    assert read.encode("latin-1").decode("utf-8") == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_reads_back(value: float) -> None:
    literal = c.float_literal(value)
    assert re.fullmatch(r"-?\d+(\.\d*)?(e[+-]\d+)?f", literal)
    assert "." in literal or "e" in literal, "1f is not a float in C"
    assert np.float32(literal[:-1]) == np.float32(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_a_number_that_is_no_float32_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite float32"):
        c.float_literal(value)


@pytest.mark.parametrize("name", ["", "a b", "a-b", "1a", "_a", "a__b", "é", "int", "namespace", "constexpr"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name in C"):
        c.identifier(name)
    assert c.identifier("sqz_v1") == "sqz_v1"
