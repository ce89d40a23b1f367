"""A model's C as WebAssembly: a module with SIMD and one without, and the weights that both read."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files as resources

from converters import compiler
from converters.compiler import Compilation
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy.web.segments import take_last_segment
from sqz_tf.deploy.web.toolchain import BuildError, Toolchain

TARGET = "wasm32"
NAME = "model"
WEIGHTS = '-DSQZ_WEIGHTS_SECTION="sqz_weights"'  # a segment of their own, behind all others
SIMD = "-msimd128"


@dataclass(frozen=True)
class Module:
    """A module without weights, and where in its memory they belong."""

    code: bytes
    weights_at: int


@dataclass(frozen=True)
class Program:
    """What a page runs.

    Attributes:
      compilation: what was compiled.
      simd, plain: for browsers with SIMD, and for the others.
      weights: of both.
    """

    compilation: Compilation
    simd: Module
    plain: Module
    weights: bytes


def build(model: bytes, preprocess: PreprocessSpec, toolchain: Toolchain) -> Program:
    """Compile an int8 `.tflite` for browsers.

    Raises:
      ValueError: the model cannot be compiled.
      BuildError: the C compiler failed.
    """
    compilation = compiler.analyse(model, TARGET)
    files = {**compiler.files(compilation, NAME), **_glue()}
    flags = (WEIGHTS, *_sizes(preprocess))
    (simd, weights), (plain, same) = (_module(toolchain.build(files, (*flags, *more))) for more in ((SIMD,), ()))
    if weights != same:
        raise BuildError(f"{toolchain.name} laid the weights of two builds differently")
    return Program(compilation, simd, plain, weights)


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
