"""Edit `.tflite` files: a uint8 twin, TFLite metadata with attached files, and the bare model for a chip.

Works on the FlatBuffer alone, so a second conversion (8–18 s) is not needed and no number changes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters import labels as legal
from converters.archive import Archive, ArchiveError, is_archive
from converters.tflite.edit import (
    NO_BUFFER,
    add_metadata,
    drop_metadata,
    drop_unused_buffers,
    name_text,
    operator_code,
    pack,
    unpack,
)
from converters.tflite.metadata import LABELS_FILE, PREPROCESS_FILE, metadata
from converters.tflite.pixels import Reading, reading
from converters.tflite.reader import CONVOLUTIONS, Model, read_model

ACCURACY_FILE = "accuracy.json"
METADATA_NAME = b"TFLITE_METADATA"
UINT8_OFFSET = 128
LARGEST_ATTACHED = 16 << 20  # labels and settings are kilobytes; a zip bomb is not unpacked
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: no clock in the output


# Normal form.


def normalised(data: bytes) -> bytes:
    """Return the same model in a form that depends on nothing but the network.

    The batch size becomes a plain 1 (the converter marks it as unknown), inputs and outputs are called `input`
    and `output` (the converter numbers them by what else the process has built), and the converter's own hash goes.

    Raises:
      ValueError: a size other than the batch is unknown.
    """
    model = unpack(data)
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        _fix_batch(tensor)
    for name, indices in (("input", graph.inputs), ("output", graph.outputs)):
        for i, index in enumerate(indices):
            graph.tensors[index].name = (name if len(indices) == 1 else f"{name}_{i}").encode()
    drop_metadata(model, b"CONVERSION_METADATA")
    drop_unused_buffers(model)
    return pack(model)


def _fix_batch(tensor: Any) -> None:
    signature, shape = tensor.shapeSignature, tensor.shape
    if signature is None or not len(signature):
        return
    unknown = [i for i, size in enumerate(signature) if size < 0]
    if any(i != 0 or shape[i] != 1 for i in unknown):
        raise ValueError(
            f"tensor {name_text(tensor.name)!r} has shape {[int(size) for size in signature]}; "
            "only the batch may be unknown, and it becomes 1"
        )
    tensor.shapeSignature = None


# The uint8 twin.


def to_uint8_twin(int8_model: bytes) -> bytes:
    """Return the same model with uint8 inputs and outputs: scale kept, zero point + 128, QUANTIZE at the edges.

    Its output is the int8 output + 128, exactly, for the input + 128.

    Raises:
      ValueError: an input or output is not int8 with one scale.
    """
    info = read_model(int8_model)
    for tensor in (*info.input_tensors(), *info.output_tensors()):
        if tensor.dtype != "int8" or len(tensor.scale) != 1:
            raise ValueError(
                f"{tensor.name!r} is {tensor.dtype} with {len(tensor.scale)} scales; "
                "expected an int8 model, quantized per tensor at its edges"
            )
    model = unpack(int8_model)
    graph, code = model.subgraphs[0], operator_code(model, schema.BuiltinOperator.QUANTIZE, version=1)
    graph.inputs, graph.outputs = list(info.inputs), list(info.outputs)
    for position, index in enumerate(info.inputs):
        twin = _add_twin(graph, index)
        graph.operators.insert(position, _quantize(code, twin, index))
        graph.inputs[position] = twin
        _point_signatures(model, "inputs", index, twin)
    for position, index in enumerate(info.outputs):
        twin = _add_twin(graph, index)
        graph.operators.append(_quantize(code, index, twin))
        graph.outputs[position] = twin
        _point_signatures(model, "outputs", index, twin)
    return pack(model)


def _add_twin(graph: Any, index: int) -> int:
    """Give the int8 tensor a uint8 twin that takes its name; return the twin's index."""
    old, new = graph.tensors[index], schema.TensorT()
    new.shape, new.type, new.buffer = old.shape, schema.TensorType.UINT8, NO_BUFFER
    new.name, old.name = old.name, old.name + b"_int8"
    new.quantization = schema.QuantizationParametersT()
    new.quantization.scale = old.quantization.scale
    new.quantization.zeroPoint = np.asarray(old.quantization.zeroPoint, np.int64) + UINT8_OFFSET
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _quantize(code: int, source: int, target: int) -> Any:
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = code, [source], [target]
    op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.QuantizeOptions, schema.QuantizeOptionsT()
    return op


def _point_signatures(model: Any, side: str, old: int, new: int) -> None:
    for signature in model.signatureDefs or []:
        for entry in getattr(signature, side) or []:
            if entry.tensorIndex == old:
                entry.tensorIndex = new


# Metadata and attached files.


