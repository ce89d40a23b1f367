"""The output folder is whole or absent, whatever happens and whenever it happens."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.artifact.disk import bytes_in
from sqz_tf.artifact.manifest import manifest, verify_manifest, versions, write_manifest
from sqz_tf.artifact.workspace import Stage, Workspace, stage_key
from sqz_tf.base.errors import OutputError
from sqz_tf.base.units import xz_size
from tests.helpers.needs import ROOT

STAGES = ("data", "train", "convert")


class Interrupted(Exception):
    """Stands for a crash inside a stage."""


class Run:
    """A run of three stages, each appending its name and setting to what the stage before wrote."""

    def __init__(self, out: Path, **options: Any) -> None:
        self.out, self.options = out, options
        self.built: list[str] = []

    def __call__(self, settings: dict[str, int] | None = None, *, crash_in: str = "", passed: bool = True) -> Workspace:
        settings = settings or {}
        with Workspace(self.out, **self.options) as work:
            text = ""
            before: list[Stage] = []
            for name in STAGES:
                text += f"{name}={settings.get(name, 0)} "
                before = [work.stage(name, settings.get(name, 0), self._build(name, text, crash_in), needs=before)]
                assert (before[0].folder / "text").read_text() == text
            work.assemble(self._assemble(text, crash_in))
            work.publish() if passed else work.reject()
        return work

    def _build(self, name: str, text: str, crash_in: str) -> Callable[[Path], None]:
        def build(folder: Path) -> None:
            self.built.append(name)
            (folder / "text").write_text(text[:3])
            if name == crash_in:
                raise Interrupted
            (folder / "text").write_text(text)

        return build

    def _assemble(self, text: str, crash_in: str) -> Callable[[Path], None]:
        def build(folder: Path) -> None:
            fill(folder, text)
            if crash_in == "assemble":
                raise Interrupted

        return build


def fill(folder: Path, text: str) -> None:
    (folder / "tflm").mkdir()
    (folder / "model_int8.tflite").write_text(text)
    (folder / "tflm" / "model_data.cc").write_text("// " + text)
    write_manifest(folder, manifest(folder, config={"text": text}, data_sha256="0" * 64, command=["sqz-tf"]))


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "result"


def test_a_finished_run_leaves_the_output_folder_and_nothing_else(out: Path) -> None:
    Run(out)()
    assert beside(out) == ["result"]
    assert sorted(path.name for path in out.rglob("*")) == [
        "manifest.json",
        "model_data.cc",
        "model_int8.tflite",
        "tflm",
    ]
    assert verify_manifest(out) == []


@pytest.mark.parametrize("stage", [*STAGES, "assemble"])
def test_a_crash_leaves_no_output_and_the_next_run_resumes_there(out: Path, stage: str) -> None:
    run = Run(out)
    with pytest.raises(Interrupted):
        run(crash_in=stage)
    assert not out.exists()
    assert not list(out.parent.rglob("*.tmp/text"))
    run.built.clear()
    work = run()
    unfinished = [*STAGES, "assemble"].index(stage)
    assert run.built == list(STAGES[unfinished:])
    assert work.resumed == list(STAGES[:unfinished])
    assert set(work.seconds) == set(STAGES)


def test_a_changed_setting_rebuilds_its_stage_and_the_later_ones_only(out: Path) -> None:
    run = Run(out)
    run({}, passed=False)
    run.built.clear()
    run({"train": 1}, passed=False)
    assert run.built == ["train", "convert"]
    run.built.clear()
    run({"train": 1})
    assert run.built == []
    assert (out / "model_int8.tflite").read_text() == "data=0 train=1 convert=0 "


def test_a_setting_changed_back_is_not_mistaken_for_the_old_result(out: Path) -> None:
    run = Run(out)
    run({}, passed=False)
    with pytest.raises(Interrupted):
        run({"train": 1}, crash_in="train")
    run.built.clear()
    run({})
    assert run.built == ["train"]  # what was converted is still that of this setting
    assert (out / "model_int8.tflite").read_text() == "data=0 train=0 convert=0 "


def test_stages_that_need_nothing_of_each_other_outlive_each_others_changes(out: Path) -> None:
    built: list[str] = []

    def run(extra: int) -> None:
        with Workspace(out) as work:
            data = work.stage("data", 0, lambda folder: built.append("data"))
            work.stage("extra", extra, lambda folder: built.append("extra"), needs=[data])
            work.stage("train", 0, lambda folder: built.append("train"), needs=[data])

    run(1)
    run(2)
    assert built == ["data", "extra", "train", "extra"]
    assert sorted(path.name.split("-")[0] for path in out.with_name("result.work").iterdir()) == [
        *("data", "extra", "lock", "train"),
    ]


def test_no_resume_builds_everything_again(out: Path) -> None:
    Run(out)({}, passed=False)
    run = Run(out, resume=False)
    run()
    assert run.built == list(STAGES)


def test_seconds_of_resumed_stages_are_remembered(out: Path) -> None:
    with pytest.raises(Interrupted):
        Run(out)(crash_in="convert")
    (done,) = out.with_name("result.work").glob("train-*/done.json")
    done.write_text(json.dumps(json.loads(done.read_text()) | {"seconds": 61.5}))
    assert Run(out)().seconds["train"] == 61.5


def epochs(folder: Path, *, stop_at: int, until: int = 4) -> list[int]:
    """Train like a checkpointing loop: one file an epoch, starting after the last one found."""
    done = []
    for epoch in range(len(list(folder.glob("epoch*"))), until):
        if epoch == stop_at:
            raise Interrupted
        (folder / f"epoch{epoch}").touch()
        os.utime(folder / f"epoch{epoch}", (10_000 + epoch, 10_000 + epoch))
        done.append(epoch)
    return done


def test_a_resumable_stage_takes_up_its_own_files_and_its_time(out: Path) -> None:
    lines: list[str] = []
    done: list[int] = []

    def attempt(key: str, stop_at: int) -> float:
        with Workspace(out, note=lines.append) as work:

            def build(folder: Path) -> None:
                os.utime(folder / "started.json", (9_990, 9_990))
                done.extend(epochs(folder, stop_at=stop_at))

            work.stage("train", key, build, resumable=True)
            return work.seconds["train"]

    with pytest.raises(Interrupted):
        attempt("a", 2)
    assert attempt("a", -1) == pytest.approx(11, abs=0.9)  # from the start to the newest checkpoint, 10,001 s
    assert done == [2, 3]
    assert lines == ["train: taken up after 11 s of an interrupted run"]

    (finished,) = out.with_name("result.work").glob("train-*")
    finished.rename(finished.with_name(finished.name + ".tmp"))
    done.clear()
    attempt("another key", -1)
    assert done == [0, 1, 2, 3]


def test_a_stage_name_is_used_once(out: Path) -> None:
    with Workspace(out) as work:
        work.stage("train", "a", lambda folder: None)
        with pytest.raises(ValueError, match="train"):
            work.stage("train", "b", lambda folder: None)


@pytest.mark.parametrize("name", ["dense-again", "Dense", "fire2", "", "a/b"])
def test_a_stage_name_that_its_folder_would_not_be_known_by_is_refused(name: str, out: Path) -> None:
    with Workspace(out) as work, pytest.raises(ValueError, match=f"named {name}; expected lower-case letters"):
        work.stage(name, "a", lambda folder: None)


def test_a_rejected_result_is_kept_apart_and_the_old_output_stays(out: Path) -> None:
    Run(out)({"data": 1})
    run, rejected = Run(out, overwrite=True), out.with_name("result.rejected")
    for setting in (2, 3):  # the second replaces the first
        run({"data": setting}, passed=False)
        assert (rejected / "model_int8.tflite").read_text().startswith(f"data={setting}")
        assert verify_manifest(rejected) == []
    assert (out / "model_int8.tflite").read_text().startswith("data=1")
    assert beside(out) == ["result", "result.rejected", "result.work"]


def test_a_result_that_passes_takes_the_rejected_one_away(out: Path) -> None:
    Run(out)(passed=False)
    assert beside(out) == ["result.rejected", "result.work"]
    Run(out)({"data": 1})
    assert beside(out) == ["result"]


def test_a_foreign_folder_that_came_during_the_run_is_left_alone(out: Path) -> None:
    with Workspace(out) as work:
        work.assemble(lambda folder: fill(folder, ""))
        work.rejected.mkdir()
        (work.rejected / "notes.txt").write_text("mine")
        work.publish()
    assert (work.rejected / "notes.txt").exists()


def test_overwrite_replaces_the_whole_folder(out: Path) -> None:
    Run(out)()
    (out / "tflm" / "model_data.cc").unlink()  # what is missing is no loss
    Run(out, overwrite=True)({"data": 1})
    assert (out / "model_int8.tflite").read_text().startswith("data=1")
    assert beside(out) == ["result"]


def test_overwrite_deletes_nothing_that_a_person_added_or_changed(out: Path) -> None:
    Run(out)()
    kept = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def added(path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")

    changes: list[tuple[str, Callable[[], Any]]] = [
        ("notes.txt is not in the manifest", lambda: added(out / "notes.txt")),
        ("photos/1.jpg is not in the manifest", lambda: added(out / "photos" / "1.jpg")),
        ("model_int8.tflite has changed", lambda: (out / "model_int8.tflite").write_text("better")),
        ("link is not in the manifest", lambda: (out / "link").symlink_to(out.parent)),
    ]
    for words, change in changes:
        change()
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        assert words in refused(out, overwrite=True)
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
        assert beside(out) == ["result"]
        for path in sorted(out.rglob("*"), reverse=True):
            if path.is_symlink() or path.is_file():
                path.unlink()
        for path, content in kept.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def test_a_rejected_result_that_a_person_changed_is_kept(out: Path) -> None:
    Run(out)(passed=False)
    rejected = out.with_name("result.rejected")
    (rejected / "notes.txt").write_text("why it failed")
    assert "notes.txt is not in the manifest" in refused(out)
    with Workspace(out.with_name("other")) as work:  # and one that is put there during a run
        work.rejected.mkdir()
        (work.rejected / "thesis.txt").write_text("mine")
        work.assemble(lambda folder: fill(folder, ""))
        with pytest.raises(OutputError, match="not written by this kit"):
            work.reject()
    assert (rejected / "notes.txt").exists()
    assert (out.with_name("other.rejected") / "thesis.txt").exists()


@pytest.mark.parametrize("content", ["", "1234\n", "sqz-tf", "important\n"])
def test_a_folder_that_happens_to_hold_a_lock_is_not_emptied(out: Path, content: str) -> None:
    work = out.with_name("result.work")
    work.mkdir()
    (work / "lock").write_text(content)
    (work / "thesis.txt").write_text("mine")
    if content:
        assert "is not a work folder of this kit" in refused(out)
    else:  # an empty lock is what a run killed in its first moment leaves
        Run(out)()
    assert (work / "thesis.txt").read_text() == "mine"
    assert (work / "lock").exists()


def test_a_lock_that_is_a_link_is_not_followed(out: Path) -> None:
    work, precious = out.with_name("result.work"), out.with_name("precious.txt")
    precious.write_text("sqz-tf work folder\nmine")
    work.mkdir()
    (work / "lock").symlink_to(precious)
    assert "is not a work folder of this kit" in refused(out)
    assert precious.read_text() == "sqz-tf work folder\nmine"
    (work / "lock").unlink()
    (work / "lock").mkdir()
    assert "is not a work folder of this kit" in refused(out)
    (work / "lock").rmdir()
    work.rmdir()
    work.symlink_to(out.parent)
    assert "is not a work folder of this kit" in refused(out)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        Path.unlink,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.with_name("added").touch(),
        lambda path: (path.rename(path.with_name("moved")), path.symlink_to(path.with_name("moved"))),
    ],
)
def test_a_damaged_stage_is_built_again_with_a_note(out: Path, damage: Callable[[Path], Any]) -> None:
    lines: list[str] = []
    with pytest.raises(Interrupted):
        Run(out)(crash_in="assemble")
    (text,) = out.with_name("result.work").glob("train-*/text")
    damage(text)
    run = Run(out, note=lines.append)
    run()
    assert run.built == ["train"]  # what came of it is whole, and still what it was
    assert [line for line in lines if "damaged" in line and line.startswith("train: damaged (")]
    assert (out / "model_int8.tflite").read_text() == "data=0 train=0 convert=0 "


@pytest.mark.parametrize("record", ["", "{", "[]", '{"key": 1}', '{"seconds": 1}'])
def test_a_damaged_record_of_a_stage_is_not_trusted(out: Path, record: str) -> None:
    with pytest.raises(Interrupted):
        Run(out)(crash_in="assemble")
    (done,) = out.with_name("result.work").glob("train-*/done.json")
    done.write_text(record)
    run = Run(out)
    run()
    assert run.built == ["train"]


def test_the_old_output_comes_back_when_the_rename_fails(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run(out)()
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if Path(source).name == "publish.tmp":
            raise OSError(errno.EIO, "Input/output error", str(target))
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OutputError, match="Input/output"):
        Run(out, overwrite=True)({"data": 1})
    assert (out / "model_int8.tflite").read_text().startswith("data=0")
    assert verify_manifest(out) == []


def refused(out: Path, **options: bool) -> str:
    """Return the message of a run that must be refused before any of its stages starts."""
    run = Run(out, **options)
    with pytest.raises(OutputError) as caught:
        run()
    assert run.built == []
    return str(caught.value)


def test_an_existing_output_is_refused_without_overwrite(out: Path) -> None:
    Run(out)()
    assert "--overwrite" in refused(out)
    assert beside(out) == ["result"]


def test_a_foreign_folder_is_refused_even_with_overwrite(out: Path) -> None:
    out.mkdir()
    (out / "thesis.docx").write_text("years of work")
    assert "not written by this kit" in refused(out, overwrite=True)
    (out / "manifest.json").write_text('{"name": "a browser extension"}')
    assert "not written by this kit" in refused(out, overwrite=True)
    assert (out / "thesis.docx").read_text() == "years of work"
    assert beside(out) == ["result"]


def test_an_empty_folder_may_be_overwritten(out: Path) -> None:
    out.mkdir()
    assert "--overwrite" in refused(out)
    Run(out, overwrite=True)()
    assert verify_manifest(out) == []


@pytest.mark.parametrize("suffix", [".work", ".rejected"])
def test_a_foreign_folder_in_our_place_is_refused(out: Path, suffix: str) -> None:
    foreign = out.with_name(out.name + suffix)
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    assert str(foreign) in refused(out, overwrite=True)
    assert (foreign / "notes.txt").exists()


def test_a_file_in_the_way_is_refused(out: Path) -> None:
    out.write_text("a file")
    assert "is a file" in refused(out, overwrite=True)
    assert str(out) in refused(out / "below")


def test_missing_parents_are_made_and_removed_again_if_nothing_came_of_it(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "result"
    with pytest.raises(Interrupted), Workspace(out):
        raise Interrupted
    assert list(tmp_path.iterdir()) == []
    Run(out)()
    assert verify_manifest(out) == []


def test_an_unwritable_place_is_named(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Path, *args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", failing)  # the tests may be run by root, who may write anywhere
    assert f"cannot write {out}.work (Permission denied)" in refused(out)
    assert f"cannot write {out.parent / 'new'} (Permission denied)" in refused(out.parent / "new" / "result")


def test_a_mount_point_is_refused(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: path == out)
    assert "mount point" in refused(out, overwrite=True)


def test_too_little_space_is_refused_at_the_start(out: Path) -> None:
    with pytest.raises(OutputError, match=r"disk is full.*expected about 1073741824 MiB"):
        Workspace(out, need_bytes=2**50).__enter__()
    assert beside(out) == []


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("write failed: No space left on device")],
)
def test_a_full_disk_in_a_stage_is_named_and_finished_stages_stay(out: Path, error: Exception) -> None:
    def full(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise error

    with Workspace(out) as work:
        work.stage("data", "a", lambda folder: None)
        with pytest.raises(OutputError, match="disk is full") as caught:
            work.stage("train", "b", full)
    assert str(out.parent) in str(caught.value)
    assert sorted(path.name.split("-")[0] for path in work.work.iterdir()) == ["data", "lock"]


def test_a_full_disk_while_publishing_keeps_the_old_output(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run(out)()

    def full(folder: Path, values: dict[str, object]) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(sys.modules[__name__], "write_manifest", full)
    with pytest.raises(OutputError, match="disk is full"):
        Run(out, overwrite=True)({"data": 1})
    assert verify_manifest(out) == []


def test_an_error_about_other_files_is_not_blamed_on_the_output(out: Path) -> None:
    photo = out.with_name("result_photos") / "1.jpg"

    def reads_data(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(photo))

    with pytest.raises(PermissionError), Workspace(out) as work:
        work.stage("data", "a", reads_data)


def test_two_runs_cannot_share_a_workspace(out: Path) -> None:
    with Workspace(out) as first:
        with pytest.raises(OutputError, match=rf"process {os.getpid()}\) is writing"):
            Workspace(out).__enter__()
        first.stage("data", "a", lambda folder: None)  # the refused one has removed nothing
    with Workspace(out) as second:
        second.stage("data", "a", lambda folder: pytest.fail("must be resumed"))


KILLS = """
import json, os, signal, sys
from pathlib import Path
from typing import Any
from sqz_tf.artifact.manifest import verify_manifest
from tests.artifact.test_workspace import Run

