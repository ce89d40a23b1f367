"""Scales and biases as numbers: scales by the rule that made them where there is one, biases by their size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from converters.packs import bits
from converters.packs.container import require

CODING = 17
"""What a section of scales or biases says that is coded here."""
LARGEST = 1 << 20
"""Bytes of the scales, and of the biases, of a pack that are coded so: what is decoded in some ten seconds."""

PLAIN, GRID, PRODUCT = 0, 1, 2
_ROOTS = np.array([1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429])
"""2^(k / 4) as the nearest doubles."""
_MOST_EXPONENT = 1023
_WORD = 0xFFFFFFFF
_MOST_DIFFERENCE = 8  # of a product from a scale, in the last places of a float32
_MODE, _REFERENCE, _FIRST, _EXPONENT, _DIFFERENCE, _FIELD, _SHIFT, _SIZE = range(8)  # contexts of numbers
_UNLINKED = 0  # a bias whose scales are unknown

Counted = tuple[np.ndarray, int]
Rule = tuple[int, float]
"""A vector's reference and factor: it is the vector of that number, times the factor."""


def _float(pattern: int) -> np.float32:
    return np.array([pattern], "<u4").view("<f4")[0]


def _patterns(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, "<f4").view("<u4").astype(np.int64)


# Scales.


def _grid(base: np.float32, exponents: np.ndarray) -> np.ndarray:
    """Return base · 2^(exponents / 4): a product of doubles, rounded to float32."""
    with np.errstate(all="ignore"):
        return np.ldexp(np.float64(base) * _ROOTS[exponents & 3], exponents >> 2).astype("<f4")


def _product(values: np.ndarray, factor: np.float32) -> np.ndarray:
    """Return the bit patterns of values · factor, rounded to float32."""
    with np.errstate(all="ignore"):
        return _patterns((values.astype(np.float64) * np.float64(factor)).astype("<f4"))


def encode_scales(vectors: Sequence[np.ndarray], rules: Mapping[int, Rule]) -> bytes:
    """Return the section of scales.

    Args:
      vectors: float32 each.
      rules: number of a vector → how it may follow from another; used where it nearly does.
    """
    coder = bits.Encoder()
    products = {number: rule for number, rule in rules.items() if _holds(vectors, number, rule)}
    products = {number: rule for number, rule in products.items() if rule[0] not in products}
    for number, values in enumerate(vectors):
        if number in products:
            reference, factor = products[number]
            coder.integer(_MODE, PRODUCT)
            coder.integer(_REFERENCE, reference - number)
            coder.plain(32, int(_patterns(np.array([factor]))[0]))
            for difference in _differences(vectors, number, products[number]).tolist():
                coder.integer(_DIFFERENCE, difference)
        else:
            _encode_alone(coder, values)
    return coder.finish()


def _differences(vectors: Sequence[np.ndarray], number: int, rule: Rule) -> np.ndarray:
    return _patterns(vectors[number]) - _product(vectors[rule[0]], np.float32(rule[1]))


def _holds(vectors: Sequence[np.ndarray], number: int, rule: Rule) -> bool:
    alike = len(vectors[rule[0]]) == len(vectors[number])
    return alike and bool((np.abs(_differences(vectors, number, rule)) <= _MOST_DIFFERENCE).all())


def _encode_alone(coder: bits.Encoder, values: np.ndarray) -> None:
    found = _on_grid(values)
    coder.integer(_MODE, PLAIN if found is None else GRID)
    if found is None:
        _code_plain(coder, _patterns(values))
        return
    base, exponents = found
    middle = int(np.median(exponents))
    coder.plain(32, int(_patterns(np.array([base]))[0]))
    coder.integer(_FIRST, middle)
    for exponent in exponents:
        coder.integer(_EXPONENT, int(exponent) - middle)


def _on_grid(values: np.ndarray) -> tuple[np.float32, np.ndarray] | None:
    """Return base and exponents that give the values bit for bit, if there are such."""
    if not (np.isfinite(values) & (values > np.finfo(np.float32).tiny)).all():
        return None
    for base in _bases(values):
        exponents = np.rint(4 * np.log2(values.astype(np.float64) / np.float64(base))).astype(np.int64)
        if _grid(base, exponents).tobytes() == values.tobytes():
            return base, exponents
    return None


def _bases(values: np.ndarray) -> Iterable[np.float32]:
    """Yield what the base may be: the first scales by each root, and the numbers next to those."""
    for value in dict.fromkeys(values[:4].tolist()):
        for root in _ROOTS:
            nearest = np.float32(value / root)
            yield nearest
            for towards in (np.float32(0), np.float32(np.inf)):
                yield np.nextafter(nearest, towards)


def _code_plain(coder: bits.Encoder | bits.Decoder, patterns: np.ndarray) -> np.ndarray:
    """Code bit patterns of float32: sign and exponent as the difference from the last, the other 23 bits plainly."""
    before = 0
    for place, pattern in enumerate(patterns.tolist()):
        before += coder.integer(_FIELD, (pattern >> 23) - before)
        require(0 <= before < 512, "a scale has an impossible exponent")
        patterns[place] = before << 23 | coder.plain(23, pattern & 0x7FFFFF)
    return patterns


