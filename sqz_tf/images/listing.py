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

from sqz_tf.base.errors import DataError, noting
from sqz_tf.base.text import MOST_DIGITS, some
from sqz_tf.images.split_names import UNLABELLED, resolved, shown, split_of
from sqz_tf.images.table_text import encoding_of, text_of

_COLUMNS = {
    "file": "file filename file_name image image_name img path filepath file_path image_path picture filepaths "
    "external_id id image_id",
    "label": "label class class_name category label_name labels",
    "wnid": "wnid synset",
    "split": "split",
    "subset": "subset set partition data_set dataset_split data_split ml_use usage phase",
}
"""Names of columns. `subset` is a split if its cells say so; `split` has to be."""
_DELIMITERS = ",;\t|"
_ANNOUNCED = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own first line
_BOX = re.compile(r"((bbox|roi)[-_. ]?)?[xy][-_]?(min|max|center|[12])|(bbox|roi).*")
_LONGEST_HEADER = 1 << 16
_MOST_CLASSES = 10_000
_MOST_ABOVE = 10  # lines among which the one that names the columns is looked for
_EXPECTED = "file, label and maybe wnid and split"


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
            for line, row in _rows(where, text_of(raw, encoding), reader):
                reader.take(line, row)
            found = reader.finish()
        except DataError as error:
            if _lists_classes(raw, encoding):
                raise _class_list(where) from error
            raise
        if len(set(found.labels.values())) == len(found.labels) < len(pictures) and _lists_classes(raw, encoding):
            raise _class_list(where)
        return found


def _lists_classes(raw: bytes, encoding: str) -> bool:
    """Tell whether a table has a line for each class, with its number, rather than one for each picture."""
    text = text_of(raw, encoding)
    try:
        delimiter = _delimiter(text.readline(_LONGEST_HEADER))
        rows = list(islice(filter(any, csv.reader(text, delimiter=delimiter)), _MOST_CLASSES))
    except (csv.Error, ValueError):
        return False
    columns = [[cell.strip() for cell in each] for each in zip(*rows, strict=False) if len(set(each)) == len(each) > 1]
    numbers = [each for each in columns if all(map(str.isdecimal, each))]
    files = [each for each in columns if all("." in cell or "/" in cell for cell in each)]
    return not files and 0 < len(numbers) < len(columns)


def _class_list(where: str) -> DataError:
    return DataError(
        f"{where} names classes by their numbers, and no pictures",
        expected="a line for each picture, with its file and label",
        fix="call it classes.csv, which is not read; where folders are called by the numbers, so are the classes",
    )


def _rows(where: str, text: io.TextIOWrapper, reader: _Reader) -> Iterator[tuple[int, dict[str, str]]]:
    """Walk the cells of labels.csv by column, with their line numbers."""
    lines, above = None, 0
    long: list[int] = []
    try:
        first, delimiter, above = _header(text, reader.notes)
        lines = csv.reader(chain(first, text), skipinitialspace=True, delimiter=delimiter)
        names = [name.strip() for name in next(lines, [])]
        columns = _columns(where, names, reader.notes)
        reader.subset = dict(zip(columns, names, strict=True)).get("subset", "")
        for cells in filter(any, lines):
            row, more = _row(columns, cells)
            line = lines.line_num + above
            if cells[0].startswith("#") and not reader.finder.find(row.get("file", "")):
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


def _header(text: io.TextIOWrapper, notes: list[str]) -> tuple[list[str], str, int]:
    """Find the line that names the columns, below titles, remarks and empty lines.

    Returns:
      That line and those below it that were read, what separates its cells, and the number of lines above it.
    """
    read = [line for line in (text.readline(_LONGEST_HEADER) for _ in range(_MOST_ABOVE)) if line]
    announced = _ANNOUNCED.fullmatch(read[0]) if read else None
    told = [at for at, line in enumerate(read) if line.strip() and not (announced and at == 0)]
    plain = [line.lstrip("# ") for line in read]
    names = [at for at in told if _names_columns(plain[at], announced[1] if announced else _delimiter(plain[at]))]
    at = min(names, default=min((at for at in told if not read[at].startswith("#")), default=len(read)))
    if above := [read[each].strip() for each in told if each < at]:
        notes.append(f"{len(above)} lines above the columns of labels.csv ({some(above, most=2)}): ignored")
    first = plain[at : at + 1]
    return first + read[at + 1 :], announced[1] if announced else _delimiter("".join(first)), at


def _names_columns(line: str, delimiter: str) -> bool:
    return {"file", "label"} <= set(_known([name.strip().strip('"') for name in line.split(delimiter)]))


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
    if "split" in found:
        kinds.pop(found.get("subset", -1), None)
    others = sorted((at, kind) for at, kind in kinds.items() if kind != "subset")
    renamed = [f"{names[at]} for {kind}" for at, kind in others if names[at].lower() != kind]
    if renamed:
        notes.append(f"columns of labels.csv taken by their likeliest sense: {', '.join(renamed)}")
    ignored = [name or "(no name)" for at, name in enumerate(names) if at not in kinds]
    boxes = [name for name in ignored if _BOX.fullmatch(name.lower())]
    if boxes:
        notes.append(f"warning: labels.csv gives boxes ({some(boxes)}): its labels are taken for whole pictures")
    if ignored:
        notes.append(f"{len(ignored)} columns of labels.csv are not known ({', '.join(ignored[:5])}): ignored")
    return [kinds.get(at, f"\0{at}") for at in range(len(names))]


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
    no_splits: dict[str, DataError] = field(default_factory=dict)

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
        cell = row.get("split", row.get("subset"))
        kind = "" if cell is None else split_of(cell)
        if cell is None or kind is not None:
            return kind or ""
        given = f"gives split {cell!r}" if cell else "gives no split"
        error = DataError(f"{where} {given}", expected="train, validation or test")
        if "split" in row:
            raise error
        self.no_splits.setdefault(cell, error)
        return ""

    def finish(self) -> Listing:
        """Return what was read, with notes."""
        if not self.labels:
            raise DataError(f"{self.where} lists nothing", expected="one line a picture")
        if self.no_splits and (self.kinds or self.unlabelled):
            raise next(iter(self.no_splits.values()))
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
        if self.no_splits:
            self.notes.append(
                f"warning: the column {self.subset} of labels.csv holds no train, validation or test "
                f"({shown(self.no_splits)}): ignored"
            )
        elif self.subset:
            self.notes.append(f"the splits are taken from the column {self.subset} of labels.csv")
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
