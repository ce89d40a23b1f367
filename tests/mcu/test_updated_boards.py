"""Virtual boards take updates, reset and classify with the new model. A micro:bit's flash controller is QEMU's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sqz_tf.base.pixels import to_int8
from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import board, boards
from sqz_tf.deploy.firmware import FirmwareError
from sqz_tf.deploy.update import keys, slots
from sqz_tf.deploy.update.images import RECORD_BYTES, Layout
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.model_file import int8_given
from tests.helpers import compiled_stub
from tests.helpers.int8_networks import squeezenet
from tests.helpers.near_workers import workers_here
from tests.helpers.needs import ROOT, dev_data, require
from tests.helpers.slots import fine_tuned
from tests.helpers.updated_boards import SODIUM, Device, faulty, need_tools, scores, unwell
from tools.bench_update.__main__ import measure
from tools.bench_update.line import picture, update

pytestmark = pytest.mark.device

DIGITS = ROOT / "models" / "digits" / "model_int8.tflite"
SMALL = (16, 16, 3)  # inputs of `squeezenet`
SECTOR_KB = 128  # of the flash that mps2-an386 simulates


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    """Run models in this process."""
    with workers_here():
        yield


@dataclass(frozen=True)
class Models:
    """Files of three networks of one architecture, and pictures as they take them."""

    paths: tuple[Path, ...]
    inputs: np.ndarray
    said: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, first: Path, inputs: np.ndarray, share: float = 0.2) -> Models:
        """Write a network and two that were changed in all layers."""
        model = int8_given(first)
        paths = tuple(folder / f"v{i}.tflite" for i in (1, 2, 3))
        for path, data in zip(paths, (model, fine_tuned(model, 1, share), fine_tuned(model, 2, share)), strict=True):
            path.write_bytes(data)
        return cls(paths, inputs)

    @property
    def asked(self) -> bytes:
        """The messages with all pictures."""
        return b"".join(picture(each.tobytes()) for each in self.inputs)

    def answers(self, version: int, outputs: int = 0) -> list[str]:
        """What is said of them, by TFLite's reference kernels."""
        if (version, outputs) not in self.said:
            self.said[version, outputs] = scores(self.paths[version - 1].read_bytes(), self.inputs, outputs)
        return self.said[version, outputs]


def digits(folder: Path, count: int) -> np.ndarray:
    """Return scans of digits, as the shipped network takes them."""
    from sklearn.datasets import load_digits

    classifier, found = Classifier(DIGITS), []
    for i, pixels in enumerate(load_digits().images[:count]):
        Image.fromarray(np.rint(pixels * 255 / 16).astype(np.uint8)).save(folder / f"{i}.png")
        found.append(classifier.pixels(folder / f"{i}.png"))
    return to_int8(np.stack(found))


@pytest.fixture(scope="module")
def microbit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Device, Models]:
    """A micro:bit for the digits: two slots of 56 KB in its 256 KB of flash."""
    folder = tmp_path_factory.mktemp("microbit")
    layout = Layout(board("microbit").target, "speed", 12 << 10)
    return Device.made(folder, "microbit", DIGITS, 56, layout), Models.of(folder, DIGITS, digits(folder, 10))


def test_a_microbit_goes_from_slot_to_slot_and_back(microbit: tuple[Device, Models]) -> None:
    device, models = microbit
    v1, v2, v3 = map(device.built, models.paths)
    said = device.run(
        models.asked
        + update(device.update(v1, 1))
        + models.asked
        + update(device.update(v2, 2))
        + models.asked
        + update(device.update(v3, 3, v2))
        + models.asked
        + update(device.update(v1, 4, v3))
        + models.asked
    )
    assert said == [
        *["boot ERROR_NONE", *["no scores"] * 10, "update OK"],
        *["slot 0 version 1 confirmed 0", *models.answers(1), "update OK"],
        *["slot 1 version 2 confirmed 0", *models.answers(2), "update OK"],
        *["slot 0 version 3 confirmed 0", *models.answers(3), "update OK"],
        *["slot 1 version 4 confirmed 0", *models.answers(1), "verdict 0"],
    ]
    assert models.answers(1) != models.answers(2) != models.answers(3) != models.answers(1)


