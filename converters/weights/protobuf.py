"""Small protobuf messages built at run time, so that no generated code and no framework is needed.

Of an outermost message all fields are declared, of the others only those we read; the library skips the rest.
Messages inside a message are declared as `bytes` and parsed one by one: that bounds memory for hostile files and
lets an error name the part it is in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Fields = Mapping[str, tuple[int, str]]
"""Field name to its number and type; a type ending in `*` is repeated."""

NameFields = Mapping[int, "int | NameFields"]
"""Of each field that holds parts: the number of the part's own field with its name, or the same one level down."""

MAX_PARTS = 20_000
"""Most layers, nodes or tensors in one message; the deepest networks have a few thousand."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


def message_classes(package: str, definitions: Mapping[str, Fields]) -> dict[str, Any]:
    """Build one message class per definition.

    Args:
      package: keeps the names apart from other packages'.
      definitions: message name to its fields, of types bool, bytes, double, float, int32, int64.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, fields in definitions.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = message.field.add(name=field, number=number)
            added.label = field_type.LABEL_REPEATED if kind.endswith("*") else field_type.LABEL_OPTIONAL
            added.type = getattr(field_type, f"TYPE_{kind.rstrip('*').upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in definitions
    }


def parse(cls: Any, data: bytes, where: str, name_fields: NameFields | None = None) -> Any:
    """Parse one message.

    Args:
      where: what to call the message in an error.
      name_fields: helps an error name the part of the message that is cut short.

    Raises:
      ValueError: the bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    try:
        return cls.FromString(data)
    except DecodeError as error:
        last = last_part(data, name_fields) if name_fields else ""
        raise ValueError(
            f"{where} is cut short or damaged: its {len(data)} bytes are no whole protobuf message"
            + (f"; the last part that begins in it is {last}" if last else "")
        ) from error


def require_known(message: Any, where: str) -> None:
    """Refuse fields that are not declared: in an outermost message they are what moved bytes look like.

    Raises:
      ValueError: there is one.
    """
    from google.protobuf.unknown_fields import UnknownFieldSet

    numbers = sorted({field.field_number for field in UnknownFieldSet(message)})
    if numbers:
        raise ValueError(f"{where} has fields of number {numbers[:4]}, which its format lacks (the file is damaged)")


def require_few(where: str, *parts: Sequence[bytes]) -> None:
    """Refuse a message of absurdly many parts before they are parsed one by one.

    Raises:
      ValueError: there are more than MAX_PARTS.
    """
    count = sum(map(len, parts))
    if count > MAX_PARTS:
        raise ValueError(f"{where} has {count} parts; expected at most {MAX_PARTS}")


def last_part(data: bytes, name_fields: NameFields) -> str:
    """Return the name of the last part that begins in a damaged message, or an empty string."""
    name, position = "", 0
    while position < len(data):
        field = _field(data, position)
        if field is None:
            break
        number, start, position = field
        inner = name_fields.get(number)
        if inner is not None:
            part = data[start:position]
            name = (_name_in(part, inner) if isinstance(inner, int) else last_part(part, inner)) or name
    return name


def _name_in(part: bytes, wanted: int) -> str:
    position = 0
    while position < len(part):
        field = _field(part, position)
        if field is None:
            return ""
        number, start, position = field
        if number == wanted:
            return part[start:position].decode("utf-8", "replace")
    return ""


def _field(data: bytes, position: int) -> tuple[int, int, int] | None:
    """Return a field's number and where its content starts and ends (perhaps past the end), None for nonsense."""
    key = _varint(data, position)
    if key is None:
        return None
    number, wire_type, start = key[0] >> 3, key[0] & 7, key[1]
    if wire_type in _FIXED_BYTES:
        return number, start, start + _FIXED_BYTES[wire_type]
    value = _varint(data, start) if wire_type in (_VARINT, _LENGTH) else None
    if value is None:
        return None
    return (number, start, value[1]) if wire_type == _VARINT else (number, value[1], value[1] + value[0])


def _varint(data: bytes, position: int) -> tuple[int, int] | None:
    """Return the number at `position` and where the next field goes on, None if there is none."""
    value = 0
    for shift, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, position + shift + 1
    return None
