"""A virtual board with the firmware that takes updates, and updates for it, signed as a person's are."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf import compile as compile_command
from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import board
from sqz_tf.deploy.update import images, keys, updates
from sqz_tf.deploy.update.images import Built, Layout
from sqz_tf.inference import interpreters
from tests.helpers.needs import ROOT, require
from tools.bench_update.line import line

SODIUM = ROOT / "build" / "sodium" / "libsodium"
TOOLS = ("make", "arm-none-eabi-gcc", "qemu-system-arm")
HEADER_BYTES, COUNT, CRC = 64, 40, 48  # of an image: how many numbers, the CRC-32 of what its test gives


def need_tools() -> None:
    """Skip unless such firmware can be built and run here."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    require(not missing, f"{', '.join(missing)} not installed")
    require(importlib.util.find_spec("cryptography"), "cryptography is not installed")
    require(SODIUM.is_dir(), "libsodium's sources are not in build/sodium: make sodium")


@dataclass(frozen=True)
class Device:
    """A board with its program, and the key it trusts."""

    folder: Path
    name: str
    program: Path
    layout: Layout
    key: Any

    @classmethod
    def made(cls, folder: Path, name: str, model: Path, slot_kb: int, layout: Layout) -> Device:
        """Build the program of a model's architecture, with slots of so many KB."""
        need_tools()
        keys.generate(folder / "release.pem")
        key = keys.private_key(folder / "release.pem")
        told = [str(model), "--target", layout.target, "--optimize", layout.optimize, "--classes", str(layout.classes)]
        told += ["--ram-budget", str((layout.ram_bytes or 0) // 1024)] if layout.ram_bytes else []
        out = ["--weights", "slot", "--name", "net", "--out", str(folder / "c"), "--quiet"]
        assert compile_command.main([*told, *out]) == 0
        words = ["FIRMWARE=update", f"SLOT_KB={slot_kb}", f"KEY={keys.raw(key.public_key()).hex()}"]
        more = [*words, "PRODUCT=door", f"SODIUM={SODIUM}"]
        return cls(folder, name, firmware.build(name, folder / "c", folder, more=more), layout, key)

    def built(self, model: Path) -> Built:
        """Return a model's image."""
        return _built(model, self.layout)

    def update(self, new: Built, version: int, old: Built | None = None, **changed: Any) -> bytes:
        """Return an update; `key` and `model` may be others than the device's."""
        given = {"model": "door", "key": self.key, **changed}
        return updates.make(new, old, version, given["model"], given["key"])

    def run(self, messages: bytes) -> list[str]:
        """Return what the board says to the messages, from power on to their end, without figures of its stack."""
        with line(self.folder, messages):
            done = subprocess.run(
                firmware.qemu_command(board(self.name), self.program),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=firmware.SECONDS,
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return [text for text in done.stdout.splitlines() if not text.startswith("stack ")]


_built = lru_cache(images.build)


def unwell(image: Built) -> Built:
    """Return an image whose test expects other outputs than its network gives."""
    wrong = bytearray(image.data)
    wrong[CRC] ^= 1
    return Built(bytes(wrong), image.pieces, image.network)


def faulty(image: Built) -> Built:
    """Return an image whose tables all begin at its last word: behind slot 1 there is no flash to read on in."""
    wrong = bytearray(image.data)
    count = int.from_bytes(wrong[COUNT : COUNT + 4], "little")
    for at in range(HEADER_BYTES, HEADER_BYTES + 4 * count, 4):
        value = int.from_bytes(wrong[at : at + 4], "little")
        if HEADER_BYTES + 4 * count <= value < len(wrong) and value % 4 == 0:
            wrong[at : at + 4] = (len(wrong) - 4).to_bytes(4, "little")
    return Built(bytes(wrong), image.pieces, image.network)


def scores(model: bytes, inputs: np.ndarray, outputs: int) -> list[str]:
    """Return the lines that a device of so many outputs says of some inputs: what TFLite's reference kernels give."""
    found = interpreters.run(model, inputs, "litert-ref").outputs.reshape(len(inputs), -1)
    rows = [[*row, *[-128] * (outputs - len(row))] for row in found.tolist()]
    return [f"scores {', '.join(map(str, row))}" for row in rows]
