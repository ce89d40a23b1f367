"""How the processes of a cluster meet before TensorFlow joins them, and what the chief tells the others meanwhile.

TensorFlow carries the gradients, and a process that is lost breaks its collectives at once. It does not say who is
missing, lets a process that came back meet those that still train, and has no word for "this stage is finished". So the
workers first call the chief at its own address, say what they are about to do, and wait until all are there; then the
chief frees its port for TensorFlow, and the connections stay for messages: JSON texts, and folders of files. Whoever
finds its connection broken has lost a peer, see `PeerLost`. Like TensorFlow's own, the connections are for a network
that is trusted.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from converters import strict_json
from sqz_tf.base.errors import ConfigError, SqzError
from sqz_tf.train.cluster import Cluster

KIT = "sqz-tf"
LENGTH = 8  # bytes before a text, big-endian
LONGEST_TEXT = 2**20
HELLO_SECONDS = 5.0  # a caller that says nothing for so long is none of ours
RETRY_SECONDS = 0.5
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}  # a machine without power is missed in 30 s

Card = dict[str, str]  # what must be the same everywhere → its value


class PeerLost(SqzError):
    """A process of the cluster went away; what is finished is kept, and the job goes on when all are back."""


class ClusterError(SqzError):
    """Another process of the cluster failed for a reason of its own."""


@dataclass
class Meeting:
    """The connections of one process: the chief's to each worker, or a worker's to the chief."""

    cluster: Cluster
    peers: dict[int, socket.socket] = field(default_factory=dict)

    def tell(self, **message: Any) -> None:
        """Send a message from the chief to every worker."""
        for rank, peer in self.peers.items():
            with self._watching(rank):
                _send(peer, message)

    def hear(self) -> dict[str, Any]:
        """Wait for the chief's next message.

        Raises:
          ClusterError: the chief says that it failed.
        """
        with self._watching(0):
            message = _receive(self.peers[0])
        if "failed" in message:
            raise ClusterError(f"the chief failed: {message['failed']}", fix="mend that and run the command everywhere")
        return message

    def send_files(self, folder: Path) -> None:
        """Tell every worker the files of a folder, and send them."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.tell(files=[[path.relative_to(folder).as_posix(), path.stat().st_size] for path in files])
        for path in files:
            for rank, peer in self.peers.items():
                with self._watching(rank), path.open("rb") as file:
                    peer.sendfile(file)

    def receive_files(self, folder: Path, files: list[list[Any]], keep: str = "") -> None:
        """Make the files of a folder those that the chief told of and sends; one of another name may be kept."""
        for old in folder.rglob("*"):
            if old.is_file() and old.name != keep:
                old.unlink()
        with self._watching(0):
            for name, size in files:
                _store(self.peers[0], _inside(folder, name), size)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Tell the workers at the end of the block that all is done, or why the chief failed.

        One that has gone away meanwhile is not missed: its part was over.
        """
        try:
            yield
        except PeerLost:
            raise
        except SqzError as error:
            self._tell_who_is_left(failed=str(error))
            raise
        self._tell_who_is_left(done=True)

    def _tell_who_is_left(self, **message: Any) -> None:
        for peer in self.peers.values():
            with suppress(OSError):
                _send(peer, message)

    def misses_one(self, seconds: float) -> bool:
        """Wait so long at most for a connection to end; say whether one has."""
        ends = select.poll()
        for peer in self.peers.values():
            ends.register(peer, getattr(select, "POLLRDHUP", 0))  # Linux; elsewhere what is always told
        return bool(ends.poll(1000 * seconds))

    def leave(self) -> None:
        """Close the connections."""
        for peer in self.peers.values():
            peer.close()
        self.peers.clear()

    @contextmanager
    def _watching(self, rank: int) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError) as error:
            raise PeerLost(f"{self.cluster.named(rank)} went away ({error})") from error


def meet(cluster: Cluster, card: Card, patience: float, note: Callable[[str], None]) -> Meeting:
    """Wait until all processes of the cluster are there and about to do the same.

    Args:
      card: what must be the same on every machine.
      patience: seconds to wait.
      note: told what is waited for.

    Raises:
      ConfigError: someone did not come, is about to do something else, or the chief's port is taken.
    """
    end = time.monotonic() + patience
    return _wait_for_workers(cluster, card, end, note) if cluster.is_chief else _call_chief(cluster, card, end, note)


# The chief's side ------------------------------------------------------------------------------------------------


def _wait_for_workers(cluster: Cluster, card: Card, end: float, note: Callable[[str], None]) -> Meeting:
    meeting = Meeting(cluster)
    ranks = range(1, len(cluster.addresses))
    note(f"waiting for {', '.join(cluster.named(rank) for rank in ranks)}")
    try:
        with _listening(cluster) as listener:
            while missing := [rank for rank in ranks if rank not in meeting.peers]:
                listener.settimeout(max(0.0, end - time.monotonic()))
                try:
                    caller, _ = listener.accept()
                except (TimeoutError, BlockingIOError) as error:
                    raise _nobody(cluster, missing) from error
                _admit(meeting, card, caller)
        meeting.tell(go=True)
    except BaseException:
        meeting.leave()
        raise
    return meeting


def _listening(cluster: Cluster) -> socket.socket:
    port = int(cluster.addresses[0].rpartition(":")[2])
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise ConfigError(
            f"the chief's port {port} cannot be used ({error.strerror or error})",
            expected="a free port",
            fix="end what uses it, or give another in TF_CONFIG on every machine",
        ) from error


def _admit(meeting: Meeting, card: Card, caller: socket.socket) -> None:
    """Take up a caller that says who it is; one that came back replaces what it was."""
    caller.settimeout(HELLO_SECONDS)
    try:
        hello = _receive(caller)
        rank, theirs = hello["rank"], hello["card"]
        known = hello["kit"] == KIT and 0 < rank < len(meeting.cluster.addresses)
    except (OSError, EOFError, KeyError, TypeError):
        known = False
    if not known:
        caller.close()
        return
    if different := sorted(name for name in {*card, *theirs} if card.get(name) != theirs.get(name)):
        error = _different(meeting.cluster, rank, different[0], card, theirs)
        with suppress(OSError):
            _send(caller, {"refused": str(error)})
        caller.close()
        raise error
    _keep_alive(caller)
    if rank in meeting.peers:
        meeting.peers.pop(rank).close()
    meeting.peers[rank] = caller


def _different(cluster: Cluster, rank: int, name: str, card: Card, theirs: Card) -> ConfigError:
    return ConfigError(
        f"{cluster.named(rank)} has another {name}: {theirs.get(name, 'none')!s:.60}",
        expected=f"the chief's, {card.get(name, 'none')!s:.60}",
        fix="give every machine the same pictures, options and versions",
    )


def _nobody(cluster: Cluster, missing: list[int]) -> ConfigError:
    return ConfigError(
        f"{', '.join(cluster.named(rank) for rank in missing)} did not come",
        expected="every process of TF_CONFIG within --wait seconds",
        fix="start the same command there, and see that the chief's port can be reached from there; "
        "what is finished is kept",
    )


# A worker's side -------------------------------------------------------------------------------------------------


def _call_chief(cluster: Cluster, card: Card, end: float, note: Callable[[str], None]) -> Meeting:
    note(f"calling {cluster.named(0)}")
    host, _, port = cluster.addresses[0].rpartition(":")
    while True:
        if (left := end - time.monotonic()) <= 0:
            raise _nobody(cluster, [0])
        try:
            peer = socket.create_connection((host.strip("[]"), int(port)), min(left, HELLO_SECONDS))
            answer = _greet(peer, cluster, card, left)
        except (OSError, EOFError):  # not there yet, or still in the training that has broken
            time.sleep(min(left, RETRY_SECONDS))
            continue
        if "refused" in answer:
            peer.close()
            raise ConfigError(f"the chief refuses: {answer['refused']}")
        _keep_alive(peer)
        return Meeting(cluster, {0: peer})


def _greet(peer: socket.socket, cluster: Cluster, card: Card, seconds: float) -> dict[str, Any]:
    """Say who calls; return the answer, which comes when all are there."""
    try:
        peer.settimeout(seconds)
        _send(peer, {"kit": KIT, "rank": cluster.rank, "card": card})
        answer = _receive(peer)
    except BaseException:
        peer.close()
        raise
    return answer


# Both ------------------------------------------------------------------------------------------------------------


def _keep_alive(peer: socket.socket) -> None:
    peer.settimeout(None)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # Linux
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _send(peer: socket.socket, message: dict[str, Any]) -> None:
    text = json.dumps(message).encode()
    peer.sendall(len(text).to_bytes(LENGTH, "big") + text)


def _receive(peer: socket.socket) -> dict[str, Any]:
    """Return the next message; EOFError where there is none, or something else."""
    length = int.from_bytes(_exactly(peer, LENGTH), "big")
    if length > LONGEST_TEXT:
        raise EOFError("something else answers there")
    try:
        message = strict_json.loads(_exactly(peer, length))
    except ValueError as error:
        raise EOFError("something else answers there") from error
    if not isinstance(message, dict):
        raise EOFError("something else answers there")
    return message


def _exactly(peer: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = peer.recv(min(size, LONGEST_TEXT))
        if not part:
            raise EOFError("the connection has ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise EOFError(f"a file called {name!r:.60} was sent")
    return folder.joinpath(*parts)


def _store(peer: socket.socket, path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while size:
            part = _exactly(peer, min(size, LONGEST_TEXT))
            file.write(part)
            size -= len(part)
