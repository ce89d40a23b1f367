"""Packs for the Java side of the app, and what Python's unpack says of each; read by core's `SqzPackTest.java`."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from converters import packs
from converters.packs import general
from converters.packs.locate import locate
from converters.packs.parts import Kind
from converters.tflite.writer import with_accuracy
from sqz_tf.base.spec import PreprocessSpec
from tests.helpers import damaged_packs, echo_models, file_updates
from tests.helpers.int8_networks import Net, squeezenet
from tests.helpers.needs import ROOT
from tests.helpers.shared import shared
from tests.helpers.small_weights import small

KEPT = ROOT / "tests" / "converters" / "packs" / "version_1.sqz"
SAMPLE = "every_coder"
FEW = 60  # damaged packs
CLAIMED = 64 << 20
UNPACKED = 8 << 20


def few() -> str:
    """Return the folder of packs that most tests read, made once for all of them."""
    sources = ("converters", "tests/helpers/android_packs.py", "tests/helpers/damaged_packs.py")
    return str(shared("android-packs", FEW, lambda folder: write(folder, FEW), *sources))


def write(folder: Path, mutants: int, seed: int = 0) -> None:
    """Write a pack of each model and the model itself, damaged packs with Python's verdict, and two that ask for much.

    Args:
      folder: made unless it is there.
      mutants: how many damaged packs.
      seed: of what is damaged.
    """
    folder.mkdir(exist_ok=True)
    kept = KEPT.read_bytes()
    known = {**models(), "version_1": packs.unpack(kept)}
    found = {name: kept if name == "version_1" else packs.pack(model) for name, model in known.items()}
    for name, pack in found.items():
        (folder / f"{name}.sqz").write_bytes(pack)
        (folder / f"{name}.tflite").write_bytes(known[name])  # what unpack gives, as tests/converters/packs holds
    sample = found[SAMPLE]
    judged = [
        struct.pack(">?i", _good(pack), len(pack)) + pack for pack in damaged_packs.mutants(sample, mutants, seed)
    ]
    (folder / "mutants").write_bytes(struct.pack(">i", len(judged)) + b"".join(judged))
    claims = sample[:12] + struct.pack("<I", CLAIMED) + sample[16 : damaged_packs.HEADER]
    sections = damaged_packs.entries(sample), damaged_packs.contents(sample)
    (folder / "claims.pack").write_bytes(damaged_packs.sealed(claims, *sections))
    bomb = general._lzma(bytes(UNPACKED), 3, 0, 0)
    (folder / "bomb.pack").write_bytes(damaged_packs.with_section(sample, Kind.GRAPH, bomb, general.LZMA))


def write_own(folder: Path) -> str:
    """Write a model that tells its accuracy, its pack, and one that does not tell it; return the folder."""
    folder.mkdir()
    spec = PreprocessSpec(8, 8, channels=1, fit="warp")
    labels = [f"pixel {i}" for i in range(64)]
    model = echo_models.model(shape=(1, 8, 8, 1))
    own = with_accuracy(echo_models.described(model, labels, spec), 0.8125, 400)
    files = {
        "own.tflite": own,
        "own.sqz": packs.pack(own),
        "other.tflite": echo_models.described(model, labels, spec),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return str(folder)


def write_updates(own: Path, folder: Path) -> str:
    """Write updates to the models of `write_own`; return the folder."""
    return file_updates.write(folder, (own / "own.sqz").read_bytes(), (own / "other.tflite").read_bytes())


def _good(pack: bytes) -> bool:
    try:
        packs.unpack(pack)
    except packs.PackError:
        return False
    return True


def models() -> dict[str, bytes]:
    """Return a model for every kind of pack, by name."""
    return {
        SAMPLE: echo_models.described(small(_three_layers()), list("abcde")),
        "many_lanes": small(_wide(), 8),
        "large_weights": echo_models.described(squeezenet(), list("abcde")),
        "rows_last": _rows_last(),
        "long_kernels": _long_kernels(),
        "no_labels": small(_three_layers()),
        "as_it_is": b"\x08\0\0\0TFL3" + np.random.default_rng(0).bytes(3000),
        "nothing_but_a_beginning": b"\x08\0\0\0TFL3",
        "scales_of_all_kinds": _odd_scales(),
        "every_match": _repeated(),
    }


def _three_layers() -> bytes:
    net = Net()
    x = net.conv(net.input(8, 8, 3, scale=1 / 255), 32, (3, 3))
    x = net.conv(net.conv(x, 24), 1, (3, 3), depthwise=True)
    return net.bytes(net.softmax(net.dense(net.mean(x, scale=x.scale, zero_point=x.zero_point), 5)))


def _wide() -> bytes:
    net = Net()
    x = net.conv(net.conv(net.input(4, 4, 3), 100), 600)
    return net.bytes(net.dense(net.mean(x, scale=x.scale, zero_point=x.zero_point), 5))


def _rows_last() -> bytes:
    net = Net()
    x = net.conv(net.input(9, 9, 3), 80, (3, 3), depthwise=True, per_channel=True)
    return net.bytes(net.dense(net.mean(net.conv(x, 8, (5, 3))), 3))


def _long_kernels() -> bytes:
    net = Net()
    return net.bytes(net.dense(net.mean(net.conv(net.input(20, 20, 3), 4, (17, 17))), 3))


def _odd_scales() -> bytes:
    """Scales of the network changed to numbers that no rule makes, infinite and not a number among them."""
    model = bytearray(_rows_last())
    patterns = (0x7F800000, 0x00000001, 0x7FC00000, 0xFF800000, 0x80000000, 0x3F800000)
    scales = [part for part in locate(bytes(model)).parts if part.kind == Kind.SCALES]
    for place, part in enumerate(scales):
        struct.pack_into("<I", model, part.start + 4 * (place % part.rows), patterns[place % len(patterns)])
    return bytes(model)


def _repeated() -> bytes:
    """A file that LZMA writes with every kind of match, and ends of runs."""
    rng = np.random.default_rng(3)
    words = [rng.bytes(int(length)) for length in rng.integers(1, 300, 40)]
    text = b"".join(words[int(i)] for i in np.minimum(rng.geometric(0.15, 900), 39))
    return b"\x08\0\0\0TFL3" + text + bytes(5000) + text[::3] + text
