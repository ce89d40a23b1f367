"""Pictures to splits: read, hash, decode, preprocess, split, and keep the result on disk.

A split depends on the bytes of the pictures alone, not on their names or a seed: inside each class they are
sorted by SHA-256, then the first go to test, the next to validation, the rest to train. Only `cifar10` and
`tfds:NAME` need TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sys
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from sqz_tf import images
from sqz_tf.errors import ConfigError, DataError, OutputError, SqzError
from sqz_tf.spec import DataConfig, PreprocessSpec, from_dict, to_dict

SPLITS = ("train", "calibration", "validation", "test")
UNLABELLED = -1
"""Label of a picture that has none."""
MAX_SKIPPED = 0.05
"""Largest fraction of pictures that may be corrupt."""
_FORMAT = 1
_SMALL_SET = 10_000
_SIZES_SAMPLED = 500
_CHUNK_BYTES = 8 << 20
_SMALL_PICTURE = 1 << 16  # values; resizing such pictures one by one would cost more in calls than in work
_MOST_THREADS = 8  # each holds a decoded picture, which may be large

Progress = Callable[[str, int, int], None]
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Summary:
    """What a data set holds, before anything is decoded.

    `sha256` covers every picture's bytes, class and split: what a stage made from them depends on.
    `counts` has, for each of train, calibration, validation and test, the pictures of each class in order of
    `classes`. `median_size` is (width, height) in pixels, `channels` the natural number of them.
    """

    name: str
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    median_size: tuple[int, int]
    channels: int
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()

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


def summarise(config: DataConfig) -> Summary:
    """Count classes, pictures and splits; files are read and hashed, and the headers of some are parsed.

    Corrupt pictures are found only by `load`, so its counts may be a little lower.

    Raises:
      DataError: the source cannot be read or split.
      ConfigError: the fractions leave nothing to train on.
    """
    _check_fractions(config)
    source = _open_source(config.source)
    rows, sizes = _Rows(), []
    step = max(1, source.count // _SIZES_SAMPLED)
    for position, item in enumerate(source.items()):
        content = _content(item)
        if isinstance(content, images.ImageError):
            rows.skip(content)
            continue
        rows.add(item, _digest(content))
        if position % step == 0:
            sizes.extend(_size(content, item.name))
    rows.finish(source)
    splits = split(rows.labels, rows.digests, rows.given, source.classes, config)
    middle = np.median(np.array(sizes or [(1, 1)]), axis=0)
    return Summary(
        name=source.name,
        classes=source.classes,
        counts={key: _per_class(rows.labels, index, len(source.classes)) for key, index in splits.items()},
        median_size=(int(middle[0]), int(middle[1])),
        channels=source.channels,
        licence=source.licence,
        sha256=_fingerprint(source.classes, rows, splits),
        notes=rows.notes(source, splits),
    )


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


def load(config: DataConfig, preprocess: PreprocessSpec, cache: Path, progress: Progress | None = None) -> Dataset:
    """Read, preprocess and split a data set, and keep the result in the folder `cache`.

    `cache` appears whole or not at all and replaces one that is there. Memory stays bounded: pictures are
    decoded a few at a time and written as they come.

    Args:
      progress: called with ("read", pictures done, pictures in all).

    Raises:
      DataError: the source cannot be read or split, or over MAX_SKIPPED of it is corrupt.
      ConfigError: the fractions leave nothing to train on.
      OutputError: `cache` cannot be written.
    """
    _check_fractions(config)
    source = _open_source(config.source)

    def divide(rows: _Rows) -> dict[str, np.ndarray]:
        return split(rows.labels, rows.digests, rows.given, source.classes, config)

    return _keep(source, divide, config, preprocess, cache, progress)


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
    found = images.scan(Path(config.source))
    others = images.scan(Path(calibration)) if calibration else None
    chosen = spread(others.entries, config.calibration_images) if others else []
    source = _judging_source(config.source, found, outputs, labels, others, chosen)

    def divide(rows: _Rows) -> dict[str, np.ndarray]:
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
    found: images.ImageSet,
    outputs: Sequence[int],
    labels: Sequence[str],
    others: images.ImageSet | None,
    chosen: Sequence[images.Entry],
) -> _Source:
    def items() -> Iterator[_Item]:
        for entry in found.entries:
            assert entry.label is not None
            yield _Item(entry.name, outputs[entry.label], "test", partial(found.read, entry))
        for entry in chosen:
            assert others is not None
            yield _Item(entry.name, UNLABELLED, "calibration", partial(others.read, entry))

    return _Source(
        name=Path(name).resolve().name.removesuffix(".zip"),
        classes=tuple(labels),
        count=len(found.entries) + len(chosen),
        items=items,
        channels=3,
        licence="pictures of the user",
        notes=(*found.notes, *(others.notes if others else ())),
        trains=False,
    )


def spread(values: Sequence[In], most: int | None) -> list[In]:
    """Return at most `most` values, evenly spread (files are sorted by class); all of them for None."""
    if most is None or len(values) <= most:
        return list(values)
    return [values[position * len(values) // most] for position in range(most)]


def _keep(
    source: _Source,
    divide: Callable[[_Rows], dict[str, np.ndarray]],
    config: DataConfig,
    preprocess: PreprocessSpec,
    cache: Path,
    progress: Progress | None,
) -> Dataset:
    """Write a source's pictures and their splits into the folder `cache`."""
    need = source.count * preprocess.width * preprocess.height * preprocess.channels
    with _replacing(cache, need) as folder:
        rows = _write_images(source, preprocess, folder / "images.npy", progress)
        splits = divide(rows)
        index = {"labels": np.array(rows.labels, np.int32), **splits}
        np.savez(folder / "index.npz", **index)  # type: ignore[arg-type]
        record = {
            "format": _FORMAT,
            "name": source.name,
            "classes": source.classes,
            "names": rows.names,
            "sha256": _fingerprint(source.classes, rows, splits, preprocess),
            "config": to_dict(config),
            "preprocess": to_dict(preprocess),
            "licence": source.licence,
            "notes": rows.notes(source, splits),
        }
        (folder / "dataset.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return open_cached(cache)


def open_cached(cache: Path) -> Dataset:
    """Open what `load` has kept in the folder `cache`.

    Raises:
      DataError: it is not there, or not whole.
    """
    try:
        return _read_cache(cache)
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, SqzError) as error:
        raise DataError(f"{cache} holds no whole data set ({error})", fix="delete it and run again") from error


