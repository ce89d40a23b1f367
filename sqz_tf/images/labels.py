"""Classes whose names can be labels of a model, checked before anything is trained on them."""

from __future__ import annotations

from collections.abc import Sequence

from converters import labels
from sqz_tf.base.errors import DataError
from sqz_tf.base.text import some


def refuse_illegal(names: Sequence[str], where: str, fix: str) -> None:
    """Refuse names of classes that would not be the same in every file they end up in.

    Args:
      names: of the classes.
      where: what they were read from: a folder, a labels.csv, a data set.
      fix: what to do about it.

    Raises:
      DataError: a name is no legal label (`converters.labels`), or two names look the same.
    """
    for name in names:
        if fault := labels.fault(name):
            raise DataError(f"the class {name!r} in {where} {fault}", expected=labels.LEGAL, fix=fix)
    if pair := labels.alike(names):
        first, second = map(ascii, pair)
        raise DataError(
            f"the classes {first} and {second} in {where} are one name to a reader, in two spellings of Unicode",
            expected="names that differ",
            fix=fix,
        )


def cases_note(names: Sequence[str]) -> tuple[str, ...]:
    """Say which classes differ in case alone, which many file systems and readers take for one."""
    seen: dict[str, str] = {}
    pairs = [(first, name) for name in names if (first := seen.setdefault(name.casefold(), name)) != name]
    shown = some([f"{first} and {second}" for first, second in pairs])
    return (f"classes that differ in case alone are two each: {shown}",) if pairs else ()
