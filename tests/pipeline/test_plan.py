"""What the kit decides from the data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec, PruneConfig, from_dict, to_dict
from sqz_tf.data.dataset import Summary
from sqz_tf.pipeline.plan import Options, make_calibration_plan, make_fine_tune_plan, make_plan


def summary(side: int = 300, train: int = 1000, channels: int = 3) -> Summary:
    counts: dict[str, tuple[int, ...]] = {
        "train": (train // 2, train // 2),
        "calibration": (50, 50),
        "validation": (9, 9),
        "test": (9, 9),
    }
    return Summary("name", ("a", "b"), counts, (side + 50, side), channels, "", "0" * 64)


OPTIONS = Options(data=DataConfig())


@pytest.mark.parametrize(
    ("side", "size", "width", "augment"),
    [(8, 48, 0.25, "glyph"), (32, 48, 0.5, "photo"), (64, 96, 0.5, "photo"), (300, 128, 0.5, "photo")],
)
def test_input_width_and_augmentation_follow_the_pictures(side: int, size: int, width: float, augment: str) -> None:
    plan = make_plan(OPTIONS, summary(side))
    assert (plan.model.input_size, plan.model.width, plan.train.augment) == (size, width, augment)
    assert (plan.preprocess.width, plan.preprocess.height) == (size, size)


def test_options_win_over_the_data() -> None:
    options = replace(
        OPTIONS, width=1.0, input_size=224, channels=1, epochs=3, prune_epochs=2, quantize_epochs=1, fit="warp"
    )
    plan = make_plan(options, summary())
    assert (plan.model.width, plan.model.input_size, plan.model.channels) == (1.0, 224, 1)
    assert (plan.train.epochs, plan.prune.epochs, plan.quantize.epochs) == (3, 2, 1)
    assert plan.preprocess.fit == "warp"


METAPARAMETERS = {"base_e": 64, "incr_e": 32, "freq": 4, "squeeze_ratio": 0.75, "pct_3x3": 0.9}


def test_the_papers_metaparameters_reach_the_network() -> None:
    named = replace(OPTIONS, bypass="complex", **METAPARAMETERS)  # type: ignore[arg-type]
    model = to_dict(make_plan(named, summary()).model)
    assert {name: model[name] for name in METAPARAMETERS} == METAPARAMETERS
    usual = make_plan(OPTIONS, summary()).model
    assert (usual.base_e, usual.incr_e, usual.freq, usual.squeeze_ratio, usual.pct_3x3) == (128, 128, 2, 0.125, 0.5)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("base_e", 0, "base_e is 0; expected a number from 1 to 4096"),
        ("incr_e", -1, "incr_e is -1; expected a number from 0 to 4096"),
        ("freq", 0, "freq is 0; expected a number from 1 to 8"),
        ("freq", 9, "freq is 9; expected a number from 1 to 8"),
        ("squeeze_ratio", 1.01, "squeeze_ratio is 1.01; expected a number from 0.01 to 1"),
        ("pct_3x3", 50, "pct_3x3 is 50; expected a number from 0.01 to 0.99"),
        ("pct_3x3", float("nan"), "pct_3x3 is nan; expected a number from 0.01 to 0.99"),
    ],
)
def test_a_metaparameter_out_of_bounds_is_refused_before_any_picture_is_read(
    name: str, value: float, words: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        replace(OPTIONS, **{name: value})  # type: ignore[arg-type]
    assert str(refusal.value) == words


@pytest.mark.parametrize("bypass", ["simple", "complex"])
def test_a_bypass_needs_modules_in_pairs(bypass: str) -> None:
    with pytest.raises(ConfigError, match=rf"freq is 3 with {bypass} bypass; expected an even number.*--freq 2"):
        replace(OPTIONS, bypass=bypass, freq=3)
    assert replace(OPTIONS, bypass=bypass, freq=3, incr_e=0).metaparameters == {"freq": 3, "incr_e": 0}
    assert replace(OPTIONS, freq=3).freq == 3


def test_epochs_fall_and_batches_grow_with_the_number_of_pictures() -> None:
    plans = [make_plan(OPTIONS, summary(train=count)) for count in (100, 1000, 40_000)]
    epochs = [plan.train.epochs for plan in plans]
    assert epochs == sorted(epochs, reverse=True)
    assert len(set(epochs)) == 3
    assert [plan.train.batch_size for plan in plans] == [64, 64, 128]


def test_a_plan_survives_json() -> None:
    plan = make_plan(OPTIONS, summary())
    for spec in (plan.data, plan.preprocess, plan.model, plan.train, plan.prune, plan.quantize, plan.check):
        assert from_dict(type(spec), to_dict(spec)) == spec


def test_unknown_keys_and_impossible_values_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"ModelSpec has no field widht.*width"):
        from_dict(ModelSpec, {"widht": 1})
    with pytest.raises(ConfigError, match=r"pattern is 'rows'.*one of unstructured, block"):
        PruneConfig(pattern="rows")
    with pytest.raises(ConfigError, match=r"sparsity is 50.*from 0 to 0.99"):
        PruneConfig(sparsity=50)
    with pytest.raises(ConfigError, match=r"mean has 3 values.*1"):
        PreprocessSpec(32, 32, channels=1, mean=(0.1, 0.2, 0.3))
    with pytest.raises(ConfigError, match=r"resize_width is 200.*at least width, 227"):
        PreprocessSpec(227, 227, resize_width=200)


@pytest.mark.parametrize(("size", "padding"), [(63, "same"), (64, "valid")])
def test_pooling_is_padded_for_small_inputs(size: int, padding: str) -> None:
    assert ModelSpec(input_size=size).pool_padding == padding
    assert ModelSpec(input_size=size, pool_padding="valid").pool_padding == "valid"


def test_a_rate_is_refused_where_nothing_is_fine_tuned() -> None:
    options = replace(OPTIONS, learning_rate=0.01)
    tuned = replace(options, scheme="ristretto"), replace(options, quantize_epochs=3)
    made = [make_calibration_plan(each, ModelSpec(), PreprocessSpec(227, 227)).quantize for each in tuned]
    assert [(config.epochs, config.learning_rate) for config in made] == [(6, 0.01), (3, 0.01)]
    with pytest.raises(ConfigError, match=r"--learning-rate is 0.01, but nothing is fine-tuned; .*--quantize-epochs"):
        make_calibration_plan(options, ModelSpec(), PreprocessSpec(227, 227))


def test_the_thorough_recipe_is_longer_and_bypassed_and_options_win_over_it() -> None:
    quick, thorough = (make_plan(replace(OPTIONS, recipe=name), summary()) for name in ("quick", "thorough"))
    assert thorough.train.epochs == 4 * quick.train.epochs
    assert (quick.model.bypass, thorough.model.bypass) == ("none", "simple")
    assert (quick.train.augment, thorough.train.augment) == ("photo", "photo-strong")
    chosen = make_plan(replace(OPTIONS, recipe="thorough", bypass="none", augment="photo", epochs=3), summary())
    assert (chosen.model.bypass, chosen.train.augment, chosen.train.epochs) == ("none", "photo", 3)
    assert make_plan(replace(OPTIONS, recipe="thorough"), summary(8)).train.augment == "glyph"


def test_without_sparsity_no_epoch_prunes() -> None:
    assert make_plan(OPTIONS, summary()).prune.epochs
    bare = replace(OPTIONS, sparsity=0.0)
    assert make_plan(bare, summary()).prune.epochs == 0
    preprocess = PreprocessSpec(64, 64)
    for options, prunes in ((OPTIONS, True), (bare, False)):
        plan = make_fine_tune_plan(options, summary(), ModelSpec(input_size=64), preprocess, goes_on=True)
        assert bool(plan.prune.epochs) == prunes
    with pytest.raises(ConfigError, match=r"^--prune-epochs 20 would prune to --sparsity 0"):
        replace(OPTIONS, sparsity=0.0, prune_epochs=20)


def test_dsd_takes_half_the_epochs_twice_and_ends_at_a_tenth_of_the_rate() -> None:
    plan = make_plan(replace(OPTIONS, dsd=True, epochs=20), summary())
    assert plan.dsd is not None
    assert (plan.dsd.sparse_epochs, plan.dsd.dense_epochs) == (10, 10)
    assert plan.dsd.dense_rate == pytest.approx(plan.train.learning_rate / 10)
    assert make_plan(OPTIONS, summary()).dsd is None


def test_a_start_takes_three_quarters_of_the_epochs_and_leaves_a_lower_rate() -> None:
    options = replace(OPTIONS, input_size=96, epochs=20, arch="squeezenet-1.1")
    whole, plan = make_plan(options, summary()), make_plan(replace(options, start_size=48), summary())
    beginning = plan.beginning()
    assert beginning is not None
    assert (beginning.train.epochs, plan.train.epochs) == (15, 5)
    assert (beginning.train.warmup_epochs, plan.train.warmup_epochs, plan.train.patience) == (2.0, 1.0, 10)
    two = make_plan(replace(options, start_size=48, epochs=2), summary())
    assert two.start is not None
    assert (two.start.epochs, two.train.epochs) == (1, 1)
    assert beginning.train.learning_rate == whole.train.learning_rate == 4 * plan.train.learning_rate
    assert (beginning.model.input_size, beginning.preprocess.width, beginning.preprocess.resize_height) == (48, 48, 48)
    assert (beginning.model.pool_padding, plan.model.pool_padding) == ("same", "valid")
    assert (plan.prune, plan.quantize) == (whole.prune, whole.quantize)
    assert (whole.beginning(), beginning.beginning()) == (None, None)


@pytest.mark.parametrize(
    ("start", "epochs", "told"),
    [
        (96, 20, "--start-size 96 is not below the input's 96 pixels"),
        (200, 20, "--start-size 200 is not below"),
        (48, 1, "1 epoch cannot be shared between two sizes"),
        (15, 20, "--start-size is 15; expected a number from 16"),
    ],
)
def test_a_start_that_cannot_be_is_refused(start: int, epochs: int, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_plan(replace(OPTIONS, input_size=96, epochs=epochs, start_size=start), summary())
