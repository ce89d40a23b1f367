"""What the kit decides from the data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec, PruneConfig, from_dict, to_dict
from sqz_tf.data.dataset import Summary
from sqz_tf.pipeline.plan import Options, make_calibration_plan, make_plan


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