def test_what_a_microbit_refuses_leaves_the_model_that_runs(microbit: tuple[Device, Models], tmp_path: Path) -> None:
    device, models = microbit
    v1, v2, v3 = map(device.built, models.paths)
    keys.generate(tmp_path / "stranger.pem")
    (tmp_path / "small.tflite").write_bytes(squeezenet())
    good, small = device.update(v2, 6), device.update(v2, 6, v1)
    refused = {
        "ERROR_KEY": device.update(v2, 6, key=keys.private_key(tmp_path / "stranger.pem")),
        "ERROR_SIGNATURE": good[:60] + bytes([good[60] ^ 4]) + good[61:],
        "ERROR_MODEL": device.update(v2, 6, model="window"),
        "ERROR_NETWORK": device.update(device.built(tmp_path / "small.tflite"), 6),
        "ERROR_VERSION": device.update(v2, 5),
        "ERROR_BASE": device.update(v3, 6, v2),
        "ERROR_FORMAT": b"MZ" + good[2:],
        "ERROR_DAMAGED": small[:3000] + bytes([small[3000] ^ 64]) + small[3001:],
    }
    last = models.inputs[-1].tobytes()
    one = models.answers(1)[-1]
    said = device.run(
        update(device.update(v1, 5))
        + b"".join(update(data) + picture(last) for data in refused.values())
        + update(good[:5000])
        + picture(last)
        + update(small)
        + picture(last)
    )
    assert said == [
        *["boot ERROR_NONE", "update OK", "slot 0 version 5 confirmed 0"],
        *[line for name in refused for line in (f"update {name}", one)],
        *["update ERROR_DAMAGED", one, "update OK"],
        *["slot 1 version 6 confirmed 0", models.answers(2)[-1], "verdict 0"],
    ]


def test_a_model_that_fails_its_test_falls_back_and_is_not_taken_again(microbit: tuple[Device, Models]) -> None:
    device, models = microbit
    v1, v2, v3 = map(device.built, models.paths)
    last = picture(models.inputs[-1].tobytes())
    said = device.run(
        update(device.update(v1, 1))
        + last
        + update(device.update(unwell(v2), 2, v1))
        + last
        + update(device.update(unwell(v2), 2, v1))
        + update(device.update(v3, 3, v1))
        + last
    )
    assert said == [
        *["boot ERROR_NONE", "update OK", "slot 0 version 1 confirmed 0", models.answers(1)[-1], "update OK"],
        *["slot 1 version 2 confirmed 0", "this model does not run"],
        *["slot 0 version 1 confirmed 1", models.answers(1)[-1], "update ERROR_REJECTED", "update OK"],
        *["slot 1 version 3 confirmed 0", models.answers(3)[-1], "verdict 0"],
    ]


def test_a_model_that_ends_in_a_fault_falls_back_after_three_tries(microbit: tuple[Device, Models]) -> None:
    device, models = microbit
    v1, v2, v3 = map(device.built, models.paths)
    last = picture(models.inputs[-1].tobytes())
    said = device.run(
        update(device.update(v1, 1))
        + update(device.update(faulty(v2), 2))
        + last
        + update(device.update(v3, 3, v1))
        + last
    )
    assert said == [
        *["boot ERROR_NONE", "update OK", "slot 0 version 1 confirmed 0", "update OK"],
        *["slot 1 version 2 confirmed 0"] * 3,
        *["slot 0 version 1 confirmed 1", models.answers(1)[-1], "update OK"],
        *["slot 1 version 3 confirmed 0", models.answers(3)[-1], "verdict 0"],
    ]


def test_the_only_model_may_fail_its_test_and_another_is_taken(microbit: tuple[Device, Models]) -> None:
    device, models = microbit
    v1, v2, _ = map(device.built, models.paths)
    last = picture(models.inputs[-1].tobytes())
    said = device.run(update(device.update(unwell(v1), 1)) + last + update(device.update(v2, 2)) + last)
    assert said == [
        *["boot ERROR_NONE", "update OK", "slot 0 version 1 confirmed 0", "this model does not run", "no scores"],
        *["update OK", "slot 1 version 2 confirmed 0", models.answers(2)[-1], "verdict 0"],
    ]


