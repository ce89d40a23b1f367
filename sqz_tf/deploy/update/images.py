"""What a slot holds of a network, made for the programs of its architecture."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters import delta
from converters.compiler import Compilation, Packing, analyse
from converters.compiler.back.c.slot import Image, Section, Test
from converters.compiler.compilation import slot_image
from converters.compiler.middle.program import Program
from converters.delta.container import IMAGE
from converters.delta.pieces import Packed
from converters.tflite.reader import read_model
from converters.tflite.writer import read_attached
from sqz_tf.base.errors import ConversionError, DataError, translated
from sqz_tf.deploy.need import packing_within
from sqz_tf.inference import interpreters
from sqz_tf.inference.model_file import int8_given

RECORD_BYTES = 288  # SQZ_UPDATE_RECORD_BYTES
PLACE, ERASED, SET = 32, b"\xff", b"\xa5"  # of a mark in a record
SEEDS = range(1, 9)  # of test inputs, of which the one is taken that says the most


@dataclass(frozen=True)
class Layout:
    """What an image is laid out for, besides the architecture: as `compile --weights slot` was given it.

    Attributes:
      target: whose kernels.
      optimize: speed, ram or flash.
      ram_bytes: that decoding may use; None for the least and somewhat more.
      classes: that the program has room for; 0 for as many as the network has.
    """

    target: str = "generic"
    optimize: str = "speed"
    ram_bytes: int | None = None
    classes: int = 0

    def packing(self, program: Program) -> Packing:
        """Return what the compiler is told."""
        arena = packing_within(None, self.ram_bytes, self.target, program).arena_budget
        return Packing(None, self.optimize, arena, slot=True, classes=self.classes)


@dataclass(frozen=True, eq=False)
class Built:
    """A result of updates: its bytes, what they are made of, the program that it is for, and its kind."""

    data: bytes
    pieces: tuple[delta.Piece, ...]
    network: bytes
    kind: int = IMAGE


def analysed(model: bytes, layout: Layout) -> Compilation:
    """Return a network's compilation for a slot.

    Raises:
      ValueError: it cannot be compiled.
    """
    return analyse(model, layout.target, layout.packing(analyse(model, layout.target).program))


def image_of(model: bytes, compilation: Compilation, labels: bytes = b"") -> Image:
    """Return what a slot holds, with the test that a device tries it with.

    Raises:
      ConversionError: the model takes or gives other numbers than int8, so that no test can be told.
    """
    return slot_image(compilation, _test(model, compilation.program.streams[compilation.program.output].bytes), labels)


def carried_labels(path: Path, model: bytes) -> list[str]:
    """Return the labels that a `.tflite` carries.

    Raises:
      DataError: it carries none.
    """
    labels = read_attached(model).get("labels.txt", b"").decode("utf-8").splitlines()
    if not labels:
        raise DataError(
            f"{path} carries no labels.txt", fix="leave --labels out, or export the model with sqz_tf.export"
        )
    return labels


def joined(labels: Sequence[str]) -> bytes:
    """Return labels as an image holds them, a line each."""
    return "\n".join(labels).encode()


def build(path: Path, layout: Layout, with_labels: bool = False) -> Built:
    """Return the image of a model's file.

    Raises:
      SqzError: it cannot be read or compiled, or carries no labels.
    """
    model = int8_given(path)
    labels = joined(carried_labels(path, model)) if with_labels else b""
    with translated(ConversionError, f"{path} cannot be compiled"):
        image = image_of(model, analysed(model, layout), labels)
    return Built(image.data, tuple(pieces_of(image)), image.network)


def input_of(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the input that devices make of a seed (docs/formats/squ.md), int8 of a shape."""
    x, found = seed, bytearray()
    for _ in range(int(np.prod(shape))):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        found.append(x & 255)
    return np.frombuffer(bytes(found), np.int8).reshape(shape)


def _test(model: bytes, output_bytes: int) -> Test:
    """Return a network's test in a program of so many outputs: of some inputs the one with most different scores."""
    graph = read_model(model)
    edges = [*graph.input_tensors(), *(graph.tensor(index) for index in graph.outputs)]
    if {edge.dtype for edge in edges} != {"int8"}:
        raise ConversionError(
            f"the model takes and gives {', '.join(sorted({edge.dtype for edge in edges}))}",
            expected="int8, so that a device can try it",
        )
    given = np.concatenate([input_of(seed, tuple(edges[0].shape)) for seed in SEEDS])
    outputs = interpreters.run(model, given, "litert-ref").outputs.reshape(len(SEEDS), -1)
    best = int(np.argmax([len(np.unique(each)) for each in outputs]))
    return Test(SEEDS[best], zlib.crc32(outputs[best].tobytes().ljust(output_bytes, b"\x80")))


def pieces_of(image: Image) -> list[delta.Piece]:
    """Return what an image is made of, for deltas."""
    return delta.image_pieces(len(image.data), [(each.at, each.bytes, _packed(each)) for each in image.sections])


def _packed(section: Section) -> Packed | None:
    found = section.packed
    if found is None:
        return None
    return Packed(found.group_channels, found.groups, found.quads, found.bias_bits, found.scale_bits, found.scales)


def of_slot(data: bytes) -> bytes:
    """Return the image at the beginning of a slot, or of what is an image alone."""
    return data[: int.from_bytes(data[4:8], "little")]


def slot(path: Path, image: bytes, version: int, slot_bytes: int) -> bytes:
    """Return a whole slot as a device's first programming has it: the image, and a record that says it is confirmed.

    Raises:
      ConversionError: the slot has no room for it.
    """
    check_room(path, image, slot_bytes)
    digest = hashlib.sha256(image).digest()
    told = struct.pack("<4sIII", b"SQZR", 1, version, len(image)) + digest + bytes(12)
    record = told + zlib.crc32(told).to_bytes(4, "little")
    before_marks = (slot_bytes - RECORD_BYTES - len(image)) * ERASED
    return image + before_marks + (record + 3 * PLACE * ERASED + PLACE * SET).ljust(RECORD_BYTES, ERASED)


def check_room(path: Path, image: bytes, slot_bytes: int | None) -> None:
    """Raise unless an image fits a slot of so many bytes, if that is known.

    Raises:
      ConversionError: it does not; the message says by how much.
    """
    room = None if slot_bytes is None else slot_bytes - RECORD_BYTES
    if room is not None and room <= 0:
        raise ConversionError(
            f"a slot of {slot_bytes} bytes has no room for a model",
            expected=f"more than the {RECORD_BYTES} of its record",
        )
    if room is not None and len(image) > room:
        raise ConversionError(
            f"{path} takes {len(image):,} bytes in a slot",
            expected=f"{room:,} or fewer, {len(image) - room:,} less",
            fix="pack it for less (--budget-kb), or --optimize flash",
        )
