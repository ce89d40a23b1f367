"""Everything a run will do, decided before it starts: the options given, completed by what the data call for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqz_tf.base.console import MOST_THREADS
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import (
    METAPARAMETERS,
    THREADS,
    CheckConfig,
    DataConfig,
    DsdConfig,
    ModelSpec,
    PackConfig,
    PreprocessSpec,
    PruneConfig,
    StartConfig,
    TrainConfig,
    between,
    one_of,
    to_dict,
)
from sqz_tf.data.dataset import Summary, default_input_size
from sqz_tf.network.architecture import require_size
from sqz_tf.pipeline.recipes import QUICK, RECIPES
from sqz_tf.quantize.schemes.every import SCHEMES, QuantizeConfig

LARGE_SET = 10_000  # training pictures from which batches are larger and epochs fewer
LARGEST_SEED = 2**32 - 6  # each stage adds its number to the seed
START_SHARE, RATE_AFTER_START = 0.75, 0.25  # of the epochs, of the learning rate, where --start-size is given
DISTILLING_RATE = 0.002  # quantization steps
SMALL_PICTURE = 16  # glyphs and icons: no mirror images, a narrow network is enough


@dataclass(frozen=True)
class Options:
    """The command line's values; None means: decide from the data."""

    data: DataConfig
    arch: str | None = None
    width: float | None = None
    input_size: int | None = None
    start_size: int | None = None
    channels: int | None = None
    fit: str | None = None
    bypass: str | None = None
    base_e: int | None = None
    incr_e: int | None = None
    freq: int | None = None
    squeeze_ratio: float | None = None
    pct_3x3: float | None = None
    recipe: str = QUICK
    teacher: str | None = None
    augment: str | None = None
    dsd: bool = False
    epochs: int | None = None
    prune_epochs: int | None = None
    quantize_epochs: int | None = None
    learning_rate: float | None = None
    sparsity: float = 0.5
    sparsity_pattern: str = "unstructured"
    scheme: str = "int8"
    per_channel: bool | None = None
    seed: int = 1
    threads: int = THREADS
    distribute: str | None = None
    max_drop: float = 1.0
    pack: PackConfig | None = None
    web: bool = False

    def __post_init__(self) -> None:
        """Refuse what no data could make right, before any picture is read."""
        TrainConfig(epochs=_given(self.epochs, 1), learning_rate=_given(self.learning_rate, 1e-2))
        PruneConfig(sparsity=self.sparsity, pattern=self.sparsity_pattern, epochs=_given(self.prune_epochs, 1))
        if self.prune_epochs and not self.sparsity:
            raise ConfigError(
                f"--prune-epochs {self.prune_epochs} would prune to --sparsity 0, which is nothing",
                fix="leave --prune-epochs out",
            )
        QuantizeConfig(scheme=self.scheme, epochs=_given(self.quantize_epochs, 1))
        CheckConfig(max_drop=self.max_drop)
        between("threads", self.threads, 1, MOST_THREADS)
        between("seed", self.seed, 0, LARGEST_SEED)
        one_of("recipe", self.recipe, tuple(RECIPES))
        ModelSpec(
            input_size=_given(self.input_size, 224),
            width=_given(self.width, 1.0),
            bypass=_given(self.bypass, RECIPES[self.recipe].bypass),
            **self.metaparameters,
        )

    @property
    def metaparameters(self) -> dict[str, Any]:
        """The paper's metaparameters of Fire modules that were given, by name."""
        values = {name: getattr(self, name) for name in METAPARAMETERS}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Plan:
    """One frozen config per stage, and the seed: what a result can be reproduced from."""

    data: DataConfig
    preprocess: PreprocessSpec
    model: ModelSpec
    train: TrainConfig
    prune: PruneConfig
    quantize: QuantizeConfig
    check: CheckConfig
    seed: int
    threads: int = THREADS
    pack: PackConfig | None = None
    web: bool = False
    dsd: DsdConfig | None = None
    start: StartConfig | None = None

    def __post_init__(self) -> None:
        require_size(self.model)
        if self.start:
            self._require_start(self.start)
        if self.train.epochs and self.prune.sparsity and not self.prune.epochs:
            raise ConfigError("0 pruning epochs reach no sparsity", fix="use --sparsity 0, or --prune-epochs 5 or more")

    def _require_start(self, start: StartConfig) -> None:
        if start.input_size >= self.model.input_size:
            raise ConfigError(
                f"--start-size {start.input_size} is not below the input's {self.model.input_size} pixels",
                fix="lower it, or raise --input-size",
            )
        if not self.train.epochs:
            raise ConfigError("1 epoch cannot be shared between two sizes", fix="give --epochs 2 or more")

    def beginning(self) -> Plan | None:
        """Return the plan of the first part of dense training, if that is on smaller pictures."""
        start = self.start
        if start is None:
            return None
        size = start.input_size
        return replace(
            self,
            preprocess=replace(self.preprocess, width=size, height=size, resize_width=size, resize_height=size),
            model=replace(self.model, input_size=size, pool_padding="auto"),
            train=lasting(self.train, start.epochs, start.learning_rate),
            start=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return to_dict(self)


def make_plan(options: Options, summary: Summary) -> Plan:
    """Complete the options for a data set.

    Photographs get a network half as wide as the paper's, small glyphs (shorter side up to 16 pixels) a quarter,
    and no mirrored pictures. The number of epochs falls with the number of pictures, so that training takes
    minutes, not hours, on two cores; pruning and quantization take a third and an eighth of it more.
    """
    glyph = min(summary.median_size) <= SMALL_PICTURE
    size = _given(options.input_size, default_input_size(summary))
    channels = _given(options.channels, summary.channels)
    train = _train_config(options, sum(summary.counts["train"]), glyph)
    start = _start(options.start_size, train) if options.start_size is not None else None
    return Plan(
        data=options.data,
        preprocess=PreprocessSpec(size, size, channels=channels, fit=options.fit or "centre-crop"),
        model=ModelSpec(
            arch=options.arch or "squeezenet-1.1",
            input_size=size,
            channels=channels,
            classes=len(summary.classes),
            width=_given(options.width, 0.25 if glyph else 0.5),
            bypass=_given(options.bypass, RECIPES[options.recipe].bypass),
            **options.metaparameters,
            batch_norm=True,
            dropout=RECIPES[options.recipe].dropout,
        ),
        train=_after(start, train) if start else train,
        prune=PruneConfig(
            sparsity=options.sparsity,
            pattern=options.sparsity_pattern,
            epochs=_share(options.prune_epochs, train.epochs, 1 / 3, 5) if options.sparsity else 0,
            learning_rate=train.learning_rate / 3,
        ),
        quantize=QuantizeConfig(
            scheme=options.scheme,
            per_channel=options.per_channel,
            epochs=_share(options.quantize_epochs, train.epochs, 1 / 8, 2),
            learning_rate=train.learning_rate / 20,
        ),
        check=CheckConfig(max_drop=options.max_drop),
        seed=options.seed,
        threads=options.threads,
        pack=options.pack,
        web=options.web,
        dsd=_dsd(train) if options.dsd else None,
        start=start,
    )


def _start(size: int, train: TrainConfig) -> StartConfig:
    """Return the part of a training that smaller pictures take: three quarters of its epochs, at its rate."""
    epochs = max(1, min(round(START_SHARE * train.epochs), train.epochs - 1))
    return StartConfig(size, epochs, train.learning_rate)


def _after(start: StartConfig, train: TrainConfig) -> TrainConfig:
    """Return what is left of a training after such a start: at a rate that does not undo what was learnt."""
    return lasting(train, train.epochs - start.epochs, train.learning_rate * RATE_AFTER_START)


def lasting(train: TrainConfig, epochs: int, learning_rate: float) -> TrainConfig:
    """Return a training of so many epochs, with the warm-up and the patience that go with them."""
    return replace(
        train,
        epochs=epochs,
        learning_rate=learning_rate,
        warmup_epochs=_warmup_epochs(epochs),
        patience=_patience(epochs),
    )


def _dsd(train: TrainConfig) -> DsdConfig:
    """Return the detour of a training: half its epochs sparse, half dense again, at a tenth of its rate at last."""
    half = max(1, train.epochs // 2)
    return DsdConfig(
        sparse_epochs=half,
        dense_epochs=half,
        sparse_rate=train.learning_rate / 3,
        dense_rate=train.learning_rate / 10,
    )


def make_fine_tune_plan(
    options: Options, summary: Summary, model: ModelSpec, preprocess: PreprocessSpec, goes_on: bool
) -> Plan:
    """Complete the options for published weights: a low rate, few epochs, the weights' own input.

    Args:
      model: the published network at the wanted input size.
      preprocess: its preprocessing at that size.
      goes_on: whether their head stays and is trained on; else there is a new one.
    """
    scratch = make_plan(options, summary)
    epochs = options.epochs if options.epochs is not None else max(12, scratch.train.epochs // 3)
    rate = _given(options.learning_rate, 5e-5)
    train = replace(
        scratch.train,
        epochs=epochs,
        batch_size=scratch.train.batch_size if goes_on else 32,
        learning_rate=rate,
        warmup_epochs=min(1.0, epochs / 5),
        patience=max(6, epochs // 2),
        averaging=scratch.train.averaging if goes_on else 0.0,
        goes_on=goes_on,
    )
    return replace(
        scratch,
        start=None,
        preprocess=preprocess if options.fit is None else replace(preprocess, fit=options.fit),
        model=replace(
            model,
            classes=len(summary.classes),
            dropout=scratch.model.dropout if goes_on else 0.5,
            conv10_padding=model.conv10_padding if goes_on else 0,
        ),
        train=train,
        prune=replace(
            scratch.prune,
            epochs=_share(options.prune_epochs, epochs, 1 / 2, 4) if options.sparsity else 0,
            learning_rate=rate / 2,
        ),
        quantize=replace(
            scratch.quantize, epochs=_share(options.quantize_epochs, epochs, 1 / 8, 2), learning_rate=rate / 10
        ),
        dsd=_dsd(train) if options.dsd else None,
    )


def make_calibration_plan(options: Options, model: ModelSpec, preprocess: PreprocessSpec) -> Plan:
    """Complete the options for published weights that are quantized without training, or distilled.

    Raises:
      ConfigError: a rate is given where nothing is fine-tuned.
    """
    epochs = _given(options.quantize_epochs, SCHEMES[options.scheme].distilling_epochs)
    if options.learning_rate is not None and not epochs:
        raise ConfigError(
            f"--learning-rate is {options.learning_rate:g}, but nothing is fine-tuned",
            fix="leave it out, or fine-tune with --quantize-epochs 6",
        )
    return Plan(
        data=options.data,
        preprocess=preprocess if options.fit is None else replace(preprocess, fit=options.fit),
        model=model,
        train=TrainConfig(epochs=0),
        prune=PruneConfig(sparsity=0.0, epochs=0),
        quantize=QuantizeConfig(
            scheme=options.scheme,
            per_channel=options.per_channel,
            epochs=epochs,
            learning_rate=_given(options.learning_rate, DISTILLING_RATE),
        ),
        check=CheckConfig(max_drop=options.max_drop),
        seed=options.seed,
        threads=options.threads,
        pack=options.pack,
        web=options.web,
    )


def _train_config(options: Options, pictures: int, glyph: bool) -> TrainConfig:
    large, recipe = pictures > LARGE_SET, RECIPES[options.recipe]
    epochs = _given(options.epochs, recipe.longer * _default_epochs(pictures))
    return TrainConfig(
        epochs=epochs,
        batch_size=128 if large else 64,
        learning_rate=_given(options.learning_rate, recipe.learning_rate),
        warmup_epochs=_warmup_epochs(epochs),
        weight_decay=recipe.weight_decay,
        augment=_given(options.augment, "glyph" if glyph else recipe.photo),
        patience=_patience(epochs),
        averaging=recipe.averaging,
        mix=recipe.mix,
        teacher_share=recipe.teacher_share if options.teacher else 0.0,
    )


def _warmup_epochs(epochs: int) -> float:
    return min(2.0, epochs / 5)


def _patience(epochs: int) -> int:
    return max(10, epochs // 3)


def _default_epochs(pictures: int) -> int:
    """Return 108 epochs for a hundred pictures, 54 for a thousand, 36 from 4,000 on."""
    return max(36, min(108, round(54 * (1000 / max(1, pictures)) ** 0.3)))


def _given(value: Any, default: Any) -> Any:
    """Return an option's value, which may be zero, or the default if it was not given."""
    return default if value is None else value


def _share(given: int | None, epochs: int, share: float, least: int) -> int:
    return given if given is not None else max(least, round(epochs * share))
