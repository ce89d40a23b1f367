"""Compressed weights give, in TFLite Micro's wheel, what the dense model gives in TFLite's reference kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from converters.tflite.edit import pack, unpack
from converters.tflite.model import Model, Tensor
from converters.tflite.reader import read_model
from converters.tflite.writer import for_microcontroller
from converters.tflm_decode import huffman
from converters.tflm_decode.encodings import Encoded, encodings
from converters.tflm_decode.writer import CHANNEL, EACH, FIRST, LAYERS, choices, insert, with_decode
from tests.helpers import keras_models as tiny
from tests.helpers.int8_networks import Net
from tests.helpers.micro_interpreter import has_tflm, tflm
from tests.helpers.needs import dev_data, require
from tests.helpers.random_networks import RandomNet, random_nets

LAYER_KINDS = ["conv", "conv one scale", "depthwise", "depthwise one scale", "dense", "dense one scale"]
ENCODINGS = ["lut", "prune", "huffman"]


@pytest.fixture(autouse=True)
def _wheel() -> None:
    require(has_tflm(), "the tflite-micro wheel is not installed")


def one_layer(kind: str) -> bytes:
    """Return a network of one layer with a few thousand weights."""
    net, per_channel = Net(3), not kind.endswith("one scale")
    if kind.startswith("dense"):
        return net.bytes(net.dense(net.input(40), 50, per_channel=per_channel))
    x = net.input(5, 6, 32)
    if kind.startswith("depthwise"):
        return net.bytes(net.conv(x, 4, (4, 4), depthwise=True, per_channel=per_channel))
    return net.bytes(net.conv(x, 21, (3, 2), per_channel=per_channel))


def with_weights(model: bytes, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Return the model with other weights in each layer."""
    editable, info = unpack(model), read_model(model)
    for tensor in weights(info):
        buffer = editable.buffers[editable.subgraphs[0].tensors[tensor.index].buffer]
        buffer.data = np.frombuffer(change(np.array(tensor.data)).astype(np.int8).tobytes(), np.uint8)
    return pack(editable)


def weights(info: Model) -> list[Tensor]:
    return [info.tensors[op.inputs[1]] for op in info.ops if op.name in LAYERS]


