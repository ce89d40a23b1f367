"""The pictures of a source, read, hashed and decoded in threads, row by row into one file."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from sqz_tf.base.errors import DataError
from sqz_tf.base.spec import PreprocessSpec, to_dict
from sqz_tf.base.text import some
from sqz_tf.data.copies import copy_notes, crowd_notes, crowds, kept_notes, known_copies, why_not
from sqz_tf.data.sources import UNLABELLED, Item, Source
from sqz_tf.data.splits import In, counts_by_class
from sqz_tf.images import resize
from sqz_tf.images.budget import FILES
from sqz_tf.images.decode import REPLACE, ImageError, picture_size
from sqz_tf.images.given import decoded
from sqz_tf.images.looks import Look, look
from sqz_tf.images.split_names import SPLITS

MAX_SKIPPED = 0.05
"""Largest fraction of pictures that may be corrupt."""


_CHUNK_BYTES = 8 << 20


_SMALL_PICTURE = 1 << 16  # values; resizing such pictures one by one would cost more in calls than in work


_MOST_THREADS = 8  # each holds a decoded picture, which may be large


Progress = Callable[[str, int, int], None]


Out = TypeVar("Out")


def fingerprint(
    classes: Sequence[str], rows: Rows, splits: dict[str, np.ndarray], preprocess: PreprocessSpec | None = None
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


def refuse_many(errors: Sequence[ImageError], total: int) -> None:
    """Refuse pictures of which too many cannot be used, with what helps most of those.

    Args:
      errors: of the pictures that cannot.
      total: number of all pictures.

    Raises:
      DataError: they are over MAX_SKIPPED.
    """
    if len(errors) > MAX_SKIPPED * total:
        ((fix, _),) = Counter(error.fix for error in errors).most_common(1)
        raise DataError(
            f"{len(errors)} of {total} pictures cannot be used: {some([error.what for error in errors], '; ')}",
            expected=f"at most {MAX_SKIPPED:.0%}",
            fix="replace or remove them" if fix in ("", REPLACE) else fix,
        )


class Rows:
    """What is known of the pictures kept so far, and why others were not."""

    def __init__(self) -> None:
        self.labels: list[int] = []
        self.digests: list[bytes] = []
        self.given: list[str | None] = []
        self.names: list[str] = []
        self.errors: list[ImageError] = []
        self.looks: list[Look | None] = []
        self.copies = 0
        self.asked: dict[str, int] = {}
        self.judged = 0
        self._seen: dict[bytes, list[tuple[int, str | None]]] = {}
        self._across = Counter[str]()
        self._known: dict[bytes, bytes] = {}

    def add(self, item: Item, digest: bytes, look: Look | None = None) -> bool:
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
        self.looks.append(look)
        return True

    def skip(self, error: ImageError) -> None:
        """Leave out one picture."""
        self.errors.append(error)

    def finish(self, source: Source) -> None:
        """Refuse a source of which too much is corrupt.

        Raises:
          DataError: over MAX_SKIPPED of the pictures were skipped.
        """
        refuse_many(self.errors, source.count)

    def find_copies(self) -> dict[bytes, bytes]:
        """Find the pictures that look the same; `keys` knows them from now on."""
        self._known = known_copies(self.digests, self.looks)
        return self._known

    def know_copies(self, known: Mapping[bytes, bytes]) -> None:
        """Take what `find_copies` has found before."""
        self._known = dict(known)

    def keys(self) -> tuple[bytes, ...]:
        """Return a key for each row, the same for pictures that look the same: bytes alone where looks tell nothing."""
        return self._keys(self._crowds())

    def _keys(self, crowded: Container[int]) -> tuple[bytes, ...]:
        return tuple(
            digest if label in crowded else self._known.get(digest, digest)
            for digest, label in zip(self.digests, self.labels, strict=True)
        )

    def _crowds(self) -> dict[int, int]:
        return crowds([self._known.get(digest, digest) for digest in self.digests], self.digests, self.labels)

    def _across_splits(self, splits: dict[str, np.ndarray]) -> str:
        """Say what became of pictures that are in two of the given splits, byte for byte."""
        held = [{self.digests[row] for row in splits[name].tolist()} for name in SPLITS]
        kept = set(np.concatenate([splits[name] for name in SPLITS]).tolist())
        known = set.union(*held)
        out = sum(row not in kept and digest in known for row, digest in enumerate(self.digests))
        told = "not trained on" if out == self._across["splits"] else f"{out} not trained on"
        apart = len(known) == sum(map(len, held))
        return told if apart else (f"{out} not trained on, " if out else "") + "accuracies may be too high"

    def notes(self, source: Source, splits: dict[str, np.ndarray]) -> tuple[str, ...]:
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
                + self._across_splits(splits)
            )
        if not source.trains:
            return tuple(notes)
        if source.files:
            notes += why_not(source.count)
            crowded = self._crowds()
            notes += crowd_notes(crowded, self.labels, source.classes)
            keys = self._keys(crowded)
            notes += copy_notes(keys, self.digests, self.labels, self.names, splits)
            if any(self.given):
                notes += kept_notes(keys, self.labels, source.classes, splits)
            notes += [
                f"warning: {name} has {len(splits[name])} pictures, less than half of the {wanted} asked for: copies "
                "stay together"
                for name, wanted in self.asked.items()
                if 2 * len(splits[name]) < wanted
            ]
        counts = np.bincount(self.labels, minlength=len(source.classes))
        if counts.min() and counts.max() > 3 * counts.min():
            low, high = int(counts.argmin()), int(counts.argmax())
            notes.append(
                f"unbalanced classes: {source.classes[low]} has {counts[low]} pictures, "
                f"{source.classes[high]} {counts[high]}"
            )
        for name in ("validation", "test"):
            held = counts_by_class(self.labels, splits[name], len(source.classes))
            absent = [label for label, count in zip(source.classes, held, strict=True) if not count]
            if absent:
                notes.append(f"warning: {name} has no picture of {', '.join(absent[:3])}")
        return tuple(notes)


@dataclass(frozen=True)
class _Decoded:
    item: Item
    digest: bytes
    pixels: np.ndarray | ImageError
    done: bool = False  # preprocessed
    look: Look | None = None


def digest_of(content: bytes | np.ndarray) -> bytes:
    """Return the SHA-256 of a picture."""
    return hashlib.sha256(content if isinstance(content, bytes) else np.ascontiguousarray(content).data).digest()


def look_of(content: bytes | np.ndarray, name: str) -> Look | None:
    """Return what a picture file looks like.

    Raises:
      ImageError: it cannot be decoded.
    """
    return look(content, name) if isinstance(content, bytes) else None


def size_of(content: bytes | np.ndarray, name: str) -> list[tuple[int, int]]:
    """Return (width, height) of a picture in pixels, or nothing of one that cannot be read."""
    if isinstance(content, np.ndarray):
        return [(content.shape[1], content.shape[0])]
    try:
        return [picture_size(content, name)]
    except ImageError:
        return []


@dataclass(frozen=True)
class Seen:
    """A picture that was read: its SHA-256 or why there is none, its size and its looks if they were wanted."""

    item: Item
    digest: bytes | ImageError
    size: list[tuple[int, int]] = field(default_factory=list)
    look: Look | None = None


def see(item: Item, measured: bool, looking: bool) -> Seen:
    """Read one picture, and hash it; return its size and looks if they are wanted."""
    try:
        with FILES.room(item.size()):
            content = item.read()
            size = size_of(content, item.name) if measured else []
            return Seen(item, digest_of(content), size, look_of(content, item.name) if looking else None)
    except ImageError as error:
        return Seen(item, error)


def write_images(
    source: Source, spec: PreprocessSpec, path: Path, progress: Progress | None, looking: bool = False
) -> Rows:
    """Decode everything into one `.npy` file, row by row, and return what the rows are, and look like if asked."""
    rows, done = Rows(), 0
    shape = (spec.height, spec.width, spec.channels)
    pieces = chunks(source.items(), max(1, min(256, _CHUNK_BYTES // math.prod(shape))))
    with open(path, "wb") as file:
        _write_header(file, (source.count, *shape))
        for chunk in map_ordered(lambda items: _decode_all(items, spec, looking), pieces):
            for decoded in chunk:
                if isinstance(decoded.pixels, ImageError):
                    rows.skip(decoded.pixels)
                elif rows.add(decoded.item, decoded.digest, decoded.look):
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


def _decode_all(items: list[Item], spec: PreprocessSpec, looking: bool) -> list[_Decoded]:
    """Read, hash, decode and preprocess; small pictures of one size are resized together."""
    results: list[_Decoded | None] = [None] * len(items)
    groups: dict[tuple[int, ...], list[tuple[int, _Decoded]]] = {}
    for position, item in enumerate(items):
        found = _decode_one(item, spec, looking)
        if isinstance(found.pixels, ImageError) or found.done:
            results[position] = found
        else:
            groups.setdefault(found.pixels.shape, []).append((position, found))
    for group in groups.values():
        batch = resize.preprocess(np.stack([np.asarray(each.pixels) for _, each in group]), spec)
        for (position, each), pixels in zip(group, batch, strict=True):
            results[position] = replace(each, pixels=pixels)
    return [result for result in results if result is not None]


def _decode_one(item: Item, spec: PreprocessSpec, looking: bool) -> _Decoded:
    """Read, hash and decode one picture, and preprocess it if it is large, while the budget has room for it."""
    try:
        with FILES.room(item.size()):
            content = item.read()
            digest = digest_of(content)
            seen = look_of(content, item.name) if looking else None
            with decoded(content, item.name) as pixels:
                large = pixels.size > _SMALL_PICTURE
                return _Decoded(item, digest, resize.preprocess(pixels, spec) if large else pixels, large, seen)
    except ImageError as error:
        return _Decoded(item, b"", error)


def chunks(items: Iterable[In], size: int) -> Iterator[list[In]]:
    """Yield the values in lists of `size`, the last of what is left."""
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
