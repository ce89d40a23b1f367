"""A data set: summarised before anything is decoded, loaded into a folder of preprocessed pictures, opened again."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.errors import DataError, OutputError, SqzError, noting, translated
from sqz_tf.base.json_files import load as load_json
from sqz_tf.base.paths import absolute
from sqz_tf.base.spec import DataConfig, PreprocessSpec, to_dict
from sqz_tf.base.text import readable
from sqz_tf.data.copies import looks_for_copies
from sqz_tf.data.rows import (
    Progress,
    Rows,
    chunks,
    fingerprint,
    map_ordered,
    see,
    write_images,
)
from sqz_tf.data.sources import UNLABELLED, Item, Source, open_source, reading_of
from sqz_tf.data.splits import (
    SPLITS,
    asked,
    check_fractions,
    check_shares,
    counts_by_class,
    idle_fractions,
    split,
    spread,
)
from sqz_tf.images.decode import ImageError
from sqz_tf.images.find import Entry, ImageSet, scan

_FORMAT = 2
_SIZES_SAMPLED = 500
_SEEN_AT_ONCE = 32  # pictures
_LONGEST_NAME = 1 << 16  # bytes, on the average


@dataclass(frozen=True)
class _Record:
    """What dataset.json says: `Dataset` but for its arrays and the names of pictures, which may be millions."""

    format: int
    name: str
    classes: tuple[str, ...]
    sha256: str
    config: DataConfig
    preprocess: PreprocessSpec
    licence: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What a data set holds, before anything is decoded.

    `sha256` covers every picture's bytes, class and split: what a stage made from them depends on.
    `counts` has, for each of train, calibration, validation and test, the pictures of each class in order of
    `classes`. `median_size` is (width, height) in pixels, `channels` the natural number of them. `copies` has, of the
    SHA-256 of pictures that look the same, that of the first of them.
    """

    name: str
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    median_size: tuple[int, int]
    channels: int
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()
    copies: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    @property
    def pictures(self) -> int:
        """The number of pictures in train, validation and test."""
        return sum(sum(counts) for split, counts in self.counts.items() if split != "calibration")


@dataclass(frozen=True)
class Dataset:
    """Preprocessed pictures on disk, and how they are split.

    `images`: uint8 [N, height, width, channels], memory-mapped. `labels`: int32 [N]. `names`: N paths.
    `splits`: int64 row numbers for train, calibration (a part of train), validation and test.
    `sha256` covers the bytes of every picture used, its class and split, and the preprocessing; file names do
    not enter, and neither does the decoder.
    """

    name: str
    classes: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    splits: dict[str, np.ndarray]
    sha256: str
    config: DataConfig
    preprocess: PreprocessSpec
    licence: str = ""
    notes: tuple[str, ...] = ()


def summarise(config: DataConfig, progress: Progress | None = None) -> Summary:
    """Count classes, pictures and splits; files are read and hashed, and the headers of some are parsed.

    Where copies are not looked for, corrupt pictures are found only by `load`, and its counts may be a little lower.

    Args:
      progress: called with ("read", pictures done, pictures in all).

    Raises:
      DataError: the source cannot be read or split.
      ConfigError: the fractions leave nothing to train on.
    """
    check_fractions(config)
    source = open_source(config)
    with noting(source.notes):
        return _summarised(config, source, progress)


