"""How the compiler refuses: one kind of error, raised by every pass."""

from __future__ import annotations


class Unsupported(ValueError):
    """Something that cannot be compiled; the message says where and why."""


def check(condition: object, message: str) -> None:
    """Raise `Unsupported` unless the condition holds."""
    if not condition:
        raise Unsupported(message)
