"""Dynamic fixed point has the properties it promises, and its integers are TFLite's, byte for byte."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sqz_tf.base.errors import ConfigError, ConversionError, DataError
from sqz_tf.quantize import fixed_point as r
from tests.helpers import one_operator_models as models
from tests.helpers import reference_kernels as kernels

ROUNDED_TO_NEAREST = ("half_away", "half_even", "half_up")
PROPERTY = settings(max_examples=100, deadline=None, derandomize=True)

formats = st.builds(r.Format, st.integers(2, 16), st.integers(-12, 24), st.booleans())
wide = st.builds(r.Format, st.integers(17, 32), st.integers(-12, 24), st.booleans())
roundings = st.sampled_from(r.ROUNDINGS)
reals = arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(-(2.0**20), 2.0**20, width=32))


def spread(x: np.ndarray, form: r.Format) -> np.ndarray:
    """Return values that lie in and around a format's range, with its halves among them."""
    steps = np.concatenate([x % (2 * form.highest) - form.highest, np.round(x) % 8 - 3.5, [form.lowest, form.highest]])
    return (steps * form.scale).astype(np.float32)


# Properties --------------------------------------------------------------------------------------------------


@PROPERTY
@given(reals, formats, roundings)
def test_the_error_inside_the_range_is_at_most_half_a_step(x: np.ndarray, form: r.Format, rounding: str) -> None:
    low, high = form.range
    inside = np.clip(spread(x, form), low, high)
    # fake_quant's subtraction in float32 may move a value by half a unit in the last place of the whole range
    slack = 2.0**-24 * (high - low) if rounding == "fake_quant" else 0.0
    assert np.all(np.abs(r.fake_quantize(inside, form, rounding) - inside) <= form.scale / 2 + slack)


@PROPERTY
@given(wide, st.sampled_from(ROUNDED_TO_NEAREST))
def test_wide_integers_saturate_at_their_ends(form: r.Format, rounding: str) -> None:
    low, high = form.range
    found = r.quantize(np.array([-np.inf, 4 * low, low, high, 4 * high, np.inf]), form, rounding)
    assert found.tolist() == [form.lowest] * 3 + [form.highest] * 3
    assert r.quantize(np.array([np.inf], np.float32), form, rounding).tolist() == [form.highest]


def test_fake_quant_of_more_bits_than_tensorflow_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="fake_quant has 24 bits; expected at most 16"):
        r.quantize([0.5], r.Format(24, 8), "fake_quant")


@PROPERTY
@given(formats, roundings)
def test_zero_is_exact(form: r.Format, rounding: str) -> None:
    assert np.all(r.quantize(np.array([0.0, -0.0], np.float32), form, rounding) == 0)


@PROPERTY
@given(reals, formats, roundings)
def test_larger_values_never_become_smaller_integers(x: np.ndarray, form: r.Format, rounding: str) -> None:
    q = r.quantize(np.sort(spread(x, form)), form, rounding)
    assert np.all(np.diff(q.astype(np.int64)) >= 0)


@PROPERTY
@given(formats, roundings)
def test_values_beyond_the_range_saturate(form: r.Format, rounding: str) -> None:
    low, high = form.range
    x = np.array([low - form.scale, -1e30, -np.inf, high + form.scale, 1e30, np.inf], np.float32)
    assert r.quantize(x, form, rounding).tolist() == [form.lowest] * 3 + [form.highest] * 3


@PROPERTY
@given(reals, formats, roundings)
def test_quantizing_twice_changes_nothing(x: np.ndarray, form: r.Format, rounding: str) -> None:
    once = r.fake_quantize(spread(x, form), form, rounding)
    np.testing.assert_array_equal(r.fake_quantize(once, form, rounding), once)
    q = r.quantize(once, form, rounding)
    np.testing.assert_array_equal(r.quantize(r.dequantize(q, form), form, rounding), q)


@PROPERTY
@given(reals, formats)
def test_ways_of_rounding_differ_in_halves_only(x: np.ndarray, form: r.Format) -> None:
    values = spread(x, form)
    halves = np.abs(values.astype(np.float64) / form.scale) % 1 == 0.5
    ways = [r.quantize(values, form, rounding) for rounding in ROUNDED_TO_NEAREST]
    assert all(np.array_equal(ways[0][~halves], other[~halves]) for other in ways[1:])


@PROPERTY
@given(st.integers(-300, 300))
def test_a_scale_and_its_fractional_length_are_one(length: int) -> None:
    assert r.exact_fractional_length(math.ldexp(1.0, -length)) == length
    for scale in (math.ldexp(1.0000002, -length), math.ldexp(1.5, -length), 0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ConversionError, match="exact power of two"):
            r.exact_fractional_length(scale)


