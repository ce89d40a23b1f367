"""Labels, and maybe splits, read from a labels.csv in whatever form spreadsheets and programs write one."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest

from sqz_tf.base.encodings import guess, told
from sqz_tf.base.errors import DataError, noting
from sqz_tf.base.text import MOST_DIGITS, some
from sqz_tf.images.split_names import UNLABELLED, resolved, shown, split_of

_COLUMNS = {
    "file": "file filename file_name image image_name img path filepath file_path image_path picture id image_id",
    "label": "label class class_name category label_name",
    "wnid": "wnid synset",
    "split": "split subset set partition",
}
_DELIMITERS = ",;\t|"
_ANNOUNCED = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own first line
_FOREIGN = re.compile(rb'[\x80-\xff][^\s,;"/]*')
_SEPARATOR = re.compile(rb'[\s,;"/]')
_LONGEST_WORD = 200
_MOST_WORDS = 10_000  # from which an encoding is guessed
_LONGEST_HEADER = 1 << 16
_EXPECTED = "file, label and maybe wnid and split"


@dataclass(frozen=True)
class Listing:
    """What a labels.csv says of each picture: its label and split; of each label its wnid, empty for none; notes."""

    labels: dict[str, str]
    splits: dict[str, str]
    wnids: dict[str, str]
    notes: tuple[str, ...]


def read_listing(where: str, raw: bytes, base: str, pictures: Sequence[str]) -> Listing:
    """Read a labels.csv.

    Args:
      where: its name in messages.
      raw: what it holds.
      base: the folder it lies in, empty or with `/` at its end.
      pictures: paths of all pictures.

    Raises:
      DataError: it cannot be read, lacks a column, or a line is wrong; says which.
    """
    encoding, note = _encoding(where, raw)
    reader = _Reader(where, _Finder(base, pictures), [note] if note else [])
    with noting(reader.notes):
        for line, row in _rows(where, io.TextIOWrapper(io.BytesIO(raw), encoding, newline=""), reader.notes):
            reader.take(line, row)
        return reader.finish()


def _encoding(where: str, raw: bytes) -> tuple[str, str]:
    """Return the encoding of a table, and what to say of it."""
    if found := told(raw):
        return found, ""
    words = [_word(raw, match) for match in islice(_FOREIGN.finditer(raw), _MOST_WORDS)]
    encoding = guess(words) or "utf-8"
    names = shown({word.decode(encoding, "replace") for word in words})
    fix = "if that looks wrong, save it as UTF-8"
    return encoding, f"warning: {where} is not UTF-8 and taken for {encoding} ({names}); {fix}"


def _word(raw: bytes, foreign: re.Match[bytes]) -> bytes:
    """Return the word that a match is the end of; nothing of one that is too long."""
    start, end = foreign.span()
    before = _SEPARATOR.split(raw[max(0, start - _LONGEST_WORD) : start])[-1]
    return before + raw[start:end] if len(before) + end - start < _LONGEST_WORD else b""


def _rows(where: str, text: io.TextIOWrapper, notes: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Walk the cells of labels.csv by column, with their line numbers."""
    lines, skipped = None, 0
    long: list[int] = []
    try:
        first = text.readline(_LONGEST_HEADER)
        if announced := _ANNOUNCED.fullmatch(first):
            first, skipped = text.readline(_LONGEST_HEADER), 1
        delimiter = announced[1] if announced else _delimiter(first)
        lines = csv.reader(chain([first], text), skipinitialspace=True, delimiter=delimiter)
        columns = _columns(where, [name.strip() for name in next(lines, [])], notes)
        for cells in filter(any, lines):
            row, more = _row(columns, cells)
            line = lines.line_num + skipped
            long += [line] * more
            if not row.get("file") or not row.get("label"):
                raise DataError(f"line {line} of {where} lacks a file or a label", expected="both")
            yield line, row
        notes += _long_note(long)
    except csv.Error as error:
        line = skipped + (lines.line_num if lines else 0)
        raise DataError(f"line {line} of {where} is no CSV ({error})", expected="file,label") from error
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8"
        raise DataError(f"{where} cannot be read ({error})", expected="UTF-8 text", fix=fix) from error


