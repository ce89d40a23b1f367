"""What a `.tflite` file says of itself, read with nothing but the standard library (a pack needs NumPy).

Labels and preprocessing lie in a zip behind the FlatBuffer (docs/formats/tflite.md). A pack (docs/formats/sqz.md) is
read as the `.tflite` that it stands for, whatever the file is called.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters import foreign
from converters.archive import Archive, ArchiveError, is_archive
from sqz_tf.base.errors import DataError, SqzError
from sqz_tf.base.json_files import parse, typed
from sqz_tf.base.shipped import shipped_names
from sqz_tf.base.spec import PreprocessSpec, from_dict
from sqz_tf.base.text import some

LABELS_FILE, PREPROCESS_FILE = "labels.txt", "preprocess.json"
_LARGEST = 1 << 27  # bytes of a model; the largest SqueezeNet in float has some 5 MB
_LARGEST_ATTACHED = 16 << 20  # bytes of all attached files; a thousand labels take 20 KB
_OPERATOR_CODES, _BUFFERS = 1, 4  # positions of these fields in the table Model of TFLite's schema.fbs
_WEIGHTS = (
    ".onnx",
    ".pth",
    ".pt",
    ".safetensors",
    ".caffemodel",
    ".params",
    ".npz",
    ".t7",
)  # as converters.weights reads them
_OF_KERAS = (foreign.KERAS, foreign.HDF5, foreign.SAVED_MODEL)
_OF_WEIGHTS = (
    *(foreign.TORCH, foreign.TORCHSCRIPT, foreign.SAFETENSORS),
    *(foreign.MXNET, foreign.NUMPY_ZIP, foreign.TORCH7),
)
_WNID = re.compile(r"n\d{8}")


class ModelError(SqzError):
    """The file is no model that can be run here."""


class NotInt8Error(ModelError):
    """The model is sound, but computes in other numbers than int8."""


TO_INT8 = (
    "converter = tf.lite.TFLiteConverter.from_keras_model(model); converter.optimizations = [tf.lite.Optimize.DEFAULT]",
    "converter.representative_dataset = lambda: ([image[None]] for image in images)  # some 100, as it takes them",
    "converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]; int8 = converter.convert()",
)
"""How TensorFlow makes an int8 `.tflite` of the Keras `model` and pictures [N, H, W, C] float32."""


@dataclass(frozen=True)
class ModelFile:
    """A model's bytes, a label for each output, a WordNet id for each (or none), and how pictures are prepared."""

    path: Path
    content: bytes
    labels: tuple[str, ...]
    wnids: tuple[str, ...]
    preprocess: PreprocessSpec


def read(path: Path, labels: Sequence[str] | None = None, preprocess: PreprocessSpec | None = None) -> ModelFile:
    """Read a `.tflite` file or a pack of one; `labels` and `preprocess` take the place of what it carries.

    Raises:
      ModelError: it cannot be read, is no whole `.tflite`, or lacks what is not given.
    """
    content = _content(path)
    attached = _attached(path, content)
    _refuse_undescribed(path, content, attached, labels is not None, preprocess is not None)
    names = tuple(labels) if labels is not None else _labels(path, attached)
    spec, wnids = _preprocess(path, attached, preprocess)
    return ModelFile(path, content, names, _wnids(path, names, wnids), spec)


def contents(path: Path) -> bytes:
    """Return the bytes of a file; of a pack, those of the `.tflite` that it stands for.

    No more is read than the largest model has, and a byte.

    Raises:
      OSError: it cannot be read.
      ModelError: it is a damaged pack, a `.tflite` that is cut off, or something else.
    """
    if path.is_dir():
        refuse_foreign(path)
        inside = path / "model_int8.tflite"
        raise ModelError(
            f"{path} is a folder", expected="a .tflite or .sqz", fix=f"give {inside}" if inside.is_file() else ""
        )
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ModelError(f"{path} is larger than {_LARGEST:,} bytes", expected="a .tflite or .sqz of this kit")
    if _is_flatbuffer(data):
        _refuse_cut(path, data)
        return data
    from converters import packs  # not for a `.tflite`: it would lengthen every start

    if not packs.is_pack(data):
        refuse_foreign(path)
        return data
    try:
        return packs.unpack(data)
    except packs.PackError as error:
        raise ModelError(f"{path} cannot be unpacked: {error}", fix="copy or download it again") from error


