"""What a delta makes is the new result, byte for byte, and it costs what changed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from converters import delta
from converters.delta.coder import Decoder, Encoder, Values, number, signed
from converters.delta.pieces import image_pieces
from converters.delta.read import patched
from tests.helpers.int8_networks import squeezenet
from tests.helpers.slots import fine_tuned
from tests.helpers.updates import Built, built, update


def told(old: Built, new: Built) -> bytes:
    return delta.delta(old.data, new.data, old.pieces, new.pieces)


def test_every_number_and_value_comes_back() -> None:
    encoder = Encoder()
    rng = np.random.default_rng(1)
    numbers = [0, 1, 2, 2**31 - 2, *rng.integers(0, 1 << 20, 50).tolist()]
    steps = [0, -1, 1, -(2**30), 2**30 - 1, *rng.integers(-99, 99, 50).tolist()]
    pairs = [(old, new) for old in (-128, -7, -1, 0, 1, 2, 127) for new in range(-128, 128)]
    values = Values(encoder)
    for each in numbers:
        number(encoder, 2, each)
    for each in steps:
        signed(encoder, 7, each)
    for old, new in pairs:
        assert values.after(old, new) == new
    data = encoder.finish()
    decoder = Decoder(data)
    values = Values(decoder)
    assert [number(decoder, 2) for _ in numbers] == numbers
    assert [signed(decoder, 7) for _ in steps] == steps
    assert [values.after(old) for old, _ in pairs] == [new for _, new in pairs]
    assert decoder.at == len(data)


@pytest.mark.parametrize(
    ("target", "optimize"), [("generic", "flash"), ("cortex-m4", "flash"), ("cortex-m55", "speed")]
)
def test_a_network_fine_tuned_in_all_layers_costs_a_fraction(target: str, optimize: str) -> None:
    old, new = (built(model, target, optimize) for model in (squeezenet(), fine_tuned(squeezenet(), 1)))
    body = told(old, new)
    assert patched(body, old.data, len(new.data)) == new.data
    assert len(body) < len(new.data) / 4
    assert delta.apply(update(new, 2, old), old.data) == new.data


def test_what_did_not_change_costs_a_few_bytes() -> None:
    one = built(squeezenet())
    assert len(told(one, one)) < 16


def test_pieces_of_any_sizes_are_told() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        old, new = (rng.integers(0, 256, rng.integers(0, 99), dtype=np.uint8).tobytes() for _ in range(2))
        starts = sorted(rng.integers(0, len(new) + 1, 2).tolist())
        pieces = image_pieces(len(new), [(starts[0], starts[1] - starts[0], None)])
        body = delta.delta(old, new, delta.plain_piece(old), pieces)
        assert patched(body, old, len(new)) == new


def test_what_is_damaged_is_refused_or_harmless() -> None:
    old, new = built(squeezenet()), built(fine_tuned(squeezenet(), 1))
    right = update(new, 2, old)
    rng = np.random.default_rng(3)
    for _ in range(25):
        wrong = bytearray(right)
        wrong[rng.integers(208, len(wrong))] ^= 1 << rng.integers(8)
        with pytest.raises(delta.DeltaError):
            delta.apply(bytes(wrong), old.data)
    for cut in (0, 3, 100, 207, 208, 300, len(right) - 1):
        with pytest.raises(delta.DeltaError):
            delta.apply(right[:cut], old.data)
    with pytest.raises(delta.DeltaError, match="bytes of body"):
        delta.apply(right + b"\0", old.data)
    with pytest.raises(delta.DeltaError, match="against another result"):
        delta.apply(right, new.data)


def test_a_header_comes_back_and_refuses_what_it_cannot_be() -> None:
    one = built(squeezenet())
    data = update(one, 7, model="küche")
    header = delta.read_header(data)
    assert (header.version, header.model, header.sha256) == (7, "küche", hashlib.sha256(one.data).digest())
    assert header.stored == data[: delta.HEADER_BYTES]
    for at, value in ((0, 0), (4, 2), (6, 2), (7, 0), (59, 128), (40, 255), (64, 1)):
        with pytest.raises(delta.DeltaError):
            delta.read_header(data[:at] + bytes([value]) + data[at + 1 :])
    for model, version in (("x" * 17, 1), ("net", -1), ("net", 1 << 31)):
        with pytest.raises(delta.DeltaError):
            update(one, version, model=model)
