"""Keras's `.h5`, `.weights.h5` and `.keras`, of Keras 1, 2 and 3: whole models, and weights alone.

Two layouts of HDF5 are in use. The old one (`.h5`) has a list `layer_names`, a group for each of these and in it a list
`weight_names`, in a whole model below `model_weights`. The new one (`.weights.h5`, and inside a `.keras`, which is a
zip) has `layers/conv2d_1/vars/0`: classes of layers, counted. Names of layers are there in `config.json` of a
`.keras`, and in later Keras 3 beside the weights; without names convolutions are called `convolution 1` and so on. No
object of Keras is ever made: descriptions of layers may hold code.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from converters.archive import Archive, ArchiveError
from converters.weights import hdf5
from converters.weights.hdf5 import Hdf5
from converters.weights.keras_config import LONGEST, Described, described_by
from converters.weights.tensors import MAX_BYTES, ConvWeights, WeightFile, checked_shape, convolution, require_few

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""Members of a `.keras`."""
_WHOLE = "model_weights"  # the group of the weights in a whole model of the old layout
_LAYERS = ("layers/", "_layer_checkpoint_dependencies/")  # where the new layout has them; the second in Keras 2.12
_KERNELS = ("/kernel", "_W", "/W")  # what the old layout calls a convolution's weights, `:0` left out
_BIASES = ("/bias", "_b", "/b")
_STATISTICS = ("/moving_mean", "_running_mean", "/running_mean")
_THEANO = "its kernels are [O, I, H, W], and taken for Theano's, which turns them by half; TensorFlow's would not be"
_ADVICE = "save the whole model: model.save('whole.keras')"


def read(data: bytes) -> WeightFile:
    """Read the convolutions of a file of Keras.

    Raises:
      ValueError: cut short, damaged, of layers without names, or a layer contradicts itself; names the layer.
    """
    config, weights = _parts(data) if data.startswith(b"PK") else ("", data)
    found = hdf5.read(weights)
    described = described_by(config or found.text("", "model_config"))
    base = next((path for path in ("", _WHOLE) if found.texts(path, "layer_names") is not None), None)
    groups = _by_layers(found, described) if base is None else _by_names(found, base)
    backend = found.text(base or "", "backend") or found.text("", "backend")
    return _weight_file(groups, described, backend, hashlib.sha256(data).hexdigest())


def _parts(data: bytes) -> tuple[str, bytes]:
    """Return a `.keras` file's description and its weights."""
    try:
        with Archive(data, MAX_BYTES) as archive:
            for name in (CONFIG, WEIGHTS):
                if name not in archive.sizes:
                    raise ValueError(f"the file holds no {name}; expected one, as Keras writes a .keras")
            return archive.read(CONFIG, LONGEST).decode("utf-8", "replace"), archive.read(WEIGHTS, MAX_BYTES)
    except ArchiveError as error:
        raise ValueError(f"the file is cut short or damaged ({error})") from error


# Groups of arrays, by layer -------------------------------------------------------------------------------------


def _by_names(found: Hdf5, base: str) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield (layer, its arrays by what they are called) of the old layout."""
    layers = {layer: f"{base}/{layer}".lstrip("/") for layer in _once(found.texts(base, "layer_names") or [])}
    _once(list(layers.values()))
    for layer, group in layers.items():
        names = _once(found.texts(group, "weight_names") or [])
        arrays = {name: found.arrays.get(f"{group}/{name}") for name in names}
        missing = [name for name, values in arrays.items() if values is None]
        if missing:
            raise ValueError(f"layer {layer} has no {missing[0]}; expected the weights that it names (file damaged)")
        own = {name.partition(":")[0]: values for name, values in arrays.items() if values is not None}
        yield from _parted(layer, own)


def _once(names: list[str]) -> list[str]:
    """Return names, which must differ: repeated ones would cost their square in time."""
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise ValueError(f"the file lists {repeated[:80]!r} twice; expected each name once (it is damaged)")
    return names


def _parted(layer: str, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Part the arrays of a model that is used as a layer by the layers in it."""
    if sum(values.ndim == 4 for values in arrays.values()) <= 1:
        yield layer, arrays
        return
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        inner = next((name.removesuffix(end) for end in (*_KERNELS, *_BIASES) if name.endswith(end)), name)
        parts.setdefault(inner, {})[name] = values
    yield from parts.items()


