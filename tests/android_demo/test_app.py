"""The Android app: its plain core on this machine's Java, and the package that is built from it."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from android_demo.tools import apk, build, java, jvm, maven, models, process, shrink, verify
from android_demo.tools.__main__ import main
from android_demo.tools.natives import ABIS
from android_demo.tools.screens import compose
from converters.android_assets import android_assets
from converters.delta.trust import Trust
from sqz_tf import export
from sqz_tf.base.errors import OutputError
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy import android
from sqz_tf.images.decode import picture_size
from sqz_tf.pipeline import job
from tests.helpers import (
    android_build,
    android_cases,
    android_files,
    android_package,
    android_packs,
    android_photos,
    android_readme,
    colour_network,
    echo_models,
    file_updates,
)
from tests.helpers.android_build import CACHE
from tests.helpers.needs import require

pytestmark = pytest.mark.device

SPECS = (
    PreprocessSpec(48, 48, channels=1),
    PreprocessSpec(32, 24, fit="warp", resize_width=40, resize_height=27),
    PreprocessSpec(35, 35, resize_width=41, resize_height=40),
    PreprocessSpec(1, 1),
    PreprocessSpec(19, 20, channels=1, fit="warp"),
)
SIZES = ((1, 1), (2, 3), (7, 5), (48, 48), (33, 90), (101, 60), (160, 121), (640, 480), (1, 300))
WITHOUT_WORDS = {"percent", "zoom", "benchmark_time"}
FORMATS = re.compile(r"%\d\$[.\d]*[a-z]|%%")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the class path of core and its tests."""
    return android_build.core(tmp_path_factory.mktemp("core"))


def run_cases(core: list[Path], folder: Path, *names: str) -> None:
    android_build.run_cases(core, folder, *names)


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