def _row(columns: Sequence[str], cells: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Return the cells of a line by column, empty where it ends early, and whether it says more than the first line."""
    row = dict(zip_longest(columns, map(str.strip, cells[: len(columns)]), fillvalue=""))
    return row, any(map(str.strip, cells[len(columns) :]))


def _long_note(lines: Sequence[int]) -> list[str]:
    if not lines:
        return []
    which = some([str(line) for line in lines])
    text = f"warning: {len(lines)} lines of labels.csv have more cells than the first names (line {which})"
    return [f"{text}: the others are ignored; put a label with a comma in quotes"]


def _delimiter(header: str) -> str:
    """Return what separates cells: that by which most columns are known."""
    found = {each: len(_known([name.strip().strip('"') for name in header.split(each)])) for each in _DELIMITERS}
    return max(_DELIMITERS, key=lambda each: (found[each], -_DELIMITERS.index(each)))


def _known(names: Sequence[str]) -> dict[str, int]:
    """Return where the columns are that have a meaning, the likelier name first."""
    lower = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names]
    likely = {kind: [name for name in each.split() if name in lower] for kind, each in _COLUMNS.items()}
    return {kind: lower.index(found[0]) for kind, found in likely.items() if found}


def _columns(where: str, names: list[str], notes: list[str]) -> list[str]:
    """Return the kinds of columns in their order, and note those that are ignored or called otherwise."""
    found = _known(names)
    if not {"file", "label"} <= set(found):
        headless = any("." in name for name in names) and len(names) > 1
        raise DataError(
            f"{where} has columns {', '.join(names) or '(none)'}",
            expected=_EXPECTED,
            fix="write a first line that names the columns" if headless else "",
        )
    kinds = {position: kind for kind, position in found.items()}
    renamed = [f"{names[at]} for {kind}" for at, kind in sorted(kinds.items()) if names[at].lower() != kind]
    if renamed:
        notes.append(f"columns of labels.csv taken by their likeliest sense: {', '.join(renamed)}")
    ignored = [name or "(no name)" for at, name in enumerate(names) if at not in kinds]
    if ignored:
        notes.append(f"{len(ignored)} columns of labels.csv are not known ({', '.join(ignored[:5])}): ignored")
    return [kinds.get(at, f"\0{at}") for at in range(len(names))]


@dataclass
class _Finder:
    """Finds the picture that a cell means: beside labels.csv or in images/, or, with a note, by the end of its path."""

    base: str
    pictures: Sequence[str]
    guessed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = set(self.pictures)
        self._by_end: defaultdict[str, list[str]] = defaultdict(list)

    def find(self, cell: str) -> list[str]:
        """Return the picture; none or several if it is not clear."""
        name = cell.replace("\\", "/").removeprefix("./")
        for full in self._beside(name):
            if full in self.known:
                return [full]
        found = self._guessed(name)
        if len(found) == 1:
            self.guessed[cell] = found[0]
        return found

    def _beside(self, name: str) -> tuple[str, str]:
        return self.base + name, f"{self.base}images/{name}"

    def _guessed(self, name: str) -> list[str]:
        parts = name.split("/")
        for start in range(1, len(parts)):
            if found := [full for full in self._beside("/".join(parts[start:])) if full in self.known]:
                return found[:1]
        return self._ends().get(parts[-1], [])

    def _ends(self) -> Mapping[str, list[str]]:
        """Return the pictures by their names without folders, with and without extension."""
        if not self._by_end:
            for full in self.pictures:
                last = posixpath.basename(full)
                for each in {last, posixpath.splitext(last)[0]}:
                    self._by_end[each].append(full)
        return self._by_end


@dataclass
class _Reader:
    """What was read so far."""

    where: str
    finder: _Finder
    notes: list[str]
    labels: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    wnids: dict[str, str] = field(default_factory=dict)
    again: int = 0
    unlabelled: int = 0

    def take(self, line: int, row: Mapping[str, str]) -> None:
        """Take one line."""
        where = f"line {line} of {self.where}"
        name = self._picture(where, row["file"])
        kind = self._kind(where, row)
        if kind == UNLABELLED:
            self.unlabelled += 1
            return
        label, wnid = _label(where, row["label"]), row.get("wnid", "")
        self.again += name in self.labels
        if self.labels.setdefault(name, label) != label:
            raise DataError(f"{where} labels {row['file']!r} again", expected="one label a picture")
        if kind and self.kinds.setdefault(name, kind) != kind:
            raise DataError(f"{where} puts {row['file']!r} into another split", expected="one split a picture")
        if self.wnids.setdefault(label, wnid) != wnid:
            raise DataError(f"{where} gives label {label!r} wnid {wnid!r}", expected=f"{self.wnids[label]!r} again")

    def _picture(self, where: str, cell: str) -> str:
        found = self.finder.find(cell)
        if len(found) != 1:
            several = f", which may be {shown(found)}" if found else ""
            raise DataError(f"{where} names {cell!r}{several}", expected="a picture beside it or in images/")
        return found[0]

    def _kind(self, where: str, row: Mapping[str, str]) -> str:
        if "split" not in row:
            return ""
        kind = split_of(row["split"])
        if kind is None:
            given = f"gives split {row['split']!r}" if row["split"] else "gives no split"
            raise DataError(f"{where} {given}", expected="train, validation or test")
        return kind

    def finish(self) -> Listing:
        """Return what was read, with notes."""
        if not self.labels:
            raise DataError(f"{self.where} lists nothing", expected="one line a picture")
        if len({wnid for wnid in self.wnids.values() if wnid}) < sum(map(bool, self.wnids.values())):
            raise DataError(f"{self.where} gives one wnid to two labels", expected="one each")
        stands = resolved({kind: kind for kind in self.kinds.values()})
        splits = {name: stands[kind] for name, kind in self.kinds.items()} or self._by_folders()
        self._say()
        return Listing(self.labels, splits, self.wnids, tuple(self.notes))

    def _by_folders(self) -> dict[str, str]:
        """Return the splits of pictures that all lie in folders called so, though no column says it."""
        base = self.finder.base
        tops = {name: name.removeprefix(base).removeprefix("images/").partition("/") for name in self.labels}
        kinds = {top: split_of(top) if slash else None for top, slash, _ in tops.values()}
        known = {top: kind for top, kind in kinds.items() if kind and kind != UNLABELLED}
        if len(known) < len(kinds) or len(set(known.values())) < 2:
            return {}
        stands = resolved(known)
        self.notes.append(
            "splits are taken from the folders that pictures of labels.csv lie in: "
            + ", ".join(f"{top} for {kind}" for top, kind in sorted(stands.items()))
        )
        return {name: stands[top] for name, (top, _, _) in tops.items()}

    def _say(self) -> None:
        if self.again:
            self.notes.append(f"{self.again} lines of labels.csv name a picture again, with the same label: ignored")
        if self.unlabelled:
            self.notes.append(f"{self.unlabelled} lines of labels.csv are to be predicted: ignored")
        if self.finder.guessed:
            cell, full = next(iter(self.finder.guessed.items()))
            self.notes.append(
                f"{len(self.finder.guessed)} names in labels.csv are found by their ends only ({cell} as {full})"
            )
        unlisted = len(self.finder.pictures) - len(self.labels)
        if unlisted:
            self.notes.append(f"{unlisted} pictures are not in labels.csv: ignored")


def _label(where: str, text: str) -> str:
    """Return a label, a number without leading zeros."""
    if not text.isdecimal():
        return text
    if len(text) > MOST_DIGITS:
        raise DataError(
            f"{where} has a label of {len(text):,} digits",
            expected=f"a number of at most {MOST_DIGITS} digits, or a name",
            fix="mend the label there",
        )
    return str(int(text))
