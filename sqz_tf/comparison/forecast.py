"""What a comparison would make: sizes by arithmetic, before anything is trained."""

from __future__ import annotations

import math
from typing import Any

from sqz_tf.artifact.disk import NEED_BYTES
from sqz_tf.artifact.exported import REFERENCE, Export
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ModelSpec
from sqz_tf.comparison.paper import CONV_BITS, DENSITY, FC_BITS, TABLE_2
from sqz_tf.data.dataset import trains_nothing
from sqz_tf.network import alexnet, architecture
from sqz_tf.network.alexnet import AlexNetSpec
from sqz_tf.network.exported_weights import read_exported

FLOAT = 4  # bytes
MOST_PARAMETERS = 500_000_000  # of AlexNet, eight times the original
CHECKPOINTS = 40  # bytes a parameter: weights, their average, two moments and the best weights, old and new


def alexnet_of(model: ModelSpec) -> AlexNetSpec:
    """Return the AlexNet for a SqueezeNet: of the same input, classes and width."""
    return AlexNetSpec(model.input_size, model.channels, model.classes, model.width)


def require_possible(spec: AlexNetSpec) -> None:
    """Refuse an AlexNet that hardly a machine could train.

    Raises:
      ConfigError: it is too large.
    """
    if (count := alexnet.parameters(spec)) > MOST_PARAMETERS:
        raise ConfigError(
            f"AlexNet would have {count:,} parameters", expected=f"at most {MOST_PARAMETERS:,}", fix="lower --width"
        )


def require_alike(export: Export) -> None:
    """Refuse an export whose training AlexNet cannot have, too: the table would compare training, not networks.

    Raises:
      ConfigError: it was not trained on its pictures alone, from nothing and in one go; or it lacks what is compared.
      ExportError: what it holds is damaged.
    """
    config, folder = export.config, export.folder
    if trains_nothing(config):
        raise ConfigError(
            f"{folder} was quantized without training: AlexNet has no pictures to learn from",
            expected="an export that trained on its data",
            fix="export with training, or leave --export out",
        )
    train = config.get("train")
    helped = {
        "started from weights (--weights)": config.get("weights"),
        "learnt from a teacher (--teacher)": isinstance(train, dict) and train.get("teacher"),
        "was trained dense, sparse, dense (--dsd)": config.get("dsd"),
        "began with smaller pictures (--start-size)": config.get("start"),
    }
    if found := [how for how, value in helped.items() if value]:
        raise ConfigError(
            f"the network of {folder} {' and '.join(found)}, and AlexNet would be trained without",
            expected="an export trained from nothing on its data, as AlexNet is",
            fix="export without it, or leave --export out",
        )
    if export.reference_answers is None:
        raise ConfigError(f"{folder} does not hold {REFERENCE}, the float network's answers", fix="export again")
    read_exported(folder)


def needed_bytes(spec: AlexNetSpec) -> int:
    """Return the disk space that training an AlexNet may take at once."""
    return NEED_BYTES + CHECKPOINTS * alexnet.parameters(spec)


def foresee(spec: AlexNetSpec, model: ModelSpec) -> dict[str, Any]:
    """Return what is known of the rows beforehand, as plain values; what Huffman's code saves is not.

    Args:
      spec: AlexNet.
      model: SqueezeNet.
    """
    squeezenet = sum(math.prod(shape) + shape[-1] for shape in architecture.layer_shapes(model).values())
    sizes = {
        "alexnet": FLOAT * alexnet.parameters(spec),
        "alexnet_pruned": _sparse(spec, dict.fromkeys(DENSITY, 8 * FLOAT)),
        "alexnet_deep": _sparse(spec, {name: FC_BITS if name.startswith("fc") else CONV_BITS for name in DENSITY}),
        "squeezenet": FLOAT * squeezenet,
    }
    return {
        "alexnet": alexnet.described(spec),
        "alexnet_parameters": alexnet.parameters(spec),
        "squeezenet_parameters": squeezenet,
        "bytes": sizes,
        "times": {key: sizes["alexnet"] / size for key, size in sizes.items()},
        "paper_times": {key: TABLE_2[key].times for key in sizes},
    }


def _sparse(spec: AlexNetSpec, bits: dict[str, int]) -> int:
    """Return the bytes of AlexNet at the paper's densities with so many bits for a weight, and its gap beside it."""
    total = 0.0
    for name, shape in alexnet.layer_shapes(spec).items():
        gap = FC_BITS if name.startswith("fc") else CONV_BITS
        total += math.prod(shape) * DENSITY[name] * (bits[name] + gap) / 8 + FLOAT * shape[-1]
    return round(total)
