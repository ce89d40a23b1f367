"""Signed updates of a page, in Node: a device's checks by the page's own script, and its program with another model."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.delta.container import IMAGE
from converters.delta.trust import Trust
from sqz_tf import update
from sqz_tf.base.errors import ConfigError
from sqz_tf.deploy.update import keys
from sqz_tf.deploy.web import toolchain
from sqz_tf.deploy.web.page import Facts, embedded
from sqz_tf.deploy.web.program import Program, build
from sqz_tf.inference import interpreters, model_file
from tests.deploy.web.test_page import Page
from tests.helpers import file_updates, web_page
from tests.helpers.browser import chromium
from tests.helpers.needs import ROOT, require
from tests.helpers.slots import fine_tuned

DIGITS = ROOT / "models" / "digits" / "model_int8.tflite"
NETWORK = bytes(range(32))
ROOM = 4096
SCRIPTS = [str(web_page.PAGE / name) for name in ("engine.js", "update.js")]
WORDS = json.loads(web_page.text("words.json"))["en"]


def trust(**changes: Any) -> dict[str, Any]:
    known = Trust([bytes(32), file_updates.public()], file_updates.PRODUCT, 0).stored
    return {**known, "network": NETWORK.hex(), "room": ROOM} | changes


def asked(folder: Path, **given: Any) -> dict[str, Any]:
    """Return what the page's scripts say in Node."""
    require(shutil.which("node"), "node is not installed")
    (folder / "given.json").write_text(json.dumps({"scripts": SCRIPTS, "updates": {}, **given}), encoding="utf-8")
    words = ["node", str(ROOT / "tests" / "helpers" / "page_updates.mjs"), str(folder / "given.json")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def judged(folder: Path, updates: dict[str, bytes], **given: Any) -> dict[str, Any]:
    for name, data in updates.items():
        (folder / name).write_bytes(data)
    files = {name: str(folder / name) for name in updates}
    told: dict[str, Any] = asked(
        folder, **{"embedded": {"updates": trust()}, "running": None, "updates": files} | given
    )["told"]
    return told


CONTENT, OTHER = b"SQZI" + bytes(300), b"SQZI" + bytes(200)


def installed(content: bytes, version: int) -> dict[str, Any]:
    return {"version": version, "sha256": hashlib.sha256(content).hexdigest()}


def test_each_wrong_one_is_refused_by_the_name_that_a_device_has_for_it(tmp_path: Path) -> None:
    wrong = file_updates.refused(CONTENT, OTHER, IMAGE, NETWORK)
    told = judged(tmp_path, wrong, running=installed(CONTENT, file_updates.INSTALLED))
    assert len(told) > 20
    for name, said in told.items():
        status = name.split("-")[0]
        assert said["detail"].startswith(f"ERROR_{status}: "), (name, said)
        assert said["word"] == f"update{status.capitalize()}"
        assert said["word"] in WORDS


def test_what_was_signed_is_taken_and_the_same_may_come_again(tmp_path: Path) -> None:
    version = file_updates.INSTALLED
    made = {
        str(number): file_updates.made(content, number, kind=IMAGE, network=NETWORK)
        for number, content in ((version, CONTENT), (version + 1, OTHER))
    }
    told = judged(tmp_path, made, running=installed(CONTENT, version))
    assert [each.get("version") for each in told.values()] == [version, version + 1]
    assert told[str(version + 1)] == {"model": file_updates.PRODUCT, "version": 4, "bytes": len(OTHER), "labels": None}
    told = judged(tmp_path, made, embedded={"updates": trust(version=version + 1)})
    assert {each["word"] for each in told.values()} == {"updateVersion"}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"embedded": {"updates": None}}, "updateConfig"),
        ({"without": "crypto"}, "updateInsecure"),
        ({"without": "Ed25519"}, "updateOldBrowser"),
    ],
)
def test_a_page_that_cannot_check_takes_nothing_and_says_why(tmp_path: Path, given: dict[str, Any], word: str) -> None:
    told = judged(tmp_path, {"x.squ": file_updates.made(CONTENT, 4, kind=IMAGE, network=NETWORK)}, **given)
    assert told["x.squ"]["word"] == word
    assert word in WORDS


# In a browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    facts = web_page.facts(updates=trust(version=2))
    with chromium() as driver:
        yield Page(driver, web_page.write(tmp_path_factory.mktemp("page"), facts)).open()


def image(up: int, labels: str = "") -> bytes:
    """Return an image as the stand-in for the network takes it, with labels."""
    text = labels.encode()
    return b"SQZI" + bytes([up]) + bytes(47) + struct.pack("<II", 60 if text else 0, len(text)) + text


GOOD_IS_GONE = """
const read = Blob.prototype.arrayBuffer;
const gone = Promise.reject(new Error("gone"));
Blob.prototype.arrayBuffer = function () { return this.name === "good.png" ? gone : read.call(this); };
gone.catch(() => {});
"""


