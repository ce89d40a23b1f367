"""Entropy-constrained rounding: what it promises of integers, steps, bits and loss."""

from __future__ import annotations

import numpy as np
import pytest

from sqz_tf.compress import rounding
from sqz_tf.compress.moments import Moments
from sqz_tf.compress.rate import rate_of
from sqz_tf.compress.rounding import Layer, Rounded, StepGrid

OUTPUTS, WEIGHTS = 12, 40


def moments(seed: int = 3) -> Moments:
    """Return moments in which neighbouring weights go together, as in a picture."""
    samples = np.random.default_rng(seed).standard_normal((400, WEIGHTS + 1)).cumsum(1) / 5
    samples[:, -1] = 1
    outputs = np.linspace(1, 3, OUTPUTS)
    return Moments(samples.T @ samples / 400 + 0.01 * np.eye(WEIGHTS + 1), outputs / outputs.sum())


def layer(grid: StepGrid | None = None, seed: int = 1) -> tuple[Layer, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, bias = rng.laplace(size=(OUTPUTS, WEIGHTS)), rng.standard_normal(OUTPUTS)
    return Layer(rows, bias, moments(), grid or StepGrid()), rows, bias


def loss(found: Rounded, rows: np.ndarray, bias: np.ndarray) -> float:
    """Return what the rounding costs, computed from its definition."""
    errors = np.column_stack([rows - found.integers * found.steps[:, None], bias - found.bias])
    given = moments()
    return float(0.5 * np.einsum("o,oi,ij,oj->", given.outputs, errors, given.inputs, errors))


@pytest.mark.parametrize("price", [1e-6, 1e-4, 1e-2])
def test_the_loss_told_is_that_of_the_definition(price: float) -> None:
    ready, rows, bias = layer()
    found = ready.round(price)
    assert found.loss == pytest.approx(loss(found, rows, bias), rel=1e-6)


def test_a_higher_price_gives_fewer_bits_and_more_loss() -> None:
    ready, _, _ = layer()
    found = [ready.round(price) for price in (1e-7, 1e-5, 1e-3)]
    assert [each.bits for each in found] == sorted((each.bits for each in found), reverse=True)
    assert [each.loss for each in found] == sorted(each.loss for each in found)
    assert np.mean(found[2].integers == 0) > np.mean(found[0].integers == 0)


def test_errors_are_made_good_by_what_is_still_to_come() -> None:
    ready, rows, bias = layer()
    found = ready.round(1e-4)
    nearest = np.clip(np.round(rows / found.steps[:, None]), -127, 127).astype(np.int8)
    plain = Rounded(nearest, found.steps, bias, 0.0, 0.0)
    assert loss(found, rows, bias) < 0.7 * loss(plain, rows, bias)
    assert found.bits < rate_of(nearest).total(nearest)


def test_a_revision_never_costs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    price, costs = 1e-4, []
    for revisions in (0, 1, 4):
        monkeypatch.setattr(rounding, "REVISIONS", revisions)
        ready, _, _ = layer()
        found = ready.round(price)
        costs.append(found.loss + price * found.bits)
    assert costs[2] <= costs[1] * 1.001
    assert costs[1] < costs[0]


def test_steps_lie_on_the_grid_and_no_weight_is_clipped() -> None:
    ready, rows, _ = layer()
    for price in (1e-9, 1e-3):
        steps = ready.round(price).steps
        assert np.allclose(4 * np.log2(steps), np.round(4 * np.log2(steps)))
        assert (np.abs(rows).max(1) <= 127.5 * steps).all()


def test_powers_of_two_stay_such_and_one_scale_stays_one() -> None:
    found = layer(StepGrid(per_octave=1, shared=True))[0].round(1e-4)
    assert len(set(found.steps)) == 1
    assert np.log2(found.steps[0]) == round(np.log2(found.steps[0]))


def test_a_channel_of_zeros_stays_zero() -> None:
    rows = np.zeros((OUTPUTS, WEIGHTS))
    rows[1:] = np.random.default_rng(0).laplace(size=(OUTPUTS - 1, WEIGHTS))
    found = Layer(rows, np.zeros(OUTPUTS), moments(), StepGrid()).round(1e-5)
    assert not found.integers[0].any()
    assert found.bias[0] == 0
    assert np.isfinite(found.steps).all()


def test_the_rate_is_what_a_coder_needs() -> None:
    rng = np.random.default_rng(5)
    integers = np.where(rng.random((64, 64)) < 0.3, rng.integers(-3, 4, (64, 64)), 0)
    bits = rate_of(integers).total(integers)
    counts = np.unique(integers, return_counts=True)[1]
    entropy = -(counts * np.log2(counts / integers.size)).sum()
    assert 0.9 * entropy < bits < 1.05 * entropy
    assert rate_of(integers).total(integers[:, ::-1]) >= bits  # its own columns fit it best
