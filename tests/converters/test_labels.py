"""One rule says which text can be a label: nothing that any reader of labels.txt would see otherwise."""

from __future__ import annotations

import pytest

from converters.labels import alike, fault

BREAKS = [*"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\r\n"]


@pytest.mark.parametrize("label", ["crane", "blue sky", "grün", "犬", "<red>", 'a "b" \\ ??/', "a\tb", "0", "a\ufeffb"])
def test_text_of_one_line_is_legal(label: str) -> None:
    assert fault(label) is None


@pytest.mark.parametrize("character", BREAKS, ids=ascii)
@pytest.mark.parametrize("place", ["{}ab", "a{}b", "ab{}"])
def test_a_line_break_of_any_reader_is_none(character: str, place: str) -> None:
    assert fault(place.format(character)) == "holds a line break"


@pytest.mark.parametrize(
    "label", ["zebra ", " zebra", "zebra\t", "\u00a0zebra", "zebra\u3000", "\ufeffzebra", " \ufeff z"]
)
def test_blanks_around_it_are_not(label: str) -> None:
    assert fault(label) == "has blanks around it"


@pytest.mark.parametrize("label", ["", " ", "\n", "\ufeff", "\u3000\t"])
def test_a_label_of_nothing_is_empty(label: str) -> None:
    assert fault(label) == "is empty"


def test_what_cannot_stand_in_c_or_in_utf_8_is_refused() -> None:
    assert fault("a\0b") == "holds a NUL character"
    assert fault("caf\udce9") == "is not UTF-8"


def test_two_spellings_of_one_name_are_found_and_one_name_twice_is_not() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert alike(["a", composed, "b", decomposed]) == (composed, decomposed)
    assert alike([decomposed, "cafe"]) is None
    assert alike(["crane", "b", "crane"]) is None
