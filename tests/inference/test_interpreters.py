"""Every interpreter gives the same bytes, refuses what does not fit, and TFLite-Micro's arena is what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.reader import Model, Op, Tensor, read_model
from converters.tflite.writer import pack, unpack
from sqz_tf.base.quiet import quiet_stderr
from sqz_tf.inference import interpreters, worker
from sqz_tf.inference.interpreters import InterpreterError, Unavailable, arena_bytes, run, scratch_margin, why_not
from sqz_tf.parity.layers import layer_outputs
from tests.helpers import colour_network
from tests.helpers.needs import ROOT, require

EQUAL = ("tflite-runtime", "tflm")


def needed(runtime: str) -> str:
    reason = why_not(runtime)
    require(reason is None, f"{runtime}: {reason}")
    return runtime


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return (colour_network.pictures(2, 5)[0] ^ 0x80).view(np.int8)


@pytest.fixture(scope="module")
def reference(pixels: np.ndarray) -> interpreters.Result:
    return run(colour_network.net().int8_model, pixels, "litert-ref", all_tensors=True, tensor_images=3)


@pytest.mark.parametrize("runtime", EQUAL)
def test_every_tensor_is_byte_equal_to_the_reference(runtime, pixels, reference):
    result = run(colour_network.net().int8_model, pixels, needed(runtime), all_tensors=True, tensor_images=3)
    assert result.outputs.dtype == np.int8
    np.testing.assert_array_equal(result.outputs, reference.outputs)
    assert list(result.tensors) == list(reference.tensors)
    for index, values in reference.tensors.items():
        np.testing.assert_array_equal(result.tensors[index], values)


def test_the_compiled_c_makes_the_same_bytes_in_every_layer_it_makes_whole(pixels, reference):
    result = run(colour_network.net().int8_model, pixels, needed("compiled-c"), all_tensors=True, tensor_images=3)
    assert result.outputs.dtype == np.int8
    np.testing.assert_array_equal(result.outputs, reference.outputs)
    made = [name for name, index in layer_outputs(colour_network.net().int8_model).items() if index in result.tensors]
    assert {"conv1", "fire2_squeeze1x1", "fire2_expand3x3", "fire2_concat", "softmax"} <= {*made}
    for index, values in result.tensors.items():
        np.testing.assert_array_equal(values, reference.tensors[index])


def test_the_compiled_c_needs_a_compiler_and_an_int8_model(monkeypatch, pixels):
    with pytest.raises(InterpreterError, match="not int8 at its edges"):
        run(colour_network.net().uint8_model, (pixels.view(np.uint8) ^ 0x80), needed("compiled-c"))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(Unavailable, match="no C compiler"):
        run(colour_network.net().int8_model, pixels, "compiled-c")


def test_the_fast_kernels_are_byte_equal_up_to_the_first_layer_without_relu(pixels, reference):
    result = run(colour_network.net().int8_model, pixels, "litert-builtin", all_tensors=True, tensor_images=3)
    for name, index in layer_outputs(colour_network.net().int8_model).items():
        difference = np.abs(result.tensors[index].astype(int) - reference.tensors[index])
        assert difference.max() <= (1 if name in ("conv10", "pool10", "softmax") else 0), name


def test_all_tensors_are_the_ops_outputs_of_the_first_images(reference, pixels):
    graph = read_model(colour_network.net().int8_model)
    assert list(reference.tensors) == [op.outputs[0] for op in graph.ops]
    assert {len(values) for values in reference.tensors.values()} == {3}
    assert len(reference.outputs) == len(pixels) == 8
    last = reference.tensors[graph.outputs[0]]
    np.testing.assert_array_equal(last, reference.outputs[:3])
    assert len(np.unique(reference.outputs, axis=0)) > 1  # not one picture eight times


def test_xnnpack_gives_outputs_alone(pixels):
    result = run(colour_network.net().int8_model, pixels, "litert-xnnpack", all_tensors=True)
    assert result.outputs.shape == (8, 4)
    assert result.tensors == {}


def test_the_twin_takes_raw_pixels(pixels, reference):
    raw = pixels.view(np.uint8) ^ 0x80
    outputs = run(colour_network.net().uint8_model, raw, "litert-ref").outputs
    np.testing.assert_array_equal(outputs.astype(int) - 128, reference.outputs)


def test_a_float_model_runs(pixels):
    floats = (pixels.view(np.uint8) ^ 0x80).astype(np.float32) / 255
    outputs = run(colour_network.net().float_model, floats, "litert-builtin").outputs
    assert outputs.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :15], r"int8 \[8, 15, 16, 3\].*expected int8 \['N', 16, 16, 3\]"),
        (lambda x: x.view(np.uint8), "uint8"),
        (lambda x: x.astype(np.float32), "float32"),
        (lambda x: x[:0], "no image"),
    ],
)
@pytest.mark.parametrize("runtime", ["litert-ref", "litert-builtin"])
def test_images_that_do_not_fit_are_refused(change, message, runtime, pixels):
    with pytest.raises(InterpreterError, match=message):
        run(colour_network.net().int8_model, change(pixels), runtime)


def test_an_unknown_runtime_and_a_file_that_is_no_model_are_refused(pixels):
    with pytest.raises(InterpreterError, match="litert-ref, tflite-runtime, tflm"):
        run(colour_network.net().int8_model, pixels, "onnx")
    for damaged in (b"", b"hello, world", colour_network.net().int8_model[:900]):
        with pytest.raises(InterpreterError, match="cannot be read"):
            run(damaged, pixels, "litert-builtin")


def test_a_missing_runtime_says_how_to_get_it(monkeypatch, tmp_path, pixels):
    monkeypatch.setenv(interpreters.PYTHON_VARIABLE, str(tmp_path / "python"))
    with pytest.raises(Unavailable, match=r"SQZ_TF_TFLITE_RUNTIME_PYTHON is .*python"):
        run(colour_network.net().int8_model, pixels, "tflite-runtime")
    monkeypatch.delenv(interpreters.PYTHON_VARIABLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert "make tflite-runtime" in str(why_not("tflite-runtime"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "tflite-micro is not installed" in str(why_not("tflm"))


def test_the_environment_beside_the_virtual_one_is_found(monkeypatch, tmp_path):
    python = tmp_path / interpreters.ENVIRONMENT / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.delenv(interpreters.PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert why_not("tflite-runtime") is None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -ABRT $$", "ended by signal 6"),
        ("echo 'the last line' >&2; exit 3", "failed on the model: the last line"),
    ],
)
def test_a_runtime_that_ends_does_not_end_the_caller(script, message, monkeypatch, tmp_path, pixels):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv(interpreters.PYTHON_VARIABLE, str(python))
    with pytest.raises(InterpreterError, match=message):
        run(colour_network.net().int8_model, pixels, "tflite-runtime")


def test_the_worker_imports_no_package_of_ours():
    code = (
        "import sys, importlib.util as u; s = u.spec_from_file_location('w', sys.argv[1]); m = u.module_from_spec(s);"
        "s.loader.exec_module(m); sys.exit(any(n.split('.')[0] in ('sqz_tf', 'converters') for n in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(worker.__file__))], check=True, cwd="/", env=_bare())


def _bare() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


# TFLite-Micro's arena ----------------------------------------------------------------------------------------


def test_the_arena_measured_suffices_and_is_no_larger_than_needed(capfd, pixels):
    needed("tflm")
    model = colour_network.net().int8_model
    use = arena_bytes(model)
    assert use.head + use.tail <= use.measured <= use.total
    assert use.head > 7 * 7 * 8  # conv1's output at least
    outputs = worker.TflmEngine(model, False, use.measured).run(pixels[:1])
    np.testing.assert_array_equal(outputs, run(model, pixels[:1], "litert-ref").outputs)
    with pytest.raises(RuntimeError):
        worker.TflmEngine(model, False, use.measured - 64)


def test_the_total_is_measured_and_margin_in_steps_of_16():
    needed("tflm")
    use = arena_bytes(colour_network.net().int8_model)
    assert use.total % 16 == 0
    assert use.measured + use.margin <= use.total < use.measured + use.margin + 16
    assert use.margin == scratch_margin(colour_network.net().int8_model)


def test_an_arena_that_setting_up_outgrows_is_found_by_bisection(monkeypatch):
    monkeypatch.setattr(worker, "_fits", lambda model, size: size >= 12_345)
    assert 12_345 <= worker.smallest_arena(b"", 5_000) < 12_345 + 16
    assert worker.smallest_arena(b"", 20_000) == 20_000


def test_scratch_is_the_largest_ops():
    # expand3x3 is the largest: 4 * round_up(3 * 3 * 4, 16) = 192 bytes; 9 ops of 16 bytes.
    assert scratch_margin(colour_network.net().int8_model) == 192 + 9 * 16


def test_scratch_of_each_kind_of_op(monkeypatch):
    tensor, op = Tensor, Op

    def margin(name: str, source: tuple[int, ...], weights: tuple[int, ...] = ()) -> int:
        tensors = (tensor(0, "in", source, "int8"), tensor(1, "weights", weights, "int8"))
        graph = Model(tensors, (op(0, name, (0, 1), (0,), {}),), (0,), (0,), (name,))
        monkeypatch.setattr(interpreters, "_read", lambda model: graph)
        return scratch_margin(b"") - 16

    assert margin("CONV_2D", (1, 9, 9, 3), (8, 7, 7, 3)) == 4 * 160  # 147 rounded up to 16
    assert margin("CONV_2D", (1, 9, 9, 64), (8, 1, 1, 64)) == 4 * 64
    assert margin("DEPTHWISE_CONV_2D", (1, 9, 9, 300), (1, 5, 5, 300)) == 25 * 600
    assert margin("DEPTHWISE_CONV_2D", (1, 9, 9, 8), (1, 3, 3, 8)) == 9 * 496
    assert margin("AVERAGE_POOL_2D", (1, 9, 9, 24)) == 96
    assert margin("FULLY_CONNECTED", (1, 24), (10, 24)) == 40
    assert margin("MAX_POOL_2D", (1, 9, 9, 24)) == 0


def test_a_model_tflm_cannot_run_is_an_error():
    needed("tflm")
    model = unpack(colour_network.net().int8_model)
    for code in model.operatorCodes:
        code.builtinCode = schema.BuiltinOperator.WHERE
    with pytest.raises(InterpreterError, match="tflm"):
        arena_bytes(pack(model))


def test_native_notes_are_held_back_and_shown_on_failure(capfd):
    with quiet_stderr():
        os.write(2, b"native note\n")
    assert capfd.readouterr().err == ""

    def fail() -> None:
        with quiet_stderr():
            os.write(2, b"native note\n")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert capfd.readouterr().err == "native note\n"


def test_a_fresh_process_prints_nothing(tmp_path):
    (tmp_path / "model.tflite").write_bytes(colour_network.net().int8_model)
    code = (
        "import pathlib, sys, numpy as np; from sqz_tf.inference import interpreters;"
        "model = pathlib.Path(sys.argv[1]).read_bytes();"
        "interpreters.run(model, np.zeros((1, 16, 16, 3), np.int8), 'litert-xnnpack')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout + done.stderr == ""


def test_scratch_of_weights_that_do_not_fit_is_an_error_of_ours(monkeypatch):
    tensors = (Tensor(0, "in", (1, 4), "int8"), Tensor(1, "weights", (4,), "int8"))
    graph = Model(tensors, (Op(0, "FULLY_CONNECTED", (0, 1), (0,), {}),), (0,), (0,), ("FULLY_CONNECTED",))
    monkeypatch.setattr(interpreters, "_read", lambda model: graph)
    with pytest.raises(InterpreterError, match="the scratch of the model's kernels cannot be told: "):
        scratch_margin(b"")