def test_a_model_that_ends_in_a_fault_with_none_to_fall_back_to_waits_for_another(
    microbit: tuple[Device, Models],
) -> None:
    device, models = microbit
    v1, v2, v3 = map(device.built, models.paths)
    last = picture(models.inputs[-1].tobytes())
    said = device.run(
        update(device.update(unwell(v1), 1))
        + update(device.update(faulty(v2), 2))
        + last
        + update(device.update(v3, 3))
        + last
    )
    assert said == [
        *["boot ERROR_NONE", "update OK", "slot 0 version 1 confirmed 0", "this model does not run", "update OK"],
        *["slot 1 version 2 confirmed 0"] * 4,
        *["this model was tried too often", "no scores", "update OK"],
        *["slot 0 version 3 confirmed 0", models.answers(3)[-1], "verdict 0"],
    ]


def to_and_fro(device: Device, models: Models) -> tuple[int, int, int]:
    """Take a board from a network to another and on by a delta; return the bytes of image, update and delta."""
    v1, v2, v3 = map(device.built, models.paths)
    full, small = device.update(v2, 2), device.update(v3, 3, v2)
    outputs = device.layout.classes
    said = device.run(
        update(device.update(v1, 1)) + models.asked + update(full) + models.asked + update(small) + models.asked
    )
    assert said == [
        *["boot ERROR_NONE", "update OK"],
        *["slot 0 version 1 confirmed 0", *models.answers(1, outputs), "update OK"],
        *["slot 1 version 2 confirmed 0", *models.answers(2, outputs), "update OK"],
        *["slot 0 version 3 confirmed 0", *models.answers(3, outputs), "verdict 0"],
    ]
    return len(v2.data), len(full), len(small)


def small_network(folder: Path) -> Path:
    (folder / "first.tflite").write_bytes(squeezenet())
    return folder / "first.tflite"


def test_compressed_weights_in_simulated_sectors_of_an_stm32f405(tmp_path: Path) -> None:
    first = small_network(tmp_path)
    inputs = np.random.default_rng(1).integers(-128, 128, (3, *SMALL), dtype=np.int8)
    layout = Layout("cortex-m4", "flash", None, 9)
    device = Device.made(tmp_path, "mps2-an386", first, SECTOR_KB, layout)
    image, full, small = to_and_fro(device, Models.of(tmp_path, first, inputs))
    assert small < full / 2
    assert full == image + 208


