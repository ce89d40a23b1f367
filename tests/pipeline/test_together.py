"""On several machines the chief's stages are everyone's, and a lost peer is waited for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from sqz_tf.artifact.workspace import Workspace
from sqz_tf.pipeline import together
from sqz_tf.pipeline.together import begin_again, hand_out, jointly, takes_up, workers_out
from sqz_tf.train.cluster import Cluster
from sqz_tf.train.meeting import Meeting, PeerLost, meet
from tests.helpers.cluster import addresses

MADE_BY = "made_by"


@pytest.fixture
def two() -> Iterator[list[Meeting]]:
    places = addresses(2)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda rank: meet(Cluster(places, rank, ""), {}, 60.0, lambda line: None), range(2)))
    yield found
    for each in found:
        each.leave()


def stage(meeting: Meeting, out: Path, built: list[int]) -> dict[str, bytes]:
    """Run one stage on one machine; return its files."""
    rank = meeting.cluster.rank

    def build(folder: Path) -> None:
        built.append(rank)
        (folder / MADE_BY).write_text(str(rank))
        (folder / f"own{rank}").touch()

    build_jointly, reuse = jointly(meeting, build)
    with Workspace(workers_out(out, meeting.cluster)) as workspace:
        made = workspace.stage("dense", {}, build_jointly, resumable=True, reuse=reuse)
        hand_out(meeting, made.folder)
        return {path.name: path.read_bytes() for path in made.folder.iterdir() if path.name != "done.json"}


def on_both(two: list[Meeting], out: Path, built: list[int]) -> list[dict[str, bytes]]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda meeting: stage(meeting, out, built), two))


def test_both_build_a_stage_and_keep_the_chiefs_files(two: list[Meeting], tmp_path: Path) -> None:
    built: list[int] = []
    assert on_both(two, tmp_path / "out", built) == [{MADE_BY: b"0", "own0": b""}] * 2
    assert sorted(built) == [0, 1]
    assert {path.name for path in tmp_path.iterdir()} == {"out.work", "out.worker1.work"}


def test_what_the_chief_has_finished_nobody_builds_whatever_a_worker_has(two: list[Meeting], tmp_path: Path) -> None:
    first = on_both(two, tmp_path / "out", [])
    mine = next((tmp_path / "out.worker1.work").glob("dense-*"))
    (mine / MADE_BY).write_text("somebody else")
    built: list[int] = []
    assert on_both(two, tmp_path / "out", built) == first
    assert built == []


def test_alone_a_stage_is_built_and_reused_as_before() -> None:
    def build(folder: Path) -> None: ...

    assert jointly(None, build) == (build, True)
    hand_out(None, Path("nowhere"))


def test_whoever_loses_a_peer_begins_again_as_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, list[str]]] = []

    class Replaced(BaseException): ...

    def execv(program: str, line: list[str]) -> NoReturn:
        done.append((program, line))
        raise Replaced

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setenv(together.RESTARTS, "0")
    told: list[str] = []
    with pytest.raises(Replaced):
        begin_again(PeerLost("worker 1 went away"), told.append)
    assert done == [(sys.executable, [sys.executable, *sys.orig_argv[1:]])]
    assert told == ["worker 1 went away: beginning again from the last finished epoch"]
    assert os.environ[together.RESTARTS] == "1"


def test_after_a_peer_was_lost_work_is_taken_up_whatever_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(together.RESTARTS, raising=False)
    assert (takes_up(True), takes_up(False)) == (True, False)
    monkeypatch.setenv(together.RESTARTS, "1")
    assert takes_up(False)


def test_too_many_beginnings_are_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(together.RESTARTS, str(together.MOST_RESTARTS))
    with pytest.raises(PeerLost, match="worker 1"):
        begin_again(PeerLost("worker 1 went away"), lambda line: None)
