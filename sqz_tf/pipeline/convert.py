"""From the quantized Keras model to the `.tflite` files, and proof that the converter undid nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.tflite.from_keras import Scales, float_model, integer_model, verify_integer
from converters.tflite.writer import to_uint8_twin, with_metadata
from sqz_tf import __version__
from sqz_tf.artifact.exported import FLOAT, INT8, KERAS, NUMBERS, UINT8
from sqz_tf.artifact.workspace import Stage
from sqz_tf.base.errors import ConversionError, translated
from sqz_tf.base.spec import ModelSpec
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline.run import Made, Rival, Run
from sqz_tf.quantize.aware import used_scales
from sqz_tf.quantize.schemes.every import QuantizeConfig, scheme_of
from sqz_tf.train.saved import numbers, write_keras

OPERATORS = frozenset({"CONV_2D", "MAX_POOL_2D", "CONCATENATION", "MEAN", "SOFTMAX"})  # of every SqueezeNet


@dataclass(frozen=True)
class Converted:
    """The stages that hold the models, model.keras among them, and the rivals' `.tflite` files."""

    models: Stage
    rivals: Stage | None

    def rival(self, name: str) -> bytes | None:
        """Return a rival's `.tflite`, None if there is no such rival."""
        path = self.rivals and self.rivals.folder / f"{name}.tflite"
        return path.read_bytes() if path and path.exists() else None


def convert(run: Run, made: Made, pretrained: Pretrained | None) -> Converted:
    """Run or resume the stages that convert."""
    models = run.stage(
        "converted",
        [__version__, made.preprocessing()],
        lambda out: _convert(run, made, pretrained, out),
        needs=[made.quantized],
    )
    rivals = None
    if made.rivals:
        rivals = run.stage(
            "rivals",
            __version__,
            lambda out: _convert_rivals(run.plan.model, made.rivals, out),
            needs=[made.quantized, *made.rival_stages],
        )
    return Converted(models, rivals)


def _convert(run: Run, made: Made, pretrained: Pretrained | None, out: Path) -> None:
    model, final = made.models()
    write_keras(final, out / KERAS)
    (out / NUMBERS).write_bytes(numbers(final))
    int8 = _integer(model, run.plan.quantize, run.plan.model)
    for name, data in ((FLOAT, float_model(final)), (INT8, int8), (UINT8, to_uint8_twin(int8))):
        (out / name).write_bytes(_described(data, run, made, pretrained))


def _convert_rivals(model: ModelSpec, rivals: Sequence[Rival], out: Path) -> None:
    for rival in rivals:
        (out / f"{rival.name}.tflite").write_bytes(_integer(rival.model(), rival.config, model))


def _integer(model: Any, config: QuantizeConfig, spec: ModelSpec) -> bytes:
    """Convert a quantized Keras model and make sure that the converter undid nothing."""
    scheme = scheme_of(config)
    with translated(ConversionError, "the network cannot be converted"):
        int8 = scheme.finish(integer_model(model))
    operators = OPERATORS | scheme.operators | _optional_operators(spec)
    with translated(ConversionError, "the converter changed the network"):
        verify_integer(int8, operators)
        scheme.verify(int8, Scales(*used_scales(model)))
    return int8


def _optional_operators(spec: ModelSpec) -> set[str]:
    return ({"ADD"} if spec.bypass != "none" else set()) | ({"PAD"} if spec.conv10_padding else set())


def _described(model: bytes, run: Run, made: Made, pretrained: Pretrained | None) -> bytes:
    """Return the model with its labels, preprocessing and licence attached."""
    dataset = made.material.dataset
    licences = ["Apache-2.0", f"pictures: {dataset.licence}"]
    return with_metadata(
        model,
        name=f"{run.plan.model.arch} on {dataset.name}",
        description=f"Tells {len(dataset.classes)} classes apart.",
        labels=list(dataset.classes),
        preprocess=made.preprocessing(),
        version=__version__,
        licence="; ".join([*licences, "weights: see LICENCE.weights.txt"] if pretrained else licences),
    )
