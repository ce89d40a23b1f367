"""How the tests are spread over workers: a module each, and the longest first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

LONGEST = (
    "killed",
    "powers of two",
    "test_export_weights",
    "new head",
    "test_export",
    "test_app",
    "test_calibrate",
    "test_firmware",
    "test_fit",
    "test_prune",
    "test_fast_convolutions",
    "test_verdict",
)
"""Groups in the order in which they start, the others behind them; a group is a mark `xdist_group` or a module."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a module's tests in one worker, since they share what they make, and start with what takes longest."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    if not config.pluginmanager.has_plugin("randomly"):
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group")
    name = group.args[0] if group else ""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.fixture(scope="module")
def unoptimized() -> Iterator[None]:
    """Leave TensorFlow's graphs as they are: optimizing them takes longer than a few steps on a small network."""
    from sqz_tf.train.keras import tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
