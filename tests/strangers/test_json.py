"""JSON from strangers: wrong types, huge numbers, deep nesting and half characters end in one line that says where."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import strict_json
from sqz_tf import bench, check, classify, evaluate
from sqz_tf.artifact.exported import Export, ExportError
from sqz_tf.artifact.manifest import verify_manifest
from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.base.json_files import JsonError, load, parse, typed
from sqz_tf.base.spec import CheckConfig, DataConfig, ModelSpec, PreprocessSpec, TrainConfig, from_dict, to_dict
from sqz_tf.data.dataset import open_cached
from sqz_tf.inference.model_file import ModelError, read
from sqz_tf.parity.artifacts import read_artifacts
from tests.helpers.echo_models import LABELS, SPEC, described, model, picture
from tests.helpers.needs import ROOT

READS_JSON = re.compile(r"\bjson\.loads?\b|from json import")
HOSTILE_TEXTS = {
    "nested 10,000 deep": "[" * 10_000,
    "nested and closed": "[" * 10_000 + "]" * 10_000,
    "objects nested": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "65 deep": "[" * 66 + "]" * 66,
    "an integer of 5,000 digits": "9" * 5_000,
    "a negative one of 30": "-" + "9" * 30,
    "NaN": "NaN",
    "Infinity": "[-Infinity]",
    "too large a float": "1e999",
    "a float of many digits": "0." + "1" * 5_000,
    "a name twice": '{"a": 1, "a": 2}',
    "half a pair": '"\\ud800"',
    "half a pair as a name": '{"\\udfff": 1}',
    "NUL": '["\\u0000"]',
    "nothing": "",
    "two values": "1 2",
    "a raw line feed": '"\n"',
    "a million values": "[" + "0," * 1_000_001 + "0]",
}
VALUES: list[Any] = [None, True, -1, 0, 2**62, 10**19, 1.5, 1e308, -1e308, "", "x", "7", [], [[]], {}, {"a": 1}]
RAW = ["NaN", "1e999", "9" * 5_000, "[" * 10_000, '"\\ud800"', '"\\u0000"', "-0", "1e-400", "{", ""]


def texts(values: dict[str, Any]) -> list[str]:
    """Return objects of which one value, or an item of one, is another, or no JSON at all."""
    places: list[tuple[str, int | None]] = [(key, None) for key in values]
    places += [
        (key, at) for key, value in values.items() if isinstance(value, (list, tuple)) for at in range(len(value))
    ]
    result = []
    for (key, at), other in itertools.product(places, [json.dumps(value) for value in VALUES] + RAW):
        marked = json.loads(json.dumps(values))
        if at is None:
            marked[key] = "MARK"
        else:
            marked[key][at] = "MARK"
        result.append(json.dumps(marked).replace('"MARK"', other))
    return result + list(HOSTILE_TEXTS.values())


def one_line(code: int, said: str) -> bool:
    """Tell whether a command ended well, or in one line that was foreseen."""
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    return "Traceback" not in said and "unforeseen" not in said and (code, len(errors)) in ((0, 0), (1, 1))


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_hostile_texts_are_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        strict_json.loads(text)


def test_bytes_are_counted_before_they_are_read_as_text() -> None:
    with pytest.raises(ValueError, match="11 bytes; expected at most 10"):
        strict_json.loads(b"[1, 2, 3, 4"[:11], most_bytes=10)
    with pytest.raises(ValueError, match="utf-8"):
        strict_json.loads(b'"\xff"')


def test_what_we_write_is_read_as_it_was() -> None:
    values = {"a": [1, -2.5e-300, 2**63, "ä\n\u2028", True, None], "b": {"c": {}, "d": []}}
    assert strict_json.loads(json.dumps(values)) == values
    assert strict_json.loads("[" * 64 + "1" + "]" * 64)


def test_json_is_parsed_in_one_module() -> None:
    folders = ("sqz_tf", "converters", "android_demo", "tools", "mcu")
    found = [
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if READS_JSON.search(path.read_text())
    ]
    # The worker stands alone, for other Pythons' sake, and is told nothing but what we say.
    assert {path.relative_to(ROOT).as_posix() for path in found} == {
        *("converters/strict_json.py", "sqz_tf/inference/worker.py"),
    }


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        (SPEC, {"mean": [0.0]}, None),
        (PreprocessSpec(4, 4), {"mean": [0, 0, "x"]}, 'preprocess.mean[2] is "x"; expected a number'),
        (SPEC, {"mean": 0.5}, "preprocess.mean is 0.5; expected a list"),
        (SPEC, {"width": [4]}, "preprocess.width is a list of 1; expected an integer"),
        (SPEC, {"width": 4.0}, "preprocess.width is 4.0; expected an integer"),
        (SPEC, {"width": True}, "preprocess.width is true; expected an integer"),
        (SPEC, {"scale": float("nan")}, "preprocess.scale is NaN; expected a number"),
        (SPEC, {"scale": 10**400}, "preprocess.scale is an integer of 1,329 bits; expected a number"),
        (SPEC, {"scale": 0}, "scale is 0; expected a number from"),
        (SPEC, {"fit": None}, "preprocess.fit is null; expected text"),
        (SPEC, {"resize_width": 10**9}, "resize_width is 1000000000; expected a number from 1 to 4096"),
        (SPEC, {"colour": 1}, "preprocess has no field colour; expected some of channel_order"),
        (ModelSpec(), {"batch_norm": 1}, "preprocess.batch_norm is 1; expected true or false"),
        (DataConfig(), {"source": {}}, "preprocess.source is an object; expected text"),
        (TrainConfig(), {"weight_decay": "1"}, 'preprocess.weight_decay is "1"; expected a number'),
        (CheckConfig(), {"max_drop": float("inf")}, "preprocess.max_drop is Infinity; expected a number"),
    ],
)
def test_a_spec_says_which_field_is_wrong(spec: Any, changes: dict[str, Any], message: str | None) -> None:
    values = {**to_dict(spec), **changes}
    if message is None:
        assert from_dict(type(spec), values, "preprocess") == spec
        return
    with pytest.raises(ConfigError) as caught:
        from_dict(type(spec), values, "preprocess")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("values", [None, [], "x", 1, {"height": 4}, {1: 2}])
def test_what_is_no_spec_at_all_is_refused(values: Any) -> None:
    with pytest.raises(ConfigError, match="expected"):
        from_dict(PreprocessSpec, values)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({"a": [1, [2.0, "3"]]}, dict[str, Any], None),
        ({"a": [1, 2]}, dict[str, tuple[float, float]], None),
        ({"a": [1, 2, 3]}, dict[str, tuple[float, float]], "^a is a list of 3; expected a list of 2"),
        ([1, None], list[int | None], None),
        ([1, "x"], list[int | None], r'\[1\] is "x"; expected an integer'),
        ("x" * 100, int, "x{50,}….*expected an integer"),
    ],
)
def test_kinds_are_those_of_annotations(value: Any, kind: Any, message: str | None) -> None:
    if message is None:
        typed(value, kind)
    else:
        with pytest.raises(JsonError, match=message):
            typed(value, kind)


def test_only_a_file_is_read_and_only_to_the_limit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_text("[" + " " * 100 + "]")
    for name, message in {"pipe": "is no file", ".": "is no file", "long": "21 bytes; expected at most 20"}.items():
        with pytest.raises(JsonError, match=message):
            load(tmp_path / name, most_bytes=20)
    with pytest.raises(JsonError, match=r"^x\.json: a is 1; expected text$"):
        parse('{"a": 1}', dict[str, str], what="x.json")


# preprocess.json ---------------------------------------------------------------------------------------------


def with_preprocess(text: str) -> bytes:
    """Return a model that carries this text as its preprocess.json."""
    whole = io.BytesIO(described(model(), LABELS, None))
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("preprocess.json", text)
    return whole.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for label in LABELS:
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "a.png").write_bytes(picture(0, 128, 64, 0))
    return tmp_path


def test_a_hostile_preprocess_json_is_one_line_of_its_model(here: Path) -> None:
    said = []
    for text in texts({**to_dict(SPEC), "wnids": list("abcd")}):
        Path("m.tflite").write_bytes(with_preprocess(text))
        try:
            read(Path("m.tflite"))
        except ModelError as error:
            said.append(str(error))
    assert len(said) > 200
    assert not [line for line in said if "\n" in line]


@pytest.mark.parametrize(
    "text",
    [
        *(HOSTILE_TEXTS[name] for name in ("nested 10,000 deep", "NaN", "half a pair")),
        *(json.dumps({**to_dict(SPEC), key: value}) for key, value in {"mean": 1, "std": ["x"], "wnids": 5}.items()),
        *(json.dumps({**to_dict(SPEC), key: value}) for key, value in {"width": -4, "height": 10**15}.items()),
        json.dumps({**to_dict(SPEC), "scale": "1" * 5_000}),
        json.dumps(to_dict(SPEC)).replace('"height": 1,', f'"height": {"1" * 5_000},'),
        json.dumps({**to_dict(SPEC), "resize_width": 4096, "resize_height": 4096}),
    ],
)
def test_commands_end_on_it_in_one_line(text: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.tflite").write_bytes(with_preprocess(text))
    for main, arguments in ((classify.main, ["photos/red/a.png"]), (evaluate.main, ["photos"])):
        code = main(["m.tflite", *arguments])
        assert one_line(code, capsys.readouterr().err)


def test_random_damage_to_preprocess_json_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound, dice = json.dumps(to_dict(SPEC)), random.Random(7)
    for _ in range(150):
        text = list(sound)
        for _ in range(dice.randint(1, 4)):
            text[dice.randrange(len(text))] = dice.choice('0123456789eE+-."[]{},:\\ \x00ÿtfn')
        Path("m.tflite").write_bytes(with_preprocess("".join(text)))
        code = classify.main(["m.tflite", "photos/red/a.png"])
        said = capsys.readouterr().err
        assert one_line(code, said), said


# The files of an output folder -------------------------------------------------------------------------------

MANIFEST: dict[str, Any] = {
    "tool": "sqz-tf",
    "files": {},
    "data_sha256": "00",
    "config": {"preprocess": to_dict(SPEC), "data": {"source": "nowhere"}, "check": {}, "train": {"epochs": 0}},
}


@pytest.fixture
def export(here: Path) -> Path:
    for name, dtype in {"f32": "float32", "int8": "int8", "uint8": "uint8"}.items():
        (here / f"model_{name}.tflite").write_bytes(described(model(dtype)))
    (here / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (here / "manifest.json").write_text(json.dumps(MANIFEST))
    (here / "report.json").write_text(json.dumps({"seconds": {"train": 1.5}}))
    return here


def test_a_hostile_manifest_is_one_line(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = MANIFEST["config"]
    hostile = texts(MANIFEST)
    hostile += [json.dumps({**MANIFEST, "config": "MARK"}).replace('"MARK"', text) for text in texts(config)]
    for key in ("data", "check", "preprocess"):
        for text in texts({"source": "nowhere", "max_drop": 1, **config[key]}):
            marked = {**MANIFEST, "config": {**config, key: "MARK"}}
            hostile.append(json.dumps(marked).replace('"MARK"', text))
    for text in hostile:
        (export / "manifest.json").write_text(text)
        code = check.main(["."])
        said = capsys.readouterr().err
        assert code == 1
        assert one_line(code, said), (text[:300], said)
        verify_manifest(export)
    assert len(hostile) > 500


@pytest.mark.parametrize("calibration", [[], 5, {"a": 1}])
def test_a_path_in_the_manifest_is_text(calibration: Any, export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {**MANIFEST["config"], "data": {"source": "photos"}, "calibration_data": calibration}
    (export / "manifest.json").write_text(json.dumps({**MANIFEST, "config": config}))
    code = check.main(["."])
    said = capsys.readouterr().err
    assert one_line(code, said), said
    assert "calibration_data is" in said


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_evaluating_a_split_beside_a_hostile_manifest(
    text: str, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (export / "manifest.json").write_text(text)
    code = evaluate.main(["model_int8.tflite", "photos", "--split", "test"])
    assert one_line(code, capsys.readouterr().err)


def test_bench_refuses_a_hostile_report(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in [*texts({"seconds": {"train": 1.5}}), '{"seconds": {"a": "1"}}', '{"seconds": {"a": {}}}']:
        (export / "report.json").write_text(text)
        code = bench.main([".", "--runs", "1", "--threads", "1"])
        said = capsys.readouterr().err
        assert one_line(code, said), (text[:100], said)


def test_a_report_that_is_no_object_is_told_from_one(export: Path) -> None:
    for text in HOSTILE_TEXTS.values():
        (export / "report.json").write_text(text)
        with pytest.raises(ExportError, match=r"report\.json(: | is an empty file)"):
            _ = Export(export).report


def test_wnids_that_are_no_texts_are_refused(export: Path) -> None:
    from sqz_tf.parity.artifacts import attached_wnids

    (export / "model_int8.tflite").write_bytes(described(model(), wnids=["n1", 2, "n3", "n4"]))
    with pytest.raises(JsonError, match=r"wnids\[1\] is 2; expected text"):
        attached_wnids(read_artifacts(export))


RECORD: dict[str, Any] = {
    "format": 2,
    "name": "photos",
    "classes": ["a", "b"],
    "sha256": "00",
    "config": to_dict(DataConfig()),
    "preprocess": to_dict(SPEC),
    "licence": "",
    "notes": [],
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    np.save(tmp_path / "images.npy", np.zeros((2, 1, 4, 1), np.uint8))
    parts = {name: np.array([0]) for name in ("train", "calibration", "validation", "test")}
    np.savez(tmp_path / "index.npz", labels=np.array([0, 1], np.int32), **parts)  # type: ignore[arg-type]
    (tmp_path / "names.txt").write_text("a/1.png\nb/2.png\n")
    (tmp_path / "dataset.json").write_text(json.dumps(RECORD))
    return tmp_path


def test_a_sound_cache_is_opened(cache: Path) -> None:
    assert open_cached(cache).names == ("a/1.png", "b/2.png")


def test_a_hostile_dataset_json_is_no_data_set(cache: Path) -> None:
    said = []
    for text in texts(RECORD):
        (cache / "dataset.json").write_text(text)
        try:
            kept = open_cached(cache)
        except DataError as error:
            said.append(str(error))
        else:
            assert all(isinstance(name, str) for name in (*kept.names, *kept.classes, *kept.notes, kept.licence))
    assert len(said) > 250
    assert not [line for line in said if "\n" in line]
