"""Inverting on the page: all that was given is answered anew, and until then the old answer stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.web.test_page import Page
from tests.helpers import web_page
from tests.helpers.browser import chromium, write_y4m
from tests.helpers.web_page import GATE, brightness, png

pytestmark = pytest.mark.slow
DARK, BRIGHT = ("dark.png", png(brightness(38))), ("bright.png", png(brightness(217)))
GREY_INPUT = {"width": 32, "height": 32, "channels": 1}
LOADS = """
const [url, done] = arguments, image = new Image();
image.onload = () => done(true); image.onerror = () => done(false); image.src = url;
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    film = write_y4m(tmp_path_factory.mktemp("film") / "dark.y4m", [(45, 128, 128)])
    with chromium(f"--use-file-for-fake-video-capture={film}") as started:
        yield started


@pytest.fixture
def page(driver: Any, tmp_path: Path) -> Page:
    return Page(driver, web_page.write(tmp_path, web_page.facts(input=GREY_INPUT))).open(GATE)


def tiles(page: Page) -> list[str]:
    return [tile.text for tile in page.driver.find_elements("css selector", "#several-list li")]


def errors(page: Page) -> list[Any]:
    return [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]


def loads(page: Page, url: str) -> bool:
    return bool(page.driver.execute_async_script(LOADS, url))


def test_the_old_answer_stays_and_works_until_the_new_one_is_there(page: Page) -> None:
    page.answered(lambda: page.give("drop", DARK, BRIGHT))
    page.wait(lambda: tiles(page) == ["1", "8"], "two are not listed")
    page.run("void shut()")
    page.click("invert")
    assert page.run("document.getElementById('answer').getAttribute('aria-busy')") == "true"
    head = "Number(getComputedStyle(document.querySelector('#answer .head')).opacity)"
    page.wait(lambda: page.run(head) < 0.5, "the old answer does not fade")
    page.click("language")
    page.click("language")
    page.click("yes")
    assert (page.text("best"), tiles(page)) == ("1", ["1", "8"])
    assert page.run("document.querySelectorAll('#several-list .old').length") == 2
    page.run("void free()")
    page.wait(lambda: tiles(page) == ["8", "1"], "the list is not answered anew")
    assert page.text("best") == "8"
    assert page.run("document.getElementById('answer').getAttribute('aria-busy')") == "false"
    assert page.run("document.querySelectorAll('.old').length") == 0
    assert errors(page) == []


def test_a_picture_is_counted_once_before_and_after(page: Page) -> None:
    page.answered(lambda: page.give("drop", DARK))
    page.click("yes")
    assert page.text("confusion-note").startswith("1 of 1 judged")
    assert page.answered(lambda: page.click("invert")) == "8"
    page.wait(lambda: page.text("confusion-note").startswith("0 of 1 judged"), "the old answer is counted")
    page.click("yes")
    assert page.text("confusion-note").startswith("1 of 1 judged")


def test_a_frozen_frame_is_answered_anew_and_back(page: Page) -> None:
    page.answered(lambda: page.click("camera"))
    page.click("freeze")
    best = page.text("best")
    inverted = page.answered(lambda: page.click("invert"))
    assert int(inverted) == 9 - int(best)
    assert page.run("document.getElementById('finder').dataset.shows") == "frozen"
    assert page.answered(lambda: page.click("invert")) == best


def test_test_pictures_are_not_inverted(page: Page) -> None:
    shown = page.count()
    page.click("invert")
    assert (page.text("best"), page.count()) == ("7", shown)


def test_what_is_shown_can_be_inverted_after_a_damaged_picture(page: Page) -> None:
    page.answered(lambda: page.give("drop", DARK))
    first = page.run("document.getElementById('shown').src")
    assert "damaged" in page.told(lambda: page.give("drop", ("cut.png", DARK[1][:60])))
    assert page.answered(lambda: page.click("invert")) == "8"
    assert loads(page, page.run("document.getElementById('shown').src"))
    page.answered(lambda: page.give("drop", BRIGHT))
    assert not loads(page, first)
