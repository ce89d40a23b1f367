"""Every `.tflite` comes back from its pack byte for byte, and small."""

from __future__ import annotations

import lzma
import zipfile
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from converters import packs
from converters.packs import numbers, weights
from converters.packs.locate import locate
from converters.packs.parts import Kind, Part
from converters.tflite.writer import strip_metadata
from tests.helpers import echo_models
from tests.helpers.int8_networks import Net, squeezenet
from tests.helpers.needs import dev_data
from tests.helpers.small_weights import small

SHAPES = arrays.array_shapes(min_dims=4, max_dims=4, max_side=9)
SPREADS = st.sampled_from([0.0, 0.3, 1.0, 6.0, 60.0, 400.0])


def returns(model: bytes) -> bytes:
    packed = packs.pack(model)
    assert packs.unpack(packed) == model
    return packed


def test_a_network_with_labels_comes_back_and_every_byte_is_told() -> None:
    model = echo_models.described(small(squeezenet()), list("abcde"))
    packed = returns(model)
    assert packs.pack(model) == packed
    sizes = packs.section_bytes(packed)
    assert sum(sizes.values()) == len(packed) < len(lzma.compress(model, preset=9))
    assert min(sizes.values()) > 0
    parts = packs.part_bytes(packed)
    assert [part.values for part in parts if part.kind == "labels"] == [10]
    assert {part.kind for part in parts} == {kind.name.lower() for kind in Kind if kind > Kind.TABLE}
    for kind in ("weights", "scales", "biases"):
        assert 0.4 * sizes[kind] < sum(part.bytes for part in parts if part.kind == kind) <= sizes[kind]
    assert all(part.name for part in parts)


def test_what_is_no_model_is_not_packed() -> None:
    with pytest.raises(ValueError, match=r"expected a \.tflite file"):
        packs.pack(b"no model")


def depthwise() -> bytes:
    net = Net()
    x = net.conv(net.input(9, 9, 3), 80, (3, 3), depthwise=True, per_channel=True)
    return net.bytes(net.dense(net.mean(net.conv(x, 8, (5, 3))), 3))


def stored_elsewhere(compression: int, name: str) -> bytes:
    file = BytesIO(squeezenet())
    with zipfile.ZipFile(file, "a", compression) as archive:
        archive.writestr(name, "text " * 100)
    return file.getvalue()


MODELS = {
    "depthwise": depthwise,
    "bare": lambda: strip_metadata(squeezenet()),
    "nothing but a beginning": lambda: b"\x08\0\0\0TFL3",
    "offsets that lead nowhere": lambda: b"\xff\xff\xff\x7fTFL3" + bytes(range(256)) * 4,
    "cut off": lambda: squeezenet()[:5000],
    "with more behind it": lambda: squeezenet() + bytes(1000),
    "labels deflated": lambda: stored_elsewhere(zipfile.ZIP_DEFLATED, "labels.txt"),
    "another file stored": lambda: stored_elsewhere(zipfile.ZIP_STORED, "notes.txt"),
    "no labels in the file": lambda: stored_elsewhere(zipfile.ZIP_STORED, "labels.txt").replace(b"text", b""),
}


@pytest.mark.parametrize("name", MODELS)
def test_strange_models_come_back(name: str) -> None:
    returns(MODELS[name]())


@pytest.mark.parametrize("at", range(20, 4000, 397))
def test_a_damaged_model_comes_back_damaged(at: int) -> None:
    model = bytearray(squeezenet())
    model[at : at + 4] = b"\xff\xff\xff\xff"
    returns(bytes(model))


@pytest.mark.parametrize("name", ["ad01", "ic", "kws", "micro_speech", "person_detect", "sww", "vww"])
def test_networks_of_others_come_back_smaller_than_xz(name: str) -> None:
    model = dev_data(f"int8_models/{name}.tflite").read_bytes()
    assert len(returns(model)) < len(lzma.compress(model, preset=9))


# Weights.


