"""The app's package as tests read it: for all processors, with a network that is compiled to C and one that is not."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from android_demo.tools import build
from android_demo.tools.natives import ABIS
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy import android
from tests.helpers import android_cases, android_files, android_natives, colour_network
from tests.helpers.android_build import CACHE
from tests.helpers.shared import shared

PARTS = ("android_demo", "converters", "mcu/src", "tests/helpers/android_cases.py")
MACHINES = ("tests/helpers/android_natives.py", "tests/helpers/bionic")
BUNDLED = ("model0", "model1.0")


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


def packaged(models: Mapping[str, bytes]) -> Package:
    """Return a package for all processors with these models; built once for all tests."""

    def make(folder: Path) -> None:
        exports = [android_files.export_folder(folder / name, model) for name, model in models.items()]
        android.bundle(exports, folder / "assets")
        build.build(folder / "assets", list(ABIS), folder, CACHE)

    made_of = {name: hashlib.sha256(model).hexdigest() for name, model in models.items()}
    return Package(shared("package", made_of, make, *PARTS), tuple(models))


def small_package() -> Package:
    """Return the package of most tests: colours, which C exists for, and a model whose scores are its input."""
    echo = android_cases.pixels_model(PreprocessSpec(32, 24, fit="warp", resize_width=40, resize_height=27))
    return packaged(dict(zip(BUNDLED, (colour_network.net().int8_model, echo), strict=True)))
