"""A reader of packs written from docs/formats/sqz.md alone, one symbol after another: what a stranger would write."""

from __future__ import annotations

import hashlib
import lzma
import math
import struct
import zlib
from collections import defaultdict
from typing import Any

MEANS = [round(1024 * 2 ** ((j - 12) / 3)) for j in range(32)]
BOUNDS = [round(1024 * 2 ** ((j - 11.5) / 3)) for j in range(31)]
FIRST = [*range(16), *range(16, 32, 4), *range(32, 64, 8), *range(64, 128, 16), 128, 0, 0, 0]
AROUND = {(0, 1): 3, (1, 0): 3, (1, 1): 2, (1, -1): 2, (0, 2): 1, (2, 0): 1, (1, 2): 1, (1, -2): 1}
ROOTS = [float.fromhex(text) for text in ("1", "0x1.306fe0a31b715p+0", "0x1.6a09e667f3bcdp+0", "0x1.ae89f995ad3adp+0")]


def unpack(data: bytes) -> bytes:
    """Return the `.tflite` of a pack."""
    magic, version, count, size, digest = struct.unpack_from("<8sHHI32s", data)
    assert (magic, version) == (bytes.fromhex("8953515A0D0A1A0A"), 1)
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]
    sections, at = [], 48 + 16 * count
    for number in range(count):
        kind, coding, parts, stored, restored, crc = struct.unpack_from("<BBHIII", data, 48 + 16 * number)
        content = data[at : at + stored]
        assert zlib.crc32(content) == crc
        sections.append((kind, coding, parts, content, restored))
        at += stored
    assert at == len(data) - 32
    model = assembled(sections, size)
    assert hashlib.sha256(model).digest() == digest
    return model


def assembled(sections: list[Any], size: int) -> bytes:
    """Return the graph with each part in its place."""
    (graph,) = (general(*section[1:]) for section in sections if section[0] == 1)
    (listed,) = (general(*section[1:]) for section in sections if section[0] == 2)
    parts = table(listed)
    contents: dict[int, list[bytes]] = {}
    for kind in (4, 3, 5, 6, 7):
        left = [part for part in parts if part["kind"] == kind]
        contents[kind] = []
        for _, coding, count, content, restored in (section for section in sections if section[0] == kind):
            contents[kind] += decoded(coding, content, restored, left[:count], contents[4])
            left = left[count:]
        assert not left
    out, taken = b"", 0
    for part in parts:
        gap = part["start"] - len(out)
        out += graph[taken : taken + gap] + contents[part["kind"]].pop(0)
        taken += gap
    return out + graph[taken:]


def decoded(coding: int, content: bytes, restored: int, parts: list[Any], scales: list[bytes]) -> list[bytes]:
    if coding == 16:
        return block(content, parts)
    if coding == 17 and parts[0]["kind"] == 4:
        return read_scales(content, [part["rows"] for part in parts])
    if coding == 17:
        return read_biases(content, [part["rows"] for part in parts], scales)
    whole, found = general(coding, 0, content, restored), []
    for part in parts:
        found.append(whole[: part["size"]])
        whole = whole[part["size"] :]
    return found


def general(coding: int, _: int, content: bytes, restored: int) -> bytes:
    if coding == 0:
        return content
    assert coding == 1
    pb, rest = divmod(content[0], 45)
    lp, lc = divmod(rest, 9)
    how = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": max(4096, restored)}
    found = lzma.decompress(content[1:], lzma.FORMAT_RAW, filters=[how])
    assert len(found) == restored
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def table(data: bytes) -> list[dict[str, int]]:
    at, end, parts = 0, 0, []
    while at < len(data):
        kind, at = varint(data, at)
        part = {"kind": kind & 127, "last": kind >> 7, "height": 1, "width": 1, "inner": 1}
        gap, at = varint(data, at)
        for key in ("rows", "height", "width", "inner") if part["kind"] == 3 else ("rows",):
            part[key], at = varint(data, at)
        part["size"] = part["rows"] * part["height"] * part["width"] * part["inner"]
        part["size"] *= 4 if part["kind"] in (4, 5) else 1
        part["start"] = end + gap
        end = part["start"] + part["size"]
        parts.append(part)
    return parts


