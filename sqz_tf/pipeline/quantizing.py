"""What both recipes do with a float network: quantize it into a stage, read it back, compare it with its rival."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sqz_tf.artifact.workspace import Stage
from sqz_tf.base.pixels import Range
from sqz_tf.base.spec import ModelSpec
from sqz_tf.parity.artifacts import spread
from sqz_tf.pipeline.files import read_json, read_ranges, read_weights, write_json
from sqz_tf.pipeline.run import Material, Rival, Run
from sqz_tf.quantize.aware import Kernels, quantize_aware
from sqz_tf.quantize.schemes.every import SCHEMES, QuantizeConfig, grid_of, scheme_of
from sqz_tf.quantize.trimming import trim
from sqz_tf.train.squeezenet import change_pixels, plain_squeezenet

BEFORE, RIVAL = "before", "rival"  # names of rivals, and of their `.tflite` while they are judged
TRIM_IMAGES = 400


def plain_network(spec: ModelSpec, weights: Path) -> Any:
    """Return the plain network with the weights of a file."""
    model = plain_squeezenet(spec)
    model.set_weights(read_weights(weights))
    return model


def aware(
    plain: Any, config: QuantizeConfig, scale: float, ranges: dict[str, Range], bounds: Kernels | None = None
) -> Any:
    """Return a quantization-aware copy of a plain network.

    Args:
      scale: what the float network sees of a pixel is `pixel * scale`.
      ranges: output range of each layer that gets one.
      bounds: magnitude of integer 127 in each kernel; by default the grid's.
    """
    grid = grid_of(config)
    return quantize_aware(plain, ranges, grid.pixels(scale).range, grid, bounds, grid.gains(scale))


def read_quantized(folder: Path, config: QuantizeConfig, spec: ModelSpec, scale: float) -> tuple[Any, Any]:
    """Return the quantized Keras model that a stage kept, and the plain network it was made of."""
    plain = plain_network(spec, folder / "plain.npz")
    model = aware(plain, config, scale, read_ranges(folder / "ranges.json"))
    model.set_weights(read_weights(folder / "weights.npz"))
    return model, plain


def rivals(
    run: Run,
    material: Material,
    needs: Sequence[Stage],
    plain: Callable[[], Any],
    quantize: Callable[[Path, QuantizeConfig], None],
    *,
    epochs: int,
) -> tuple[tuple[Rival, ...], tuple[Stage, ...], dict[str, Any] | None]:
    """Make what a scheme is compared with: its rival's quantization of the same network, and fewer bits.

    Args:
      needs: stages that hold the float network.
      plain: gives the float network that is quantized.
      quantize: writes a quantization of it into a folder.
      epochs: of the rival's fine-tuning.

    Returns:
      The rivals, the stages that hold them, and the trimming where the scheme asks for it; nothing for a scheme
      without a rival.
    """
    config, scale = run.plan.quantize, material.preprocess.scale
    scheme = scheme_of(config)
    if scheme.rival is None:
        return (), (), None
    other = replace(config, scheme=SCHEMES[scheme.rival].name, per_channel=None, epochs=epochs)
    stage = run.stage(RIVAL, other, lambda out: quantize(out, other), needs=needs)
    rival = Rival(RIVAL, other, lambda: read_quantized(stage.folder, other, run.plan.model, scale)[0])
    return (rival,), (stage,), _trimming(run, material, needs, plain) if scheme.trims else None


def before_tuning(quantized: Stage, config: QuantizeConfig, spec: ModelSpec, scale: float) -> tuple[Rival, ...]:
    """Return the network before fine-tuning as a rival, where its scheme is compared and it was fine-tuned."""
    weights = quantized.folder / f"{BEFORE}.npz"
    if scheme_of(config).rival is None or not weights.exists():
        return ()

    def model() -> Any:
        found, _ = read_quantized(quantized.folder, config, spec, scale)
        found.set_weights(read_weights(weights))
        return found

    return (Rival(BEFORE, config, model),)


def _trimming(run: Run, material: Material, needs: Sequence[Stage], plain: Callable[[], Any]) -> Any:
    per_channel = bool(run.plan.quantize.per_channel)
    trimmed = run.stage(
        "trimmed", per_channel, lambda out: _trim(run, material, out, plain(), per_channel), needs=needs
    )
    return read_json(trimmed.folder / "trimming.json")


def _trim(run: Run, material: Material, out: Path, plain: Any, per_channel: bool) -> None:
    data = material.dataset
    rows = data.splits["test"][spread(len(data.splits["test"]), TRIM_IMAGES)]
    pixels = grid_of(run.plan.quantize).pixels(material.preprocess.scale)
    found = trim(
        change_pixels(plain, material.raw, pixels),
        material.numbers(data.splits["calibration"], pixels),
        material.numbers(rows, pixels),
        data.labels[rows],
        per_channel=per_channel,
        progress=run.console.step,
    )
    write_json(out / "trimming.json", asdict(found))
