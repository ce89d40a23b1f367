"""The page in browsers that lack something: the camera's permission, a second camera, WebAssembly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.web.test_page import Page
from tests.helpers import web_page
from tests.helpers.browser import chromium

pytestmark = pytest.mark.slow
TWO = ("--use-fake-device-for-media-stream=device-count=2",)
CAMERA = "document.getElementById('video').srcObject.getTracks()[0].getSettings().deviceId"

FACING = """
const get = MediaStreamTrack.prototype.getSettings, open = MediaDevices.prototype.getUserMedia;
MediaStreamTrack.prototype.getSettings = function () { return { ...get.call(this), facingMode: "user" }; };
let turn = 0;
const ways = window.ways ?? [["user"], []];
InputDeviceInfo.prototype.getCapabilities = () => ({ facingMode: ways[turn++ % 2] });
window.asked = [];
MediaDevices.prototype.getUserMedia = function (given) {
  asked.push(given.video.facingMode);
  return open.call(this, given);
};
"""
"""A first camera that faces the person and a second that faces nowhere, or as `ways` says."""
LATE = """
const open = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = async function (given) {
  const stream = await open.call(this, given);
  [window.track] = stream.getTracks();
  await new Promise((go) => { window.allow = async () => { go(); }; });
  return stream;
};
Object.defineProperty(document, "hidden", { value: true, configurable: true });
"""
"""A person who leaves the page, then allows the camera."""


@contextmanager
def opened(folder: Path, *flags: str, phone: bool = False) -> Iterator[Page]:
    with chromium(*flags, phone=phone) as driver:
        yield Page(driver, web_page.write(folder, web_page.facts())).open()


def test_a_camera_that_is_denied_is_told(tmp_path: Path) -> None:
    with opened(tmp_path, "--use-fake-ui-for-media-stream=deny") as page:
        assert page.told(lambda: page.click("camera")).startswith("The camera was not allowed")


def test_a_browser_without_cameras_is_told_of(tmp_path: Path) -> None:
    with opened(tmp_path, "--use-fake-device-for-media-stream=device-count=0") as page:
        assert page.told(lambda: page.click("camera")).startswith("No camera was found")


def test_the_other_camera_can_be_taken_and_the_first_again(tmp_path: Path) -> None:
    with opened(tmp_path, *TWO) as page:
        page.answered(lambda: page.click("camera"))
        page.wait(lambda: page.visible("flip"), "the other camera is not offered")
        cameras = [page.run(CAMERA)]
        for _ in range(2):
            page.answered(lambda: page.click("flip"))
            page.wait(lambda: page.run(CAMERA) != cameras[-1], "the camera is the same")
            cameras.append(page.run(CAMERA))
        assert cameras[0] == cameras[2] != cameras[1]


def test_a_camera_that_faces_nowhere_is_reached_beside_one_that_faces_the_person(tmp_path: Path) -> None:
    with opened(tmp_path, *TWO) as page:
        page.run(f"(() => {{ {FACING} }})()")
        page.answered(lambda: page.click("camera"))
        page.wait(lambda: page.visible("flip"), "the other camera is not offered")
        first = page.run(CAMERA)
        page.answered(lambda: page.click("flip"))
        page.wait(lambda: page.run(CAMERA) != first, "the camera is the same")


def test_phones_turn_from_one_side_to_the_other(tmp_path: Path) -> None:
    with opened(tmp_path, *TWO) as page:
        page.run(f"(() => {{ window.ways = [['environment'], ['user']]; {FACING} }})()")
        page.answered(lambda: page.click("camera"))
        page.wait(lambda: page.visible("flip"), "the other camera is not offered")
        page.answered(lambda: page.click("flip"))
        page.wait(
            lambda: page.run("window.asked.at(-1)") == {"ideal": "environment"}, "the other side is not asked for"
        )


def test_a_camera_that_is_allowed_after_the_page_was_left_is_not_started(tmp_path: Path) -> None:
    with opened(tmp_path) as page:
        page.run(f"(() => {{ {LATE} }})()")
        page.click("camera")
        page.wait(lambda: page.run("Boolean(window.allow)"), "the camera is not asked for")
        assert "hidden" in page.told(lambda: page.run("void window.allow()"))
        assert page.run("window.track.readyState") == "ended"
        assert page.run("document.getElementById('video').srcObject") is None


def test_one_camera_offers_no_other(tmp_path: Path) -> None:
    with opened(tmp_path) as page:
        page.answered(lambda: page.click("camera"))
        page.wait(lambda: page.count() > 4, "the camera is not watched")
        assert not page.visible("flip")


def test_a_page_that_is_left_lets_the_camera_go(tmp_path: Path) -> None:
    with opened(tmp_path) as page:
        page.answered(lambda: page.click("camera"))
        keep = "void (window.track = document.getElementById('video').srcObject.getTracks()[0])"
        page.run(keep)
        page.run("void dispatchEvent(new PageTransitionEvent('pagehide'))")
        assert page.run("window.track.readyState") == "ended"


def test_a_browser_without_webassembly_is_told_of(tmp_path: Path) -> None:
    with opened(tmp_path, "--js-flags=--jitless") as page:
        assert page.run("typeof WebAssembly") == "undefined"
        assert page.text("message").startswith("WebAssembly is switched off")


def test_phones_can_take_a_photograph(tmp_path: Path) -> None:
    with opened(tmp_path, phone=True) as page:
        assert page.visible("photo")
        assert page.find("photo").get_attribute("capture") == "environment"
        assert page.run("document.documentElement.scrollWidth") == 390


def test_every_control_is_reached_by_keyboard_and_shows_it(tmp_path: Path) -> None:
    with opened(tmp_path) as page:
        page.run("void document.getElementById('tests-list').remove()")
        page.answered(lambda: page.click("camera"))
        page.click("yes")
        outlined = "getComputedStyle(document.activeElement.closest('label') ?? document.activeElement).outlineStyle"
        seen = []
        for _ in range(12):
            page.press_tab()
            seen.append(page.run("document.activeElement.id || document.activeElement.className"))
            assert page.run(outlined) == "solid", seen[-1]
            if seen[-1] == "clear":
                break
        assert seen == [
            *("language", "theme", "files", "camera", "freeze", "yes", "truth", "scroll", "copy", "download", "clear")
        ]
