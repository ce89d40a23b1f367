"""Published weights on our network: found, downloaded, recognised, renamed, turned to RGB, and right."""

from __future__ import annotations

import hashlib
import http.server
import json
import math
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.weights import hdf5, hdf5_worker
from converters.weights.names import Layout
from sqz_tf.base.errors import SqzError
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, to_dict
from sqz_tf.images.decode import decode
from sqz_tf.images.find import scan
from sqz_tf.images.imagenet_classes import imagenet_classes
from sqz_tf.images.resize import preprocess
from sqz_tf.network import weight_files
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.pretrained import (
    Pretrained,
    WeightsError,
    _layouts,
    _licence,
    _net_layers,
    _pools_evenly,
    find,
    load,
)
from tests.helpers.keras_files import keras_bytes
from tests.helpers.needs import ROOT, dev_data
from tests.helpers.port_files import (
    chainer_bytes,
    chainer_tensors,
    mxnet_bytes,
    mxnet_tensors,
    torch7_bytes,
    torch7_network,
)
from tests.helpers.weight_files import caffemodel_bytes, flat, onnx_bytes, random_tensors, safetensors_bytes

V1_0 = ModelSpec(arch="squeezenet-1.0", input_size=227, conv10_padding=1)


@pytest.fixture(autouse=True)
def _quick_hdf5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "_reply", hdf5_worker.reply_to)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the published file, and put its folder where `imagenet` is looked for first."""
    path = dev_data(f"squeezenet_v1.0_deep_compression/{weight_files.FILE_NAME}")
    monkeypatch.setenv(weight_files.FOLDER_VARIABLE, str(path.parent))
    return path


# Layers and classes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arch", "parameters"), [("squeezenet-1.0", 1_248_424), ("squeezenet-1.1", 1_235_496)])
def test_parameter_counts_are_the_papers(arch: str, parameters: int) -> None:
    shapes = layer_shapes(ModelSpec(arch=arch)).values()
    assert sum(math.prod(shape) + shape[-1] for shape in shapes) == parameters


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(arch="squeezenet-1.0", input_size=64, bypass="complex"),
        ModelSpec(input_size=64, classes=7, width=0.37, channels=1),
        ModelSpec(input_size=48, squeeze_ratio=0.3, pct_3x3=0.8, base_e=100, incr_e=36, freq=3, width=0.21),
    ],
    ids=["complex bypass", "narrow grey", "metaparameters"],
)
def test_layer_shapes_are_those_of_the_keras_model(spec: ModelSpec) -> None:
    from sqz_tf.train.squeezenet import convolutions, squeezenet

    model = {layer.name: tuple(layer.kernel.shape) for layer in convolutions(squeezenet(spec))}
    assert layer_shapes(spec) == model


def test_imagenet_has_1000_classes_in_order() -> None:
    classes = imagenet_classes()
    assert len(classes) == 1000
    assert [entry.wnid for entry in classes] == sorted({entry.wnid for entry in classes})
    assert classes[0].label == "tench"
    assert classes[999].names[0] == "toilet tissue"
    assert [index for index, entry in enumerate(classes) if entry.label == "crane"] == [134, 517]


def test_the_light_room_stays_light() -> None:
    code = (
        "import sys, sqz_tf.network.pretrained;"
        "print(*{'tensorflow', 'tf_keras', 'torch', 'google.protobuf'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


# The published file ---------------------------------------------------------------------------------------------


def test_imagenet_is_the_published_network(published: Path) -> None:
    found = load("imagenet")
    assert found.layout == "deep-compression-1.0"
    assert found.sha256 == weight_files.SHA256
    assert found.model == V1_0
    assert found.preprocess == PreprocessSpec(
        227, 227, fit="warp", resize_width=256, resize_height=256, scale=1.0, mean=(123, 117, 104), std=(1, 1, 1)
    )
    assert {name: kernel.shape for name, (kernel, _) in found.layers.items()} == layer_shapes(V1_0)
    assert found.notes == ()
    assert found.source == "https://github.com/songhan/SqueezeNet-Deep-Compression"
    assert "Redistributions in binary form must reproduce" in found.licence
    assert "SqueezeNet v1.0" in found.licence


def test_conv1_takes_rgb(published: Path) -> None:
    from converters.weights.read import read_weights

    raw = read_weights(published, net_layers=_net_layers()).layers["conv1"]
    kernel, bias = load("imagenet").layers["conv1"]
    np.testing.assert_array_equal(kernel[:, :, 0], raw.kernel[:, :, 2])
    np.testing.assert_array_equal(kernel[:, :, 2], raw.kernel[:, :, 0])
    np.testing.assert_array_equal(bias, raw.bias)
    assert kernel.flags.c_contiguous


@pytest.mark.parametrize(("size", "resize", "notes"), [(227, 256, 0), (224, 253, 1), (128, 144, 1), (195, 220, 0)])
def test_other_input_sizes_keep_the_scale_of_things(published: Path, size: int, resize: int, notes: int) -> None:
    found = load("imagenet", replace(V1_0, input_size=size))
    assert (found.preprocess.width, found.preprocess.resize_width) == (size, resize)
    assert len([note for note in found.notes if "rounds its pooling sizes up" in note]) == notes


def test_a_spec_for_other_classes_still_gets_the_published_head(published: Path) -> None:
    found = load("imagenet", replace(V1_0, classes=5, conv10_padding=0, batch_norm=True, dropout=0.2))
    assert found.model == replace(V1_0, dropout=0.2)
    assert found.layers["conv10"][0].shape == (1, 1, 512, 1000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"arch": "squeezenet-1.1"},
            "holds SqueezeNet v1.0.*expected weights of squeezenet-1.1; use --arch",
        ),
        ({"channels": 1}, "use --channels 3"),
        ({"bypass": "simple"}, "a network with none bypass; expected simple; use --bypass none"),
        ({"width": 0.5}, r"layer conv1 .*\[7, 7, 3, 96\]; expected \[7, 7, 3, 48\]"),
        ({"squeeze_ratio": 0.25}, r"layer fire2/squeeze1x1 .*\[1, 1, 96, 16\]; expected \[1, 1, 96, 32\]"),
    ],
)
def test_weights_of_another_network_are_refused(published: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        load("imagenet", replace(V1_0, **changes))


def network(found: Pretrained) -> Any:
    from sqz_tf.train.squeezenet import squeezenet

    model = squeezenet(found.model, found.preprocess)
    for name, layer in found.layers.items():
        model.get_layer(name).set_weights(layer)
    return model


def accuracy(count: int) -> tuple[float, float]:
    """Return top-1 and top-5 of the published network on the first labelled pictures."""
    found, pictures = load("imagenet"), scan(dev_data("imagenet_dev"))
    entries = pictures.entries[:: max(1, len(pictures.entries) // count)]
    pixels = np.stack([preprocess(decode(pictures.read(entry)), found.preprocess) for entry in entries])
    index = {entry.wnid: number for number, entry in enumerate(imagenet_classes())}
    truth = np.array([index[pictures.wnids[entry.label or 0]] for entry in entries])
    scores = network(found).predict(pixels.astype(np.float32), batch_size=20, verbose=0)
    hits = np.argsort(-scores, axis=1)[:, :5] == truth[:, None]
    return float(hits[:, 0].mean()), float(hits.any(axis=1).mean())


def test_the_network_sees(published: Path) -> None:
    # Wrong channel order, mean or padding each cost far more than the spread of 40 pictures.
    top1, top5 = accuracy(40)
    assert top1 >= 0.5
    assert top5 >= 0.7


@pytest.mark.slow
def test_float_accuracy_is_the_published_one(published: Path) -> None:
    assert accuracy(400) == pytest.approx((0.645, 0.855), abs=0.005)


# Known layouts --------------------------------------------------------------------------------------------------


def layout_named(name: str) -> Layout:
    return next(layout for layout in _layouts() if layout.name == name)


def tensors_of(layout: Layout) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return random kernels [O, I, H, W] under the publisher's names, at full size."""
    shapes = layer_shapes(ModelSpec(arch=layout.facts["arch"]))
    return random_tensors(
        {theirs: (shapes[ours][3], shapes[ours][2], *shapes[ours][:2]) for theirs, ours in layout.layers.items()}
    )


