"""The editable form of a `.tflite` (the schema's object classes), and how it is packed again."""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.parse import IDENTIFIER, read_model

ALIGNMENT = 16  # schema.fbs: `data:[ubyte] (force_align: 16)`; kernels read int32 biases in place
NO_BUFFER = 0


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
        raise ValueError(f"the .tflite file is damaged or cut short ({error})") from error
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


def drop_metadata(model: Any, name: bytes | None = None) -> None:
    """Remove the metadata entries called `name`, or all."""
    kept = [entry for entry in model.metadata or [] if name is not None and entry.name != name]
    model.metadata = kept or None


def drop_unused_buffers(model: Any) -> None:
    """Renumber the buffers so that only those in use are left; every empty one becomes buffer 0."""
    users = [*model.subgraphs[0].tensors, *(model.metadata or [])]
    used = {NO_BUFFER: NO_BUFFER}
    for user in users:
        data = model.buffers[user.buffer].data
        if data is None or not len(data):
            user.buffer = NO_BUFFER
        user.buffer = used.setdefault(user.buffer, len(used))
    model.buffers = [model.buffers[index] for index in used]


def add_buffer(model: Any, data: bytes) -> int:
    """Append a buffer; return its index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_metadata(model: Any, name: bytes, data: bytes) -> None:
    """Append a metadata entry with a buffer of its own."""
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, add_buffer(model, data)
    model.metadata = [*(model.metadata or []), entry]


def operator_code(model: Any, number: int, version: int) -> int:
    """Return the index of the code of builtin operator `number`, adding it in that version if need be."""
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def name_text(name: Any) -> str:
    """Return a name of an editable model, which holds bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
