"""A device takes updates and loses power: what runs is a whole model, the old one or the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.compiled_on_host import SANITIZERS
from tests.helpers.int8_networks import squeezenet
from tests.helpers.slots import fine_tuned
from tests.helpers.updates import Updates, built, device, simulated

SECTORS = {"four pages": "1024x4", "two sectors": "4096,8192", "one sector": "8192"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device(tmp_path_factory.mktemp("device"), "-O1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Updates:
    old, new = built(squeezenet()), built(fine_tuned(squeezenet(), 1))
    return Updates.of(tmp_path_factory.mktemp("updates"), old, new)


@pytest.mark.parametrize("body", ["full", "delta"])
def test_an_update_in_chunks_of_any_size_is_taken(program: Path, made: Updates, body: str) -> None:
    for chunk in (1, 7, 208, 0, 1 << 16):
        assert simulated(program, 8, "1024x4", made.old, getattr(made, body), "feed", chunk) == ["OK new 4"]


def test_a_model_that_does_not_confirm_itself_falls_back(program: Path, made: Updates) -> None:
    assert simulated(program, 4, "1024x4", made.old, made.delta, "bad", 4) == [
        "OK new 4",
        "ERROR_TRIAL",
        "1000 confirmed 1",
    ]


@pytest.mark.parametrize("sectors", SECTORS.values(), ids=SECTORS)
@pytest.mark.parametrize("body", ["full", "delta"])
def test_power_may_fail_in_every_operation(program: Path, made: Updates, body: str, sectors: str) -> None:
    (line,) = simulated(program, 8, sectors, made.old, getattr(made, body), "cuts", 1, 1, 4)
    cuts, _, again, *_ = line.split()
    assert cuts == again
    assert int(cuts) > 250


@pytest.mark.slow
@pytest.mark.parametrize("word", [4, 8, 16, 32])
@pytest.mark.parametrize("body", ["full", "delta"])
def test_power_may_fail_again_when_the_update_is_sent_again(program: Path, made: Updates, body: str, word: int) -> None:
    (line,) = simulated(program, word, "1024x3", made.old, getattr(made, body), "cuts", 1, 2, 4)
    assert int(line.split()[0]) > 80_000


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("body", ["full", "delta"])
def test_damaged_updates_leave_the_running_model_alone(tmp_path: Path, made: Updates, body: str) -> None:
    program = device(tmp_path, "-O1", "-g", *SANITIZERS)
    (line,) = simulated(program, 8, "1024x4", made.old, getattr(made, body), "mutate", 2000, 1)
    assert int(line.split()[0]) > 1900
