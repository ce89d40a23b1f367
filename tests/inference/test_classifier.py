"""The light runtime: right answers from every file and picture, clear errors, nothing but the base install."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters.tflite.writer import strip_metadata
from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.images import resize
from sqz_tf.images.decode import ImageError
from sqz_tf.inference import apart, interpreters
from sqz_tf.inference.classifier import Classifier
from sqz_tf.runtime import ModelError
from tests.helpers import colour_network
from tests.helpers.echo_models import LABELS, SPEC, described, model, picture
from tests.helpers.needs import ROOT, require


@pytest.fixture
def write(tmp_path):
    def save(content: bytes, name: str = "model.tflite") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return save


def load(write: Any, content: bytes, **options: Any) -> Classifier:
    return Classifier(write(content), **options)


# Answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_answers_come_best_first_with_index_label_and_probability(dtype, write):
    answers = load(write, described(model(dtype))).classify(picture(9, 51, 255, 102))
    step = 1 / 255 if dtype == "float32" else 1 / 256
    assert answers == [
        (2, "blue", pytest.approx(255 * step)),
        (3, "crane", pytest.approx(102 * step)),
        (1, "green", pytest.approx(51 * step)),
        (0, "red", pytest.approx(9 * step)),
    ]
    assert [type(value) for value in answers[0]] == [int, str, float]


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_equal_scores_keep_the_order_of_index_and_the_least_int8_comes_last(dtype, write):
    classifier = load(write, described(model(dtype)))
    assert [index for index, *_ in classifier.classify(picture(0, 200, 7, 200))] == [1, 3, 2, 0]
    assert [index for index, *_ in classifier.classify(picture(0, 0, 0, 0))] == [0, 1, 2, 3]


def test_equal_names_are_told_apart_by_index(write):
    answers = load(write, described(model(), ("crane", "crane", "a", "b"))).classify(picture(5, 6, 0, 0))
    assert answers[:2] == [(1, "crane", 6 / 256), (0, "crane", 5 / 256)]


def test_the_file_describes_itself(write):
    classifier = load(write, described(model(), wnids=["n00000001", "n00000002", "", "n00000004"]))
    assert classifier.labels == LABELS
    assert classifier.preprocess == SPEC
    assert classifier.wnids == ("n00000001", "n00000002", "", "n00000004")
    assert (classifier.input.shape, classifier.input.dtype) == ((1, 1, 4, 1), "int8")
    assert (classifier.input.scale, classifier.input.zero_point) == (pytest.approx(1 / 255), -128)
    assert (classifier.output.scale, classifier.output.zero_point) == (1 / 256, -128)
    assert classifier.runtime == "ai-edge-litert"


def test_wnids_are_read_from_the_labels(write):
    labels = ("n01440764", "n01443537 goldfish", "cat", "n1")
    assert load(write, described(model(), labels)).wnids == ("n01440764", "n01443537", "", "")
    assert load(write, described(model())).wnids == ()


@pytest.mark.parametrize("kind", ["float_model", "int8_model", "uint8_model"])
def test_a_network_gives_what_its_interpreter_gives(kind, write):
    content = getattr(colour_network.net(), kind)
    pixels, truth = colour_network.pictures(4, 5)
    sources: dict[str, np.ndarray] = {"float_model": pixels / np.float32(255), "int8_model": to_int8(pixels)}
    raw = interpreters.run(content, sources.get(kind, pixels), "litert-xnnpack").outputs
    offset = {"int8_model": 128}.get(kind, 0)
    expected = raw if kind == "float_model" else (raw.astype(np.float32) + offset) / 256
    scores = load(write, content).scores(pixels)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=0 if kind != "float_model" else 1e-6)
    assert (scores.argmax(axis=1) == truth).mean() > 0.8


def test_the_input_may_stand_for_pixel_minus_128(write):
    # Scales that are powers of two put zero in the middle; the byte stays the same.
    assert load(write, described(model(source_quantization=(1 / 128, 0)))).classify(picture(0, 0, 9, 0))[0][0] == 2
    uint8 = model("uint8", source_quantization=(1 / 128, 128))
    assert load(write, described(uint8)).classify(picture(0, 0, 9, 0))[0][0] == 2


def test_a_batch_gives_the_rows_of_its_pictures(write):
    classifier = load(write, described(model()))
    batch = np.arange(24, dtype=np.uint8).reshape(6, 1, 4, 1)
    np.testing.assert_array_equal(classifier.scores(batch), batch.reshape(6, 4) / np.float32(256))
    assert classifier.scores(batch[:0]).shape == (0, 4)


def test_threads_change_nothing_and_one_classifier_serves_many(write):
    content = colour_network.net().int8_model
    pixels, _ = colour_network.pictures(8, 5)
    expected = load(write, content).scores(pixels)
    classifier = load(write, content, threads=2)
    results: list[np.ndarray] = []
    workers = [threading.Thread(target=lambda: results.append(classifier.scores(pixels))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_loading_writes_nothing_to_the_terminal(write, capfd):
    load(write, colour_network.net().float_model)
    assert capfd.readouterr() == ("", "")


def test_a_program_without_a_terminal_can_load_a_model(write):
    code = (
        f"import os; os.close(2); from sqz_tf.runtime import Classifier; Classifier({str(write(described(model())))!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# Pictures ----------------------------------------------------------------------------------------------------


@pytest.fixture
def colours(write):
    """A classifier whose scores are the bytes of a picture of 2 × 2 pixels."""
    spec = PreprocessSpec(2, 2)
    return load(write, described(model(shape=(1, 2, 2, 3)), list("abcdefghijkl"), spec))


def png(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def test_a_picture_may_come_in_any_form(colours, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (30, 50, 3), np.uint8)
    image = Image.fromarray(pixels)
    path = tmp_path / "photo.png"
    path.write_bytes(png(image))
    expected = colours.scores(resize.preprocess(pixels, colours.preprocess)[None])[0]
    for form in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image, pixels):
        answers = colours.classify(form)
        np.testing.assert_array_equal([p for _, _, p in sorted(answers)], expected)


def test_grey_pixels_are_repeated_for_a_colour_model(colours):
    grey = np.random.default_rng(1).integers(0, 256, (9, 7), np.uint8)
    expected = colours.pixels(np.repeat(grey[:, :, None], 3, axis=2))
    np.testing.assert_array_equal(colours.pixels(grey), expected)
    np.testing.assert_array_equal(colours.pixels(grey[:, :, None]), expected)
    np.testing.assert_array_equal(colours.pixels(Image.fromarray(grey)), expected)


def test_a_pillow_image_is_treated_like_its_file(colours):
    rng = np.random.default_rng(1)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned = png(Image.fromarray(rng.integers(0, 256, (4, 2, 3), np.uint8)), exif=exif)
    clear = png(Image.fromarray(rng.integers(0, 256, (2, 2, 4), np.uint8), "RGBA"))
    deep = png(Image.fromarray(rng.integers(0, 65536, (2, 2)).astype(np.uint16)))
    for file in (turned, clear, deep):
        np.testing.assert_array_equal(colours.pixels(Image.open(io.BytesIO(file))), colours.pixels(file))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "empty file"),
        (b"hello, world", "cannot be decoded"),
        ("missing.jpg", r"missing\.jpg cannot be read.*expected a picture file"),
        ("/", "is a folder"),
        (np.zeros((4, 4, 3)), r"array of float64 \[4, 4, 3\].*expected uint8 .*do not scale"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\[1, 4, 4, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), r"\[0, 4, 3\]"),
        (17, "of type int"),
        (None, "of type NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(image, message, colours):
    with pytest.raises(ImageError, match=message):
        colours.classify(image)


def test_a_cut_picture_is_refused_in_every_form(colours, tmp_path):
    whole = png(Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)))
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole[:5000])
    with Image.open(cut) as lazy:
        for form in (cut, cut.read_bytes(), lazy):
            with pytest.raises(ImageError, match="cannot be decoded"):
                colours.classify(form)


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 2, 2, 3), np.float32),
        np.zeros((1, 2, 2, 3), np.int8),
        np.zeros((2, 2, 3), np.uint8),
        np.zeros((1, 3, 2, 3), np.uint8),
        np.zeros((1, 2, 2, 1), np.uint8),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(batch, colours):
    with pytest.raises(DataError, match=r"the batch is .*expected uint8 \['N', 2, 2, 3\]"):
        colours.scores(batch)


# Files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file; expected a .tflite"),
        (b"hello, this is a text file renamed", "is text; expected a .tflite"),
        (b"\0hello, this is a file renamed", "begins with b'.*hello, thi.*expected a FlatBuffer"),
        (b"PK\x03\x04" + bytes(100), "no .tflite"),
        (b"\x10\0\0\0TFL3", "damaged"),
        (b"\xff\xff\xff\xffTFL3" + bytes(100), "damaged"),
    ],
)
def test_a_file_that_is_no_model_is_refused(content, message, write):
    with pytest.raises(ModelError, match=message):
        load(write, content)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, why in ((tmp_path / "missing.tflite", "cannot be read"), (tmp_path, "is a folder")):
        with pytest.raises(ModelError, match=rf"{why}.*expected a \.tflite"):
            Classifier(path)


def test_a_file_cut_anywhere_is_refused(write):
    content = colour_network.net().int8_model
    for length in range(0, len(content), 61):
        with pytest.raises(ModelError, match=r"damaged|empty|no \.tflite|carries no"):
            load(write, content[:length])


def test_a_cut_file_is_refused_where_labels_are_given(write):
    content = strip_metadata(colour_network.net().int8_model)
    options = {"labels": colour_network.CLASSES, "preprocess": colour_network.PREPROCESS}
    load(write, content, **options)
    for length in range(0, len(content), 61):
        with pytest.raises(ModelError):
            load(write, content[:length], **options)


def test_bytes_lost_in_the_middle_are_noticed_though_the_zip_can_be_read(write):
    content = described(model())
    with pytest.raises(ModelError, match=r"cannot run|damaged"):
        load(write, content[:60] + content[300:])


def test_a_plain_model_says_what_it_lacks(write):
    with pytest.raises(ModelError, match=r"carries no labels\.txt.*written by.*export.*labels="):
        load(write, model())
    with pytest.raises(ModelError, match=r"carries no preprocess\.json.*preprocess="):
        load(write, described(model(), preprocess=None))
    with pytest.raises(ModelError, match=r"carries no preprocess\.json"):
        load(write, model(), labels=LABELS)


def test_what_is_given_takes_the_place_of_what_the_file_carries(write):
    classifier = load(write, model(), labels=["a", "b", "c", "d"], preprocess=SPEC)
    assert classifier.classify(picture(0, 9, 0, 0))[0] == (1, "b", 9 / 256)
    renamed = load(write, described(model()), labels=["a", "b", "c", "d"])
    assert renamed.labels == ("a", "b", "c", "d")
    brighter = dataclasses.replace(SPEC, scale=2.0)
    assert load(write, described(model("float32")), preprocess=brighter).classify(picture(0, 9, 0, 0))[0][2] == 18


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content.replace(b"green", b"groen"), "attached files cannot be read"),
        (lambda content: described(model(), ("red", "green")), "4 outputs and 2 labels"),
        (lambda content: described(model(), (*LABELS, "background")), "4 outputs and 5 labels"),
        (lambda content: described(model(), surprise=1), "no field surprise"),
        (lambda content: described(model(), wnids=["n00000001"]), "1 wnids for 4 labels"),
        (lambda content: described(model(), preprocess=PreprocessSpec(5, 1, channels=1)), r"takes int8 \[1, 1, 4, 1\]"),
        (lambda content: _with_file(preprocess="]["), "says nothing that can be used"),
        (lambda content: _with_file(preprocess="[1, 2]"), "says nothing that can be used"),
        (lambda content: _with_file(preprocess='{"width": "wide"}'), "says nothing that can be used"),
        (lambda content: _with_file(labels=b"\xff\xfe\n"), "not UTF-8"),
        (lambda content: _with_file(labels=b"a" * (17 << 20)), "unpacks to .*expected at most 16,777,216"),
    ],
)
def test_a_wrong_description_is_refused(damage, message, write):
    with pytest.raises(ModelError, match=message):
        load(write, damage(described(model())))


def _with_file(labels: bytes = b"", preprocess: str = "{}") -> bytes:
    whole = io.BytesIO(model())
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", labels)
        archive.writestr("preprocess.json", preprocess)
    return whole.getvalue()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int16"}, r"takes int16 \[1, 1, 4, 1\].*expected float32, int8 or uint8 \[1, 1, 4, 1\]"),
        ({"dtype": "float64"}, "takes float64"),
        ({"shape": (1, 4)}, r"takes int8 \[1, 4\]"),
        ({"shape": (2, 1, 4, 1), "result": (2, 4)}, r"takes int8 \[2, 1, 4, 1\]"),
        ({"result": (4,)}, r"gives int8 \[4\].*\[1, classes\]"),
        ({"result": (1, 2, 2)}, r"gives int8 \[1, 2, 2\]"),
        ({"inputs": 2}, "2 inputs and 1 outputs"),
        ({"source_quantization": (1 / 127.5, -1)}, r"scale 0\.00784313772 and zero point -1; expected 0\.003921"),
        ({"source_quantization": (1.0, -128)}, "with scale 1 and zero point -128"),
        ({"dtype": "uint8", "source_quantization": (1.0, 0)}, "expected 0.00392156863 and 0, or 1 and 128, so.*; fold"),
    ],
)
def test_a_model_of_another_form_is_refused(options, message, write):
    with pytest.raises(ModelError, match=message):
        load(write, described(model(**options)))


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_are_a_positive_integer(threads, write):
    with pytest.raises(ConfigError, match=r"threads is .*expected an integer from 1"):
        load(write, described(model()), threads=threads)


# Runtimes ----------------------------------------------------------------------------------------------------


class Fake:
    """An interpreter that does nothing."""

    def __init__(self, model_content: bytes, num_threads: int | None) -> None:
        self.threads = num_threads

    def allocate_tensors(self) -> None: ...

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 0, "shape": np.array([1, 1, 4, 1]), "dtype": np.int8, "quantization": (1 / 255, -128)}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"index": 1, "shape": np.array([1, 4]), "dtype": np.int8, "quantization": (1 / 256, -128)}]

    def set_tensor(self, index: int, value: np.ndarray) -> None: ...

    def invoke(self) -> None:
        raise RuntimeError("out of memory\nNode 7")


def _only(monkeypatch: pytest.MonkeyPatch, **modules: Any) -> None:
    """Let no runtime be found but the modules given."""
    names = ("ai_edge_litert.interpreter", "tflite_runtime", "tflite_runtime.interpreter", "tensorflow")
    for name in names:
        monkeypatch.setitem(sys.modules, name, modules.get(name.replace(".", "_")))


def test_runtimes_are_tried_in_turn(monkeypatch, write):
    package = types.SimpleNamespace(Interpreter=Fake)
    tensorflow = types.SimpleNamespace(lite=package)
    path = write(described(model()))
    _only(monkeypatch, tflite_runtime=package, tflite_runtime_interpreter=package, tensorflow=tensorflow)
    assert Classifier(path, threads=3, isolated=False).runtime == "tflite-runtime"
    _only(monkeypatch, tensorflow=tensorflow)
    classifier = Classifier(path, threads=3, isolated=False)
    engine: Any = classifier._engine
    assert (classifier.runtime, engine.interpreter.threads) == ("tensorflow", 3)
    with pytest.raises(ModelError, match=r"tensorflow failed on .*model\.tflite: out of memory$"):
        classifier.classify(picture(1, 2, 3, 4))


_WITHOUT = (
    "import runpy, sys; sys.argv.pop(0); sys.modules.update(dict.fromkeys("
    "['ai_edge_litert.interpreter', 'tflite_runtime', 'tensorflow'])); runpy.run_path(sys.argv[0], run_name='__main__')"
)


def test_without_a_runtime_the_error_says_what_to_install(monkeypatch, tmp_path, write):
    said = r"no TFLite runtime can be imported.*ai-edge-litert: .*pip install ai-edge-litert"
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{_WITHOUT}" "$@"\n')
    bare.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(apart.Worker.__init__, "__defaults__", (str(bare),))
        with pytest.raises(ModelError, match=said):
            load(write, described(model()))
    _only(monkeypatch)
    with pytest.raises(ModelError, match=said):
        load(write, described(model()), isolated=False)


# The base install --------------------------------------------------------------------------------------------

BLOCKER = """
import sys
REFUSED = {names!r}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in REFUSED or name in REFUSED:
            raise ImportError(name + " is not part of the base install")
