"""What the page tells of answers: of networks without chances, of equal labels, of work that was overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.web.test_page import Page, correct
from tests.helpers import web_page
from tests.helpers.browser import chromium
from tests.helpers.web_page import GATE, brightness, png

pytestmark = pytest.mark.slow
GOOD = ("good.png", png(brightness(217)))
COUNT_URLS = """
window.urls = new Set();
const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
URL.createObjectURL = (of) => { const url = create(of); urls.add(url); return url; };
URL.revokeObjectURL = (url) => { urls.delete(url); revoke(url); };
"""
BARS = "[...document.querySelectorAll('#top i')].map((bar) => Number(bar.style.transform.slice(7, -1)))"
COPY = "void (navigator.clipboard.writeText = async (text) => { document.body.dataset.copied = text; })"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as started:
        yield started


def opened(driver: Any, folder: Path, before: str = "", **changes: Any) -> Page:
    return Page(driver, web_page.write(folder, web_page.facts(**changes))).open(before)


def test_scores_that_are_no_chances_are_told_as_values(driver: Any, tmp_path: Path) -> None:
    page = opened(driver, tmp_path, wasm={"probabilities": False})
    assert page.answered(lambda: page.give("drop", GOOD)) == "8"
    best = 0.1 * (max(page.scores()) - 20)
    assert page.text("sure") == f"{best:.1f}"
    page.wait(lambda: page.text("spoken") == f"8, {best:.1f}", "the value is not said")
    values = [each.text for each in driver.find_elements("css selector", "#top data")]
    assert values[-1].startswith("-")
    assert not any("%" in value for value in values)
    bars = page.run(BARS)
    assert bars[0] == 1
    assert all(0 <= bar <= 1 for bar in bars)
    assert bars == sorted(bars, reverse=True)


def test_equal_labels_are_told_apart_and_compared_by_number(driver: Any, tmp_path: Path) -> None:
    tests = web_page.facts()["tests"]
    labels = ["crane", "b", "crane", *"defghij"]
    page = opened(driver, tmp_path, labels=labels, tests=[{**tests[0], "truth": 0}, {**tests[0], "truth": 2}])
    tiles = [tile.text for tile in driver.find_elements("css selector", "#tests-list span")]
    assert tiles == ["crane (0) → crane (2)", "✓ crane (2)"]
    assert page.text("best") == "crane (2)"
    assert "crane (0)" in page.text("truth")


def test_an_empty_label_is_a_truth_too(driver: Any, tmp_path: Path) -> None:
    tests = web_page.facts()["tests"]
    opened(driver, tmp_path, labels=["", *"123456789"], tests=[{**tests[0], "truth": 0}])
    (tile,) = driver.find_elements("css selector", "#tests-list span")
    assert (tile.text, tile.get_attribute("class")) == ("→ 2", "bad")


def test_a_judgement_can_be_taken_back(driver: Any, tmp_path: Path) -> None:
    page = opened(driver, tmp_path)
    page.answered(lambda: page.give("drop", GOOD))
    page.click("yes")
    assert page.visible("confusion")
    page.click("yes")
    assert not page.visible("confusion")
    correct(page, 3)
    assert page.text("confusion-note").startswith("0 of 1")
    correct(page, "")
    assert not page.visible("confusion")
    assert page.find("yes").get_attribute("aria-pressed") == "false"


def test_labels_that_a_spreadsheet_would_run_are_quoted(driver: Any, tmp_path: Path) -> None:
    page = opened(driver, tmp_path, labels=["=1+1", "-1", "@a", *"3456", "-b", "+c", "9"])
    page.run(COPY)
    page.answered(lambda: page.give("drop", GOOD))
    for truth in (0, 1, 2, 7):
        page.answered(lambda: page.give("drop", GOOD))
        correct(page, truth)
    page.click("copy")
    rows = page.run("document.body.dataset.copied").splitlines()[1:]
    assert rows == ["'=1+1,'+c,1", "-1,'+c,1", "'@a,'+c,1", "'-b,'+c,1"]


def test_an_error_of_a_picture_that_was_left_is_not_told(driver: Any, tmp_path: Path) -> None:
    damaged = {"picture": "data:image/png;base64,iVBORw0KGgoAAAAA", "truth": 1, "answer": 1}
    page = opened(driver, tmp_path, GATE, tests=[damaged])
    assert page.visible("message")  # of the first picture, which is shown unasked
    page.run("void shut()")
    driver.find_element("css selector", "#tests-list button").click()
    page.run("void leave()")
    assert page.answered(lambda: page.give("drop", GOOD)) == "8"
    page.run("void free()")
    driver.execute_async_script("setTimeout(arguments[0])")
    assert not page.visible("message")


def test_pictures_that_were_overtaken_are_let_go(driver: Any, tmp_path: Path) -> None:
    page = opened(driver, tmp_path, GATE + COUNT_URLS)
    page.run("void shut()")
    page.give("drop", ("dark.png", png(brightness(38))))
    page.run("void leave()")
    page.answered(lambda: page.give("drop", GOOD))
    assert page.run("urls.size") == 2
    page.run("void free()")
    page.wait(lambda: page.run("urls.size") == 1, "its address is kept")
    assert page.text("best") == "8"


def test_test_pictures_are_called_so_in_the_language_of_now(driver: Any, tmp_path: Path) -> None:
    page = opened(driver, tmp_path)
    page.click("language")
    try:
        names = "[...document.querySelectorAll('#tests-list img, #shown')].map((image) => image.alt)"
        assert page.run(names) == ["테스트 사진"] * 3
    finally:
        page.click("language")
