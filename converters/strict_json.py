"""Read JSON that may come from a stranger: RFC 8259, strictly, within bounds of bytes, values and depth."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

MOST_BYTES = 16 << 20  # a manifest of a thousand classes takes 100 KB
MOST_VALUES = 1_000_000  # an object takes Python up to 33 times the bytes of its text
DEEPEST = 64
LONGEST_NUMBER = 64  # characters; a double is written with 24
LONGEST_INTEGER = 20  # characters; 64 bits and a sign

_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def loads(data: bytes | str, most_bytes: int = MOST_BYTES, most_values: int = MOST_VALUES) -> Any:
    """Return what a JSON text says.

    Args:
      data: the text, or its UTF-8.
      most_bytes: a longer text is not looked at.
      most_values: one with more commas and brackets neither.

    Raises:
      ValueError: it is no JSON or exceeds a bound; an object names a key twice; a number is not finite or has
        thousands of digits; a string holds NUL or half a surrogate pair.
    """
    if len(data) > most_bytes:
        raise ValueError(f"{len(data):,} bytes; expected at most {most_bytes:,}")
    text = data if isinstance(data, str) else data.decode("utf-8")
    if text.count(",") + text.count("[") + text.count("{") > most_values:
        raise ValueError(f"it holds more than {most_values:,} values")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except RecursionError:
        raise ValueError(_too_deep()) from None
    _check(value)
    return value


def plain(value: Any, default: Callable[[Any], Any] | None = None) -> Any:
    """Return a copy of our own values as JSON gives them back: sorted keys, tuples as lists; see `json.dumps`."""
    return json.loads(json.dumps(value, default=default, sort_keys=True))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is there twice")
    return result


def _integer(text: str) -> int:
    if len(text) > LONGEST_INTEGER:
        raise ValueError(f"an integer has {len(text):,} digits; expected at most {LONGEST_INTEGER}")
    return int(text)


def _float(text: str) -> float:
    if len(text) > LONGEST_NUMBER or not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:LONGEST_INTEGER]}… is no finite number of at most {LONGEST_NUMBER} characters")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _check(value: Any) -> None:
    """Raise ValueError if values are nested too deep or a string cannot be used; level by level, without recursion."""
    level = [value]
    for _ in range(DEEPEST + 1):
        if any(isinstance(each, str) and _UNUSABLE.search(each) for each in level):
            raise ValueError("a string holds NUL or half a surrogate pair")
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise ValueError(_too_deep())


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list) else ()


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} deep"
