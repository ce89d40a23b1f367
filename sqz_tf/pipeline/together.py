"""An export on several machines: the chief's stages are everyone's, and whoever loses a peer begins again.

Every machine runs the same recipe on its own copy of the pictures. The chief says of each stage whether it is built or
was taken from an earlier run; the workers build with it, which is how they come to train with it, and take its files
instead of their own at the end. So nothing but the chief's work folder decides where a job goes on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from sqz_tf.artifact.manifest import versions
from sqz_tf.artifact.workspace import STARTED
from sqz_tf.base.errors import ConfigError
from sqz_tf.network.exported_weights import digest_of
from sqz_tf.pipeline.job import Job, Training
from sqz_tf.train.cluster import Cluster
from sqz_tf.train.meeting import Card, Meeting, PeerLost

RESTARTS = "SQZ_TF_RESTARTS"  # environment: how often this process has begun again
MOST_RESTARTS = 100  # then something else is wrong than a machine that comes and goes

Build = Callable[[Path], None]


def jointly(meeting: Meeting | None, build: Build) -> tuple[Build, bool]:
    """Return how this process builds a stage, and whether it may take a finished one of its own."""
    if meeting is None:
        return build, True
    if meeting.cluster.is_chief:
        return lambda folder: _lead(meeting, build, folder), True
    return lambda folder: _follow(meeting, build, folder), False


def hand_out(meeting: Meeting | None, folder: Path) -> None:
    """Send a finished stage's files from the chief to the workers."""
    if meeting is not None and meeting.cluster.is_chief:
        meeting.send_files(folder)


def _lead(meeting: Meeting, build: Build, folder: Path) -> None:
    meeting.tell(build=True)
    build(folder)


def _follow(meeting: Meeting, build: Build, folder: Path) -> None:
    message = meeting.hear()
    if "build" in message:
        build(folder)
        message = meeting.hear()
    meeting.receive_files(folder, message["files"], keep=STARTED)


def card_of(job: Job) -> Card:
    """Return what must be the same on every machine: options, versions and pictures, but not where these are.

    Raises:
      ConfigError: the job trains nothing.
    """
    if not isinstance(job, Training):
        raise ConfigError("--distribute shares out training, but these weights are only quantized", fix="leave it out")
    plan = job.plan.to_dict()
    values = {name: value if isinstance(value, dict) else {"": value} for name, value in plan.items()}
    flat = {f"{name}.{part}".rstrip("."): value for name, parts in values.items() for part, value in parts.items()}
    del flat["data.source"]
    return {
        **versions(),
        **{name: json.dumps(value) for name, value in flat.items()},
        "pictures": job.summary.sha256,
        "weights": digest_of(job.pretrained.layers) if job.pretrained else "none",
    }


def workers_out(out: Path, cluster: Cluster | None) -> Path:
    """Return the output folder beside whose name this process works: a worker has its own, and writes no result."""
    return out if cluster is None or cluster.is_chief else out.with_name(f"{out.name}.worker{cluster.rank}")


def takes_up(resume: bool) -> bool:
    """Say whether finished work is taken up: if it is asked for, and always after a peer was lost."""
    return resume or RESTARTS in os.environ


def begin_again(lost: PeerLost, note: Callable[[str], None]) -> NoReturn:
    """Replace this process by a new one of the same command, which waits for the others and goes on.

    What TensorFlow has joined cannot be joined anew in one process.

    Raises:
      PeerLost: it has begun again too often.
    """
    times = int(os.environ.get(RESTARTS, "0")) + 1
    if times > MOST_RESTARTS:
        raise lost
    note(f"{lost}: beginning again from the last finished epoch")
    sys.stdout.flush()
    os.environ[RESTARTS] = str(times)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
