"""The page from a server on this machine, as `--serve` gives it: the camera works and nothing else is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.deploy.web.serving import handler
from tests.deploy.web.test_page import GREY, Page
from tests.helpers import web_page
from tests.helpers.browser import chromium, write_y4m


class Served(Page):
    """A page at an address instead of a path."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.path = driver, _Address(address)  # type: ignore[assignment]


class _Address(str):
    def as_uri(self) -> str:
        return str(self)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Served, list[str]]]:
    """The page, and the paths that were asked for."""
    asked: list[str] = []

    class Noted(handler(web_page.write(tmp_path, web_page.facts()).read_bytes())):  # type: ignore[misc]
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Noted)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    film = write_y4m(tmp_path / "grey.y4m", [GREY])
    try:
        with chromium(f"--use-file-for-fake-video-capture={film}") as driver:
            yield Served(driver, f"http://localhost:{server.server_port}/"), asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_the_camera_answers_on_localhost_and_nothing_else_is_fetched(served: tuple[Served, list[str]]) -> None:
    page, asked = served
    page.open()
    assert page.run("isSecureContext")
    page.answered(lambda: page.click("camera"))
    assert page.text("best") in {"4", "5"}  # grey, which the film's colours give by a level or two
    assert set(asked) <= {"/", "/favicon.ico"}
