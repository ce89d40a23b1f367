"""The one way in for JSON: bounded, strict (`converters.strict_json`), and of the types that the reader names.

A type is written as in an annotation: `int`, `float`, `str`, `bool`, `Any`, `X | None`, `tuple[X, ...]`, `list[X]`,
`dict[str, X]`, or a dataclass, whose fields are the keys. An integer may stand where a float is asked for.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from converters.strict_json import MOST_BYTES, MOST_VALUES, loads
from sqz_tf.base.errors import ConfigError, first_line

_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "text", NoneType: "null"}
_LARGEST = 2.0**63


class JsonError(ConfigError):
    """A JSON file cannot be read, or a value in it is not what belongs in its place."""


def load(path: Path, kind: Any = Any, *, most_bytes: int = MOST_BYTES, most_values: int = MOST_VALUES) -> Any:
    """Return what a JSON file says, as a value of a type.

    Args:
      kind: the type; see the module.
      most_bytes, most_values: see `converters.strict_json.loads`.

    Raises:
      OSError: it cannot be read.
      JsonError: it is no JSON, too large, or says something of another type.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise JsonError(f"{path} is no file", expected="a JSON file")
    with open(path, "rb") as file:
        data = file.read(most_bytes + 1)
    return parse(data, kind, what=str(path), most_bytes=most_bytes, most_values=most_values)


def parse(
    data: bytes | str, kind: Any = Any, *, what: str, most_bytes: int = MOST_BYTES, most_values: int = MOST_VALUES
) -> Any:
    """Return what a JSON text says, as `load` does; `what` is its name in messages.

    Raises:
      JsonError: see `load`.
    """
    try:
        value = loads(data, most_bytes, most_values)
    except ValueError as error:
        raise JsonError(f"{what}: {first_line(error)}", expected="JSON as this kit writes it") from error
    try:
        return typed(value, kind)
    except ConfigError as error:
        raise JsonError(f"{what}: {error.what}", expected=error.expected, fix=error.fix) from error


def typed(value: Any, kind: Any, where: str = "") -> Any:
    """Return a plain JSON value as one of a type: lists become tuples, objects dataclasses, where asked for.

    Args:
      where: the value's place, such as `preprocess.mean`, for messages.

    Raises:
      JsonError: it is of another type; says where, what is there and what was expected.
      ConfigError: a dataclass refuses its values.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _one_of(value, inner, where)
    if origin in (tuple, list):
        return _items(value, origin, inner, where)
    if origin in (dict, Mapping):
        return _entries(value, inner[1], where)
    if dataclasses.is_dataclass(kind):
        return _record(value, kind, where)
    if kind is not Any and not _is(value, kind):
        raise _misplaced(value, _NAMES[kind], where)
    return value


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind in (bool, str, NoneType):
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if kind is float and isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and abs(value) <= _LARGEST


def _one_of(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not NoneType]
    plain = next((kind for kind in others if kind in _NAMES and _is(value, kind)), others[0])
    return typed(value, plain, where)


def _items(value: Any, origin: type, kinds: tuple[Any, ...], where: str) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _misplaced(value, "a list", where)
    if origin is list or kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _misplaced(value, f"a list of {len(kinds)}", where)
    return origin(typed(item, kind, f"{where}[{at}]") for at, (item, kind) in enumerate(zip(value, kinds, strict=True)))


def _entries(value: Any, kind: Any, where: str) -> dict[str, Any]:
    return {key: typed(item, kind, _inside(where, key)) for key, item in _object(value, where).items()}


def _record(value: Any, cls: Any, where: str) -> Any:
    kinds, given = _fields(cls), _object(value, where)
    if unknown := sorted(set(given) - set(kinds)):
        raise JsonError(
            f"{where or cls.__name__} has no field {', '.join(unknown)}"[:200],
            expected=f"some of {', '.join(sorted(kinds))}",
        )
    for each in dataclasses.fields(cls):
        needed = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        if needed and each.name not in given:
            raise JsonError(f"{_inside(where, each.name)} is missing", expected="a value")
    return cls(**{key: typed(item, kinds[key], _inside(where, key)) for key, item in given.items()})


@lru_cache
def _fields(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in dataclasses.fields(cls)}


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _misplaced(value, "an object", where)
    for key in value:
        if not isinstance(key, str):
            raise _misplaced(key, "text", f"a key of {where or 'it'}")
    return value


def _inside(where: str, key: str) -> str:
    return f"{where}.{key:.40}" if where else f"{key:.40}"


def _misplaced(value: Any, expected: str, where: str) -> JsonError:
    return JsonError(f"{where or 'it'} is {_shown(value)}", expected=expected)


def _shown(value: Any) -> str:
    """Return a value as a message shows it: short, and of containers only the kind."""
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and abs(value) > _LARGEST:
        return f"an integer of {value.bit_length():,} bits"
    text = json.dumps(value, ensure_ascii=False, default=lambda other: type(other).__name__)
    return text if len(text) <= 60 else f"{text[:59]}…"