def drop(page: Page, name: str, data: bytes) -> str:
    """Return what the page says to a file."""
    before = page.text("message")
    page.give("drop", (name, data))
    page.wait(lambda: page.visible("message") and page.text("message") != before, "nothing is said")
    return page.text("message")


@pytest.mark.slow
def test_a_dropped_update_answers_what_is_shown_anew(page: Page) -> None:
    made = partial(file_updates.made, kind=IMAGE, network=NETWORK)
    assert page.text("best") == "7"
    assert drop(page, "a.squ", made(image(1), 4)) == "Version 4 of door-camera runs now, until this page is closed."
    page.wait(lambda: page.text("best") == "8", "the answer is the old model's")
    assert "a.squ" not in page.text("card-rows")
    assert "4, door-camera" in page.text("card-rows")
    assert "b.squ is not newer" in drop(page, "b.squ", made(image(2), 3))
    assert "Another key signed c.squ" in drop(page, "c.squ", made(image(2), 5, key=file_updates.STRANGER))
    assert "fails its own test" in drop(page, "d.squ", made(image(0), 5))
    assert page.text("best") == "8"
    names = "\n".join(["a", "b", "c", "d", "e", "f", "g", "h", "nine", "j"]) + "\n"
    assert "Version 6" in drop(page, "E.SQU", made(image(1, names), 6))
    page.wait(lambda: page.text("best") == "nine", "labels are the old model's")
    page.answered(lambda: page.give("drop", ("good.png", web_page.png(web_page.brightness(20)))))
    assert page.text("best") == "b"
    page.driver.execute_script(GOOD_IS_GONE)
    assert "Version 7" in drop(page, "g.squ", made(image(1), 7))
    page.wait(lambda: page.text("best") not in ("", "b"), f"shown: {page.text('best')!r}")


@pytest.mark.slow
def test_a_page_that_shows_nothing_yet_takes_one(tmp_path: Path) -> None:
    facts = web_page.facts(updates=trust(version=2), tests=[])
    with chromium() as driver:
        page = Page(driver, web_page.write(tmp_path, facts)).open()
        update = file_updates.made(image(1), 4, kind=IMAGE, network=NETWORK)
        assert drop(page, "a.squ", update) == "Version 4 of door-camera runs now, until this page is closed."


@pytest.mark.slow
def test_a_browser_that_cannot_check_says_so(page: Page) -> None:
    page.open(before="Object.defineProperty(crypto, 'subtle', { value: undefined })")
    made = file_updates.made(image(1), 4, kind=IMAGE, network=NETWORK)
    assert "only on https, localhost or in a file" in drop(page, "a.squ", made)
    assert page.text("best") == "7"


# The program --------------------------------------------------------------------------------------------------


@cache
def program() -> Program:
    model = model_file.read(DIGITS)
    try:
        chain = toolchain.find()
    except ConfigError as error:
        require(False, str(error))
        raise
    return build(model.content, model.preprocess, chain, updates=True)


@pytest.mark.slow
def test_an_update_of_the_command_line_runs_in_the_pages_program(tmp_path: Path) -> None:
    model = model_file.read(DIGITS)
    tuned = tmp_path / "tuned.tflite"
    tuned.write_bytes(fine_tuned(model.content, 5))
    assert update.main(["keygen", "--out", str(tmp_path / "release.pem"), "--quiet"]) == 0
    out = tmp_path / "v2.squ"
    given = ("--target", "wasm32", "--version", "2", "--key", str(tmp_path / "release.pem"), "--model", "digits")
    assert update.main(["make", str(tuned), *given, "--out", str(out), "--quiet"]) == 0
    known = Trust([keys.raw(keys.public_key(tmp_path / "release.pem.pub"))], "digits", 1)
    page = embedded(program(), Facts("digits", model.labels, trust=known))
    image = out.read_bytes()[208:]
    (tmp_path / "good").write_bytes(image)
    (tmp_path / "bad").write_bytes(image[:-1000] + bytes(byte ^ 1 for byte in image[-1000:]))
    size = page["input"]["width"] * page["input"]["height"] * page["input"]["channels"]
    grey = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    rgba = np.stack([grey, grey, grey, np.full(size, 255, np.uint8)], 1).ravel().tolist()
    ran = asked(
        tmp_path,
        embedded=page,
        given=rgba,
        updates={"v2.squ": str(out)},
        install=[str(tmp_path / "bad"), str(tmp_path / "good")],
    )
    assert ran["told"]["v2.squ"] == {"model": "digits", "version": 2, "bytes": len(image), "labels": None}
    inputs = (grey ^ 0x80).view(np.int8).reshape(1, page["input"]["height"], page["input"]["width"], -1)
    before, after = (
        interpreters.run(each, inputs, "litert-ref").outputs.ravel().tolist()
        for each in (model.content, tuned.read_bytes())
    )
    assert before != after
    assert [each["scores"] for each in ran["scores"]] == [before, before, after]
    assert [each["problem"] for each in ran["scores"]] == [None, "updateFailed", None]
    assert all(each["probabilities"] for each in ran["scores"])
