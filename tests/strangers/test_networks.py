"""A Keras file in a received folder is a program that is never started."""

from __future__ import annotations

import shutil
import zipfile
from itertools import product
from pathlib import Path

import pytest

from sqz_tf.artifact.exported import KERAS
from sqz_tf.artifact.manifest import manifest, write_manifest
from sqz_tf.check import main
from sqz_tf.parity.verdict import REQUIRE_VARIABLE
from sqz_tf.train.keras import keras
from tests.helpers import colour_network
from tests.helpers.needs import quick

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore:.*HDF5 file via.*:UserWarning")]


def _lambda(mark: Path) -> keras.Model:
    """Return a model that makes a file wherever it is loaded or run."""
    inputs = keras.Input((16, 16, 3))
    code = f"lambda x: (__import__('pathlib').Path({str(mark)!r}).touch(), x)[1]"
    x = keras.layers.Lambda(eval(code), name="innocent")(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


def _hdf5(mark: Path, path: Path) -> None:
    _lambda(mark).save(path.with_suffix(".h5"), save_format="h5")
    path.with_suffix(".h5").replace(path)


def _zip(mark: Path, path: Path) -> None:
    _lambda(mark).save(path)


def _function_node(mark: Path, path: Path) -> None:
    """A functional model whose node names a function of the standard library, which safe mode lets through."""
    config = f"""{{"module": "keras", "class_name": "Functional", "registered_name": "Functional", "config": {{
        "layers": [{{"module": "os", "class_name": "function", "registered_name": "function", "config": "system",
          "name": "x", "inbound_nodes": [[["touch {mark}", {{}}]]]}}]}}}}"""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "2.21.0", "date_saved": "x"}')
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", b"")


def _garbage(mark: Path, path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("networks")
    colour_network.write_pictures(place / "pictures", per_class=20)
    return colour_network.write_folder(place / "out", place / "pictures")


@pytest.mark.parametrize(
    ("write", "listed"),
    quick(product([_hdf5, _zip, _function_node, _garbage], [True, False]), (_zip, True), (_function_node, False)),
)
def test_a_keras_file_that_is_a_program_is_not_started(
    write: object,
    listed: bool,
    exported: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)  # this network is no SqueezeNet: there is no Keras edge
    folder, mark = Path(shutil.copytree(exported, tmp_path / "out")), tmp_path / "pwned"
    assert callable(write)
    write(mark, folder / KERAS)
    mark.unlink(missing_ok=True)  # made while the file was written
    if listed:  # by whoever made the folder: a hash proves nothing of who wrote it
        values = colour_network.json_of(folder / "manifest.json")
        fields = {name: values[name] for name in ("config", "data_sha256", "command")}
        write_manifest(folder, manifest(folder, **fields))
    assert main([str(folder), "--quiet"]) == (0 if listed else 1)
    assert ("model.keras has changed" in capsys.readouterr().out) != listed
    assert not mark.exists()
