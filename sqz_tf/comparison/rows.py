"""The rows of the table, from what the stages kept: sizes, ratios to AlexNet, accuracies and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sqz_tf.base import stats
from sqz_tf.comparison.paper import TABLE_2
from sqz_tf.comparison.squeezenets import Right
from sqz_tf.comparison.work import Kept

NAMES = {
    **{key: (each.network, each.compression, each.bits) for key, each in TABLE_2.items()},
    "squeezenet_pruned": ("SqueezeNet", "pruned", "32"),
    "squeezenet_int8": ("SqueezeNet", "int8", "8"),
    "squeezenet_packed": ("SqueezeNet", "int8, packed", "≤ 8"),
}
ORDER = (
    *("alexnet", "alexnet_svd", "alexnet_pruned", "alexnet_deep", "squeezenet", "squeezenet_pruned"),
    *("squeezenet_deep_8", "squeezenet_deep_6", "squeezenet_int8", "squeezenet_packed"),
)
"""The paper's rows in its order, our own after those they are made from."""


@dataclass(frozen=True, eq=False)
class Found:
    """A network of the table: what its stage kept, and on which held-out pictures it is right."""

    kept: Kept
    right: Right


def rows_of(found: Mapping[str, Found]) -> list[dict[str, Any]]:
    """Return the rows as plain values, in the table's order; those not found are left out."""
    return [_row(key, found[key], found["alexnet"]) for key in ORDER if key in found]


def _row(key: str, each: Found, alexnet: Found) -> dict[str, Any]:
    network, compression, bits = NAMES[key]
    published = TABLE_2.get(key)
    return {
        "key": key,
        "network": network,
        "compression": compression,
        "bits": bits,
        **asdict(each.kept),
        "times": alexnet.kept.bytes / each.kept.bytes,
        "values_times": each.kept.values_bytes and alexnet.kept.bytes / each.kept.values_bytes,
        "accuracy": asdict(stats.accuracy_of(each.right.top1, each.right.top5)),
        "lost": None if each is alexnet else asdict(stats.paired_drop(alexnet.right.top1, each.right.top1)),
        "paper": None if published is None else asdict(published),
    }


def found_in(kept: Kept, scores: np.ndarray, labels: np.ndarray) -> Found:
    """Return a network by its scores [N, classes] on pictures with these labels [N]."""
    return Found(kept, Right.of(scores, labels))
