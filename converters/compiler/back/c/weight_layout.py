"""Say which kernel runs a convolution on a target, and lay its weights out as that kernel eats them.

Every kernel computes the same bytes. The fast ones ask for more of the arithmetic; mcu/src/sqz_conv_dsp.c,
sqz_conv_mve.c and sqz_tile_neon.h say why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from converters.compiler.back.c import wasm_records
from converters.compiler.back.c.packed_weights import GROUP_BITS, Groups, Packed, pack, pack_for_slot
from converters.compiler.middle import arithmetic
from converters.compiler.middle.program import ConvKernel

LARGEST_SHARED_SUM = 1 << 23  # sums in the upper bytes of 32 bits stay below it
VECTOR = 16  # bytes
NEON_GROUP, NEON_PIXELS = 8, 8  # channels, and inputs multiplied at a time; pixels
LARGEST_SHIFT = 22  # to the right: rounding and zero point, shifted left, stay within 32 bits


@dataclass(frozen=True)
class Choice:
    """How an operator is run: the C function, its weights (int8, flat; None for most), and bytes of scratch.

    `records`: the weights hold the biases, multipliers and shifts too (mcu/src/sqz_record.h). `packed`: they are
    compressed (mcu/src/sqz_unpack.h), `block` channels are decoded at a time, `group_bits` bits looked up at once.
    `sparse`: zero blocks of weights are left out (mcu/src/sqz_tile_dsp_sparse.h).
    `rows`: of the output, that it makes in one call. `tiles`: whose inputs are transformed at once
    (mcu/src/sqz_conv_winograd_dsp.c).
    """

    function: str
    weights: np.ndarray | None = None
    scratch_bytes: int = 0
    records: bool = False
    packed: Packed | None = None
    block: int = 0
    group_bits: int = 0
    sparse: bool = False
    rows: int = 1
    tiles: int = 0

    @property
    def decoding(self) -> int:
        """Instructions to decode the weights once, estimated."""
        return self.packed.lookups[self.group_bits] if self.packed else 0


def lay_out(conv: ConvKernel, target: str) -> Choice:
    """Choose the kernel of a convolution, one of the target's own if FAST has it, and lay out its weights for it."""
    fast = FAST.get(target)
    choice = fast(conv) if fast else None
    return choice or (PLAIN.get(target, by_fours)(conv) if conv.out_channels > 3 else portable(conv))


def by_fours(conv: ConvKernel) -> Choice:
    """For sqz_conv_four.c: [O / 4, KH, KW, I, 4], then [KH, KW, I] of what makes no four."""
    rows, fours = conv.rows, conv.out_channels // 4 * 4
    weights = [rows[:fours].reshape(-1, 4, rows.shape[1]).swapaxes(1, 2).ravel(), rows[fours:].ravel()]
    function = "sqz_conv_mean_four_row" if conv.mean else "sqz_conv_four_row"
    return Choice(function, np.concatenate(weights))


def _copied(conv: ConvKernel) -> Choice:
    """For sqz_conv_copied.c: the same weights; windows are copied together."""
    function = "sqz_conv_mean_copied_row" if conv.mean else "sqz_conv_copied_row"
    return replace(by_fours(conv), function=function, scratch_bytes=2 * conv.rows.shape[1])


def _for_thumb(conv: ConvKernel) -> Choice:
    """For sqz_conv_thumb.c: weights + 128, but for those of what makes no four."""
    weights = by_fours(conv).weights
    assert weights is not None
    fours = conv.out_channels // 4 * 4 * conv.rows.shape[1]
    weights = np.concatenate([weights[:fours] ^ np.int8(-128), weights[fours:]])
    function = "sqz_conv_mean_thumb_row" if conv.mean else "sqz_conv_thumb_row"
    return Choice(function, weights, conv.rows.shape[1])


def portable(conv: ConvKernel) -> Choice:
    """For the readable kernels: [O, KH, KW, I]; depthwise [KH, KW, O]."""
    row = "sqz_depthwise_row" if conv.depthwise else "sqz_conv_row"
    return Choice("sqz_conv_mean_row" if conv.mean else row, conv.weights.reshape(-1))


def _in_records(function: str, records: bytes, scratch_bytes: int) -> Choice:
    return Choice(function, np.frombuffer(records, np.int8), scratch_bytes, records=True)


def is_plain(conv: ConvKernel) -> bool:
    """Whether the fast kernels' requantization is exact: shifts to the right, no clamp but int8's or RELU's."""
    to = conv.requant
    shifts = bool(np.all((to.shift <= -1) & (to.shift >= -LARGEST_SHIFT)))
    return not conv.depthwise and shifts and to.highest == 127 and to.lowest in (-128, to.zero_point)