sys.meta_path.insert(0, Blocker())
"""
REFUSED = (
    *("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tflite_micro"),
    *("converters.tflite.reader", "converters.tflite.writer", "converters.weights", "converters.compiler"),
    *("flatbuffers", "ai_edge_litert.schema_py_generated", "google", "tqdm", "ml_dtypes"),
    *("sklearn", "scipy", "matplotlib", "jinja2", "rich", "pytest", "hypothesis"),
)
RUN_BOTH = """
import json
from sqz_tf import classify, evaluate
codes = classify.main([MODEL, PICTURE, "--quiet", "--json"]), evaluate.main([MODEL, DATA, "--quiet", "--json"])
assert codes == (0, 0), codes
"""


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> dict[str, str]:
    """The tiny network's int8 file, its pictures, and one of them."""
    folder = tmp_path_factory.mktemp("task")
    (folder / "model.tflite").write_bytes(colour_network.net().int8_model)
    colour_network.write_pictures(folder / "data", 4)
    first = next((folder / "data" / "red").iterdir())
    return {"MODEL": str(folder / "model.tflite"), "DATA": str(folder / "data"), "PICTURE": str(first)}


def _both(python: str | Path, task: dict[str, str], prologue: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Run classify and evaluate in a process of its own; return their JSON."""
    names = "".join(f"{name} = {value!r}\n" for name, value in task.items())
    done = _python(python, prologue + names + RUN_BOTH)
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(done)
    return first, decoder.raw_decode(done[end:].lstrip())[0]


def _python(python: str | Path, code: str) -> str:
    environment = {"PYTHONPATH": f"{ROOT}", "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "error::ResourceWarning"}
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, cwd="/", env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_base_install_suffices(task):
    classified, evaluated = _both(sys.executable, task, BLOCKER.format(names=REFUSED))
    assert classified["images"][0]["top"][0]["label"] == "red"
    assert evaluated["n"] == 16
    assert evaluated["top1"] > 0.8


def _tflite_runtime_python() -> Path:
    reason = interpreters.why_not("tflite-runtime")
    require(reason is None, f"tflite-runtime: {reason}")
    python = interpreters._tflite_runtime_python()
    pillow = subprocess.run([python, "-c", "import PIL"], capture_output=True, check=False)
    require(pillow.returncode == 0, f"{python} has no Pillow; run: {python} -m pip install 'pillow>=10.3'")
    return python


def test_tflite_runtime_gives_int8_as_the_reference_kernels_do(task, tmp_path):
    """ai-edge-litert gives int8 to XNNPACK, which rounds otherwise; tflite-runtime 2.14 has TFLite's own kernels."""
    pixels, truth = colour_network.pictures(8, 5)
    np.save(tmp_path / "pixels.npy", pixels)
    scores = f"""
import numpy as np
from sqz_tf.runtime import Classifier
classifier = Classifier({task["MODEL"]!r})
assert classifier.runtime == "tflite-runtime", classifier.runtime
assert np.__version__ < "2", np.__version__
np.save({str(tmp_path / "scores.npy")!r}, classifier.scores(np.load({str(tmp_path / "pixels.npy")!r})))
"""
    _python(_tflite_runtime_python(), scores)
    there = np.load(tmp_path / "scores.npy")
    reference = interpreters.run(colour_network.net().int8_model, (pixels ^ 0x80).view(np.int8), "litert-ref").outputs
    expected = (reference.astype(np.float32) + 128) / 256
    assert np.abs(there - expected).max() <= 1 / 256  # conv10 has no ReLU: see interpreters on litert-builtin
    assert (there == expected).mean() > 0.9
    here = Classifier(task["MODEL"]).scores(pixels)
    assert np.abs(here - there).max() <= 24 / 256
    assert (here.argmax(axis=1) == there.argmax(axis=1)).mean() > 0.95
    assert (there.argmax(axis=1) == truth).mean() > 0.8


def test_both_commands_run_on_tflite_runtime(task):
    classified, evaluated = _both(_tflite_runtime_python(), task)
    assert classified["runtime"] == evaluated["runtime"] == "tflite-runtime"
    here = _both(sys.executable, task)
    assert classified["images"][0]["top"][0]["label"] == here[0]["images"][0]["top"][0]["label"] == "red"
    assert {key: evaluated[key] for key in ("n", "classes", "skipped")} == {"n": 16, "classes": 4, "skipped": 0}
    assert abs(evaluated["top1"] - here[1]["top1"]) <= 1 / 16


def test_tflite_runtime_does_not_crash_on_a_cut_file(tmp_path):
    bare, cut = tmp_path / "bare.tflite", tmp_path / "cut.tflite"
    bare.write_bytes(strip_metadata(colour_network.net().int8_model))
    code = f"""
from pathlib import Path
from sqz_tf.runtime import Classifier, ModelError
from sqz_tf.base.spec import PreprocessSpec
options = dict(labels={colour_network.CLASSES!r}, preprocess=PreprocessSpec(16, 16))
whole = Path({str(bare)!r}).read_bytes()
Classifier({str(bare)!r}, **options)
for length in range(0, len(whole), 97):
    Path({str(cut)!r}).write_bytes(whole[:length])
    try:
        Classifier({str(cut)!r}, **options)
    except ModelError:
        continue
    raise SystemExit(f"{{length}} of {{len(whole)}} bytes were taken for a model")
"""
    _python(_tflite_runtime_python(), code)
