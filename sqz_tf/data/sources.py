"""Where pictures come from: folders and zip files, the built-in digits, CIFAR-10, TFDS."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.errors import ConfigError, DataError, first_line, noting
from sqz_tf.base.paths import absolute
from sqz_tf.base.spec import DataConfig
from sqz_tf.data.splits import SPLITS
from sqz_tf.images.find import Entry, ImageSet, Reading, scan
from sqz_tf.images.labels import refuse_illegal
from sqz_tf.images.split_names import PLAIN, split_of

UNLABELLED = -1
"""Label of a picture that has none."""


@dataclass(frozen=True)
class Item:
    """One picture of a source; `read` gives the file's bytes, or pixels where there is no file.

    `size` gives the bytes of what is read from a disk, before it is; 0 for what is in memory.
    """

    name: str
    label: int
    given: str | None
    read: Callable[[], bytes | np.ndarray]
    size: Callable[[], int] = int


@dataclass(frozen=True)
class Source:
    """Where pictures come from; `items` may be walked once or more, `count` is their number.

    `files` are a person's own, among which copies are looked for.
    """

    name: str
    classes: tuple[str, ...]
    count: int
    items: Callable[[], Iterator[Item]]
    channels: int
    licence: str
    notes: tuple[str, ...] = ()
    trains: bool = True
    files: bool = False


_IGNORED = "warning: pictures that look the same are split like others (--copies ignore): accuracies may be too high"


def is_named(source: str) -> bool:
    """Tell whether a data set is meant that has a name; a folder of that name is given as `./NAME`."""
    return source in NAMED or source.startswith("tfds:")


def reading(source: str) -> str:
    """Return what is said while pictures are read; of a name that is a path here, too, which of them is meant."""
    shadows = is_named(source) and os.path.exists(source)
    return f"reading {source}{f', the data set of that name: the folder is ./{source}' if shadows else ''}"


def open_source(config: DataConfig) -> Source:
    """Return the pictures of a folder, an archive or a data set that has a name."""
    source = config.source
    if is_named(source):
        if config.splits or config.zip_encoding:
            raise ConfigError(
                f"--splits and --zip-encoding say nothing of {source}",
                expected="a folder or .zip of pictures with them",
            )
        return NAMED[source]() if source in NAMED else _tfds(source.removeprefix("tfds:"))
    if not os.path.exists(source):
        raise DataError(
            f"there is no data set, folder or file {source!r}",
            expected=f"{', '.join(NAMES)}, a folder of pictures or a .zip",
        )
    found = _files(Path(source), reading_of(config))
    return found if config.copies == "apart" else replace(found, files=False, notes=(*found.notes, _IGNORED))


def reading_of(config: DataConfig, labelled: bool = True) -> Reading:
    """Return how a folder or archive is to be read."""
    return Reading(config.splits, config.zip_encoding, labelled)


def _files(path: Path, reading: Reading) -> Source:
    found = scan(path, reading)
    with noting(found.notes):
        _refuse_untrainable(path, found)

    def items() -> Iterator[Item]:
        for entry in found.entries:
            assert entry.label is not None
            yield Item(entry.name, entry.label, entry.split, partial(found.read, entry), partial(found.size, entry))

    return Source(
        name=absolute(path).name if path.is_dir() else path.stem,
        classes=found.classes,
        count=len(found.entries),
        items=items,
        channels=3,
        licence="pictures of the user",
        notes=found.notes,
        files=True,
    )


def _refuse_untrainable(path: Path, found: ImageSet) -> None:
    if found.empty_classes:
        raise DataError(
            f"{path} has class folders without a picture: {', '.join(found.empty_classes[:3])}",
            expected="pictures in every class folder",
            fix="add pictures or remove the folder",
        )
    if not found.classes:
        raise DataError(
            f"{path} holds {len(found.entries)} pictures without labels",
            expected="one folder per class, or labels.csv",
        )
    if len(found.classes) == 1:
        inside = path / found.classes[0]
        deeper = f", or give {inside} if the classes are in there" if inside.is_dir() else ""
        raise DataError(
            f"{path} has one class only, {found.classes[0]!r}",
            expected="two or more classes",
            fix=f"add a folder of other pictures{deeper}",
        )
    splits = {entry.split for entry in found.entries}
    if None not in splits and "train" not in splits:
        held_out = sorted({_held_out(found, entry) for entry in found.entries})
        raise DataError(
            f"{path} has no train folder beside {', '.join(held_out)}",
            expected="pictures to train on",
            fix="give the folder that has train, too, or --splits none to train on these, or --splits train=FOLDER",
        )


def _held_out(found: ImageSet, entry: Entry) -> str:
    """Return what an entry's split is called: its folder by name, and what that was taken for if it does not say."""
    split, label = str(entry.split), found.classes[entry.label or 0]
    folders = [name for name in entry.name.split("/")[:-1] if name != label]
    folder = next(filter(split_of, folders), split)
    return folder if PLAIN.get(folder.casefold()) == split else f"{folder}, which is taken for {split}"


