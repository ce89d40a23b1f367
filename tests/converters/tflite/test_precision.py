"""In which numbers a `.tflite` computes, and how one that is not int8 is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.tflite.model import Model, Op, Tensor
from converters.tflite.precision import INT8, KINDS, MIXED, precision
from converters.tflite.reader import read_model
from sqz_tf import classify, evaluate, fit, pack
from sqz_tf import compile as compile_command
from sqz_tf.inference import model_file
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.model_file import TO_INT8, ModelError, NotInt8Error, require_int8
from tests.helpers.int8_networks import Net
from tests.helpers.needs import dev_data


def network(*layers: tuple[str, str], stored: bool = False) -> Model:
    """Return convolutions in a row, each of two dtypes: of what it takes and its weights, dequantized if `stored`."""
    tensors, ops = [Tensor(0, "in", (1, 4, 4, 1), layers[0][0])], list[Op]()

    def add(dtype: str) -> int:
        tensors.append(Tensor(len(tensors), f"t{len(tensors)}", (1, 4, 4, 1), dtype))
        return len(tensors) - 1

    last = 0
    for number, (_, weights) in enumerate(layers):
        kernel = add(weights)
        if stored:
            floats = add("float32")
            ops.append(Op(len(ops), "DEQUANTIZE", (kernel,), (floats,), {}))
            kernel = floats
        after = add(layers[number + 1][0] if number + 1 < len(layers) else layers[-1][0])
        ops.append(Op(len(ops), "CONV_2D", (last, kernel), (after,), {}))
        last = after
    return Model(tuple(tensors), tuple(ops), (0,), (last,), ("CONV_2D",))


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (network(("int8", "int8"), ("int8", "int8")), INT8),
        (network(("float32", "float32")), "float32"),
        (network(("float32", "float16"), stored=True), "float16"),
        (network(("float32", "float16")), "float16"),
        (network(("float32", "int8"), ("float32", "int8")), "dynamic-range"),
        (network(("float32", "int8"), stored=True), "dynamic-range"),
        (network(("float32", "int8"), ("float32", "float32")), "dynamic-range"),
        (network(("int16", "int8")), "16x8"),
        (network(("uint8", "uint8")), "uint8"),
        (network(("int8", "int8"), ("float32", "float32")), MIXED),
        (network(("int8", "int4")), MIXED),
        (Model((Tensor(0, "in", (1, 4), "float32"),), (), (0,), (0,), ()), "float32"),
        (Model((), (), (), (), ()), MIXED),
    ],
)
def test_the_kind_is_told_by_the_layers(model: Model, kind: str) -> None:
    assert precision(model) == kind


def converted(kind: str) -> bytes:
    """Return a small network as TensorFlow's converter writes it."""
    from sqz_tf.train.keras import keras, make_deterministic, tf

    make_deterministic(1)
    layers = [keras.layers.Input((16, 16, 3)), keras.layers.Conv2D(48, 5, activation="relu")]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)])
    images = np.random.default_rng(0).uniform(0, 1, (8, 16, 16, 3)).astype(np.float32)
    known: dict[str, Any] = {"tf": tf, "model": model, "images": images}
    if kind == INT8:
        exec("\n".join(TO_INT8), known)
        return bytes(known["int8"])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "16x8":
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [ops]
        converter.inference_input_type = converter.inference_output_type = tf.int16
    return bytes(converter.convert())


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "uint8"])
def test_what_tensorflow_writes_is_refused_with_what_to_do(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.tflite").write_bytes(converted(kind))
    capsys.readouterr()
    for command in (compile_command.main, fit.main):
        options = ["--out", "c"] if command is compile_command.main else ["--no-tflm"]
        assert command(["m.tflite", *options]) == 1
        first, *lines = capsys.readouterr().err.splitlines()
        assert first.startswith(f"error: m.tflite is a {kind} model: {KINDS[kind]}; expected an int8 one")
        assert [line.strip() for line in lines] == list(TO_INT8)
    with pytest.raises(ModelError, match=f"m.tflite, a {kind} model, carries no labels.txt"):
        Classifier("m.tflite")
    assert pack.main(["m.tflite", "--out", "m.sqz"]) == 0
    assert f"note: m.tflite is a {kind} model" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_the_three_lines_that_are_told_make_what_can_be_compiled(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(converted(INT8))
    assert precision(read_model((tmp_path / "m.tflite").read_bytes())) == INT8
    assert compile_command.main([str(tmp_path / "m.tflite"), "--out", str(tmp_path / "c"), "--quiet"]) == 0


@pytest.mark.parametrize(("name", "kind"), [("float16", "float16"), ("dynamic_range", "dynamic-range")])
def test_files_of_others_are_told_by_kind(name: str, kind: str) -> None:
    path = dev_data("cases") / f"{name}.tflite"
    with pytest.raises(NotInt8Error, match=f"is a {kind} model"):
        require_int8(path, path.read_bytes())


def test_the_int8_model_of_an_export_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net()
    (tmp_path / "model_int8.tflite").write_bytes(net.bytes(net.softmax(net.conv(net.input(4, 4, 1), 3, (4, 4)))))
    require_int8(tmp_path / "model_int8.tflite", (tmp_path / "model_int8.tflite").read_bytes())
    require_int8(tmp_path / "damaged.tflite", b"nothing")
    monkeypatch.setattr(model_file, "_other_kind", lambda content: "float32")
    with pytest.raises(NotInt8Error) as refused:
        require_int8(tmp_path / "model_f32.tflite", b"")
    assert str(refused.value).endswith(f"give {tmp_path / 'model_int8.tflite'}")
    assert refused.value.lines == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.keras", "is a Keras model; expected a .tflite or .sqz; convert it with TensorFlow"),
        ("model.h5", "is a Keras model"),
        (
            "model.onnx",
            "holds weights of another framework; expected a .tflite or .sqz; python -m sqz_tf.export --weights",
        ),
        ("model.pth", "holds weights of another framework"),
        ("folder", "folder is a folder; expected a .tflite or .sqz; give "),
    ],
)
@pytest.mark.parametrize("command", [compile_command, fit, pack, classify, evaluate], ids=lambda each: each.__name__)
def test_what_is_no_tflite_is_called_what_it_is(
    name: str, words: str, command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
        (tmp_path / name / "model_int8.tflite").write_bytes(b"")
    else:
        (tmp_path / name).write_bytes(b"PK\x03\x04 something")
    more = {compile_command: ["--out", "c"], pack: ["--out", "m.sqz"], classify: ["a.png"], evaluate: ["pictures"]}
    if name == "folder" and command is pack:
        return  # an export's folder
    assert command.main([str(tmp_path / name), *more.get(command, [])]) == 1
    assert words in capsys.readouterr().err
