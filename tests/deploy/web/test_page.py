"""What a person does on the page, in Chromium, with a stand-in for the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqz_tf.deploy.web import page as page_file
from tests.helpers import web_page
from tests.helpers.browser import base64_of, chromium, until, write_y4m
from tests.helpers.needs import ROOT, quick
from tests.helpers.web_page import brightness, png

GREY = (128, 128, 128)  # of a film: Y, U, V
NO_CAMERA = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('{name}', '{name}'));"
HUGE = png(brightness(3))[:16] + bytes([0, 0, 64, 0, 0, 0, 64, 0, 8, 2, 0, 0, 0])
GIVE = """
const given = new DataTransfer();
for (const [name, content] of arguments[1]) {
  given.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
}
const event = arguments[0] === "drop" ? new DragEvent("drop", {dataTransfer: given, bubbles: true, cancelable: true})
  : new ClipboardEvent("paste", {clipboardData: given, bubbles: true});
document.body.dispatchEvent(event);
"""


class Page:
    """A page in a browser, read by its elements alone."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver, self.path = driver, path

    def open(self, before: str = "") -> Page:
        """Load the page anew; `before` is a script that runs before the page's own."""
        command = "Page.addScriptToEvaluateOnNewDocument"
        added = self.driver.execute_cdp_cmd(command, {"source": before})["identifier"] if before else None
        self.driver.get(self.path.as_uri())
        until(self.driver, lambda: self.run("document.body.dataset.ready"), "the page is never ready")
        if added:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added})
        return self

    def run(self, expression: str, *given: Any) -> Any:
        return self.driver.execute_script(f"return {expression}", *given)

    def find(self, id_: str) -> Any:
        return self.driver.find_element("id", id_)

    def text(self, id_: str) -> str:
        return str(self.run("document.getElementById(arguments[0]).textContent", id_))

    def visible(self, id_: str) -> bool:
        return bool(self.run("document.getElementById(arguments[0]).checkVisibility()", id_))

    def count(self) -> int:
        """Return how many answers were shown."""
        return int(self.run("document.getElementById('answer').dataset.number ?? 0"))

    def scores(self) -> list[int]:
        return list(json.loads(self.run("document.getElementById('answer').dataset.scores")))

    def click(self, id_: str) -> None:
        self.run("document.getElementById(arguments[0]).click()", id_)

    def press_tab(self) -> None:
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(Keys.TAB).perform()

    def wait(self, holds: Callable[[], Any], what: str) -> Any:
        return until(self.driver, holds, what)

    def choose(self, *files: Path) -> None:
        self.find("files").send_keys("\n".join(map(str, files)))

    def give(self, how: str, *files: tuple[str, bytes]) -> None:
        """Drop or paste files."""
        self.run(f"(() => {{ {GIVE} }}).apply(null, arguments)", how, [(name, base64_of(data)) for name, data in files])

    def answered(self, act: Callable[[], Any]) -> str:
        """Return the best answer that is shown after `act`."""
        before = self.count()
        act()
        self.wait(lambda: self.count() > before, "no answer is shown")
        return self.text("best")

    def told(self, act: Callable[[], Any]) -> str:
        """Return the message that is shown after `act`."""
        act()
        self.wait(lambda: self.visible("message"), "no message is shown")
        return self.text("message")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    film = write_y4m(tmp_path_factory.mktemp("film") / "grey.y4m", [GREY])
    with chromium(f"--use-file-for-fake-video-capture={film}") as started:
        yield started