# Formats and their choice ------------------------------------------------------------------------------------


def test_halves_go_where_the_name_says() -> None:
    halves, form = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32), r.Format(8, 0)
    assert r.quantize(halves, form).tolist() == [-3, -2, -1, 1, 2, 3]
    assert r.quantize(halves, form, "half_even").tolist() == [-2, -2, 0, 0, 2, 2]
    assert r.quantize(halves, form, "half_up").tolist() == [-2, -1, 0, 1, 2, 3]
    nearly = np.nextafter(np.array([-0.5, 0.5], np.float32), np.float32(0))
    assert [r.quantize(nearly, form, way).tolist() for way in ROUNDED_TO_NEAREST] == [[0, 0]] * 3
    assert r.quantize(nearly, form, "fake_quant").tolist() == [0, 1], "float32 turns 128.49999997 into 128.5"


def test_a_format_knows_its_integers_and_its_range() -> None:
    form = r.Format(8, 4)
    assert (form.scale, form.lowest, form.highest, form.range, form.dtype) == (0.0625, -128, 127, (-8, 7.9375), np.int8)
    assert r.Format(8, -2, narrow=True).range == (-508, 508)
    assert [r.Format(bits, 0).dtype for bits in (2, 9, 17)] == [np.int8, np.int16, np.int32]
    assert kernels.format_of_scale(np.float32(0.25), narrow=True) == r.Format(8, 2, narrow=True)
    assert kernels.format_of_scale([0.5, 2.0]) == r.Format(8, (1, -1))
    for bits in (1, 33):
        with pytest.raises(ConfigError, match="2 to 32"):
            r.Format(bits, 0)


def test_the_maximum_gives_ristrettos_own_choice() -> None:
    lengths = [r.fractional_length(np.array([0.1, -largest])) for largest in (0.25, 0.26, 1.0, 1.01, 200.0, 3000.0)]
    assert lengths == [9, 8, 7, 6, -1, -5]
    assert [r.fractional_length(np.array([3.0]), bits) for bits in (16, 8, 4)] == [13, 5, 1]
    assert r.fractional_length(np.array([3.0]), sign_bit=False) == 6  # layer outputs have one bit less of range
    assert r.fractional_length(np.zeros(4)) == r.fractional_length(np.zeros(0)) == 7
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="finite"):
            r.fractional_length(np.array([1.0, bad]))


def test_the_search_clips_an_outlier_where_the_maximum_does_not() -> None:
    x = np.append(np.random.default_rng(0).normal(size=100_000), 100.0)
    by_maximum, found = r.fractional_length(x), r.best_fractional_length(x)
    assert (by_maximum, found) == (0, 1)
    errors = {length: r.squared_error(x, r.Format(8, length)) for length in range(-3, 9)}
    assert errors[found] == min(errors.values()) < 0.8 * errors[by_maximum]


def test_of_equal_errors_the_widest_range_wins() -> None:
    whole_numbers = np.arange(-8.0, 8.0)
    assert r.best_fractional_length(whole_numbers) == 3  # 3 and 4 are both exact
    assert r.least({5: 1.0, 3: 1.0, 4: 2.0}) == 3
    with pytest.raises(ConfigError, match="candidate"):
        r.best_fractional_length(whole_numbers, candidates=())


def test_channels_have_fractional_lengths_of_their_own() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([1.0, 0.05, 0.0, 1e-9])
    kernel = (rng.uniform(-1, 1, (3, 3, 5, 4)) * sizes).astype(np.float32)
    kernel[0, 0, 0] = sizes
    lengths = r.best_fractional_lengths(kernel)
    assert lengths[:3] == (7, 11, 7), "a channel of zeros takes the tensor's"
    assert lengths[3] == 7 + r.FINEST_CHANNEL, "a channel of dust would give its bias a step of nothing"
    form = r.Format(8, lengths, narrow=True)
    q = r.quantize(kernel, form)
    for channel, length in enumerate(lengths):
        np.testing.assert_array_equal(q[..., channel], r.quantize(kernel[..., channel], r.Format(8, length, True)))
    assert np.all(np.abs(r.dequantize(q, form) - kernel) <= form.scale)


def test_what_cannot_be_quantized_is_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        r.quantize([1.0, np.nan], r.Format(8, 0))
    with pytest.raises(ConfigError, match="half_away, half_even"):
        r.quantize([1.0], r.Format(8, 0), "stochastic")
    with pytest.raises(ConversionError, match="smaller fractional lengths"):
        kernels.quantize_bias([3.0], r.Format(8, 15), r.Format(8, 15))


