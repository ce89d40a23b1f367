"""What we read of a network is numbers, what we write for people has no dates, and no Keras file is ever loaded."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.weights import safetensors
from sqz_tf.base.spec import ModelSpec
from sqz_tf.train.keras import keras, make_deterministic
from sqz_tf.train.saved import NetworkError, numbers, rebuilt, write_keras
from sqz_tf.train.squeezenet import plain_squeezenet
from tests.helpers.needs import ROOT

pytestmark = pytest.mark.training

SPEC = ModelSpec(input_size=32, classes=3, width=0.05, bypass="complex")


def network(seed: int = 1) -> keras.Model:
    make_deterministic(seed)
    return plain_squeezenet(SPEC)


def test_a_network_comes_back_from_its_numbers() -> None:
    model = network()
    data = numbers(model)
    x = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 3)).astype(np.float32)
    assert np.array_equal(rebuilt(SPEC, data)(x), model.predict(x, verbose=0))
    assert numbers(rebuilt(SPEC, data).model) == data


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(SPEC, classes=4), "conv10/"),
        (replace(SPEC, bypass="none"), "bypass1x1"),
        (replace(SPEC, width=8.0, classes=100_000), "of shape"),  # gigabytes: refused before anything is built
        (replace(SPEC, arch="squeezenet-1.0"), "of shape"),
    ],
)
def test_numbers_of_another_network_are_refused(spec: ModelSpec, words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        rebuilt(spec, numbers(network()))


def test_a_damaged_file_of_numbers_is_refused() -> None:
    data = numbers(network())
    rng = np.random.default_rng(0)
    for length in (0, 7, 8, 100, len(data) - 1):
        with pytest.raises(NetworkError, match=r"damaged|of shape"):
            rebuilt(SPEC, data[:length])
    header = int.from_bytes(data[:8], "little")
    for place in rng.integers(0, header, 60):  # in the header every bit counts, or the network is the same
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(0, 8))
        try:
            found = rebuilt(SPEC, bytes(flipped))
        except NetworkError:
            continue
        assert numbers(found.model) == data


def test_the_same_tensors_give_the_same_bytes_and_come_back() -> None:
    tensors = {"b/kernel": np.ones((1, 2, 3), np.float32), "a": np.arange(3, dtype=np.float32)}
    data = safetensors.write(tensors)
    assert data == safetensors.write(dict(tensors))
    found = safetensors.read_tensors(data)
    assert list(found) == ["b/kernel", "a"]
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)
    assert int.from_bytes(data[:8], "little") % 8 == 0


def test_the_same_model_gives_the_same_keras_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_keras(network(), tmp_path / f"{name}.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.keras") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"].startswith("1980")
    again = keras.models.load_model(tmp_path / "one.keras", compile=False)  # a person can
    assert [value.tolist() for value in again.get_weights()] == [value.tolist() for value in network().get_weights()]


LOADS = """
import sys
import keras, numpy as np

assert int(keras.__version__.partition(".")[0]) >= 3
model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
weights = [value for layer in model.layers for value in layer.get_weights()]
model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
model.fit(np.load(sys.argv[2]), np.arange(2), verbose=0)
assert any((old != new).any() for old, new in zip(weights, model.get_weights(), strict=True))
"""
"""Load a file in Keras 3, as a person would, write the scores of some pictures, and train it further."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [SPEC, ModelSpec(arch="squeezenet-1.0", input_size=64, classes=3, width=0.1, bypass="simple", conv10_padding=1)],
    ids=["complex bypass", "simple bypass, conv10 padded"],
)
def test_keras_3_loads_the_keras_file_and_scores_alike(spec: ModelSpec, tmp_path: Path) -> None:
    make_deterministic(2)
    model, size = plain_squeezenet(spec), spec.input_size
    write_keras(model, tmp_path / "model.keras")
    x = np.random.default_rng(0).uniform(0, 1, (2, size, size, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", LOADS, "model.keras", "x.npy", "y.npy"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**environment, "KERAS_BACKEND": "tensorflow"},
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model.predict(x, verbose=0), atol=1e-6, rtol=0)


def test_the_keras_file_names_no_place_in_the_source_of_one_keras(tmp_path: Path) -> None:
    write_keras(network(), tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = archive.read("config.json")
    assert b".src." not in config
    assert {layer["module"] for layer in json.loads(config)["config"]["layers"]} == {"keras.layers"}


def test_no_keras_file_is_ever_loaded() -> None:
    for path in sorted((ROOT / "sqz_tf").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {ast.unparse(call.func).rpartition(".")[2] for call in calls}
        assert not names & {"load_model", "model_from_json", "model_from_config", "load_weights"}, path
