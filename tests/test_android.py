"""The Android app: its plain core on this machine's Java, and the package that is built from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import android_cases
import numpy as np
import pytest
import tiny_net
from conftest import ROOT, require

from android_demo.tools import jvm, process
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
