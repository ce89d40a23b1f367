"""The Android app: its plain core on this machine's Java, and the package that is built from it."""

from __future__ import annotations

import dataclasses
import io
import itertools
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import android_cases
import byte_models
import numpy as np
import pytest
import tiny_net
from conftest import ROOT, require
from PIL import ExifTags, Image

from android_demo.tools import java, jvm, process
from converters import tflite_writer
from sqz_tf import interpreters
from sqz_tf.runtime import Classifier
from sqz_tf.spec import PreprocessSpec

CACHE = ROOT / "build" / "android" / "maven"
SPECS = (
    PreprocessSpec(48, 48, channels=1),
    PreprocessSpec(32, 24, fit="warp", resize_width=40, resize_height=27),
    PreprocessSpec(35, 35, resize_width=41, resize_height=40),
    PreprocessSpec(1, 1),
    PreprocessSpec(19, 20, channels=1, fit="warp"),
)
SIZES = ((1, 1), (2, 3), (7, 5), (48, 48), (33, 90), (101, 60), (160, 121), (640, 480), (1, 300))


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the class path of core and its tests."""
    missing = process.missing_tools(["java", "javac", "mvn"])
    require(not missing, f"{', '.join(missing)} are not installed")
    return jvm.compile_core(tmp_path_factory.mktemp("core"), CACHE)


def run_cases(core: list[Path], folder: Path, *names: str) -> None:
    classes = [f"org.sqztf.core.{name}" for name in names]
    assert jvm.run_junit(classes, core, {"sqz.cases": str(folder)}) == len(names)


def preprocessing_cases() -> list[android_cases.Case]:
    """Return pictures of all sizes, orientations, channels and strides, for every spec."""
    cases = []
    turns = itertools.cycle(range(1, 9))
    for number, (size, (model, spec), channels) in enumerate(itertools.product(SIZES, enumerate(SPECS), (1, 3, 4))):
        pixels = android_cases.picture(number, *size, channels)
        orientation, gap = next(turns), number % 5
        name = f"{size} as {spec.width} × {spec.height}, {channels} channels, orientation {orientation}, gap {gap}"
        cases.append(android_cases.packed_case(name, model, spec, pixels, orientation, gap))
    for number, (size, (model, spec)) in enumerate(itertools.product(SIZES, enumerate(SPECS))):
        orientation = next(turns)
        name = f"frame {size} as {spec.width} × {spec.height}, orientation {orientation}"
        cases.append(android_cases.yuv_case(name, model, spec, size, orientation, number))
    return cases


def test_inputs_are_byte_equal_to_pythons(core, tmp_path):
    cases = preprocessing_cases()
    assert len(cases) >= 100
    assert {case.orientation for case in cases} == set(range(1, 9))
    android_cases.write(tmp_path, [android_cases.pixels_model(spec) for spec in SPECS], cases)
    run_cases(core, tmp_path, "SamePixelsTest")


def test_a_single_wrong_pixel_is_noticed(core, tmp_path):
    pixels = android_cases.picture(1, 64, 48, 3)
    case = android_cases.packed_case("wrong", 0, SPECS[0], pixels, 6, 3)
    wrong = bytearray(case.input)
    wrong[-1] ^= 1
    case = android_cases.Case("wrong", 0, 6, case.stored, bytes(wrong))
    android_cases.write(tmp_path, [android_cases.pixels_model(SPECS[0])], [case])
    with pytest.raises(process.BuildError, match=r"wrong: arrays first differed at element \[2303\]"):
        run_cases(core, tmp_path, "SamePixelsTest")


def scored_cases(model: bytes, index: int, folder: Path, pictures: Iterable[np.ndarray]) -> list[android_cases.Case]:
    """Return what Python's reference kernels make of some pictures, turned in every way."""
    path = folder / f"model-{index}.tflite"
    path.write_bytes(model)
    classifier = Classifier(path)
    cases = [
        android_cases.packed_case(f"model {index}, picture {i}", index, classifier.preprocess, pixels, 1 + i % 8, i % 5)
        for i, pixels in enumerate(pictures)
    ]
    inputs = np.stack([np.frombuffer(case.input, np.int8).reshape(classifier.input.shape[1:]) for case in cases])
    outputs = interpreters.run(model, inputs, "litert-ref").outputs
    return [android_cases.scored(case, classifier, output) for case, output in zip(cases, outputs, strict=True)]