class Binary:
    """The binary coder."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.range = data, 4, 2**32 - 1
        self.code = int.from_bytes((data + bytes(4))[:4], "big")
        self.known: dict[Any, list[int]] = defaultdict(lambda: [32768, 0])

    def _fill(self) -> None:
        while self.range < 2**24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.range, self.code, self.at = self.range << 8, (self.code << 8 | byte) % 2**32, self.at + 1

    def decision(self, *context: int) -> int:
        p, n = self.known[context]
        bound = (self.range >> 16) * min(max(p, 64), 65472)
        s = min(n + 1, 5)
        if self.code < bound:
            bit, self.range, p = 0, bound, p + ((65536 - p) >> s)
        else:
            bit, self.code, self.range, p = 1, self.code - bound, self.range - bound, p - (p >> s)
        self.known[context] = [p, n + 1]
        self._fill()
        return bit

    def plain(self, count: int, value: int = 0) -> int:
        for _ in range(count):
            self.range >>= 1
            bit = int(self.code >= self.range)
            self.code -= self.range * bit
            value = 2 * value + bit
            self._fill()
        return value

    def integer(self, c: int) -> int:
        n = 0
        while self.decision(c, 0, n):
            n += 1
        if not n:
            return 0
        negative, value = self.decision(c, 1), 1
        for _ in range(min(2, n - 1)):
            value = 2 * value + self.decision(c, 2, n, value)
        value = self.plain(n - 1 - min(2, n - 1), value)
        return -value if negative else value

    def sized(self, c: int, e: int) -> int:
        n = e + self.integer(c)
        if not n:
            return 0
        negative = self.decision(c, 3)
        value = self.plain(n - 2, 2 + self.decision(c, 4)) if n > 1 else 1
        return -value if negative else value


def single(pattern: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", pattern))[0])


def read_scales(data: bytes, counts: list[int]) -> list[bytes]:
    coder, found, products = Binary(data), [], []
    for number, count in enumerate(counts):
        rule = coder.integer(0)
        values = b""
        if rule == 0:
            upper = 0
            for _ in range(count):
                upper += coder.integer(5)
                values += struct.pack("<I", upper << 23 | coder.plain(23))
        elif rule == 1:
            base, middle = single(coder.plain(32)), coder.integer(2)
            for _ in range(count):
                e = middle + coder.integer(3)
                values += struct.pack("<f", math.ldexp(base * ROOTS[e % 4], e >> 2))
        else:
            assert rule == 2
            other, factor = number + coder.integer(1), single(coder.plain(32))
            products.append((number, other, factor, [coder.integer(4) for _ in range(count)]))
        found.append(values)
    for number, other, factor, differences in products:
        products_of = (struct.pack("<f", value * factor) for (value,) in struct.iter_unpack("<f", found[other]))
        patterns = (struct.unpack("<I", product)[0] for product in products_of)
        found[number] = b"".join(
            struct.pack("<I", (pattern + d) % 2**32) for pattern, d in zip(patterns, differences, strict=True)
        )
    return found


def read_biases(data: bytes, counts: list[int], scales: list[bytes]) -> list[bytes]:
    coder, found = Binary(data), []
    for count in counts:
        link, c = coder.integer(1), coder.integer(6)
        patterns = [0] * count if link < 0 else [each for (each,) in struct.iter_unpack("<I", scales[link])]
        fields = [pattern >> 23 & 255 for pattern in patterns]
        a, values = 16 * (8 + fields[0]), b""
        for f in fields:
            s = min(max(0, c - f), 31)
            v = coder.sized(7, max(0, (a >> 4) - f - s))
            a += (16 * (abs(v).bit_length() + s + f) - a) >> 3
            values += struct.pack("<i", v << s)
        found.append(values)
    return found


class Lanes:
    """The lanes of a block, and a table's runs on them."""

    def __init__(self, log2: int, data: bytes) -> None:
        self.states = list(struct.unpack_from(f"<{1 << log2}I", data))
        self.words = list(struct.unpack(f"<{(len(data) - (4 << log2)) // 2}H", data[4 << log2 :]))[::-1]

    def run(self, shares: list[list[int]]) -> list[int]:
        """Decode a symbol for each of some edges."""
        found = []
        for start in range(0, len(shares), len(self.states)):
            step = shares[start : start + len(self.states)]
            for lane, edge in enumerate(step):
                x = self.states[lane]
                slot = x % 2**14
                symbol = sum(bound <= slot for bound in edge[1:-1])
                self.states[lane] = (edge[symbol + 1] - edge[symbol]) * (x >> 14) + slot - edge[symbol]
                found.append(symbol)
            for lane in range(len(step)):
                if self.states[lane] < 2**16:
                    self.states[lane] = self.states[lane] * 2**16 + self.words.pop()
        return found


