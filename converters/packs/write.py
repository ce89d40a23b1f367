"""Pack a `.tflite` without loss."""

from __future__ import annotations

from converters.packs import container, general, table
from converters.packs.container import LARGEST, Section
from converters.packs.locate import Located, locate
from converters.packs.parts import Kind, Part, take_out

_IDENTIFIER = b"TFL3"


def pack(model: bytes) -> bytes:
    """Return the pack of a `.tflite`; `unpack` returns the same bytes.

    Args:
      model: the whole file, with whatever is appended to its FlatBuffer.

    Raises:
      ValueError: the bytes are no `.tflite`, or too many.
    """
    if model[4:8] != _IDENTIFIER:
        raise ValueError(f"bytes 4-8 are {model[4:8]!r}; expected a .tflite file (a FlatBuffer with identifier TFL3)")
    if len(model) > LARGEST:
        raise ValueError(f"the .tflite has {len(model):,} bytes; expected at most {LARGEST:,}")
    located = locate(model)
    sections = [
        _general(Kind.GRAPH, take_out(model, located.parts)),
        _general(Kind.TABLE, table.write(located.parts)),
        *(section for kind in (Kind.SCALES, Kind.BIASES, Kind.WEIGHTS) for section in _arrays(model, located, kind)),
        *(section for kind in (Kind.LABELS, Kind.PREPROCESSING) for section in _arrays(model, located, kind)),
    ]
    return container.write(sections, model)


def _general(kind: Kind, data: bytes, parts: int = 0) -> Section:
    coding, stored = general.encode(data)
    return Section(kind, coding, parts, stored, len(data))


def _arrays(model: bytes, located: Located, kind: Kind) -> list[Section]:
    parts = [part for part in located.parts if part.kind == kind]
    return [_general(kind, _content(model, parts), len(parts))] if parts else []


def _content(model: bytes, parts: list[Part]) -> bytes:
    return b"".join(model[part.start : part.end] for part in parts)
