"""Files that are not what a person took them for are called what they are, by every command that is given them."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import foreign, packs
from converters.tflite.parse import IDENTIFIER
from sqz_tf import bench, check, classify, evaluate, export, fit, flash, fpga, pack, unpack
from sqz_tf import compile as compile_command
from sqz_tf.base.errors import SqzError
from sqz_tf.deploy import android
from tests.helpers import echo_models
from tests.helpers.awkward_files import pointer
from tests.helpers.port_files import mxnet_bytes, sequential, torch7_bytes
from tests.helpers.weight_files import TINY, flat, onnx, onnx_bytes, random_tensors, safetensors_bytes

POINTER = pointer(1).encode()


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return out.getvalue()


def array() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


FILES: dict[str, tuple[str, bytes]] = {
    "a pointer": (foreign.POINTER, POINTER),
    "a page": (foreign.PAGE, b"\n\n<!DOCTYPE html>\n<html lang=en>"),
    "an error of a store": (foreign.PAGE, b"<?xml version='1.0'?><Error><Code>AccessDenied"),
    "gzip": (foreign.PACKED, gzip.compress(b"weights")),
    "nothing": (foreign.EMPTY, b""),
    "text": (foreign.TEXT, b"layer { name: 'conv1' }\n"),
    "a picture": (foreign.PICTURE, b"\xff\xd8\xff\xe0\0\x10JFIF"),
    "Keras": (foreign.KERAS, zipped("metadata.json", "config.json", "model.weights.h5")),
    "HDF5": (foreign.HDF5, b"\x89HDF\r\n\x1a\n\0\0"),
    "PyTorch": (foreign.TORCH, zipped("mine/data.pkl", "mine/data/0", "mine/version")),
    "a pickle": (foreign.TORCH, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
    "TorchScript": (foreign.TORCHSCRIPT, zipped("mine/data.pkl", "mine/constants.pkl", "mine/code/a.py")),
    "safetensors": (foreign.SAFETENSORS, safetensors_bytes(flat(random_tensors()))),
    "TFLite": (foreign.TFLITE, b"\x20\0\0\0" + IDENTIFIER + b"\0\0"),
    "a pack": (foreign.SQZ, packs.MAGIC + b"\0"),
    "NumPy": (foreign.NUMPY, array()),
    "NumPy's archive": (foreign.NUMPY_ZIP, zipped("a.npy", "b.npy")),
    "MXNet": (foreign.MXNET, mxnet_bytes({"a_weight": np.zeros((1, 1, 1, 1), np.float32)})),
    "Torch7": (foreign.TORCH7, torch7_bytes(sequential())),
    "a language model": (foreign.GGUF, b"GGUF\x03\0\0\0"),
    "another zip": (foreign.ZIP, zipped("photos/1.jpg")),
    "a damaged zip": ("", b"PK\x03\x04 and no more"),
    "ONNX": ("", onnx_bytes(random_tensors())),
    ".net": ("", b"\x80\x02\0\0\x10\0\0\0" + bytes(96)),
}
OTHERS = (foreign.SAFETENSORS, foreign.MXNET, foreign.NUMPY_ZIP, foreign.TORCH7)  # kinds of weights, beside PyTorch's
OF_KERAS = (foreign.KERAS, foreign.HDF5)


@pytest.mark.parametrize("which", FILES)
def test_files_are_told_by_their_beginning(which: str, tmp_path: Path) -> None:
    kind, content = FILES[which]
    (tmp_path / "file").write_bytes(content)
    assert foreign.kind(tmp_path / "file") == kind
    assert kind in {"", *foreign.WHAT}


def test_a_saved_model_is_told_and_any_other_folder_is_not(tmp_path: Path) -> None:
    assert foreign.kind(tmp_path) == ""
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert foreign.kind(tmp_path) == foreign.SAVED_MODEL


COMMANDS: dict[str, tuple[Callable[[list[str]], int], Sequence[str]]] = {
    "classify": (classify.main, ["FILE", "a.png"]),
    "evaluate": (evaluate.main, ["FILE", "pictures"]),
    "compile": (compile_command.main, ["FILE", "--out", "OUT"]),
    "fpga": (fpga.main, ["FILE", "--out", "OUT"]),
    "fit": (fit.main, ["FILE"]),
    "pack": (pack.main, ["FILE", "--out", "OUT"]),
    "unpack": (unpack.main, ["FILE", "--out", "OUT"]),
    "unpack --tflm": (unpack.main, ["FILE", "--tflm", "--out", "OUT"]),
    "bench": (bench.main, ["FILE"]),
    "check": (check.main, ["FILE"]),
    "flash": (flash.main, ["FILE", "--board", "host"]),
    "export": (export.main, ["--weights", "FILE", "--data", "DATA", "--out", "OUT"]),
}
FOLDERS = ("bench", "check", "flash")  # take a folder of this kit's, and no file at all


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Path], str]:
    """Give a command a file that it must refuse, in one line and with exit code 1; return what it says."""
    monkeypatch.setattr("sqz_tf.pipeline.preflight.require_tools", lambda packing, web: None)
    for name in ("ant", "bee"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "data" / name / f"{number}.pgm").write_bytes(b"P5 2 2 255\n" + bytes([number] * 4))

    def given(command: str, path: Path) -> str:
        main, line = COMMANDS[command]
        places = {"FILE": path, "OUT": tmp_path / "out", "DATA": tmp_path / "data"}
        assert main([str(places.get(word, word)) for word in line]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        assert "unforeseen" not in said.err
        assert not (tmp_path / "out").exists()
        return said.err.partition("error: ")[2].splitlines()[0]

    return given


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("which", [name for name, (kind, _) in FILES.items() if kind])
def test_every_command_says_what_a_file_is(
    which: str, command: str, tmp_path: Path, refused: Callable[[str, Path], str]
) -> None:
    kind, content = FILES[which]
    if kind in (*OTHERS, *OF_KERAS, foreign.TORCH) and command == "export":
        return  # which reads them
    if kind in (foreign.TFLITE, foreign.SQZ) and command != "export":
        return  # which is damaged, as other tests have it
    (tmp_path / "model.tflite").write_bytes(content)
    said = refused(command, tmp_path / "model.tflite")
    if command not in FOLDERS:
        weights = kind in (*OTHERS, foreign.TORCH, foreign.TORCHSCRIPT) and command != "export"
        assert ("weights of another framework" if weights else foreign.WHAT[kind]) in said
        assert foreign.REMEDIES.get(kind, "") in said


WEIGHTS: dict[str, tuple[str, bytes, Sequence[str]]] = {
    "a pointer called .pth": ("m.pth", POINTER, ["a pointer of Git LFS", "git lfs pull"]),
    "damaged Keras": ("m.keras", FILES["Keras"][1], ["the file is no HDF5"]),
    "damaged HDF5": ("m.h5", FILES["HDF5"][1], ["h5py cannot read the file"]),
    "an array": ("m.npy", FILES["NumPy"][1], ["an array of NumPy", "as .safetensors"]),
    "TorchScript": ("m.pt", FILES["TorchScript"][1], ["TorchScript", "torch.jit.load(FILE).state_dict()"]),
    "a cut checkpoint": ("m.pth", FILES["PyTorch"][1][:100], ["cut short or damaged"]),
    "cut safetensors": ("m.safetensors", FILES["safetensors"][1][:-9], ["cut short"]),
    "cut in its header": ("m.safetensors", FILES["safetensors"][1][:90], ["states a header of"]),
    "cut ONNX": ("m.onnx", FILES["ONNX"][1][:-40], ["cut short or damaged"]),
    "a model of this kit": ("m.tflite", FILES["TFLite"][1], ["a .tflite", "the weights that it was made of"]),
    "a missing file": ("absent.pth", b"", ["there is no weight file"]),
}


@pytest.mark.parametrize("which", WEIGHTS)
def test_weights_that_cannot_be_read_are_named(which: str, tmp_path: Path, refused: Callable[[str, Path], str]) -> None:
    name, content, words = WEIGHTS[which]
    if content:
        (tmp_path / name).write_bytes(content)
    said = refused("export", tmp_path / name)
    assert all(word in said for word in [name, *words]), said


def test_tensors_outside_an_onnx_file_are_named_with_what_brings_them_in(
    tmp_path: Path, refused: Callable[[str, Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def outside(name: str, values: np.ndarray, store: str) -> Any:
        tensor = onnx.messages()["TensorProto"](name=name.encode(), dims=values.shape, data_type=1, data_location=1)
        return tensor.SerializeToString()

    monkeypatch.setattr("tests.helpers.weight_files.onnx_tensor", outside)
    (tmp_path / "m.onnx").write_bytes(onnx_bytes(random_tensors(TINY)))
    said = refused("export", tmp_path / "m.onnx")
    assert "keeps conv1_w_0 in another file" in said
    assert "onnx.save(onnx.load(FILE), 'whole.onnx')" in said


def test_content_counts_more_than_the_name(tmp_path: Path, refused: Callable[[str, Path], str]) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(FILES["safetensors"][1])
    assert "the file lacks fire2/expand3x3" in refused("export", tmp_path / "pytorch_model.bin")  # it has been read
    (tmp_path / "weights").mkdir()
    assert "weights is a folder; expected" in refused("export", tmp_path / "weights")


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_f32.tflite"])
def test_pointers_in_an_export_s_folder_are_named(
    name: str, tmp_path: Path, refused: Callable[[str, Path], str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"config": {"preprocess": {"width": 4, "height": 1}}}))
    for each in ("model_f32.tflite", "model_int8.tflite", "model_uint8.tflite"):
        (folder / each).write_bytes(POINTER if each == name else echo_models.described(echo_models.model()))
    words = [f"{name} is a pointer of Git LFS", "git lfs pull"]
    for command in ("check", "bench"):
        said = refused(command, folder)
        assert all(word in said for word in words), said
    if name == "model_int8.tflite":
        with pytest.raises(SqzError, match="a pointer of Git LFS"):
            android.bundle([folder], tmp_path / "assets")


@pytest.mark.parametrize("command", FOLDERS)
def test_a_file_in_place_of_a_folder_is_called_a_file(
    command: str, tmp_path: Path, refused: Callable[[str, Path], str]
) -> None:
    (tmp_path / "m.tflite").write_bytes(echo_models.model())
    assert "m.tflite is a file; " in refused(command, tmp_path / "m.tflite")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert foreign.kind(tmp_path / "pipe") == ""