def test_a_tflite_runtime_on_the_jvm_gives_pythons_bytes_and_answers(core, tmp_path):
    model = colour_network.net().int8_model
    pictures, _ = colour_network.pictures(6, 5)
    cases = android_cases.scored_cases(model, 0, tmp_path, [*pictures, *(picture // 3 + 60 for picture in pictures)])
    assert len({case.output for case in cases}) > 5
    android_cases.write(tmp_path, [model], cases)
    run_cases(core, tmp_path, "SamePixelsTest", "SameScoresTest")


# Core on its own ----------------------------------------------------------------------------------------------


def test_core_on_its_own(core, tmp_path):
    properties = {
        "sqz.models": android_files.filled(tmp_path / "models", android_files.odd_models(), ".tflite"),
        "sqz.packs": android_packs.few(),
        "sqz.own": android_packs.write_own(tmp_path / "own"),
        "sqz.updates": android_packs.write_updates(tmp_path / "own", tmp_path / "updates"),
        "sqz.photos": android_files.filled(tmp_path / "photos", android_files.turned_photos()),
    }
    classes = [name for name in jvm.test_classes(jvm.CORE_TESTS) if ".Same" not in name]
    assert jvm.run_junit(classes, core, properties) > 45


@pytest.mark.slow
def test_thousands_of_damaged_packs_are_judged_as_python_does(core, tmp_path):
    android_packs.write(tmp_path / "packs", 2000, seed=1)
    properties = {"sqz.packs": str(tmp_path / "packs"), "sqz.effort": "1000"}
    assert jvm.run_junit(["org.sqztf.core.SqzPackTest"], core, properties) >= 8


def test_the_two_files_to_copy_need_nothing_else(core, tmp_path):
    java.compile_java(android_readme.two_files(), [], tmp_path / "classes")


def test_the_code_in_the_readme_compiles(android_tools, tmp_path):
    source = tmp_path / "Readme.java"
    source.write_text(android_readme.code())
    have = maven.fetch(["tensorflow", "api36"], CACHE)
    libraries = [java.classes_of_aar(aar, tmp_path) for aar in have["tensorflow"]]
    classpath = [*libraries, build.api_jar(have["api36"][0])]
    java.compile_java([source, *android_readme.two_files()], classpath, tmp_path / "readme")


def test_the_code_in_the_readme_answers_for_every_picture(core, tmp_path):
    model = android_cases.pixels_model(PreprocessSpec(1, 1))
    colours = [[[(255, 128, 0)]], [[(0, 128, 255)]], [[(255, 255, 255)]]]
    answers = android_readme.answers(model, [np.array(colour, np.uint8) for colour in colours], tmp_path)
    assert [index for line in answers for index, _ in line] == [0, 1, 2, 2, 1, 0, 0, 1, 2]


# The app ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an app's assets with two models."""
    folder = tmp_path_factory.mktemp("bundle")
    exports = [
        android_files.export_folder(folder / name, android_cases.pixels_model(SPECS[i]))
        for i, name in enumerate(android_package.BUNDLED)
    ]
    trust = Trust([file_updates.public()], file_updates.PRODUCT, file_updates.INSTALLED - 1)
    android.bundle(exports, folder / "assets", trust)
    return folder / "assets"


@pytest.fixture(scope="module")
def android_tools() -> None:
    android_build.require_android()


@pytest.mark.slow
def test_the_app_on_old_and_new_android(core, assets, android_tools, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "screens").mkdir()
    android_photos.write(tmp_path / "photos")
    classpath = jvm.compile_app(core, assets, maven.empty_folder(tmp_path / "app"), CACHE)
    properties = {
        "sqz.pictures": str(tmp_path / "photos"),
        "sqz.screens": str(tmp_path / "screens"),
        "sqz.own": android_packs.write_own(tmp_path / "own"),
        "sqz.updates": android_packs.write_updates(tmp_path / "own", tmp_path / "updates"),
    }
    assert jvm.run_app(classpath, CACHE, properties) >= 90
    sizes = {path.stem: picture_size(path.read_bytes()) for path in (tmp_path / "screens").iterdir()}
    assert sizes["photo-en"] == (822, 1782)
    wanted = {
        "photo-ko-dark",
        "photo-ko-large-sheet",
        "photo-en-landscape-dark",
        "photo-rtl",
        "photo-en-tablet",
        "photo-en-split",
    }
    compose(tmp_path / "screens", tmp_path / "sheet.png")  # all that the README's sheet shows are there
    assert {*wanted, "no-camera-small", "asking-ko-large", "live-en", "frozen", "benchmark-ko", "icon"} <= set(sizes)


def test_tests_that_take_too_long_are_stopped(core, monkeypatch):
    monkeypatch.setattr(jvm, "LONGEST", 0.1)
    with pytest.raises(process.BuildError, match=r"^timeout .* exited with "):
        jvm.run_junit(["org.sqztf.core.SmootherTest"], core, {})


def test_every_text_is_there_in_both_languages():
    english, korean = (
        dict(re.findall(r'<string name="(\w+)">(.*?)</string>', (folder / "strings.xml").read_text("utf-8")))
        for folder in (build.APP / "res" / "values", build.APP / "res" / "values-ko")
    )
    assert english.keys() == korean.keys()
    for name, text in english.items():
        assert sorted(FORMATS.findall(text)) == sorted(FORMATS.findall(korean[name])), name
        assert re.search("[가-힣]", korean[name]) or name in WITHOUT_WORDS


# The package --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package(android_tools) -> tuple[Path, verify.Verdict]:
    small = android_package.small_package()
    return small.folder, verify.verify(small.apk, list(ABIS))


def test_the_package_is_signed_aligned_and_holds_the_models(package):
    out, verdict = package
    assert {path.name for path in out.iterdir() if path.is_file()} == {"sqz-demo.apk", "report.json", "debug.keystore"}
    assert [(entry["name"], entry["exact"]) for entry in verdict.models] == [("model0", True), ("model1.0", False)]
    assert json.loads((out / "report.json").read_text())["sha256"] == maven.sha256(out / "sqz-demo.apk")
    assert verdict.bytes < 26_000_000
    assert verdict.locales == ["ko"]
    keys = [file_updates.public().hex()]
    assert verdict.updates == {"model": file_updates.PRODUCT, "version": file_updates.INSTALLED, "keys": keys}
    names = ["libjnitensorflowlite.so", "libsqz_exact.so", "libsqz_fast.so"]
    wanted = [f"lib/{abi}/{name}" for abi in ("arm64-v8a", "x86_64") for name in names]
    paths = {library.path for library in verdict.libraries}
    assert paths == {*wanted, "lib/armeabi-v7a/libsqz_exact.so"}
    assert {(library.offset % 16384, library.segment_alignment) for library in verdict.libraries} == {(0, 16384)}
    with zipfile.ZipFile(out / "sqz-demo.apk") as archive:
        info = archive.getinfo("assets/models/model0.tflite")
        assert info.compress_type == zipfile.ZIP_STORED
        assert archive.read(info) == (out / "assets" / "models" / "model0.tflite").read_bytes()
        labels = archive.read("assets/models/model0.labels.txt").decode().splitlines()
        assert labels == ["blue", "green", "grey", "red"]
        assert b"Apache License, Version 2.0" in archive.read("assets/licences/tink.txt")
        assert b"Apache License" in archive.read("assets/licences/tensorflow.txt")


def repacked(source: Path, target: Path, change: Any) -> Path:
    """Copy a package with some entries changed: `change` returns name, bytes and method, or None to leave it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            if (entry := change(info, old.read(info))) is not None:
                name, data, method = entry
                apk._add(new, name, data, method)
    return target


@pytest.mark.parametrize(
    ("fault", "entry", "method", "data"),
    [
        ("model0.tflite is compressed", "assets/models/model0.tflite", zipfile.ZIP_DEFLATED, None),
        ("model0.labels.txt has changed", "assets/models/model0.labels.txt", zipfile.ZIP_DEFLATED, b"cat\n"),
        ("is compressed", "lib/arm64-v8a/libsqz_fast.so", zipfile.ZIP_DEFLATED, None),
    ],
)
def test_a_package_that_is_not_right_is_refused(package, tmp_path, fault, entry, method, data):
    out, _ = package

    def change(info: zipfile.ZipInfo, content: bytes) -> tuple[str, bytes, int]:
        if info.filename != entry:
            return info.filename, content, info.compress_type
        return info.filename, content if data is None else data, method

    changed = repacked(out / "sqz-demo.apk", tmp_path / "changed.zip", change)
    signed = apk.sign(changed, out / "debug.keystore", tmp_path / "signed.apk")
    with pytest.raises(process.BuildError, match=fault):
        verify.verify(signed, list(ABIS))
    with pytest.raises(process.BuildError):
        verify.verify(changed, list(ABIS))  # not signed


def test_a_library_for_pages_of_4_kb_is_refused(package, tmp_path):
    out, _ = package
    (aar, _) = maven.fetch(["tensorflow"], CACHE)["tensorflow"]
    with zipfile.ZipFile(aar) as archive:
        old = archive.read("jni/arm64-v8a/libtensorflowlite_jni.so")

    signed = with_fast(out, old, tmp_path)
    with pytest.raises(process.BuildError, match=r"libsqz_fast\.so are aligned to 4096, less than 16384"):
        verify.verify(signed, list(ABIS))


def with_fast(package: Path, library: bytes, folder: Path) -> Path:
    """Return a signed package with another libsqz_fast.so."""

    def change(info: zipfile.ZipInfo, content: bytes) -> tuple[str, bytes, int]:
        return info.filename, library if info.filename.endswith("libsqz_fast.so") else content, info.compress_type

    changed = repacked(package / "sqz-demo.apk", folder / "changed.zip", change)
    return apk.sign(changed, package / "debug.keystore", folder / "signed.apk")


def test_a_library_that_java_would_load_with_what_it_needs_is_refused(package, tmp_path):
    out, _ = package
    with zipfile.ZipFile(out / "sqz-demo.apk") as archive:
        library = archive.read("lib/x86_64/libsqz_fast.so")
    assert library.count(b"JNI_OnLoad\0") == 1
    signed = with_fast(out, library.replace(b"JNI_OnLoad\0", b"JNI_OnLove\0"), tmp_path)
    with pytest.raises(process.BuildError, match=r"libsqz_fast\.so has no JNI_OnLoad of its own"):
        verify.verify(signed, list(ABIS))


def test_of_a_library_only_what_is_used_goes_into_the_package(tmp_path):
    missing = process.missing_tools(["javac"])
    require(not missing, f"{', '.join(missing)} are not installed")
    texts = {
        "User": "class User { Object made = new first.A(); long wide = 5L; double more = 0.5; }",
        "first/A": "package first; public class A { second.B[] those; Object get() { return new second.B[1]; } }",
        "second/B": "package second; public class B { interface Inner {} Inner inner; }",
        "second/C": "package second; public class C {}",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.java").write_text(text)
    classes = java.compile_java([tmp_path / f"{name}.java" for name in texts], [], tmp_path / "classes")
    with zipfile.ZipFile(tmp_path / "library.jar", "w") as jar:
        for path in sorted(classes.rglob("*.class")):
            if path.name != "User.class":
                jar.write(path, path.relative_to(classes))
    user = (classes / "User.class").read_bytes()
    with zipfile.ZipFile(shrink.needed(tmp_path / "library.jar", [user], tmp_path / "few.jar")) as few:
        assert few.namelist() == ["first/A.class", "second/B.class", "second/B$Inner.class"]
        assert few.read("first/A.class") == (classes / "first" / "A.class").read_bytes()
    with pytest.raises(process.BuildError, match=r"nothing of library\.jar is used"):
        shrink.needed(tmp_path / "library.jar", [], tmp_path / "none.jar")
    for damaged in (b"\0" * 20, user[:10] + b"\x63" + user[11:]):
        with pytest.raises(process.BuildError, match="class file"):
            shrink.classes_named(damaged)


def test_a_package_that_is_not_right_is_not_left(tmp_path, monkeypatch):
    def refuse(*_: Any) -> None:
        raise process.BuildError("the package is not right")

    signed = tmp_path / "work" / "signed.zip"
    signed.parent.mkdir()
    signed.write_bytes(b"")
    monkeypatch.setattr(build, "verify", refuse)
    with pytest.raises(process.BuildError):
        build._publish(signed, ["arm64-v8a"], tmp_path)
    assert not list(tmp_path.rglob("*.apk"))


def test_a_device_without_camera_is_not_shut_out():
    badging = """package: name='org.sqztf.demo'\nsdkVersion:'24'\ntargetSdkVersion:'36'
compileSdkVersion='36' compileSdkVersionCodename='16'
launchable-activity: name='org.sqztf.demo.MainActivity'\nuses-permission: name='android.permission.CAMERA'
"""
    verify._check_badging(badging + "  uses-feature-not-required: name='android.hardware.camera'\n")
    with pytest.raises(process.BuildError, match="badging lacks compileSdkVersion='36'"):
        verify._check_badging(badging.replace("compileSdkVersion='36'", "compileSdkVersion='29'"))
    with pytest.raises(process.BuildError, match="without a camera are shut out"):
        verify._check_badging(badging + "  uses-feature: name='android.hardware.camera'\n")


@pytest.mark.slow
def test_a_call_that_is_too_new_does_not_compile(android_tools, tmp_path):
    have = maven.fetch(["api36", "api24", "sniffer"], CACHE)
    newest, oldest = (build.api_jar(have[use][0]) for use in ("api36", "api24"))
    source = tmp_path / "New.java"
    source.write_text(
        "import android.view.WindowInsets;\nclass New { static int[] of(WindowInsets insets) {\n"
        "    return new int[] {insets.getInsets(WindowInsets.Type.systemBars()).left}; } }\n"
    )
    java.compile_java([source], [newest], tmp_path / "newest")
    with pytest.raises(process.BuildError, match="cannot find symbol"):
        java.compile_for_both([source], newest, oldest, have["sniffer"], [], tmp_path)
    source.write_text(
        "class New { java.time.Instant now;\nString all(java.util.List<String> parts) {\n"
        '    return String.join(", ", parts) + Math.floorMod(parts.size(), 2); } }\n'
    )
    with pytest.raises(process.BuildError, match="only after API 24") as refusal:
        java.compile_for_both([source], newest, oldest, have["sniffer"], [], tmp_path)
    found = re.findall("Undefined reference: (.*)", str(refusal.value))
    assert sorted(found) == ["String String.join(CharSequence, Iterable)", "java.time.Instant"]


def test_an_unknown_hash_is_refused(tmp_path):
    (tmp_path / "pins.txt").write_text("junit junit:junit:4.13.2 # no hash\n")
    with pytest.raises(process.BuildError, match=r"cannot read `junit junit:junit:4\.13\.2`"):
        maven.read_pins(tmp_path / "pins.txt")
    pin = next(pin for pin in maven.read_pins() if pin.name == "hamcrest-core")
    file = tmp_path / pin.file
    file.write_bytes(b"something else")
    with pytest.raises(process.BuildError, match=f"expected {pin.sha256}"):
        maven._compare(file, pin)
    assert not file.exists()


# Models and assets --------------------------------------------------------------------------------------------


def test_assets_are_models_labels_and_a_list_with_hashes():
    model = echo_models.described(echo_models.model())
    files = android_assets({"tiny": model})
    assert files["models/tiny.tflite"] == model
    assert files["models/tiny.labels.txt"] == b"red\ngreen\nblue\ncrane\n"
    (entry,) = json.loads(files["models/models.json"])["models"]
    assert entry["sha256"] == hashlib.sha256(model).hexdigest()
    assert entry["labels_sha256"] == hashlib.sha256(files["models/tiny.labels.txt"]).hexdigest()
    assert android_assets({"tiny": model}) == files


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("../up", b"", "no plain file name"),
        ("tiny", b"PNG", "no .tflite file"),
        ("tiny", echo_models.model(), "carries no labels.txt"),
        ("tiny", echo_models.described(echo_models.model(), labels=None), "carries no labels.txt"),
    ],
)
def test_what_cannot_be_bundled_is_refused(name, content, fault):
    with pytest.raises(ValueError, match=fault):
        android_assets({name: content})


def test_the_command_says_what_is_missing(tmp_path, capsys):
    assert main([str(tmp_path / "nothing"), "--only-bundle", "--assets", str(tmp_path / "assets")]) == 1
    assert "model_int8.tflite; expected an output folder of python -m sqz_tf.export" in capsys.readouterr().err
    assert not (tmp_path / "assets").exists()
    twins = [str(android_files.export_folder(tmp_path / part / "same", b"")) for part in "ab"]
    assert main([*twins, "--only-bundle", "--assets", str(tmp_path / "assets")]) == 1
    assert "two folders are called same" in capsys.readouterr().err


def test_bundling_replaces_what_was_there(android_tools, tmp_path):
    first, second = (
        android_files.export_folder(tmp_path / name, echo_models.described(echo_models.model()))
        for name in ("first", "second")
    )
    (second / "LICENCE.weights.txt").write_text("as it is")
    android.bundle([first], tmp_path / "assets")
    command = [str(second), "--only-bundle", "--abi", "armeabi-v7a", "--assets", str(tmp_path / "assets")]
    assert main([*command, "--out", str(CACHE.parent)]) == 0
    assert [path.name for path in (tmp_path / "jniLibs" / "armeabi-v7a").iterdir()] == ["libsqz_exact.so"]
    names = {path.name for path in (tmp_path / "assets" / "models").iterdir()}
    assert names == {"second.tflite", "second.labels.txt", "second.licence.txt", "models.json"}


def test_a_bundle_that_cannot_be_written_leaves_the_earlier_one(tmp_path, monkeypatch):
    model = echo_models.described(echo_models.model())
    android.bundle([android_files.export_folder(tmp_path / "first", model)], tmp_path / "assets")
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "models.json":
            raise OSError(28, "No space left on device")
        return write(path, data)

    second = android_files.export_folder(tmp_path / "second", model)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="assets cannot be written"):
        android.bundle([second], tmp_path / "assets")
    assert {path.name for path in tmp_path.iterdir()} == {"assets", "first", "second"}
    names = {path.name for path in (tmp_path / "assets" / "models").iterdir()}
    assert names == {"first.tflite", "first.labels.txt", "models.json"}


def test_the_default_model_is_imagenets_if_it_can_be_had(tmp_path):
    build_folder, weights = tmp_path / "build", tmp_path / "data" / "weights"
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    digits = (build_folder / "digits", ["--data", "digits"])
    assert models.default_model(build_folder, environment) == digits
    weights.mkdir(parents=True)
    environment["SQZ_TF_WEIGHTS"] = str(weights)
    assert models.default_model(build_folder, environment) == digits
    (weights / "compressed_SqueezeNet.net").write_bytes(bytes(1 << 18))
    assert models.default_model(build_folder, environment) == digits  # there is nothing to calibrate it with
    for name in ("imagenet_dev", "imagenet_unlabelled"):
        (tmp_path / "data" / name).mkdir()
    folder, arguments = models.default_model(build_folder, environment)
    assert folder == build_folder / "imagenet"
    assert arguments[:2] == ["--weights", "imagenet"]
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert models.default_model(build_folder, environment) == (folder, [])


def test_segment_alignment_is_the_smallest_of_the_loadable_ones():
    header = bytearray(64 + 3 * 56)
    header[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", header, 32, 64)
    struct.pack_into("<HH", header, 54, 56, 3)
    for i, (kind, alignment) in enumerate(((1, 65536), (2, 8), (1, 16384))):
        struct.pack_into("<I", header, 64 + 56 * i, kind)
        struct.pack_into("<Q", header, 64 + 56 * i + 48, alignment)
    assert verify.segment_alignment(bytes(header)) == 16384
    with pytest.raises(process.BuildError, match="no little-endian ELF"):
        verify.segment_alignment(b"MZ" + bytes(100))


def test_segments_of_32_bit_libraries_are_read_too():
    header = bytearray(52 + 2 * 32)
    header[:6] = b"\x7fELF\x01\x01"
    struct.pack_into("<I", header, 28, 52)
    struct.pack_into("<HH", header, 42, 32, 2)
    for i, alignment in enumerate((16384, 4096)):
        struct.pack_into("<I", header, 52 + 32 * i, 1)
        struct.pack_into("<I", header, 52 + 32 * i + 28, alignment)
    assert verify.segment_alignment(bytes(header)) == 4096


@pytest.mark.parametrize("passed", [True, False])
def test_an_export_is_bundled_if_it_has_passed(tmp_path, monkeypatch, passed):
    folder = android_files.export_folder(tmp_path / "photos", echo_models.described(echo_models.model()))
    monkeypatch.setattr(job, "execute", lambda *_: ({"gate": {"passed": passed}}, folder))
    monkeypatch.setattr(export, "_job", lambda *_: SimpleNamespace(notes=()))
    monkeypatch.setattr(export, "_print_result", lambda *_: None)
    monkeypatch.setattr(android, "ASSETS", tmp_path / "assets")
    assert export.main(["--android", "--out", str(tmp_path / "out"), "--quiet"]) == (0 if passed else 1)
    assert (tmp_path / "assets" / "models" / "photos.tflite").is_file() == passed


def test_without_the_app_an_export_for_it_does_not_begin(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(android, "DEMO", tmp_path / "nothing")
    assert export.main(["--android", "--out", str(tmp_path / "out")]) == 1
    assert "expected a checkout of the kit" in capsys.readouterr().err
