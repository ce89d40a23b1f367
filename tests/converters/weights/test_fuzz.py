"""Two thousand damaged weight files: each is an error or loads as exactly what its bytes say."""

from __future__ import annotations

import random
import struct
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from converters.weights import deep_compression, hdf5
from converters.weights.mxnet import MAGIC
from converters.weights.names import Layout, map_layers, recognise
from converters.weights.read import read_weights
from converters.weights.tensors import ConvWeights, WeightFile
from tests.helpers import torch_files
from tests.helpers.keras_files import hdf5_bytes, keras_bytes
from tests.helpers.near_hdf5 import forked_reply
from tests.helpers.port_files import (
    chainer_bytes,
    chainer_tensors,
    mxnet_bytes,
    mxnet_tensors,
    sequential,
    torch7_bytes,
    torch7_convolution,
    zip_of,
)
from tests.helpers.torch_files import torch_bytes
from tests.helpers.weight_files import (
    ONNX_STORES,
    TINY,
    caffemodel_bytes,
    flat,
    net_tensors,
    onnx_bytes,
    random_tensors,
    safetensors_bytes,
)

MUTATIONS_PER_FILE = 200
IN_FORKS = 30  # of each file that is read in a process of its own
MANY = 2000  # of each file, in the slow test; half as many of those in plain HDF5
HWIO = {name: (height, width, inputs, outputs) for name, (outputs, inputs, height, width) in TINY.items()}
LAYOUTS = (
    Layout(
        "tiny",
        ("net", "caffemodel", "onnx", "safetensors", "mxnet", "chainer", "keras", "torch"),
        {name: name for name in TINY},
        {},
        {},
    ),
    Layout("in order", ("torch7",), {f"convolution {n}": name for n, name in enumerate(TINY, start=1)}, {}, {}),
)


def torch7_tiny(numbers: str = "Float") -> bytes:
    layers = [torch7_convolution(kernel, bias) for kernel, bias in random_tensors().values()]
    return torch7_bytes(sequential(*layers), numbers)


FILES: dict[str, tuple[str, bytes]] = {
    "net": ("net", deep_compression.write(**net_tensors())),
    "net, sparse": ("net", deep_compression.write(**net_tensors(seed=3, density=0.05))),
    "caffemodel": ("caffemodel", caffemodel_bytes(random_tensors())),
    "caffemodel, old layers": ("caffemodel", caffemodel_bytes(random_tensors(), v1=True)),
    "caffemodel, old blobs": ("caffemodel", caffemodel_bytes(random_tensors(), legacy_shape=True)),
    **{f"onnx, {store}": ("onnx", onnx_bytes(random_tensors(), store)) for store in ONNX_STORES[:3]},
    "safetensors": ("safetensors", safetensors_bytes(flat(random_tensors()))),
    "safetensors, half": (
        "safetensors",
        safetensors_bytes({name: values.astype("<f2") for name, values in flat(random_tensors()).items()}),
    ),
    **{f"mxnet, {v}": ("mxnet", mxnet_bytes(mxnet_tensors(random_tensors()), v, "arg:")) for v in (0, 2)},
    "chainer": ("chainer", chainer_bytes(chainer_tensors(random_tensors()))),
    "chainer, stored": ("chainer", chainer_bytes(chainer_tensors(random_tensors()), compressed=False)),
    "torch": ("torch", torch_bytes(torch_files.state(flat(random_tensors())))),
    "torch, before 1.6": ("torch", torch_bytes(torch_files.state(flat(random_tensors())), old=True)),
    "torch7": ("torch7", torch7_tiny()),
    "torch7, double": ("torch7", torch7_tiny("Double")),
    "keras, .h5": ("keras", keras_bytes(random_tensors(), "keras-2-whole")),
    "keras, .weights.h5": ("keras", keras_bytes(random_tensors(), "keras-3")),
    "keras, .keras": ("keras", keras_bytes(random_tensors(), "keras-3-whole")),
}
CHECKED = ("chainer", "chainer, stored", "keras, .keras", "torch")  # zips: a checksum tells all damage to numbers
ANYWHERE = ("keras, .h5", "keras, .weights.h5")  # HDF5 says where numbers lie: one byte may move all of an array


@pytest.fixture(autouse=True)
def _quick_hdf5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "_reply", forked_reply)


def flip(data: bytearray, draw: random.Random) -> None:
    """Flip one to four bits."""
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwrite(data: bytearray, draw: random.Random) -> None:
    """Put one value over a short run."""
    start = draw.randrange(len(data))
    stop = min(len(data), start + draw.randint(1, 16))
    data[start:stop] = bytes([draw.choice([0, 0x7F, 0x80, 0xFF, draw.randrange(256)])]) * (stop - start)


def cut(data: bytearray, draw: random.Random) -> None:
    """Cut the end off."""
    del data[draw.randrange(len(data)) :]


