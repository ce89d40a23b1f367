"""What a whole model of Keras says of its layers, as JSON: names, options and what adds maps. Nothing of it is made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from converters import strict_json

LONGEST = 8 << 20
"""Longest description read, in bytes; that of a SqueezeNet has some 30 KB."""
_CONVOLUTIONS = ("Conv2D", "Convolution2D")
_SCALINGS = ("Rescaling", "Normalization")
_UNEVEN = (-1, -1)  # of a padding that differs between sides


@dataclass(frozen=True)
class Described:
    """A model's layers.

    `options`: of each layer by name, in order, with its class as `class_name`. `paths`: names of layers by their place
    in the weights' file. `whole`: False where there was no description.
    """

    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False

    def additions(self) -> tuple[str, ...] | None:
        """Return the layers that add feature maps, None without a description."""
        return tuple(name for name, own in self.options.items() if _adds(own)) if self.whole else None

    def scalings(self) -> list[str]:
        """Return the layers that scale what they are given by fixed numbers."""
        return [name for name, own in self.options.items() if own["class_name"] in _SCALINGS]

    def paddings(self) -> dict[str, tuple[int, int]]:
        """Return what each convolution adds on each side: by itself, or by a layer of zeros listed right before it."""
        found, before = {}, (0, 0)
        for name, own in self.options.items():
            kind = own["class_name"]
            if kind in _CONVOLUTIONS:
                found[name] = before if any(before) else _same(own)
            before = _zeros(own.get("padding")) if kind == "ZeroPadding2D" else (0, 0)
        return found


def described_by(text: str) -> Described:
    """Return what a description says; one that is empty says nothing.

    Raises:
      ValueError: it is no JSON.
    """
    if not text:
        return Described()
    try:
        config = strict_json.loads(text, LONGEST)
    except ValueError as error:
        raise ValueError(f"the model's description is damaged ({error}); expected JSON") from error
    options: dict[str, Mapping[str, Any]] = {}
    paths: dict[str, str] = {}
    for path, layer in _every_layer(config):
        own = layer.get("config")
        own = own if isinstance(own, dict) else {}
        name = str(own.get("name") or layer.get("name") or "")
        options.setdefault(name, {**own, "class_name": str(layer.get("class_name"))})
        paths[path] = name
    return Described(options, paths, whole=True)


def _every_layer(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place in the weights' file, description) of every layer, those of models in models too."""
    waiting = [(config, "")]
    while waiting:
        model, path = waiting.pop()
        counts = Counter[str]()
        for layer in _layers(model):
            kind = _snake(str(layer.get("class_name")))
            place = f"{path}/layers/{kind}{f'_{counts[kind]}' if counts[kind] else ''}".lstrip("/")
            counts[kind] += 1
            yield place, layer
            if _layers(layer):
                waiting.append((layer, place))


def _layers(model: Any) -> list[dict[str, Any]]:
    """Return the descriptions of the layers of a model; none of what is no model."""
    config = model.get("config") if isinstance(model, dict) else None
    found = config.get("layers") if isinstance(config, dict) else config  # a list: Sequential of Keras 1 and 2.1
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _snake(name: str) -> str:
    """Return a class's name as Keras writes it into paths."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _same(own: Mapping[str, Any]) -> tuple[int, int]:
    """Return what a convolution adds on each side."""
    if "same" not in (own.get("padding"), own.get("border_mode")):
        return 0, 0
    sides = own.get("kernel_size", [own.get("nb_row"), own.get("nb_col")])
    rows, columns = sides if isinstance(sides, list) and len(sides) == 2 else (sides, sides)
    return (rows // 2, columns // 2) if isinstance(rows, int) and isinstance(columns, int) else _UNEVEN


def _zeros(padding: Any) -> tuple[int, int]:
    """Return how many rows and columns a layer of zeros adds on a side; (-1, -1) if that differs between sides."""
    parts = padding if isinstance(padding, list) else [padding]
    flat = [each for part in parts for each in (part if isinstance(part, list) else [part])]
    if len(flat) == 2:
        flat = [flat[0], flat[0], flat[1], flat[1]]
    if len(flat) == 4 and all(isinstance(each, int) for each in flat) and flat[0] == flat[1] and flat[2] == flat[3]:
        return flat[0], flat[2]
    return _UNEVEN


def _adds(options: Mapping[str, Any]) -> bool:
    """Say whether a layer adds feature maps."""
    return options["class_name"] == "Add" or (options["class_name"] == "Merge" and options.get("mode") == "sum")
