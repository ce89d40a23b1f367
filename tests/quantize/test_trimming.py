"""Trimming finds where accuracy breaks, changes nothing it was given, and says what it was asked to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.base.spec import ModelSpec, to_dict
from sqz_tf.quantize import trimming as t
from sqz_tf.quantize.aware import ranged_layers
from sqz_tf.quantize.fixed_point import Format, fractional_length
from sqz_tf.train.keras import keras
from sqz_tf.train.squeezenet import convolutions, squeezenet
from tests.helpers import colour_network

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

BITS = (16, 8, 4, 2)


def network(bypass: str = "none") -> Any:
    """Return a small plain SqueezeNet on pixels from −128 to 127 whose answers differ from picture to picture."""
    keras.utils.set_random_seed(4)
    model = squeezenet(ModelSpec(input_size=40, classes=6, width=0.2, bypass=bypass, dropout=0, conv10_padding=1))
    first = model.get_layer("conv1")
    kernel, bias = first.get_weights()
    first.set_weights([kernel / 64, bias])
    return model


def pictures(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-128, 128, (count, 5, 5, 3)).repeat(8, 1).repeat(8, 2)
    return (coarse * rng.uniform(0.2, 1, (count, 1, 1, 3))).astype(np.float32)


@pytest.fixture(scope="module")
def trimmed() -> tuple[Any, t.Trimming, list[np.ndarray], list[tuple[int, int]]]:
    """A network, what trimming by agreement found, the weights it had before, and the progress that was told."""
    model, told = colour_network.net().keras_model, []
    before = model.get_weights()
    x, test = (colour_network.pictures(count, seed)[0].astype(np.float32) / 255 for count, seed in ((5, 8), (50, 9)))
    found = t.trim(model, x, test, bits=BITS, progress=lambda _, done, total: told.append((done, total)))
    return model, found, before, told


def drops(found: t.Trimming, kind: str, other: str) -> list[float]:
    """Return the points lost from the widest to the narrowest width of one class, the other in float."""
    return [trial.against_float.drop_pp for trial in found.trials if getattr(trial, kind) and not getattr(trial, other)]


def test_sixteen_bits_lose_nothing_and_two_lose_much(trimmed: Any) -> None:
    _, found, _, _ = trimmed
    assert (found.judged_by, found.float_top1, found.images, found.calibration_images) == ("agreement", 1.0, 200, 20)
    for kind, other in (("weights", "outputs"), ("outputs", "weights")):
        lost = drops(found, kind, other)
        assert len(lost) == len(BITS)
        assert lost[0] == 0
        assert lost[-1] > 10, kind
        alone = [trial for trial in found.trials if getattr(trial, kind) and not getattr(trial, other)]
        agreement = [1 - trial.against_float.drop_pp / 100 for trial in alone]
        assert [trial.agreement_top1 for trial in alone] == pytest.approx(agreement)
        assert 0 < alone[0].divergence < 1e-4 < 0.1 < alone[-1].divergence


def test_the_widths_chosen_are_those_within_the_margin(trimmed: Any) -> None:
    _, found, _, _ = trimmed
    for kind, other in (("weights", "outputs"), ("outputs", "weights")):
        alone = {
            getattr(trial, kind): trial.against_float.drop_pp for trial in found.trials if not getattr(trial, other)
        }
        assert alone[found.bits[kind]] <= found.margin_pp
        narrower = [width for width in BITS if width < found.bits[kind]]
        assert alone[narrower[0]] > found.margin_pp


def test_both_classes_are_tried_together_as_chosen_and_at_eight_bits(trimmed: Any) -> None:
    _, found, _, _ = trimmed
    together = [(trial.weights, trial.outputs) for trial in found.trials if trial.weights and trial.outputs]
    assert together == list(dict.fromkeys([(found.bits["weights"], found.bits["outputs"]), (8, 8)]))


def test_the_network_is_left_alone_and_progress_reaches_its_end(trimmed: Any) -> None:
    model, _, before, told = trimmed
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))


def test_labels_are_what_is_right_where_there_are_some() -> None:
    model, test = colour_network.net().keras_model, colour_network.pictures(10, 9)[0].astype(np.float32) / 255
    answers = t.run(model, test, {}).numpy().argmax(axis=1)
    labels = np.where(np.arange(40) < 10, (answers + 1) % 4, answers)
    found = t.trim(model, test[:10], test, labels, bits=(16,))
    assert (found.judged_by, found.float_top1) == ("labels", 0.75)
    assert found.trials[0].top1 == 0.75
    assert (found.trials[0].weights, found.trials[0].outputs) == (16, None)


@pytest.mark.parametrize(
    ("drops", "chosen"),
    [
        ({16: 0.0, 8: 1.0, 4: 50.0}, 8),
        ({16: 0.0, 8: 3.0, 6: 3.1, 4: 1.0}, 8),  # 4 is luck: 6 already fails
        ({16: 5.0, 8: 1.0}, 16),  # nothing narrower can be trusted
        ({16: -1.0, 8: -2.0}, 8),
    ],
)
def test_the_smallest_width_is_the_last_before_the_first_failure(drops: dict[int, float], chosen: int) -> None:
    assert t.smallest([*drops.items(), (None, 99.0)], 3.0) == chosen


def test_every_ranged_layer_gets_the_format_of_the_least_error() -> None:
    model, x = network("simple"), pictures(30, 1)
    found = t.output_formats(model, x, (8, 4))
    assert list(found[8]) == ranged_layers(model)
    for name in ("fire2_concat", "fire3_add", "conv10"):
        values = keras.Model(model.input, model.get_layer(name).output).predict_on_batch(x)
        for bits in (8, 4):
            lengths = range(fractional_length(values, bits) - 3, fractional_length(values, bits) + 9)
            errors: dict[Any, float] = {length: t._squared_error(values, Format(bits, length)) for length in lengths}
            assert errors[found[bits][name].fractional_length] == pytest.approx(min(errors.values()), rel=1e-4)


def test_a_run_layer_by_layer_is_the_networks_own() -> None:
    model, x = network("complex"), pictures(5, 3)
    np.testing.assert_allclose(t.run(model, x, {}), model.predict_on_batch(x), atol=1e-6)
    coarse = t.run(model, x, {"conv1": Format(8, 0), "pool10": Format(8, 3)}).numpy()
    assert np.abs(coarse - model.predict_on_batch(x)).max() > 1e-4


def test_weights_are_on_their_grid_and_zeros_stay() -> None:
    model = network()
    for layer in convolutions(model):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * (np.abs(kernel) > np.median(np.abs(kernel))), bias])
    for per_channel in (False, True):
        formats = t._weight_formats(model, 4, per_channel, t.SEARCHED)
        result = t._with_weights(model, formats)
        for layer in convolutions(result):
            kernel, before = layer.get_weights()[0], model.get_layer(layer.name).get_weights()[0]
            steps = kernel / formats[layer.name].scale
            assert np.array_equal(steps, np.round(steps))
            assert np.abs(steps).max() <= 7
            assert np.all(kernel[before == 0] == 0)
            assert isinstance(formats[layer.name].fractional_length, tuple) == per_channel


def test_the_table_is_plain_values_that_a_report_takes(trimmed: Any) -> None:
    from sqz_tf.report.schema import check
    from sqz_tf.report.sections.fixed_point import TRIMMING

    _, found, _, _ = trimmed
    check(to_dict(found), TRIMMING, "trimming")


@pytest.mark.parametrize("bits", [(), (8, 1), (17,)])
def test_widths_that_cannot_be_simulated_are_refused(bits: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="2 to 16"):
        t.trim(network(), pictures(1, 1), pictures(1, 2), bits=bits)


def test_no_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="no pictures"):
        t.trim(network(), pictures(1, 1), pictures(1, 2)[:0])
