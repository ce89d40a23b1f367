"""What a stage after the training could not take is told before it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sqz_tf import export
from sqz_tf.artifact.disk import REJECTED
from sqz_tf.artifact.workspace import Workspace
from sqz_tf.base.errors import ConfigError, OutputError
from sqz_tf.base.spec import DataConfig, ModelSpec, PackConfig
from sqz_tf.deploy import android
from sqz_tf.inference import worker
from sqz_tf.network.architecture import feature_values, layer_shapes, multiplications
from sqz_tf.pipeline import preflight
from sqz_tf.pipeline.plan import Options, Plan, make_plan
from tests.helpers.needs import ROOT
from tests.pipeline.test_plan import summary


def plan(pack: PackConfig | None = None, **model: Any) -> Plan:
    made = make_plan(Options(DataConfig()), summary())
    return replace(made, pack=pack, model=replace(made.model, **model))


RISTRETTO = replace(plan(PackConfig()), quantize=replace(plan().quantize, scheme="ristretto", per_channel=None))


@pytest.mark.parametrize(
    ("made", "pictures", "words"),
    [
        (plan(width=8.0), (100, 20), "parameters; expected at most 32,000,000; lower --width"),
        (plan(classes=65_535), (100, 20), "65,535 classes; expected at most 65,534"),
        (plan(input_size=1024, width=3.0), (100, 20), r"billion multiplications, .* SQZ_TF_WORKER_SECONDS=\d+"),
        (plan(), (0, 0), "no picture is left to calibrate with; expected at least 5, or --calibration-data"),
        (plan(PackConfig()), (9, 20), "--pack learns from 9 pictures; expected at least 10; leave --pack out"),
        (plan(PackConfig()), (0, 9), "--pack learns from 9 pictures"),
        (plan(PackConfig(budget_kb=1)), (100, 20), "--pack-budget-kb is 1, less than a byte for each output"),
        (
            RISTRETTO,
            (100, 20),
            "--pack does not round networks of --scheme ristretto, which have PADV2; leave --pack out",
        ),
        (plan(), (0, 1), r"--quantize-epochs \d+ fine-tunes on 1 picture; expected at least 2"),
    ],
)
def test_what_no_later_stage_could_take_is_refused(made: Plan, pictures: tuple[int, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        preflight.require_possible(made, *pictures)


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_split_without_pictures_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"no picture is left in {name}; expected at least one; add pictures to {name}"
    ):
        preflight.require_possible(plan(), 100, 20, {"validation": 5, "test": 5, name: 0})


def test_maps_that_no_worker_could_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.require_possible(plan(input_size=224, width=1.0), 100, 20)
    monkeypatch.setattr(worker, "MEMORY", 4 * feature_values(plan(input_size=224, width=1.0).model) - 1)
    with pytest.raises(ConfigError, match=r"the network's maps are .* of floats"):
        preflight.require_possible(plan(input_size=224, width=1.0), 100, 20)


def test_the_paper_s_largest_input_at_full_width_is_possible() -> None:
    preflight.require_possible(plan(input_size=1024, width=1.0, classes=1000, arch="squeezenet-1.0"), 100, 20)


def test_the_work_is_counted_as_in_the_paper() -> None:
    spec = ModelSpec(arch="squeezenet-1.0", input_size=227, conv10_padding=1)
    assert multiplications(spec) == 861_339_936  # as read off the published network's .tflite
    assert multiplications(ModelSpec(input_size=48, width=0.25, channels=1, classes=10)) == 849_168
    one = ModelSpec(input_size=35, arch="squeezenet-1.0", bypass="complex")
    assert feature_values(one) > sum(shape[3] for shape in layer_shapes(one).values())


@pytest.mark.parametrize(
    "script", ["exit 1", 'for last; do :; done; printf "#!/bin/sh\\nexit 3\\n" > program; chmod +x program']
)
def test_a_compiler_that_makes_no_programs_is_told_at_once(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cc").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "cc").chmod(0o755)
    preflight.require_tools()
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    with pytest.raises(ConfigError, match=r"no program can be built to judge the compiled C: .*in CC, or a folder"):
        preflight.require_tools()


@pytest.mark.parametrize("name", ["ai_edge_litert", "scipy", "zstandard"])
def test_a_package_that_is_needed_late_is_told_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = preflight.importlib.util.find_spec
    monkeypatch.setattr(preflight.importlib.util, "find_spec", lambda each: None if each == name else found(each))
    with pytest.raises(ConfigError, match=f"{name} cannot be imported"):
        preflight.require_tools(packing=True)


def test_a_package_that_is_broken_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("raise OSError('libfreetype.so.6: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(preflight, "LATE", ("broken_package",))
    with pytest.raises(ConfigError, match="broken_package is there and cannot be imported: libfreetype"):
        preflight.require_tools()


def test_a_missing_c_library_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise ValueError("the C library is missing: expected mcu/src; install sqz-tf again")

    monkeypatch.setattr(preflight.library, "root", missing)
    with pytest.raises(ConfigError, match="models cannot be compiled to C: the C library is missing"):
        preflight.require_tools()


def test_a_folder_whose_name_no_json_can_hold_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / os.fsdecode(b"gr\xfc\xdfe")
    place.mkdir()
    monkeypatch.chdir(place)
    assert export.main(["--out", "out"]) == 1
    assert "is not UTF-8; expected names that the manifest can hold" in capsys.readouterr().err
    assert not list(place.iterdir())


def test_a_name_too_long_for_what_stands_beside_it_is_told_at_once(tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, "PC_NAME_MAX") - len(REJECTED)
    with Workspace(tmp_path / ("x" * longest)):
        pass
    with pytest.raises(OutputError, match=f"a name of {longest + 1} bytes; expected at most {longest}"):
        Workspace(tmp_path / ("x" * (longest + 1))).check()


def test_a_place_that_cannot_be_written_is_told_without_trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        OutputError, match=r"cannot write .*/file/a/out \(.*/file is no folder\); expected a place this user"
    ):
        Workspace(tmp_path / "file" / "a" / "out").check()
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path)
    with pytest.raises(OutputError, match=r"cannot write .*/a/out \(Permission denied\)"):
        Workspace(tmp_path / "a" / "out").check()


def test_assets_that_cannot_be_replaced_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main").mkdir()
    android.require_assets(tmp_path / "main" / "assets")
    (tmp_path / "main" / "assets").write_text("a file")
    with pytest.raises(OutputError, match="assets cannot be written"):
        android.require_assets(tmp_path / "main" / "assets")
    (tmp_path / "main" / "assets").unlink()
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path / "main")
    with pytest.raises(OutputError, match="leave --android out"):
        android.require_assets(tmp_path / "main" / "assets")


@pytest.fixture
def few(tmp_path: Path) -> Callable[[int], Path]:
    """Make a folder of two classes of so many pictures."""

    def made(count: int) -> Path:
        for name in ("ant", "bee"):
            (tmp_path / "few" / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.full((20, 20, 3), 10 * number, np.uint8)
                Image.fromarray(pixels).save(tmp_path / "few" / name / f"{number}.png")
        return tmp_path / "few"

    return made


def test_an_export_asks_before_it_begins(
    few: Callable[[int], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--data", str(few(4)), "--out", str(tmp_path / "out"), "--pack", "--quiet"]
    for dry in ([], ["--dry-run"]):
        assert export.main([*line, *dry]) == 1
        assert "--pack learns from" in capsys.readouterr().err
    assert not (tmp_path / "out.work").exists()


def test_nothing_of_tensorflow_is_loaded_to_refuse() -> None:
    code = (
        "import sys; from sqz_tf.pipeline import head, job, preflight; preflight.require_tools(packing=True);"
        "print(*{'tensorflow', 'tf_keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
