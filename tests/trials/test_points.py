"""Points, sweeps and the front."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ModelSpec
from sqz_tf.trials.points import NAMES, SWEEPS, Point, asked, points_of, space
from sqz_tf.trials.rows import front, values
from tests.helpers.explored import BASE, row


def test_a_sweep_takes_values_of_ones_own() -> None:
    name, sweep = asked("width=0.3,0.2,0.3")
    assert (name, sweep.values) == ("width", (0.3, 0.2))
    assert asked("freq=4,8")[1].values == (4, 8)
    assert asked("bypass")[1] is SWEEPS["bypass"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("depth", "--sweep is 'depth'; expected one of squeeze-ratio, pct-3x3"),
        ("width=wide", "has a value that is no float; expected such as width=0.125,0.25"),
        ("freq=2.5", "has a value that is no int"),
        ("width=", "has a value that is no float"),
    ],
)
def test_a_sweep_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        asked(text)


def test_a_sweep_changes_one_field_and_holds_the_papers_others() -> None:
    points = points_of(SWEEPS["pct-3x3"], BASE, ())
    assert {point.squeeze_ratio for point in points} == {0.5}
    assert [point.pct_3x3 for point in points] == [0.01, 0.25, 0.5, 0.75, 0.99]
    assert {replace(point, pct_3x3=0.5) for point in points} == {replace(Point.of(BASE), squeeze_ratio=0.5)}
    given = replace(BASE, squeeze_ratio=0.25)
    assert {point.squeeze_ratio for point in points_of(SWEEPS["pct-3x3"], given, ["squeeze_ratio"])} == {0.25}


@pytest.mark.parametrize("text", ["bypass=all", "width=0.001", "input-size=1", "arch=alexnet"])
def test_a_point_that_is_no_network_is_refused_before_anything_is_done(text: str) -> None:
    with pytest.raises(ConfigError):
        points_of(asked(text)[1], BASE, ())


@pytest.mark.parametrize("size", [32, 48, 128])
def test_everything_that_a_search_may_draw_is_a_network(size: int) -> None:
    base = ModelSpec(input_size=size, channels=1, classes=10)
    choices = space(base, ())
    assert set(choices) == set(NAMES)
    for pick in (0, -1):
        for bypass in choices["bypass"]:
            for freq in choices["freq"]:
                point = Point(
                    **{**{name: each[pick] for name, each in choices.items()}, "bypass": bypass, "freq": freq}
                )
                assert point.network(base).classes == 10


def test_a_search_keeps_to_what_was_given() -> None:
    base = ModelSpec(input_size=48, channels=1, classes=10, arch="squeezenet-1.0", width=0.3, freq=3)
    choices = space(base, ["arch", "width", "freq", "input_size"])
    assert [choices[name] for name in ("arch", "width", "freq", "input_size")] == [
        ("squeezenet-1.0",),
        (0.3,),
        (3,),
        (48,),
    ]
    assert choices["bypass"] == ("none",), "a bypass needs an even freq"
    assert all(len(choices[name]) > 1 for name in ("base_e", "incr_e", "squeeze_ratio", "pct_3x3"))
    around = space(ModelSpec(input_size=48, channels=1, classes=10, bypass="simple"), ["bypass"])
    assert (around["bypass"], around["freq"]) == (("simple",), (2, 4, 8))


def test_the_front_is_what_no_other_beats() -> None:
    small, equal, worse, large, beaten = (
        row(width=width, flash=flash, validation=accuracy)
        for width, flash, accuracy in [(0.1, 10, 0.5), (0.2, 10, 0.5), (0.3, 20, 0.4), (0.4, 30, 0.9), (0.5, 40, 0.9)]
    )
    untrained = replace(row(width=0.6, flash=1, validation=0.0), learnt=None, state="too large")
    assert front([beaten, large, worse, small, equal, untrained]) == [small, large]
    assert front([]) == []


def test_test_pictures_are_told_of_the_front_alone() -> None:
    one = row(width=0.1, flash=10, validation=0.5)
    assert (values(one, True)["test"], values(one, False)["test"]) == (0.45, None)
    assert values(one, False)["validation"] == 0.5
    assert values(one, True)["validation_low"] < 0.5 < values(one, True)["validation_high"]