def test_a_tflite_runtime_on_the_jvm_gives_pythons_bytes_and_answers(core, tmp_path):
    model = tiny_net.net().int8_model
    pictures, _ = tiny_net.pictures(6, 5)
    cases = scored_cases(model, 0, tmp_path, [*pictures, *(picture // 3 + 60 for picture in pictures)])
    assert len({case.output for case in cases}) > 5
    android_cases.write(tmp_path, [model], cases)
    run_cases(core, tmp_path, "SamePixelsTest", "SameScoresTest")


# Core on its own ----------------------------------------------------------------------------------------------


def odd_models() -> dict[str, bytes]:
    """Return models whose names begin with what core must say of them."""
    model, described = byte_models.model, byte_models.described
    good = described(model())
    spec = byte_models.SPEC
    taller = dataclasses.replace(spec, height=2, resize_height=2)
    latin = model() + zipped({"labels.txt": "café\n".encode("latin-1"), "preprocess.json": b"{}"})
    cranes = ("red", "crane", "blue", "crane")
    return {
        "GOOD-int8": good,
        "GOOD-uint8": described(model("uint8")),
        "GOOD-powers_of_two": described(model(source_quantization=(1.0, 0))),
        "GOOD-two_cranes": described(model(), cranes, wnids=["", "n02012849", "", "n03126707"]),
        "GOOD-deflated": model() + zipped(tflite_writer.read_attached(good), zipfile.ZIP_DEFLATED),
        "NOT_TFLITE-empty": b"",
        "NOT_TFLITE-png": byte_models.picture(1, 2, 3),
        "NOT_QUANTIZED-float": described(model("float32")),
        "NO_LABELS-plain": model(),
        "NO_LABELS-none": described(model(), labels=None),
        "LABEL_COUNT-three_of_four": described(model(), byte_models.LABELS[:3]),
        "LABEL_COUNT-five_of_four": described(model(), (*byte_models.LABELS, "extra")),
        "DAMAGED-labels_latin_1": latin,
        "DAMAGED-two_inputs": described(model(inputs=2)),
        "DAMAGED-five_channels": described(model(shape=(1, 1, 4, 5))),
        "DAMAGED-zip_changed": good.replace(b"crane", b"crate"),
        "PREPROCESS-none": described(model(), preprocess=None),
        "PREPROCESS-another_size": described(model(), preprocess=taller),
        "PREPROCESS-no_json": model() + zipped({"labels.txt": b"a\nb\nc\nd\n", "preprocess.json": b"{"}),
        "PREPROCESS-wnids": described(model(), wnids=["n02012849"]),
        "PREPROCESS-scale": described(model(source_quantization=(1 / 128, -128))),
        "PREPROCESS-fit": described(model(), fit="stretch"),
    }


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return whole.getvalue()


def turned_photos() -> dict[str, bytes]:
    """Return pictures whose names begin with their orientation."""
    image = Image.new("RGB", (16, 8), "orange")
    photos = {"1-plain.jpg": encoded(image, "JPEG"), "1-plain.gif": encoded(image, "GIF"), "1-empty.jpg": b""}
    for orientation, (form, endian) in itertools.product(range(1, 9), (("JPEG", "<"), ("PNG", ">"), ("WEBP", "<"))):
        exif = Image.Exif()
        exif.endian = endian
        exif[ExifTags.Base.Make] = "a maker with a long name"
        exif[ExifTags.Base.Orientation] = orientation
        photos[f"{orientation}-turned.{form}"] = encoded(image, form, exif=exif)
    exif[ExifTags.Base.Orientation] = 9
    return {**photos, "1-nonsense.jpg": encoded(image, "JPEG", exif=exif)}


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def filled(folder: Path, files: dict[str, bytes], ending: str = "") -> str:
    folder.mkdir()
    for name, data in files.items():
        (folder / f"{name}{ending}").write_bytes(data)
    return str(folder)


def test_core_on_its_own(core, tmp_path):
    properties = {
        "sqz.models": filled(tmp_path / "models", odd_models(), ".tflite"),
        "sqz.photos": filled(tmp_path / "photos", turned_photos()),
    }
    classes = [name for name in jvm.test_classes(jvm.CORE_TESTS) if ".Same" not in name]
    assert jvm.run_junit(classes, core, properties) > 45


def test_the_two_files_to_copy_need_nothing_else(core, tmp_path):
    files = [jvm.CORE / "java" / "org" / "sqztf" / "core" / name for name in ("SqzModel.java", "SqzPicture.java")]
    java.compile_java(files, [], tmp_path / "classes")
