"""Where the bytes of a pack go."""

from __future__ import annotations

from dataclasses import dataclass

from converters.packs import container
from converters.packs.locate import locate
from converters.packs.parts import Kind
from converters.packs.read import restore


@dataclass(frozen=True)
class PartBytes:
    """An array of the `.tflite`: what it is, the tensor's name, how many values it has, and bytes of the pack for it.

    A coder reads ahead and has a state to begin with: the arrays of a section sum up to a little less than it.
    """

    kind: str
    name: str
    values: int
    bytes: int


def section_bytes(data: bytes) -> dict[str, int]:
    """Return the bytes of a pack by what they hold: the sections' kinds in lower case, and `container`.

    Raises:
      PackError: the pack is damaged.
    """
    found = container.read(data)
    sizes = {kind.name.lower(): sum(len(section.stored) for section in found.of(kind)) for kind in Kind}
    return {**sizes, "container": len(data) - sum(sizes.values())}


def part_bytes(data: bytes) -> list[PartBytes]:
    """Return the bytes of a pack by array, in the order of the `.tflite`.

    Raises:
      PackError: the pack is damaged.
    """
    model, restored = restore(data)
    names = {part.start: part.name for part in locate(model).parts}
    return [
        PartBytes(each.part.kind.name.lower(), names.get(each.part.start, ""), each.part.count, each.spent)
        for each in restored
    ]
