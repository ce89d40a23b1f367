"""Encodings that nobody wrote down, guessed from a few names."""

from __future__ import annotations

import pytest

from sqz_tf.base.encodings import guess, is_encoding

WORDS = {
    "cp932": ["猫", "犬", "花火", "表示", "りんご"],
    "gb18030": ["苹果", "香蕉", "橙子"],
    "cp949": ["고양이", "개", "정상", "불량"],
    "big5": ["蘋果", "香蕉"],
    "cp866": ["кошка", "собака"],
    "cp1251": ["яблоко", "груша"],
    "cp437": ["Käfer", "Löwe", "été"],
    "cp1252": ["forêt", "été"],
    "cp1250": ["łódka", "żaba", "źrebię"],
    "utf-8": ["猫", "Käfer"],
}


@pytest.mark.parametrize("encoding", WORDS)
def test_a_few_words_tell_their_encoding(encoding: str) -> None:
    raw = [word.encode(encoding) for word in WORDS[encoding]]
    found = guess(raw)
    assert found == encoding
    assert [word.decode(found) for word in raw] == WORDS[encoding]


def test_bytes_that_are_no_text_have_no_encoding_or_any() -> None:
    guess([b"\xff", bytes(range(128, 256)), b""])
    assert guess([]) == "utf-8"


def test_a_character_is_not_cut_where_looking_ends() -> None:
    assert guess([("猫" * 30).encode() + str(number).encode() for number in range(2000)]) == "utf-8"


@pytest.mark.parametrize(("name", "known"), [("cp932", True), ("UTF8", True), ("klingon", False), ("base64", False)])
def test_names_of_encodings(name: str, known: bool) -> None:
    assert is_encoding(name) is known
