"""Debian's Chromium, without a window, for tests of pages."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.needs import require

PATIENCE = 20  # seconds until a page that does nothing is taken for dead


@contextmanager
def chromium(*flags: str, language: str = "en", phone: bool = False) -> Iterator[Any]:
    """Start a browser with a fake camera, which is allowed; skip where there is none.

    Args:
      flags: more of Chromium's.
      language: of the person.
      phone: whether the screen is touched, and of a phone's size.

    Yields:
      Selenium's driver.
    """
    require(shutil.which("chromium") and shutil.which("chromedriver"), "chromium and chromium-driver are not installed")
    try:
        from selenium import webdriver
    except ImportError:
        require(False, "selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    own = ("--headless=new", "--disable-dev-shm-usage", "--window-size=1280,900", *(["--no-sandbox"] * _is_root()))
    for flag in (*own, *fake, *flags):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    if phone:
        metrics = {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.set_script_timeout(PATIENCE)
        yield driver
    finally:
        driver.quit()


def _is_root() -> bool:
    """Say whether Chromium's sandbox would refuse to start."""
    return os.geteuid() == 0


def until(driver: Any, holds: Callable[[], Any], what: str) -> Any:
    """Return what `holds` returns as soon as that is true; fail with `what` if it never is."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, PATIENCE, 0.02).until(lambda _: holds(), what)


def base64_of(data: bytes) -> str:
    """Return bytes as a script takes them."""
    return base64.b64encode(data).decode()


def write_y4m(path: Path, frames: list[tuple[int, int, int]], width: int = 320, height: int = 240) -> Path:
    """Write a film of even frames, each given as (Y, U, V), which Chromium's fake camera plays again and again."""
    header = f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420mpeg2\n".encode()
    quarter = width * height // 4
    parts = (
        b"FRAME\n" + bytes([y]) * width * height + bytes([u]) * quarter + bytes([v]) * quarter for y, u, v in frames
    )
    path.write_bytes(header + b"".join(parts))
    return path
