"""A server that sends slowly: the deadline holds for names, headers and bytes together."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqz_tf.network import weight_files
from sqz_tf.network.weight_files import WeightsError, find

DEADLINE = 0.2  # seconds


class Drip:
    """A server that sends `first` at once and then a byte every few milliseconds, without end."""

    def __init__(self, first: bytes) -> None:
        self.first, self.closing = first, threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/file"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while not self.closing.is_set():
            connection, _ = self.socket.accept()
            with connection:
                self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        try:
            connection.sendall(self.first)
            while not self.closing.wait(0.01):
                connection.sendall(b"x")
        except OSError:  # the client has gone
            pass

    def close(self) -> None:
        self.closing.set()
        with socket.create_connection(self.socket.getsockname()):
            self.thread.join()
        self.socket.close()


STARTS = {
    "the body": b"HTTP/1.1 200 OK\r\nContent-Length: 675763\r\n\r\n",
    "a body in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1",
    "a header": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "the first line": b"",
    "an error's body": b"HTTP/1.1 503 No\r\nContent-Length: 675763\r\n\r\n",
    "a redirection's header": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/",
}


@pytest.fixture(params=STARTS)
def drip(request: pytest.FixtureRequest) -> Iterator[Drip]:
    server = Drip(STARTS[request.param])
    yield server
    server.close()


def test_one_byte_at_a_time_does_not_outlive_the_deadline(
    drip: Drip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_files, "DEADLINE_S", DEADLINE)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(weight_files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv(weight_files.URL_VARIABLE, drip.url)
    with pytest.raises(WeightsError, match=r"not complete after 0\.2 seconds|Service|No\b"):
        find("imagenet", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_deadline_is_for_all_addresses_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that leaps past the deadline: the second address is not waited for at all."""
    clock = iter([0.0, 0.0, 1e9, 1e9])
    monkeypatch.setattr(weight_files.time, "monotonic", lambda: next(clock, 1e9))
    monkeypatch.setattr(weight_files, "_get", lambda url, until: "fault" if url == "one" else threading.Event().wait())
    monkeypatch.setattr(weight_files, "URLS", ("one", "two"))
    monkeypatch.delenv(weight_files.FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv(weight_files.URL_VARIABLE, raising=False)
    with pytest.raises(WeightsError, match=r"one: fault; two: not complete after 600 seconds"):
        find("imagenet", cache=tmp_path)
