"""Weight files of MXNet, Chainer and Torch7: what is read, and what is refused and why.

The files are written by `tests/helpers/port_files.py`; `test_frameworks.py` has MXNet and Chainer write them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.weights import chainer, mxnet, torch7, torch7_objects
from converters.weights.read import read_weights
from tests.converters.weights.test_read import assert_same
from tests.helpers.port_files import (
    MXNET_VERSIONS,
    LuaFunction,
    Module,
    chainer_bytes,
    chainer_tensors,
    mxnet_bytes,
    mxnet_tensors,
    sequential,
    torch7_bytes,
    torch7_convolution,
    torch7_network,
    zip_of,
)
from tests.helpers.weight_files import random_tensors

# MXNet ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", MXNET_VERSIONS)
@pytest.mark.parametrize("prefix", ["", "arg:"])
def test_mxnet_of_every_version_is_read(version: int, prefix: str) -> None:
    tensors = random_tensors()
    read = mxnet.read(mxnet_bytes(mxnet_tensors(tensors), version, prefix))
    assert_same(read, tensors)
    assert (read.format, read.unused, read.additions) == ("mxnet", (), None)


@pytest.mark.parametrize(("prefix", "names"), [("squeezenet7_", {"conv0", "conv1"}), ("net", {"netconv0", "netconv1"})])
def test_mxnet_s_name_of_the_network_is_left_out(prefix: str, names: set[str]) -> None:
    tensors = random_tensors({f"{prefix}conv{number}": (1, 1, 1, 1) for number in range(2)})
    assert set(mxnet.read(mxnet_bytes(mxnet_tensors(tensors))).layers) == names


@pytest.mark.parametrize(("dtype", "tolerance"), [("<f2", 1e-3), ("<f8", 0.0)])
def test_mxnet_in_other_precisions_is_read(dtype: str, tolerance: float) -> None:
    tensors = random_tensors()
    arrays = {name: values.astype(dtype) for name, values in mxnet_tensors(tensors).items()}
    assert_same(mxnet.read(mxnet_bytes(arrays)), tensors, tolerance)


def test_mxnet_statistics_of_batch_normalisation_are_told() -> None:
    arrays = {**mxnet_tensors(random_tensors()), "bn1_moving_mean": np.zeros(4, np.float32)}
    assert mxnet.read(mxnet_bytes(arrays)).normalisations == ("bn1",)


def test_mxnet_arrays_that_are_none_are_passed_over() -> None:
    arrays = mxnet_tensors(random_tensors())
    nothing = struct.pack("<IiI", 0xF993FAC9, 0, 0)
    data = mxnet_bytes(arrays)
    names = struct.pack("<Q", len(arrays) + 1)
    at = data.rindex(struct.pack("<Q", len(arrays)))  # the number of names
    changed = data[:at] + nothing + names + data[at + 8 :] + struct.pack("<Q", 5) + b"empty"
    assert_same(mxnet.read(changed[:16] + names + changed[24:]), random_tensors())


def one_array(**changes: Any) -> bytes:
    """Write a file of one array, a kernel, with fields of its head changed."""
    fields: dict[str, Any] = {
        "mark": 0xF993FAC9,
        "storage": 0,
        "axes": 4,
        "shape": (1, 1, 1, 1),
        "dtype": 0,
        "name": b"a_weight",
    }
    fields |= changes
    shape = struct.pack(f"<i{len(fields['shape'])}q", fields["axes"], *fields["shape"])
    array = struct.pack("<Ii", fields["mark"], fields["storage"]) + shape + struct.pack("<iii", 1, 0, fields["dtype"])
    names = struct.pack("<QQ", 1, len(fields["name"])) + fields["name"]
    return struct.pack("<QQQ", 0x112, 0, 1) + array + bytes(4) + names


MXNET_FAULTS: dict[str, tuple[bytes, str]] = {
    "another file": (b"PK\3\4" + bytes(100), r"begins with 504b0304\w+; expected 1201"),
    "nothing": (b"", "begins with nothing"),
    "sparse": (one_array(storage=1), "array number 1 is stored as kind 1, which is sparse; expected 0"),
    "a dtype of later": (one_array(dtype=12), "has dtype number 12; expected 0 to 7"),
    "many axes": (one_array(axes=40), "has 40 axes; expected at most 8"),
    "fewer than no axes": (one_array(axes=-1), "has -1 axes"),
    "a negative length": (one_array(shape=(1, 1, -1, 1)), r"has shape \[1, 1, -1, 1\]; expected lengths up to"),
    "a kernel of a gigabyte": (one_array(shape=(1, 1, 1 << 20, 64)), "ends inside array number 1"),
    "no text for a name": (one_array(name=b"\xff\xfe_weight"), "name 1 is no text; expected UTF-8"),
    "a name of a megabyte": (one_array(name=b"a" * 1_000_001), "name 1 is 1000001 bytes long; expected at most"),
    "a kernel of nothing": (one_array(name=b"conv1"), "holds 1 tensors and no convolution"),
    "more behind": (one_array() + b"x", "1 bytes follow the last name"),
    "a million arrays": (struct.pack("<QQQ", 0x112, 0, 1_000_000), "states 1000000 arrays; expected at most 10000"),
    "no names": (one_array().replace(struct.pack("<QQ", 1, 8) + b"a_weight", bytes(8)), "1 arrays and 0 names"),
    "a name twice": (
        mxnet_bytes({"a_weight": np.ones((1, 1, 1, 1), np.float32), "arg:a_weight": np.ones((1, 1, 1, 1), np.float32)}),
        "array a_weight is there twice",
    ),
}


@pytest.mark.parametrize("fault", MXNET_FAULTS)
def test_mxnet_faults_are_named(fault: str) -> None:
    data, message = MXNET_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        mxnet.read(data)


# Chainer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("prefix", ["", "predictor/", "updater/model:main/", "updater/model:main/predictor/"])
def test_chainer_is_read(compressed: bool, prefix: str) -> None:
    tensors = random_tensors()
    read = chainer.read(chainer_bytes(chainer_tensors(tensors), compressed, prefix))
    assert_same(read, tensors)
    assert (read.format, read.unused, read.additions) == ("chainer", (), None)


def test_a_chainer_snapshot_is_read_without_what_the_optimizer_keeps() -> None:
    tensors = random_tensors()
    own = {f"updater/model:main/{name}": values for name, values in chainer_tensors(tensors).items()}
    kept = {
        f"updater/optimizer:main/{name}": values for name, values in chainer_tensors(random_tensors(seed=1)).items()
    }
    read = chainer.read(chainer_bytes({**kept, **own, "updater/iteration": np.array(7)}))
    assert_same(read, tensors)
    assert read.unused == ()


@pytest.mark.parametrize(("dtype", "tolerance"), [("<f2", 1e-3), (">f4", 0.0), ("<f8", 0.0)])
def test_chainer_in_other_numbers_and_orders_is_read(dtype: str, tolerance: float) -> None:
    tensors = random_tensors()
    arrays = {name: np.asfortranarray(values.astype(dtype)) for name, values in chainer_tensors(tensors).items()}
    assert_same(chainer.read(chainer_bytes(arrays)), tensors, tolerance)


def test_chainer_statistics_of_batch_normalisation_are_told() -> None:
    arrays = {**chainer_tensors(random_tensors()), "fire2/bn4/avg_mean": np.zeros(4, np.float32)}
    assert chainer.read(chainer_bytes(arrays)).normalisations == ("fire2/bn4",)


def npy(head: str, content: bytes = bytes(4), magic: bytes = b"\x93NUMPY\1\0") -> bytes:
    text = head.encode() + b"\n"
    return magic + len(text).to_bytes(2, "little") + text + content


def pickled() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.array([None]))
    return out.getvalue()


def head(shape: str = "(1, 1, 1, 1)", dtype: str = "'<f4'") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"


CHAINER_FAULTS: dict[str, tuple[bytes, str]] = {
    "no zip": (b"\x12\1" + bytes(50), "cut short or damaged"),
    "nothing in it": (zip_of({}), "0 tensors and no convolution"),
    "objects of Python": (pickled(), "array a has dtype object; expected numbers"),
    "another file": (zip_of({"a/W.npy": b"text"}), "array a/W is damaged"),
    "a version of later": (zip_of({"a/W.npy": npy(head(), magic=b"\x93NUMPY\7\0")}), "array a/W is damaged"),
    "a head that nests": (zip_of({"a/W.npy": npy("[" * 9000)}), "array a/W is damaged"),
    "a head that is a program": (zip_of({"a/W.npy": npy("__import__('os').abort()")}), "array a/W is damaged"),
    "a shape of exabytes": (zip_of({"a/W.npy": npy(head("(1048576, 1048576, 1048576, 1)"))}), "has 4 bytes; expected"),
    "a shape of long numbers": (
        zip_of({"a/W.npy": npy(head(f"({'9' * 4000},)"))}),
        "array a/W (is damaged|has 4 bytes)",
    ),
    "a negative length": (zip_of({"a/W.npy": npy(head("(-1, 1, -1, 1)"))}), "has 4 bytes; expected those of float32"),
    "a cut array": (zip_of({"a/W.npy": npy(head(), bytes(3))}), "array a/W has 3 bytes"),
    "many members": (zip_of({f"{n}.npy": b"" for n in range(10_001)}), "holds 10001 arrays; expected at most"),
    "a bias of another length": (
        chainer_bytes({"a/W": np.ones((2, 1, 1, 1), np.float32), "a/b": np.ones(3, np.float32)}),
        "layer a has 3 biases; expected 2",
    ),
}


@pytest.mark.parametrize("fault", CHAINER_FAULTS)
def test_chainer_faults_are_named(fault: str) -> None:
    data, message = CHAINER_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        chainer.read(data)


# Torch7 ---------------------------------------------------------------------------------------------------------

FIRES = {
    "convolution 1": (4, 3, 3, 3),
    **{f"convolution {3 * fire + 2}": (2, 4, 1, 1) for fire in range(2)},
    **{f"convolution {3 * fire + 3}": (2, 2, 1, 1) for fire in range(2)},
    **{f"convolution {3 * fire + 4}": (2, 2, 3, 3) for fire in range(2)},
    "convolution 8": (5, 4, 1, 1),
}
SHAPES = {name: FIRES[name] for name in sorted(FIRES)}


@pytest.mark.parametrize("flat_kernels", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_torch7_is_read_in_order(flat_kernels: bool, old: bool) -> None:
    tensors = random_tensors(SHAPES)
    read = torch7.read(torch7_bytes(torch7_network(tensors, flat_kernels=flat_kernels), old=old))
    assert_same(read, tensors)
    assert (read.format, read.unused, read.additions, read.normalisations) == ("torch7", (), (), ())
    assert [layer.padding for layer in read.layers.values()] == [
        (0, 0), (0, 0), (0, 0), (1, 1), (0, 0), (0, 0), (1, 1), (0, 0)
    ]  # fmt: skip


@pytest.mark.parametrize("numbers", ["Double", "Cuda", "CudaDouble", "Half", "CudaHalf"])
def test_torch7_in_other_numbers_is_read(numbers: str) -> None:
    tensors = random_tensors(SHAPES)
    read = torch7.read(torch7_bytes(torch7_network(tensors), numbers))
    assert_same(read, tensors, 1e-3 if "Half" in numbers else 0.0)


def test_torch7_bypasses_are_seen() -> None:
    read = torch7.read(torch7_bytes(torch7_network(random_tensors(SHAPES), bypassed=(1,))))
    assert len(read.additions or ()) == 1
    assert_same(read, random_tensors(SHAPES))


def around(network: Module) -> dict[str, Any]:
    return {
        "in a table": {"epoch": 3, "model": network, "done": False},
        "for many GPUs": Module("nn.DataParallelTable", modules=[network, torch7_network(random_tensors(SHAPES, 9))]),
        "in a decorator": Module("nn.FireModule", module=network, s1x1=16),
        "with functions": {"hooks": [LuaFunction(6), LuaFunction(7), LuaFunction(8)], "net": network},
    }


@pytest.mark.parametrize("where", around(sequential()))
def test_torch7_networks_are_found(where: str) -> None:
    tensors = random_tensors(SHAPES)
    assert_same(torch7.read(torch7_bytes(around(torch7_network(tensors))[where])), tensors)


def test_torch7_modules_that_are_there_twice_are_read_once() -> None:
    tensors = random_tensors({"convolution 1": (2, 1, 1, 1)})
    layer = torch7_convolution(*tensors["convolution 1"])
    found = torch7.read(
        torch7_bytes(sequential(Module("nn.FireModule", module=sequential(layer), squeeze=layer), layer))
    )
    assert_same(found, tensors)


def test_torch7_weights_of_one_storage_are_read() -> None:
    """`getParameters` puts all weights of a network into one storage, and each tensor has its offset there."""
    storage = np.arange(10, dtype=np.float32)
    tensor = torch7_objects.Tensor((2, 3), (3, 1), 4, storage)
    np.testing.assert_array_equal(tensor.values("x"), [[4, 5, 6], [7, 8, 9]])
    for wrong in (
        torch7_objects.Tensor((2, 3), (3, 1), 5, storage),
        torch7_objects.Tensor((2, 3), (1, 2), 0, storage),
        torch7_objects.Tensor((2, 3), (0, 0), 0, storage),
        torch7_objects.Tensor((2, 3), (3, 1), -1, storage),
        torch7_objects.Tensor((-2, 3), (3, 1), 0, storage),
        torch7_objects.Tensor((2, 3), (3, 1), 0, None),
    ):
        with pytest.raises(ValueError, match=r"x has lengths .* expected values one after another within its storage"):
            wrong.values("x")


def integer(value: int) -> bytes:
    return struct.pack("<i", value)


def convolution_with(**fields: Any) -> bytes:
    layer = torch7_convolution(np.ones((2, 1, 1, 1), np.float32), np.ones(2, np.float32))
    layer.fields |= fields
    return torch7_bytes(sequential(layer))


TORCH7_FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "ends inside an object"),
    "an unknown type": (integer(9), "an object has type 9 at byte 0; expected 0 to 8"),
    "a number": (torch7_bytes(1.5), "the file holds a float; expected a network"),
    "a table of nothing": (torch7_bytes({"epoch": 3}), "the file holds a table; expected a network"),
    "a network of nothing": (torch7_bytes(sequential()), "holds no SpatialConvolution"),
    "more behind": (torch7_bytes(sequential()) + b"x", "1 bytes follow the last object"),
    "tables in tables": (b"".join(integer(3) + integer(n) + integer(1) for n in range(10_000)), "objects 101 deep"),
    "a table of millions": (integer(3) + integer(1) + integer(1 << 30) + integer(0) * 1_100_000, "500,001 so far"),
    "a string of a gigabyte": (integer(2) + integer(1 << 30), "a string is 1073741824 bytes long"),
    "a string of less than nothing": (integer(2) + integer(-5), "ends inside a string"),
    "code of a gigabyte": (integer(8) + integer(1) + integer(1 << 30), "ends inside a function"),
    "a storage of exabytes": (
        integer(4) + integer(1) + integer(18) + b"torch.FloatStorage" + struct.pack("<q", 1 << 61),
        "ends inside torch.FloatStorage",
    ),
    "a storage of less than nothing": (
        integer(4) + integer(1) + integer(18) + b"torch.FloatStorage" + struct.pack("<q", -1),
        "ends inside torch.FloatStorage",
    ),
    "a tensor of many axes": (
        integer(4) + integer(1) + integer(17) + b"torch.FloatTensor" + integer(1000),
        "a torch.FloatTensor has 1000 axes; expected at most 8",
    ),
    "no weight": (convolution_with(weight=None), "layer convolution 1's weight is missing; expected a tensor"),
    "a weight that is a number": (convolution_with(weight=3), "weight is no tensor"),
    "no bias": (convolution_with(bias=None), "layer convolution 1's bias is missing"),
    "a bias of another length": (convolution_with(bias=np.ones(3, np.float32)), "has 3 biases; expected 2"),
    "half a padding": (convolution_with(padW=0.5), "a nn.SpatialConvolution has padW 0.5"),
    "a padding of none": (convolution_with(padH=float("nan")), "has padH nan; expected a small whole number"),
    "a kernel of other inputs": (
        convolution_with(weight=np.ones((2, 5), np.float32), nInputPlane=3),
        r"layer convolution 1 holds 10 weights; expected 6 for a kernel \[2, 3, 1, 1\]",
    ),
}


@pytest.mark.parametrize("fault", TORCH7_FAULTS)
def test_torch7_faults_are_named(fault: str) -> None:
    data, message = TORCH7_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        torch7.read(data)


def test_torch7_layers_of_other_kinds_are_told() -> None:
    weight = np.ones((2, 2), np.float32)
    network = torch7_network(random_tensors(SHAPES))
    network.fields["modules"] += [
        Module("nn.Linear", weight=weight, bias=weight[0]),
        Module("nn.SpatialBatchNormalization", weight=weight[0], running_mean=weight[0]),
    ]
    read = torch7.read(torch7_bytes(network))
    assert read.unused == ("nn.Linear number 20",)
    assert read.normalisations == ("nn.SpatialBatchNormalization number 21",)


# All of them ----------------------------------------------------------------------------------------------------

FILES: dict[str, Callable[[], bytes]] = {
    ".params": lambda: mxnet_bytes(mxnet_tensors(random_tensors())),
    ".npz": lambda: chainer_bytes(chainer_tensors(random_tensors())),
    ".t7": lambda: torch7_bytes(torch7_network(random_tensors(SHAPES))),
}


@pytest.mark.parametrize("ending", FILES)
def test_every_cut_is_refused(ending: str) -> None:
    data = FILES[ending]()
    for length in {*range(0, len(data), 7), len(data) - 1}:
        with pytest.raises(ValueError, match=r"expected|damaged"):
            {".params": mxnet.read, ".npz": chainer.read, ".t7": torch7.read}[ending](data[:length])


@pytest.mark.parametrize("ending", FILES)
def test_files_of_other_names_are_read_by_their_beginning(ending: str, tmp_path: Path) -> None:
    for name in (f"weights{ending}", "weights.bin"):
        (tmp_path / name).write_bytes(FILES[ending]())
        assert len(read_weights(tmp_path / name).layers) == (8 if ending == ".t7" else 4)
