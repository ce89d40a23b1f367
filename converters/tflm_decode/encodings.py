"""The encodings TFLite Micro's DECODE operator knows: a tensor's bytes, and the table beside them.

The table ("ancillary data") begins with 16 bytes: kind of encoding, version 1, two zeros, version 1 of the encoding,
two bytes of its own (below), zeros. What follows is int8 values, or 16-bit entries.

  LUT      byte 5 bits of an index, byte 6 values from one channel's to the next's; then the values
  HUFFMAN  byte 5 (bits of the first table - 1) · 16, with bit 0 clear for 16-bit entries; then the tables
  PRUNE    then the values that are not zero, in the tensor's order
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from converters.tflite.model import Tensor
from converters.tflm_decode import huffman as code

VERSION = 1
MOST_INDEX_BITS = 7


@dataclass(frozen=True)
class Encoded:
    """A tensor as DECODE takes it.

    Attributes:
      encoding: its name, `lut`, `huffman` or `prune`.
      data: indices, codewords or a bit for each value, most significant bit first.
      table: the header of 16 bytes and what follows it.
    """

    encoding: str
    data: bytes
    table: bytes

    @property
    def bytes(self) -> int:
        """What both take in the file, without padding."""
        return len(self.data) + len(self.table)


def encodings(tensor: Tensor) -> list[Encoded]:
    """Return a constant int8 tensor in every encoding that can hold it."""
    found = (encode(tensor) for encode in _ENCODERS)
    return [encoded for encoded in found if encoded is not None]


def _header(kind: int, *own: int) -> bytes:
    return bytes([kind, VERSION, 0, 0, VERSION, *own]).ljust(16, b"\0")


def _values(tensor: Tensor) -> np.ndarray:
    assert tensor.data is not None
    return tensor.data


def _channels(tensor: Tensor) -> np.ndarray | None:
    """Return the values as the kernels count channels, int8 [channels, N]; None where they refuse the dimension."""
    if not tensor.per_channel:
        return _values(tensor).reshape(1, -1)
    if tensor.quantized_dimension not in (0, len(tensor.shape) - 1):
        return None
    return np.moveaxis(_values(tensor), tensor.quantized_dimension, 0).reshape(len(tensor.scale), -1)


# Indices into a table of values.


def _lut_by_channel(tensor: Tensor) -> Encoded | None:
    channels = _channels(tensor)
    if channels is None:
        return None
    found = [np.unique(channel, return_inverse=True) for channel in channels]
    stride = max(len(values) for values, _ in found)
    values = b"".join(values.astype(np.int8).tobytes().ljust(stride, b"\0") for values, _ in found)
    indices = np.stack([index.reshape(-1) for _, index in found])
    return _lut(tensor, indices, values, stride, stride)


def _lut_shared(tensor: Tensor) -> Encoded | None:
    """Let all channels look into one table: from each to the next it is 0 values."""
    channels = _channels(tensor)
    if channels is None or len(channels) == 1:
        return None
    values, indices = np.unique(channels, return_inverse=True)
    return _lut(tensor, indices.reshape(channels.shape), values.tobytes(), len(values), 0)


def _lut(tensor: Tensor, indices: np.ndarray, values: bytes, most: int, stride: int) -> Encoded | None:
    width = max(1, (most - 1).bit_length())
    if width > MOST_INDEX_BITS:
        return None
    if tensor.per_channel and tensor.quantized_dimension:
        indices = indices.T  # the channel is what changes fastest
    bits = (indices.reshape(-1, 1) >> np.arange(width - 1, -1, -1)) & 1
    return Encoded("lut", np.packbits(bits.astype(np.uint8)).tobytes(), _header(0, width, stride) + values)


# A code word for each value.


def _huffman(tensor: Tensor) -> Encoded | None:
    symbols = _values(tensor).reshape(-1).view(np.uint8)
    counts = np.bincount(symbols, minlength=256)
    if np.count_nonzero(counts) < 2:
        return None
    best = code.best_code(counts)
    entries, first, widest = code.tables(best)
    bits = code.bits_of(symbols, best)
    # The last code word, too, is looked up with as many bits as its table has, and they are read by the word.
    words = -(-(len(bits) + widest) // 32)
    data = np.packbits(bits).tobytes().ljust(4 * words, b"\0")
    return Encoded("huffman", data, _header(1, (first - 1) << 4) + entries.astype("<u2").tobytes())


# A bit for each value that is not zero.


def _prune(tensor: Tensor) -> Encoded | None:
    if any(tensor.zero_point) or _channels(tensor) is None:
        return None
    values = _values(tensor).reshape(-1)
    return Encoded("prune", np.packbits(values != 0).tobytes(), _header(2) + values[values != 0].tobytes())


_ENCODERS: tuple[Callable[[Tensor], Encoded | None], ...] = (_lut_by_channel, _lut_shared, _prune, _huffman)