# The same integers as TensorFlow's ----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize("narrow", [False, True])
def test_fake_quant_is_repeated_to_the_bit(bits: int, narrow: bool) -> None:
    from sqz_tf.train.keras import tf

    form = r.Format(bits, 5, narrow)
    halves = ((np.arange(-300, 300) + 0.5) * form.scale).astype(np.float32)
    around = [halves, *(np.nextafter(halves, np.float32(limit)) for limit in (-np.inf, np.inf))]
    noise = np.random.default_rng(0).normal(0, form.highest * form.scale / 2, 20_000)
    x = np.concatenate([*around, noise]).astype(np.float32)
    found = tf.quantization.fake_quant_with_min_max_args(x, *form.range, num_bits=bits, narrow_range=narrow).numpy()
    np.testing.assert_array_equal(r.fake_quantize(x, form, "fake_quant"), found)
    assert not np.array_equal(r.fake_quantize(x, form), found), "no value tells the roundings apart: a vacuous test"


@lru_cache
def converted() -> tuple[np.ndarray, np.ndarray, list[r.Format], bytes]:
    """Return the kernel and bias of a quantization-aware convolution, its formats, and what the converter made."""
    from converters.tflite.from_keras import integer_model
    from sqz_tf.train.keras import keras, tf

    source, weights, target = made = [r.Format(8, 0), r.Format(8, 6, narrow=True), r.Format(8, -1)]
    rng = np.random.default_rng(0)
    halves = (rng.integers(-120, 120, (2, 3, 3, 8)) + 0.5) * weights.scale
    kernel = np.concatenate([halves, rng.normal(size=(1, 3, 3, 8))]).astype(np.float32)
    halves = (rng.integers(0, 20_000, 8) + 0.5) * np.tile([1, -1], 4)
    bias = (halves * source.scale * weights.scale).astype(np.float32)

    def on_grid(x: Any, form: r.Format) -> Any:
        return tf.quantization.fake_quant_with_min_max_args(x, *form.range, narrow_range=form.narrow)

    class Convolution(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, shape: Any) -> None:
            self.kernel, self.bias = tf.Variable(kernel), tf.Variable(bias)

        def call(self, inputs: Any) -> Any:
            sums = tf.nn.conv2d(on_grid(inputs, source), on_grid(self.kernel, weights), 1, "SAME")
            return on_grid(tf.nn.relu(sums + self.bias), target)

    image = keras.Input((6, 6, 3))
    return kernel, bias, made, integer_model(keras.Model(image, Convolution()(image)))


def test_the_converter_rounds_weights_as_fake_quant_and_biases_away_from_zero() -> None:
    from converters.tflite.reader import read_model

    kernel, bias, (source, weights, target), model = converted()
    graph = read_model(model)
    assert graph.op_names == ("CONV_2D",)
    inputs, filters, offsets = (graph.tensor(index) for index in graph.ops[0].inputs)
    output = graph.tensor(graph.ops[0].outputs[0])
    for tensor, form in ((inputs, source), (filters, weights), (output, target)):
        assert kernels.format_of_scale(tensor.scale, narrow=form.narrow) == form
        assert set(tensor.zero_point) == {0}
    found = np.moveaxis(np.asarray(filters.data), 0, -1)
    np.testing.assert_array_equal(found, r.quantize(kernel, weights, "fake_quant"))
    assert not np.array_equal(found, r.quantize(kernel, weights))
    np.testing.assert_array_equal(offsets.data, kernels.quantize_bias(bias, source, weights))


def test_a_converted_model_computes_what_the_reference_does() -> None:
    kernel, bias, made, model = converted()
    x = pixels((8, 6, 6, 3))
    q = r.quantize(kernel, made[1], "fake_quant")
    np.testing.assert_array_equal(run(model, x), kernels.conv2d(x, q, kernels.quantize_bias(bias, *made[:2]), made))


# The same integers as TFLite's reference kernels --------------------------------------------------------------


def run(model: bytes, inputs: np.ndarray) -> np.ndarray:
    machine = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    machine.allocate_tensors()
    source, target = machine.get_input_details()[0]["index"], machine.get_output_details()[0]["index"]
    outputs = []
    for image in inputs:
        machine.set_tensor(source, image[None])
        machine.invoke()
        outputs.append(machine.get_tensor(target)[0])
    return np.stack(outputs)