def _is_odd(conv: ConvKernel) -> bool:
    """Whether a row's last pixel is left alone, with whole groups of channels to compute."""
    return conv.out_width % 2 == 1 and conv.out_channels % 4 == 0


# Cortex-M with SMLAD.


def _dsp_order(conv: ConvKernel) -> np.ndarray:
    """The inputs of a window in the order of sqz_conv_dsp.c's patch; the last is -1 (a zero) if they are odd."""
    position = np.arange(conv.weights[0].size).reshape(conv.window.kernel_h, -1)
    whole = position.shape[1] // 4 * 4
    fours = position[:, :whole].reshape(-1, 4)[:, [0, 2, 1, 3]]
    order = np.concatenate([fours.ravel(), position[:, whole:].ravel()])
    return np.append(order, -1) if len(order) % 2 else order


def in_dsp_order(conv: ConvKernel) -> np.ndarray:
    """Return the weights of each channel in the order of its inputs in the patch, int8 [O, inputs], an even number."""
    return np.pad(conv.rows, ((0, 0), (0, 1)))[:, _dsp_order(conv)]


def centred(conv: ConvKernel) -> ConvKernel:
    """Return the convolution as records for SMLAD have it: biases are for inputs less what is outside the image, modulo
    2^32, shifts to the right, less one.
    """
    more = conv.input_zero_point * conv.rows.sum(axis=1, dtype=np.int64)
    requant = replace(conv.requant, shift=-1 - conv.requant.shift)
    return replace(conv, bias=(conv.bias + more).astype(np.int32), requant=requant)


def dsp_fours(conv: ConvKernel, weights: Sequence[bytes]) -> list[bytes]:
    """Return the records of four channels each with these weights; their biases are together, two by two."""
    conv = centred(conv)
    bias, fours = conv.bias.astype(np.int64), 4 * len(weights)
    bias[1:fours:2] = together(bias[:fours])
    conv = replace(conv, bias=bias.astype(np.int32))
    return [record(conv, 4 * i, 4, each) for i, each in enumerate(weights)]


def _for_dsp(conv: ConvKernel) -> Choice | None:
    """For sqz_conv_dsp.c; None where there is no kernel for sums that large, or the arithmetic is another."""
    if not is_plain(conv):
        return None
    rows = in_dsp_order(conv)
    fours = conv.out_channels // 4 * 4
    wide = _is_wide(conv, rows[:fours])
    if wide:
        fours = 0
    records = dsp_fours(conv, [dsp_four(rows[o : o + 4]) for o in range(0, fours, 4)])
    records += dsp_twos(conv, fours)
    if conv.mean and wide:
        return None
    function = "sqz_conv_row_dsp_wide" if wide else _dsp_function(conv)
    return _in_records(function, b"".join(records), dsp_scratch(conv))


def _dsp_function(conv: ConvKernel) -> str:
    """Return the function for a convolution's shape."""
    mean, fours = "mean_" if conv.mean else "", conv.out_channels % 4 == 0
    if not fours or conv.mean:
        return f"sqz_conv_{mean}{'fours_' if fours else ''}row_dsp"
    if _is_nine(conv):
        return "sqz_conv_nine_row_dsp"
    whole = conv.window.kernel_w * conv.in_channels % 4 == 0 and conv.window.dilation_w == 1
    return "sqz_conv_odd_row_dsp" if conv.out_width % 2 and whole else "sqz_conv_fours_row_dsp"


def _is_nine(conv: ConvKernel) -> bool:
    """Whether the kernel is 3 x 3 over three channels, not dilated along the width."""
    return conv.weights.shape[1:] == (3, 3, 3) and conv.window.dilation_w == 1


def dsp_scratch(conv: ConvKernel) -> int:
    """Return bytes for the patch, and for what two pixels see of a kernel row, or of three."""
    window = conv.window
    seen = window.kernel_w + (window.stride_w if window.dilation_w == 1 else window.kernel_w)
    return 4 * len(_dsp_order(conv)) + (3 if _is_nine(conv) else 1) * seen * conv.in_channels


def _is_wide(conv: ConvKernel, fours: np.ndarray) -> bool:
    """Whether two channels cannot share a halfword."""
    largest = arithmetic.largest_sums(conv.rows, conv.bias)
    return bool(largest.max() >= LARGEST_SHARED_SUM or together(fours).min(initial=0) < -(1 << 15))


def together(rows: np.ndarray) -> np.ndarray:
    """Return channels two by two: 256 * second + first."""
    return 256 * rows[1::2].astype(np.int64) + rows[::2]


def dsp_four(rows: np.ndarray) -> bytes:
    """Return for each pair of inputs two halfwords of channels 0 and 1, two of 2 and 3."""
    return together(rows).reshape(2, -1, 2).transpose(1, 0, 2).astype("<i2").tobytes()