@pytest.mark.slow
def test_imagenet_in_simulated_sectors_of_an_stm32f405(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SQZ_TF_OLD is the int8 network or pack; SQZ_TF_NEW another of its shapes, without it one is made of the old."""
    old, new = os.environ.get("SQZ_TF_OLD", ""), os.environ.get("SQZ_TF_NEW", "")
    require(old, "SQZ_TF_OLD names no network, as a .sqz or an int8 .tflite")
    photographs = sorted((dev_data("imagenet_dev") / "images").iterdir())[::40][:5]
    classifier = Classifier(Path(old))
    models = Models.of(tmp_path, Path(old), to_int8(np.stack([classifier.pixels(each) for each in photographs])), 0.02)
    if new:
        models.paths[1].write_bytes(int8_given(Path(new)))
    layout = Layout("cortex-m4", "flash")
    need_tools()
    largest = max(len(Device(tmp_path, "", tmp_path, layout, None).built(each).data) for each in models.paths)
    slot_kb = -(-(largest + RECORD_BYTES) // 1024 // SECTOR_KB) * SECTOR_KB
    device = Device.made(tmp_path, "mps2-an386", models.paths[0], slot_kb, layout)
    image, full, small = to_and_fro(device, models)
    with capsys.disabled():
        print(f"\nslots of {slot_kb} KB, image {image:,}, full update {full:,}, delta {small:,}")


def test_an_updates_instructions_are_counted_by_part(tmp_path: Path) -> None:
    need_tools()
    models = Models.of(tmp_path, small_network(tmp_path), np.zeros((0, *SMALL), np.int8))
    (tmp_path / "work").mkdir()
    old, new, _ = models.paths
    full, small = measure(old, new, Layout("cortex-m4", "flash"), tmp_path / "work")
    assert full.image_bytes == small.image_bytes == full.update_bytes - 208
    for row in (full, small):
        assert row.instructions == sum(row.parts.values())
        assert 60 < row.parts["SHA-256"] / row.image_bytes < 90
        assert 2 * row.parts["SHA-256"] < row.boot < 3 * row.parts["SHA-256"]  # of both slots
    assert full.parts["SHA-256"] == small.parts["SHA-256"]
    assert full.parts["decoding"] < 5000 < small.parts["decoding"]


# Building it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("stm32f405", {}, "stm32f405.mk sets no CONTROLLER"),
        ("microbit", {"SLOT_KB": ""}, "SLOT_KB= is no size of a slot"),
        ("microbit", {"SLOT_KB": "56.5"}, "SLOT_KB=56.5 is no size of a slot"),
        ("microbit", {"KEY": "abcd"}, "KEY is no public key: expected 64 hex digits"),
        ("microbit", {"SODIUM": ""}, "nothing checks signatures: expected SODIUM=FOLDER"),
        ("microbit", {"SODIUM": "/sodium"}, "SODIUM=/sodium holds no sources of libsodium"),
        ("microbit", {"FIRMWARE": "updates"}, "FIRMWARE=updates is not one of: classify update"),
    ],
)
def test_what_cannot_be_built_is_said(
    microbit: tuple[Device, Models], tmp_path: Path, name: str, changed: dict[str, str], said: str
) -> None:
    words = {"FIRMWARE": "update", "SLOT_KB": "56", "KEY": "ab" * 32, "SODIUM": str(SODIUM), **changed}
    with pytest.raises(FirmwareError, match=said):
        firmware.build(name, microbit[0].folder / "c", tmp_path, more=[f"{key}={each}" for key, each in words.items()])


def test_a_program_without_slots_is_not_updated(tmp_path: Path) -> None:
    need_tools()
    words = ["FIRMWARE=update", "SLOT_KB=56", f"KEY={'ab' * 32}", f"SODIUM={SODIUM}"]
    with pytest.raises(FirmwareError, match="compile it with --weights slot"):
        firmware.build("microbit", compiled_stub.write(tmp_path / "c"), tmp_path / "out", more=words)


def test_slots_leave_the_program_what_is_before_them(microbit: tuple[Device, Models], tmp_path: Path) -> None:
    words = ["FIRMWARE=update", "SLOT_KB=110", f"KEY={'ab' * 32}", f"SODIUM={SODIUM}"]
    with pytest.raises(FirmwareError, match=r"will not fit in region `FLASH'"):
        firmware.build("microbit", microbit[0].folder / "c", tmp_path, more=words)


# Sectors ----------------------------------------------------------------------------------------------------------


def test_the_sectors_of_a_board_are_its_flash() -> None:
    told = {name: each for name, each in boards().items() if each.sectors}
    assert len(told) > 15
    for name, each in told.items():
        assert sum(each.sector_bytes) == each.flash_bytes, name


def test_slots_are_whole_sectors_at_the_end() -> None:
    f405, f411 = board("stm32f405"), board("nucleo-f411re")
    assert slots.smallest(f405, 393_216 - RECORD_BYTES) == slots.Slots(393_216, (0x40000, 0xA0000))
    assert slots.smallest(f405, 393_216) is None  # the next would be all of its flash
    assert [each.bytes for each in slots.possible(f411)] == [131_072]  # three of 128 KB: no two pairs
    found = slots.smallest(board("microbit"), 53_984)
    assert found == slots.Slots(54_272, (262_144 - 2 * 54_272, 262_144 - 54_272))


def test_what_is_said_of_slots() -> None:
    f405 = board("stm32f405")
    assert "two slots of 384 KB hold it, 0x40000 and 0xa0000" in slots.told(f405, 388_144)
    assert "before them are 256 KB for the program" in slots.told(f405, 388_144)
    assert slots.told(f405, 406_148) == "stm32f405's own flash has no two slots of 406,436 bytes"
    wrong = slots.told(f405, 9, 200 << 10)
    assert wrong == "200 KB are no whole sectors at the end of stm32f405's own flash; 128 KB are"
    assert slots.told(board("mps2-an386"), 9) == ""
