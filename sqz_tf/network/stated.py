"""What a file of weights leaves open of its network: as its layout has it, or as a file beside it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqz_tf.artifact.exported import Export
from sqz_tf.base.errors import ConfigError, translated
from sqz_tf.base.json_files import load, typed
from sqz_tf.base.spec import BYPASSES, FITS, ModelSpec, PreprocessSpec, between, from_dict, one_of
from sqz_tf.network.exported_weights import licence_in
from sqz_tf.network.weight_files import WeightsError

ENDING = ".network.json"
"""Of the file beside FILE: FILE.network.json, any of the fields of `Input` and `Graph`."""
THIS_KIT = "sqz-tf"
"""Source of the layouts of networks that this kit made."""
_ORDERS = ("RGB", "BGR")
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Input:
    """What becomes of a picture: fit, resize, cut, then `(pixel * scale - mean) / std` in this order of channels."""

    channel_order: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: str
    resize: int

    def __post_init__(self) -> None:
        one_of("channel_order", self.channel_order, _ORDERS)
        one_of("fit", self.fit, FITS)
        between("scale", self.scale, 1e-6, 1e6)
        between("resize", self.resize, 1, 4096)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3:
                raise ConfigError(f"{name} has {len(values)} values", expected="3, in the order of the channels")
        between("the smallest std", min(self.std), 1e-6, 1e6)


@dataclass(frozen=True)
class Graph:
    """What is between the convolutions."""

    conv10_padding: int
    bypass: str | None = None

    def __post_init__(self) -> None:
        one_of("conv10_padding", self.conv10_padding, (0, 1))
        one_of("bypass", self.bypass, (*BYPASSES, None))


def with_stated(path: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a layout's facts, with what a file beside the weights says in their place.

    Raises:
      WeightsError: that file says something else.
    """
    beside = path.with_name(path.name + ENDING)
    if not beside.is_file():
        return _exported(path, facts)
    with translated(WeightsError, f"{beside} cannot be used", of=(ConfigError, OSError)):
        given = load(beside, dict[str, Any], most_bytes=_MOST_BYTES)
        known = {name: facts[name] for name in Graph.__dataclass_fields__ if name in facts}
        graph = typed({**known, **_of(given, Graph)}, Graph)
        rule = typed({**facts["preprocess"], **_others(given, Graph)}, Input)
    return {**facts, **asdict(graph), "preprocess": asdict(rule), "assumed": ""}


def _exported(path: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a network of this kit as the export says that it lies in."""
    export = Export.beside(path) if facts["source"] == THIS_KIT else None
    if export is None:
        return facts
    with translated(WeightsError, f"{export.folder} is damaged", of=(ConfigError, KeyError)):
        rule = from_dict(PreprocessSpec, export.config["preprocess"], "preprocess")
        model = from_dict(ModelSpec, export.config["model"], "model")
    inside = {"channel_order": "RGB", "scale": rule.scale, "mean": (0, 0, 0), "std": (1, 1, 1)}
    preprocess = {**inside, "fit": rule.fit, "resize": rule.resize_width}
    own = {"input_size": model.input_size, "bypass": model.bypass, "conv10_padding": model.conv10_padding}
    return {**facts, **own, "preprocess": preprocess, "assumed": "", "notice": licence_in(export.folder)}


def assumed(path: Path, facts: Mapping[str, Any]) -> list[str]:
    """Return what to tell of a network that its file leaves open."""
    said = facts.get("assumed")
    return [f"{said}; if not so, say it in {path.name}{ENDING} (docs/formats/weight-files.md)"] if said else []


def _of(given: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in kind.__dataclass_fields__}


def _others(given: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in kind.__dataclass_fields__}
