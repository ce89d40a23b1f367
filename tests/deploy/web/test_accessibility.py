"""axe-core finds nothing on the page: light and dark, in both languages, on a desktop and a phone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import web_page
from tests.helpers.browser import chromium, until
from tests.helpers.needs import ROOT, require

pytestmark = pytest.mark.slow
CHECK = (
    "const done = arguments[0]; axe.run().then(({violations}) => done(violations), (error) => done([String(error)]));"
)


def axe() -> str:
    """Return axe-core's script, from SQZ_TF_AXE or `build/axe` (`npm install --prefix build/axe axe-core`)."""
    folder = Path(os.environ.get("SQZ_TF_AXE", ROOT / "build" / "axe"))
    found = next(
        (each for each in (folder, folder / "node_modules" / "axe-core") if (each / "axe.min.js").exists()), None
    )
    require(found, f"axe-core is not in {folder}: npm install --prefix build/axe axe-core")
    return (found / "axe.min.js").read_text(encoding="utf-8") if found else ""


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_violation_is_found(tmp_path: Path, language: str, phone: bool) -> None:
    script = axe()
    page = web_page.write(tmp_path, web_page.facts())
    with chromium(language=language, phone=phone) as driver:
        driver.get(page.as_uri())
        until(driver, lambda: driver.execute_script("return document.body.dataset.ready"), "the page is never ready")
        assert driver.execute_script("return document.documentElement.lang") == language
        driver.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
        for state in (show_all, watch, dead_camera, change_theme, show_all, watch):
            state(driver)
            assert summary(driver.execute_async_script(CHECK)) == [], state


def show_all(driver: Any) -> None:
    """Judge a picture from the camera, so that every section is there."""
    driver.execute_script("document.getElementById('camera').click()")
    until(driver, lambda: shows(driver) == "camera", "the camera is not watched")
    driver.execute_script("document.getElementById('yes').click(); document.getElementById('camera').click()")


def watch(driver: Any) -> None:
    driver.execute_script("document.getElementById('camera').click()")
    until(driver, lambda: shows(driver) == "camera", "the camera is not watched")


def dead_camera(driver: Any) -> None:
    """Stop the camera as a browser does whose device is pulled out, so that there is a message."""
    stop = "document.getElementById('video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))"
    driver.execute_script(stop)


def change_theme(driver: Any) -> None:
    driver.execute_script("document.getElementById('theme').click()")


def shows(driver: Any) -> str:
    return str(driver.execute_script("return document.getElementById('finder').dataset.shows"))


def summary(violations: list[Any]) -> list[str]:
    """Return what is wrong and where, a line each."""
    errors = [each for each in violations if isinstance(each, str)]
    found = [each for each in violations if not isinstance(each, str)]
    return errors + [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]
