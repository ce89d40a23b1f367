"""What the papers say: table 2 of Iandola et al. 2016 (arXiv:1602.07360), and the settings of the methods in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A row of table 2: what was compressed and how, its size in million bytes, how many times smaller, accuracy."""

    network: str
    compression: str
    bits: str
    megabytes: float
    times: float
    top1: float
    top5: float


TABLE_2 = {
    "alexnet": Published("AlexNet", "none", "32", 240, 1, 0.572, 0.803),
    "alexnet_svd": Published("AlexNet", "SVD", "32", 48, 5, 0.560, 0.794),
    "alexnet_pruned": Published("AlexNet", "network pruning", "32", 27, 9, 0.572, 0.803),
    "alexnet_deep": Published("AlexNet", "Deep Compression", "5–8", 6.9, 35, 0.572, 0.803),
    "squeezenet": Published("SqueezeNet", "none", "32", 4.8, 50, 0.575, 0.803),
    "squeezenet_deep_8": Published("SqueezeNet", "Deep Compression", "8", 0.66, 363, 0.575, 0.803),
    "squeezenet_deep_6": Published("SqueezeNet", "Deep Compression", "6", 0.47, 510, 0.575, 0.803),
}

DENSITY = {
    "conv1": 0.84,
    "conv2": 0.38,
    "conv3": 0.35,
    "conv4": 0.37,
    "conv5": 0.37,
    "fc6": 0.09,
    "fc7": 0.09,
    "fc8": 0.25,
}
"""Share of each AlexNet layer's weights that is left (Han et al. 2015, arXiv:1506.02626, table 4)."""

CONV_BITS, FC_BITS = 8, 5
"""Bits of a shared weight's number (Han et al. 2016, arXiv:1510.00149), and of the gap before it, in AlexNet."""
