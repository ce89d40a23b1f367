"""Labels, and maybe splits, read from a labels.csv in whatever form spreadsheets and programs write one."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice, zip_longest

from sqz_tf.base.errors import DataError, noting
from sqz_tf.base.text import MOST_DIGITS, some
from sqz_tf.images.columns import columns, delimiter_of, names_columns
from sqz_tf.images.formats import extensions
from sqz_tf.images.split_names import UNLABELLED, resolved, shown, split_of
from sqz_tf.images.table_text import encoding_of, text_of

_ANNOUNCED = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own first line
_LONGEST_HEADER = 1 << 16
_MOST_CLASSES = 10_000
_CLASS_LIST = (
    "if it lists classes by their numbers, call it classes.csv, which is not read; where folders are called by the "
    "numbers, so are the classes"
)
_MOST_ABOVE = 10  # lines among which the one that names the columns is looked for


@dataclass(frozen=True)
class Listing:
    """What a labels.csv says of each picture: its label and split; of each label its wnid, empty for none; notes."""

    labels: dict[str, str]
    splits: dict[str, str]
    wnids: dict[str, str]
    notes: tuple[str, ...]


def read_listing(where: str, raw: bytes, base: str, pictures: Sequence[str], aside: Sequence[str] = ()) -> Listing:
    """Read a labels.csv.

    Args:
      where: its name in messages.
      raw: what it holds.
      base: the folder it lies in, empty or with `/` at its end.
      pictures: paths of all pictures.
      aside: paths of further ones, which count only if they are listed.

    Raises:
      DataError: it cannot be read, lacks a column, or a line is wrong; says which.
    """
    encoding, note = encoding_of(where, raw)
    reader = _Reader(where, _Finder(base, pictures, aside), [note] if note else [])
    with noting(reader.notes):
        try:
            for line, row in _rows(where, raw, encoding, reader):
                reader.take(line, row)
            found = reader.finish()
        except DataError as error:
            numbers = _numbers_of_classes(raw, encoding)
            if not numbers or any(_finds(reader.finder, each) for each in numbers):
                raise
            fix = "; ".join(filter(None, (error.fix, _CLASS_LIST)))
            raise DataError(error.what, expected=error.expected, fix=fix) from error
    if len(set(found.labels.values())) == len(found.labels) < len(pictures) and _numbers_of_classes(raw, encoding):
        note = f"warning: labels.csv gives each of {len(found.labels)} pictures a class of its own"
        return replace(found, notes=(*found.notes, f"{note}; {_CLASS_LIST}"))
    return found


def _numbers_of_classes(raw: bytes, encoding: str) -> list[list[str]]:
    """Return the columns of numbers if a table may have a line for each class rather than for each picture."""
    text = text_of(raw, encoding)
    try:
        delimiter = delimiter_of(text.readline(_LONGEST_HEADER))
        rows = list(islice(filter(any, csv.reader(text, delimiter=delimiter)), _MOST_CLASSES))
    except (csv.Error, ValueError):
        return []
    columns = [[cell.strip() for cell in each] for each in zip(*rows, strict=False) if len(set(each)) == len(each) > 1]
    numbers = [each for each in columns if all(map(str.isdecimal, each))]
    files = [each for each in columns if all("." in cell or "/" in cell for cell in each)]
    return numbers if not files and len(numbers) < len(columns) else []


def _finds(finder: _Finder, cells: Sequence[str]) -> bool:
    """Tell whether more than hardly any cells of a column name a picture."""
    return sum(len(finder.places(cell)) == 1 for cell in cells) > len(cells) / 10


def _rows(where: str, raw: bytes, encoding: str, reader: _Reader) -> Iterator[tuple[int, dict[str, str]]]:
    """Walk the cells of labels.csv by column, with their line numbers."""
    lines, above = None, 0
    long: list[int] = []
    try:
        text, delimiter, above = _opened(raw, encoding, reader.notes)
        lines = csv.reader(text, skipinitialspace=True, delimiter=delimiter)
        names = [name.strip() for name in next(lines, [])]
        kinds = columns(where, names, lambda at: _cells(raw, encoding, at), reader.notes)
        reader.subset = dict(zip(kinds, names, strict=True)).get("subset", "")
        for cells in filter(any, lines):
            row, more = _row(kinds, cells)
            line = lines.line_num + above
            if cells[0].startswith("#") and reader.is_remark(cells, row):
                reader.remarks += 1
                continue
            long += [line] * more
            if not row.get("file") or not row.get("label"):
                raise DataError(f"line {line} of {where} lacks a file or a label", expected="both")
            yield line, row
        reader.notes += _long_note(long)
    except csv.Error as error:
        line = above + (lines.line_num if lines else 0)
        raise DataError(f"line {line} of {where} is no CSV ({error})", expected="file,label") from error
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8"
        raise DataError(f"{where} cannot be read ({error})", expected="UTF-8 text", fix=fix) from error


def _opened(raw: bytes, encoding: str, notes: list[str]) -> tuple[Iterator[str], str, int]:
    """Return the lines from that on which names the columns, what separates cells, and how many lines are above."""
    text = text_of(raw, encoding)
    first, delimiter, above = _header(text, notes)
    return chain(first, text), delimiter, above


def _cells(raw: bytes, encoding: str, at: int) -> Counter[str]:
    """Count the cells of one column as far as they can be read, but for remarks."""
    found: Counter[str] = Counter()
    with suppress(csv.Error, UnicodeDecodeError):
        text, delimiter, _ = _opened(raw, encoding, [])
        lines = csv.reader(text, skipinitialspace=True, delimiter=delimiter)
        next(lines, None)
        for cells in filter(any, lines):
            if not cells[0].startswith("#") or len(cells) > at:
                found["".join(cells[at : at + 1]).strip()] += 1
    return found


def _header(text: io.TextIOWrapper, notes: list[str]) -> tuple[list[str], str, int]:
    """Find the line that names the columns, below titles, remarks and empty lines.

    Returns:
      That line and those below it that were read, what separates its cells, and the number of lines above it.
    """
    read = list(_ahead(text))
    announced = _ANNOUNCED.fullmatch(read[0]) if read else None
    told = [at for at, line in enumerate(read) if line.strip() and not (announced and at == 0)]
    plain = [line.lstrip("# ") for line in read]
    names = [at for at in told if names_columns(plain[at], announced[1] if announced else delimiter_of(plain[at]))]
    at = min(names, default=min((at for at in told if not read[at].startswith("#")), default=len(read)))
    if above := [read[each].strip() for each in told if each < at]:
        notes.append(f"{len(above)} lines above the columns of labels.csv ({some(above, most=2)}): ignored")
    first = plain[at : at + 1]
    return first + read[at + 1 :], announced[1] if announced else delimiter_of("".join(first)), at


def _ahead(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the first lines whole, up to one that is so long that no other is looked at."""
    for _ in range(_MOST_ABOVE):
        line = text.readline(_LONGEST_HEADER)
        if not line.endswith(("\n", "\r")):
            yield from filter(None, [line + text.readline()])
            return
        yield line


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


