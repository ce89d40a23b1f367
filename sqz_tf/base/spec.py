"""What passes between the stages: one frozen dataclass per stage, checked when made, saved with the result.

Nothing here imports TensorFlow. `to_dict` / `from_dict` are exact inverses; `from_dict` refuses unknown keys.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.json_files import typed

ARCHS = ("squeezenet-1.0", "squeezenet-1.1")
BYPASSES = ("none", "simple", "complex")
FITS = ("warp", "centre-crop")
SMALLEST_START = 16  # pixels from which something can be learnt
METAPARAMETERS = ("base_e", "incr_e", "freq", "squeeze_ratio", "pct_3x3")  # of Fire modules; the paper's section 5.1
COPIES = ("apart", "ignore")
AUGMENTS = ("none", "glyph", "photo", "photo-crop", "photo-strong")
MIRRORED = ("photo", "photo-crop", "photo-strong")
PATTERNS = ("unstructured", "block")  # of zeros
LEAST_WIDTH, MOST_WIDTH = 0.05, 8
MOST_FILTERS, FIRE_MODULES = 4096, 8  # of one Fire module at width 1; of a network
LEAST_LEARNT = 10  # pictures that a pack can be rounded with
THREADS = 8  # of TensorFlow: results depend on them, not on the processors
ON_GPUS, ON_MACHINES = DISTRIBUTIONS = ("mirrored", "multiworker")  # how training is shared out

Spec = TypeVar("Spec")


def to_dict(spec: Any) -> dict[str, Any]:
    """Return a spec as plain JSON values (tuples become lists)."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value

    result: dict[str, Any] = plain(dataclasses.asdict(spec))
    return result


def from_dict(cls: type[Spec], values: Any, where: str = "") -> Spec:
    """Build a spec from `to_dict`'s result; `where` is its place, such as `preprocess`, for messages.

    Raises:
      ConfigError: a key is unknown or missing, a value is of another type or not finite, or refused by the spec itself.
    """
    spec: Spec = typed(values, cls, where)
    return spec


def one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raise ConfigError unless a value is one of those allowed."""
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}", expected=f"one of {', '.join(map(str, allowed))}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless low <= value <= high."""
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}", expected=f"a number from {low} to {high}")


@dataclass(frozen=True)
class PreprocessSpec:
    """How a picture becomes the network's input. Travels inside every `.tflite` as `preprocess.json`.

    In this order: decode to 8-bit RGB, turn to grey if `channels` is 1, fit (`centre-crop`: cut the largest
    centred rectangle of the aspect ratio `resize_width`:`resize_height`; `warp`: keep everything), resize to
    `resize_width` × `resize_height` by the integer rule of docs/formats/preprocess.md, cut the centred
    `width` × `height`. The device sees these bytes: int8 input is `pixel ^ 0x80`, float input `pixel * scale`.

    `mean` and `std` (in units of `pixel * scale`, one per channel) say what has been folded into conv1: the
    network was trained on `(pixel * scale - mean) / std`. Nobody applies them again. `channel_order` is the order
    of the bytes the device sends, RGB or GRAY; a network trained on BGR has its conv1 reordered.
    """

    width: int
    height: int
    channels: int = 3
    fit: str = "centre-crop"
    resize_width: int = 0
    resize_height: int = 0
    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    channel_order: str = ""

    def __post_init__(self) -> None:
        one_of("channels", self.channels, (1, 3))
        one_of("fit", self.fit, FITS)
        if not self.channel_order:
            object.__setattr__(self, "channel_order", "RGB" if self.channels == 3 else "GRAY")
        one_of("channel_order", self.channel_order, ("RGB",) if self.channels == 3 else ("GRAY",))
        between("scale", self.scale, 1e-6, 1e6)
        for name in ("width", "height"):
            between(name, getattr(self, name), 1, 4096)
            if not getattr(self, f"resize_{name}"):
                object.__setattr__(self, f"resize_{name}", getattr(self, name))
            between(f"resize_{name}", getattr(self, f"resize_{name}"), 1, 4096)
            if getattr(self, f"resize_{name}") < getattr(self, name):
                raise ConfigError(
                    f"resize_{name} is {getattr(self, f'resize_{name}')}",
                    expected=f"at least {name}, {getattr(self, name)}",
                )
        for name, default in (("mean", 0.0), ("std", 1.0)):
            if not getattr(self, name):
                object.__setattr__(self, name, (default,) * self.channels)
            if len(getattr(self, name)) != self.channels:
                raise ConfigError(f"{name} has {len(getattr(self, name))} values", expected=str(self.channels))


