"""Editing a `.tflite` changes no number, and what is attached to it can be read by anyone."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.edit import ALIGNMENT, pack, unpack
from converters.tflite.reader import read_model
from converters.tflite.writer import (
    LARGEST_ATTACHED,
    for_microcontroller,
    normalised,
    read_attached,
    strip_metadata,
    to_uint8_twin,
    with_accuracy,
    with_metadata,
)
from tests.helpers import keras_models as tiny
from tests.helpers.micro_interpreter import has_tflm, tflm
from tests.helpers.needs import require

PICTURES = tiny.pixels(10)


def edited(change: Any) -> bytes:
    """Return the int8 model after `change(model, graph)` on its editable form."""
    model = unpack(tiny.int8_model())
    change(model, model.subgraphs[0])
    return pack(model)


# Packing.


def buffer_starts(data: bytes) -> list[int]:
    """Return where in the file the data of each buffer starts."""
    root = schema.Model.GetRootAs(data, 0)
    tables = [root.Buffers(i)._tab for i in range(root.BuffersLength())]
    return [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]


@pytest.mark.parametrize("make", [tiny.int8_model, tiny.float_model, tiny.described_model])
def test_data_is_aligned_for_kernels_that_read_it_in_place(make: Any) -> None:
    starts = buffer_starts(make())
    assert len(starts) > 10
    assert {start % ALIGNMENT for start in starts} == {0}


def test_the_generated_packing_would_not_align() -> None:
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(unpack(tiny.int8_model()).Pack(builder), file_identifier=b"TFL3")
    assert {start % ALIGNMENT for start in buffer_starts(bytes(builder.Output()))} != {0}


def test_packing_again_changes_nothing() -> None:
    assert pack(unpack(tiny.int8_model())) == tiny.int8_model()


def test_what_packing_would_lose_is_refused() -> None:
    def newer_options(model: Any, graph: Any) -> None:
        op = next(op for op in graph.operators if op.builtinOptionsType == schema.BuiltinOptions.PadOptions)
        op.builtinOptionsType = 200

    with pytest.raises(ValueError, match="operator options of type 200 are unknown and would be lost"):
        unpack(edited(newer_options))

    def outside(model: Any, graph: Any) -> None:
        model.metadata[0].buffer = 99

    with pytest.raises(ValueError, match="metadata in buffer 99"):
        unpack(edited(outside))


# Normal form.


def test_the_normal_form_computes_the_same() -> None:
    inputs = tiny.as_int8(PICTURES)
    expected = tiny.run(tiny.raw_int8_model(), inputs)
    assert len(np.unique(expected, axis=0)) > 10, "the pictures tell outputs apart"
    np.testing.assert_array_equal(tiny.run(normalised(tiny.raw_int8_model()), inputs), expected)


def test_the_batch_becomes_one() -> None:
    raw, plain = read_model(tiny.raw_int8_model()), read_model(normalised(tiny.raw_int8_model()))
    assert raw.input_tensors()[0].shape_signature == (-1, *tiny.INPUT[1:])
    assert all(tensor.shape_signature == tensor.shape for tensor in plain.tensors)


def test_names_that_depend_on_the_process_go() -> None:
    # TF-MOT numbers its input layer: `quantize_layer_1` in a process that has quantized before.
    assert "quantize_layer" in read_model(tiny.raw_int8_model()).input_tensors()[0].name
    plain = read_model(normalised(tiny.raw_int8_model()))
    assert [t.name for t in (*plain.input_tensors(), *plain.output_tensors())] == ["input", "output"]
    assert not [t.name for t in plain.tensors if "quantize_layer" in t.name]
    assert b"CONVERSION_METADATA" not in normalised(tiny.raw_int8_model())
    assert b"min_runtime_version" in normalised(tiny.raw_int8_model())


def test_the_normal_form_is_its_own() -> None:
    assert normalised(tiny.int8_model()) == tiny.int8_model()


def test_only_the_batch_may_be_unknown() -> None:
    def unknown_height(model: Any, graph: Any) -> None:
        graph.tensors[graph.inputs[0]].shapeSignature = [-1, -1, 12, 3]

    with pytest.raises(ValueError, match=r"'input' has shape \[-1, -1, 12, 3\]; only the batch"):
        normalised(edited(unknown_height))


# The uint8 twin.


@pytest.mark.parametrize("reference", [True, False], ids=["reference kernels", "XNNPACK"])
def test_the_twin_is_the_model_shifted_by_128(reference: bool) -> None:
    expected = tiny.run(tiny.int8_model(), tiny.as_int8(PICTURES), reference=reference)
    twin = tiny.run(to_uint8_twin(tiny.int8_model()), PICTURES, reference=reference)
    assert twin.dtype == np.uint8
    np.testing.assert_array_equal(twin.astype(int), expected.astype(int) + 128)


def test_the_twin_runs_on_tflite_micro() -> None:
    require(has_tflm(), "the tflite-micro wheel is not installed")
    twin = to_uint8_twin(tiny.int8_model())
    np.testing.assert_array_equal(tflm(twin, PICTURES), tiny.run(twin, PICTURES))


def test_the_twin_keeps_scale_names_and_signature() -> None:
    model, twin = read_model(tiny.int8_model()), read_model(to_uint8_twin(tiny.int8_model()))
    pairs = zip(
        model.input_tensors() + model.output_tensors(), twin.input_tensors() + twin.output_tensors(), strict=True
    )
    for old, new in pairs:
        assert (new.dtype, new.name, new.shape, new.scale) == ("uint8", old.name, old.shape, old.scale)
        assert new.zero_point == (old.zero_point[0] + 128,)
    assert [op.name for op in twin.ops] == ["QUANTIZE", *(op.name for op in model.ops), "QUANTIZE"]
    runner = tiny.interpreter(to_uint8_twin(tiny.int8_model())).get_signature_runner()
    (result,) = runner(**dict.fromkeys(runner.get_input_details(), PICTURES[:1])).values()
    np.testing.assert_array_equal(result, tiny.run(to_uint8_twin(tiny.int8_model()), PICTURES[:1]))


def test_a_twin_needs_an_int8_model() -> None:
    with pytest.raises(ValueError, match="'input' is float32 with 0 scales; expected an int8 model"):
        to_uint8_twin(tiny.float_model())
    with pytest.raises(ValueError, match="is uint8"):
        to_uint8_twin(to_uint8_twin(tiny.int8_model()))


# Metadata. A reader of our own, by position, so that it shares no code with the writer.


class Table:
    """A FlatBuffer table read by field position."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    @classmethod
    def root(cls, data: bytes) -> Table:
        assert data[4:8] == b"M001"
        return cls(data, struct.unpack_from("<I", data)[0])

    def _at(self, field: int) -> int | None:
        start = self.position - struct.unpack_from("<i", self.data, self.position)[0]
        (size,) = struct.unpack_from("<H", self.data, start)
        offset = struct.unpack_from("<H", self.data, start + 4 + 2 * field)[0] if 4 + 2 * field < size else 0
        return self.position + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        at = self._at(field)
        return 0 if at is None else struct.unpack_from(f"<{kind}", self.data, at)[0]

    def _follow(self, at: int) -> int:
        return at + struct.unpack_from("<I", self.data, at)[0]

    def table(self, field: int) -> Table:
        at = self._at(field)
        assert at is not None
        return Table(self.data, self._follow(at))

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._at(field)
        assert at is not None
        start = self._follow(at)
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def text(self, field: int) -> str:
        start, length = self._vector(field)
        return self.data[start : start + length].decode()

    def floats(self, field: int) -> list[float]:
        start, length = self._vector(field)
        return list(struct.unpack_from(f"<{length}f", self.data, start))

    def tables(self, field: int) -> list[Table]:
        start, length = self._vector(field)
        return [Table(self.data, self._follow(start + 4 * i)) for i in range(length)]


