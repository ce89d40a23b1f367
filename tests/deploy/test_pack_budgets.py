"""Budgets for packs: those of boards that are too small, and none larger than its board."""

from __future__ import annotations

from sqz_tf.deploy.boards import boards
from sqz_tf.deploy.pack_budgets import pack_budgets


def test_only_boards_that_are_too_small_get_a_budget() -> None:
    found = pack_budgets(1_300_000)
    assert "nucleo-f411re" in found
    assert "teensy-4.1" not in found
    assert all(1000 * kilobytes < boards()[name].flash_bytes for name, kilobytes in found.items())
    assert pack_budgets(20_000) == {}