def remove(data: bytearray, draw: random.Random) -> None:
    """Take a short run out."""
    start = draw.randrange(len(data))
    del data[start : start + draw.randint(1, 16)]


def insert(data: bytearray, draw: random.Random) -> None:
    """Put random bytes in."""
    start = draw.randrange(len(data) + 1)
    data[start:start] = draw.randbytes(draw.randint(1, 16))


def repeat(data: bytearray, draw: random.Random) -> None:
    """Write a run twice."""
    start = draw.randrange(len(data))
    data[start:start] = data[start : start + draw.randint(1, 64)]


def swap(data: bytearray, draw: random.Random) -> None:
    """Exchange two runs of the same length."""
    length = draw.randint(1, 16)
    first, second = sorted(draw.sample(range(len(data) // length), 2))
    a, b = slice(first * length, (first + 1) * length), slice(second * length, (second + 1) * length)
    data[a], data[b] = data[b], data[a]


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip,
    flip,
    overwrite,
    cut,
    remove,
    insert,
    repeat,
    swap,
)


def load(data: bytes, file_format: str) -> tuple[WeightFile, dict[str, ConvWeights]]:
    weights = read_weights(data, file_format, net_layers=HWIO)
    return weights, map_layers(weights, HWIO, recognise(weights, LAYOUTS))


def attempt(data: bytes, file_format: str) -> WeightFile | str:
    """Return what was read, or the message of the only error that may be raised; a warning of NumPy's is a failure."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return load(data, file_format)[0]
    except ValueError as error:
        return str(error)


def differing_values(a: Mapping[str, ConvWeights], b: Mapping[str, ConvWeights]) -> int:
    return sum(int((a[name].kernel != b[name].kernel).sum() + (a[name].bias != b[name].bias).sum()) for name in b)


def assert_says_what_the_bytes_say(weights: WeightFile, damaged: bytes, name: str) -> None:
    """Assert that no more was changed than was damaged.

    `.net`: one byte may move all weights behind it, but encoding must give the damaged bytes again. HDF5: one byte may
    move an array. The others store each value once: as many values may differ as bytes do, none if bytes were moved.
    """
    file_format, original = FILES[name]
    for layer in weights.layers.values():
        assert np.isfinite(layer.kernel).all()
        assert np.isfinite(layer.bias).all()
    if file_format == "net":
        assert deep_compression.write(weights.layers, weights.codebooks) == damaged
    if file_format == "net" or name in ANYWHERE:
        return
    before = load(original, file_format)[0].layers
    same_length = len(damaged) == len(original)
    bytes_changed = sum(x != y for x, y in zip(damaged, original, strict=True)) if same_length else 0
    assert differing_values(weights.layers, before) <= bytes_changed


def damage_and_load(name: str, count: int, seed: int) -> Counter[str]:
    """Damage one file so many times; assert that each is an error or loads what its bytes say, and count which."""
    file_format, original = FILES[name]
    draw, seen = random.Random(f"{name} {seed}"), Counter[str]()
    for number in range(count):
        damaged = bytearray(original)
        damage = DAMAGES[number % len(DAMAGES)]
        damage(damaged, draw)
        if damaged == original:
            seen["unchanged"] += 1
            continue
        outcome = attempt(bytes(damaged), file_format)
        if isinstance(outcome, WeightFile):
            assert_says_what_the_bytes_say(outcome, bytes(damaged), name)
            seen["loaded"] += 1
        else:
            assert "expected" in outcome or "damaged" in outcome
            seen["error"] += 1
    return seen


def assert_both_ends_are_real(name: str, seen: Counter[str]) -> None:
    """Assert that most damage is seen, and that some hits numbers that any bytes can be."""
    count = seen.total()
    assert seen["error"] > count / 4, seen
    assert seen["loaded"] > 0 or name in CHECKED, seen
    assert seen["unchanged"] < count / (4 if name in ANYWHERE else 10), seen  # HDF5 has long runs of zeros


def mutations(name: str) -> int:
    """Return how often a file is damaged in the fast test."""
    return IN_FORKS if FILES[name][0] == "keras" else MUTATIONS_PER_FILE


@pytest.mark.parametrize("name", FILES)
def test_damage_is_an_error_or_a_correct_load(name: str) -> None:
    assert_both_ends_are_real(name, damage_and_load(name, mutations(name), 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_damage_by_the_thousand_is_an_error_or_a_correct_load(name: str) -> None:
    assert_both_ends_are_real(name, damage_and_load(name, MANY // 2 if name in ANYWHERE else MANY, 2))


def test_there_are_two_thousand_of_them() -> None:
    assert sum(map(mutations, FILES)) >= 2000


def torch7_bomb(modules: int) -> bytes:
    """Name one tensor of 256 KB from so many convolutions."""
    kernel, bias = np.zeros((256, 256, 1, 1), np.float32), np.zeros(256, np.float32)
    return torch7_bytes(sequential(*(torch7_convolution(kernel, bias) for _ in range(modules))))


def npy_bomb() -> bytes:
    """State a terabyte in an array's head."""
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576, 1, 1), }\n"
    return zip_of({"conv1/W.npy": b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head})


