"""Models, photos and folders for tests of the app."""

from __future__ import annotations

import copy
import dataclasses
import io
import itertools
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from converters.tflite import pixels, writer
from converters.tflite.writer import read_attached
from tests.helpers import echo_models
from tests.helpers.pixel_inputs import INPUTS


def odd_models() -> dict[str, bytes]:
    """Return models whose names begin with what core must say of them."""
    model, described = echo_models.model, echo_models.described
    good = described(model())
    spec = echo_models.SPEC
    taller = dataclasses.replace(spec, height=2, resize_height=2)
    latin = model() + zipped({"labels.txt": "café\n".encode("latin-1"), "preprocess.json": b"{}"})
    cranes = ("red", "crane", "blue", "crane")
    return {
        "GOOD-int8": good,
        "GOOD-uint8": described(model("uint8")),
        "GOOD-powers_of_two": described(model(source_quantization=(1.0, 0))),
        "GOOD-two_cranes": described(model(), cranes, wnids=["", "n02012849", "", "n03126707"]),
        "GOOD-deflated": model() + zipped(read_attached(good), zipfile.ZIP_DEFLATED),
        "NOT_TFLITE-empty": b"",
        "NOT_TFLITE-png": echo_models.picture(1, 2, 3),
        "NOT_QUANTIZED-float": described(model("float32")),
        "NO_LABELS-plain": model(),
        "NO_LABELS-none": described(model(), labels=None),
        "LABEL_COUNT-three_of_four": described(model(), echo_models.LABELS[:3]),
        "LABEL_COUNT-five_of_four": described(model(), (*echo_models.LABELS, "extra")),
        "DAMAGED-labels_latin_1": latin,
        "DAMAGED-two_inputs": described(model(inputs=2)),
        "DAMAGED-five_channels": described(model(shape=(1, 1, 4, 5))),
        "DAMAGED-zip_changed": good.replace(b"crane", b"crate"),
        "GOOD-among_others_of_1600_MB": bomb(),
        "TOO_LARGE-labels": model() + zipped({"labels.txt": b"a" * (1 << 20) + b"b"}, zipfile.ZIP_DEFLATED),
        "DAMAGED-accuracy": writer.with_accuracy(good, 1.5, 4),
        "DAMAGED-labels_twice": model() + zipped_twice(read_attached(good)),
        "PREPROCESS-none": described(model(), preprocess=None),
        "PREPROCESS-another_size": described(model(), preprocess=taller),
        "PREPROCESS-no_json": model() + zipped({"labels.txt": b"a\nb\nc\nd\n", "preprocess.json": b"{"}),
        "PREPROCESS-wnids": described(model(), wnids=["n02012849"]),
        "PREPROCESS-scale": described(model(source_quantization=(1 / 128, -128))),
        "PREPROCESS-fit": described(model(), fit="stretch"),
        **inputs_as_python_reads_them(),
    }


def inputs_as_python_reads_them() -> dict[str, bytes]:
    """Return a model for each quantization of an input, named by what Python's rule says of it."""
    models = {}
    for number, (dtype, scale, zero_point, _) in enumerate(INPUTS):
        fault = pixels.fault(dtype, scale, zero_point, echo_models.SPEC.scale, alone=True)
        content = echo_models.model(dtype, source_quantization=(scale, zero_point))
        models[f"{'PREPROCESS' if fault else 'GOOD'}-input_{number}"] = echo_models.described(content)
    return models


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return whole.getvalue()


def zipped_twice(files: dict[str, bytes]) -> bytes:
    """Return a zip with two members of each name."""
    whole = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(whole, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in [*files.items(), *files.items()]:
            archive.writestr(name, data)
    return whole.getvalue()


def bomb() -> bytes:
    """Return a good model of 18 KB whose zip holds 100 more files of 16 MB each, which share their bytes."""
    whole = io.BytesIO(echo_models.described(echo_models.model()))
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", bytes(16 << 20))
        for number in range(1, 100):
            again = copy.copy(archive.filelist[-1])
            again.filename = f"{number}"
            archive.filelist.append(again)
    return whole.getvalue()


def turned_photos() -> dict[str, bytes]:
    """Return pictures whose names begin with their orientation."""
    image = Image.new("RGB", (16, 8), "orange")
    photos = {"1-plain.jpg": encoded(image, "JPEG"), "0-plain.gif": encoded(image, "GIF"), "1-empty.jpg": b""}
    for orientation, (form, endian) in itertools.product(range(1, 9), (("JPEG", "<"), ("PNG", ">"), ("WEBP", "<"))):
        exif = Image.Exif()
        exif.endian = endian
        exif[ExifTags.Base.Make] = "a maker with a long name"
        exif[ExifTags.Base.Orientation] = orientation
        photos[f"{orientation}-turned.{form}"] = encoded(image, form, exif=exif)
    exif[ExifTags.Base.Orientation] = 9
    photos["1-nonsense.jpg"] = encoded(image, "JPEG", exif=exif)
    filled = photos["6-turned.JPEG"]
    photos["6-filled.jpg"] = filled[:2] + b"\xff\xff" + filled[2:]
    photos["1-far.jpg"] = filled.replace(b"II*\0\x08\0\0\0", b"II*\0\xff\xff\xff\x7f")
    assert photos["1-far.jpg"] != filled
    photos["6-behind.png"] = exif_last(photos["6-turned.PNG"])
    photos["6-behind.webp"] = riff_with(photos["6-turned.WEBP"], b"ABCD" + struct.pack("<I", 600_001) + bytes(600_002))
    photos["1-endless.png"] = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 1 << 20, b"IDAT") + bytes((1 << 20) + 4)
    photos["1-endless.webp"] = b"RIFF\x40\0\0\0WEBPABCD" + struct.pack("<i", -8) + bytes(32)
    return photos


def exif_last(png: bytes) -> bytes:
    """Return the file with a large chunk of picture data before its eXIf, as writers that append metadata leave it."""
    start = png.index(b"eXIf") - 4
    end = start + 12 + struct.unpack_from(">I", png, start)[0]
    large = struct.pack(">I4s", 600_000, b"IDAT") + bytes(600_004)
    return png[:start] + png[end:-12] + large + png[start:end] + png[-12:]


def riff_with(webp: bytes, chunk: bytes) -> bytes:
    """Return the file with a chunk more before its EXIF, which WebP puts behind the picture."""
    at = webp.index(b"EXIF")
    return webp[:at] + chunk + webp[at:]


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def filled(folder: Path, files: dict[str, bytes], ending: str = "") -> str:
    folder.mkdir()
    for name, data in files.items():
        (folder / f"{name}{ending}").write_bytes(data)
    return str(folder)


def export_folder(folder: Path, model: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "model_int8.tflite").write_bytes(model)
    return folder