@pytest.fixture(scope="module")
def opened(driver: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page, loaded once for what leaves no traces."""
    return Page(driver, web_page.write(tmp_path_factory.mktemp("page"), web_page.facts())).open()


@pytest.fixture
def page(opened: Page) -> Page:
    return opened.open()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Pictures that the stand-in takes for 1 and 8, and a text."""
    contents = {"dark.png": png(brightness(38)), "bright.png": png(brightness(217)), "note.png": b"no picture"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in contents]


def test_a_right_test_picture_is_shown_at_first(page: Page) -> None:
    assert (page.text("best"), page.text("truth-known")) == ("7", "It is 7: right")
    assert [tile.text for tile in page.driver.find_elements("css selector", "#tests-list span")] == ["7 → 2", "✓ 7"]


def test_a_chosen_picture_is_answered_with_all_scores_and_the_networks_view(page: Page, files: list[Path]) -> None:
    assert page.answered(lambda: page.choose(files[0])) == "1"
    scores = page.scores()
    assert len(scores) == 10
    assert int(np.argmax(scores)) == 1
    rows = [row.text.split("\n") for row in page.driver.find_elements("css selector", "#top li")]
    assert [name for name, _ in rows] == ["1", "0", "2", "3", "4"]
    assert rows[0][1] == page.text("sure") == f"{(scores[1] + 128) / 2.56:.1f} %"
    assert (page.text("milliseconds"), page.text("arena"), page.text("kernels")) == ("1.2 ms", "18.4 KiB", "SIMD")
    view = "Array.from(document.getElementById('view').getContext('2d').getImageData(0, 0, 32, 32).data)"
    assert page.run(view) == [38, 38, 38, 255] * 32 * 32


@pytest.mark.slow
def test_several_pictures_become_a_list_whose_first_is_large(page: Page, files: list[Path]) -> None:
    page.choose(files[2], *files[:2])
    page.wait(lambda: len(page.driver.find_elements("css selector", "#several-list li")) == 3, "three are not listed")
    tiles = [tile.text for tile in page.driver.find_elements("css selector", "#several-list li")]
    assert tiles[0].startswith("note.png is not a picture")
    assert (tiles[1:], page.text("best"), page.visible("message")) == (["1", "8"], "1", False)
    assert page.answered(page.driver.find_element("css selector", "#several-list li:last-child button").click) == "8"


@pytest.mark.parametrize("how", quick(["drop", "paste"], "drop"))
def test_pictures_can_be_dropped_and_pasted(opened: Page, how: str) -> None:
    assert opened.answered(lambda: opened.give(how, ("bright.png", png(brightness(217))))) == "8"


@pytest.mark.slow
@pytest.mark.parametrize(("how", "message"), [("drop", "held no picture"), ("paste", "clipboard holds no picture")])
def test_nothing_dropped_or_pasted_is_told(opened: Page, how: str, message: str) -> None:
    assert message in opened.told(lambda: opened.give(how))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text", "x.png is not a picture"),
        pytest.param(b"", "x.png is an empty file", marks=pytest.mark.slow),
        pytest.param(png(brightness(3))[:60], "x.png is damaged", marks=pytest.mark.slow),
        pytest.param(HUGE, "64 million pixels", marks=pytest.mark.slow),
    ],
)
def test_a_bad_picture_is_told_and_the_page_goes_on(opened: Page, content: bytes, message: str) -> None:
    assert message in opened.told(lambda: opened.give("drop", ("x.png", content)))
    assert opened.answered(lambda: opened.give("drop", ("good.png", png(brightness(217))))) == "8"
    assert not opened.visible("message")


def test_the_camera_is_watched_frozen_and_stopped_when_the_page_is_hidden(page: Page) -> None:
    page.answered(lambda: page.click("camera"))
    page.wait(lambda: page.count() > 4, "the camera is not watched")
    assert page.run("document.getElementById('finder').dataset.shows") == "camera"
    assert page.text("best") in "45"  # grey of the film
    page.click("freeze")
    frozen = page.count()
    assert page.run("document.getElementById('finder').dataset.shows") == "frozen"
    page.click("yes")
    page.click("freeze")
    page.wait(lambda: page.count() > frozen + 2, "the camera does not go on")
    tracks = "document.getElementById('video').srcObject.getTracks().map((track) => (window.track = track).readyState)"
    assert page.run(tracks) == ["live"]
    hide = "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
    assert "hidden" in page.told(lambda: page.run(f"({hide}, document.dispatchEvent(new Event('visibilitychange')))"))
    assert page.run("[window.track.readyState, document.getElementById('video').srcObject]") == ["ended", None]


@pytest.mark.parametrize(
    ("name", "message"),
    quick(
        [
            ("NotFoundError", "No camera was found"),
            ("NotAllowedError", "The camera was not allowed"),
            ("NotReadableError", "in use by another program"),
            ("Odd", "could not be started: Odd"),
        ],
        ("NotFoundError", "No camera was found"),
    ),
)
def test_a_camera_that_does_not_start_is_told(opened: Page, name: str, message: str) -> None:
    opened.run(f"(() => {{ {NO_CAMERA.format(name=name)} }})()")
    assert message in opened.told(lambda: opened.click("camera"))


@pytest.mark.slow
def test_where_browsers_allow_no_camera_the_way_out_is_told(opened: Page) -> None:
    opened.run("void Object.defineProperty(navigator, 'mediaDevices', {value: undefined, configurable: true})")
    assert "https or localhost" in opened.told(lambda: opened.click("camera"))


@pytest.mark.slow
def test_corrections_are_counted_once_a_picture(page: Page, files: list[Path]) -> None:
    page.answered(lambda: page.choose(files[0]))
    page.click("yes")
    correct(page, 4)
    correct(page, 7)
    page.answered(lambda: page.choose(files[1]))
    page.click("yes")
    assert page.text("confusion-note").startswith("1 of 2 judged pictures are right")
    rows = [row.text for row in page.driver.find_elements("css selector", "#confusion-table tr")]
    assert rows == ["is \\ says 1 7 8", "7 1 · ·", "8 · · 1"]
    catch = (
        "navigator.clipboard.writeText = (text) => { document.body.dataset.copied = text; return Promise.resolve(); }"
    )
    page.run(f"(() => {{ {catch} }})()")
    page.click("copy")
    assert page.run("document.body.dataset.copied") == "truth,answer,count\n7,1,1\n8,8,1\n"
    page.click("clear")
    assert not page.visible("confusion")


