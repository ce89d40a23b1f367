"""Weights of a person's own: their head is kept, replaced or refused, in every format of weight files."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters.weights import deep_compression
from sqz_tf.base.errors import ConfigError, DataError, SqzError
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.base.spec import DataConfig, ModelSpec
from sqz_tf.data.sources import reading
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.pretrained import WeightsError, _layouts, load
from sqz_tf.pipeline.calibrating import _refuse_other_order
from sqz_tf.pipeline.doubts import no_more_than_a_guess
from sqz_tf.pipeline.job import Calibrating, Job, Training, from_weights
from sqz_tf.pipeline.plan import Options
from tests.helpers.torch_files import state, torch_bytes
from tests.helpers.weight_files import (
    caffemodel_bytes,
    flat,
    net_tensors,
    onnx_bytes,
    random_tensors,
    safetensors_bytes,
)

CLASSES = ("ant", "bee", "cow", "dog", "eel")
LAYOUT = {"caffemodel": "caffe-1.0", "onnx": "gluon-1.1", "safetensors": "torchvision-1.1", "pth": "torchvision-1.1"}
FORMATS = ("net", *LAYOUT)

WriteWeights = Callable[..., Path]


def tensors(layout: str, outputs: int, width: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return random kernels [O, I, H, W] and biases by the publisher's names."""
    which = next(each for each in _layouts() if each.name == layout)
    shapes = layer_shapes(ModelSpec(arch=which.facts["arch"], classes=outputs, width=width))
    ours = {theirs: shapes[name] for theirs, name in which.layers.items()}
    return random_tensors({name: (shape[3], shape[2], *shape[:2]) for name, shape in ours.items()})


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteWeights:
    """Write synthetic weights of a SqueezeNet: `names` are put where the format has a place, else beside the file."""

    def written(kind: str, outputs: int = 5, width: float = 0.25, names: Sequence[str] = ()) -> Path:
        path = tmp_path / f"mine.{kind}"
        if kind == "net":
            found = tensors("deep-compression-1.0", outputs, 1.0)
            data = deep_compression.write(**net_tensors({name: pair[0].shape for name, pair in found.items()}))
            path.with_name("mine.net.sha256").write_text(hashlib.sha256(data).hexdigest())
        else:
            found = tensors(LAYOUT[kind], outputs, width)
            data = _bytes(kind, found, names, monkeypatch)
        path.write_bytes(data)
        if names and kind in ("net", "caffemodel"):
            path.with_name(f"{path.name}.labels.txt").write_text("\n".join(names) + "\n")
        return path

    return written