def _read_cache(cache: Path) -> Dataset:
    record = json.loads((cache / "dataset.json").read_text(encoding="utf-8"))
    if record.pop("format") != _FORMAT:
        raise ValueError("written by another version")
    record["config"] = from_dict(DataConfig, record["config"])
    record["preprocess"] = spec = from_dict(PreprocessSpec, record["preprocess"])
    for key in ("classes", "names", "notes"):
        record[key] = tuple(record[key])
    pixels = np.load(cache / "images.npy", mmap_mode="r")
    with open(cache / "index.npz", "rb") as file, np.load(file) as index:  # np.load alone leaks one that is cut
        labels = index["labels"]
        splits = {name: index[name] for name in SPLITS}
    if not len(pixels) == len(labels) == len(record["names"]):
        raise ValueError("its parts differ in length")
    if pixels.shape[1:] != (spec.height, spec.width, spec.channels) or pixels.dtype != np.uint8:
        raise ValueError(f"images.npy holds {pixels.dtype} {pixels.shape}")
    return Dataset(images=pixels, labels=labels, splits=splits, **record)


# Splitting --------------------------------------------------------------------------------------------------


def split(
    labels: Sequence[int],
    digests: Sequence[bytes],
    given: Sequence[str | None],
    classes: Sequence[str],
    config: DataConfig,
) -> dict[str, np.ndarray]:
    """Divide pictures over train, validation and test; draw calibration from train.

    Inside each class pictures are sorted by digest; test takes the first, validation the next, each its
    fraction rounded up, and at least one picture is left for the next. A split the source itself has is kept.

    Args:
      labels, digests, given: per picture its class, its SHA-256, and the source's own split or None.

    Returns:
      int64 row numbers, in order of digest; those of calibration take one picture of each class in turn.

    Raises:
      DataError: a class has too few pictures to be in every split.
    """
    order = sorted(range(len(labels)), key=lambda row: (digests[row], labels[row], given[row] or ""))
    pools: list[list[int]] = [[] for _ in classes]
    part: dict[int, str] = {}
    for row in order:
        part[row] = given[row] or "train"
        if part[row] == "train":
            pools[labels[row]].append(row)
    absent = {name: fraction for name, fraction in _fractions(config, len(labels)).items() if name not in given}
    _refuse_small_classes(classes, pools, 1 + len(absent))
    left = []
    for pool in pools:
        counts = _counts(len(pool), list(absent.values()))
        for name, count in zip(absent, counts, strict=True):
            part.update(dict.fromkeys(pool[:count], name))
            pool = pool[count:]
        left.append(pool)
    result = {name: [row for row in order if part[row] == name] for name in SPLITS}
    result["calibration"] = _in_turn(left, config.calibration_images)
    return {name: np.array(rows, np.int64) for name, rows in result.items()}