def _arrays(
    name: str, classes: tuple[str, ...], parts: dict[str | None, tuple[np.ndarray, np.ndarray]], licence: str
) -> Source:
    """Make a source of (pixels uint8 [N, H, W, C], labels [N]) per given split."""

    def items() -> Iterator[Item]:
        for given, (pixels, labels) in parts.items():
            prefix = f"{name}/{given}" if given else name
            for number, label in enumerate(labels.tolist()):
                yield Item(f"{prefix}/{number:04d}", label, given, pixels[number].copy)

    first = next(iter(parts.values()))[0]
    count = sum(len(labels) for _, labels in parts.values())
    return Source(name, classes, count, items, first.shape[-1], licence)


def _digits() -> Source:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise _missing("digits", "scikit-learn", "train") from error
    found = load_digits()
    pixels = (found.images.astype(np.int64) * 255 + 8) // 16  # 0..16 to 0..255, rounded
    parts: dict[Any, Any] = {None: (pixels.astype(np.uint8)[..., None], found.target)}
    return _arrays(
        "digits",
        tuple(map(str, range(10))),
        parts,
        "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak 1998, UCI, CC BY 4.0",
    )


def _cifar10() -> Source:
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        from tf_keras.datasets import cifar10
    except ImportError as error:
        raise _missing("cifar10", "tf_keras", "train") from error
    try:
        with redirect_stdout(sys.stderr):  # Keras draws its progress on stdout, which is for results
            (train, train_labels), (test, test_labels) = cifar10.load_data()
    except Exception as error:
        raise DataError(
            f"cifar10 cannot be downloaded ({first_line(error)})",
            expected="a connection to the CIFAR-10 site",
            fix="download it elsewhere and give a folder or .zip with one folder per class",
        ) from error
    parts: dict[Any, Any] = {"train": (train, train_labels.ravel()), "test": (test, test_labels.ravel())}
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    return _arrays("cifar10", tuple(names.split()), parts, "CIFAR-10, A. Krizhevsky 2009, no licence stated")


def _tfds(name: str) -> Source:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise _missing(f"tfds:{name}", "tensorflow-datasets", "tfds") from error
    try:
        with redirect_stdout(sys.stderr):  # as above
            builder = tfds.builder(name)
            builder.download_and_prepare()
    except Exception as error:
        raise DataError(
            f"tfds:{name} cannot be prepared ({first_line(error)})", expected="a name from the TFDS catalogue"
        ) from error
    features, splits = builder.info.features, [key for key in SPLITS if key in builder.info.splits]
    if not ("image" in features and "label" in features and "train" in splits):
        raise DataError(
            f"tfds:{name} has features {', '.join(features)} and splits {', '.join(builder.info.splits)}",
            expected="an image, a label and a train split",
        )

    classes = tuple(features["label"].names)
    refuse_illegal(classes, f"tfds:{name}", "give a folder with one folder per class")

    def items() -> Iterator[Item]:
        for given in splits:
            stored = builder.as_dataset(split=given, decoders={"image": tfds.decode.SkipDecoding()})
            for number, example in enumerate(tfds.as_numpy(stored)):
                data, label = bytes(example["image"]), int(example["label"])
                if label >= 0:  # -1 marks test pictures whose labels are kept secret
                    yield Item(f"{name}/{given}/{number:06d}", label, given, partial(bytes, data))

    return Source(
        name=name.split("/")[0].split(":")[0],
        classes=classes,
        count=sum(builder.info.splits[key].num_examples for key in splits),
        items=items,
        channels=1 if features["image"].shape[-1] == 1 else 3,
        licence=f"TensorFlow Datasets, {builder.info.homepage or name}",
    )


def _missing(source: str, package: str, extra: str) -> DataError:
    return DataError(f"--data {source} needs {package}, which is not installed", fix=f"pip install 'sqz-tf[{extra}]'")


NAMED: dict[str, Callable[[], Source]] = {"digits": _digits, "cifar10": _cifar10}
NAMES = (*NAMED, "tfds:NAME")
"""What `--data` takes besides files."""