def metadata_of(model: bytes) -> Table:
    """Return the root of a model's metadata."""
    editable = unpack(model)
    (entry,) = [entry for entry in editable.metadata if entry.name == b"TFLITE_METADATA"]
    return Table.root(bytes(editable.buffers[entry.buffer].data))


def normalization(model: bytes) -> tuple[list[float], list[float]]:
    """Return mean and std of the input."""
    (subgraph,) = metadata_of(model).tables(3)
    (unit,) = subgraph.tables(2)[0].tables(4)
    assert unit.number(0, "B") == 1  # union ProcessUnitOptions: NormalizationOptions
    return unit.table(1).floats(0), unit.table(1).floats(1)


def describe(model: bytes, **changes: Any) -> bytes:
    """Return the model with metadata, some of it changed."""
    values: dict[str, Any] = {
        "name": "n",
        "description": "d",
        "labels": tiny.LABELS,
        "preprocess": {"scale": 1 / 255},
        **changes,
    }
    return with_metadata(model, **values)


def test_metadata_reads_back_field_by_field() -> None:
    root = metadata_of(tiny.described_model())
    assert [root.text(field) for field in (0, 1, 2, 4, 5, 7)] == [
        *("tiny", "A test.", "1.2.3", "somebody", "Apache-2.0", "1.0.0")
    ]
    (subgraph,) = root.tables(3)
    (image,), (scores,) = subgraph.tables(2), subgraph.tables(3)
    content = image.table(3)
    assert content.number(0, "B") == 2  # union ContentProperties: ImageProperties
    assert content.table(1).number(0, "b") == 1  # RGB
    size = content.table(1).table(1)
    assert (size.number(0, "I"), size.number(1, "I")) == (tiny.SIZE, tiny.SIZE)
    assert (image.table(5).floats(0), image.table(5).floats(1)) == ([1.0], [0.0])  # largest, smallest
    assert (scores.table(5).floats(0), scores.table(5).floats(1)) == ([1.0], [0.0])
    (labels,) = scores.tables(6)
    assert (labels.text(0), labels.number(2, "b")) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
    (settings,) = root.tables(6)
    assert (settings.text(0), settings.number(2, "b")) == ("preprocess.json", 1)  # DESCRIPTIONS


