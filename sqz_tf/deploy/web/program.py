"""A model's C as WebAssembly: a module with SIMD and one without, and the weights that both read."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files as resources

from converters import compiler
from converters.compiler import Compilation
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy.update import images
from sqz_tf.deploy.web.segments import take_last_segment
from sqz_tf.deploy.web.toolchain import BuildError, Toolchain

TARGET = "wasm32"
NAME = "model"
WEIGHTS = '-DSQZ_WEIGHTS_SECTION="sqz_weights"'  # a segment of their own, behind all others
SIMD = "-msimd128"
BY_THE_PAGE = (f"{NAME}_weights.c", "sqz_update.c", "sqz_delta.c", "sqz_sha256.c")
"""Files that a page leaves out: it holds the image, and its script checks updates."""
LABELS_ROOM = 1 << 16  # bytes of a slot beyond its first image: what another says of its classes


@dataclass(frozen=True)
class Module:
    """A module without weights, and where in its memory they belong; 0 where it tells by itself, in its slot."""

    code: bytes
    weights_at: int


@dataclass(frozen=True)
class Program:
    """What a page runs.

    Attributes:
      compilation: what was compiled.
      simd, plain: for browsers with SIMD, and for the others.
      weights: of both; with slots the image that is in them first.
      slot: how many bytes an image may have, and the network that it must be of; None for a program without slots.
    """

    compilation: Compilation
    simd: Module
    plain: Module
    weights: bytes
    slot: Slot | None = None


@dataclass(frozen=True)
class Slot:
    """Where a page holds its model: how many bytes an image may have, and the hash of the program that it is for."""

    room: int
    network: bytes


def build(model: bytes, preprocess: PreprocessSpec, toolchain: Toolchain, updates: bool = False) -> Program:
    """Compile an int8 `.tflite` for browsers.

    Args:
      model, preprocess, toolchain: what is compiled, what pictures are, and by what.
      updates: whether the weights lie in a slot, so that the page takes updates of `update make --target wasm32`.

    Raises:
      ValueError: the model cannot be compiled.
      BuildError: the C compiler failed.
    """
    if updates:
        return _with_slot(model, preprocess, toolchain)
    compilation = compiler.analyse(model, TARGET)
    files = {**compiler.files(compilation, NAME), **_glue()}
    flags = (WEIGHTS, *_sizes(preprocess))
    (simd, weights), (plain, same) = (_module(toolchain.build(files, (*flags, *more))) for more in ((SIMD,), ()))
    if weights != same:
        raise BuildError(f"{toolchain.name} laid the weights of two builds differently")
    return Program(compilation, simd, plain, weights)


def _with_slot(model: bytes, preprocess: PreprocessSpec, toolchain: Toolchain) -> Program:
    compilation = images.analysed(model, images.Layout(TARGET))
    image = images.image_of(model, compilation)
    slot = Slot(len(image.data) + LABELS_ROOM, image.network)
    written = {**compiler.files(compilation, NAME), **_glue()}
    files = {name: text for name, text in written.items() if name not in BY_THE_PAGE}
    flags = (f"-DSQZ_SLOT_BYTES={slot.room}", *_sizes(preprocess))
    simd, plain = (Module(toolchain.build(files, (*flags, *more)), 0) for more in ((SIMD,), ()))
    return Program(compilation, simd, plain, image.data, slot)


def _module(linked: bytes) -> tuple[Module, bytes]:
    code, weights = take_last_segment(linked)
    return Module(code, weights.at), weights.content


def _glue() -> dict[str, str]:
    folder = resources("sqz_tf.deploy.web") / "glue"
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("web.c", "string.h")}


def _sizes(preprocess: PreprocessSpec) -> list[str]:
    return [
        f"-DSQZ_RESIZE_WIDTH={preprocess.resize_width}",
        f"-DSQZ_RESIZE_HEIGHT={preprocess.resize_height}",
        f"-DSQZ_WARP={int(preprocess.fit == 'warp')}",
    ]