WATCHED = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}

def killed_at(point, out):
    count = 0
    def hook(event, args):
        nonlocal count
        if event in WATCHED:
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        sys.addaudithook(hook)
        Run(out, overwrite=True)({"data": 1})
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

def state(out):
    if not out.exists():
        return "absent"
    return (out / "model_int8.tflite").read_text() if verify_manifest(out) == [] else "broken"

point, seen, root = 1, [], Path(sys.argv[1])
while True:
    out = root / str(point) / "result"
    Run(out)()
    killed = killed_at(point, out)
    after = state(out)
    if after == "absent":
        after = state(out.with_name("result.work") / "replaced")
        try:
            Run(out)({"data": 1})
        except Exception as error:
            assert "exists" in str(error), error
        assert state(out).startswith("data=0"), "the next run restores the old folder"
    if killed:
        Run(out, overwrite=True)({"data": 1})
    left = sorted(path.name for path in out.parent.iterdir())
    seen.append([after, state(out), left])
    if not killed:
        break
    point += 1
print(json.dumps(seen))
"""


@pytest.mark.attack
def test_killed_at_any_moment_the_output_is_the_old_or_the_new(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    old, new = (f"data={setting} train=0 convert=0 " for setting in (0, 1))
    assert len(seen) > 50  # one for each file operation of the run
    assert {after for after, _, _ in seen} == {old, new}
    assert all(final == new and left == ["result"] for _, final, left in seen)


def test_the_manifest_names_every_difference(out: Path) -> None:
    Run(out)()
    (out / "model_int8.tflite").write_text("flipped")
    (out / "tflm" / "model_data.cc").unlink()
    (out / "extra.txt").write_text("")
    assert verify_manifest(out) == [
        "tflm/model_data.cc is missing",
        "extra.txt is not in the manifest",
        "model_int8.tflite has changed",
    ]
    (out / "manifest.json").write_text("{not json")
    assert "is missing or is not a manifest" in verify_manifest(out)[0]


def test_the_manifest_is_sorted_and_has_no_dates(tmp_path: Path) -> None:
    fill(tmp_path, "x")
    once = (tmp_path / "manifest.json").read_bytes()
    values = manifest(tmp_path, config={"text": "x"}, data_sha256="0" * 64, command=["sqz-tf"])
    write_manifest(tmp_path, values)
    assert (tmp_path / "manifest.json").read_bytes() == once
    assert values["files"]["model_int8.tflite"] == {
        "bytes": 1,
        "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
    }
    assert list(json.loads(once)) == sorted(json.loads(once))
    assert values["versions"]["numpy"]
    assert "no-such-package" not in versions(["no-such-package"])


def test_stage_keys_depend_on_every_part_and_not_on_order_of_fields() -> None:
    assert stage_key({"a": 1, "b": 2}, "x") == stage_key({"b": 2, "a": 1}, "x")
    assert len({stage_key(1, "x"), stage_key(2, "x"), stage_key(1, "y"), stage_key("x", 1)}) == 4


def test_xz_size_counts_compressed_bytes() -> None:
    noise = os.urandom(4096)
    assert xz_size(bytes(4096)) < 200
    assert 4096 < xz_size(noise) < 4300


def test_what_another_process_removes_meanwhile_takes_no_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stays").write_bytes(b"123")
    (tmp_path / "goes").write_bytes(b"45")
    seen = os.lstat

    def lstat(path: str) -> os.stat_result:
        Path(path).unlink(missing_ok=True) if path.endswith("goes") else None
        return seen(path)

    monkeypatch.setattr(os, "lstat", lstat)
    assert bytes_in(tmp_path) == 3
