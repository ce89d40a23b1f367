"""Layers in the order of the network."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable


def layer_order(names: Iterable[str]) -> list[str]:
    """Return layer names in the order of the network: by number, then squeeze before expand."""

    def place(name: str) -> tuple[float, int, str]:
        number = re.search(r"\d+", name)
        parts = ("pad", "squeeze", "expand", "concat", "bypass", "add", "pool", "mean", "softmax")
        part = next((index for index, word in enumerate(parts) if word in name), -1)
        return (float(number[0]) if number else math.inf, part, name)

    return sorted(names, key=place)
