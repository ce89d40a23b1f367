"""The TFLite metadata FlatBuffer of an image classifier, written field by field.

Numbers are the fields' positions and the enums' values in the public
`tensorflow_lite_support/metadata/metadata_schema.fbs`, version 1.1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np

from converters.tflite.model import Model, Tensor

METADATA_IDENTIFIER = b"M001"
LABELS_FILE = "labels.txt"
PREPROCESS_FILE = "preprocess.json"

_LABELS, _DESCRIPTIONS = 2, 1  # AssociatedFileType
_IMAGE_PROPERTIES = 2  # union ContentProperties
_NORMALIZATION = 1  # union ProcessUnitOptions
_COLOUR_SPACES = {3: 1, 1: 2}  # channels → ColorSpaceType RGB, GRAYSCALE
_PARSER_VERSION = "1.0.0"  # the first that knows every field below


def _table(builder: Any, **fields: Any) -> int:
    """Write a table; `f3=("offset" | "uint8" | "uint32", value)` is the field at position 3."""
    writers = {
        "offset": builder.PrependUOffsetTRelativeSlot,
        "uint8": builder.PrependUint8Slot,
        "uint32": builder.PrependUint32Slot,
    }
    positions = {int(key[1:]): value for key, value in fields.items()}
    builder.StartObject(max(positions) + 1)
    for position, (kind, value) in positions.items():
        writers[kind](position, value, 0)
    return int(builder.EndObject())


def _strings(builder: Any, **fields: str) -> dict[str, Any]:
    return {key: ("offset", builder.CreateString(text)) for key, text in fields.items() if text}


def _offsets(builder: Any, values: Sequence[int]) -> tuple[str, int]:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return "offset", int(builder.EndVector())


def _floats(builder: Any, values: Sequence[float]) -> tuple[str, int]:
    return "offset", int(builder.CreateNumpyVector(np.asarray(values, np.float32)))


def _file(builder: Any, name: str, description: str, kind: int) -> int:
    texts = _strings(builder, f0=name, f1=description)
    return _table(builder, **texts, f2=("uint8", kind))


def metadata(
    info: Model,
    *,
    texts: tuple[str, str, str, str, str],
    mean: Sequence[float],
    std: Sequence[float],
    pixel_range: tuple[float, float],
) -> bytes:
    """Return the bytes of a ModelMetadata."""
    name, description, version, author, licence = texts
    builder = flatbuffers.Builder(1024)
    inputs = _offsets(builder, [_input(builder, info.input_tensors()[0], mean, std, pixel_range)])
    outputs = _offsets(builder, [_output(builder)])
    subgraph = _offsets(builder, [_table(builder, f2=inputs, f3=outputs)])
    files = _offsets(builder, [_file(builder, PREPROCESS_FILE, "How a picture becomes the input.", _DESCRIPTIONS)])
    strings = _strings(builder, f0=name, f1=description, f2=version, f4=author, f5=licence, f7=_PARSER_VERSION)
    builder.Finish(_table(builder, **strings, f3=subgraph, f6=files), file_identifier=METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _input(
    builder: Any, tensor: Tensor, mean: Sequence[float], std: Sequence[float], pixel_range: tuple[float, float]
) -> int:
    """Write the TensorMetadata of an image [1, H, W, C]."""
    if len(tensor.shape) != 4 or tensor.shape[3] not in _COLOUR_SPACES:
        raise ValueError(f"the input has shape {tensor.shape}; expected an image [1, height, width, 1 or 3]")
    _, height, width, channels = tensor.shape
    for values in (mean, std):
        if len(values) not in (1, channels):
            raise ValueError(f"mean or std has {len(values)} values; expected 1 or {channels}")
    size = _table(builder, f0=("uint32", width), f1=("uint32", height))
    image = _table(builder, f0=("uint8", _COLOUR_SPACES[channels]), f1=("offset", size))
    content = _table(builder, f0=("uint8", _IMAGE_PROPERTIES), f1=("offset", image))
    normalization = _table(builder, f0=_floats(builder, mean), f1=_floats(builder, std))
    unit = _table(builder, f0=("uint8", _NORMALIZATION), f1=("offset", normalization))
    units = _offsets(builder, [unit])
    stats = _table(builder, f0=_floats(builder, pixel_range[1:]), f1=_floats(builder, pixel_range[:1]))
    texts = _strings(builder, f0="image", f1="The picture to classify, pixels 0 to 255 before normalization.")
    return _table(builder, **texts, f3=("offset", content), f4=units, f5=("offset", stats))


def _output(builder: Any) -> int:
    """Write the TensorMetadata of class probabilities with labels."""
    files = _offsets(builder, [_file(builder, LABELS_FILE, "One class name a line, in output order.", _LABELS)])
    stats = _table(builder, f0=_floats(builder, [1.0]), f1=_floats(builder, [0.0]))
    texts = _strings(builder, f0="probability", f1="The probability of each class.")
    return _table(builder, **texts, f5=("offset", stats), f6=files)