def _counts(pictures: int, fractions: list[float]) -> list[int]:
    """Return what each split takes of one class: rounded up, and one left for each that follows and for train."""
    counts: list[int] = []
    for position, fraction in enumerate(fractions):
        most = pictures - sum(counts) - (len(fractions) - position)
        counts.append(max(1, min(math.ceil(pictures * fraction - 1e-9), most)))  # 100 * 0.07 is 7.000000000000001
    return counts


def _fractions(config: DataConfig, pictures: int) -> dict[str, float]:
    test, validation = (0.25, 0.15) if pictures < _SMALL_SET else (0.1, 0.1)
    return {"test": config.test_fraction or test, "validation": config.validation_fraction or validation}


def _check_fractions(config: DataConfig) -> None:
    total = config.test_fraction + config.validation_fraction
    if total > 0.9:
        raise ConfigError(f"test and validation take {total:.2f} of the pictures", expected="at most 0.9 together")


def _refuse_small_classes(classes: Sequence[str], pools: list[list[int]], needed: int) -> None:
    small = [(name, len(pool)) for name, pool in zip(classes, pools, strict=True) if len(pool) < needed]
    if small:
        shown = ", ".join(f"{name!r} has {count}" for name, count in small[:3])
        raise DataError(
            f"{len(small)} of {len(classes)} classes have too few pictures ({shown})",
            expected=f"at least {needed} different pictures a class to train on and split",
            fix="add pictures or remove the class",
        )


def _in_turn(by_class: list[list[int]], most: int) -> list[int]:
    longest = max(map(len, by_class), default=0)
    turns = (rows[turn] for turn in range(longest) for rows in by_class if turn < len(rows))
    return [row for row, _ in zip(turns, range(most), strict=False)]


def _per_class(labels: Sequence[int], index: np.ndarray, classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(np.asarray(labels, np.int64)[index], minlength=classes).tolist())


def _fingerprint(
    classes: Sequence[str], rows: _Rows, splits: dict[str, np.ndarray], preprocess: PreprocessSpec | None = None
) -> str:
    """Hash what a stage's result depends on: bytes, classes and splits, and the preprocessing if there is one.

    Of the preprocessing, mean and deviation do not enter: they are folded into the network and change no pixel.
    """
    part = dict.fromkeys(range(len(rows.labels)), "")
    for name, index in splits.items():
        for row in index.tolist():
            part[row] += name + " "
    lines = sorted(f"{digest.hex()} {rows.labels[row]} {part[row]}" for row, digest in enumerate(rows.digests))
    pixels = preprocess and to_dict(replace(preprocess, mean=(), std=()))
    everything = {"classes": list(classes), "rows": lines, "preprocess": pixels}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


# Reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Item:
    """One picture of a source; `read` gives the file's bytes, or pixels where there is no file."""

    name: str
    label: int
    given: str | None
    read: Callable[[], bytes | np.ndarray]


@dataclass(frozen=True)
class _Source:
    """Where pictures come from; `items` may be walked once or more, `count` is their number."""

    name: str
    classes: tuple[str, ...]
    count: int
    items: Callable[[], Iterator[_Item]]
    channels: int
    licence: str
    notes: tuple[str, ...] = ()
    trains: bool = True


class _Rows:
    """What is known of the pictures kept so far, and why others were not."""

    def __init__(self) -> None:
        self.labels: list[int] = []
        self.digests: list[bytes] = []
        self.given: list[str | None] = []
        self.names: list[str] = []
        self.errors: list[images.ImageError] = []
        self.copies = 0
        self.judged = 0
        self._seen: dict[bytes, list[tuple[int, str | None]]] = {}
        self._across = Counter[str]()

    def add(self, item: _Item, digest: bytes) -> bool:
        """Keep one picture; False if the same bytes are in the same class and split, or have a label already."""
        seen = self._seen.setdefault(digest, [])
        if (item.label, item.given) in seen:
            self.copies += 1
            return False
        if item.label == UNLABELLED and seen:
            self.judged += 1
            return False
        self._across["classes"] += any(label != item.label for label, _ in seen)
        self._across["splits"] += any(given != item.given for _, given in seen)
        seen.append((item.label, item.given))
        self.labels.append(item.label)
        self.digests.append(digest)
        self.given.append(item.given)
        self.names.append(item.name)
        return True

    def skip(self, error: images.ImageError) -> None:
        """Leave out one picture."""
        self.errors.append(error)

    def finish(self, source: _Source) -> None:
        """Refuse a source of which too much is corrupt.

        Raises:
          DataError: over MAX_SKIPPED of the pictures were skipped.
        """
        if len(self.errors) > MAX_SKIPPED * source.count:
            shown = "; ".join(error.what for error in self.errors[:3])
            raise DataError(
                f"{len(self.errors)} of {source.count} pictures cannot be used: {shown}",
                expected=f"at most {MAX_SKIPPED:.0%}",
                fix="replace or remove them",
            )

    def notes(self, source: _Source, splits: dict[str, np.ndarray]) -> tuple[str, ...]:
        """Say what was skipped, doubled, unbalanced or absent."""
        notes = list(source.notes)
        if self.errors:
            shown = "; ".join(error.what for error in self.errors[:3])
            notes.append(f"{len(self.errors)} pictures skipped: {shown}")
        if self.copies:
            notes.append(f"{self.copies} exact copies within a class: left out")
        if self.judged:
            notes.append(f"{self.judged} of the pictures to calibrate with are judged, byte for byte: left out")
        if self._across["classes"]:
            notes.append(f"warning: {self._across['classes']} pictures are in two classes, byte for byte")
        if self._across["splits"]:
            notes.append(
                f"warning: {self._across['splits']} pictures are in two of the given splits, byte for byte: "
                "accuracies may be too high"
            )
        if not source.trains:
            return tuple(notes)
        counts = np.bincount(self.labels, minlength=len(source.classes))
        if counts.min() and counts.max() > 3 * counts.min():
            low, high = int(counts.argmin()), int(counts.argmax())
            notes.append(
                f"unbalanced classes: {source.classes[low]} has {counts[low]} pictures, "
                f"{source.classes[high]} {counts[high]}"
            )
        for name in ("validation", "test"):
            held = _per_class(self.labels, splits[name], len(source.classes))
            absent = [label for label, count in zip(source.classes, held, strict=True) if not count]
            if absent:
                notes.append(f"warning: {name} has no picture of {', '.join(absent[:3])}")
        return tuple(notes)