def _by_layers(found: Hdf5, described: Described) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield (layer, its arrays by what they are called) of the new layout."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for path, values in found.arrays.items():
        group, _, number = path.rpartition("/vars/")
        if group.startswith(_LAYERS):  # beside them are metrics and what an optimizer keeps
            groups.setdefault(group, {})[number] = values
    named = {group: found.text(f"{group}/vars", "name") or described.paths.get(_place(group)) for group in groups}
    count = 0
    for group, arrays in sorted(groups.items(), key=lambda each: _counted(each[0])):
        kind, name = re.sub(r"_\d+$", "", group.rpartition("/")[2]), named[group]
        if not name and any(named.values()):
            raise ValueError(f"layer {group} has no name in the file, and others have; expected all: {_ADVICE}")
        count += kind == "conv2d"
        own = {f"{kind}/{_CALLED.get(kind, {}).get(number, number)}": each for number, each in arrays.items()}
        yield name or (f"convolution {count}" if kind == "conv2d" else group), own


def _place(group: str) -> str:
    """Return a group of the new layout under the name that it has in later ones."""
    return group.replace(_LAYERS[1], _LAYERS[0])


_CALLED = {
    "conv2d": {"0": "kernel", "1": "bias"},
    "batch_normalization": {"0": "gamma", "1": "beta", "2": "moving_mean", "3": "moving_variance"},
}


def _counted(path: str) -> tuple[Any, ...]:
    """Return what sorts conv2d_2 before conv2d_10."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path))


# Convolutions ---------------------------------------------------------------------------------------------------


def _weight_file(
    groups: Iterator[tuple[str, dict[str, np.ndarray]]], described: Described, backend: str, sha256: str
) -> WeightFile:
    pairs: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    unused, normalisations = [], []
    for layer, arrays in groups:
        kernel, bias = _ending(arrays, _KERNELS, 4), _ending(arrays, _BIASES, 1)
        if kernel is not None and len(arrays) == 1 + (bias is not None):
            if layer in pairs:
                raise ValueError(f"layer {layer} is there twice; expected each convolution once")
            pairs[layer] = kernel, bias
        elif _ending(arrays, _STATISTICS, 1) is not None:
            normalisations.append(layer)
        elif arrays:
            unused.append(layer)
    if not pairs:
        raise ValueError("the file holds no convolution of Keras; expected kernels of four axes")
    require_few(sum(kernel.size for kernel, _ in pairs.values()))  # a group within a group may name the same array
    turned, notes = _order([kernel.shape for kernel, _ in pairs.values()], backend)
    paddings = described.paddings()
    layers = {
        name: _convolution(name, turned(kernel), bias, described.options.get(name, {}), paddings.get(name))
        for name, (kernel, bias) in pairs.items()
    }
    notes += [f"its layer {name} is left out: what it makes of a pixel is not read" for name in described.scalings()]
    return WeightFile(
        "keras",
        layers,
        sha256,
        tuple(unused),
        described.additions(),
        normalisations=tuple(normalisations),
        notes=tuple(notes),
    )


def _ending(arrays: Mapping[str, np.ndarray], endings: tuple[str, ...], axes: int) -> np.ndarray | None:
    return next((each for name, each in arrays.items() if name.endswith(endings) and each.ndim == axes), None)


def _order(shapes: list[tuple[int, ...]], backend: str) -> tuple[Any, list[str]]:
    """Return what makes [O, I, H, W], not turned, of the file's kernels, and what was assumed.

    Keras 1 kept kernels [O, I, H, W] where pictures were [channels, rows, columns], as was the rule on Theano, and
    Keras 2 has [H, W, I, O]. Theano turns them by half as it convolves. Files say on what Keras ran since Keras 2.
    """
    if all(shape[0] == shape[1] for shape in shapes):
        axes = (3, 2, 0, 1)
    elif all(shape[2] == shape[3] for shape in shapes):
        axes = (0, 1, 2, 3)
    else:
        raise ValueError("some kernels are neither [H, W, I, O] nor [O, I, H, W]; expected square ones in one order")
    half = -1 if backend == "theano" or (axes[0] == 0 and not backend) else 1
    notes = [_THEANO] if half < 0 and not backend else []
    return lambda kernel: kernel.transpose(axes)[:, :, ::half, ::half], notes


def _convolution(
    name: str,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    options: Mapping[str, Any],
    padding: tuple[int, int] | None,
) -> ConvWeights:
    checked_shape(name, kernel.shape, kernel.size)
    groups = options.get("groups", 1)
    return convolution(name, kernel, bias, groups if isinstance(groups, int) else 1, padding)
