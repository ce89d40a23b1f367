"""How the tests are spread over workers: a module each, long tests alone, and the longest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import settings

try:
    from xdist.scheduler import LoadFileScheduling
except ImportError:  # without workers there is nothing to spread
    LoadFileScheduling = object

# Each run draws the same examples: what fails is a change of the code. `make test-slow` draws new ones, as test-random.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

LONGEST = (
    "test_powers_of_two_from_pictures_to_verdict",
    "test_export_weights.py",
    "test_a_killed_and_resumed_run_gives_the_same_bytes",
    "test_export.py",
    "test_app.py",
    "test_other_classes_get_a_new_head",
    "test_calibrate.py",
    "test_verdict.py",
    "test_firmware.py",
    "test_export_refusals.py",
    "test_fit.py",
    "test_prune.py",
    "test_fast_convolutions.py",
)
"""What starts first, in this order: modules, and tests that need not run where the rest of their module runs."""


class Spread(LoadFileScheduling):  # type: ignore[misc, valid-type]
    """Keep a module's tests in one worker, since they share what they make, but for those that are named above."""

    def _split_scope(self, nodeid: str) -> str:
        return part(nodeid)


def part(nodeid: str) -> str:
    """Return what is given to a worker as a whole: the test's file, or the test."""
    file, _, test = nodeid.partition("::")
    return test.partition("[")[0] if test.partition("[")[0] in LONGEST else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what spreads the tests; any other `--dist` than `loadfile` is left alone."""
    return Spread(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start with what takes longest, unless the order is to be random."""
    if not config.pluginmanager.has_plugin("randomly"):
        items.sort(key=lambda item: rank(part(item.nodeid)))


def rank(name: str) -> int:
    """Return the place of a part in the order."""
    name = PurePosixPath(name).name
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.fixture(scope="module")
def unoptimized() -> Iterator[None]:
    """Leave TensorFlow's graphs as they are: optimizing them takes longer than a few steps on a small network."""
    from sqz_tf.train.keras import tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
