"""Published weights onto our layers: find or download the file, read it, name its layers, turn BGR to RGB.

No TensorFlow. Which publishers' files are known is data, `weight_layouts.json`.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from converters.weights.names import Layout, map_layers, parse_layouts, recognise
from converters.weights.read import read_weights
from converters.weights.tensors import ConvWeights, WeightFile
from sqz_tf.artifact.exported import NUMBERS
from sqz_tf.base.encodings import Guess, guess, told
from sqz_tf.base.errors import Note, translated
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.base.spec import LEAST_WIDTH, MOST_WIDTH, DataConfig, ModelSpec, PreprocessSpec
from sqz_tf.base.text import some
from sqz_tf.network.architecture import CONV1, HEAD, layer_shapes
from sqz_tf.network.exported_weights import is_export, read_exported
from sqz_tf.network.stated import assumed, with_stated
from sqz_tf.network.weight_files import IMAGENET, SHA256, WeightsError, find

_MOST_NAMES = 1 << 20  # bytes of all names
_A_LINE_EACH = "a line of text for each output"
_DIGITS = 5  # of a width, behind the point: 0.5 before 0.48
_DIGEST_IN_NAME = re.compile(r"-(?=[0-9]*[a-f])([0-9a-f]{8,64})$")  # as PyTorch names its checkpoints; no dates

_DATA = Path(__file__).parent
Layer = tuple[np.ndarray, np.ndarray]
Shape4 = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Pretrained:
    """Published weights, ready for our network.

    `layers`: kernel float32 [H, W, I, O] and bias float32 [O] by our layer names; conv1 takes RGB in units of
    `pixel * preprocess.scale`, normalised by `preprocess.mean` and `std` (nothing is folded in yet).
    `model`: the network they belong to, without batch norm. `licence`: the notice that goes wherever the weights
    go. `labels`: names of its outputs, where the file or one beside it has them. `notes`: what a user should know.
    `learnt`: the pictures that trained it and how they were split, where an export says so.
    """

    layers: dict[str, Layer]
    preprocess: PreprocessSpec
    model: ModelSpec
    licence: str
    source: str
    layout: str
    sha256: str
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    learnt: DataConfig | None = None


def load(source: str, spec: ModelSpec | None = None, *, cache: Path | None = None) -> Pretrained:
    """Read published weights for a network.

    Args:
      source: `imagenet` (SqueezeNet v1.0 by Deep Compression), the name of a model of the kit, an export's folder, or a
        path.
      spec: the network wanted; by default the one the file belongs to, at the size it was published for and as wide
        as its kernels say. Its input size is kept; `classes` may be any number (the file's own head is returned).
      cache: see `find`.

    Raises:
      WeightsError: no such file, damaged, of another network, or it cannot be downloaded.
    """
    own = shipped_folder(source)
    if is_export(own):
        return _of_export(own, spec)
    path = find(source, cache=cache)
    if path.name == NUMBERS:
        raise WeightsError(
            f"{path} lies alone, and its manifest says what network it is",
            expected="it beside the manifest.json of its export",
            fix="give the export's folder",
        )
    with _naming(path):
        weights = read_weights(path, net_layers=_net_layers())
    _check_digest(path, weights)
    _refuse_normalisation(path, weights)
    with _naming(path):
        layout = recognise(weights, _layouts())
    facts = with_stated(path, layout.facts)
    layout = replace(layout, facts=facts)
    model = _model(path, weights, layout, spec)
    with _naming(path):
        layers = map_layers(weights, layer_shapes(model), layout)
    _check_padding(path, layers)
    return Pretrained(
        layers=_to_rgb({name: (layer.kernel, layer.bias) for name, layer in layers.items()}, facts["preprocess"]),
        preprocess=_preprocess(facts, model.input_size),
        model=model,
        licence=_licence(facts),
        source=facts["source"] if source == IMAGENET else str(source),
        layout=layout.name,
        sha256=weights.sha256,
        labels=_labels(path, weights, model.classes),
        notes=(*weights.notes, *assumed(path, facts), *_notes(facts, model)),
    )


def _of_export(path: Path, spec: ModelSpec | None) -> Pretrained:
    """Return the float network of an export, for the input size of a spec."""
    found = read_exported(path)
    size = found.model.input_size if spec is None else spec.input_size
    model = found.model if spec is None else replace(found.model, input_size=size, pool_padding=spec.pool_padding)
    preprocess = found.preprocess
    if size != found.model.input_size:
        preprocess = _resized(preprocess, size)
    return Pretrained(
        layers=found.layers,
        preprocess=preprocess,
        model=model,
        licence=found.licence,
        source=str(path),
        layout="export",
        sha256=found.sha256,
        labels=found.labels,
        learnt=found.learnt,
    )


def _resized(preprocess: PreprocessSpec, size: int) -> PreprocessSpec:
    """Return the preprocessing for another input size: what is resized to and then cut shrinks or grows with it."""
    return replace(
        preprocess,
        width=size,
        height=size,
        resize_width=max(size, round(preprocess.resize_width * size / preprocess.width)),
        resize_height=max(size, round(preprocess.resize_height * size / preprocess.height)),
    )


# The network the file belongs to --------------------------------------------------------------------------------


def _model(path: Path, weights: WeightFile, layout: Layout, spec: ModelSpec | None) -> ModelSpec:
    facts = layout.facts
    if spec is None:
        spec = _own_spec(weights, layout)
    if spec.arch != facts["arch"]:
        raise WeightsError(
            f"{path.name} holds {facts['title']}",
            expected=f"weights of {spec.arch}",
            fix=f"use --arch {facts['arch']}",
        )
    if spec.channels != 3:
        raise WeightsError(f"{path.name} takes colour pictures", expected="3 channels", fix="use --channels 3")
    bypass = _bypass(weights, facts)
    if bypass not in (None, spec.bypass):
        raise WeightsError(
            f"{path.name} holds a network with {bypass} bypass", expected=spec.bypass, fix=f"use --bypass {bypass}"
        )
    head = _own(weights, layout, HEAD)
    classes = spec.classes if head is None else head.bias.size
    if classes < 2:
        raise WeightsError(f"{path.name} has {classes} output", expected="2 or more, one for each class")
    padding = _conv10_padding(path, head, facts["conv10_padding"])
    return replace(spec, classes=classes, conv10_padding=padding, batch_norm=False)


def _own_spec(weights: WeightFile, layout: Layout) -> ModelSpec:
    """Return the network a file belongs to: as wide as all of its layers say, else as its first one does."""
    facts = layout.facts
    spec = ModelSpec(arch=facts["arch"], input_size=facts["input_size"], bypass=_bypass(weights, facts) or "none")
    first = _own(weights, layout, "conv1")
    assert first is not None, "it is what layouts are told by"
    specs = [replace(spec, width=width) for width in _widths(first.bias.size, CONV1[spec.arch][0])] or [spec]
    return next((each for each in specs if _fits(weights, layout, each)), specs[0])


def _widths(outputs: int, filters: int) -> Iterator[float]:
    """Yield the widths that give a layer of so many filters so many outputs, those with few digits first."""
    for digits in range(_DIGITS):
        low, high = ((outputs + side) / filters * 10**digits for side in (-0.5, 0.5))
        for number in range(math.ceil(low), math.floor(high) + 1):
            if LEAST_WIDTH <= number / 10**digits <= MOST_WIDTH:
                yield number / 10**digits


def _fits(weights: WeightFile, layout: Layout, spec: ModelSpec) -> bool:
    """Say whether every layer but the head has the outputs that a spec gives it."""
    shapes = {theirs: layer_shapes(spec).get(ours) for theirs, ours in layout.layers.items() if ours != HEAD}
    return all(name in weights.layers and shape == weights.layers[name].kernel.shape for name, shape in shapes.items())


def _own(weights: WeightFile, layout: Layout, ours: str) -> ConvWeights | None:
    return next((weights.layers.get(theirs) for theirs, name in layout.layers.items() if name == ours), None)


def _conv10_padding(path: Path, head: ConvWeights | None, published: int) -> int:
    """Return what the file itself says, else what is known of the layout."""
    if head is None or head.padding is None:
        return published
    if head.padding not in ((0, 0), (1, 1)):
        raise WeightsError(f"{path}: its last convolution is padded by {head.padding}", expected="0 or 1 on each side")
    return head.padding[0]


def _check_padding(path: Path, layers: dict[str, ConvWeights]) -> None:
    for name, layer in layers.items():
        expected = (1, 1) if name.endswith("3x3") else (0, 0)
        if name != HEAD and layer.padding not in (None, expected):
            raise WeightsError(f"{path}: layer {name} is padded by {layer.padding}", expected=f"{expected}")


def _bypass(weights: WeightFile, facts: Mapping[str, Any]) -> str | None:
    """Return the kind of bypass around the Fire modules, None if it cannot be known."""
    if weights.additions is None:
        return facts.get("bypass")
    return {0: "none", 4: "simple", 8: "complex"}.get(len(weights.additions), "unknown")


def _to_rgb(layers: dict[str, Layer], facts: Mapping[str, Any]) -> dict[str, Layer]:
    if facts["channel_order"] == "RGB":
        return layers
    kernel, bias = layers["conv1"]
    return {**layers, "conv1": (np.ascontiguousarray(kernel[:, :, ::-1]), bias)}


def _preprocess(facts: Mapping[str, Any], size: int) -> PreprocessSpec:
    """Return the published preprocessing; for another input size the resize shrinks in proportion."""
    rule = facts["preprocess"]
    resize = max(size, round(rule["resize"] * size / facts["input_size"]))
    order = slice(None, None, 1 if rule["channel_order"] == "RGB" else -1)
    return PreprocessSpec(
        size,
        size,
        fit=rule["fit"],
        resize_width=resize,
        resize_height=resize,
        scale=rule["scale"],
        mean=tuple(map(float, rule["mean"][order])),
        std=tuple(map(float, rule["std"][order])),
    )


def _refuse_normalisation(path: Path, weights: WeightFile) -> None:
    if weights.normalisations:
        count, first = len(weights.normalisations), weights.normalisations[0]
        raise WeightsError(
            f"{path} holds a network with batch normalisation ({count} layers, first {first:.100})",
            expected="one without, as SqueezeNets are published",
            fix="fold it into the convolutions first, as torch.onnx.export does in eval mode",
        )


def _labels(path: Path, weights: WeightFile, classes: int) -> tuple[str, ...]:
    """Return the names of the outputs: those in the file, in FILE.labels.txt or, if as many, in labels.txt beside it.

    Raises:
      WeightsError: there are more names or fewer than outputs.
    """
    beside = path.with_name(f"{path.name}.labels.txt")
    labels, where = tuple(name.strip() for name in weights.labels), path.name
    if not labels and beside.is_file():
        (labels, note), where = _lines(beside), beside.name
        _say(note)
    if labels and len(labels) != classes:
        raise WeightsError(f"{where} names {len(labels)} classes", expected=f"{classes}, the outputs of {path.name}")
    return labels or _lines_that_fit(path.with_name("labels.txt"), classes)


def _lines_that_fit(path: Path, classes: int) -> tuple[str, ...]:
    """Return the lines of a text that may belong to something else: none if it is doubtful in any way."""
    try:
        labels, note = _lines(path)
    except WeightsError:
        return ()
    if len(labels) != classes:
        return ()
    _say(note)
    return labels


def _lines(path: Path) -> tuple[tuple[str, ...], str]:
    """Return the lines of a text without blanks around them or empty ones at its end, none if it is not there.

    Also what to say of its encoding, if that was guessed.
    """
    if not path.is_file():
        return (), ""
    with translated(WeightsError, f"{path} cannot be read", of=(OSError,)), path.open("rb") as file:
        raw = file.read(_MOST_NAMES + 1)
    if len(raw) > _MOST_NAMES:
        raise WeightsError(f"{path} has over {_MOST_NAMES:,} bytes", expected=_A_LINE_EACH, fix="move it elsewhere")
    text, note = _text(path, raw)
    return tuple(line.strip() for line in text.rstrip().splitlines()), note


def _text(path: Path, raw: bytes) -> tuple[str, str]:
    """Return a text, in whatever encoding; and what to say of one that is guessed."""
    known = told(raw)
    foreign = [line for line in raw.splitlines() if not line.isascii()]
    guessed = Guess(known) if known else guess(foreign, windows=True) or Guess("utf-8")
    with translated(
        WeightsError, f"{path} is no text", expected=_A_LINE_EACH, fix="save it as UTF-8", of=(UnicodeDecodeError,)
    ):
        text = raw.decode(guessed.encoding)
    if "\0" in text:
        raise WeightsError(f"{path} is no text", expected=_A_LINE_EACH, fix="move it elsewhere")
    if known:
        return text, ""
    return text, guessed.doubt(str(path), some([line.decode(guessed.encoding) for line in foreign]), foreign)


def _say(note: str) -> None:
    if note:
        warnings.warn(note, Note, stacklevel=2)


def _licence(facts: Mapping[str, Any]) -> str:
    if "notice" in facts:  # the export that the file lies in has it
        return str(facts["notice"])
    head = f"{facts['title']}, from {facts['source']}."
    if not facts["licence"].startswith("BSD-2"):
        return f"{head} Licence: {facts['licence'] or 'not stated by its publisher'}.\n"
    return f"{head}\n\n{(_DATA / 'squeezenet_licence.txt').read_text(encoding='utf-8')}"


def _notes(facts: Mapping[str, Any], model: ModelSpec) -> tuple[str, ...]:
    notes = []
    if model.conv10_padding != facts["conv10_padding"]:
        notes.append(
            f"the file pads conv10 by {model.conv10_padding}, the published network by {facts['conv10_padding']}"
        )
    if facts["pool_rounding"] == "ceil" and not _pools_evenly(model):
        notes.append(
            f"at {model.input_size} pixels the published network rounds its pooling sizes up and this one down; "
            f"at {facts['input_size']} pixels they agree"
        )
    return tuple(notes)


def _pools_evenly(model: ModelSpec) -> bool:
    """Say whether all three poolings (3×3, stride 2, not padded) cover their input exactly."""
    size = (model.input_size - (7 if model.arch == "squeezenet-1.0" else 3)) // 2 + 1
    for _ in range(3):
        if (size - 3) % 2:
            return False
        size = (size - 3) // 2 + 1
    return model.pool_padding == "valid"


# The file -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _layouts() -> tuple[Layout, ...]:
    return parse_layouts((_DATA / "weight_layouts.json").read_text(encoding="utf-8"))


def _net_layers() -> dict[str, Shape4]:
    """Return the table of layers of the published `.net` file, by its publisher's names."""
    layout = next(layout for layout in _layouts() if "net" in layout.formats)
    shapes = layer_shapes(ModelSpec(arch=layout.facts["arch"]))
    head = (*shapes[HEAD][:3], 0)  # as many outputs as the file has
    return {theirs: head if ours == HEAD else shapes[ours] for theirs, ours in layout.layers.items()}


def _naming(path: Path) -> AbstractContextManager[None]:
    exported = path.suffix == ".keras" and is_export(path.parent)
    fix = "give the export's folder for the network as it was exported" if exported else ""
    return translated(WeightsError, str(path), fix=fix, of=(ValueError, OSError))


def _check_digest(path: Path, weights: WeightFile) -> None:
    """Compare a file with what is known of its SHA-256: a file beside it, its name, or the published one.

    Most formats have no checksum, so flipped bits read as other weights. In a `.net` file they move all weights
    behind them, therefore one that is not the published file must come with its SHA-256.
    """
    beside = path.with_name(path.name + ".sha256")
    named = _DIGEST_IN_NAME.search(path.stem)
    if beside.is_file():
        with translated(WeightsError, f"{beside} cannot be read", of=(OSError,)), beside.open("rb") as file:
            words = file.read(1024).decode("ascii", "replace").split()
        stated, where = (words[0].lower() if words else ""), beside.name
        right = weights.sha256 == stated
    elif named:
        stated, where = named[1], "its name, which ends in what looks like one"
        right = weights.sha256.startswith(stated)
    elif weights.format == "net":
        stated, where = SHA256, "the published file"
        right = weights.sha256 == stated
    else:
        return
    if not right:
        raise WeightsError(
            f"{path} has SHA-256 {weights.sha256}",
            expected=f"{stated or 'a digest'}, after {where}",
            fix=f"get the file again{' or rename it' if named else ''}, or write the right SHA-256 into {beside.name}",
        )
