"""How often a model is right on labelled pictures.

Classes of the pictures are matched to the model's outputs by WordNet id, by name or by number, see
`images.matching`. Memory is bounded: pictures are decoded a few ahead, and only counts are kept.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.exported import Export
from sqz_tf.base import stats
from sqz_tf.base.errors import ConfigError, DataError, SqzError, noting
from sqz_tf.base.spec import DataConfig, from_dict
from sqz_tf.base.text import some
from sqz_tf.data.dataset import load, trains_nothing
from sqz_tf.data.rows import Progress, map_ordered, refuse_many
from sqz_tf.data.sources import is_named, reading_of
from sqz_tf.data.splits import spread
from sqz_tf.images.budget import FILES
from sqz_tf.images.decode import ImageError
from sqz_tf.images.find import Entry, ImageSet, Reading, scan
from sqz_tf.images.matching import match_classes
from sqz_tf.inference.classifier import Classifier

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


BATCH = 32


Item = tuple[int, "np.ndarray | ImageError"]  # the output that is right, and uint8 [height, width, channels]


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    `accuracy` as fractions; `skipped` pictures that are corrupt; `classes` of the model that were seen; `notes` for a
    person to read.
    """

    accuracy: stats.Accuracy
    skipped: int
    classes: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: top1, top5, n, interval, skipped, classes."""
        return {**dataclasses.asdict(self.accuracy), "skipped": self.skipped, "classes": self.classes}


def evaluate(
    classifier: Classifier,
    source: str | Path,
    *,
    split: str | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    reading: Reading | None = None,
) -> Evaluation:
    """Classify labelled pictures and count how often the first answer, and one of the first five, is right.

    Args:
      source: a folder with a folder per class, or with labels.csv beside the files or images/; or such a `.zip`.
        With `split` also digits, cifar10 or tfds:NAME.
      split: one of SPLITS: those pictures only. Where no folder says which they are, they are told by content, as for
        an export (docs/formats/splits.md), with the fractions in manifest.json if that lies beside the model. If
        that says that nothing was trained, all pictures are `test` and there is no other split.
      limit: so many pictures at most, evenly spread over all.
      progress: called with (what, pictures done, pictures in all).
      reading: how a folder or `.zip` is to be read; by default as the model's export read it, if this was its data.

    Raises:
      DataError: the pictures cannot be read, their classes cannot be matched, or over MAX_SKIPPED are corrupt.
      ConfigError: `split` or `limit` is none, or the model's export had no such split.
    """
    if split is not None and split not in SPLITS:
        raise ConfigError(f"split is {split!r}", expected=f"one of {', '.join(SPLITS)}")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}", expected="at least 1")
    with labelled(classifier, source, split, limit, progress, reading) as pictures:
        return _count(classifier, pictures, progress)


@contextmanager
def labelled(
    classifier: Classifier,
    source: str | Path,
    split: str | None,
    limit: int | None,
    progress: Progress | None = None,
    reading: Reading | None = None,
) -> Iterator[Pictures]:
    """Give the pictures that `evaluate`, with the same arguments, classifies.

    Raises:
      DataError: as `evaluate`.
    """
    config = _config(classifier.path, source, reading)
    with _opened(classifier, config, split and SPLITS[split], limit, progress) as pictures:
        yield pictures


def _count(classifier: Classifier, pictures: Pictures, progress: Progress | None) -> Evaluation:
    right1 = right5 = n = 0
    skipped: list[ImageError] = []
    seen: set[int] = set()
    while chunk := list(islice(pictures.items, BATCH)):
        good = [(output, pixels) for output, pixels in chunk if not isinstance(pixels, ImageError)]
        skipped += [error for _, error in chunk if isinstance(error, ImageError)]
        refuse_many(skipped, pictures.total)
        if good:
            truth = np.array([output for output, _ in good], np.int64)
            scores = classifier.scores(np.stack([pixels for _, pixels in good]))
            right1 += int(stats.top_k_correct(scores, truth, 1).sum())
            right5 += int(stats.top_k_correct(scores, truth, 5).sum())
            seen.update(truth.tolist())
        n += len(good)
        if progress:
            progress("evaluate", n + len(skipped), pictures.total)
    accuracy = stats.Accuracy(right1 / n, right5 / n, n, stats.wilson_interval(right1, n))
    return Evaluation(accuracy, len(skipped), len(seen), pictures.notes + _skipped_note(skipped))


def _skipped_note(skipped: Sequence[ImageError]) -> tuple[str, ...]:
    if not skipped:
        return ()
    return (f"{len(skipped)} pictures skipped: {some([error.what for error in skipped], '; ')}",)


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures to walk once: the model's output that is right for each, and the picture."""

    total: int
    items: Iterator[Item]
    notes: tuple[str, ...]