def _bytes(kind: str, found: Any, names: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> bytes:
    if kind == "caffemodel":
        return caffemodel_bytes(found)
    if kind == "onnx":
        return onnx_bytes(found, endings=("_weight", "_bias"), properties={"classes": json.dumps(names)})
    if kind == "safetensors":
        return safetensors_bytes(flat(found), __metadata__={"class_names": json.dumps(names)})
    numbers = {name: number for number, name in enumerate(names)}
    return torch_bytes({"state_dict": state(flat(found)), "class_to_idx": numbers})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Make a folder of a few grey pictures for each class."""

    def made(*classes: str) -> str:
        folder = tmp_path_factory.mktemp("pictures")
        for number, name in enumerate(classes):
            (folder / name).mkdir()
            for shade in range(8):
                Image.new("L", (40, 40), 16 * number + shade).save(folder / name / f"{shade}.png")
        return str(folder)

    return made


def job(weights: Path, source: str, **options: Any) -> Job:
    data = {name: options.pop(name) for name in ("test_fraction", "validation_fraction") if name in options}
    return from_weights(Options(data=DataConfig(source=source, **data), **options), str(weights), None)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_head_of_another_size_is_replaced_and_said(
    kind: str, write: WriteWeights, pictures: Callable[..., str]
) -> None:
    source = pictures("ant", "bee", "cow")
    found = job(write(kind), source)
    assert isinstance(found, Training)
    assert found.plan.model.classes == 3
    assert found.plan.model.width == (1.0 if kind == "net" else 0.25)
    assert found.pretrained is not None
    assert found.pretrained.notes[0] == (
        f"the weights have 5 outputs and {source} has 3 classes: the last layer is replaced and trained"
    )
    with pytest.raises(ConfigError, match="--epochs 0 forbids training, but the weights have 5 outputs"):
        job(write(kind), source, epochs=0)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_head_whose_names_match_is_kept_in_its_own_order(
    kind: str, write: WriteWeights, pictures: Callable[..., str]
) -> None:
    found = job(write(kind, names=("Dog", "ant", "eel", "cow", "bee")), pictures(*CLASSES))
    assert isinstance(found, Calibrating)
    assert found.head.outputs == (1, 4, 3, 0, 2)
    assert found.head.labels == ("Dog", "ant", "eel", "cow", "bee")
    assert not found.head.assumed
    assert (found.plan.model.classes, found.plan.train.epochs) == (5, 0)
    assert found.pretrained.layers["conv10"][1].shape == (5,)


@pytest.mark.parametrize("kind", FORMATS)
def test_blanks_around_names_do_not_count(kind: str, write: WriteWeights) -> None:
    assert load(str(write(kind, names=(" ant", "bee ", "cow\t", "Dog ", "eel")))).labels == (*CLASSES[:3], "Dog", "eel")


def test_empty_lines_after_the_names_do_not_count(write: WriteWeights, tmp_path: Path) -> None:
    path = write("caffemodel", names=(*CLASSES, "", " ", ""))
    assert load(str(path)).labels == CLASSES


def test_names_that_are_no_labels_are_refused_before_anything_is_done(
    write: WriteWeights, pictures: Callable[..., str]
) -> None:
    weights = write("safetensors", names=("ant, a\nb", *CLASSES[1:]))
    with pytest.raises(DataError, match=r"in the names of .*mine\.safetensors holds a line break.*mend the name there"):
        job(weights, pictures(*CLASSES))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_head_without_names_is_taken_in_the_order_of_the_classes_and_said(
    kind: str, write: WriteWeights, pictures: Callable[..., str]
) -> None:
    found = job(write(kind), pictures(*CLASSES), epochs=0)
    assert isinstance(found, Calibrating)
    assert (found.head.outputs, found.head.labels, found.head.assumed) == ((0, 1, 2, 3, 4), CLASSES, True)
    assert "nothing names the weights' 5 outputs: they are taken for ant, bee, cow, …" in found.pretrained.notes[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_other_names_replace_the_head(kind: str, write: WriteWeights, pictures: Callable[..., str]) -> None:
    found = job(write(kind, names=("fox", "ant", "eel", "cow", "bee")), pictures(*CLASSES))
    assert isinstance(found, Training)
    assert found.pretrained is not None
    assert "the weights tell fox, ant, eel, … apart" in found.pretrained.notes[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_names_that_are_not_one_for_each_output_are_refused(kind: str, write: WriteWeights) -> None:
    with pytest.raises(WeightsError, match="names 4 classes; expected 5, the outputs of mine"):
        load(str(write(kind, names=CLASSES[:4])))


def test_labels_beside_the_weights_count_if_there_are_as_many(write: WriteWeights, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("e\nd\nc\nb\na\n")
    assert load(str(write("safetensors"))).labels == ("e", "d", "c", "b", "a")
    assert load(str(write("safetensors", outputs=4))).labels == ()
    assert load(str(write("safetensors", names=CLASSES))).labels == CLASSES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp1251", "cp932"])
@pytest.mark.parametrize("where", ["labels.txt", "mine.safetensors.labels.txt"])
def test_labels_beside_the_weights_are_read_in_whatever_encoding(
    where: str, encoding: str, write: WriteWeights, tmp_path: Path
) -> None:
    names = {"cp1251": ("жук", "кошка", "собака", "утка", "ёж"), "cp932": ("犬", "ねこ", "うま", "とり", "へび")}.get(
        encoding, ("Käfer", "Kühe", "Ameisen", "Hündin", "Bär")
    )
    (tmp_path / where).write_bytes("\n".join(names).encode(encoding))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert load(str(write("safetensors"))).labels == names
    notes = [str(each.message) for each in said]
    assert len(notes) == encoding.startswith("cp")
    assert all(f"{where} is not UTF-8 and taken for {encoding}" in note for note in notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ant\n" * 300_000, "has over 1,048,576 bytes; expected a line of text for each output; move it elsewhere"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is no text"),
        (b"\xff\xfea", "is no text"),
    ],
    ids=["huge", "a picture", "half a character"],
)
def test_what_is_no_text_is_refused_by_the_weights_name_and_ignored_as_labels_of_anything(
    content: bytes, words: str, write: WriteWeights, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    assert load(str(write("safetensors"))).labels == ()
    (tmp_path / "mine.safetensors.labels.txt").write_bytes(content)
    with pytest.raises(WeightsError, match=f"mine.safetensors.labels.txt {words}"):
        load(str(write("safetensors")))


def test_nothing_is_said_of_labels_that_are_not_the_weights(write: WriteWeights, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("Käfer\nKühe\n".encode("cp1252"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert load(str(write("safetensors"))).labels == ()
    assert not said


def test_epochs_train_a_named_head_on_in_the_order_of_the_classes(
    write: WriteWeights, pictures: Callable[..., str]
) -> None:
    names = ("Dog", "ant", "eel", "cow", "bee")
    weights, source = write("safetensors", names=names), pictures(*CLASSES)
    found = job(weights, source, epochs=3, recipe="thorough")
    assert isinstance(found, Training)
    assert found.pretrained is not None
    assert found.pretrained.notes[0] == "--epochs 3 asks for training: all layers are trained on, the last one, too"
    assert found.plan.train.goes_on
    assert (found.plan.model.dropout, found.plan.train.averaging) == (0.0, 3.0)
    kernel, bias = load(str(weights)).layers["conv10"]
    order = [names.index({"dog": "Dog"}.get(name, name)) for name in CLASSES]
    assert order != sorted(order)
    np.testing.assert_array_equal(found.pretrained.layers["conv10"][0], kernel[..., order])
    np.testing.assert_array_equal(found.pretrained.layers["conv10"][1], bias[order])


def test_epochs_replace_a_head_whose_order_is_a_guess(write: WriteWeights, pictures: Callable[..., str]) -> None:
    found = job(write("safetensors"), pictures(*CLASSES), epochs=3)
    assert isinstance(found, Training)
    assert found.pretrained is not None
    assert found.pretrained.notes[0] == "--epochs 3 asks for training: the last layer is replaced and trained"
    assert not found.plan.train.goes_on
    assert found.plan.model.dropout == 0.5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prune_epochs": 3}, "--prune-epochs"),
        ({"recipe": "thorough", "augment": "photo"}, "--recipe, --augment"),
        ({"distribute": "mirrored", "epochs": 0}, "--distribute"),
        ({"teacher": "digits", "dsd": True}, "--teacher, --dsd"),
        ({"sparsity": 0.9, "sparsity_pattern": "block"}, "--sparsity, --sparsity-pattern"),
        ({"test_fraction": 0.2}, "--test-fraction"),
    ],
)
def test_options_of_training_are_refused_where_nothing_is_trained(
    options: dict[str, Any], told: str, write: WriteWeights, pictures: Callable[..., str]
) -> None:
    weights, source = write("safetensors", names=CLASSES), pictures(*CLASSES)
    assert isinstance(job(weights, source, recipe="quick", epochs=0), Calibrating)
    with pytest.raises(ConfigError, match=rf"^{told}: nothing is trained, .*give --epochs, too"):
        job(weights, source, **options)


def test_other_channels_than_the_weights_take_are_refused(write: WriteWeights, pictures: Callable[..., str]) -> None:
    weights, source = write("safetensors"), pictures("ant", "bee", "cow")
    assert job(weights, source, channels=3).plan.model.channels == 3
    with pytest.raises(ConfigError, match="--channels 1 does not fit the weights; expected 3"):
        job(weights, source, channels=1)


@pytest.mark.parametrize(
    ("names", "options", "goes_on", "told"),
    [
        ((), {}, False, "digits is asked for by name, for training: the last layer is replaced and trained"),
        (tuple("1023456789"), {}, True, "digits is asked for by name, for training: all layers are trained on, the"),
        (tuple("abcdefghij"), {"epochs": 2}, False, "the weights tell a, b, c, … apart, and digits has 0, 1, 2, …"),
        (tuple("1023456789"), {"epochs": 2}, True, "--epochs 2 asks for training: all layers are trained on, the last"),
    ],
)
def test_a_data_set_asked_for_by_name_is_always_trained(
    names: tuple[str, ...], options: dict[str, Any], goes_on: bool, told: str, write: WriteWeights
) -> None:
    weights = write("safetensors", outputs=10, names=names)
    found = job(weights, "digits", **options)
    assert isinstance(found, Training)
    assert found.pretrained is not None
    assert found.pretrained.notes[0].startswith(told)
    assert found.plan.train.goes_on == goes_on
    with pytest.raises(ConfigError, match="--epochs 0 forbids training"):
        job(weights, "digits", epochs=0)


@pytest.mark.parametrize("width", [0.05, 0.1, 0.25, 0.37, 0.5, 0.75, 1.0, 1.5])
@pytest.mark.parametrize("kind", ["safetensors", "caffemodel"])
def test_the_width_is_read_off_the_kernels(kind: str, width: float, write: WriteWeights) -> None:
    found = load(str(write(kind, width=width)))
    assert {name: kernel.shape for name, (kernel, _) in found.layers.items()} == layer_shapes(found.model)
    assert found.model.width == pytest.approx(width, abs=0.01)
    assert found.model.classes == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features.1.running_mean": 64}, "batch normalisation (1 layers, first features.1); expected one without"),
        ({"features.3.squeeze.bias": 17}, "layer features.3.squeeze has 17 biases; expected 16"),
        ({"classifier.1.bias": 1, "classifier.1.weight": (1, 512, 1, 1)}, "has 1 output; expected 2 or more"),
        ({"features.0.weight": (64, 1, 3, 3)}, "features.0 has a kernel [H, W, I, O] of shape [3, 3, 1, 64]"),
        ({"features.3.squeeze.weight": (16, 32, 1, 1)}, "[1, 1, 32, 16]; expected [1, 1, 64, 16]"),
    ],
    ids=["batch norm", "biases", "one output", "grey", "another metaparameter"],
)
def test_variants_that_cannot_be_read_are_refused_by_name(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    arrays = flat(tensors("torchvision-1.1", 5, 1.0))
    arrays |= {name: np.zeros(shape, np.float32) for name, shape in change.items()}
    (tmp_path / "mine.safetensors").write_bytes(safetensors_bytes(arrays))
    with pytest.raises(SqzError) as refused:
        load(str(tmp_path / "mine.safetensors"))
    assert words in str(refused.value)
    assert "mine.safetensors" in str(refused.value)


def test_outputs_in_another_order_are_refused_and_the_order_is_told() -> None:
    labels = np.repeat(np.arange(3), 10)
    scores = np.eye(3)[np.array([2, 0, 1])[labels]]  # ant is output 2, bee 0, cow 1
    with pytest.raises(ConfigError, match="do not seem to be ant, bee, cow in this order, but bee, cow, ant"):
        _refuse_other_order(scores, labels, CLASSES[:3])
    _refuse_other_order(np.eye(3)[labels], labels, CLASSES[:3])
    _refuse_other_order(np.tile([1.0, 0, 0], (30, 1)), labels, CLASSES[:3])


@pytest.mark.parametrize(("classes", "pictures", "right"), [(102, 1, 0.7), (37, 2, 0.5), (10, 4, 0.3), (2, 4, 0.5)])
def test_few_pictures_prove_no_other_order(classes: int, pictures: int, right: float) -> None:
    """A network that is right so often and errs evenly is refused by chance at most once in fifty times."""
    labels, draw, refused = np.repeat(np.arange(classes), pictures), np.random.default_rng(0), 0
    names = [f"class {number}" for number in range(classes)]
    for _ in range(100):
        found = np.where(draw.random(len(labels)) < right, labels, draw.integers(0, classes, len(labels)))
        try:
            _refuse_other_order(np.eye(classes)[found], labels, names)
        except ConfigError:
            refused += 1
    assert refused <= 2


@pytest.mark.parametrize(
    ("answers", "labels", "told"),
    [
        (
            [0, 1, 2] * 10,
            [0] * 10 + [1] * 10 + [2] * 10,
            "right on 12 of 30 held-out pictures, hardly more than guesses",
        ),
        ([0] * 30, [0] * 24 + [1] * 3 + [2] * 3, r"\(always ant: 80.0%\)"),
        ([1] * 30, [0] * 15 + [2] * 15, r"\(by lot: 33.3%\)"),
        ([0] * 10 + [1] * 10 + [2] * 10, [0] * 10 + [1] * 10 + [2] * 10, ""),
        ([0] * 28 + [1] * 2, [0] * 30, ""),
        ([0] * 97 + [1] * 2 + [2], [0] * 97 + [1] * 2 + [2], ""),
    ],
    ids=[
        "by lot",
        "one answer to all",
        "classes that are not there",
        "right",
        "right, one class",
        "rare classes",
    ],
)
def test_a_network_that_guesses_is_told(answers: list[int], labels: list[int], told: str) -> None:
    said = no_more_than_a_guess(np.eye(3)[answers], np.array(labels), CLASSES[:3])
    assert bool(said) == bool(told)
    assert re.search(told, said)


def test_a_data_set_of_a_name_is_meant_and_not_the_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Callable[..., str], write: WriteWeights
) -> None:
    weights, folder = shipped_folder("digits"), Path(pictures("ant", "bee", "cow"))
    folder.rename(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    named = job(weights, "digits", epochs=2)
    assert isinstance(named, Training)
    assert named.summary.classes == tuple("0123456789")
    assert any("all layers are trained on" in note for note in named.notes)
    assert reading("digits") == "reading digits, the data set of that name: the folder is ./digits"
    assert reading("./digits") == "reading ./digits"
    assert any("the last layer is replaced" in note for note in job(weights, "./digits", epochs=2).notes)
