"""Accuracy, its intervals and the paired comparison, against scipy and by exact enumeration."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from sqz_tf.base.errors import DataError
from sqz_tf.base.stats import accuracy, confusion, mcnemar_exact, paired_drop, top_k_correct, wilson_interval

INT8_SCORES = hnp.arrays(np.int8, st.tuples(st.integers(1, 6), st.integers(1, 9)))


@given(INT8_SCORES, st.integers(1, 10), st.randoms(use_true_random=False))
def test_top_k_is_a_stable_sort_of_the_widened_scores(scores, k, random):
    labels = np.array([random.randrange(scores.shape[1]) for _ in scores])
    order = np.argsort(-scores.astype(np.int64), axis=1, kind="stable")[:, :k]
    assert top_k_correct(scores, labels, k).tolist() == [label in row for label, row in zip(labels, order, strict=True)]


def test_the_lowest_int8_score_is_not_the_best():
    scores = np.array([[-128, 3, 5]], np.int8)  # -(-128) is -128 in int8
    assert top_k_correct(scores, np.array([2]), 1).tolist() == [True]
    assert top_k_correct(scores, np.array([0]), 2).tolist() == [False]


def test_of_equal_scores_the_lower_index_wins():
    scores = np.zeros((3, 3), np.int8)
    assert top_k_correct(scores, np.array([0, 1, 2]), 1).tolist() == [True, False, False]
    assert top_k_correct(scores, np.array([0, 1, 2]), 2).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("scores", "labels", "k"),
    [
        (np.zeros((2, 3)), np.array([0]), 1),
        (np.zeros(3), np.array([0, 1, 2]), 1),
        (np.zeros((1, 3)), np.array([3]), 1),
        (np.zeros((1, 3)), np.array([-1]), 1),
        (np.zeros((1, 3)), np.array([0.0]), 1),
        (np.zeros((1, 3)), np.array([0]), 0),
        (np.array([[0.1, math.nan]]), np.array([0]), 1),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores, labels, k):
    with pytest.raises(DataError):
        top_k_correct(scores, labels, k)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 450), (450, 450), (7, 10), (443, 450), (258, 400)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_interval_is_scipys(successes, n, confidence):
    expected = scipy_stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_interval_at_the_ends():
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(20, 20)[1] == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)
    for successes, n in ((5, 4), (-1, 4)):
        with pytest.raises(DataError):
            wilson_interval(successes, n)
    with pytest.raises(DataError):
        wilson_interval(1, 4, confidence=1.0)


def test_accuracy_counts_top1_and_top5():
    scores = np.eye(8)[[0, 1, 2, 3]] + np.linspace(0, 0.5, 8)
    result = accuracy(scores, np.array([0, 1, 7, 4]))
    # Pictures 3 and 4 put classes 2 and 3 first; 7 and 4 come second and fifth behind them.
    assert (result.top1, result.top5, result.n) == (0.5, 1.0, 4)
    assert result.interval == wilson_interval(2, 4)
    with pytest.raises(DataError):
        accuracy(np.zeros((0, 3)), np.zeros(0, int))


def test_confusion_has_labels_in_rows():
    scores = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]], np.int8)
    assert confusion(scores, np.array([0, 0, 1, 2])).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (0, 5), (9, 2), (10, 10), (60, 31), (400, 300)])
def test_mcnemar_is_the_exact_binomial_test(lost, gained):
    expected = scipy_stats.binomtest(lost, lost + gained, 0.5).pvalue if lost + gained else 1.0
    assert mcnemar_exact(lost, gained) == pytest.approx(expected, rel=1e-9)


def pair(lost: int, gained: int, both: int, neither: int = 0) -> tuple[np.ndarray, np.ndarray]:
    reference = [True] * lost + [False] * gained + [True] * both + [False] * neither
    candidate = [False] * lost + [True] * gained + [True] * both + [False] * neither
    return np.array(reference), np.array(candidate)


def test_paired_drop_counts_and_signs():
    result = paired_drop(*pair(lost=9, gained=2, both=80, neither=9))
    assert (result.lost, result.gained, result.n) == (9, 2, 100)
    assert result.drop_pp == pytest.approx(7.0)
    # Bonett and Price: p = 10/102, q = 3/102, half = 1.95996 * sqrt((13/102 - (7/102)**2) / 102) = 0.06799.
    assert result.interval_pp == pytest.approx((0.0638, 13.6617), abs=1e-3)
    better = paired_drop(*pair(lost=2, gained=9, both=80, neither=9))
    assert better.drop_pp == pytest.approx(-7.0)
    assert better.interval_pp == pytest.approx((-result.interval_pp[1], -result.interval_pp[0]))


def test_an_unchanged_candidate_still_has_an_interval():
    low, high = paired_drop(*pair(lost=0, gained=0, both=450)).interval_pp
    assert low == pytest.approx(-high)
    assert 0.3 < high < 1.0


@pytest.mark.parametrize(("p_lost", "p_gained"), [(0.01, 0.01), (0.03, 0.01), (0.08, 0.02), (0.2, 0.1), (0.02, 0.0)])
def test_the_interval_covers_the_true_drop(p_lost, p_gained):
    n, truth, covered = 40, 100 * (p_lost - p_gained), 0.0
    cells = np.array([(lost, gained, n - lost - gained) for lost in range(n + 1) for gained in range(n + 1 - lost)])
    law = scipy_stats.multinomial(n, [p_lost, p_gained, 1 - p_lost - p_gained]).pmf(cells)
    for cell, probability in zip(cells.tolist(), law, strict=True):
        if probability > 1e-7:
            low, high = paired_drop(*pair(*cell)).interval_pp
            covered += probability * (low <= truth <= high)
    assert covered >= 0.935


@pytest.mark.parametrize("shapes", [((0,), (0,)), ((3,), (2,)), ((2, 2), (2, 2))])
def test_results_that_cannot_be_paired_are_refused(shapes):
    with pytest.raises(DataError):
        paired_drop(np.ones(shapes[0], bool), np.ones(shapes[1], bool))


def test_stats_needs_numpy_alone():
    code = "import sys, sqz_tf.base.stats; sys.exit(len({'scipy', 'tensorflow', 'PIL'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