@pytest.mark.parametrize(
    "make", [tiny.float_model, tiny.int8_model, lambda: to_uint8_twin(tiny.int8_model())], ids=["f32", "int8", "uint8"]
)
def test_a_consumer_that_feeds_pixels_by_the_metadata_feeds_the_right_bytes(make: Any) -> None:
    model = describe(make())
    (mean,), (std,) = normalization(model)
    (tensor,) = read_model(model).input_tensors()
    pixels = np.arange(256)
    real = (pixels - mean) / std
    if tensor.dtype == "float32":
        np.testing.assert_allclose(real, pixels / 255, atol=1e-7)
        return
    fed = np.round(real / tensor.scale[0]) + tensor.zero_point[0]
    np.testing.assert_array_equal(fed, pixels - 128 if tensor.dtype == "int8" else pixels)


def centred() -> bytes:
    """Return the int8 model with an input that stands for `pixel - 128`."""

    def change(model: Any, graph: Any) -> None:
        quantization = graph.tensors[graph.inputs[0]].quantization
        quantization.scale, quantization.zeroPoint = [1.0], [0]

    return edited(change)


@pytest.mark.parametrize("make", [centred, lambda: to_uint8_twin(centred())], ids=["int8", "uint8"])
@pytest.mark.parametrize("pixel_scale", [1 / 255, 1.0])
def test_centred_pixels_are_described_whatever_the_float_model_takes(make: Any, pixel_scale: float) -> None:
    model = describe(make(), preprocess={"scale": pixel_scale})
    assert normalization(model) == ([128.0], [1.0])
    (tensor,) = read_model(model).input_tensors()
    pixels = np.arange(256)
    fed = (pixels - 128.0) / tensor.scale[0] + tensor.zero_point[0]
    np.testing.assert_array_equal(fed, pixels - 128 if tensor.dtype == "int8" else pixels)


