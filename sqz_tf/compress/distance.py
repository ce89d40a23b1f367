"""How far a compressed network is from float: on logits, because an int8 softmax has 256 steps of probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converters.tflite.reader import read_model
from sqz_tf.compress.rewrite import without_softmax
from sqz_tf.inference.interpreters import run

EXACT = "litert-builtin"  # integers alone: the same on every machine


@dataclass(frozen=True)
class Distance:
    """On some pictures: mean divergence from float in nats, and the share of pictures with the same best class."""

    divergence: float
    agreement: float


def distance(int8: bytes, images: np.ndarray, wanted: np.ndarray) -> Distance:
    """Return how far an int8 `.tflite` is from what float said.

    Args:
      images: uint8 [N, H, W, C].
      wanted: the float network's logits [N, classes].
    """
    found = int8_logits(int8, images)
    return Distance(divergence(wanted, found), float(np.mean(wanted.argmax(1) == found.argmax(1))))


def divergence(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the mean Kullback-Leibler divergence of what logits [N, classes] stand for, in nats."""
    p, q = _log_softmax(wanted.astype(np.float64)), _log_softmax(found.astype(np.float64))
    return float((np.exp(p) * (p - q)).sum(1).mean())


def int8_logits(int8: bytes, images: np.ndarray) -> np.ndarray:
    """Return what an int8 `.tflite` computes before its softmax, float64 [N, classes]."""
    bare = without_softmax(int8)
    (output,) = read_model(bare).output_tensors()
    found = run(bare, (images ^ 0x80).view(np.int8), EXACT).outputs
    return (found.reshape(len(images), -1).astype(np.float64) - output.zero_point[0]) * output.scale[0]


def _log_softmax(z: np.ndarray) -> np.ndarray:
    z = z - z.max(1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(1, keepdims=True)), np.float64)
