"""Compress the weights of a convolution as mcu/src/sqz_unpack.h reads them: a prefix code for masks, one for values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from converters.compiler.back.c.prefix_code import Code, shortest, to_bytes
from converters.compiler.middle.program import Requant

QUAD = 4  # weights that a mask tells of
LONGEST_MASK, LONGEST_VALUE = 8, 10  # bits of a code
NO_CODE = 15  # SQZ_NO_CODE
GROUP_BITS = (8, 9, 10, 11)  # that may be looked up at once
SLOT_BITS = 10  # of a layer in a slot: looked up at once, and the longest code of a value, whatever the weights are
LEFT_OVER = 0.3  # of a quad's values, that such a lookup does not hold: assumed

# Instructions on a Cortex-M4, counted in QEMU: for each entry of the tables made before a band, for each quad, for each
# value that its entry of the table does not hold, for each channel.
ENTRY, VALUE_ENTRY, QUAD_TAKEN, VALUE_TAKEN, CHANNEL_TAKEN = 50, 7, 16, 21, 90


@dataclass(frozen=True, eq=False)
class Groups:
    """The weights of a convolution in groups of channels, in the order of a target's records.

    Attributes:
      channels: of a group; the last group is filled up with channels of zeros.
      quads: int8 [groups, quads, 4].
      bias: int32 [groups * channels].
      requant: of the convolution.
    """

    channels: int
    quads: np.ndarray
    bias: np.ndarray
    requant: Requant

    @property
    def record_bytes(self) -> int:
        """Bytes of a record as mcu/src/sqz_record.h has it."""
        tables = -(-self.channels // 4) * 4 + (0 if self.requant.only_shifts else 4 * self.channels)
        return 4 * self.channels + self.quads[0].size + tables


@dataclass(frozen=True, eq=False)
class Packed:
    """A section of compressed weights and what sqz_packed (mcu/src/sqz_ops.h) says of it.

    Attributes:
      data: the section.
      scales: different pairs of multiplier and shift.
      value_bits, bias_bits, scale_bits: as in sqz_packed.
      lookups: the instructions to decode it once, estimated, for each number of bits that can be looked up at once.
      group_channels, groups, record_bytes: of the records that it is decoded into.
      quads: of a group.
    """

    data: bytes
    scales: int
    value_bits: int
    bias_bits: int
    scale_bits: int
    lookups: Mapping[int, int]
    group_channels: int
    groups: int
    record_bytes: int
    quads: int

    def memory_bytes(self, block: int, group_bits: int) -> int:
        """Return the RAM for the decoder's tables and a block of so many channels' records."""
        tables = 5 * (1 << group_bits) + 2 * (1 << self.value_bits)
        return -(-(block // self.group_channels * self.record_bytes + tables) // 8) * 8


def pack_for_slot(groups: Groups) -> Packed:
    """Return the same with all that a program depends on following from the shape."""
    fixed = CHANNEL_TAKEN * len(groups.bias) + (VALUE_ENTRY << SLOT_BITS) + (ENTRY << SLOT_BITS)
    quads = groups.quads.size // QUAD
    decoding = fixed + int((QUAD_TAKEN + LEFT_OVER * VALUE_TAKEN) * quads)
    return replace(pack(groups, SLOT_BITS), lookups={SLOT_BITS: decoding})


def pack(groups: Groups, value_bits: int = 0) -> Packed:
    """Return the compressed weights, biases and scales of a convolution; `value_bits` is at least that."""
    weights = groups.quads.astype(np.int64)
    there = weights != 0
    masks = (there << np.arange(QUAD)).sum(axis=-1)
    mask_code = shortest(np.bincount(masks.ravel(), minlength=1 << QUAD), LONGEST_MASK)
    value_code = shortest(np.bincount(weights[there] + 128, minlength=256), LONGEST_VALUE)
    lengths = np.where(there, value_code.lengths[weights + 128], 0)
    tables, pairs, bias_bits, scale_bits = _tables(groups)
    quads = _joined(
        (mask_code.codes[masks], mask_code.lengths[masks]), (value_code.codes[weights + 128] * there, lengths)
    )
    stream = to_bytes(*(np.concatenate(both, axis=1).ravel() for both in zip(tables, quads, strict=True)))
    fixed = CHANNEL_TAKEN * len(groups.bias) + (VALUE_ENTRY << value_code.longest)
    lookups = {bits: fixed + each for bits, each in _lookups(mask_code, masks, lengths).items()}
    value_bits = max(1, value_code.longest, value_bits)
    data = _nibbles(mask_code) + _values(value_code, value_bits) + pairs + stream
    return Packed(
        data,
        len(pairs) // 5,
        value_bits,
        bias_bits,
        scale_bits,
        lookups,
        groups.channels,
        len(weights),
        groups.record_bytes,
        groups.quads.shape[1],
    )


Numbers = tuple[np.ndarray, np.ndarray]  # numbers and how many bits of each, both int64 [groups, N]


def _tables(groups: Groups) -> tuple[Numbers, bytes, int, int]:
    """Return what stands before each group's quads, the different scales, bits of a bias and of a scale's number."""
    count = len(groups.bias)
    to = groups.requant
    multiplier, shift = (
        np.pad(np.broadcast_to(table, table.size if table.size > 1 else count), (0, count), "edge")[:count]
        for table in (to.multiplier, to.shift)
    )
    pairs, number = np.unique(np.stack([multiplier, shift], axis=1).astype(np.int64), axis=0, return_inverse=True)
    bias = groups.bias.astype(np.int64)
    bias_bits = 1 + max(int(bias.max(initial=0)), int(-1 - bias.min(initial=0))).bit_length()
    scale_bits = (len(pairs) - 1).bit_length()
    values = np.stack([bias & (1 << bias_bits) - 1, number.ravel()], axis=1).reshape(-1, 2 * groups.channels)
    bits = np.broadcast_to(np.tile([bias_bits, scale_bits], groups.channels), values.shape)
    raw = b"".join(np.int32(m).astype("<i4").tobytes() + np.int8(s).tobytes() for m, s in pairs)
    return (values, bits), raw, bias_bits, scale_bits


def _joined(masks: Numbers, values: Numbers) -> Numbers:
    """Return each quad's mask before its values."""
    codes, lengths = (
        np.concatenate([mask[..., None], value], axis=-1).reshape(len(mask), -1)
        for mask, value in zip(masks, values, strict=True)
    )
    return codes, lengths


def _lookups(mask_code: Code, masks: np.ndarray, values: np.ndarray) -> dict[int, int]:
    """Return the instructions to make the table and take all quads, for each number of bits looked up at once."""
    ends = mask_code.lengths[masks][..., None] + np.cumsum(values, axis=-1)
    costs = {}
    for bits in GROUP_BITS:
        left = int(((ends > bits) & (values > 0)).sum())
        costs[bits] = (ENTRY << bits) + QUAD_TAKEN * masks.size + VALUE_TAKEN * left
    return costs


def _nibbles(code: Code) -> bytes:
    lengths = np.where(code.lengths < 0, NO_CODE, code.lengths)
    return (lengths[::2] | lengths[1::2] << 4).astype(np.uint8).tobytes()


def _values(code: Code, longest: int) -> bytes:
    """Return how many codes of each length there are, and their values."""
    symbols = code.symbols
    counts = np.bincount(code.lengths[symbols], minlength=1 + longest)
    return counts.astype(np.uint8).tobytes() + (symbols - 128).astype(np.int8).tobytes()
