"""Weight files that the frameworks themselves wrote, each in a process.

MXNet 1.9.1 and Chainer 7.8.1 have an environment of their own; Keras 2 and 3 are those beside TensorFlow; PyTorch is
Debian's (`apt install python3-torch`). Torch7 is a program in Lua, which no package brings any more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sqz_tf.network.pretrained import _layouts, load
from tests.helpers.needs import ROOT, require

pytestmark = pytest.mark.slow

PYTHON = Path(os.environ.get("SQZ_TF_FRAMEWORKS_PYTHON", ROOT / ".venv-frameworks" / "bin" / "python"))

MXNET = """
import sys
import mxnet as mx
import numpy as np
from mxnet.gluon.model_zoo import vision

for version, make in (("1.0", vision.squeezenet1_0), ("1.1", vision.squeezenet1_1)):
    net = make(classes=5)
    net.initialize(mx.init.Normal(0.1))
    net.hybridize()
    net(mx.nd.zeros((1, 3, 224, 224)))
    net.save_parameters(f"blocks-{version}.params")
    net.collect_params().save(f"whole-{version}.params")
    net.collect_params().save(f"short-{version}.params", strip_prefix=net.prefix)
    net.export(f"exported-{version}")
    arrays = [each.data().asnumpy() for each in net.collect_params().values()]
    np.savez(f"expected-{version}.npz", *arrays)
"""

FIRES = """
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""

CHAINER = """
import chainer
import chainer.links as L
import numpy as np
from chainer import serializers


class Fire(chainer.Chain):
    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(inputs, squeeze, 1)
            self.conv2 = L.Convolution2D(squeeze, expand, 1)
            self.conv3 = L.Convolution2D(squeeze, expand, 3, pad=1)


class SqueezeNet(chainer.Chain):
    def __init__(self):
        super().__init__()
        inputs = 96
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 96, 7, stride=2)
            for number, (squeeze, expand) in enumerate(FIRES, 2):
                setattr(self, f"fire{number}", Fire(inputs, squeeze, expand))
                inputs = 2 * expand
            self.conv10 = L.Convolution2D(512, 5, 1, pad=1)


net = SqueezeNet()
for parameter in net.params():
    parameter.array[...] = np.random.normal(0, 0.1, parameter.shape)
serializers.save_npz("whole.npz", net)
serializers.save_npz("stored.npz", net, compression=False)
serializers.save_npz("classifier.npz", L.Classifier(net))
links = [net.conv1]
for number in range(2, 10):
    fire = getattr(net, f"fire{number}")
    links += [fire.conv1, fire.conv2, fire.conv3]
np.savez("expected.npz", *[array for link in [*links, net.conv10] for array in (link.W.array, link.b.array)])
"""

TORCH = """
import argparse
from collections import OrderedDict
import numpy as np
import torch
from torch import nn


class Fire(nn.Module):
    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()


class SqueezeNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers, inputs = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2)], 64
        for number, (squeeze, expand) in enumerate(FIRES):
            if number in (2, 4):
                layers.append(nn.MaxPool2d(3, 2))
            layers.append(Fire(inputs, squeeze, expand))
            inputs = 2 * expand
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)))

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)


net = SqueezeNet()
optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
net(torch.zeros(1, 3, 64, 64)).sum().backward()
optimizer.step()
state = net.state_dict()
np.savez("expected.npz", *[values.numpy() for values in state.values()])
parallel = OrderedDict((f"module.{name}", values) for name, values in state.items())
contents = {
    "state": state,
    "checkpoint": {
        "epoch": 3,
        "state_dict": parallel,
        "best_acc1": torch.tensor(0.5),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1),
        "score": np.float64(0.5),
    },
    "whole": net,
    "parallel": nn.DataParallel(net),
    "inside": {"model": net, "epoch": 3},
    "double": {name: values.double() for name, values in state.items()},
    "last": {n: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for n, v in state.items()},
    "trained": {name: nn.Parameter(values) for name, values in state.items()},
}
for name, content in contents.items():
    torch.save(content, f"{name}.pth")
    torch.save(content, f"{name}-4.pth", pickle_protocol=4)
    torch.save(content, f"{name}-old.pth", _use_new_zipfile_serialization=False)
"""

