"""Pictures for the Java side of the app, and what Python makes of them; read by core's `Cases.java`."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.images.decode import decode
from sqz_tf.images.resize import preprocess
from sqz_tf.inference import interpreters
from sqz_tf.inference.classifier import Classifier
from tests.helpers import echo_models

YUV = 5
UPRIGHT = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels, 1),
}
"""EXIF orientation → what makes the picture upright."""


@dataclass(frozen=True)
class Case:
    """A picture as it is stored, and what must come of it."""

    name: str
    model: int
    orientation: int
    stored: bytes  # kind, size, strides and bytes
    input: bytes
    output: bytes = b""
    top: tuple[int, ...] = ()

    def packed(self) -> bytes:
        name = self.name.encode()
        return b"".join(
            (
                struct.pack(">H", len(name)),
                name,
                struct.pack(">ii", self.model, self.orientation),
                self.stored,
                sized(self.input),
                sized(self.output),
                struct.pack(f">i{len(self.top)}i", len(self.top), *self.top),
            )
        )


def sized(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def write(folder: Path, models: Sequence[bytes], cases: Iterable[Case]) -> None:
    packed = [case.packed() for case in cases]
    parts = [struct.pack(">i", len(models)), *map(sized, models), struct.pack(">i", len(packed)), *packed]
    (folder / "cases").write_bytes(b"".join(parts))


def pixels_model(spec: PreprocessSpec, dtype: str = "int8") -> bytes:
    """Return a model whose scores are its input."""
    count = spec.width * spec.height * spec.channels
    model = echo_models.model(dtype, (1, spec.height, spec.width, spec.channels))
    return echo_models.described(model, tuple(f"pixel {i}" for i in range(count)), spec)


def stored_packed(pixels: np.ndarray, gap: int, seed: int) -> bytes:
    """Return [H, W, C] with `gap` bytes of noise behind each row but the last."""
    height, width, channels = pixels.shape
    stride = width * channels + gap
    rows = np.random.default_rng(seed).integers(0, 256, (height, stride), np.uint8)
    rows[:, : width * channels] = pixels.reshape(height, -1)
    return struct.pack(">iiii", channels, width, height, stride) + sized(rows.tobytes()[: stride * height - gap])


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Return RGB of [H, W, C]: grey repeated, transparency laid on white."""
    if pixels.shape[2] < 4:
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    colour, alpha = pixels[..., :3].astype(np.int64), pixels[..., 3:].astype(np.int64)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def packed_case(name: str, model: int, spec: PreprocessSpec, pixels: np.ndarray, orientation: int, gap: int) -> Case:
    upright = UPRIGHT[orientation](on_white(pixels))
    input_bytes = to_int8(preprocess(upright, spec)).tobytes()
    return Case(name, model, orientation, stored_packed(pixels, gap, len(name)), input_bytes)


def yuv_case(name: str, model: int, spec: PreprocessSpec, size: tuple[int, int], orientation: int, seed: int) -> Case:
    """Return a camera's frame: luma with a row stride; chroma in one plane each, or woven into each other."""
    width, height = size
    rng = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = (smooth(rng, shape) for shape in ((height, width), half, half))
    upright = UPRIGHT[orientation](yuv_to_rgb(y, u, v))
    gap, step = int(rng.integers(0, 9)), int(rng.integers(1, 3))
    luma = rows_with_gap(y, gap)
    planes = [rows_with_gap(np.repeat(plane, step, axis=1), gap)[: -(step - 1) or None] for plane in (u, v)]
    head = struct.pack(">iiiiii", YUV, width, height, width + gap, half[1] * step + gap, step)
    stored = head + b"".join(map(sized, (luma, *planes)))
    return Case(name, model, orientation, stored, to_int8(preprocess(upright, spec)).tobytes())


def smooth(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return something with areas and edges, which noise alone has not."""
    coarse = rng.integers(0, 256, (shape[0] // 8 + 1, shape[1] // 8 + 1), np.uint8)
    fine = coarse.repeat(8, axis=0).repeat(8, axis=1)[: shape[0], : shape[1]]
    return (fine // 2 + rng.integers(0, 128, shape, np.uint8)).astype(np.uint8)


def rows_with_gap(plane: np.ndarray, gap: int) -> bytes:
    padded = np.pad(plane, ((0, 0), (0, gap)), constant_values=7)
    return padded.tobytes()[: padded.size - gap]


def yuv_to_rgb(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return full-range BT.601 as RGB, by the same integers as YuvFrame.java."""
    blue, red = (plane.repeat(2, axis=0).repeat(2, axis=1)[: y.shape[0], : y.shape[1]] for plane in (u, v))
    luma, blue, red = y.astype(np.int64) << 16, blue.astype(np.int64) - 128, red.astype(np.int64) - 128
    channels = (luma + 91881 * red, luma - 22554 * blue - 46802 * red, luma + 116130 * blue)
    return np.clip(np.stack([channel + 32768 >> 16 for channel in channels], axis=2), 0, 255).astype(np.uint8)


def scored_cases(model: bytes, index: int, folder: Path, pictures: Iterable[np.ndarray]) -> list[Case]:
    """Return what Python's reference kernels make of some pictures, turned in every way."""
    path = folder / f"model-{index}.tflite"
    path.write_bytes(model)
    classifier = Classifier(path)
    cases = [
        packed_case(f"model {index}, picture {i}", index, classifier.preprocess, pixels, 1 + i % 8, i % 5)
        for i, pixels in enumerate(pictures)
    ]
    inputs = np.stack([np.frombuffer(case.input, np.int8).reshape(classifier.input.shape[1:]) for case in cases])
    outputs = interpreters.run(model, inputs, "litert-ref").outputs
    return [scored(case, classifier, output) for case, output in zip(cases, outputs, strict=True)]


def scored(case: Case, classifier: Classifier, output: np.ndarray) -> Case:
    """Return the case with what the model gives."""
    reals = (output.astype(np.float64) - classifier.output.zero_point) * classifier.output.scale
    order = np.argsort(-reals, kind="stable")[:5]
    return replace(case, output=output.tobytes(), top=tuple(int(index) for index in order))


def picture(seed: int, width: int, height: int, channels: int) -> np.ndarray:
    """Return uint8 [H, W, C]; grey and colour as a JPEG file decodes to it."""
    rng = np.random.default_rng(seed)
    pixels = np.stack([smooth(rng, (height, width)) for _ in range(channels)], axis=2)
    if channels == 4:
        return pixels
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels).save(file, "JPEG")
    return decode(file.getvalue())[..., :channels]