def _summarised(config: DataConfig, source: Source, progress: Progress | None) -> Summary:
    rows, sizes = Rows(), []
    step = max(1, source.count // _SIZES_SAMPLED)
    looking = source.files and looks_for_copies(source.count)

    numbered = ((item, position % step == 0) for position, item in enumerate(source.items()))
    done = 0
    for chunk in map_ordered(lambda items: [see(*each, looking) for each in items], chunks(numbered, _SEEN_AT_ONCE)):
        for each in chunk:
            if isinstance(each.digest, ImageError):
                rows.skip(each.digest)
            else:
                rows.add(each.item, each.digest, each.look)
                sizes.extend(each.size)
        done += len(chunk)
        if progress:
            progress("read", done, source.count)
    rows.finish(source)
    copies = rows.find_copies()
    check_shares(config, rows.given)
    splits = _divided(rows, source, config)
    middle = np.median(np.array(sizes or [(1, 1)]), axis=0)
    return Summary(
        name=source.name,
        classes=source.classes,
        counts={key: counts_by_class(rows.labels, index, len(source.classes)) for key, index in splits.items()},
        median_size=(int(middle[0]), int(middle[1])),
        channels=source.channels,
        licence=source.licence,
        sha256=fingerprint(source.classes, rows, splits),
        notes=(*idle_fractions(rows.given, config), *rows.notes(source, splits)),
        copies=copies,
    )


def _divided(rows: Rows, source: Source, config: DataConfig) -> dict[str, np.ndarray]:
    together = rows.keys() if source.files else None
    splits = split(rows.labels, rows.digests, rows.given, source.classes, config, together)
    rows.asked = asked(rows.labels, rows.given, splits, config)
    return splits


def default_input_size(summary: Summary) -> int:
    """Return the side in pixels of the network's input for pictures of this size.

    With s the median picture's shorter side: 48 for s <= 16; 128 for s > 96; in between 1.5 s rounded up to a
    multiple of 16, at most 128 (32 gives 48). Small pictures gain from enlarging because the network halves
    its maps four times.
    """
    side = min(summary.median_size)
    if side <= 16:
        return 48
    return 128 if side > 96 else min(128, 16 * -(-3 * side // 32))


def load(
    config: DataConfig,
    preprocess: PreprocessSpec,
    cache: Path,
    progress: Progress | None = None,
    copies: Mapping[bytes, bytes] | None = None,
) -> Dataset:
    """Read, preprocess and split a data set, and keep the result in the folder `cache`.

    `cache` appears whole or not at all and replaces one that is there. Memory stays bounded: pictures are
    decoded a few at a time and written as they come.

    Args:
      progress: called with ("read", pictures done, pictures in all).
      copies: those of `Summary`, if they are known; else they are looked for.

    Raises:
      DataError: the source cannot be read or split, or over MAX_SKIPPED of it is corrupt.
      ConfigError: the fractions leave nothing to train on.
      OutputError: `cache` cannot be written.
    """
    check_fractions(config)
    source = open_source(config)
    looking = copies is None and source.files and looks_for_copies(source.count)

    def divide(rows: Rows) -> dict[str, np.ndarray]:
        if copies is None:
            rows.find_copies()
        else:
            rows.know_copies(copies)
        return _divided(rows, source, config)

    return _keep(source, divide, config, preprocess, cache, progress, looking)


def trains_nothing(config: Mapping[str, Any]) -> bool:
    """Tell from a manifest's `config` whether the export only quantized, its data read by `load_for_judging`."""
    train = config.get("train")
    return isinstance(train, dict) and train.get("epochs") == 0


def load_for_judging(
    config: DataConfig,
    calibration: str | None,
    outputs: Sequence[int],
    labels: Sequence[str],
    preprocess: PreprocessSpec,
    cache: Path,
    progress: Progress | None = None,
) -> Dataset:
    """Read labelled pictures that judge a network trained elsewhere, and pictures to calibrate it with.

    All labelled pictures are `test`, but for those that calibrate: without `calibration` the first ones by digest,
    `calibration_images` and a fifth of all at most. `train` and `validation` are empty.

    Args:
      config: `source` is a folder or `.zip` that `images.scan` reads.
      calibration: a folder or `.zip` of pictures, whose labels, if any, do not matter; `calibration_images` of them
        are used, evenly spread. Those that are in `source` too, byte for byte, are left out.
      outputs: the network's output for each class of the source, as `match_classes` finds them.
      labels: names of the network's outputs.

    Raises:
      DataError: as `load`; or every picture to calibrate with is judged.
      OutputError: as `load`.
    """
    found = scan(Path(config.source), reading_of(config))
    others = scan(Path(calibration), reading_of(config, labelled=False)) if calibration else None
    chosen = spread(others.entries, config.calibration_images) if others else []
    source = _judging_source(config.source, found, outputs, labels, others, chosen)

    def divide(rows: Rows) -> dict[str, np.ndarray]:
        order = np.array(sorted(range(len(rows.labels)), key=rows.digests.__getitem__), np.int64)
        given = np.array([name == "calibration" for name in rows.given])[order]
        if others is None:
            given[: min(config.calibration_images, len(order) // 5)] = True
        elif not given.any():
            raise DataError(
                f"every picture of {calibration} that would calibrate is in {config.source} too",
                expected="other pictures than those that judge",
                fix="give other pictures, or none to take a part of those",
            )
        none = np.zeros(0, np.int64)
        return {"train": none, "calibration": order[given], "validation": none, "test": order[~given]}

    return _keep(source, divide, config, preprocess, cache, progress)


def _judging_source(
    name: str,
    found: ImageSet,
    outputs: Sequence[int],
    labels: Sequence[str],
    others: ImageSet | None,
    chosen: Sequence[Entry],
) -> Source:
    def items() -> Iterator[Item]:
        for entry in found.entries:
            assert entry.label is not None
            yield Item(entry.name, outputs[entry.label], "test", partial(found.read, entry), partial(found.size, entry))
        for entry in chosen:
            assert others is not None
            yield Item(entry.name, UNLABELLED, "calibration", partial(others.read, entry), partial(others.size, entry))

    return Source(
        name=absolute(name).name.removesuffix(".zip"),
        classes=tuple(labels),
        count=len(found.entries) + len(chosen),
        items=items,
        channels=3,
        licence="pictures of the user",
        notes=(*found.notes, *(others.notes if others else ())),
        trains=False,
    )


def _keep(
    source: Source,
    divide: Callable[[Rows], dict[str, np.ndarray]],
    config: DataConfig,
    preprocess: PreprocessSpec,
    cache: Path,
    progress: Progress | None,
    looking: bool = False,
) -> Dataset:
    """Write a source's pictures and their splits into the folder `cache`."""
    need = source.count * preprocess.width * preprocess.height * preprocess.channels
    with noting(source.notes), _replacing(cache, need) as folder:
        rows = write_images(source, preprocess, folder / "images.npy", progress, looking)
        splits = divide(rows)
        index = {"labels": np.array(rows.labels, np.int32), **splits}
        np.savez(folder / "index.npz", **index)  # type: ignore[arg-type]
        record = {
            "format": _FORMAT,
            "name": readable(source.name),
            "classes": source.classes,
            "sha256": fingerprint(source.classes, rows, splits, preprocess),
            "config": to_dict(config),
            "preprocess": to_dict(preprocess),
            "licence": source.licence,
            "notes": rows.notes(source, splits),
        }
        names = "".join(_one_line(readable(name)) + "\n" for name in rows.names)
        (folder / "names.txt").write_bytes(names.encode())
        (folder / "dataset.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return open_cached(cache)


def open_cached(cache: Path) -> Dataset:
    """Open what `load` has kept in the folder `cache`.

    Raises:
      DataError: it is not there, or not whole.
    """
    of = (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, SqzError)
    with translated(DataError, f"{cache} holds no whole data set", fix="delete it and run again", of=of):
        return _read_cache(cache)


def _read_cache(cache: Path) -> Dataset:
    record: _Record = load_json(cache / "dataset.json", _Record)
    if record.format != _FORMAT:
        raise ValueError("written by another version")
    spec = record.preprocess
    pixels = np.load(cache / "images.npy", mmap_mode="r")
    with open(cache / "index.npz", "rb") as file, np.load(file) as index:  # np.load alone leaks one that is cut
        labels = index["labels"]
        splits = {name: index[name] for name in SPLITS}
    names = _read_names(cache / "names.txt", len(pixels))
    if not len(pixels) == len(labels) == len(names):
        raise ValueError("its parts differ in length")
    if pixels.shape[1:] != (spec.height, spec.width, spec.channels) or pixels.dtype != np.uint8:
        raise ValueError(f"images.npy holds {pixels.dtype} {pixels.shape}")
    said = {each.name: getattr(record, each.name) for each in fields(record) if each.name != "format"}
    return Dataset(images=pixels, labels=labels, splits=splits, names=names, **said)


def _one_line(name: str) -> str:
    return name.replace("\n", "�")


def _read_names(path: Path, pictures: int) -> tuple[str, ...]:
    if path.stat().st_size > pictures * _LONGEST_NAME:
        raise ValueError(f"{path.name} is too large for {pictures} pictures")
    return tuple(path.read_bytes().decode().split("\n")[:-1])


@contextmanager
def _replacing(folder: Path, need_bytes: int) -> Iterator[Path]:
    """Give an empty folder to fill; on success it takes the place of `folder`, else it is removed.

    Raises:
      OutputError: something cannot be written. Reading errors are DataErrors before they get here.
    """
    unfinished = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder} cannot be written ({error.strerror or error})",
            expected=f"a writable place with {need_bytes / 2**20:.0f} MiB free",
            fix="free some space or choose another place",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