KERAS = """
import sys
import numpy as np


def named(fire, part):
    return f"fire{fire}{sys.argv[2]}{part}"


keras = __import__(sys.argv[1])
L = keras.layers
inputs = x = L.Input((64, 64, 3), name="input")
x = L.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(x)
for number, (squeeze, expand) in enumerate(FIRES, 2):
    s = L.Conv2D(squeeze, 1, activation="relu", name=named(number, "squeeze1x1"))(x)
    a = L.Conv2D(expand, 1, activation="relu", name=named(number, "expand1x1"))(s)
    b = L.Conv2D(expand, 3, padding="same", activation="relu", name=named(number, "expand3x3"))(s)
    x = L.Concatenate(name=f"fire{number}_concat")([a, b])
outputs = L.GlobalAveragePooling2D()(L.Conv2D(5, 1, activation="relu", name="conv10")(x))
model = keras.Model(inputs, outputs)
model.set_weights([np.random.normal(0, 0.1, each.shape) for each in model.get_weights()])
model.compile("adam", "mse")
model.fit(np.zeros((1, 64, 64, 3)), np.zeros((1, 5)), verbose=0)
model.save("whole.keras")
model.save("whole.h5")
model.save_weights("alone.weights.h5")
if sys.argv[1] == "tf_keras":
    model.save_weights("alone.h5")
layers = [each for each in model.layers if type(each).__name__ == "Conv2D"]
arrays = [array for layer in layers for array in layer.get_weights()]
np.savez("expected.npz", *arrays)
np.savez("names.npz", [each.name for each in layers])
"""


def ran(python: Path | str, code: str, folder: Path, *arguments: str, **environment: str) -> None:
    command = [str(python), "-c", code, *arguments]
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TF_USE_LEGACY_KERAS")}
    done = subprocess.run(
        command, cwd=folder, env={**own, **environment}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


def assert_same(path: Path, expected: Path, order: tuple[int, ...]) -> None:
    """Assert that a file is read as the arrays that its framework had, kernels turned by `order` to [H, W, I, O]."""
    arrays = [np.load(expected)[name] for name in np.load(expected).files]
    found = load(str(path))
    assert len(arrays) == 2 * len(found.layers)
    for number, (kernel, bias) in enumerate(found.layers.values()):
        wanted = arrays[2 * number].transpose(order)
        turned = layout_order(found.layout) == "BGR" and not number
        np.testing.assert_array_equal(kernel, wanted[:, :, ::-1] if turned else wanted)
        np.testing.assert_array_equal(bias, arrays[2 * number + 1])


def layout_order(name: str) -> str:
    order: str = next(each.facts["preprocess"]["channel_order"] for each in _layouts() if each.name == name)
    return order


def test_mxnet_s_own_files(tmp_path: Path) -> None:
    require(PYTHON.exists(), "there is no .venv-frameworks: run make frameworks")
    ran(PYTHON, MXNET, tmp_path)
    for version in ("1.0", "1.1"):
        for name in (f"blocks-{version}", f"whole-{version}", f"short-{version}", f"exported-{version}-0000"):
            assert_same(tmp_path / f"{name}.params", tmp_path / f"expected-{version}.npz", (2, 3, 1, 0))
            assert load(str(tmp_path / f"{name}.params")).model.arch == f"squeezenet-{version}"


def test_chainer_s_own_files(tmp_path: Path) -> None:
    require(PYTHON.exists(), "there is no .venv-frameworks: run make frameworks")
    ran(PYTHON, FIRES + CHAINER, tmp_path)
    for name in ("whole", "stored", "classifier"):
        assert_same(tmp_path / f"{name}.npz", tmp_path / "expected.npz", (2, 3, 1, 0))
        assert load(str(tmp_path / f"{name}.npz")).layout == "ejlb-1.0"


def test_pytorch_s_own_files(tmp_path: Path) -> None:
    python = os.environ.get("SQZ_TF_TORCH_PYTHON", "/usr/bin/python3")
    there = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0
    require(
        there, "there is no PyTorch: run apt install python3-torch, or let SQZ_TF_TORCH_PYTHON name a Python with it"
    )
    ran(python, FIRES + TORCH, tmp_path)
    files = sorted(tmp_path.glob("*.pth"))
    assert len(files) == 24
    for path in files:
        assert_same(path, tmp_path / "expected.npz", (2, 3, 1, 0))
        assert load(str(path)).layout == "torchvision-1.1"


@pytest.mark.parametrize(("keras", "between"), [("tf_keras", "/"), ("keras", "_"), ("tf_keras", "_")])
def test_keras_s_own_files(keras: str, between: str, tmp_path: Path) -> None:
    """Names with a `/`, as rcmalli's, are refused by Keras 3."""
    legacy = {"TF_USE_LEGACY_KERAS": "1"} if keras == "tf_keras" else {}
    ran(
        sys.executable,
        FIRES + KERAS,
        tmp_path,
        keras,
        between,
        CUDA_VISIBLE_DEVICES="",
        TF_CPP_MIN_LOG_LEVEL="3",
        **legacy,
    )
    names = ["whole.keras", "whole.h5", "alone.h5" if keras == "tf_keras" else "alone.weights.h5"]
    for name in names:
        assert_same(tmp_path / name, tmp_path / "expected.npz", (0, 1, 2, 3))
        assert load(str(tmp_path / name)).layout == ("rcmalli-1.1" if between == "/" else "sqz-tf-1.1")
    if keras == "tf_keras":
        assert_same(tmp_path / "alone.weights.h5", tmp_path / "expected.npz", (0, 1, 2, 3))
        assert load(str(tmp_path / "alone.weights.h5")).layout == "keras-order-1.1"
