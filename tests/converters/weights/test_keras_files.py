"""Weight files of Keras 1, 2 and 3: what is read, and what is refused and why; damage to HDF5's library ends no one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from converters.weights import hdf5, hdf5_worker, keras_file
from converters.weights.read import read_weights
from tests.converters.weights.test_read import assert_same
from tests.helpers.keras_files import KERAS_FILES, hdf5_bytes, hwio, keras_bytes, keras_zip
from tests.helpers.weight_files import TINY, random_tensors

FEW = 100  # objects that a file may hold in some tests


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files read in this process: a worker takes a good part of a second to start."""
    monkeypatch.setattr(hdf5, "_reply", hdf5_worker.reply_to)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("way", KERAS_FILES)
def test_every_layout_is_read(way: str) -> None:
    tensors = random_tensors()
    read = keras_file.read(keras_bytes(tensors, way))
    assert_same(read, tensors)
    assert (read.format, read.unused, read.normalisations) == ("keras", (), ())
    assert read.additions == (() if way.endswith("whole") else None)
    assert bool(read.notes) is (way == "keras-1-theano")  # which does not say that it is Theano's


@pytest.mark.parametrize(("way", "name"), [("keras-2", "mine.bin"), ("keras-3-whole", "mine.keras")])
def test_files_are_read_in_a_process_of_its_own(way: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(keras_bytes(random_tensors(), way))
    assert_same(read_weights(tmp_path / name), random_tensors())


@pytest.mark.usefixtures("here")
def test_a_described_graph_is_seen() -> None:
    changes = {"conv10": {"padding": "same"}, "conv1": {"groups": 1}}
    read = keras_file.read(keras_bytes(random_tensors(), "keras-3-whole", additions=4, **changes))
    assert len(read.additions or ()) == 4
    assert {name: layer.padding for name, layer in read.layers.items()} == {
        **dict.fromkeys(TINY, (0, 0)),
        "conv10": (0, 0),  # 1×1: `same` adds nothing
    }
    config = {"config": {"layers": described("conv1", "fire2/squeeze1x1", "fire2/expand1x1", zeros="conv10")}}
    data = keras_zip(config, new(random_tensors()))
    assert keras_file.read(data).layers["conv10"].padding == (1, 1)


def described(*names: str, zeros: str = "") -> list[dict[str, Any]]:
    """Describe convolutions, and one after a layer of zeros."""
    convolutions = [{"class_name": "Conv2D", "config": {"name": name, "padding": "valid"}} for name in (*names, zeros)]
    pad = {"class_name": "ZeroPadding2D", "config": {"name": "pad", "padding": [[1, 1], [1, 1]]}}
    return [*convolutions[:-1], pad, convolutions[-1]]


def new(tensors: Any) -> bytes:
    def write(file: Any) -> None:
        for number, (kernel, bias) in enumerate(tensors.values()):
            group = file.create_group(f"layers/conv2d{f'_{number}' if number else ''}/vars")
            group["0"], group["1"] = hwio(kernel), bias

    return hdf5_bytes(write)


@pytest.mark.usefixtures("here")
def test_layers_are_counted_as_numbers_not_as_texts() -> None:
    tensors = random_tensors({f"layer{number}": (2, 1, 1, 1) for number in range(12)})
    assert_same(keras_file.read(keras_bytes(tensors, "keras-3")), tensors)


@pytest.mark.usefixtures("here")
def test_layers_without_names_are_called_by_their_order() -> None:
    tensors = random_tensors({f"convolution {number}": (2, 1, 1, 1) for number in range(1, 13)})
    assert_same(keras_file.read(keras_bytes(tensors, "keras-2-new")), tensors)


@pytest.mark.usefixtures("here")
def test_a_model_in_a_model_is_read_by_its_own_layers() -> None:
    tensors = random_tensors()

    def old(file: Any) -> None:
        file.attrs["layer_names"] = [b"squeezenet"]
        names = [f"{name}/{part}:0" for name in tensors for part in ("kernel", "bias")]
        group = file.create_group("squeezenet")
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, (kernel, bias) in tensors.items():
            group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = hwio(kernel), bias

    assert_same(keras_file.read(hdf5_bytes(old)), tensors)
    inner = {
        "class_name": "Functional",
        "config": {"name": "net", "layers": described(*list(TINY)[:3], zeros="conv10")},
    }
    config = {"config": {"layers": [inner]}}

    def deep(file: Any) -> None:
        for number, (kernel, bias) in enumerate(tensors.values()):
            group = file.create_group(f"layers/functional/layers/conv2d{f'_{number}' if number else ''}/vars")
            group["0"], group["1"] = hwio(kernel), bias

    assert_same(keras_file.read(keras_zip(config, hdf5_bytes(deep))), tensors)


@pytest.mark.usefixtures("here")
def test_batch_normalisation_other_layers_and_scalings_are_told() -> None:
    def write(file: Any) -> None:
        file.attrs["layer_names"] = [b"conv1", b"norm", b"dense"]
        groups: dict[str, dict[str, np.ndarray]] = {
            "conv1": {"conv1/kernel:0": np.ones((1, 1, 2, 3)), "conv1/bias:0": np.ones(3)},
            "norm": {f"norm/{part}:0": np.ones(3) for part in ("gamma", "beta", "moving_mean", "moving_variance")},
            "dense": {"dense/kernel:0": np.ones((3, 2))},
        }
        for layer, arrays in groups.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, values in arrays.items():
                group[name] = values.astype(np.float32)

    read = keras_file.read(hdf5_bytes(write))
    assert (read.normalisations, read.unused) == (("norm",), ("dense",))
    scaled = {"class_name": "Rescaling", "config": {"name": "scale", "scale": 0.004}}
    config = {"config": {"layers": [scaled, *described(*list(TINY)[:3], zeros="conv10")]}}
    notes = keras_file.read(keras_zip(config, new(random_tensors()))).notes
    assert notes == ("its layer scale is left out: what it makes of a pixel is not read",)


@pytest.mark.usefixtures("here")
def test_names_of_layers_that_keras_parts_are_joined() -> None:
    """An attribute of HDF5 has room for 64 KB, so Keras writes many names as layer_names0, layer_names1 and so on."""
    tensors = random_tensors()

    def write(file: Any) -> None:
        names = list(tensors)
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [
            [n.encode() for n in part] for part in (names[:3], names[3:])
        ]
        for name, (kernel, bias) in tensors.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [b"x/kernel:0", b"x/bias:0"]
            group["x/kernel:0"], group["x/bias:0"] = hwio(kernel), bias

    assert_same(keras_file.read(hdf5_bytes(write)), tensors)


def with_optimizer(file: Any) -> None:
    for place in ("optimizer/vars", "metrics/mean/vars", "vars"):
        file.create_group(place)["0"] = np.ones((3, 3, 3, 4), np.float32)
    for number, (kernel, bias) in enumerate(random_tensors().values()):
        group = file.create_group(f"layers/conv2d_{number}/vars")
        group.attrs["name"] = list(TINY)[number]
        group["0"], group["1"] = hwio(kernel), bias


@pytest.mark.usefixtures("here")
def test_what_an_optimizer_and_metrics_keep_is_left_out() -> None:
    assert_same(keras_file.read(hdf5_bytes(with_optimizer)), random_tensors())


def elsewhere(file: Any) -> None:
    file["layers"] = h5py.ExternalLink("/etc/passwd.h5", "/")


def around(file: Any) -> None:
    file["layers"] = h5py.SoftLink("/")


def in_circles(file: Any) -> None:
    group = file.create_group("layers")
    group["layers"] = group


def outside(file: Any) -> None:
    file.create_dataset("a", (4,), np.float32, external=[("/etc/hostname", 0, 16)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/x.h5", "a", (4,))
    file.create_virtual_dataset("a", layout)


def enormous(file: Any) -> None:
    file.create_dataset("a", (1 << 30, 1 << 10), np.float32, chunks=(1, 1 << 10), compression="gzip")


def many(file: Any) -> None:
    for number in range(FEW):
        file.create_group(str(number))


def unnamed(file: Any) -> None:
    for number in range(2):
        group = file.create_group(f"layers/conv2d_{number}/vars")
        group["0"] = np.ones((1, 1, 1, 1), np.float32)
    group.attrs["name"] = "conv10"


def without(file: Any) -> None:
    file.attrs["layer_names"] = [b"conv1"]
    file.create_group("conv1").attrs["weight_names"] = [b"conv1/kernel:0"]


def twice(file: Any) -> None:
    for number in range(2):
        group = file.create_group(f"layers/conv2d_{number}/vars")
        group.attrs["name"] = "conv1"
        group["0"] = np.ones((1, 1, 1, 1), np.float32)


def listed(layers: list[bytes], weights: list[bytes]) -> bytes:
    """Return a file of one array, by these names."""

    def write(file: Any) -> None:
        group = file.create_group("a")
        group["k"] = np.ones((1, 1, 1, 1), np.float32)
        file.attrs["layer_names"], group.attrs["weight_names"] = layers, weights

    return hdf5_bytes(write)


def crooked(file: Any) -> None:
    group = file.create_group("layers/conv2d/vars")
    group.attrs["name"] = "conv1"
    group["0"] = np.ones((1, 2, 3, 4), np.float32)


FAULTS: dict[str, tuple[bytes, str]] = {
    "no HDF5": (b"text", "the file is no HDF5; expected one"),
    "cut in its head": (hdf5.MAGIC + bytes(20), "h5py cannot read the file"),
    "a link to another file": (hdf5_bytes(elsewhere), "layers is a link to another place"),
    "a link around": (hdf5_bytes(around), "layers is a link to another place"),
    "groups in circles": (hdf5_bytes(in_circles), "it holds over 100 objects, or some over 16 deep"),
    "many groups": (hdf5_bytes(many), "it holds over 100 objects"),
    "numbers in another file": (hdf5_bytes(outside), "a keeps its numbers in another file"),
    "numbers of another file": (hdf5_bytes(virtual), "a keeps its numbers in another file"),
    "terabytes": (hdf5_bytes(enormous), "it holds over 134,217,728 bytes of numbers"),
    "a layer without a name": (
        hdf5_bytes(unnamed),
        r"layer layers/conv2d_0 has no name in the file, and others have; expected all: save",
    ),
    "weights that are missing": (hdf5_bytes(without), "layer conv1 has no conv1/kernel:0; expected the weights"),
    "a layer twice": (hdf5_bytes(twice), "layer conv1 is there twice"),
    "a layer listed twice": (listed([b"a", b"a"], [b"k"]), "lists 'a' twice; expected each name once"),
    "a layer listed by two names": (listed([b"a", b"/a"], [b"k"]), "lists 'a' twice; expected each name once"),
    "weights listed twice": (listed([b"a"], [b"k", b"k"]), "lists 'k' twice; expected each name once"),
    "a crooked kernel": (hdf5_bytes(crooked), r"some kernels are neither \[H, W, I, O\] nor \[O, I, H, W\]"),
    "nothing": (hdf5_bytes(lambda file: None), "holds no convolution of Keras"),
    "a zip without a description": (keras_zip({}, b"")[:40], "cut short or damaged"),
    "a description that is no JSON": (
        keras_zip({"a": 1}, new(random_tensors())).replace(b'{"a": 1}', b'{"a": !}'),
        "cut short or damaged",  # its checksum
    ),
    "a description that nests": (
        hdf5_bytes(lambda file: file.attrs.update({"model_config": "[" * 5000})),
        "the model's description is damaged",
    ),
    "names that are no text": (
        hdf5_bytes(lambda file: file.attrs.update({"layer_names": np.array([b"a\0b"], "S4")})),
        "the file's names are damaged",
    ),
    "a bias of another length": (
        keras_bytes({"a": (np.ones((2, 1, 1, 1), np.float32), np.ones(3, np.float32))}),
        "layer a has 3 biases; expected 2",
    ),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_worker, "MOST_OBJECTS", FEW)
    data, message = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        keras_file.read(data)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("way", ["keras-2", "keras-3-whole"])
def test_every_cut_is_refused(way: str) -> None:
    data = keras_bytes(random_tensors(), way)
    for length in {*range(0, len(data), 97), len(data) - 1}:
        with pytest.raises(ValueError, match=r"expected|damaged"):
            keras_file.read(data[:length])


def test_a_worker_that_ends_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for code, words in (
        ("import os; os.kill(os.getpid(), 11)", "its process was ended by SIGSEGV"),
        ("raise SystemExit('out of order')", "its process ended with 1: out of order"),
        ("print(end='')", "its process ended with 0"),
    ):
        script = tmp_path / "hdf5_worker.py"
        script.write_text(code)
        monkeypatch.setattr(hdf5, "__file__", str(tmp_path / "hdf5.py"))
        with pytest.raises(ValueError, match=rf"h5py cannot read the file \({words}"):
            hdf5.read(hdf5.MAGIC)


def test_a_missing_h5py_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs h5py, which is not installed; expected `h5py` beside .*\.safetensors"):
        hdf5.read(hdf5.MAGIC)


def test_what_a_worker_replies_is_believed_no_more_than_a_file() -> None:
    for reply in (b"", b"\1", b"\0", b"\0" + bytes(7), b"\0" + b"\xff" * 8 + b"{}"):
        with pytest.raises(ValueError, match=r"expected"):
            hdf5.parsed(reply)


def test_what_lies_in_the_current_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('hostile')")
    (tmp_path / "mine.h5").write_bytes(keras_bytes(random_tensors()))
    worker = Path(hdf5_worker.__file__)
    with open(tmp_path / "mine.h5", "rb") as file:
        done = subprocess.run([sys.executable, str(worker)], stdin=file, capture_output=True, cwd=tmp_path, check=True)
    assert hdf5.parsed(done.stdout).texts("", "layer_names") == ["pool1", *TINY]