def zip_bomb() -> bytes:
    """State four gigabytes in an archive's directory."""
    data = bytearray(chainer_bytes(chainer_tensors(random_tensors())))
    size = data.index(b"PK\1\2") + 24
    data[size : size + 4] = b"\xfe\xff\xff\xff"
    return bytes(data)


def repeated_names(file: Any) -> None:
    """List a layer thousands of times, and its weights as often."""
    group = file.create_group("a")
    group["k"] = np.zeros((1, 1, 1, 1), np.float32)
    file.attrs["layer_names"], group.attrs["weight_names"] = [b"a"] * 4000, [b"k"] * 4000


def names_of_one_group(file: Any) -> None:
    """List a layer under many names: slashes before it do not count."""
    group = file.create_group("a")
    group["k"] = np.zeros((1, 1, 1, 1), np.float32)
    file.attrs["layer_names"], group.attrs["weight_names"] = [b"/" * n + b"a" for n in range(99)], [b"k"]


def nested_groups(file: Any) -> None:
    """Name one packed array of 16 MB from fourteen groups, each in the one before."""
    paths = ["/".join("a" * depth) for depth in range(1, 15)]
    file.attrs["layer_names"] = [path.encode() for path in paths]
    for path in paths:
        names = [f"{paths[-1]}/x/kernel".removeprefix(f"{path}/").encode()]
        file.create_group(path).attrs["weight_names"] = names
    shape = (1, 1, 4096, 1024)
    file[paths[-1]].create_dataset("x/kernel", shape, np.float32, chunks=(1, 1, 64, 1024), compression="gzip")


def unwritten(file: Any) -> None:
    """State a terabyte that was never written."""
    file.create_dataset("layers/conv2d/vars/0", (1, 1, 1 << 19, 1 << 19), np.float32, chunks=(1, 1, 64, 1 << 12))


@lru_cache(maxsize=1)
def bombs() -> dict[str, tuple[str, bytes]]:
    """Return small files that state enormous contents, and large ones of nothing."""
    million = 1 << 20
    enormous = b"\xff\xff\xff\xff\x7f"  # a length of 34 GB
    blob = b"\x3a\x06\x0a\x04" + b"\x7f" * 4 + b"\x2a" + enormous
    header = b'{"a.weight":{"dtype":"F32","shape":[1048576,1048576,1048576,1],"data_offsets":[0,4611686018427387904]}}'
    return {
        "net, counts": ("net", b"\xff" * 4 * len(TINY) + bytes(10_000)),
        "caffemodel, length": ("caffemodel", b"\xa2\x06" + enormous + blob),
        "caffemodel, empty layers": ("caffemodel", b"\xa2\x06\x00" * million),
        "caffemodel, empty blobs": ("caffemodel", b"\xa2\x06\x80\x80\x80\x01" + b"\x3a\x00" * million),
        "onnx, empty nodes": ("onnx", b"\x3a\x80\x80\x80\x01" + b"\x0a\x00" * million),
        "onnx, groups in groups": ("onnx", b"\x0b" * million),
        "torch7, one tensor": ("torch7", torch7_bomb(1200)),
        "mxnet, arrays": ("mxnet", MAGIC + bytes(8) + b"\xff" * 7 + b"\0" + bytes(1000)),
        "mxnet, shape": (
            "mxnet",
            MAGIC + bytes(8) + struct.pack("<QIii4qiii", 1, 0xF993FAC9, 0, 4, *[million] * 4, 1, 0, 0),
        ),
        "chainer, shape": ("chainer", npy_bomb()),
        "chainer, directory": ("chainer", zip_bomb()),
        "keras, names": ("keras", hdf5_bytes(repeated_names)),
        "keras, names of one group": ("keras", hdf5_bytes(names_of_one_group)),
        "keras, groups in groups": ("keras", hdf5_bytes(nested_groups)),
        "keras, shape": ("keras", hdf5_bytes(unwritten)),
        "safetensors, shape": ("safetensors", len(header).to_bytes(8, "little") + header),
        "safetensors, digits": ("safetensors", (9_002).to_bytes(8, "little") + b"[" + b"9" * 9_000 + b"]"),
    }


@pytest.mark.parametrize("name", bombs())
def test_bombs_are_refused_in_little_memory(name: str) -> None:
    file_format, data = bombs()[name]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"expected|damaged"):
            load(data, file_format)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6