def blocks_or_prefixes(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return arrays as MXNet names them: with a point where names are those of blocks, else with an underline."""
    return flat(tensors) if "features.0" in tensors else mxnet_tensors(tensors)


def weight_file(folder: Path, name: str, ending: str, **options: Any) -> tuple[Path, dict[str, Any]]:
    tensors = tensors_of(layout_named(name))
    path = folder / f"{name}{ending}"
    writers: dict[str, Callable[[], bytes]] = {
        ".safetensors": lambda: safetensors_bytes(flat(tensors)),
        ".onnx": lambda: onnx_bytes(tensors, **options),
        ".caffemodel": lambda: caffemodel_bytes(tensors, **options),
        ".h5": lambda: keras_bytes(tensors, **options),
        ".weights.h5": lambda: keras_bytes(tensors, "keras-2-new", **options),
        ".keras": lambda: keras_bytes(tensors, "keras-3-whole", **options),
        ".params": lambda: mxnet_bytes(blocks_or_prefixes(tensors), **options),
        ".npz": lambda: chainer_bytes(chainer_tensors(tensors), compressed=False),
        ".t7": lambda: torch7_bytes(torch7_network(tensors, **options)),
    }
    path.write_bytes(writers[ending]())
    return path, tensors


BGR, RGB = ((123.0, 117.0, 104.0), 1.0, "warp"), ((0.485, 0.456, 0.406), 1 / 255, "centre-crop")
SHIFTED = ((122.679, 116.669, 104.006), 1.0, "warp")
PLAIN = ((0.0, 0.0, 0.0), 1 / 255, "centre-crop")
TURNED = (BGR[0], 1.0, "warp")  # the same numbers, and the file has them for RGB already
ASSUMED = (
    "mxnet-caffe",
    "ejlb",
    "chainercv2",
    "torch7",
    "dt42",
    "sqz-tf",
    "keras-order",
)  # layouts whose files leave open what the input is


@pytest.mark.parametrize(
    ("name", "ending", "size", "conv10_padding", "preprocess"),
    [
        ("caffe-1.0", ".caffemodel", 227, 1, BGR),
        ("caffe-1.1", ".onnx", 224, 0, BGR),
        ("dsd-1.0", ".safetensors", 227, 1, BGR),
        ("torchvision-1.0", ".safetensors", 227, 0, RGB),
        ("torchvision-1.1", ".safetensors", 224, 0, RGB),
        ("gluon-1.0", ".onnx", 227, 0, RGB),
        ("gluon-1.1", ".onnx", 224, 0, RGB),
        ("gluon-short-1.0", ".params", 227, 0, RGB),
        ("gluon-short-1.1", ".params", 224, 0, RGB),
        ("gluon-blocks-1.0", ".params", 227, 0, RGB),
        ("gluon-blocks-1.1", ".params", 224, 0, RGB),
        ("mxnet-caffe-1.0", ".params", 227, 1, TURNED),
        ("mxnet-caffe-1.1", ".params", 224, 0, TURNED),
        ("caffe-1.0", ".npz", 227, 1, BGR),
        ("ejlb-1.0", ".npz", 227, 1, BGR),
        ("chainercv2-1.0", ".npz", 227, 0, RGB),
        ("chainercv2-1.1", ".npz", 224, 0, RGB),
        ("torch7-1.0", ".t7", 227, 0, RGB),  # the file says its padding
        ("torch7-1.1", ".t7", 224, 0, RGB),
        ("rcmalli-1.1", ".h5", 224, 0, SHIFTED),
        ("dt42-1.0", ".h5", 227, 0, PLAIN),
        ("sqz-tf-1.0", ".h5", 227, 0, PLAIN),
        ("keras-order-1.1", ".weights.h5", 224, 0, PLAIN),
        ("sqz-tf-1.1", ".keras", 224, 0, PLAIN),
    ],
)
def test_known_layouts(tmp_path: Path, name: str, ending: str, size: int, conv10_padding: int, preprocess: Any) -> None:
    path, tensors = weight_file(tmp_path, name, ending)
    found = load(str(path))
    assert found.layout == name
    assert (found.model.arch, found.model.input_size) == (f"squeezenet-{name[-3:]}", size)
    assert found.model.conv10_padding == conv10_padding
    assert (found.preprocess.mean, found.preprocess.scale, found.preprocess.fit) == preprocess
    assert found.preprocess.resize_width == (size if preprocess in (SHIFTED, PLAIN) else 256)
    assert any("if not so, say it in" in note for note in found.notes) is name.startswith(ASSUMED)
    assert not [note for note in found.notes if "say it in" not in note and "pads conv10" not in note]
    assert found.source == str(path)
    for theirs, ours in layout_named(name).layers.items():
        kernel = tensors[theirs][0].transpose(2, 3, 1, 0)
        expected = (
            kernel[:, :, ::-1] if ours == "conv1" and any(preprocess is each for each in (BGR, SHIFTED)) else kernel
        )  # TURNED is in order
        np.testing.assert_array_equal(found.layers[ours][0], expected)
        np.testing.assert_array_equal(found.layers[ours][1], tensors[theirs][1])


def by_rule(conv1: str, name: Callable[[int, int], str], conv10: str) -> dict[str, str]:
    """Return a table of names: `name` is given the Fire module, and 0 for squeeze, 1 and 2 for expand 1×1 and 3×3."""
    ours = ("squeeze1x1", "expand1x1", "expand3x3")
    fires = {name(fire, part): f"fire{fire}_{ours[part]}" for fire in range(2, 10) for part in range(3)}
    return {conv1: "conv1", **fires, conv10: "conv10"}


def test_names_are_the_publishers() -> None:
    caffe = by_rule(
        "conv1", lambda fire, part: f"fire{fire}/{('squeeze1x1', 'expand1x1', 'expand3x3')[part]}", "conv10"
    )
    dsd = by_rule(
        "conv1", lambda fire, part: f"fire{fire}/{('conv1x1_1', 'conv1x1_2', 'conv3x3_2')[part]}", "conv_final"
    )
    gluon = by_rule(
        "squeezenet0_conv0", lambda fire, part: f"squeezenet0_conv{3 * fire - 5 + part}", "squeezenet0_conv25"
    )

    def torchvision(pools_before: Callable[[int], int]) -> dict[str, str]:
        # features: 0 conv1, 1 ReLU, 2 pooling, then Fire modules 2 to 9 with further poolings among them.
        parts = ("squeeze", "expand1x1", "expand3x3")
        return by_rule(
            "features.0", lambda fire, part: f"features.{fire + 1 + pools_before(fire)}.{parts[part]}", "classifier.1"
        )

    torch10, torch11 = (
        torchvision(lambda fire: (fire > 4) + (fire > 8)),
        torchvision(lambda fire: (fire > 3) + (fire > 5)),
    )
    ends = ("0.0", "1.0.0", "1.1.0")

    def blocks(number: str) -> dict[str, str]:
        """Gluon's own names by blocks: those of torchvision, but for the parts of a Fire module and the last layer."""
        pools = {"1.0": (4, 8), "1.1": (3, 5)}[number]
        return by_rule(
            "features.0",
            lambda fire, part: f"features.{fire + 1 + sum(fire > p for p in pools)}.{ends[part]}",
            "output.0",
        )

    def stages(*sizes: int) -> dict[str, str]:
        places = [(stage, unit) for stage, count in enumerate(sizes, start=1) for unit in range(1, count + 1)]
        parts = ("squeeze", "expand1x1", "expand3x3")
        return by_rule(
            "features/init_block/conv",
            lambda fire, part: "features/stage{}/unit{}/".format(*places[fire - 2]) + f"{parts[part]}/conv",
            "output/final_conv",
        )

    ours = {name: name for name in layer_shapes(ModelSpec())}
    short = {theirs.removeprefix("squeezenet0_"): name for theirs, name in gluon.items()}
    in_order = {f"convolution {n}": name for n, name in enumerate(ours, start=1)}
    published = {layout.name: dict(layout.layers) for layout in _layouts()}
    assert published == {
        **dict.fromkeys(("deep-compression-1.0", "caffe-1.0", "caffe-1.1"), caffe),
        "dsd-1.0": dsd,
        "torchvision-1.0": torch10,
        "torchvision-1.1": torch11,
        **dict.fromkeys(("gluon-1.0", "gluon-1.1"), gluon),
        **dict.fromkeys(("gluon-short-1.0", "gluon-short-1.1"), short),
        **{f"gluon-blocks-{number}": blocks(number) for number in ("1.0", "1.1")},
        **dict.fromkeys(("mxnet-caffe-1.0", "mxnet-caffe-1.1"), ours),
        "rcmalli-1.1": caffe,
        "dt42-1.0": by_rule(
            "conv1", lambda fire, part: f"fire{fire}_{('squeeze', 'expand1', 'expand2')[part]}", "conv10"
        ),
        **dict.fromkeys(("sqz-tf-1.0", "sqz-tf-1.1"), ours),
        "ejlb-1.0": by_rule("conv1", lambda fire, part: f"fire{fire}/conv{part + 1}", "conv10"),
        "chainercv2-1.0": stages(3, 4, 1),
        "chainercv2-1.1": stages(2, 2, 4),
        **dict.fromkeys(("torch7-1.0", "torch7-1.1", "keras-order-1.0", "keras-order-1.1"), in_order),
    }


def test_layouts_name_all_layers_once() -> None:
    assert len({layout.name for layout in _layouts()}) == len(_layouts()) == 25
    for layout in _layouts():
        spec = ModelSpec(arch=layout.facts["arch"])
        assert list(layout.layers.values()) == list(layer_shapes(spec))
        assert _pools_evenly(replace(spec, input_size=layout.facts["input_size"]))
        assert _licence(layout.facts)


def test_what_a_network_wants_of_a_picture_is_taken_from_a_file_beside_it(tmp_path: Path) -> None:
    path, tensors = weight_file(tmp_path, "torch7-1.1", ".t7")
    assert any(
        "ImageNet's mean, by its spread; if not so, say it in torch7-1.1.t7.network.json" in note
        for note in load(str(path)).notes
    )
    beside = tmp_path / "torch7-1.1.t7.network.json"
    beside.write_text(json.dumps({"channel_order": "BGR", "mean": [0.1, 0.2, 0.3], "std": [1, 1, 2], "fit": "warp"}))
    found = load(str(path))
    assert found.notes == ()
    assert (found.preprocess.mean, found.preprocess.std) == ((0.3, 0.2, 0.1), (2.0, 1.0, 1.0))
    assert (found.preprocess.scale, found.preprocess.fit) == (1 / 255, "warp")
    kernel = tensors["convolution 1"][0].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(found.layers["conv1"][0], kernel[:, :, ::-1])
    for wrong, message in (
        ({"mean": [1, 2]}, "mean has 2 values; expected 3"),
        ({"std": [1, 0, 1]}, "the smallest std is 0"),
        ({"order": "RGB"}, "order"),
        ({"channel_order": "GRB"}, "channel_order is 'GRB'; expected one of RGB, BGR"),
        ({"bypass": "wide"}, "bypass is 'wide'; expected one of none, simple, complex"),
        ({"conv10_padding": 2}, "conv10_padding is 2; expected one of 0, 1"),
        ([1], "network.json cannot be used"),
    ):
        beside.write_text(json.dumps(wrong))
        with pytest.raises(WeightsError, match=message):
            load(str(path))


def test_a_bypass_that_a_file_leaves_open_is_taken_from_a_file_beside_it(tmp_path: Path) -> None:
    path, _ = weight_file(tmp_path, "chainercv2-1.0", ".npz")
    assert load(str(path)).model.bypass == "none"
    assert "looks alike in a .npz" in load(str(path)).notes[0]
    (tmp_path / f"{path.name}.network.json").write_text('{"bypass": "simple", "conv10_padding": 1}')
    found = load(str(path))
    assert (found.model.bypass, found.model.conv10_padding, found.notes) == ("simple", 1, ())


def test_a_network_of_this_kit_is_what_its_export_says(tmp_path: Path) -> None:
    tensors = tensors_of(layout_named("sqz-tf-1.1"))
    path = tmp_path / "model.keras"
    path.write_bytes(keras_bytes(tensors, "keras-3-whole", additions=4, conv10={}))
    preprocess = PreprocessSpec(96, 96, resize_width=100, resize_height=100, scale=1.0, mean=(3, 2, 1), std=(9, 9, 9))
    model = ModelSpec(input_size=96, bypass="simple", conv10_padding=1)
    config = {"preprocess": to_dict(preprocess), "model": to_dict(model)}
    (tmp_path / "manifest.json").write_text(json.dumps({"config": config}))
    (tmp_path / "LICENCE.weights.txt").write_text("Keep this.")
    found = load(str(path))
    assert found.licence == "Keep this."
    assert (found.model.input_size, found.model.bypass, found.notes[1:]) == (96, "simple", ())
    assert found.model.conv10_padding == 0  # as its own description says, which is noted
    assert "pads conv10 by 0" in found.notes[0]
    assert found.preprocess == replace(preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    (tmp_path / "manifest.json").write_text(json.dumps({"config": {"preprocess": {"width": 0}}}))
    with pytest.raises(WeightsError, match="is damaged"):
        load(str(path))
    path.write_bytes(b"")  # neither the folder's numbers nor anything else stand in for the file that was named
    with pytest.raises(WeightsError, match=r"give the export's folder for the network as it was exported"):
        load(str(path))


def test_a_keras_file_without_a_description_is_taken_to_be_the_published_network(tmp_path: Path) -> None:
    path, _ = weight_file(tmp_path, "rcmalli-1.1", ".h5")
    assert load(str(path)).model.bypass == "none"
    path.write_bytes(keras_bytes(tensors_of(layout_named("rcmalli-1.1")), "keras-3-whole", additions=4))
    assert load(str(path)).model.bypass == "simple"


def test_a_bypass_of_torch7_is_seen(tmp_path: Path) -> None:
    path, _ = weight_file(tmp_path, "torch7-1.0", ".t7", bypassed=(1, 3, 5, 7))
    assert load(str(path)).model.bypass == "simple"


def test_bypass_of_a_graph_is_seen(tmp_path: Path) -> None:
    path, _ = weight_file(tmp_path, "caffe-1.0", ".caffemodel", additions=4)
    assert load(str(path)).model.bypass == "simple"
    with pytest.raises(WeightsError, match="a network with simple bypass; expected none; use --bypass simple"):
        load(str(path), V1_0)
    path, _ = weight_file(tmp_path, "caffe-1.0", ".caffemodel")
    with pytest.raises(WeightsError, match="a network with none bypass; expected complex"):
        load(str(path), replace(V1_0, bypass="complex"))


def test_padding_that_differs_is_refused_or_noted(tmp_path: Path) -> None:
    path, _ = weight_file(tmp_path, "caffe-1.0", ".onnx")  # which pads no 1×1 convolution
    found = load(str(path))
    assert found.model.conv10_padding == 0
    assert "pads conv10 by 0, the published network by 1" in found.notes[0]
    path, _ = weight_file(tmp_path, "caffe-1.0", ".caffemodel")
    pad_of_1, pad_of_5 = b"\x08\xe8\x07\x18\x01", b"\x08\xe8\x07\x18\x05"  # num_output 1000, pad
    path.write_bytes(path.read_bytes().replace(pad_of_1, pad_of_5))
    with pytest.raises(WeightsError, match=r"last convolution is padded by \(5, 5\); expected 0 or 1"):
        load(str(path))
    path, _ = weight_file(tmp_path, "caffe-1.0", ".caffemodel")
    pad_of_1, pad_of_0 = b"\x08\x40\x18\x01", b"\x08\x40\x18\x00"  # num_output 64, pad: fire2's expand3x3
    path.write_bytes(path.read_bytes().replace(pad_of_1, pad_of_0, 1))
    with pytest.raises(WeightsError, match=r"layer fire2_expand3x3 is padded by \(0, 0\); expected \(1, 1\)"):
        load(str(path))


def test_files_that_are_no_known_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(safetensors_bytes(flat(random_tensors())))
    with pytest.raises(
        WeightsError, match=r"mine.safetensors: the file lacks fire2/expand3x3.*layers of layout caffe-1.1"
    ):
        load(str(path))
    path.write_bytes(b"just some text, no weights")
    with pytest.raises(WeightsError, match=r"mine.safetensors: it is text; expected one of \.net, "):
        load(str(path))
    with pytest.raises(WeightsError, match=r"there is no weight file .*absent.onnx; expected `imagenet` or a file"):
        load(str(tmp_path / "absent.onnx"))
    (tmp_path / "mine.h5").write_bytes(b"\x89HDF")
    with pytest.raises(WeightsError, match=r"mine.h5: the file is no HDF5; expected one, as Keras"):
        load(str(tmp_path / "mine.h5"))


# What is known of a file's SHA-256 ------------------------------------------------------------------------------


def test_a_damaged_net_file_is_never_loaded(published: Path, tmp_path: Path) -> None:
    # A changed weight is as good as any other to the format: only the digest tells.
    data = bytearray(published.read_bytes())
    data[104 + 1024 + 96 * 4 + 5] ^= 1
    path = tmp_path / "weights.net"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=f"expected {weight_files.SHA256}, after the published file"):
        load(str(path))
    (tmp_path / "weights.net.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  weights.net\n")
    assert load(str(path)).layout == "deep-compression-1.0"
    (tmp_path / "weights.net.sha256").write_text("")
    with pytest.raises(WeightsError, match=r"expected a digest, after weights\.net\.sha256"):
        load(str(path))


def test_a_hundred_damaged_copies_of_the_published_file(published: Path, tmp_path: Path) -> None:
    original, draw = published.read_bytes(), random.Random(5)
    path = tmp_path / "copy.net"
    for number in range(100):
        data = bytearray(original)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        if number % 4 == 0:
            del data[draw.randrange(len(data)) :]
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"copy\.net"):
            load(str(path))


