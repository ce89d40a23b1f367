"""Weight files of every port, of a narrow SqueezeNet that `export` takes, to be damaged."""

from __future__ import annotations

from functools import lru_cache

from sqz_tf.base.spec import ModelSpec
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.pretrained import _layouts
from tests.helpers.keras_files import keras_bytes
from tests.helpers.port_files import (
    chainer_bytes,
    chainer_tensors,
    mxnet_bytes,
    mxnet_tensors,
    torch7_bytes,
    torch7_network,
)
from tests.helpers.torch_files import state, torch_bytes
from tests.helpers.weight_files import Tensors, flat, random_tensors

NARROW = ModelSpec(width=0.05, classes=2)


@lru_cache(maxsize=1)
def weight_files() -> dict[str, bytes]:
    """Return a file of each format by the ending of its name."""
    return {
        ".h5": keras_bytes(_tensors("rcmalli-1.1"), "keras-2-whole"),
        ".weights.h5": keras_bytes(_tensors("sqz-tf-1.1"), "keras-3"),
        ".keras": keras_bytes(_tensors("sqz-tf-1.1"), "keras-3-whole"),
        ".params": mxnet_bytes(mxnet_tensors(_tensors("gluon-short-1.1"))),
        ".npz": chainer_bytes(chainer_tensors(_tensors("chainercv2-1.1"))),
        ".pth": torch_bytes({"state_dict": state(flat(_tensors("torchvision-1.1")))}),
        "old.pth": torch_bytes(state(flat(_tensors("torchvision-1.1"))), old=True),
        ".t7": torch7_bytes(torch7_network(_tensors("torch7-1.1"))),
    }


def _tensors(layout: str) -> Tensors:
    names = next(each.layers for each in _layouts() if each.name == layout)
    shapes = layer_shapes(NARROW)
    return random_tensors({name: (shapes[ours][3], shapes[ours][2], *shapes[ours][:2]) for name, ours in names.items()})
