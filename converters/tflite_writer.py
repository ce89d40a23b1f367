"""Edit `.tflite` files: a uint8 twin, TFLite metadata with attached files, and the bare model for a chip.

Works on the FlatBuffer alone, so a second conversion (8–18 s) is not needed and no number changes.
Metadata format: the public `tensorflow_lite_support/metadata/metadata_schema.fbs`, version 1.1.0, identifier M001.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters._tflite_parse import IDENTIFIER, Model, Tensor, read_model

METADATA_NAME = b"TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
LABELS_FILE = "labels.txt"
PREPROCESS_FILE = "preprocess.json"
ALIGNMENT = 16  # schema.fbs: `data:[ubyte] (force_align: 16)`; kernels read int32 biases in place
UINT8_OFFSET = 128
NO_BUFFER = 0
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: no clock in the output


# Reading into and packing from the editable object form.


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose data starts at a multiple of 16, which the generated `Pack` forgets."""

    def Pack(self, builder: Any) -> Any:
        """Append the buffer to `builder`."""
        vector = None if self.data is None or not len(self.data) else _bytes_vector(builder, self.data)
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def _bytes_vector(builder: Any, data: Any) -> Any:
    raw = bytes(bytearray(data))
    builder.StartVector(1, len(raw), ALIGNMENT)
    builder.head -= len(raw)
    builder.Bytes[builder.head : builder.head + len(raw)] = raw
    return builder.EndVector()


def unpack(data: bytes) -> Any:
    """Return the editable `ModelT` of a `.tflite` file; what is appended to it is dropped.

    Raises:
      ValueError: the file is damaged or holds what packing would lose.
    """
    read_model(data)
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    except (struct.error, IndexError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"the .tflite file is damaged ({type(error).__name__}: {error})") from error
    for entry in model.metadata or []:
        if entry.buffer >= len(model.buffers):
            raise ValueError(f"the .tflite file is damaged: metadata in buffer {entry.buffer} of {len(model.buffers)}")
    for buffer in model.buffers:
        if buffer.offset > 1:
            raise ValueError("the .tflite keeps its weights outside the FlatBuffer; such files cannot be edited")
    for op in model.subgraphs[0].operators or []:
        if op.builtinOptionsType and op.builtinOptions is None:
            raise ValueError(f"operator options of type {op.builtinOptionsType} are unknown and would be lost")
    return model


def pack(model: Any) -> bytes:
    """Return the `.tflite` bytes of a `ModelT`; buffer data is aligned to 16 bytes."""
    for index, buffer in enumerate(model.buffers):
        model.buffers[index] = _AlignedBuffer()
        model.buffers[index].data = buffer.data
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


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
    _drop_metadata(model, b"CONVERSION_METADATA")
    _drop_unused_buffers(model)
    return pack(model)


def _fix_batch(tensor: Any) -> None:
    signature, shape = tensor.shapeSignature, tensor.shape
    if signature is None or not len(signature):
        return
    unknown = [i for i, size in enumerate(signature) if size < 0]
    if any(i != 0 or shape[i] != 1 for i in unknown):
        raise ValueError(
            f"tensor {_text(tensor.name)!r} has shape {[int(size) for size in signature]}; "
            "only the batch may be unknown, and it becomes 1"
        )
    tensor.shapeSignature = None


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _drop_metadata(model: Any, name: bytes | None = None) -> None:
    """Remove the metadata entries called `name`, or all."""
    kept = [entry for entry in model.metadata or [] if name is not None and entry.name != name]
    model.metadata = kept or None


def _drop_unused_buffers(model: Any) -> None:
    """Renumber the buffers so that only those in use are left; every empty one becomes buffer 0."""
    users = [*model.subgraphs[0].tensors, *(model.metadata or [])]
    used = {NO_BUFFER: NO_BUFFER}
    for user in users:
        data = model.buffers[user.buffer].data
        if data is None or not len(data):
            user.buffer = NO_BUFFER
        user.buffer = used.setdefault(user.buffer, len(used))
    model.buffers = [model.buffers[index] for index in used]


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
    graph, code = model.subgraphs[0], _quantize_code(model)
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


def _quantize_code(model: Any) -> int:
    """Return the index of operator code QUANTIZE, version 1, adding it if need be."""
    number = schema.BuiltinOperator.QUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


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
      mean: per channel or one for all, in pixels: consumers feed (pixel - mean) / std, then quantize. Default 0.
      std: as `mean`. Default 1 / preprocess["scale"], or 255.
      version: the model's version.
      author: who made it.
      licence: the terms it is under.

    Raises:
      ValueError: the model has another form, the number of labels is not the number of outputs, or a label
        would not survive as a line of text.
    """
    info = read_model(model)
    _check_labels(labels, info)
    scale = float(preprocess.get("scale", 1 / 255))
    document = _metadata(
        info,
        texts=(name, description, version, author, licence),
        mean=mean or [0.0],
        std=std or [1 / scale],
        pixel_range=(0.0, 255.0 * scale),
    )
    editable = unpack(model)
    _drop_metadata(editable, METADATA_NAME)
    _drop_unused_buffers(editable)
    _add_metadata(editable, METADATA_NAME, document)
    text = json.dumps(dict(preprocess), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    files = {LABELS_FILE: "".join(f"{label}\n" for label in labels), PREPROCESS_FILE: text}
    return _with_zip(pack(editable), {key: value.encode() for key, value in files.items()})


def strip_metadata(model: bytes) -> bytes:
    """Return the bare FlatBuffer: no appended zip, no metadata of any kind, no unused buffers.

    Raises:
      ValueError: not a `.tflite` file.
    """
    editable = unpack(model)
    _drop_metadata(editable)
    _drop_unused_buffers(editable)
    return pack(editable)


def read_attached(model: bytes) -> dict[str, bytes]:
    """Return the files in the zip appended to a `.tflite`: name → bytes; empty if there is none.

    Raises:
      ValueError: the zip is damaged.
    """
    file = io.BytesIO(model)
    if not zipfile.is_zipfile(file):
        return {}
    try:
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, OSError, EOFError) as error:
        raise ValueError(f"the files attached to the .tflite are damaged ({error})") from error


def _check_labels(labels: Sequence[str], info: Model) -> None:
    outputs = info.output_tensors()
    if len(outputs) != 1 or len(info.inputs) != 1:
        raise ValueError(f"{len(info.inputs)} inputs and {len(outputs)} outputs; expected one of each")
    if len(labels) != outputs[0].size:
        raise ValueError(f"{len(labels)} labels for {outputs[0].size} outputs; expected one label for each output")
    for index, label in enumerate(labels):
        if label.splitlines() != [label] or label != label.strip() or "\0" in label:
            raise ValueError(f"label {index} is {label!r}; expected one line of text without spaces around it")


def _add_metadata(model: Any, name: bytes, data: bytes) -> None:
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def _with_zip(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Append a zip; offsets count from the start of the whole, so that ordinary readers find everything."""
    whole = io.BytesIO(model)
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, wherever this runs
            archive.writestr(entry, data)
    return whole.getvalue()


# The metadata FlatBuffer. Numbers are the fields' positions and the enums' values in metadata_schema.fbs.

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


def _metadata(
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
