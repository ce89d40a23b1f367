"""Where the bytes of a pack go."""

from __future__ import annotations

from converters.packs import container
from converters.packs.parts import Kind


def section_bytes(data: bytes) -> dict[str, int]:
    """Return the bytes of a pack by what they hold: the sections' kinds in lower case, and `container`.

    Raises:
      PackError: the pack is damaged.
    """
    found = container.read(data)
    sizes = {kind.name.lower(): sum(len(section.stored) for section in found.of(kind)) for kind in Kind}
    return {**sizes, "container": len(data) - sum(sizes.values())}