@given(SHAPES, SPREADS, st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_layer_comes_back(shape: tuple[int, ...], spread: float, seed: int, rows_last: bool) -> None:
    rng = np.random.default_rng(seed)
    layer = np.clip(np.rint(rng.normal(0, spread, shape)), -128, 127)
    layer *= rng.random(shape[0])[:, None, None, None] > 0.3
    rows, height, width, inner = shape
    part = Part(Kind.WEIGHTS, 0, rows, height, width, inner, rows_last)
    content = layer.astype(np.int8).tobytes()
    parts, contents = [part, part], [content, content[::-1]]
    block = weights.encode(parts, contents)
    assert [found for found, _ in weights.decode(parts, block)] == contents


@pytest.mark.parametrize("value", [0, 1, -1, 15, -128])
def test_a_layer_of_one_value_comes_back_in_next_to_nothing(value: int) -> None:
    part = Part(Kind.WEIGHTS, 0, 64, 3, 3, 16)
    content = bytes([value & 0xFF]) * part.size
    block = weights.encode([part], [content])
    assert [found for found, _ in weights.decode([part], block)] == [content]
    assert len(block) < 900


@pytest.mark.parametrize("form", [(1, 1, 1, 1), (300, 1, 1, 1), (1, 1, 1, 300), (1, 40, 40, 1), (2, 1, 900, 1)])
def test_layers_without_a_form_come_back(form: tuple[int, int, int, int]) -> None:
    part = Part(Kind.WEIGHTS, 0, *form)
    content = np.random.default_rng(0).integers(-128, 128, form).astype(np.int8).tobytes()
    assert [found for found, _ in weights.decode([part], weights.encode([part], [content]))] == [content]


def test_weights_take_their_entropy() -> None:
    rng = np.random.default_rng(0)
    strong = rng.integers(0, 2, 64)[:, None, None, None] * 2.0 + 0.5
    layer = np.rint(rng.laplace(0, strong, (64, 3, 3, 64))).astype(np.int8)
    part = Part(Kind.WEIGHTS, 0, *layer.shape)

    def entropy(values: np.ndarray) -> float:
        shares = np.unique(values, return_counts=True)[1] / values.size
        return float(-(shares * np.log2(shares)).sum() * values.size / 8)

    least = sum(entropy(layer[strong.ravel() == each]) for each in (0.5, 2.5))
    assert least < len(weights.encode([part], [layer.tobytes()])) < 1.03 * least < 0.97 * entropy(layer)


# Scales and biases.

FLOATS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20)


@given(st.lists(FLOATS, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_scales_come_back(patterns: list[list[int]]) -> None:
    vectors = [np.array(each, "<u4").view("<f4") for each in patterns]
    coded = numbers.encode_scales(vectors, {0: (len(vectors) - 1, 0.5)})
    found = numbers.decode_scales([len(each) for each in vectors], coded)
    assert [values.tobytes() for values, _ in found] == [values.tobytes() for values in vectors]


@given(st.lists(st.integers(-40, 40), min_size=4, max_size=50), st.floats(1e-3, 1e3), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_scales_on_a_grid_take_an_exponent_each(exponents: list[int], top: float, shift: int) -> None:
    values = (float(np.float32(top)) * 2.0 ** ((np.array(exponents) + shift) / 4)).astype("<f4")
    coded = numbers.encode_scales([values], {})
    assert numbers.decode_scales([len(values)], coded)[0][0].tobytes() == values.tobytes()
    assert len(coded) < 9 + 1.8 * len(values)


def test_scales_that_follow_from_others_take_nothing() -> None:
    base = np.random.default_rng(0).uniform(0.001, 0.01, 500).astype("<f4")
    product = (base.astype(np.float64) * np.float64(np.float32(0.0123))).astype("<f4")
    both, alone = numbers.encode_scales([base, product], {1: (0, float(np.float32(0.0123)))}), [base]
    assert len(both) < len(numbers.encode_scales(alone, {})) + 12
    assert [values.tobytes() for values, _ in numbers.decode_scales([500, 500], both)] == [
        base.tobytes(),
        product.tobytes(),
    ]


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=30),
    st.integers(0, 31),
    st.sampled_from([-1, 0]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=80, deadline=None)
def test_any_biases_come_back(values: list[int], zeros: int, link: int, seed: int) -> None:
    biases = (np.array(values, np.int64) >> zeros << zeros).astype("<i4")
    scales = [(2.0 ** np.random.default_rng(seed).uniform(-20, 3, len(values))).astype("<f4")]
    coded = numbers.encode_biases([biases], scales, [link])
    assert numbers.decode_biases([len(values)], scales, coded)[0][0].tobytes() == biases.tobytes()


def test_biases_rounded_to_one_real_step_cost_no_zeros() -> None:
    rng = np.random.default_rng(0)
    scales = (2.0 ** rng.uniform(-18, -10, 400)).astype("<f4")
    shifts = np.maximum(0, -8 - np.floor(np.log2(scales)).astype(int))
    biases = (np.rint(rng.normal(0, 6, 400)).astype(np.int64) << shifts).astype("<i4")
    coded = numbers.encode_biases([biases], [scales], [0])
    assert numbers.decode_biases([400], [scales], coded)[0][0].tobytes() == biases.tobytes()
    assert len(coded) < 270


# What is taken out.


def test_parts_are_where_the_arrays_lie() -> None:
    model = echo_models.described(squeezenet(), list("abcde"))
    located = locate(model)
    assert b"".join(model[part.start : part.end] for part in located.parts if part.kind == Kind.LABELS) == (
        b"a\nb\nc\nd\ne\n"
    )
    assert len(located.layers) == sum(part.kind == Kind.BIASES for part in located.parts)
    assert all(before.end <= part.start for before, part in zip(located.parts, located.parts[1:], strict=False))
