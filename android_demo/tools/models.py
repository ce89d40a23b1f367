"""Which models the app gets when none is named: ImageNet's if its weights are found, else the built-in digits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from android_demo.tools.process import BuildError

WEIGHTS_FILE = "compressed_SqueezeNet.net"
LABELLED, UNLABELLED = "imagenet_dev", "imagenet_unlabelled"
_LARGE = 1 << 17  # bytes of a weight file that is not just a placeholder


def default_model(build: Path, environment: Mapping[str, str]) -> tuple[Path, list[str]]:
    """Return an export folder below `build`, and the arguments of `sqz_tf.export` that make it, if it is not there.

    ImageNet's network needs its weights (in the folder SQZ_TF_WEIGHTS names, or in the cache of an earlier
    download) and pictures to calibrate on and to judge by: folders `imagenet_unlabelled` and `imagenet_dev` in
    SQZ_TF_DEV_DATA or beside the weights.
    """
    ready = build / "imagenet"
    if (ready / "manifest.json").is_file():
        return ready, []
    pictures = _pictures(environment) if _weights(environment) else None
    if pictures is not None:
        labelled, unlabelled = str(pictures / LABELLED), str(pictures / UNLABELLED)
        return ready, ["--weights", "imagenet", "--data", labelled, "--calibration-data", unlabelled]
    if _weights(environment):
        print("ImageNet's weights are here, but no pictures to calibrate with (SQZ_TF_DEV_DATA)", file=sys.stderr)
    ready = build / "digits"
    return ready, [] if (ready / "manifest.json").is_file() else ["--data", "digits"]


def _weights(environment: Mapping[str, str]) -> Path | None:
    cache = Path(environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "sqz-tf"
    folders = [Path(environment["SQZ_TF_WEIGHTS"])] if environment.get("SQZ_TF_WEIGHTS") else []
    paths = [folder / WEIGHTS_FILE for folder in (*folders, cache)]
    return next((path for path in paths if path.is_file() and path.stat().st_size > _LARGE), None)


def _pictures(environment: Mapping[str, str]) -> Path | None:
    places = [Path(environment["SQZ_TF_DEV_DATA"])] if environment.get("SQZ_TF_DEV_DATA") else []
    if environment.get("SQZ_TF_WEIGHTS"):
        places.append(Path(environment["SQZ_TF_WEIGHTS"]).resolve().parent)
    return next((place for place in places if all((place / name).is_dir() for name in (LABELLED, UNLABELLED))), None)


def make(folder: Path, arguments: list[str]) -> Path:
    """Run the export, unless there is nothing to do.

    Raises:
      BuildError: it failed.
    """
    if arguments:
        command = [sys.executable, "-m", "sqz_tf.export", *arguments, "--out", str(folder)]
        if subprocess.run(command).returncode:
            raise BuildError(f"{' '.join(command[1:])} failed")
    return folder
