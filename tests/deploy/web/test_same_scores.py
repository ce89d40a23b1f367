"""The page in Chromium against TFLite's reference kernels, byte for byte, from the same decoded pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sqz_tf import web
from sqz_tf.images.decode import decode
from sqz_tf.images.resize import preprocess
from sqz_tf.inference import interpreters, model_file
from tests.deploy.web.test_page import Page
from tests.helpers.browser import chromium
from tests.helpers.needs import ROOT, dev_data, require

DIGITS = ROOT / "models" / "digits" / "model_int8.tflite"
REFERENCE = "litert-ref"
NO_SIMD = "const validate = WebAssembly.validate; WebAssembly.validate = () => false;"
"""What a browser without SIMD says of the module that takes it."""


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as started:
        yield started


def wanted(model: Path, pictures: list[Path]) -> np.ndarray:
    """Return what the reference kernels give, int8 [N, classes]."""
    read = model_file.read(model)
    pixels = np.stack([preprocess(decode(path.read_bytes()), read.preprocess) for path in pictures])
    inputs = (pixels ^ 0x80).view(np.int8)
    return interpreters.run(read.content, inputs, REFERENCE).outputs.reshape(len(pictures), -1)


def shown(page: Page, pictures: list[Path]) -> list[list[int]]:
    found = []
    for picture in pictures:
        page.answered(lambda picture=picture: page.choose(picture))  # type: ignore[misc]
        found.append(page.scores())
    return found


def written(model: Path, folder: Path) -> Path:
    page, alone = folder / "page.html", folder / "alone.tflite"  # without an export's test pictures
    alone.write_bytes(model.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web.facts, "needs", lambda model: [])  # what is linked for three boards
        assert web.main([str(alone), "--out", str(page), "--quiet"]) == 0
    return page


@pytest.fixture(scope="module")
def digits_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(DIGITS, tmp_path_factory.mktemp("page"))


def drawn(folder: Path, count: int) -> list[Path]:
    """Write pictures of odd sizes, grey and in colour."""
    random = np.random.default_rng(1)
    paths = []
    for number in range(count):
        height, width = random.integers(8, 200, 2)
        coarse = random.integers(0, 256, (6, 6, 3)[: 2 + number % 2], np.uint8)
        picture = Image.fromarray(coarse).resize((int(width), int(height)), Image.Resampling.BICUBIC)
        paths.append(folder / f"{number}.png")
        picture.save(paths[-1])
    return paths


@pytest.mark.parametrize("before", ["", NO_SIMD], ids=["simd", "plain"])
def test_twenty_pictures_for_the_digits(driver: Any, digits_page: Path, tmp_path: Path, before: str) -> None:
    pictures = drawn(tmp_path, 20)
    page = Page(driver, digits_page).open(before)
    assert page.text("kernels") == ("plain" if before else "SIMD")
    np.testing.assert_array_equal(shown(page, pictures), wanted(DIGITS, pictures))


@pytest.mark.slow
def test_twenty_photographs_for_imagenet(driver: Any, tmp_path: Path) -> None:
    model = ROOT / "build" / "imagenet" / "model_int8.tflite"
    require(model.exists(), "build/imagenet is not there: make it with `make imagenet`")
    pictures = []
    for number, path in enumerate(sorted((dev_data("imagenet_dev") / "images").iterdir())[::20][:20]):
        pictures.append(tmp_path / f"{number}.png")  # browsers' decoders of JPEG differ by a level or two
        Image.fromarray(decode(path.read_bytes())).save(pictures[-1])
    assert len(pictures) == 20
    page = Page(driver, written(model, tmp_path)).open()
    np.testing.assert_array_equal(shown(page, pictures), wanted(model, pictures))