def refuse_foreign(path: Path, expected: str = "a .tflite or .sqz") -> None:
    """Refuse a file that is told to be neither a `.tflite` nor a pack, with what makes of it what was expected.

    Raises:
      OSError: it cannot be read.
      ModelError: it is.
    """
    found = foreign.kind(path)
    if found in _OF_KERAS:
        fix = "convert it with TensorFlow, with pictures as its representative data set:"
        raise NotInt8Error(f"{path} is {foreign.WHAT[found]}", expected=expected, fix=fix, lines=TO_INT8)
    if found in _OF_WEIGHTS or (not found and path.suffix.lower() in _WEIGHTS):
        raise ModelError(
            f"{path} holds weights of another framework",
            expected=expected,
            fix=f"python -m sqz_tf.export --weights {path} takes those of a SqueezeNet",
        )
    if found and found not in (foreign.TFLITE, foreign.SQZ):
        raise ModelError(f"{path} is {foreign.WHAT[found]}", expected=expected, fix=foreign.REMEDIES.get(found, ""))


def int8_given(path: Path) -> bytes:
    """Return the `.tflite` of a file that a command was given, as `contents`.

    Raises:
      DataError: it cannot be read.
      ModelError: it is a damaged pack, or no int8 model.
    """
    content = model_given(path)
    require_int8(path, content)
    return content


def model_given(path: Path) -> bytes:
    """Return the `.tflite` of a file that a command was given, as `contents`, in whatever numbers it computes.

    Raises:
      DataError: it cannot be read.
      ModelError: it is a damaged pack.
    """
    try:
        return contents(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected="an int8 .tflite") from error


def require_int8(path: Path, content: bytes) -> None:
    """Refuse a model that computes in other numbers than int8, whole as it may be.

    One that cannot be read passes: whoever needs it says why. So does one whose layers differ.

    Raises:
      NotInt8Error: it does; says in which, and how an int8 one is made.
    """
    if kind := _other_kind(content):
        from converters.tflite.precision import KINDS

        beside = path.with_name("model_int8.tflite")
        raise NotInt8Error(
            f"{path} is a {kind} model: {KINDS[kind]}",
            expected="an int8 one",
            fix=f"give {beside}"
            if beside.is_file()
            else "convert it again with pictures as its representative data set:",
            lines=() if beside.is_file() else TO_INT8,
        )


def _other_kind(content: bytes) -> str:
    """Return in which numbers a model computes, if they are not int8 and that can be told."""
    try:
        from converters.tflite.precision import INT8, MIXED, precision
        from converters.tflite.reader import read_model

        kind = precision(read_model(content))
    except (ImportError, ValueError):  # tflite-runtime comes without the schema
        return ""
    return "" if kind in (INT8, MIXED) else kind


def _is_flatbuffer(data: bytes) -> bool:
    return data[4:8] == b"TFL3"