@dataclass(frozen=True)
class _Decoded:
    item: _Item
    digest: bytes
    pixels: np.ndarray | images.ImageError


def _content(item: _Item) -> bytes | np.ndarray | images.ImageError:
    try:
        return item.read()
    except images.ImageError as error:
        return error


def _digest(content: bytes | np.ndarray) -> bytes:
    return hashlib.sha256(content if isinstance(content, bytes) else np.ascontiguousarray(content).data).digest()


def _size(content: bytes | np.ndarray, name: str) -> list[tuple[int, int]]:
    if isinstance(content, np.ndarray):
        return [(content.shape[1], content.shape[0])]
    try:
        return [images.picture_size(content, name)]
    except images.ImageError:
        return []


def _write_images(source: _Source, spec: PreprocessSpec, path: Path, progress: Progress | None) -> _Rows:
    """Decode everything into one `.npy` file, row by row, and return what the rows are."""
    rows, done = _Rows(), 0
    shape = (spec.height, spec.width, spec.channels)
    chunks = _chunks(source.items(), max(1, min(256, _CHUNK_BYTES // math.prod(shape))))
    with open(path, "wb") as file:
        _write_header(file, (source.count, *shape))
        for chunk in map_ordered(lambda items: _decode_all(items, spec), chunks):
            for decoded in chunk:
                if isinstance(decoded.pixels, images.ImageError):
                    rows.skip(decoded.pixels)
                elif rows.add(decoded.item, decoded.digest):
                    file.write(decoded.pixels.data)
            done += len(chunk)
            if progress:
                progress("read", done, source.count)
        rows.finish(source)
        file.seek(0)
        _write_header(file, (len(rows.labels), *shape))
    return rows


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write a `.npy` header; NumPy pads it so that the first axis can change without changing its length."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _decode_all(items: list[_Item], spec: PreprocessSpec) -> list[_Decoded]:
    """Read, hash, decode and preprocess; small pictures of one size are resized together."""
    results: list[_Decoded | None] = [None] * len(items)
    groups: dict[tuple[int, ...], list[tuple[int, _Item, bytes, np.ndarray]]] = {}
    for position, item in enumerate(items):
        content = _content(item)
        try:
            if isinstance(content, images.ImageError):
                raise content
            pixels = images.decode(content, item.name) if isinstance(content, bytes) else content
        except images.ImageError as error:
            results[position] = _Decoded(item, b"", error)
            continue
        digest = _digest(content)
        if pixels.size > _SMALL_PICTURE:
            results[position] = _Decoded(item, digest, images.preprocess(pixels, spec))
        else:
            groups.setdefault(pixels.shape, []).append((position, item, digest, pixels))
    for group in groups.values():
        batch = images.preprocess(np.stack([pixels for *_, pixels in group]), spec)
        for (position, item, digest, _), pixels in zip(group, batch, strict=True):
            results[position] = _Decoded(item, digest, pixels)
    return [result for result in results if result is not None]


def _chunks(items: Iterable[In], size: int) -> Iterator[list[In]]:
    chunk: list[In] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def map_ordered(function: Callable[[In], Out], values: Iterable[In], ahead: int | None = None) -> Iterator[Out]:
    """Apply `function` in threads, results in order, at most `ahead` of the reader (default: the threads and one)."""
    workers = min(_MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Out]] = deque()
        for value in values:
            pending.append(pool.submit(function, value))
            if len(pending) > (workers + 1 if ahead is None else ahead):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


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


# Sources ----------------------------------------------------------------------------------------------------


def _open_source(source: str) -> _Source:
    if source == "digits":
        return _digits()
    if source == "cifar10":
        return _cifar10()
    if source.startswith("tfds:"):
        return _tfds(source.removeprefix("tfds:"))
    if not os.path.exists(source):
        raise DataError(
            f"there is no data set, folder or file {source!r}",
            expected="digits, cifar10, tfds:NAME, a folder of pictures or a .zip",
        )
    return _files(Path(source))


def _files(path: Path) -> _Source:
    found = images.scan(path)
    _refuse_untrainable(path, found)

    def items() -> Iterator[_Item]:
        for entry in found.entries:
            assert entry.label is not None
            yield _Item(entry.name, entry.label, entry.split, partial(found.read, entry))

    return _Source(
        name=path.resolve().name if path.is_dir() else path.stem,
        classes=found.classes,
        count=len(found.entries),
        items=items,
        channels=3,
        licence="pictures of the user",
        notes=found.notes,
    )


def _refuse_untrainable(path: Path, found: images.ImageSet) -> None:
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
        raise DataError(
            f"{path} has one class only, {found.classes[0]!r}",
            expected="two or more classes",
            fix=f"add a folder of other pictures, or give {path / found.classes[0]} if the classes are in there",
        )
    splits = {entry.split for entry in found.entries}
    if None not in splits and "train" not in splits:
        raise DataError(f"{path} has no train folder beside {', '.join(sorted(map(str, splits)))}", expected="train")


def _arrays(
    name: str, classes: tuple[str, ...], parts: dict[str | None, tuple[np.ndarray, np.ndarray]], licence: str
) -> _Source:
    """Make a source of (pixels uint8 [N, H, W, C], labels [N]) per given split."""

    def items() -> Iterator[_Item]:
        for given, (pixels, labels) in parts.items():
            prefix = f"{name}/{given}" if given else name
            for number, label in enumerate(labels.tolist()):
                yield _Item(f"{prefix}/{number:04d}", label, given, pixels[number].copy)

    first = next(iter(parts.values()))[0]
    count = sum(len(labels) for _, labels in parts.values())
    return _Source(name, classes, count, items, first.shape[-1], licence)


def _digits() -> _Source:
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


def _cifar10() -> _Source:
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
            f"cifar10 cannot be downloaded ({_first_line(error)})",
            expected="a connection to the CIFAR-10 site",
            fix="download it elsewhere and give a folder or .zip with one folder per class",
        ) from error
    parts: dict[Any, Any] = {"train": (train, train_labels.ravel()), "test": (test, test_labels.ravel())}
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    return _arrays("cifar10", tuple(names.split()), parts, "CIFAR-10, A. Krizhevsky 2009, no licence stated")


def _tfds(name: str) -> _Source:
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
            f"tfds:{name} cannot be prepared ({_first_line(error)})", expected="a name from the TFDS catalogue"
        ) from error
    features, splits = builder.info.features, [key for key in SPLITS if key in builder.info.splits]
    if not ("image" in features and "label" in features and "train" in splits):
        raise DataError(
            f"tfds:{name} has features {', '.join(features)} and splits {', '.join(builder.info.splits)}",
            expected="an image, a label and a train split",
        )

    def items() -> Iterator[_Item]:
        for given in splits:
            stored = builder.as_dataset(split=given, decoders={"image": tfds.decode.SkipDecoding()})
            for number, example in enumerate(tfds.as_numpy(stored)):
                data, label = bytes(example["image"]), int(example["label"])
                if label >= 0:  # -1 marks test pictures whose labels are kept secret
                    yield _Item(f"{name}/{given}/{number:06d}", label, given, partial(bytes, data))

    return _Source(
        name=name.split("/")[0].split(":")[0],
        classes=tuple(features["label"].names),
        count=sum(builder.info.splits[key].num_examples for key in splits),
        items=items,
        channels=1 if features["image"].shape[-1] == 1 else 3,
        licence=f"TensorFlow Datasets, {builder.info.homepage or name}",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _missing(source: str, package: str, extra: str) -> DataError:
    return DataError(f"--data {source} needs {package}, which is not installed", fix=f"pip install 'sqz-tf[{extra}]'")