def decode_scales(counts: Sequence[int], data: bytes) -> list[Counted]:
    """Return vectors of so many float32 each, and how many bytes of the section were read for each.

    Raises:
      PackError: the section is damaged.
    """
    coder = bits.Decoder(data)
    products: dict[int, tuple[int, np.float32, list[int]]] = {}
    vectors: list[np.ndarray] = []
    ends = [coder.at]
    for number, count in enumerate(counts):
        mode = coder.integer(_MODE)
        require(mode in (PLAIN, GRID, PRODUCT), f"scales are made by rule {mode}")
        if mode == PRODUCT:
            reference, factor = number + coder.integer(_REFERENCE), _float(coder.plain(32))
            products[number] = reference, factor, [coder.integer(_DIFFERENCE) for _ in range(count)]
        vectors.append(np.zeros(0, "<f4") if mode == PRODUCT else _decode_alone(coder, mode, count))
        ends.append(coder.at)
    coder.finish()
    for number, (reference, factor, differences) in products.items():
        require(0 <= reference < len(counts) and reference not in products, f"scales follow from vector {reference}")
        require(counts[reference] == counts[number], "scales follow from others of another number")
        patterns = _product(vectors[reference], factor) + np.array(differences)
        vectors[number] = (patterns & _WORD).astype("<u4").view("<f4")
    return list(zip(vectors, np.diff(ends).tolist(), strict=True))


def _decode_alone(coder: bits.Decoder, mode: int, count: int) -> np.ndarray:
    if mode == PLAIN:
        return _code_plain(coder, np.zeros(count, np.int64)).astype("<u4").view("<f4")
    base, middle = _float(coder.plain(32)), coder.integer(_FIRST)
    exponents = np.array([middle + coder.integer(_EXPONENT) for _ in range(count)])
    require(bool((np.abs(exponents) <= _MOST_EXPONENT).all()), "a scale has an impossible exponent")
    return _grid(base, exponents)


# Biases.


def encode_biases(vectors: Sequence[np.ndarray], scales: Sequence[np.ndarray], links: Sequence[int]) -> bytes:
    """Return the section of biases.

    Args:
      vectors: int32 each.
      scales: float32 each.
      links: for each vector the number of its scales, or -1.
    """
    coder = bits.Encoder()
    for values, link in zip(vectors, links, strict=True):
        coder.integer(_REFERENCE, link)
        fields = _fields(scales, link, len(values))
        coarse = _coarseness(values.astype(np.int64), fields)
        coder.integer(_SHIFT, coarse)
        _code_biases(coder, values.astype(np.int64), fields, coarse)
    return coder.finish()


def decode_biases(counts: Sequence[int], scales: Sequence[np.ndarray], data: bytes) -> list[Counted]:
    """Return vectors of so many int32 each, and how many bytes of the section were read for each; see `encode_biases`.

    Raises:
      PackError: the section is damaged.
    """
    coder = bits.Decoder(data)
    vectors: list[Counted] = []
    for count in counts:
        before = coder.at
        link = coder.integer(_REFERENCE)
        require(-1 <= link < len(scales) and (link < 0 or len(scales[link]) == count), f"biases have scales {link}")
        coarse = coder.integer(_SHIFT)
        values = _code_biases(coder, np.zeros(count, np.int64), _fields(scales, link, count), coarse)
        vectors.append((values.astype("<i4"), coder.at - before))
    coder.finish()
    return vectors


def _fields(scales: Sequence[np.ndarray], link: int, count: int) -> np.ndarray:
    """Return the exponents' bits of a bias's scales, 0 to 255."""
    return _patterns(scales[link]) >> 23 & 0xFF if link >= 0 else np.full(count, _UNLINKED, np.int64)


def _coarseness(values: np.ndarray, fields: np.ndarray) -> int:
    """Return the largest c of which every value is a multiple of 2^max(0, c − its scale's exponent)."""
    zeros = [(value & -value).bit_length() - 1 if value else 64 for value in values.tolist()]
    return int(min(zero + field for zero, field in zip(zeros, fields.tolist(), strict=True)))


def _code_biases(coder: bits.Encoder | bits.Decoder, values: np.ndarray, fields: np.ndarray, coarse: int) -> np.ndarray:
    """Code values, each divided by its power of two, its size as the difference from what its scale lets expect."""
    average = 16 * (8 + int(fields[0]))
    for place, field in enumerate(fields.tolist()):
        shift = min(max(0, coarse - field), 31)
        expected = max(0, (average >> 4) - field - shift)
        value = coder.sized(_SIZE, expected, int(values[place]) >> shift)
        average += (16 * (value.bit_length() + shift + field) - average) >> 3
        require(-(1 << 31) <= value << shift < 1 << 31, "a bias does not fit 32 bits")
        values[place] = value << shift
    return values