@dataclass
class _Finder:
    """Finds the picture that a cell means: beside labels.csv or in images/, or, with a note, by the end of its path."""

    base: str
    pictures: Sequence[str]
    aside: Sequence[str] = ()
    guessed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = {*self.pictures, *self.aside}
        self._by_end: defaultdict[str, list[str]] = defaultdict(list)

    def find(self, cell: str) -> list[str]:
        """Return the picture; none or several if it is not clear."""
        found = self.places(cell)
        if len(found) == 1 and found[0] not in self._beside(_plain(cell)):
            self.guessed[cell] = found[0]
        return found

    def places(self, cell: str) -> list[str]:
        """Return what a cell may mean, and note nothing."""
        parts = _plain(cell).split("/")
        for start in range(len(parts)):
            if found := [full for full in self._beside("/".join(parts[start:])) if full in self.known]:
                return found[:1]
        return self._ends().get(parts[-1], [])

    def _beside(self, name: str) -> tuple[str, str]:
        return self.base + name, f"{self.base}images/{name}"

    def _ends(self) -> Mapping[str, list[str]]:
        """Return the pictures by their names without folders, with and without extension."""
        if not self._by_end:
            for pictures in (self.pictures, self.aside):
                self._add_ends(pictures, frozenset(self._by_end))
        return self._by_end

    def _add_ends(self, pictures: Sequence[str], taken: frozenset[str]) -> None:
        for full in pictures:
            last = posixpath.basename(full)
            for each in {last, posixpath.splitext(last)[0]} - taken:
                self._by_end[each].append(full)