def _content(path: Path) -> bytes:
    """Return the model's bytes after making sure that it is a whole FlatBuffer of TFLite's schema."""
    try:
        model = contents(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        expected = f"a .tflite file, or the name of a model that comes with the kit: {some(shipped_names())}"
        raise ModelError(f"{path} cannot be read ({reason})", expected=expected) from error
    if not _is_flatbuffer(model):
        raise ModelError(
            f"{path} is no .tflite file ({_beginning(model)})",
            expected="a FlatBuffer with identifier TFL3",
            fix="give model_f32.tflite, model_int8.tflite or model_uint8.tflite of an output folder, or a .sqz",
        )
    return model


def _refuse_cut(path: Path, model: bytes) -> None:
    if not _is_whole(model):
        raise _damaged(path, f"cut off at {len(model):,} bytes")


def _beginning(data: bytes) -> str:
    return f"it begins with {data[:12]!r}" if data else "it is empty"


def _damaged(path: Path, how: str) -> ModelError:
    return ModelError(
        f"{path} is damaged ({how})", expected="the whole file as exported", fix="copy or download it again"
    )


def _is_whole(model: bytes) -> bool:
    """Tell whether the operator codes and the data of every buffer, which is nearly all of a model, are in the file.

    ai-edge-litert checks the file itself; tflite-runtime crashes on one that is cut off.
    """
    try:
        return max(_ends(model)) <= len(model)
    except struct.error:  # an offset out of bounds
        return False


def _ends(model: bytes) -> Iterator[int]:
    """Yield where the operator codes and each buffer's data end, from the FlatBuffer's offsets."""

    def uint32(at: int) -> int:
        return int(struct.unpack_from("<I", model, at)[0])

    def vtable(table: int) -> int:
        at = table - struct.unpack_from("<i", model, table)[0]
        if at < 0:
            raise struct.error
        return int(at)

    def vector(table: int, position: int) -> int:
        """Return where the vector in a table's field begins, 0 if the field is absent."""
        at, slot = vtable(table), 4 + 2 * position
        has = slot < struct.unpack_from("<H", model, at)[0]
        offset = struct.unpack_from("<H", model, at + slot)[0] if has else 0
        return table + offset + uint32(table + offset) if offset else 0

    def tables(position: int) -> Iterator[int]:
        """Yield where each table begins of which the model has a vector."""
        if first := vector(uint32(0), position):
            for slot in range(first + 4, first + 4 + 4 * uint32(first), 4):
                yield slot + uint32(slot)

    for table in tables(_OPERATOR_CODES):
        yield table + struct.unpack_from("<H", model, vtable(table) + 2)[0]
    for table in tables(_BUFFERS):
        if data := vector(table, 0):
            yield data + 4 + uint32(data)
    yield uint32(0)


def _attached(path: Path, model: bytes) -> dict[str, bytes]:
    """Return labels.txt and preprocess.json from the zip behind the FlatBuffer; empty if there is no zip."""
    if not is_archive(model):
        return {}
    try:
        with Archive(model, _LARGEST_ATTACHED) as archive:
            wanted = [name for name in (LABELS_FILE, PREPROCESS_FILE) if name in archive.sizes]
            return {name: archive.read(name, _LARGEST_ATTACHED) for name in wanted}
    except ArchiveError as error:
        raise _damaged(path, f"its attached files cannot be read: {error}") from error


def _refuse_undescribed(
    path: Path, content: bytes, attached: dict[str, bytes], has_labels: bool, has_preprocess: bool
) -> None:
    """Refuse a model from elsewhere unless what it does not carry is given."""
    needed = {LABELS_FILE: ("labels", has_labels), PREPROCESS_FILE: ("preprocess", has_preprocess)}
    for name, (argument, given) in needed.items():
        if not given and name not in attached:
            kind = _other_kind(content)
            raise ModelError(
                f"{path}{f', a {kind} model,' if kind else ''} carries no {name}",
                expected="a whole .tflite written by python -m sqz_tf.export",
                fix=f"copy it again, or give Classifier(…, {argument}=…) for a model from elsewhere",
            )


def _labels(path: Path, attached: dict[str, bytes]) -> tuple[str, ...]:
    try:
        return tuple(attached[LABELS_FILE].decode("utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise _damaged(path, f"its {LABELS_FILE} is not UTF-8") from error


def _preprocess(
    path: Path, attached: dict[str, bytes], given: PreprocessSpec | None
) -> tuple[PreprocessSpec, Sequence[str]]:
    """Return how pictures are prepared, and the WordNet ids that may stand in the same file."""
    if given is not None and PREPROCESS_FILE not in attached:
        return given, ()
    try:
        values = parse(attached[PREPROCESS_FILE], dict[str, Any], what=PREPROCESS_FILE)
        wnids = typed(values.pop("wnids", ()), tuple[str, ...], "wnids")
        return given or from_dict(PreprocessSpec, values), wnids
    except SqzError as error:
        raise _damaged(path, f"its {PREPROCESS_FILE} says nothing that can be used: {error}") from error


def _wnids(path: Path, labels: tuple[str, ...], wnids: Sequence[str]) -> tuple[str, ...]:
    """Return a WordNet id for each label: as given, or from labels such as `n01440764` or `n01440764 tench`."""
    if not wnids:
        matches = [_WNID.match(label) for label in labels]
        return tuple(match.group() if match else "" for match in matches) if any(matches) else ()
    if len(wnids) != len(labels):
        raise _damaged(path, f"{len(wnids)} wnids for {len(labels)} labels")
    return tuple(wnids)