def dsp_twos(conv: ConvKernel, first: int) -> list[bytes]:
    """Return the records of two channels each from a channel on."""
    rows = in_dsp_order(conv)
    conv = replace(centred(conv), requant=conv.requant)
    return [record(conv, o, 2, _dsp_two(rows[o : o + 2])) for o in range(first, len(rows), 2)]


def _dsp_two(rows: np.ndarray) -> bytes:
    """For each pair of inputs bytes of channels 0 and 1 for one, then for the other."""
    return np.pad(rows, ((0, 2 - len(rows)), (0, 0))).T.astype(np.int8).tobytes()


# Cortex-M with Helium.


def _for_mve(conv: ConvKernel) -> Choice | None:
    """For sqz_conv_mve.c and those beside it; None where the arithmetic is another."""
    if not is_plain(conv):
        return None
    rows = conv.rows
    fours, inputs = conv.out_channels // 4 * 4, rows.shape[1]
    records = [record(conv, o, 4, _mve_four(rows[o : o + 4])) for o in range(0, fours, 4)]
    records += [record(conv, o, 1, rows[o].tobytes() + bytes(-inputs % 4)) for o in range(fours, len(rows))]
    read_beyond = 0 if len(rows) > fours else max(0, -inputs % VECTOR - (4 if conv.requant.only_shifts else 20))
    narrow = _is_narrow(conv)
    function = "sqz_conv_odd_row_mve" if _is_odd(conv) else "sqz_conv_row_mve"
    function = "sqz_conv_narrow_row_mve" if narrow else "sqz_conv_short_row_mve" if _is_short(conv) else function
    function = "sqz_conv_mean_row_mve" if conv.mean else function
    scratch = 0 if narrow else _mve_scratch(conv)
    return _in_records(function, b"".join(records) + bytes(read_beyond), scratch)


def _has_usual_fours(conv: ConvKernel) -> bool:
    """Whether sums become int8 as in most networks, RELU's zero point being -128, of whole groups of four channels."""
    to = conv.requant
    return conv.out_channels % 4 == 0 and not conv.mean and to.zero_point == -128 and not to.only_shifts


def _is_short(conv: ConvKernel) -> bool:
    """Whether sqz_conv_short_mve.c can: a window of two vectors, or of 3 x 3 times 3 channels."""
    return _has_usual_fours(conv) and conv.rows.shape[1] in (27, 2 * VECTOR)


def _is_narrow(conv: ConvKernel) -> bool:
    """Whether sqz_conv_narrow_mve.c can: a window of 1 x 1, inside the image's width, of at most a vector."""
    window = conv.window
    inside = window.kernel_w == 1 and window.pad_left == 0 and (conv.out_width - 1) * window.stride_w < conv.in_width
    return _has_usual_fours(conv) and inside and window.kernel_h == 1 and conv.in_channels <= VECTOR


def _mve_scratch(conv: ConvKernel) -> int:
    inputs = conv.rows.shape[1]
    return 2 * (inputs + -inputs % VECTOR)


def _mve_four(rows: np.ndarray) -> bytes:
    """Sixteen inputs of each channel, sixteen more of each, and so on; in the end what is left."""
    return b"".join(rows[:, i : i + VECTOR].tobytes() for i in range(0, rows.shape[1], VECTOR))


# 64-bit ARM.


def has_neon_shifts(conv: ConvKernel) -> bool:
    """Whether all shifts are to the right."""
    return bool(np.all((conv.requant.shift <= -1) & (conv.requant.shift >= -31)))


