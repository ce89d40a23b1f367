"""Bundling exported models with the Android demo app. No TensorFlow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from converters.android_assets import FOLDER, android_assets, name_fault
from converters.delta.trust import Trust
from sqz_tf.artifact.exported import INT8, LICENCE
from sqz_tf.base.errors import OutputError, translated
from sqz_tf.base.folders import read_inside
from sqz_tf.base.paths import absolute
from sqz_tf.inference.model_file import refuse_foreign

DEMO = Path(__file__).resolve().parents[2] / "android_demo"
ASSETS = DEMO / "app" / "src" / "main" / "assets"
"""Where the demo app's build looks for its models; in a checkout of the kit only."""
_MOST_MODEL, _MOST_LICENCE = 64 << 20, 1 << 20  # bytes; a SqueezeNet in int8 has 1.3 MB


def bundle(exports: Sequence[Path], assets: Path = ASSETS, trust: Trust | None = None) -> list[Path]:
    """Put the int8 models of some exports, their labels, licences and a list with hashes into an app's assets.

    Args:
      exports: output folders of `sqz_tf.export`; the app calls each model by its folder's name.
      assets: the app's assets folder; its folder `models` is replaced.
      trust: whose updates the app takes; None for nobody's.

    Returns:
      the files written.

    Raises:
      OutputError: there is no app, or a folder holds no model that can be bundled.
    """
    files = _files(exports, trust)
    if assets == ASSETS:
        require_demo()
    part = assets.with_name(f".{assets.name}.part")  # beside the assets: all that is in them goes into the app
    try:
        _replace(assets, part, files)
    except OSError as error:
        raise OutputError(f"{assets} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [assets / name for name in files]


def _replace(assets: Path, part: Path, files: Mapping[str, bytes]) -> None:
    """Write the files to `part` first, so that what was there stays until all of them are written."""
    shutil.rmtree(part, ignore_errors=True)
    (part / FOLDER).mkdir(parents=True)
    assets.mkdir(exist_ok=True)
    for name, data in files.items():
        (part / name).write_bytes(data)
    shutil.rmtree(assets / FOLDER, ignore_errors=True)
    (part / FOLDER).rename(assets / FOLDER)


def require_demo() -> None:
    """Make sure that the demo app is here.

    Raises:
      OutputError: it is not.
    """
    if not DEMO.is_dir():
        raise OutputError(f"there is no {DEMO}", expected="a checkout of the kit, which has the demo app in it")


def require_assets(assets: Path = ASSETS) -> None:
    """Make sure that the app's assets can be replaced, by what is beside them until they are.

    Raises:
      OutputError: they cannot.
    """
    for place in filter(os.path.lexists, (assets.parent, assets)):
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise OutputError(
                f"{assets} cannot be written", expected="a folder of this user's", fix="mend it, or leave --android out"
            )


def require_name(name: str) -> None:
    """Make sure that the app can call a model by this name.

    Raises:
      OutputError: it cannot.
    """
    if fault := name_fault(name):
        raise OutputError(f"the app cannot take the model: {fault}", fix="give --out another name")


def _files(exports: Sequence[Path], trust: Trust | None) -> dict[str, bytes]:
    names = [absolute(export).name for export in exports]
    if doubled := next((name for name in names if names.count(name) > 1), ""):
        raise OutputError(f"two folders are called {doubled}", expected="different names: the app shows them")
    models: dict[str, bytes] = {}
    for name, export in zip(names, exports, strict=True):
        path = export / INT8
        if not path.is_file():
            raise OutputError(f"there is no {path}", expected="an output folder of python -m sqz_tf.export")
        refuse_foreign(path, expected="what an export wrote")
        models[name] = _read(export, INT8, _MOST_MODEL)
    with translated(OutputError, "the app cannot take the models", fix="export them again"):
        files = android_assets(models, trust)
    texts = {
        name: _read(export, LICENCE, _MOST_LICENCE)
        for name, export in zip(names, exports, strict=True)
        if os.path.lexists(export / LICENCE)
    }
    return {**files, **{f"{FOLDER}/{name}.licence.txt": text for name, text in texts.items()}}


def _read(export: Path, name: str, most: int) -> bytes:
    """Read a file of a folder that somebody else may have made: all that is read here ends up in an app."""
    with translated(OutputError, f"{export / name} cannot be read", fix="export the model again", of=(OSError,)):
        return read_inside(export, name, most)
