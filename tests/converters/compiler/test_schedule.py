"""Rows wait as long as they must and no longer."""

from __future__ import annotations

from converters.compiler.middle.schedule import schedule
from tests.helpers.compiled_networks import program_of
from tests.helpers.int8_networks import Map, Net


def test_a_fire_module_keeps_three_squeezed_rows_and_no_concatenated_one() -> None:
    timed = schedule(program_of(lambda n: n.conv(n.fire(n.input(9, 5, 2), 3, 5), 2, (1, 1))))
    rings = [(life.ring_rows, life.transient) for life in timed.lives]
    assert rings == [(1, True), (3, False), (1, True), (9, False)]
    assert timed.lag == (0, 1, 0, 0), "the 1x1 expansion waits a row for the 3x3"
    assert timed.steps == 10, "the row below the image takes one more step"


def test_a_bypass_keeps_the_rows_that_wait() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(9, 5, 2), 10, (1, 1))
        return n.mean(n.add(x, n.fire(x, 3, 5)))

    timed = schedule(program_of(build))
    assert [life.ring_rows for life in timed.lives[:4]] == [1, 2, 3, 1]


def test_a_pad_that_is_an_operator_makes_rows_before_the_first_comes() -> None:
    timed = schedule(program_of(lambda n: n.softmax(n.pad(n.requantize(n.input(4, 4, 1), 0.1, 3), top=2))))
    assert timed.fires_in[1].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert timed.lives[1].ring_rows == 3


def test_the_order_of_branches_does_not_matter() -> None:
    def build(n: Net) -> Map:
        x = n.conv(n.input(9, 5, 2), 3, (1, 1))
        a = n.conv(x, 5)
        return n.mean(n.concat([a, n.conv(x, 5, (1, 1), out=(a.scale, a.zero_point))]))

    timed = schedule(program_of(build))
    assert (timed.lag, timed.lives[2].transient, timed.lives[2].last_producer) == ((0, 0, 1, 0), True, 2)


def test_a_branch_that_is_last_stays_last_when_others_wait() -> None:
    """Waiting as long as they can, the pools would be later than the convolutions in some rows only."""

    def build(n: Net) -> Map:
        x = n.input(4, 1, 1)
        y = n.conv(n.conv(n.conv(x, 1, (2, 1)), 1, (2, 1)), 1, (2, 1), (2, 2))
        y = n.conv(y, 1, (2, 1), out=(x.scale, x.zero_point))
        return n.mean(n.concat([y, n.pool(x, (2, 1)), n.pool(x, (2, 1))]))

    timed = schedule(program_of(build))
    made = [timed.fires_in[3].tolist(), *(timed.fires_in[i][[1, 3]].tolist() for i in (4, 5))]
    assert made == [[5, 6], [3, 5], [3, 5]]
    assert timed.lives[4].last_producer == 3


def test_branches_that_cannot_keep_step_share_a_ring() -> None:
    """The slices of a row are made in different steps; the one that is always last completes it."""

    def build(n: Net) -> Map:
        x = n.input(2, 3, 2)
        a = n.conv(x, 2, (1, 1))
        return n.mean(n.concat([a, n.conv(n.conv(x, 2), 2, out=(a.scale, a.zero_point))]))

    timed = schedule(program_of(build))
    concatenated = timed.lives[1]
    assert (concatenated.ring_rows, concatenated.transient, concatenated.last_producer) == (2, False, 2)