class Adaptive:
    """A table."""

    def __init__(self, prior: list[list[int]], belief: int, near: bool) -> None:
        self.prior, self.belief, self.near, self.seen = prior, belief, near, 0
        self.counts = [[0] * len(row) for row in prior]

    def edges(self, context: int) -> list[int]:
        near = list(self.prior[context])
        for other in (context - 1, context + 1):
            if self.near and 0 <= other < len(self.counts):
                near = [a + b for a, b in zip(near, self.counts[other], strict=True)]
        c = [n + a * self.belief // sum(near) + 1 for n, a in zip(self.counts[context], near, strict=True)]
        return [0, *(sum(c[: s + 1]) * (2**14 - len(c)) // sum(c) + s + 1 for s in range(len(c)))]

    def code(self, lanes: Lanes, contexts: list[int]) -> list[int]:
        found: list[int] = []
        while len(found) < len(contexts):
            many = len(lanes.states) * max(1, min(self.seen >> 4, 4096) // len(lanes.states))
            run = contexts[len(found) : len(found) + many]
            edges = {context: self.edges(context) for context in set(run)}
            symbols = lanes.run([edges[context] for context in run])
            for context, symbol in zip(run, symbols, strict=True):
                self.counts[context][symbol] += 20
            self.seen += len(run)
            found += symbols
        return found

    def age(self) -> None:
        self.seen = 0
        self.counts = [[n * 800 // sum(row) for n in row] if sum(row) > 800 else row for row in self.counts]


def prior() -> list[list[int]]:
    found = []
    for mean in MEANS:
        u, shares = 2**30, [0] * 32
        for magnitude in range(129):
            shares[max(t for t in range(29) if FIRST[t] <= magnitude)] += u
            u = u * mean // (mean + 1024)
        found.append([1 + 512 * share // sum(shares) for share in shares])
    return found


def block(data: bytes, parts: list[dict[str, int]]) -> list[bytes]:
    n, at = varint(data, 0)
    coder, lanes = Binary(data[at : at + n]), Lanes(data[at + n], data[at + n + 1 :])
    magnitudes, found = Adaptive(prior(), 1024, True), []
    for part in parts:
        found.append(read_layer(part, coder, lanes, magnitudes))
        magnitudes.age()
    assert not lanes.words
    assert set(lanes.states) == {2**16}
    return found


def read_layer(part: dict[str, int], coder: Binary, lanes: Lanes, magnitudes: Adaptive) -> bytes:
    rows, height, width, inner = (part[key] for key in ("rows", "height", "width", "inner"))
    if height * width > 256 or rows * inner < 64:
        height, width, inner = 1, 1, height * width * inner
    level = coder.integer(0)
    of_row, of_place, of_input = (
        [coder.integer(c) for _ in range(n)] for c, n in ((1, rows), (2, height * width), (3, inner))
    )
    signs = Adaptive([[1, 1]] * 9, 128, False)
    q: dict[tuple[int, ...], int] = {}
    for place in range(height * width):
        y, x = divmod(place, width)
        cells = [(o, i) for o in range(rows) for i in range(inner)]
        levels, leans = [], []
        for o, i in cells:
            own = min(max(level + 2 * (of_row[o] + of_place[place] + of_input[i]), 0), 31)
            around = [
                (w, q[o, y - up, x - left, i]) for (up, left), w in AROUND.items() if (o, y - up, x - left, i) in q
            ]
            leans.append(sum(w * ((v > 0) - (v < 0)) for w, v in around))
            if around:
                m = 20 * MEANS[own] + 1024 * sum(w * abs(v) for w, v in around)
                m //= 20 + sum(w for w, _ in around)
                own = sum(bound <= m for bound in BOUNDS)
            levels.append(own)
        values = read_place(lanes, magnitudes, signs, levels, leans)
        q.update({(o, y, x, i): value for (o, i), value in zip(cells, values, strict=True)})
    order = sorted(q, key=lambda key: (key[3], key[1], key[2], key[0])) if part["last"] else sorted(q)
    return bytes(q[key] & 255 for key in order)


def read_place(lanes: Lanes, magnitudes: Adaptive, signs: Adaptive, levels: list[int], leans: list[int]) -> list[int]:
    tokens = magnitudes.code(lanes, levels)
    found = [FIRST[token] for token in tokens]
    for low, digits in ((16, 2), (20, 3), (24, 4)):
        where = [i for i, token in enumerate(tokens) if low <= token < low + 4]
        equal = [j << (14 - digits) for j in range((1 << digits) + 1)]
        for i, more in zip(where, lanes.run([equal] * len(where)), strict=True):
            found[i] += more
    where = [i for i, magnitude in enumerate(found) if magnitude]
    for i, other in zip(where, signs.code(lanes, [min(abs(leans[i]), 8) for i in where]), strict=True):
        if (leans[i] < 0) != bool(other):
            found[i] = -found[i]
    return found