def _plain(cell: str) -> str:
    return cell.replace("\\", "/").removeprefix("./")


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
    remarks: int = 0
    subset: str = ""
    no_split: int = 0

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

    def is_remark(self, cells: Sequence[str], row: Mapping[str, str]) -> bool:
        """Tell whether a line that begins with # is one, or a picture commented out, rather than a label or a name."""
        file, label = row.get("file", ""), row.get("label", "")
        if self.finder.places(file):
            return False
        if not any(map(str.strip, cells[1:])) or self.finder.places(file.lstrip("# ")):
            return True
        named = any(posixpath.splitext(cell.strip())[1].lower() in extensions() for cell in cells)
        return not named and not {label, label.lstrip("# ")} & self.wnids.keys()

    def _picture(self, where: str, cell: str) -> str:
        found = self.finder.find(cell)
        if len(found) != 1:
            several = f", which may be {shown(found)}" if found else ""
            raise DataError(f"{where} names {cell!r}{several}", expected="a picture beside it or in images/")
        return found[0]

    def _kind(self, where: str, row: Mapping[str, str]) -> str:
        cell = row.get("split", row.get("subset"))
        if cell is None:
            return ""
        if not cell and "split" not in row:
            self.no_split += 1
            return "train"
        if kind := split_of(cell):
            return kind
        given = f"gives split {cell!r}" if cell else "gives no split"
        raise DataError(f"{where} {given}", expected="train, validation or test")

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
        if self.remarks:
            self.notes.append(f"{self.remarks} lines of labels.csv begin with #: ignored")
        if self.subset:
            self.notes.append(f"the splits are taken from the column {self.subset} of labels.csv")
        if self.no_split:
            self.notes.append(f"warning: {self.no_split} lines of labels.csv have no {self.subset}: taken for train")
        if self.unlabelled:
            self.notes.append(f"{self.unlabelled} lines of labels.csv are to be predicted: ignored")
        if self.finder.guessed:
            cell, full = next(iter(self.finder.guessed.items()))
            self.notes.append(
                f"{len(self.finder.guessed)} names in labels.csv are found by their ends only ({cell} as {full})"
            )
        unlisted = len(set(self.finder.pictures) - set(self.labels))
        if unlisted:
            self.notes.append(f"{unlisted} pictures are not in labels.csv: ignored")


def _label(where: str, text: str) -> str:
    """Return a label, a number without leading zeros."""
    if text[0] in "[{" and text[-1] in "]}" and '"' in text:
        raise DataError(
            f"{where} has JSON for a label ({text[:40]}…)",
            expected="the name of a class",
            fix="write the answer alone into the column",
        )
    if not text.isdecimal():
        return text
    if len(text) > MOST_DIGITS:
        raise DataError(
            f"{where} has a label of {len(text):,} digits",
            expected=f"a number of at most {MOST_DIGITS} digits, or a name",
            fix="mend the label there",
        )
    return str(int(text))
