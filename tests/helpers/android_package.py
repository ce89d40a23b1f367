"""The app's package as tests read it: for all processors, with a network that is compiled to C and one that is not."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from android_demo.tools import build
from android_demo.tools.natives import ABIS
from converters.delta.trust import Trust
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy import android
from sqz_tf.inference import interpreters
from sqz_tf.inference.classifier import Classifier
from tests.helpers import android_cases, android_files, android_natives, colour_network, file_updates
from tests.helpers.android_build import CACHE
from tests.helpers.shared import shared

PARTS = ("android_demo", "converters", "mcu/src", "tests/helpers/android_cases.py", "tests/helpers/echo_models.py",
         "tests/helpers/android_package.py")  # fmt: skip
MACHINES = ("tests/helpers/android_natives.py", "tests/helpers/bionic")
BUNDLED = ("model0", "model1.0")
SIXTY_FOUR = [name for name, abi in ABIS.items() if abi.tflite]


@dataclass(frozen=True)
class Package:
    """A folder with `sqz-demo.apk`, the `assets` that went into it, and an export for each model."""

    folder: Path
    names: tuple[str, ...]

    @property
    def apk(self) -> Path:
        """The package."""
        return self.folder / "sqz-demo.apk"

    @property
    def model(self) -> Path:
        """The first model's `.tflite`."""
        return self.folder / self.names[0] / "model_int8.tflite"

    def device(self, abi: str) -> android_natives.Device:
        """Return what runs the package's libraries here."""

        def make(folder: Path) -> None:
            with zipfile.ZipFile(self.apk) as archive:
                libraries = {name: archive.read(name) for name in archive.namelist() if name.endswith(".so")}
            android_natives.device(abi, libraries, folder)

        return android_natives.Device(abi, shared(f"device-{abi}", [abi, self.folder.name], make, *MACHINES))


def packaged(models: Mapping[str, bytes], changing: Sequence[str] = ()) -> Package:
    """Return a package for all processors with these models; built once for all tests.

    Args:
      models: name → bytes of a `.tflite`.
      changing: names of models whose bytes hold the time they were made at.
    """

    def make(folder: Path) -> None:
        exports = [android_files.export_folder(folder / name, model) for name, model in models.items()]
        trust = Trust([file_updates.public()], file_updates.PRODUCT, file_updates.INSTALLED)
        android.bundle(exports, folder / "assets", trust)
        build.build(folder / "assets", list(ABIS), folder, CACHE)

    made_of = {name: name in changing or hashlib.sha256(model).hexdigest() for name, model in models.items()}
    return Package(shared("package", made_of, make, *PARTS), tuple(models))


def small_package() -> Package:
    """Return the package of most tests: colours, which C exists for, and a model whose scores are its input."""
    echo = android_cases.pixels_model(PreprocessSpec(32, 24, fit="warp", resize_width=40, resize_height=27))
    return packaged(dict(zip(BUNDLED, (colour_network.net().int8_model, echo), strict=True)), BUNDLED[1:])


@dataclass(frozen=True)
class Asked:
    """Inputs int8 [N, h, w, c] and what Python gives: reference kernels, and `sqz_tf.classify`, int8 [N, classes]."""

    inputs: np.ndarray
    reference: np.ndarray
    classified: np.ndarray


def asked(model: Path, pictures: Sequence[Any]) -> Asked:
    """Return what is asked of a package with this model: pictures as `sqz_tf.classify` takes them."""
    classifier = Classifier(model)
    pixels = np.stack([classifier.pixels(picture) for picture in pictures])
    steps = classifier.scores(pixels) / classifier.output.scale + classifier.output.zero_point
    inputs = to_int8(pixels)
    reference = interpreters.run(model.read_bytes(), inputs, "litert-ref").outputs
    return Asked(inputs, reference, np.rint(steps).astype(np.int8))


def assert_near(got: np.ndarray, wanted: np.ndarray) -> None:
    """Scores within 1/256, and the best class is one of the wanted ones' best."""
    assert np.abs(got.astype(int) - wanted).max() <= 1
    best = np.take_along_axis(wanted, got.argmax(1)[:, None], 1)[:, 0]
    assert (best == wanted.max(1)).all()


def assert_exact(package: Package, abi: str, given: Asked, page: int = 4096) -> android_natives.Ran:
    """The package's compiled C gives the reference kernels' bytes."""
    device = package.device(abi)
    digest = hashlib.sha256(package.model.read_bytes()).hexdigest()
    ran = device.exact(digest, given.inputs, given.reference.shape[1], page)
    assert np.array_equal(ran.outputs, given.reference)
    return ran


def assert_fast(package: Package, abi: str, given: Asked, page: int = 4096) -> android_natives.Ran:
    """The package's TFLite gives what `sqz_tf.classify` gives."""
    device = package.device(abi)
    ran = device.fast(package.model, 1, given.inputs, given.reference.shape[1], page)
    assert_near(ran.outputs, given.classified)
    return ran