@dataclass(frozen=True)
class ModelSpec:
    """A SqueezeNet, by the paper's names (Iandola et al. 2016, arXiv:1602.07360, sections 3 and 5).

    Fire module i (0-based) has e = base_e + incr_e * floor(i / freq) expand filters, of which pct_3x3 are 3×3,
    and squeeze_ratio * e squeeze filters. `width` multiplies every layer but the last. A simple bypass goes around
    every other module, which must keep the number of channels, so `freq` is even then, or `incr_e` 0.
    `pool_padding`: `valid` gives the paper's sizes; `auto` is `same` below 64 pixels, `valid` from there on.
    `conv10_padding` 1 is the published v1.0 network.
    """

    arch: str = "squeezenet-1.1"
    input_size: int = 224
    channels: int = 3
    classes: int = 1000
    width: float = 1.0
    bypass: str = "none"
    squeeze_ratio: float = 0.125
    pct_3x3: float = 0.5
    base_e: int = 128
    incr_e: int = 128
    freq: int = 2
    pool_padding: str = "auto"
    conv10_padding: int = 0
    batch_norm: bool = False
    dropout: float = 0.5

    def __post_init__(self) -> None:
        one_of("arch", self.arch, ARCHS)
        one_of("channels", self.channels, (1, 3))
        one_of("bypass", self.bypass, BYPASSES)
        one_of("pool_padding", self.pool_padding, ("auto", "same", "valid"))
        one_of("conv10_padding", self.conv10_padding, (0, 1))
        between("input_size", self.input_size, 1, 1024)
        between("classes", self.classes, 2, 100_000)
        between("width", self.width, LEAST_WIDTH, MOST_WIDTH)
        between("squeeze_ratio", self.squeeze_ratio, 0.01, 1)
        between("pct_3x3", self.pct_3x3, 0.01, 0.99)
        between("base_e", self.base_e, 1, MOST_FILTERS)
        between("incr_e", self.incr_e, 0, MOST_FILTERS)
        between("freq", self.freq, 1, FIRE_MODULES)
        between("dropout", self.dropout, 0, 0.95)
        if self.pool_padding == "auto":
            object.__setattr__(self, "pool_padding", "same" if self.input_size < 64 else "valid")
        if self.bypass != "none" and self.freq % 2 and self.incr_e:
            raise ConfigError(
                f"freq is {self.freq} with {self.bypass} bypass",
                expected="an even number: a sum needs as many channels before every other module as after it",
                fix="use --freq 2, or --bypass none",
            )


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, and how they are split.

    `source`: `digits`, `cifar10`, `tfds:NAME`, a folder or a `.zip`. Fractions of 0 mean the default: a quarter
    for test and 15 % for validation under 10,000 pictures, a tenth each from there on. `splits` and `zip_encoding`
    say how a folder or `.zip` is to be read (`sqz_tf.images.find.Reading`); empty, that is found out. `copies`: keep
    pictures of it that look the same apart from those that judge, or ignore how they look.
    """

    source: str = "digits"
    test_fraction: float = 0.0
    validation_fraction: float = 0.0
    calibration_images: int = 200
    splits: str = ""
    zip_encoding: str = ""
    copies: str = "apart"

    def __post_init__(self) -> None:
        one_of("copies", self.copies, COPIES)
        between("test_fraction", self.test_fraction, 0, 0.9)
        between("validation_fraction", self.validation_fraction, 0, 0.9)
        between("calibration_images", self.calibration_images, 1, 100_000)


@dataclass(frozen=True)
class TrainConfig:
    """Training from scratch or fine-tuning: Adam, warm-up, cosine decay.

    `averaging`: epochs that the moving average of the weights spans, which is judged and kept (0: none). `mix`: alpha
    of mix-up. `goes_on`: whether the weights' own last layer is trained on, rather than a new one. `teacher`: sha256
    of the network whose answers are `teacher_share` of what is learnt, if there is one.
    """

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    warmup_epochs: float = 2.0
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    augment: str = "photo"
    patience: int = 20
    averaging: float = 0.0
    mix: float = 0.0
    goes_on: bool = False
    teacher: str = ""
    teacher_share: float = 0.0

    def __post_init__(self) -> None:
        one_of("augment", self.augment, AUGMENTS)
        between("averaging", self.averaging, 0, 1000)
        between("mix", self.mix, 0, 10)
        between("teacher_share", self.teacher_share, 0, 1)
        between("epochs", self.epochs, 0, 100_000)
        between("batch_size", self.batch_size, 1, 65_536)
        between("learning_rate", self.learning_rate, 1e-9, 10)


@dataclass(frozen=True)
class PruneConfig:
    """Magnitude pruning by TF-MOT's polynomial schedule (Zhu and Gupta 2017, arXiv:1710.01878).

    `sparsity` in [0, 1) is the fraction of zeros in every pruned layer: all convolutions but those in `skip`.
    `pattern`: weights go one by one (`unstructured`), or in blocks of four channels by two inputs, which a
    microcontroller's kernel leaves out (`block`; docs/adr/0019-block-pruning.md).
    """

    sparsity: float = 0.5
    pattern: str = "unstructured"
    epochs: int = 20
    learning_rate: float = 1e-3
    skip: tuple[str, ...] = ("conv1",)

    def __post_init__(self) -> None:
        between("sparsity", self.sparsity, 0, 0.99)
        one_of("pattern", self.pattern, PATTERNS)
        between("epochs", self.epochs, 0, 100_000)


@dataclass(frozen=True)
class DsdConfig:
    """Dense, sparse, dense (Han et al. 2017, arXiv:1607.04381): a detour that regularises, and ends dense.

    After the dense training the smallest weights of each layer are pruned and the rest is trained, then all are, the
    pruned ones from zero, at a tenth of the first rate.
    """

    sparsity: float = 0.3
    sparse_epochs: int = 12
    dense_epochs: int = 12
    sparse_rate: float = 3e-3
    dense_rate: float = 1e-3

    def __post_init__(self) -> None:
        between("dsd sparsity", self.sparsity, 0.01, 0.99)
        between("dsd sparse_epochs", self.sparse_epochs, 1, 100_000)
        between("dsd dense_epochs", self.dense_epochs, 1, 100_000)


@dataclass(frozen=True)
class StartConfig:
    """Dense training that begins with smaller pictures (progressive resizing; Tan and Le 2021, arXiv:2104.00298).

    A network whose last layer is followed by a mean takes pictures of any size; a step on smaller ones takes a fraction
    of the time. The rest of the epochs, those of `TrainConfig`, are at full size.
    """

    input_size: int
    epochs: int
    learning_rate: float

    def __post_init__(self) -> None:
        between("--start-size", self.input_size, SMALLEST_START, 1024)


@dataclass(frozen=True)
class CheckConfig:
    """The gate: the largest loss of top-1, in percentage points of the held-out split, that passes."""

    max_drop: float = 1.0
    parity_images: int = 32

    def __post_init__(self) -> None:
        between("max_drop", self.max_drop, 0, 100)
        between("parity_images", self.parity_images, 1, 100_000)


@dataclass(frozen=True)
class PackConfig:
    """What a pack must keep to (docs/how-to/packs.md).

    `budget_kb`: at most so many thousand bytes; 0 asks for as few as `max_drop` allows. `max_drop`: percentage points
    of top-1 that the packed network may lose, which its divergence is chosen for, without any label. `epochs` of
    tuning on the pictures, if there are some hundred; 0 only rounds.
    """

    budget_kb: float = 0.0
    max_drop: float = 1.0
    epochs: int = 6

    def __post_init__(self) -> None:
        between("budget_kb", self.budget_kb, 0, 100_000)
        between("max_drop", self.max_drop, 0, 100)
        between("epochs", self.epochs, 0, 10_000)