def test_a_pixel_scale_of_one_and_means_by_channel() -> None:
    assert normalization(describe(tiny.int8_model(), preprocess={"scale": 1})) == ([0.0], [1.0])
    per_channel = describe(tiny.int8_model(), mean=[123.0, 117.0, 104.0], std=[58.0, 57.0, 57.5])
    assert normalization(per_channel) == ([123.0, 117.0, 104.0], [58.0, 57.0, 57.5])
    with pytest.raises(ValueError, match="mean or std has 2 values; expected 1 or 3"):
        describe(tiny.int8_model(), mean=[1.0, 2.0])
    with pytest.raises(ValueError, match="scale in preprocess is 0"):
        describe(tiny.int8_model(), preprocess={"scale": 0})


def test_zipfile_alone_reads_what_is_attached(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny.described_model())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode().splitlines() == list(tiny.LABELS)
        assert json.loads(archive.read("preprocess.json")) == {"scale": 1 / 255, "width": tiny.SIZE}
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            # Readers on devices map the file: the text must lie there as it is.
            assert archive.read(entry) in path.read_bytes()
    assert read_attached(path.read_bytes())["labels.txt"].decode().splitlines() == list(tiny.LABELS)


def test_a_model_with_metadata_computes_the_same() -> None:
    inputs = tiny.as_int8(PICTURES)
    np.testing.assert_array_equal(tiny.run(tiny.described_model(), inputs), tiny.run(tiny.int8_model(), inputs))


def test_metadata_replaces_metadata() -> None:
    once = describe(tiny.int8_model())
    assert describe(once) == once
    assert describe(describe(tiny.int8_model(), name="other", labels="abcde")) == once
    assert len(read_attached(once)) == 2