def with_metadata(
    model: bytes,
    *,
    name: str,
    description: str,
    labels: Sequence[str],
    preprocess: Mapping[str, Any],
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    version: str = "",
    author: str = "",
    licence: str = "",
) -> bytes:
    """Return the model with TFLite metadata and, appended as a stored zip, `labels.txt` and `preprocess.json`.

    Metadata that is already there is replaced. The zip's dates are fixed; `zipfile` opens the whole file.

    Args:
      model: a `.tflite` with one image input [1, H, W, C], C = 1 or 3, and one output [1, labels].
      name: the model's name.
      description: what it does, in a sentence.
      labels: one line of text for each output, in order; equal texts are allowed.
      preprocess: plain JSON values, saved as `preprocess.json`. Its `scale` is the factor from a pixel 0…255 to
        the real value of the input.
      mean: per channel or one for all, in pixels: consumers feed (pixel - mean) / std, then quantize. Default 0, or
        128 where the input's scale is 1 and pixel 128 is its zero.
      std: as `mean`. Default 1 / preprocess["scale"], or 255; 1 in that case.
      version: the model's version.
      author: who made it.
      licence: the terms it is under.

    Raises:
      ValueError: the model has another form, the number of labels is not the number of outputs, or a label
        is not legal (`converters.labels`).
    """
    info = read_model(model)
    _check_labels(labels, info)
    scale = float(preprocess.get("scale", 1 / 255))
    if not scale > 0:
        raise ValueError(f"the scale in preprocess is {scale}; expected a positive number")
    centred = _takes_centred_pixels(info, scale)
    document = metadata(
        info,
        texts=(name, description, version, author, licence),
        mean=[128.0 * centred] if mean is None else mean,
        std=[1.0 if centred else 1 / scale] if std is None else std,
        pixel_range=(-128.0, 127.0) if centred else (0.0, 255.0 * scale),
    )
    editable = unpack(model)
    drop_metadata(editable, METADATA_NAME)
    drop_unused_buffers(editable)
    add_metadata(editable, METADATA_NAME, document)
    text = json.dumps(dict(preprocess), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    files = {LABELS_FILE: "".join(f"{label}\n" for label in labels), PREPROCESS_FILE: text}
    return with_attached(pack(editable), {key: value.encode() for key, value in files.items()})


def _takes_centred_pixels(info: Model, pixel_scale: float) -> bool:
    """Whether the quantized input stands for `pixel - 128`."""
    image = info.input_tensors()[0]
    if len(image.scale) != 1 or len(image.zero_point) != 1:
        return False
    return reading(image.dtype, image.scale[0], image.zero_point[0], pixel_scale) is Reading.CENTRED


def strip_metadata(model: bytes) -> bytes:
    """Return the bare FlatBuffer: no appended zip, no metadata of any kind, no unused buffers.

    Raises:
      ValueError: not a `.tflite` file.
    """
    editable = unpack(model)
    drop_metadata(editable)
    drop_unused_buffers(editable)
    return pack(editable)


def for_microcontroller(model: bytes) -> bytes:
    """Return the smallest FlatBuffer that computes the same: `strip_metadata`, without what no kernel reads.

    Dropped: tensor names, signatures, and the quantization of convolutions' int32 biases (their scale is the input's
    times the weights'). Layers can then be told apart by op index only.

    Raises:
      ValueError: not a `.tflite` file.
    """
    editable = unpack(strip_metadata(model))
    graph = editable.subgraphs[0]
    for tensor in graph.tensors:
        tensor.name = None
    for index in _biases(read_model(model)):
        graph.tensors[index].quantization = None
    editable.signatureDefs = editable.description = graph.name = None
    return pack(editable)


def _biases(info: Model) -> set[int]:
    """Return the int32 biases of convolutions. (FULLY_CONNECTED compares its bias's scale with its weights'.)"""
    layers = [op for op in info.ops if op.name in CONVOLUTIONS]
    biases = {op.inputs[2] for op in layers if len(op.inputs) > 2 and op.inputs[2] >= 0}
    others = {index for op in info.ops for i, index in enumerate(op.inputs) if i != 2 or op not in layers}
    return {index for index in biases - others if info.tensors[index].dtype == "int32"}


def with_accuracy(model: bytes, top1: float, pictures: int) -> bytes:
    """Append `accuracy.json` to the files attached to a model; nothing else of it changes.

    Args:
      model: a `.tflite` with attached files, without this one.
      top1: fraction of pictures that it tells right, 0 to 1.
      pictures: how many those were.
    """
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(ACCURACY_FILE), json.dumps({"pictures": pictures, "top1": top1}) + "\n")
    return whole.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, ZIP_DATE)
    entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, wherever this runs
    return entry


def read_attached(model: bytes) -> dict[str, bytes]:
    """Return the files in the zip appended to a `.tflite`: name → bytes; empty if there is none.

    Raises:
      ValueError: the zip is damaged, or holds more than 16 MiB.
    """
    if not is_archive(model):
        return {}
    try:
        with Archive(model, LARGEST_ATTACHED) as archive:
            return {name: archive.read(name, LARGEST_ATTACHED) for name in archive.sizes}
    except ArchiveError as error:
        raise ValueError(f"the files attached to the .tflite are damaged ({error})") from error


def _check_labels(labels: Sequence[str], info: Model) -> None:
    outputs = info.output_tensors()
    if len(outputs) != 1 or len(info.inputs) != 1:
        raise ValueError(f"{len(info.inputs)} inputs and {len(outputs)} outputs; expected one of each")
    if len(labels) != outputs[0].size:
        raise ValueError(f"{len(labels)} labels for {outputs[0].size} outputs; expected one label for each output")
    for index, label in enumerate(labels):
        if fault := legal.fault(label):
            raise ValueError(f"label {index} is {label!r}, which {fault}; expected {legal.LEGAL}")


def with_attached(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Append a stored zip of files; offsets count from the start of the whole, as ordinary readers expect."""
    whole = io.BytesIO(model)
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(_entry(name), data)
    return whole.getvalue()
