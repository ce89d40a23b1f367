"""Deep Compression files, `.net` (Han, Mao and Dally 2015, arXiv:1510.00149, sections 2 and 3).

All numbers are little-endian. First one uint32 per layer: the number of stored entries. Then for each layer

    float32 [256]        codebook; entry 0 is 0.0
    float32 [O]          bias
    uint8   [n]          codebook index of each stored entry
    uint8   [(n + 1)/2]  gaps of 4 bits, two to a byte, low nibble first; a nibble left over is 0

An entry stands gap + 1 places after the one before it, the kernel being laid out as [O, I, H, W]. A run of over 15
zeros is bridged by fillers: entries of index 0 and gap 15. The file names no layer and has no checksum; the caller
brings the table of layers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from converters.weights.tensors import MAX_DIM, ConvWeights, Shape, WeightFile, convolution, describe

CODEBOOK = 256
LONGEST_GAP = 15


@dataclass(frozen=True, eq=False)
class _Sparse:
    """One layer as stored: `codebook` float32 [256], `bias` float32 [O], `indices` and `gaps` uint8 [n]."""

    codebook: np.ndarray
    bias: np.ndarray
    indices: np.ndarray
    gaps: np.ndarray


def stored_entries(data: bytes, layers: Mapping[str, Shape]) -> dict[str, int]:
    """Return each layer's number of stored entries (non-zero weights and fillers), from the head of the file.

    Raises:
      ValueError: the file ends inside its head.
    """
    head = 4 * len(layers)
    if len(data) < head:
        raise ValueError(f"the file has {len(data)} bytes; expected at least {head}, the head for {len(layers)} layers")
    return dict(zip(layers, np.frombuffer(data, "<u4", len(layers)).tolist(), strict=True))


def read(data: bytes, layers: Mapping[str, Shape]) -> WeightFile:
    """Decode a `.net` file.

    Args:
      data: the file.
      layers: kernel shape [H, W, I, O] of each layer by name, in the file's order. The last one's O may be 0: as many
        outputs as the file's length leaves room for.

    Returns:
      A WeightFile whose `codebooks` let `write` give the same bytes again.

    Raises:
      ValueError: the file is cut short, too long or inconsistent; names the layer.
    """
    counts = stored_entries(data, layers)
    layers = _with_outputs(data, layers, counts)
    position, result, codebooks = 4 * len(layers), {}, {}
    for name, shape in layers.items():
        sparse, position = _take(data, position, name, shape, counts[name])
        result[name] = convolution(name, _dense(sparse, name, shape), sparse.bias)
        codebooks[name] = sparse.codebook
    if position != len(data):
        raise ValueError(f"the file has {len(data)} bytes; expected {position} after its last layer, {name}")
    return WeightFile("net", result, hashlib.sha256(data).hexdigest(), codebooks=codebooks)


def write(layers: Mapping[str, ConvWeights], codebooks: Mapping[str, np.ndarray]) -> bytes:
    """Encode layers as a `.net` file, the inverse of `read`.

    Args:
      layers: kernels whose every value stands in the layer's codebook.
      codebooks: float32 [256] by name, without repeated values, entry 0 being 0.0.

    Raises:
      ValueError: a weight is missing from the codebook, or the codebook is not as above; names the layer.
    """
    coded = {name: _sparse(name, layer, codebooks[name]) for name, layer in layers.items()}
    head = np.array([len(layer.indices) for layer in coded.values()], "<u4").tobytes()
    return head + b"".join(map(_pack, coded.values()))


def _with_outputs(data: bytes, layers: Mapping[str, Shape], counts: Mapping[str, int]) -> Mapping[str, Shape]:
    """Return the table of layers with the last one's outputs, told by the bytes that all else leaves for its biases."""
    last, shape = list(layers.items())[-1]
    if shape[-1]:
        return layers
    others = sum(each[-1] for each in layers.values())
    taken = 4 * len(layers) + 4 * others + sum(4 * CODEBOOK + count + (count + 1) // 2 for count in counts.values())
    outputs, rest = divmod(len(data) - taken, 4)
    if rest or not 1 <= outputs <= MAX_DIM:
        raise ValueError(
            f"the file has {len(data)} bytes; expected {taken} and four for each output of its last layer, {last}"
        )
    return {**layers, last: (*shape[:-1], outputs)}


def _take(data: bytes, start: int, name: str, shape: Shape, count: int) -> tuple[_Sparse, int]:
    """Cut one layer out of the file; return it and where the next one starts."""
    outputs, weights = shape[-1], math.prod(shape)
    if count > weights:
        raise ValueError(
            f"layer {name} claims {count} stored entries; expected at most {weights} for a kernel {describe(shape)}"
        )
    sizes = (4 * CODEBOOK, 4 * outputs, count, (count + 1) // 2)
    end = start + sum(sizes)
    if end > len(data):
        raise ValueError(
            f"the file ends inside layer {name}: it has {len(data)} bytes; expected {end} up to the end of that layer, "
            f"whose kernel is {describe(shape)}"
        )
    starts = np.cumsum((start, *sizes)).tolist()
    nibbles = np.frombuffer(data, np.uint8, sizes[3], starts[3])
    gaps = np.stack([nibbles & 15, nibbles >> 4], axis=1).ravel()
    if gaps[count:].any():
        raise ValueError(f"layer {name} has a gap of {gaps[-1]} after its last entry; expected 0 (the file is damaged)")
    sparse = _Sparse(
        codebook=np.frombuffer(data, "<f4", CODEBOOK, starts[0]),
        bias=np.frombuffer(data, "<f4", outputs, starts[1]),
        indices=np.frombuffer(data, np.uint8, count, starts[2]),
        gaps=gaps[:count],
    )
    return sparse, end


def _dense(sparse: _Sparse, name: str, shape: Shape) -> np.ndarray:
    """Return the kernel float32 [O, I, H, W]."""
    _check_codebook(name, sparse.codebook)
    _check_fillers(name, sparse)
    height, width, inputs, outputs = shape
    places = np.cumsum(sparse.gaps.astype(np.int64) + 1) - 1
    weights = math.prod(shape)
    if len(places) and places[-1] >= weights:
        raise ValueError(
            f"layer {name} has an entry at place {places[-1]}; expected places below {weights} for a kernel "
            f"{describe(shape)}"
        )
    kernel = np.zeros(weights, np.float32)
    kernel[places] = sparse.codebook[sparse.indices]
    return kernel.reshape(outputs, inputs, height, width)


def _check_codebook(name: str, codebook: np.ndarray) -> None:
    if codebook.shape != (CODEBOOK,) or codebook[0] != 0 or np.signbit(codebook[0]):
        raise ValueError(
            f"layer {name} has a codebook that starts with {codebook[:1]}; expected 256 values from 0.0 on"
        )
    if not np.isfinite(codebook).all():
        raise ValueError(f"layer {name} has a codebook with infinities or NaN; expected finite values")
    if len(np.unique(codebook)) != CODEBOOK:
        raise ValueError(f"layer {name} has a codebook with repeated values; expected {CODEBOOK} different ones")


def _check_fillers(name: str, sparse: _Sparse) -> None:
    fillers = sparse.indices == 0
    if (sparse.gaps[fillers] != LONGEST_GAP).any() or (len(fillers) and fillers[-1]):
        raise ValueError(
            f"layer {name} stores a zero that bridges nothing; expected zeros only after a gap of {LONGEST_GAP} and "
            "before another entry (the file is damaged)"
        )


def _sparse(name: str, layer: ConvWeights, codebook: np.ndarray) -> _Sparse:
    """Find each non-zero weight's index and gap, and put the fillers in."""
    codebook = np.asarray(codebook, np.float32)
    _check_codebook(name, codebook)
    flat = layer.kernel.transpose(3, 2, 0, 1).ravel()
    places = np.flatnonzero(flat)
    indices = _lookup(name, flat[places], codebook)
    gaps = np.diff(places, prepend=-1) - 1
    fillers = gaps // (LONGEST_GAP + 1)
    last = np.cumsum(fillers + 1) - 1  # where each weight's own entry stands among the fillers
    all_indices = np.zeros(len(places) + int(fillers.sum()), np.uint8)
    all_gaps = np.full(len(all_indices), LONGEST_GAP, np.uint8)
    all_indices[last] = indices
    all_gaps[last] = gaps % (LONGEST_GAP + 1)
    return _Sparse(codebook, layer.bias, all_indices, all_gaps)


def _lookup(name: str, values: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    order = np.argsort(codebook)
    found = order[np.minimum(np.searchsorted(codebook, values, sorter=order), CODEBOOK - 1)]
    missing = codebook[found] != values
    if missing.any():
        raise ValueError(f"layer {name} holds {values[missing][0]}; expected values of its codebook only")
    return found.astype(np.uint8)


def _pack(layer: _Sparse) -> bytes:
    gaps = np.append(layer.gaps, np.zeros(len(layer.gaps) % 2, np.uint8)).reshape(-1, 2)
    nibbles = (gaps[:, 0] | gaps[:, 1] << 4).astype(np.uint8)
    floats = [np.asarray(part, "<f4").tobytes() for part in (layer.codebook, layer.bias)]
    return b"".join([*floats, layer.indices.tobytes(), nibbles.tobytes()])
