"""The package itself, run here: its class files on this machine's Java, its libraries on this processor and in QEMU."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from android_demo.tools import jvm, maven
from android_demo.tools.natives import ABIS
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.inference.classifier import Classifier
from tests.helpers import (
    android_build,
    android_cases,
    android_files,
    android_natives,
    android_packs,
    android_readme,
    colour_network,
)
from tests.helpers.android_build import CACHE
from tests.helpers.android_package import (
    SIXTY_FOUR,
    Asked,
    Package,
    asked,
    assert_exact,
    assert_fast,
    packaged,
    small_package,
)
from tests.helpers.dex import class_files
from tests.helpers.exports import digits_folder

pytestmark = pytest.mark.device


@pytest.fixture(scope="module")
def package() -> Package:
    """Return a package for all processors with a small network."""
    android_build.require_android()
    android_natives.require_machines()
    return small_package()


@pytest.fixture(scope="module")
def colours(package: Package) -> Asked:
    """Return plain colours, and mixtures on which classes are close."""
    pictures, _ = colour_network.pictures(6, 5)
    found = asked(package.model, [*pictures, *(picture // 3 + 60 for picture in pictures)])
    assert len(np.unique(found.reference, axis=0)) > 5
    return found


# Libraries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("abi", list(ABIS))
def test_exact_kernels_give_the_reference_kernels_bytes(package, colours, abi):
    assert_exact(package, abi, colours)


@pytest.mark.parametrize("abi", SIXTY_FOUR)
def test_fast_kernels_give_what_pythons_classify_gives(package, colours, abi):
    assert_fast(package, abi, colours)


@pytest.mark.parametrize("abi", SIXTY_FOUR)
def test_threads_that_are_asked_for_are_made(package, colours, abi):
    device = package.device(abi)
    made = [device.fast(package.model, threads, colours.inputs[:1], 4).threads for threads in (1, 2, 4)]
    assert made == [0, 1, 3]


def test_the_package_runs_on_pages_of_16_kb(package, colours):
    assert_exact(package, "arm64-v8a", colours, 16384)
    assert_fast(package, "arm64-v8a", colours, 16384)


def test_a_library_for_pages_of_4_kb_does_not_load_on_16_kb(package, colours, tmp_path):
    with zipfile.ZipFile(maven.fetch(["tensorflow"], CACHE)["tensorflow"][0]) as archive:
        old = archive.read("jni/arm64-v8a/libtensorflowlite_jni.so")
    folder = Path(shutil.copytree(package.device("arm64-v8a").folder, tmp_path / "device"))
    device = android_natives.Device("arm64-v8a", folder)
    (folder / "libsqz_fast.so").write_bytes(old)
    with pytest.raises(android_natives.NotRun, match="page-aligned"):
        device.fast(package.model, 1, colours.inputs[:1], 4, 16384)


def test_a_library_for_which_java_would_call_tflites_jni_onload_is_refused(package, colours, tmp_path):
    folder = Path(shutil.copytree(package.device("x86_64").folder, tmp_path / "device"))
    library = folder / "libsqz_fast.so"
    library.write_bytes(library.read_bytes().replace(b"JNI_OnLoad\0", b"JNI_OnLove\0"))
    with pytest.raises(android_natives.NotRun, match=r"libsqz_fast\.so has no JNI_OnLoad of its own"):
        android_natives.Device("x86_64", folder).fast(package.model, 1, colours.inputs[:1], 4)


@pytest.mark.slow
def test_six_hundred_digits_get_pythons_answers(package):
    digits = packaged({"digits": (digits_folder() / "digits" / "model_int8.tflite").read_bytes()})
    scans = (load_digits().images[:600] * 15.9375).astype(np.uint8)  # 0 to 16
    given = asked(digits.model, list(scans))
    for abi in ABIS:
        assert_exact(digits, abi, given)
    for abi in SIXTY_FOUR:
        assert_fast(digits, abi, given)


# Class files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the class path of core and its tests."""
    return android_build.core(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="module")
