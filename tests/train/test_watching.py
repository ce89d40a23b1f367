"""What TensorFlow says of a lost peer, and what it says of an error of one's own."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sqz_tf.train import distribute
from sqz_tf.train.cluster import Cluster
from sqz_tf.train.keras import tf
from sqz_tf.train.meeting import Meeting, PeerLost

pytestmark = pytest.mark.training

LOST = [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError]
DOUBTFUL = [tf.errors.UnknownError, tf.errors.InternalError]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Meeting, socket.socket]]:
    """Return a meeting with one other, and the other's end."""
    monkeypatch.setattr(distribute, "MISSED_SECONDS", 0.0)
    own, other = socket.socketpair()
    with own, other:
        yield Meeting(Cluster(("a:1", "b:1"), 0, ""), {1: own}), other


def fail(meeting: Meeting, kind: type[Exception]) -> None:
    with distribute._watching(meeting):
        raise kind(None, None, "Error in user-defined function")


@pytest.mark.parametrize("kind", LOST)
def test_what_is_said_of_lost_peers_only_is_believed(
    kind: type[Exception], ends: tuple[Meeting, socket.socket]
) -> None:
    with pytest.raises(PeerLost, match="user-defined"):
        fail(ends[0], kind)


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_what_is_said_of_ones_own_errors_too_needs_a_peer_that_is_gone(
    kind: type[Exception], ends: tuple[Meeting, socket.socket]
) -> None:
    meeting, other = ends
    with pytest.raises(kind):
        fail(meeting, kind)
    other.close()
    with pytest.raises(PeerLost, match="user-defined"):
        fail(meeting, kind)