def coarse(step: int) -> Callable[[np.ndarray], np.ndarray]:
    """Round weights to multiples of a step, so that their mean stays 0."""
    return lambda values: (np.sign(values) * ((np.abs(values.astype(int)) + step // 2) // step * step)).clip(-127, 127)


def inputs(model: bytes, count: int = 2) -> np.ndarray:
    source = read_model(model).input_tensors()[0]
    rng = np.random.default_rng(5)
    if source.dtype == "float32":
        return rng.uniform(-1, 1, (count, *source.shape[1:])).astype(np.float32)
    return rng.integers(0, 256, (count, *source.shape[1:]), np.uint8).view(source.dtype)


def assert_runs_as(written: bytes, model: bytes) -> None:
    """Check outputs against the dense model's in the wheel and, but for dense layers, in TFLite's reference kernels.

    The wheel's FULLY_CONNECTED rounds otherwise than TFLite's: one output in a hundred is 1 off, dense or not.
    """
    values = inputs(model)
    dense = tflm(model, values)
    assert len(np.unique(dense)) > 9, "outputs that are all alike prove nothing"
    np.testing.assert_array_equal(tflm(written, values), dense)
    if "FULLY_CONNECTED" not in read_model(model).op_names:
        np.testing.assert_array_equal(dense, tiny.run(model, values))


# Every encoding, in the wheel's kernels.


@pytest.mark.parametrize("kind", LAYER_KINDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_layer_computes_the_same_from_every_encoding(kind: str, encoding: str) -> None:
    model = with_weights(one_layer(kind), coarse(8))
    (tensor,) = weights(read_model(model))
    held = [each for each in encodings(tensor) if each.encoding == encoding]
    assert len(held) == (2 if encoding == "lut" and tensor.per_channel else 1)
    for each in held:
        assert_runs_as(insert(model, {tensor.index: each}), model)


@pytest.mark.parametrize("kind", ["conv", "depthwise", "conv one scale"])
@pytest.mark.parametrize("bits", range(1, 8))
def test_indices_of_every_width_are_read(kind: str, bits: int) -> None:
    rng = np.random.default_rng(bits)
    half = rng.permutation(np.arange(1, 128))[: 1 << (bits - 1)]
    values = np.concatenate([half, -half])
    model = with_weights(one_layer(kind), lambda old: rng.choice(values, old.shape))
    (tensor,) = weights(read_model(model))
    held = [each for each in encodings(tensor) if each.encoding == "lut"]
    assert bits in [each.table[5] for each in held]
    for each in held:
        assert_runs_as(insert(model, {tensor.index: each}), model)


def test_long_code_words_are_read_table_by_table() -> None:
    """Counts of the Fibonacci numbers give code words as long as there are symbols."""
    counts = [1, 1]
    while sum(counts) < 4032:
        counts.append(counts[-1] + counts[-2])
    stream = np.repeat(np.arange(len(counts)) - 14, counts)[:4032]
    model = with_weights(one_layer("conv"), lambda old: np.random.default_rng(1).permutation(stream).reshape(old.shape))
    (tensor,) = weights(read_model(model))
    (held,) = [each for each in encodings(tensor) if each.encoding == "huffman"]
    code = huffman.best_code(np.bincount(stream.astype(np.uint8), minlength=256))
    assert max(length for length, _ in code.codes.values()) > huffman.WIDEST
    assert_runs_as(insert(model, {tensor.index: held}), model)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random_nets(), st.randoms(use_true_random=False), st.sampled_from([1, 8, 40]))
def test_random_networks_compute_the_same(net: RandomNet, random, step: int) -> None:
    model = with_weights(net.model, coarse(step))
    # The wheel's kernel never sets the value it pads with: its answer hangs on what the memory held before.
    assume("SPACE_TO_BATCH_ND" not in read_model(model).op_names)
    tensors = {tensor.index: tensor for tensor in weights(read_model(model))}
    held = {index: random.choice(found) for index, tensor in tensors.items() if (found := encodings(tensor))}
    assume(held)
    values = inputs(model)
    try:
        dense = tflm(model, values)
    except RuntimeError:  # an operator that the wheel refuses
        assume(False)
    np.testing.assert_array_equal(tflm(insert(model, held), values), dense)
    np.testing.assert_array_equal(tflm(with_decode(model), values), dense)


def test_a_trained_network_computes_the_same() -> None:
    model = tiny.int8_model()
    held = {t.index: min(encodings(t), key=lambda each: each.bytes) for t in weights(read_model(model))}
    values = tiny.as_int8(tiny.pixels(10))
    np.testing.assert_array_equal(tflm(insert(model, held), values), tiny.run(model, values))


def test_a_published_network_computes_the_same_in_fewer_bytes() -> None:
    model = for_microcontroller(dev_data("int8_models/ad01.tflite").read_bytes())
    written = with_decode(model)
    assert len(written) < 0.7 * len(model)
    assert_runs_as(written, model)


# Choosing.


def test_sixteen_values_a_channel_are_held_as_four_bits() -> None:
    model = for_microcontroller(with_weights(one_layer("conv"), coarse(16)))
    (choice,) = choices(model)
    assert choice.encoding in ("lut", "huffman")
    (tensor,) = weights(read_model(model))
    lut = [each for each in encodings(tensor) if each.encoding == "lut"]
    assert min(len(each.data) for each in lut) == choice.dense // 2
    written = with_decode(model)
    assert len(written) < len(model) - 0.4 * choice.dense
    assert_runs_as(written, model)


def test_half_of_the_weights_zero_are_held_as_a_bit_each_and_the_others() -> None:
    mask = np.random.default_rng(0).random(4032) < 0.5
    model = with_weights(one_layer("conv"), lambda old: np.where(mask.reshape(old.shape), 0, np.where(old, old, 1)))
    (tensor,) = weights(read_model(model))
    (prune,) = [each for each in encodings(tensor) if each.encoding == "prune"]
    assert prune.bytes == 16 + 4032 // 8 + np.count_nonzero(~mask)


@pytest.mark.parametrize("step", [1, 2, 8, 16, 64])
@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_the_smallest_encoding_is_taken_and_the_file_never_grows(kind: str, step: int) -> None:
    model = for_microcontroller(with_weights(one_layer(kind), coarse(step)))
    (choice,) = choices(model)
    (tensor,) = weights(read_model(model))
    least = min(each.bytes for each in encodings(tensor))
    assert choice.bytes == (least if choice.encoded else choice.dense)
    assert bool(choice.encoded) == (least + EACH + FIRST < choice.dense)
    assert len(with_decode(model)) <= len(model)


def test_what_the_operator_adds_is_no_more_than_is_reckoned() -> None:
    for kind in LAYER_KINDS:
        model = for_microcontroller(one_layer(kind))
        (tensor,) = weights(read_model(model))
        for each in encodings(tensor):
            added = len(insert(model, {tensor.index: each})) - len(model)
            assert added <= FIRST + EACH + each.bytes - tensor.size


def test_a_network_with_nothing_to_gain_stays_as_it_is() -> None:
    net = Net(1)
    model = net.bytes(net.conv(net.input(4, 4, 3), 4))
    assert [choice.encoding for choice in choices(model)] == ["dense"]
    assert with_decode(model) == pack(unpack(model))
    assert "CUSTOM:TFLM_DECODE" not in read_model(with_decode(model)).op_names


def test_a_tensor_larger_than_the_arena_may_hold_stays_dense() -> None:
    model = with_weights(one_layer("conv"), coarse(16))
    assert [choice.encoding for choice in choices(model, largest=4031)] == ["dense"]
    assert [choice.encoding for choice in choices(model, largest=4032)] != ["dense"]


# The graph.


def two_readers(share: str) -> bytes:
    """Return a network whose two layers have the same weights: one tensor, or two of one buffer."""
    net = Net(2)
    x = net.conv(net.input(5, 5, 24), 24, out=(1 / 64, 0))
    editable = unpack(with_weights(net.bytes(net.conv(x, 24)), coarse(16)))
    graph = editable.subgraphs[0]
    first, second = graph.operators
    if share == "tensor":
        second.inputs = [second.inputs[0], first.inputs[1], second.inputs[2]]
    else:
        graph.tensors[second.inputs[1]].buffer = graph.tensors[first.inputs[1]].buffer
    return pack(editable)


def test_a_tensor_of_two_layers_is_decoded_before_each() -> None:
    model = for_microcontroller(two_readers("tensor"))
    (choice,) = choices(model)
    assert choice.readers == (0, 1)
    assert choice.encoded
    written = with_decode(model)
    assert [op.name for op in read_model(written).ops] == ["CUSTOM:TFLM_DECODE", "CONV_2D"] * 2
    assert len(written) - len(model) <= FIRST + 2 * EACH + 24 * CHANNEL + choice.bytes - choice.dense
    assert_runs_as(written, model)


def test_bytes_that_another_tensor_needs_stay_dense() -> None:
    model = two_readers("buffer")
    assert [choice.encoding for choice in choices(model)] == ["dense", "dense"]


def test_a_layer_reads_a_tensor_like_the_one_it_had() -> None:
    model = with_weights(one_layer("conv"), coarse(16))
    (old,), (new,) = weights(read_model(model)), weights(read_model(with_decode(model)))
    fields = ("name", "shape", "dtype", "scale", "zero_point", "quantized_dimension")
    assert [getattr(new, field) for field in fields] == [getattr(old, field) for field in fields]
    assert new.data is None


def test_the_same_model_gives_the_same_bytes() -> None:
    model = tiny.int8_model()
    assert with_decode(model) == with_decode(model)


def test_a_text_file_is_refused() -> None:
    for function in (with_decode, choices):
        with pytest.raises(ValueError, match=r"expected a \.tflite file"):
            function(b"This is a text file, not a model.")


# What the equality above would not miss.


def damaged(encoding: str, place: int, change: int) -> tuple[bytes, bytes]:
    """Return a model, and it with a byte of a tensor's table changed."""
    model = with_weights(one_layer("conv"), coarse(16))
    (tensor,) = weights(read_model(model))
    held = next(each for each in encodings(tensor) if each.encoding == encoding)
    return model, insert(model, {tensor.index: _changed(held, place, change)})


def _changed(held: Encoded, place: int, change: int) -> Encoded:
    table = bytearray(held.table)
    table[place] ^= change
    return replace(held, table=bytes(table))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_wrong_value_in_a_table_is_seen(encoding: str) -> None:
    model, wrong = damaged(encoding, 16, 0x40)
    values = inputs(model, 4)
    assert np.any(tflm(wrong, values) != tiny.run(model, values))


@pytest.mark.parametrize("place", [0, 1, 4], ids=["kind", "version", "version of the encoding"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_header_that_the_kernel_does_not_know_is_refused(encoding: str, place: int) -> None:
    model, wrong = damaged(encoding, place, 0x04)
    with pytest.raises(RuntimeError, match="failed to allocate tensors"):
        tflm(wrong, inputs(model))