@contextmanager
def _opened(
    classifier: Classifier, config: DataConfig, split: str | None, limit: int | None, progress: Progress | None
) -> Iterator[Pictures]:
    """Find the pictures, and let an error that follows tell what was noted of them."""
    source = config.source
    there = split is None or (os.path.exists(source) and not is_named(source))
    found = scan(source, reading_of(config)) if there else None
    with noting(found.notes if found else ()), _chosen(classifier, config, found, split, limit, progress) as pictures:
        yield pictures


@contextmanager
def _chosen(
    classifier: Classifier,
    config: DataConfig,
    found: ImageSet | None,
    split: str | None,
    limit: int | None,
    progress: Progress | None,
) -> Iterator[Pictures]:
    """Choose the pictures of a split; those split by content lie in a temporary folder until the block ends."""
    if found is not None:
        outputs = _outputs(classifier, found)  # wrong classes are told before anything is decoded
        # A train folder may have to give pictures to splits that have no folder.
        if split is None or (split != "train" and split in {entry.split for entry in found.entries}):
            yield _from_files(classifier, found, outputs, split, limit)
            return
        if trains_nothing(_export_config(classifier.path)):
            _refuse_trained_split(split)
            yield _from_files(classifier, found, outputs, None, limit)
            return
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as folder:
        dataset = load(config, classifier.preprocess, Path(folder, "data"), progress)
        if found is None:
            outputs = _outputs(classifier, ImageSet(Path(config.source), dataset.classes, ()))
        rows = spread(dataset.splits[str(split)].tolist(), limit)
        items = ((outputs[dataset.labels[row]], np.asarray(dataset.images[row])) for row in rows)
        yield Pictures(len(rows), items, dataset.notes)


def _refuse_trained_split(split: str) -> None:
    if split != "test":
        raise ConfigError(
            f"split is {split}, but the model's export trained nothing and has no such pictures",
            expected="test, which is all pictures",
            fix="leave the split out",
        )


def _outputs(classifier: Classifier, found: ImageSet) -> tuple[int, ...]:
    """Return the model's output for each class."""
    if not found.classes:
        raise DataError(
            f"{found.root} holds {len(found.entries)} pictures without labels",
            expected="one folder per class, or labels.csv",
        )
    return match_classes(
        found.classes,
        classifier.labels,
        wnids=found.wnids,
        numbers=found.label_numbers,
        label_wnids=classifier.wnids,
    )


def _from_files(
    classifier: Classifier, found: ImageSet, outputs: Sequence[int], split: str | None, limit: int | None
) -> Pictures:
    entries = spread([entry for entry in found.entries if split in (None, entry.split)], limit)
    return Pictures(
        len(entries), map_ordered(partial(_decoded, classifier, found, outputs), entries, BATCH), found.notes
    )


def _decoded(classifier: Classifier, found: ImageSet, outputs: Sequence[int], entry: Entry) -> Item:
    assert entry.label is not None
    try:
        with FILES.room(found.size(entry)):
            return outputs[entry.label], classifier.pixels(found.read(entry), entry.name)
    except ImageError as error:
        return outputs[entry.label], error


def _config(model: Path, source: str | Path, reading: Reading | None) -> DataConfig:
    """Return how the pictures were split for the export, if its manifest lies beside the model; else the default."""
    try:
        config = from_dict(DataConfig, _export_config(model)["data"])
    except (ValueError, LookupError, TypeError, SqzError):
        config = DataConfig()
    if reading is None:
        same = os.path.realpath(config.source) == os.path.realpath(source)
        reading = reading_of(config) if same else Reading()
    return dataclasses.replace(config, source=str(source), splits=reading.splits, zip_encoding=reading.zip_encoding)


def _export_config(model: Path) -> dict[str, Any]:
    """Return `config` of the manifest beside a model; empty if there is none."""
    export = Export.beside(model)
    return export.config if export else {}