def pixels(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def once(acc: Any, multiplier: Any, shift: Any) -> np.ndarray:
    """Round once, halves up, as TFLite does where it is built with TFLITE_SINGLE_ROUNDING."""
    total = 31 - np.asarray(shift, np.int64)
    return (np.asarray(acc, np.int64) * multiplier + (np.int64(1) << (total - 1))) >> total


def test_requantizing_rounds_twice() -> None:
    acc = np.array([-7, -6, -5, -3, -2, -1, 1, 2, 3, 5, 6, 7])
    halved, quartered = (kernels.quantized_multiplier(real) for real in (0.5, 0.25))
    assert (halved, quartered) == ((2**30, 0), (2**30, -1))
    assert kernels.requantize(acc, *halved).tolist() == [-3, -3, -2, -1, -1, 0, 1, 1, 2, 3, 3, 4]
    assert kernels.requantize(acc, *quartered).tolist() == [-2, -2, -1, -1, -1, 0, 1, 1, 1, 2, 2, 2]
    assert once(acc, *quartered).tolist() == [-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("real", [1.0, 0.75, 0.1, 3.0, 2.0**-31, 1e-12, 0.0, 1 - 2.0**-40])
def test_a_multiplier_stands_for_its_number(real: float) -> None:
    multiplier, shift = kernels.quantized_multiplier(real)
    assert multiplier == 0 or 2**30 <= multiplier < 2**31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(real, rel=2.0**-30, abs=2.0**-32)


CASES = [
    {"relu": relu, "padding": padding, "strides": strides, "size": size, "channels": channels}
    for relu, padding, strides, size, channels in (
        (True, "same", 1, 1, False),
        (True, "same", 1, 3, True),
        (True, "valid", 2, 7, False),
        (False, "same", 2, 3, True),
        (False, "valid", 1, 1, False),
        (False, "same", 1, 3, False),
    )
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(4))
def test_a_convolution_is_the_reference_kernels(case: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, outputs = case["size"], 9
    length = int(rng.integers(-3, 6))
    source = r.Format(8, length)
    lengths = tuple(int(each) for each in rng.integers(4, 9, outputs))
    weights = r.Format(8, lengths if case["channels"] else lengths[0], narrow=True)
    finest = max(lengths) if case["channels"] else lengths[0]
    kernel = rng.integers(-127, 128, (size, size, 5, outputs)) // (1 + 40 * (seed % 2))
    target = r.Format(8, length + finest - round(math.log2(74 * kernel.std() * size * 5**0.5 / 40)))
    kernel = kernel.astype(np.int8)
    bias = rng.integers(-300, 300, outputs).astype(np.int32)
    x = pixels((3, 11, 9, 5), seed)
    form = {"strides": case["strides"], "padding": case["padding"], "relu": case["relu"]}
    wanted = kernels.conv2d(x, kernel, bias, (source, weights, target), **form)
    model = models.conv2d(
        models.Tensor((1, *x.shape[1:]), source.scale),
        models.Tensor((outputs, size, size, 5), weights.scale, np.ascontiguousarray(np.moveaxis(kernel, -1, 0))),
        models.Tensor((outputs,), source.scale * weights.scale, bias),
        models.Tensor((1, *wanted.shape[1:]), target.scale),
        **form,
    )
    np.testing.assert_array_equal(run(model, x), wanted)
    assert np.mean((wanted > target.lowest) & (wanted < 127) & (wanted != 0)) > 0.2, "a vacuous test"


def test_rounding_once_would_give_other_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees the difference: with TFLite's other rounding it fails."""
    monkeypatch.setattr(kernels, "requantize", once)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        test_a_convolution_is_the_reference_kernels(CASES[5], 0)


@pytest.mark.parametrize("seed", range(8))
def test_pooling_and_the_mean_are_the_reference_kernels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    side, padding = int(rng.integers(3, 15)), ("same", "valid")[seed % 2]
    length = int(rng.integers(-3, 6))
    source = r.Format(8, length)
    target = r.Format(8, length + int(rng.integers(-1, 4)))
    x = pixels((4, side, side, 6), seed) // np.int8(1 + seed % 4)
    wanted = kernels.max_pool(x, 3, 2, padding)
    image = models.Tensor((1, *x.shape[1:]), source.scale)
    pool = models.max_pool(image, models.Tensor((1, *wanted.shape[1:]), source.scale), 3, 2, padding)
    np.testing.assert_array_equal(run(pool, x), wanted)
    mean = models.mean(image, models.Tensor((1, 6), target.scale))
    np.testing.assert_array_equal(run(mean, x), kernels.mean(x, source, target))


def test_an_accumulator_that_leaves_32_bits_is_refused() -> None:
    x, kernel = np.full((1, 1, 1, 1), 127, np.int8), np.full((1, 1, 1, 1), 127, np.int8)
    with pytest.raises(ConversionError, match="32 bits"):
        kernels.conv2d(x, kernel, np.array([2**31 - 5], np.int64), (r.Format(8, 0),) * 3)