def test_a_digest_in_the_name_is_checked(tmp_path: Path) -> None:
    path, _ = weight_file(tmp_path, "torchvision-1.1", ".safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    right, wrong = tmp_path / f"squeezenet1_1-{digest[:8]}.safetensors", tmp_path / "squeezenet1_1-b8a52dc0.safetensors"
    for name in (right, wrong):
        name.write_bytes(path.read_bytes())
    assert load(str(right)).sha256 == digest
    dated = right.rename(tmp_path / "squeezenet-20240131.safetensors")
    assert load(str(dated)).sha256 == digest
    with pytest.raises(WeightsError, match=r"expected b8a52dc0, after its name, .* or rename it"):
        load(str(wrong))


# Finding and downloading ----------------------------------------------------------------------------------------


class Server:
    """A web server on this machine that answers every request by `answer` and counts them."""

    def __init__(self) -> None:
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], None] = lambda handler: handler.send_error(404)
        self.requests = 0
        self.closing = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/{weight_files.FILE_NAME}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server()
    monkeypatch.setenv(weight_files.URL_VARIABLE, running.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(weight_files.FOLDER_VARIABLE, raising=False)
    yield running
    running.close()


def sending(data: bytes, length: int | None = None) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) if length is None else length))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


@pytest.fixture
def small_file(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return stand-in content for the published file, its size and digest put in place of the real ones."""
    data = bytes(range(256)) * 1000
    monkeypatch.setattr(weight_files, "SHA256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(weight_files, "FILE_BYTES", len(data))
    return data


def test_the_file_is_downloaded_once(server: Server, small_file: bytes, tmp_path: Path) -> None:
    server.answer = sending(small_file)
    path = find("imagenet", cache=tmp_path / "deep" / "cache")
    assert path == tmp_path / "deep" / "cache" / "compressed_SqueezeNet.net"
    assert path.read_bytes() == small_file
    assert find("imagenet", cache=path.parent) == path
    assert server.requests == 1
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_default_cache_is_the_users(
    server: Server, small_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = sending(small_file)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find("imagenet") == tmp_path / "sqz-tf" / "compressed_SqueezeNet.net"


def test_a_damaged_cache_is_downloaded_again(server: Server, small_file: bytes, tmp_path: Path) -> None:
    server.answer = sending(small_file)
    (tmp_path / weight_files.FILE_NAME).write_bytes(small_file[:-1])
    assert find("imagenet", cache=tmp_path).read_bytes() == small_file


def drip_without_end(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(1 << 16))
    except OSError:
        pass  # the client has had enough


FAILURES: dict[str, tuple[Callable[[bytes], Callable[[http.server.BaseHTTPRequestHandler], None]], str]] = {
    "wrong hash": (lambda data: sending(data[:-1] + b"!"), "received 256,000 bytes with SHA-256"),
    "cut short": (lambda data: sending(data[:1000], len(data)), r"IncompleteRead|received 1,000 bytes"),
    "too short": (lambda data: sending(data[:1000]), "received 1,000 bytes"),
    "empty": (lambda data: sending(b""), "received 0 bytes"),
    "too long": (lambda data: sending(data + data), "received at least .* bytes"),
    "without end": (lambda data: drip_without_end, "received at least .* bytes"),
    "not found": (lambda data: lambda handler: handler.send_error(404), "Not Found"),
    "server error": (lambda data: lambda handler: handler.send_error(503), "Service Unavailable"),
    "no answer": (lambda data: lambda handler: None, "closed connection|disconnected|reset"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_leaves_nothing(server: Server, small_file: bytes, tmp_path: Path, failure: str) -> None:
    answer, message = FAILURES[failure]
    server.answer = answer(small_file)
    with pytest.raises(WeightsError, match=message) as caught:
        find("imagenet", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
    text = str(caught.value)
    assert server.url in text
    assert f"expected 256,000 bytes with SHA-256 {weight_files.SHA256}" in text
    assert "set SQZ_TF_WEIGHTS to a folder that holds the file" in text
    assert "\n" not in text


def test_a_server_that_stalls_is_given_up(
    server: Server, small_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_files, "TIMEOUT_S", 0.2)

    def stall(handler: http.server.BaseHTTPRequestHandler) -> None:
        sending(small_file[:1000], len(small_file))(handler)
        server.closing.wait()

    server.answer = stall
    with pytest.raises(WeightsError, match="timed out"):
        find("imagenet", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_drips_is_given_up(
    server: Server, small_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_files, "DEADLINE_S", -1.0)
    server.answer = sending(small_file)
    with pytest.raises(WeightsError, match="not complete after"):
        find("imagenet", cache=tmp_path)


def test_no_network_is_said_in_one_line(small_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.close()  # nothing listens at its address any more
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(weight_files.FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv(weight_files.URL_VARIABLE, raising=False)
    monkeypatch.setattr(weight_files, "URLS", (server.url, server.url + "2"))
    with pytest.raises(WeightsError, match=r"cannot be downloaded .*refused.*2: .*refused") as caught:
        find("imagenet", cache=tmp_path)
    assert "SQZ_TF_WEIGHTS" in str(caught.value)


@pytest.mark.parametrize("url", ["no address", "ftp2://x/y", "http://"])
def test_an_address_that_is_none(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(weight_files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv(weight_files.URL_VARIABLE, url)
    with pytest.raises(WeightsError, match="cannot be downloaded"):
        find("imagenet", cache=tmp_path)


def test_the_second_address_is_tried(
    server: Server, small_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        sending(small_file)(handler) if handler.path.endswith("?2") else handler.send_error(404)

    server.answer = answer
    monkeypatch.delenv(weight_files.URL_VARIABLE)
    monkeypatch.setattr(weight_files, "URLS", (server.url, server.url + "?2"))
    assert find("imagenet", cache=tmp_path).read_bytes() == small_file


def test_a_cache_that_cannot_be_made(server: Server, small_file: bytes, tmp_path: Path) -> None:
    server.answer = sending(small_file)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"cannot be written .* set XDG_CACHE_HOME"):
        find("imagenet", cache=tmp_path / "file" / "cache")


def test_a_person_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(cls: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(weight_files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(homeless))
    with pytest.raises(WeightsError, match=r"there is no home directory.*set XDG_CACHE_HOME to a folder that can be"):
        find("imagenet")


def test_a_folder_is_looked_into_first(
    server: Server, small_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weight_files.FOLDER_VARIABLE, str(tmp_path))
    given = tmp_path / weight_files.FILE_NAME
    given.write_bytes(small_file)
    assert find("imagenet", cache=tmp_path / "cache") == given
    assert server.requests == 0
    given.write_bytes(b"something else")
    with pytest.raises(WeightsError, match=f"has SHA-256 .*; expected {weight_files.SHA256}; replace it"):
        find("imagenet", cache=tmp_path / "cache")
    assert given.exists()  # it is the user's
    given.unlink()
    server.answer = sending(small_file)
    assert find("imagenet", cache=tmp_path / "cache") == tmp_path / "cache" / given.name


def test_the_real_file_fits_what_is_pinned(published: Path, server: Server, tmp_path: Path) -> None:
    server.answer = sending(published.read_bytes())
    assert load("imagenet", cache=tmp_path).sha256 == weight_files.SHA256
    assert server.requests == 1
    assert issubclass(WeightsError, SqzError)


def test_published_addresses_name_the_file_at_a_commit() -> None:
    for url in weight_files.URLS:
        assert url.startswith("https://")
        assert url.endswith("/compressed_SqueezeNet.net")
    assert json.dumps(weight_files.URLS).count("songhan/SqueezeNet-Deep-Compression") == 2