def plain_model(outputs: int, *, dtype: int = schema.TensorType.INT8) -> bytes:
    """Return a model that turns a picture [1, 10, outputs / 10, 1] into [1, outputs], unchanged."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    for name, shape in (("input", [1, 10, outputs // 10, 1]), ("output", [1, outputs])):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, dtype, 0
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = np.array([1 / 255], np.float32), np.array([-128])
        graph.tensors = [*(graph.tensors or []), tensor]
    op, code, options = schema.OperatorT(), schema.OperatorCodeT(), schema.ReshapeOptionsT()
    options.newShape = [1, outputs]
    op.inputs, op.outputs, op.builtinOptions = [0], [1], options
    op.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    graph.operators, graph.inputs, graph.outputs = [op], [0], [1]
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [code], [schema.BufferT()]
    return pack(model)


def test_a_thousand_labels_two_of_them_equal() -> None:
    labels = [f"class {i}" for i in range(1000)]
    labels[134] = labels[517] = "crane"
    model = describe(plain_model(1000), labels=labels)
    assert read_attached(model)["labels.txt"].decode().splitlines() == labels
    assert metadata_of(model).tables(3)[0].tables(2)[0].table(3).table(1).number(0, "b") == 2  # GRAYSCALE
    picture = np.arange(1000, dtype=np.uint8).view(np.int8).reshape(1, 10, 100, 1)
    np.testing.assert_array_equal(tiny.run(model, picture)[0], picture.ravel())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("abcd", "4 labels for 5 outputs"),
        ("abcdef", "6 labels for 5 outputs"),
        (["a", "b", "two\nlines", "d", "e"], r"label 2 is 'two\\nlines'"),
        (["a", "b", "c", "d", ""], "label 4 is ''"),
        (["a", " b", "c", "d", "e"], "label 1 is ' b'"),
        (["a", "b", "c", "line\u2028separator", "e"], "label 3"),
        (["a\0", "b", "c", "d", "e"], "label 0"),
    ],
)
def test_labels_that_would_not_survive_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe(tiny.int8_model(), labels=labels)


def test_metadata_is_for_pictures() -> None:
    def two_channels(model: Any, graph: Any) -> None:
        graph.tensors[graph.inputs[0]].shape = [1, 12, 18, 2]

    with pytest.raises(ValueError, match=r"the input has shape \(1, 12, 18, 2\); expected an image"):
        describe(edited(two_channels))

    def two_outputs(model: Any, graph: Any) -> None:
        graph.outputs = [*graph.outputs, graph.operators[0].outputs[0]]

    with pytest.raises(ValueError, match="1 inputs and 2 outputs; expected one of each"):
        describe(edited(two_outputs))


def test_accuracy_is_attached_and_nothing_else_changes() -> None:
    model = tiny.described_model()
    told = with_accuracy(model, 0.8125, 400)
    files = read_attached(told)
    assert json.loads(files.pop("accuracy.json")) == {"pictures": 400, "top1": 0.8125}
    assert files == read_attached(model)
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        assert told[: archive.start_dir] == model[: archive.start_dir]
    assert len(told) < len(model) + 200
    assert told == with_accuracy(model, 0.8125, 400)


def test_a_damaged_attachment_is_an_error() -> None:
    data = bytearray(tiny.described_model())
    at = data.index(b"tench\n")
    data[at] ^= 1
    with pytest.raises(ValueError, match=r"files attached to the \.tflite are damaged"):
        read_attached(bytes(data))


def test_a_zip_bomb_is_not_unpacked() -> None:
    whole = io.BytesIO(tiny.int8_model())
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", bytes(LARGEST_ATTACHED + 1))
    with pytest.raises(ValueError, match=r"unpacks to 16,777,217 bytes; expected at most 16,777,216"):
        read_attached(whole.getvalue())


# Bare models.


def test_stripping_undoes_metadata() -> None:
    bare = strip_metadata(tiny.described_model())
    assert bare == strip_metadata(tiny.int8_model())
    assert read_attached(bare) == {}
    assert unpack(bare).metadata is None
    assert not any(text in bare for text in (b"M001", b"PK\x03\x04", b"labels.txt", b"min_runtime_version"))
    inputs = tiny.as_int8(PICTURES)
    np.testing.assert_array_equal(tiny.run(bare, inputs), tiny.run(tiny.int8_model(), inputs))


def test_stripping_leaves_no_unused_buffer() -> None:
    bare = unpack(strip_metadata(tiny.described_model()))
    used = {tensor.buffer for tensor in bare.subgraphs[0].tensors}
    assert used == set(range(len(bare.buffers)))


def test_the_model_for_a_chip_computes_the_same_in_fewer_bytes() -> None:
    small, inputs = for_microcontroller(tiny.described_model()), tiny.as_int8(PICTURES)
    assert len(small) < 0.7 * len(strip_metadata(tiny.int8_model()))
    np.testing.assert_array_equal(tiny.run(small, inputs), tiny.run(tiny.int8_model(), inputs))
    assert for_microcontroller(small) == small


def test_the_model_for_a_chip_runs_on_tflite_micro() -> None:
    require(has_tflm(), "the tflite-micro wheel is not installed")
    inputs = tiny.as_int8(PICTURES)
    expected = tiny.run(tiny.int8_model(), inputs)
    for model in (for_microcontroller(tiny.int8_model()), strip_metadata(tiny.int8_model())):
        np.testing.assert_array_equal(tflm(model, inputs), expected)


@pytest.mark.parametrize(
    "edit", [to_uint8_twin, strip_metadata, for_microcontroller, normalised, describe], ids=lambda edit: edit.__name__
)
def test_a_text_file_is_refused_by_every_edit(edit: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a \.tflite file"):
        edit(b"This is a text file, not a model.")


def test_damage_that_only_editing_meets_is_an_error() -> None:
    data = tiny.int8_model()
    outcomes = set()
    for position in range(8, 600, 4):
        garbled = bytearray(data)
        struct.pack_into("<I", garbled, position, 0x7FFFFFFF)
        try:
            strip_metadata(bytes(garbled))
            outcomes.add("edited")
        except ValueError:
            outcomes.add("error")
    assert outcomes <= {"edited", "error"}
    assert "error" in outcomes