def _for_neon(conv: ConvKernel) -> Choice | None:
    """For sqz_conv_neon.c; None where shifts are not to the right, or two products could leave 16 bits."""
    if conv.depthwise or not has_neon_shifts(conv) or conv.weights.min() == arithmetic.QMIN:
        return None
    rows = np.pad(conv.rows, ((0, -conv.out_channels % NEON_GROUP), (0, -conv.rows.shape[1] % NEON_GROUP)))
    eights = rows.reshape(len(rows) // NEON_GROUP, NEON_GROUP, -1, 2, 4).transpose(0, 2, 3, 1, 4)
    records = [record(conv, NEON_GROUP * i, NEON_GROUP, each.tobytes()) for i, each in enumerate(eights)]
    function = "sqz_conv_mean_row_neon" if conv.mean else "sqz_conv_row_neon"
    run = conv.window.kernel_w * conv.in_channels
    scratch = (NEON_PIXELS + 2) * rows.shape[1] + run + NEON_PIXELS * len(rows) + 24
    return _in_records(function, b"".join(records), scratch)


# WebAssembly.


def _for_wasm(conv: ConvKernel) -> Choice:
    """For sqz_conv_wasm.c."""
    function = "sqz_conv_mean_row_wasm" if conv.mean else "sqz_conv_row_wasm"
    return _in_records(function, wasm_records.records(conv), wasm_records.scratch_bytes(conv))


def record(conv: ConvKernel, first: int, channels: int, weights: bytes) -> bytes:
    """Return a record of mcu/src/sqz_record.h: biases, weights, shifts, and multipliers unless all are 2^30."""
    to, here = conv.requant, slice(first, first + channels)
    bias, shift, multiplier = (
        np.pad(np.broadcast_to(table, conv.out_channels)[here], (0, max(0, first + channels - conv.out_channels)))
        for table in (conv.bias, to.shift, to.multiplier)
    )
    shifts = shift.astype(np.int8).tobytes() + bytes(-channels % 4)
    multipliers = b"" if to.only_shifts else multiplier.astype("<i4").tobytes()
    return bias.astype("<i4").tobytes() + weights + shifts + multipliers


# Compressed.


def packed(conv: ConvKernel, target: str, slot: bool = False) -> Choice | None:
    """Return a convolution run with compressed weights on a target, or as it is in a slot; None where not exact."""
    if conv.depthwise or (target in GROUPED and not is_plain(conv)):
        return None
    suffix, grouped, scratch = GROUPED.get(target, SINGLY)
    groups = grouped(conv)
    if groups is None:
        return None
    section = (pack_for_slot if slot else pack)(groups)
    function = f"sqz_conv_{'mean_' if conv.mean else ''}row{suffix}_packed"
    weights = np.frombuffer(section.data, np.int8)
    choice = Choice(function, weights, scratch(conv), records=True, packed=section)
    return with_memory(choice, section.group_channels, min(section.lookups))


def with_memory(choice: Choice, block: int, group_bits: int = min(GROUP_BITS)) -> Choice:
    """Return a choice with scratch for so many channels decoded at a time, so many bits looked up at once."""
    section = choice.packed
    assert section is not None
    used = section.memory_bytes(choice.block, choice.group_bits) if choice.block else 0
    scratch = choice.scratch_bytes - used + section.memory_bytes(block, group_bits)
    return replace(choice, block=block, group_bits=group_bits, scratch_bytes=scratch)


def _groups(conv: ConvKernel, channels: int, quads: np.ndarray) -> Groups:
    """Return groups of so many channels from their weights, int8 [groups, weights]."""
    bias = np.pad(conv.bias, (0, -conv.out_channels % channels))
    return Groups(channels, quads.reshape(len(quads), -1, 4), bias, conv.requant)


def _filled_up(rows: np.ndarray, channels: int) -> np.ndarray:
    return np.pad(rows, ((0, -len(rows) % channels), (0, 0)))


def _singly(conv: ConvKernel) -> Groups:
    rows = conv.rows
    return _groups(conv, 1, np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))))


def _dsp_groups(conv: ConvKernel) -> Groups | None:
    """For each pair of inputs the weights of channels 0 and 1, of 2 and 3: first input, second input."""
    rows = _filled_up(in_dsp_order(conv), 4)
    if _is_wide(conv, rows):
        return None
    return _groups(
        centred(conv),
        4,
        rows.reshape(-1, 2, 2, rows.shape[1] // 2, 2).transpose(0, 3, 1, 4, 2).reshape(len(rows) // 4, -1),
    )


def _mve_groups(conv: ConvKernel) -> Groups:
    rows = _filled_up(conv.rows, 4)
    return _groups(
        conv, 4, np.stack([np.frombuffer(_mve_four(rows[o : o + 4]), np.int8) for o in range(0, len(rows), 4)])
    )


# In plain C, or almost, with some scratch; elsewhere without.
PLAIN: dict[str, Callable[[ConvKernel], Choice]] = {
    "cortex-m0plus": _for_thumb,
    "cortex-m3": _copied,
    "riscv32": _copied,
}

FAST: dict[str, Callable[[ConvKernel], Choice | None]] = {
    "cortex-m4": _for_dsp,
    "cortex-m55": _for_mve,
    "aarch64": _for_neon,
    "wasm32": _for_wasm,
}

# The end of the functions' names, what groups the weights, and the scratch besides the decoder's.
Grouping = tuple[str, Callable[[ConvKernel], Groups | None], Callable[[ConvKernel], int]]
SINGLY: Grouping = ("", _singly, lambda conv: 0)  # in plain C
GROUPED: dict[str, Grouping] = {
    "cortex-m4": ("_dsp", _dsp_groups, dsp_scratch),
    "cortex-m55": ("_mve", _mve_groups, _mve_scratch),
}
