"""The machines of a cluster meet before they train, and tell each other what is wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.train import meeting as meetings
from sqz_tf.train.cluster import Cluster
from sqz_tf.train.meeting import ClusterError, Meeting, PeerLost, meet
from tests.helpers.cluster import addresses
from tests.helpers.needs import require

CARD = {"train.epochs": "3", "pictures": "abc"}
PATIENCE = 60.0


def quiet(line: str) -> None: ...


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def gathered(pool: ThreadPoolExecutor, places: tuple[str, ...], *cards: dict[str, str]) -> list[Future[Meeting]]:
    return [
        pool.submit(meet, Cluster(places, rank, ""), card, PATIENCE, quiet)
        for rank, card in enumerate(cards or [CARD] * len(places))
    ]


@pytest.fixture
def three(pool: ThreadPoolExecutor) -> Iterator[list[Meeting]]:
    met = [each.result() for each in gathered(pool, addresses(3))]
    yield met
    for each in met:
        each.leave()


def test_what_the_chief_tells_all_workers_hear(three: list[Meeting]) -> None:
    chief, *workers = three
    chief.tell(build=True)
    chief.tell(files=[])
    assert [[worker.hear() for _ in range(2)] for worker in workers] == [[{"build": True}, {"files": []}]] * 2


def test_a_folder_becomes_the_chiefs(three: list[Meeting], pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    chief, *workers = three
    theirs = {"a.bin": bytes(range(256)) * 9000, "deep/er/b.txt": b"", "c": b"c"}
    for name, content in theirs.items():
        (tmp_path / "chief" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "chief" / name).write_bytes(content)
    own = tmp_path / "worker"
    own.mkdir()
    (own / "old").write_bytes(b"old")
    (own / "kept").write_bytes(b"kept")
    sent = pool.submit(chief.send_files, tmp_path / "chief")
    workers[0].receive_files(own, workers[0].hear()["files"], keep="kept")
    workers[1].receive_files(tmp_path / "other", workers[1].hear()["files"])
    sent.result()
    found = {path.relative_to(own).as_posix(): path.read_bytes() for path in own.rglob("*") if path.is_file()}
    assert found == {**theirs, "kept": b"kept"}


@pytest.mark.parametrize("name", ["../a", "/a", "", "a/../../b"])
def test_a_file_outside_the_folder_is_refused(three: list[Meeting], tmp_path: Path, name: str) -> None:
    with pytest.raises(PeerLost, match="was sent"):
        three[1].receive_files(tmp_path / "own", [[name, 1]])
    assert not list(tmp_path.rglob("*"))


def test_a_worker_notices_that_the_chief_is_gone_and_the_chief_that_a_worker_is(three: list[Meeting]) -> None:
    chief, worker, other = three
    worker.leave()
    with pytest.raises(PeerLost, match=r"worker 1 \(127"):
        _for_ever(lambda: chief.tell(build=True))
    chief.leave()
    with pytest.raises(PeerLost, match=r"the chief \(127"):
        _for_ever(other.hear)


def test_workers_are_told_why_the_chief_failed_and_when_it_is_done(three: list[Meeting]) -> None:
    chief, *workers = three
    with pytest.raises(ConfigError), chief.ending():
        raise ConfigError("too little space")
    with chief.ending():
        pass
    for worker in workers:
        with pytest.raises(ClusterError, match="the chief failed: too little space"):
            worker.hear()
        assert worker.hear() == {"done": True}


@pytest.mark.parametrize("failed", [False, True])
def test_a_worker_that_has_gone_away_does_not_undo_what_the_chief_has_finished(
    three: list[Meeting], failed: bool
) -> None:
    chief, worker, other = three
    worker.leave()
    with pytest.raises(PeerLost):
        _for_ever(lambda: chief.tell(build=True))
    with suppress(ConfigError), chief.ending():
        if failed:
            raise ConfigError("too little space")
    with pytest.raises(ClusterError) if failed else nullcontext():
        while "done" not in other.hear():
            pass


def test_a_peer_is_missed_when_its_connection_ends_whatever_it_has_said_before(three: list[Meeting]) -> None:
    chief, worker, other = three
    chief.tell(build=True)
    assert not any(each.misses_one(0.0) for each in three)
    other.leave()
    assert chief.misses_one(PATIENCE)
    assert not worker.misses_one(0.0)
    chief.leave()
    assert worker.misses_one(PATIENCE)


def _for_ever(work: Callable[[], Any]) -> None:
    while True:
        work()


def test_other_options_are_refused_on_both_sides(pool: ThreadPoolExecutor) -> None:
    chief, worker = gathered(pool, addresses(2), CARD, {**CARD, "train.epochs": "4"})
    for side in (chief, worker):
        with pytest.raises(ConfigError, match=r"has another train\.epochs: 4; expected the chief's, 3"):
            side.result()


def test_machines_meet_at_an_address_of_ipv6(pool: ThreadPoolExecutor) -> None:
    require(socket.has_dualstack_ipv6(), "there is no IPv6 here")
    places = tuple(place.replace("127.0.0.1", "[::1]") for place in addresses(2))
    chief, worker = (each.result() for each in gathered(pool, places))
    chief.tell(hello=1)
    assert worker.hear() == {"hello": 1}
    for each in (chief, worker):
        each.leave()


def test_who_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meetings, "RETRY_SECONDS", 0.01)
    places = addresses(3)
    with pytest.raises(ConfigError, match=r"worker 1 .*, worker 2 .* did not come"):
        meet(Cluster(places, 0, ""), CARD, 0.0, quiet)
    with pytest.raises(ConfigError, match=r"the chief .* did not come"):
        meet(Cluster(places, 2, ""), CARD, 0.05, quiet)


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} cannot be used"):
            meet(Cluster((f"127.0.0.1:{port}", "127.0.0.1:1"), 0, ""), CARD, PATIENCE, quiet)


def hello(place: str, sent: bytes) -> socket.socket:
    host, _, port = place.rpartition(":")
    while True:
        try:
            caller = socket.create_connection((host, int(port)))
        except OSError:
            continue
        caller.sendall(sent)
        return caller


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0\0\0\0\2{}",
        b"\0\0\0\0\0\0\0\2[]",
        b"\0\0\0\0\0\0\0\2{]",
        b'\0\0\0\0\0\0\0\x2a{"kit": "sqz-tf", "rank": 7,    "card": {}}',
        b'\0\0\0\0\0\0\0\x2a{"kit": "sqz-tf", "rank": "1",  "card": {}}',
        b'\0\0\0\0\0\0\0\x2a{"kit": "sqz-tf", "rank": 1,    "card": 99}',
    ],
)
def test_a_stranger_at_the_chiefs_port_is_sent_away(pool: ThreadPoolExecutor, sent: bytes) -> None:
    places = addresses(2)
    chief = pool.submit(meet, Cluster(places, 0, ""), CARD, PATIENCE, quiet)
    with hello(places[0], sent) as stranger:
        assert not _rest(stranger)
    worker = pool.submit(meet, Cluster(places, 1, ""), CARD, PATIENCE, quiet)
    for side in (chief.result(), worker.result()):
        side.leave()


def _rest(peer: socket.socket) -> bytes:
    try:
        return peer.recv(100)
    except ConnectionResetError:
        return b""


def test_a_worker_that_comes_twice_is_taken_as_it_came_last(pool: ThreadPoolExecutor) -> None:
    places = addresses(3)
    chief = pool.submit(meet, Cluster(places, 0, ""), CARD, PATIENCE, quiet)
    with hello(places[0], _message(1)) as first:
        worker = pool.submit(meet, Cluster(places, 1, ""), CARD, PATIENCE, quiet)
        assert not _rest(first)
    other = pool.submit(meet, Cluster(places, 2, ""), CARD, PATIENCE, quiet)
    chief.result().tell(hello=1)
    assert [each.result().hear() for each in (worker, other)] == [{"hello": 1}] * 2
    for each in (chief, worker, other):
        each.result().leave()


def _message(rank: int) -> bytes:
    text = json.dumps({"kit": meetings.KIT, "rank": rank, "card": CARD}).encode()
    return len(text).to_bytes(meetings.LENGTH, "big") + text


def test_a_chief_that_still_trains_is_called_again(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's server answers at the same port until the chief has noticed, too."""
    monkeypatch.setattr(meetings, "RETRY_SECONDS", 0.01)
    places = addresses(2)
    host, _, port = places[0].rpartition(":")
    with socket.create_server((host, int(port))) as server:
        worker = pool.submit(meet, Cluster(places, 1, ""), CARD, PATIENCE, quiet)
        caller, _ = server.accept()
        caller.sendall(
            b"\0\0\x12\x04\0\0\0\0\0\0\x03\x7f\xff\xff\xff\0\4\0\x3f\0\1\0\5\0\x3f\0\1\0\0\x20\0\xfe\3\0\0\0\1"
        )
        caller.close()
    chief = pool.submit(meet, Cluster(places, 0, ""), CARD, PATIENCE, quiet)
    for side in (chief, worker):
        side.result().leave()
