"""Updates of small networks, with signatures that a stub takes, and the simulated device that takes them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from converters import delta
from converters.compiler import Packing, analyse
from sqz_tf.deploy.update.images import Built, image_of, pieces_of
from tests.helpers.compiled_on_host import WARNINGS
from tests.helpers.needs import ROOT, require

DEVICE = ROOT / "tests" / "mcu" / "update"
SOURCES = [ROOT / "mcu" / "src" / f"sqz_{name}.c" for name in ("update", "delta", "sha256")]


@dataclass(frozen=True)
class Updates:
    """Files of updates: the old model's, the new one's whole and against the old."""

    old: Path
    full: Path
    delta: Path

    @classmethod
    def of(cls, folder: Path, old: Built, new: Built) -> Updates:
        """Write the updates of two images."""
        made = {"old": update(old, 3), "full": update(new, 4), "delta": update(new, 4, old)}
        for name, data in made.items():
            (folder / f"{name}.squ").write_bytes(data)
        return cls(*(folder / f"{name}.squ" for name in made))


def built(model: bytes, target: str = "cortex-m4", optimize: str = "flash") -> Built:
    """Return a network's image."""
    image = image_of(model, analyse(model, target, Packing(optimize=optimize, slot=True)))
    return Built(image.data, tuple(pieces_of(image)), image.network)


def update(new: Built, version: int, old: Built | None = None, **changed: object) -> bytes:
    """Return an update whose signature is none."""
    body = delta.delta(old.data, new.data, old.pieces, new.pieces) if old else new.data
    header: dict[str, object] = {
        "body": int(old is not None),
        "kind": 1,
        "network": new.network,
        "model": "net",
        "version": version,
        "image_bytes": len(new.data),
        "body_bytes": len(body),
        "old_bytes": len(old.data) if old else 0,
        "sha256": hashlib.sha256(new.data).digest(),
        "old_sha256": hashlib.sha256(old.data).digest() if old else bytes(32),
        "key": b"key key ",
    }
    return delta.Header(**{**header, **changed}).stored + body  # type: ignore[arg-type]


def device(folder: Path, *flags: str, link: tuple[str, ...] = ()) -> Path:
    """Return the simulated device, built."""
    require(shutil.which("gcc"), "gcc is not installed")
    sources = [*sorted(DEVICE.glob("*.c")), *SOURCES]
    command = ["gcc", "-std=c11", *WARNINGS, *flags, f"-I{DEVICE}", f"-I{ROOT / 'mcu' / 'src'}"]
    done = subprocess.run(
        [*command, "-o", str(folder / "device"), *map(str, sources), *link], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]
    return folder / "device"


def simulated(program: Path, word: int, sectors: str, old: Path, new: Path, *mode: object) -> list[str]:
    """Return the lines that a device prints."""
    command = [str(program), str(word), sectors, str(old), str(new), *map(str, mode)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()