def correct(page: Page, truth: int | str) -> None:
    """Say what the picture is."""
    script = "const s = document.getElementById('truth'); s.value = arguments[0]; s.dispatchEvent(new Event('change'));"
    page.run(f"(() => {{ {script} }}).apply(null, arguments)", truth)


def test_the_page_tells_what_a_chip_needs_and_shows_the_model_card(opened: Page) -> None:
    boards = [board.text.split("\n") for board in opened.driver.find_elements("css selector", "#boards li")]
    assert boards[0] == ["Slow board", "13–18 ms", "RAM", "18.4 KiB", "Flash", "59.8 KiB", "fits"]
    assert boards[2][-1] == "does not fit"
    assert opened.run("document.getElementById('card-rows').innerText").split("\n") == [
        "Data",
        "digits",
        "Top-1",
        "98.8 %",
    ]


@pytest.mark.slow
def test_looking_for_the_right_answer_freezes_the_camera(page: Page) -> None:
    page.answered(lambda: page.click("camera"))
    page.find("truth").click()
    assert page.run("document.getElementById('finder').dataset.shows") == "frozen"
    correct(page, 9)
    page.click("freeze")
    page.click("camera")
    assert page.text("confusion-note").startswith("0 of 1 judged pictures are right")


@pytest.mark.slow
def test_pictures_can_be_inverted_for_a_network_of_grey(page: Page, tmp_path: Path, files: list[Path]) -> None:
    assert not page.visible("invert")
    facts = web_page.facts(input={"width": 32, "height": 32, "channels": 1}, tests=[])
    grey = Page(page.driver, web_page.write(tmp_path, facts)).open()
    assert grey.answered(lambda: grey.choose(files[0])) == "1"
    assert grey.answered(lambda: grey.click("invert")) == "8"
    assert grey.answered(lambda: grey.choose(files[1])) == "1"
    assert grey.answered(lambda: grey.click("invert")) == "8"


@pytest.mark.slow
def test_the_page_speaks_korean_and_remembers_it(page: Page) -> None:
    page.click("language")
    try:
        assert (page.text("camera"), page.text("truth-known"), page.run("document.documentElement.lang")) == (
            "카메라",
            "정답 7: 맞음",
            "ko",
        )
        assert page.open().text("camera") == "카메라"
    finally:
        page.click("language")
    assert page.text("camera") == "Camera"


def test_both_languages_have_the_same_words() -> None:
    words = json.loads(web_page.text("words.json"))
    english, korean = ({key: value for key, value in words[name].items() if " " not in key} for name in ("en", "ko"))
    assert english.keys() == korean.keys()
    places = [
        {key: sorted(value.split("{")[1:]) for key, value in each.items() if "{" in value} for each in (english, korean)
    ]
    assert places[0].keys() == places[1].keys()


def test_every_word_is_said_somewhere_and_every_line_of_a_card_is_there() -> None:
    words = json.loads(web_page.text("words.json"))
    said = "".join(web_page.text(name) for name in (*page_file.SCRIPTS, "page.html.j2"))
    card = (ROOT / "sqz_tf" / "deploy" / "web" / "facts.py").read_text(encoding="utf-8")
    for name in words["ko"]:
        assert (
            f'("{name[5:]}", ' in card or f'["{name[5:]}", ' in said
            if name.startswith("card ")
            else f'"{name}"' in said
        ), name
    assert words["en"]["arena"] != words["en"]["ram"]
    assert words["ko"]["arena"] != words["ko"]["ram"]


@pytest.mark.slow
def test_without_webassembly_the_page_says_so_and_shows_the_rest(opened: Page) -> None:
    opened.open(before="delete window.WebAssembly")
    assert opened.text("message").startswith("WebAssembly is switched off")
    assert opened.run("document.body.dataset.ready") == "false"
    assert opened.visible("chip")
    assert not opened.find("camera").is_enabled()
    opened.give("drop", ("x.png", png(brightness(3))))
    assert opened.text("message").startswith("WebAssembly is switched off")


@pytest.mark.slow
def test_nothing_is_asked_of_any_server_and_nothing_is_refused_by_the_policy(page: Page, files: list[Path]) -> None:
    page.answered(lambda: page.choose(files[0]))
    loaded = page.run("performance.getEntriesByType('resource').map((entry) => entry.name.slice(0, 5))")
    assert set(loaded) <= {"data:", "blob:"}
    assert [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
