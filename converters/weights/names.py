"""Whose weights are these? Layouts are data: tables from a publisher's layer names to the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters import strict_json
from converters.weights.tensors import ConvWeights, Shape, WeightFile, describe

_SHOWN = 4  # names listed in a message before it says how many more there are


@dataclass(frozen=True)
class Layout:
    """One publisher's naming of one network.

    `layers`: the caller's name for each of the file's. `kernels`: shapes [H, W, I, O] by the file's names, which
    tell it from layouts of the same names; None is any length. `formats`: the file formats it occurs in. `facts`:
    whatever else the table says (preprocessing, licence); not read here.
    """

    name: str
    formats: tuple[str, ...]
    layers: Mapping[str, str]
    kernels: Mapping[str, tuple[int | None, ...]]
    facts: Mapping[str, Any]


def parse_layouts(text: str) -> tuple[Layout, ...]:
    """Read layouts from JSON.

    Args:
      text: `{"names": {TABLE: {file's name: caller's name}}, "layouts": [{"name", "formats", "names": TABLE,
        "kernels", ...}]}`; keys not named here become `facts`.
    """
    document = strict_json.loads(text)
    return tuple(_layout(entry, document["names"]) for entry in document["layouts"])


def _layout(entry: dict[str, Any], tables: dict[str, dict[str, str]]) -> Layout:
    own = ("name", "formats", "names", "kernels")
    return Layout(
        name=entry["name"],
        formats=tuple(entry["formats"]),
        layers=tables[entry["names"]],
        kernels={name: tuple(shape) for name, shape in entry["kernels"].items()},
        facts={key: value for key, value in entry.items() if key not in own},
    )


def recognise(weights: WeightFile, layouts: Sequence[Layout]) -> Layout:
    """Return the layout that shares most names with the file and has its kernels.

    Raises:
      ValueError: no layout shares a name, or a kernel that decides has another shape; says which.
    """
    possible = [layout for layout in layouts if weights.format in layout.formats]
    shared = {layout.name: len(set(layout.layers) & set(weights.layers)) for layout in possible}
    most = max(shared.values(), default=0)
    if not most:
        raise ValueError(
            f"the file's layers are {_some(weights.layers)}; expected those of a known layout "
            f"({', '.join(shared) or 'none in this format'})"
        )
    best = [layout for layout in possible if shared[layout.name] == most]
    for layout in best:
        if all(_has_kernel(weights, name, shape) for name, shape in layout.kernels.items()):
            return layout
    raise ValueError(_no_kernel(weights, best))


def map_layers(weights: WeightFile, expected: Mapping[str, Shape], layout: Layout) -> dict[str, ConvWeights]:
    """Give the file's layers the caller's names.

    Args:
      weights: what a reader returned.
      expected: the kernel shape [H, W, I, O] of every layer the caller has.
      layout: from `recognise`.

    Returns:
      The layers by the caller's names, in the order of `expected`.

    Raises:
      ValueError: a layer is missing, unknown, grouped or of another shape; names it and both shapes.
    """
    theirs = {ours: name for name, ours in layout.layers.items()}
    _refuse_other_names(weights, expected, theirs, layout.name)
    return {ours: _checked(theirs[ours], ours, weights.layers[theirs[ours]], expected[ours]) for ours in expected}


def _refuse_other_names(
    weights: WeightFile, expected: Mapping[str, Shape], theirs: Mapping[str, str], layout: str
) -> None:
    missing = [ours for ours in expected if theirs.get(ours) not in weights.layers]
    known = {theirs[ours] for ours in expected if ours in theirs}
    unknown = [name for name in (*weights.layers, *weights.unused) if name not in known]
    parts = []
    if missing:
        wanted = [f"{theirs.get(ours, ours)} {describe(expected[ours])}" for ours in missing]
        parts.append(f"the file lacks {_some(wanted)}")
    if unknown:
        parts.append(f"the file has {_some(_with_shape(weights, name) for name in unknown)} besides")
    if parts:
        raise ValueError(
            f"{' and '.join(parts)}; expected exactly the layers of layout {layout} (kernels [H, W, I, O])"
        )


def _with_shape(weights: WeightFile, name: str) -> str:
    layer = weights.layers.get(name)
    return name if layer is None else f"{name} {describe(layer.kernel.shape)}"


def _checked(name: str, ours: str, layer: ConvWeights, shape: Shape) -> ConvWeights:
    if layer.kernel.shape != tuple(shape):
        raise ValueError(
            f"layer {name} ({ours}) has a kernel [H, W, I, O] of shape {describe(layer.kernel.shape)}; "
            f"expected {describe(shape)}"
        )
    if layer.groups != 1:
        raise ValueError(f"layer {name} ({ours}) has {layer.groups} groups; expected 1")
    return layer


def _has_kernel(weights: WeightFile, name: str, shape: tuple[int | None, ...]) -> bool:
    found = weights.layers[name].kernel.shape if name in weights.layers else ()
    return len(found) == len(shape) and all(wanted in (None, had) for had, wanted in zip(found, shape, strict=True))


def _no_kernel(weights: WeightFile, layouts: Sequence[Layout]) -> str:
    name = next(iter(layouts[0].kernels))
    shapes = " or ".join(f"{describe(layout.kernels[name])} ({layout.name})" for layout in layouts)
    if name not in weights.layers:
        return f"the file lacks layer {name}; expected it with a kernel [H, W, I, O] of shape {shapes}"
    received = describe(weights.layers[name].kernel.shape)
    return f"layer {name} has a kernel [H, W, I, O] of shape {received}; expected {shapes}"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "") if names else "none"