def dex(package: Package, core: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the class path of core's tests and, in place of core, the class files that the package's dex gives."""
    jar = class_files(package.apk, tmp_path_factory.mktemp("dex") / "dex.jar")
    tests, _, *libraries = core
    return [tests, jar, *[each for each in libraries if not each.name.startswith("tink-")]]  # the package has its own


def test_cores_tests_pass_on_the_dex(dex, tmp_path):
    properties = {
        "sqz.models": android_files.filled(tmp_path / "models", android_files.odd_models(), ".tflite"),
        "sqz.packs": android_packs.few(),
        "sqz.own": android_packs.write_own(tmp_path / "own"),
        "sqz.updates": android_packs.write_updates(tmp_path / "own", tmp_path / "updates"),
        "sqz.photos": android_files.filled(tmp_path / "photos", android_files.turned_photos()),
        "sqz.cases": str(tmp_path),
    }
    spec = PreprocessSpec(32, 24, fit="warp", resize_width=40, resize_height=27)
    cases = [
        android_cases.packed_case(f"turned {turn}", 0, spec, android_cases.picture(turn, 33, 90, 3), turn, turn % 3)
        for turn in range(1, 9)
    ]
    android_cases.write(tmp_path, [android_cases.pixels_model(spec)], cases)
    classes = [name for name in jvm.test_classes(jvm.CORE_TESTS) if not name.endswith("SameScoresTest")]
    assert jvm.run_junit(classes, dex, properties) > 50


def answers(outputs: np.ndarray, classifier: Classifier) -> str:
    """Return a line for each picture: class and probability of each answer, best first."""
    reals = (outputs.astype(float) - classifier.output.zero_point) * classifier.output.scale
    lines = []
    for row in reals:
        order = np.argsort(-row, kind="stable")[:5]
        lines.append(" ".join(f"{index} {float(np.float32(row[index]))!r}" for index in order))
    return "\n".join([*lines, ""])


@pytest.mark.slow
def test_the_whole_app_answers_as_python_does(package, core, dex, tmp_path):
    pictures, _ = colour_network.pictures(5, 11)
    given = asked(package.model, list(pictures))
    classifier = Classifier(package.model)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    (tmp_path / "exact").write_text(answers(given.reference, classifier))
    (tmp_path / "fast").write_text(answers(given.classified, classifier))
    compiled = jvm.compile_app(core, package.folder / "assets", maven.empty_folder(tmp_path / "app"), CACHE)
    classpath = [dex[1], *compiled]
    libraries = package.device("x86_64").folder
    properties = {"sqz.answers": str(tmp_path)}
    classes = ["org.sqztf.demo.KernelsEndToEndTest"]
    assert jvm.run_app(jvm.as_packaged(classpath), CACHE, properties, classes, libraries) == 4
    assert jvm.run_app(classpath, CACHE, {}, ["org.sqztf.demo.AppTest"]) > 25


def scored(model: Path, folder: Path, given: Mapping[str, np.ndarray], pictures: list[np.ndarray]) -> dict[str, str]:
    """Write pictures with each kind of output int8 [N, classes]; return property → folder."""
    classifier = Classifier(model)
    other = android_cases.pixels_model(PreprocessSpec(1, 1))
    for name, outputs in given.items():
        cases = [
            android_cases.scored(
                android_cases.packed_case(f"picture {i}", 0, classifier.preprocess, pixels, 1, 0), classifier, output
            )
            for i, (pixels, output) in enumerate(zip(pictures, outputs, strict=True))
        ]
        (folder / name).mkdir()
        android_cases.write(folder / name, [model.read_bytes(), other], cases)
    return {name: str(folder / name) for name in given}


def test_the_dex_with_the_x86_64_libraries_gives_pythons_answers(package, dex, tmp_path):
    pictures, _ = colour_network.pictures(2, 7)
    given = asked(package.model, list(pictures))
    device = package.device("x86_64")
    outputs = {"sqz.cases": given.reference, "sqz.fast": given.classified}
    properties = scored(package.model, tmp_path, outputs, list(pictures))
    classes = ["org.sqztf.core.KernelsTest"]
    assert jvm.run_junit(classes, jvm.as_packaged(dex), properties, device.folder) == 4


def assert_readme_answers(package: Package, pictures: list[np.ndarray], core: Path, folder: Path) -> None:
    """The README's code gives the answers of `sqz_tf.classify`: scores within 1/256, the first among Python's best."""
    classifier = Classifier(package.model)
    scores = (asked(package.model, pictures).classified.astype(float) - classifier.output.zero_point) / 256
    assert classifier.output.scale == 1 / 256
    libraries = package.device("x86_64").folder
    shown = android_readme.answers(package.model.read_bytes(), pictures, folder, core, libraries)
    assert len(shown) == len(pictures)
    assert all(shown)
    for wanted, answers in zip(scores, shown, strict=True):
        assert wanted[answers[0][0]] >= wanted.max() - 1 / 256
        assert max(abs(wanted[index] - probability) for index, probability in answers) <= 1 / 256


@pytest.mark.slow
def test_the_code_in_the_readme_gives_the_answers_of_pythons_classify(package, core, tmp_path):
    pictures, _ = colour_network.pictures(5, 11)
    assert len(pictures) == 20
    assert_readme_answers(package, [np.repeat(picture, 3, 1) for picture in pictures], core[1], tmp_path)
