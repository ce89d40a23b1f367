"""Processes that share a database: a killed one's point is done by another, with SQLite and with PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.needs import ROOT, require

pytestmark = [pytest.mark.slow, pytest.mark.attack]

# A process of a study whose training is made up; asked to, it stops in the middle of its first point.
WORKER = """
import os, sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
import optuna
from sqz_tf.trials.points import Point
from sqz_tf.trials.rows import Row
from sqz_tf.trials.study import WANTED, Study, open_storage, record
from tests.helpers.explored import BASE, learnt, sizes

optuna.logging.set_verbosity(optuna.logging.ERROR)
url, stops = sys.argv[1], sys.argv[2] == "stops"
if sys.argv[2] == "dies":
    Study._done = lambda *arguments: os.kill(os.getpid(), 9)
study = Study(open_storage(url, Path(".")), "shared", 1, {})
points = [replace(Point.of(BASE), width=width / 10) for width in range(1, 7)]
study.fill([{"point": asdict(point)} for point in points])

def objective(trial):
    point = Point(**trial.user_attrs[WANTED]["point"])
    print("begun", point.width, flush=True)
    if stops:
        sys.stdin.read()
    flash = round(1000 * point.width)
    record(trial, Row(point, sizes(flash), "trained", learnt(0.5), 1, "", os.getpid()))
    return 0.5, flash

study.work(objective, lambda number: print("waiting", number, flush=True))
print(*sorted(row.point.width for row in study.rows()), "by", *{row.seed for row in study.rows()}, flush=True)
"""


def run_as() -> dict[str, Any]:
    """Return how a server is run, which refuses to be root's."""
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.geteuid() == 0 else {}


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a server of its own, on a socket in a folder of its own."""
    places = [Path(found).parent for found in (shutil.which("initdb"),) if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    require(places, "PostgreSQL is not installed")
    require(importlib.util.find_spec("psycopg"), "psycopg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="sqz-pg-", dir="/tmp"))  # a socket's path is short, and nobody's to reach
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")

    def server(*command: str) -> None:
        done = subprocess.run([str(places[0] / command[0]), *command[1:]], capture_output=True, text=True, **run_as())
        assert done.returncode == 0, done.stdout + done.stderr

    data = folder / "data"
    options = f"-k {folder} -c listen_addresses="
    try:
        server("initdb", "-D", str(data), "-A", "trust", "-U", "sqz", "--no-sync")
        subprocess.run(
            [str(places[0] / "pg_ctl"), "-w", "-D", str(data), "-o", options, "-l", str(folder / "log"), "start"],
            stdout=subprocess.DEVNULL,
            check=True,
            **run_as(),
        )
        yield f"postgresql://sqz@/postgres?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            server("pg_ctl", "-w", "-m", "immediate", "-D", str(data), "stop")
        shutil.rmtree(folder)


def worker(url: str, how: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SQZ_TF_HEARTBEAT_SECONDS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WORKER, url, how]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment)


def killed_and_taken_over(url: str, how: str = "stops") -> None:
    with worker(url, how) as first:
        assert first.stdout is not None
        if how == "stops":
            assert first.stdout.readline() == "begun 0.1\n"
            os.kill(first.pid, signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
    with worker(url, "works") as second:
        try:
            told, _ = second.communicate(timeout=200)
        finally:
            second.kill()
    lines = told.splitlines()
    assert [line for line in lines if line.startswith("begun")] == [
        *(f"begun {width / 10}" for width in range(2, 7)),
        "begun 0.1",
    ]
    assert lines[-1] == f"0.1 0.2 0.3 0.4 0.5 0.6 by {second.pid}"


@pytest.mark.parametrize("how", ["stops", "dies"])
def test_a_killed_processs_point_is_done_by_another_with_sqlite(how: str, tmp_path: Path) -> None:
    """One is killed in the middle of a point, one before it has told anyone that it lives."""
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    killed_and_taken_over(f"sqlite:///{tmp_path / 'study.db'}", how)


def test_a_killed_processs_point_is_done_by_another_with_postgresql(postgresql: str) -> None:
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    killed_and_taken_over(postgresql)


def test_processes_that_work_at_once_do_each_point_once(postgresql: str) -> None:
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    workers = [worker(postgresql, "works") for _ in range(3)]
    told = [each.communicate(timeout=120)[0].splitlines() for each in workers]
    begun = [line for lines in told for line in lines if line.startswith("begun")]
    assert sorted(begun) == [f"begun {width / 10}" for width in range(1, 7)]
    assert {lines[-1].partition(" by")[0] for lines in told} == {"0.1 0.2 0.3 0.4 0.5 0.6"}
