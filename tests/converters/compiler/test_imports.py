"""Inside the compiler too imports go one way: front, middle, back; the middle knows the network, not its reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.needs import ROOT
from tests.house.test_imports import files, imported

COMPILER = "converters.compiler"
EVERYWHERE = ("faults", "limits")
MAY_IMPORT = {
    "front": ("front",),
    "middle": ("front.network", "middle"),
    "back": ("middle", "back"),
    **dict.fromkeys(EVERYWHERE, ()),
}


def faults(part: str, source: str) -> list[str]:
    """Return what a module of a part of the compiler imports of it but may not."""
    names = [name for name in sorted(imported(source)) if name.startswith(f"{COMPILER}.")]
    allowed = [f"{COMPILER}.{each}." for each in (*MAY_IMPORT[part], *EVERYWHERE)]
    return [name for name in names if not f"{name}.".startswith(tuple(allowed))]


def parts() -> list[tuple[str, Path]]:
    """Return each module of the compiler that belongs to a part, after that."""
    named = [(path.relative_to("converters/compiler").parts[0], path) for path in files("converters/compiler")]
    return [(part.removesuffix(".py"), path) for part, path in named if part.removesuffix(".py") in MAY_IMPORT]


@pytest.mark.parametrize(("part", "path"), parts(), ids=str)
def test_a_part_imports_only_what_comes_before_it(part: str, path: Path) -> None:
    assert faults(part, (ROOT / path).read_text()) == []


def test_the_rule_catches_what_it_forbids() -> None:
    reader = "from converters.compiler.front.read import read_graph\n"
    assert faults("front", reader) == []
    assert faults("middle", reader) == ["converters.compiler.front.read.read_graph"]
    assert faults("middle", "from converters.compiler.front import network as net\n") == []
    assert faults("back", "from converters.compiler.front.network import Window\n") != []
    assert faults("limits", "from converters.compiler.faults import check\n") == []
    assert faults("front", "from converters.compiler.back.c import library\n") != []
    assert {part for part, _ in parts()} == set(MAY_IMPORT)
