"""Encodings that nobody wrote down, guessed from a few names."""

from __future__ import annotations

import pytest

from sqz_tf.base.encodings import Guess, guess, is_encoding

NAMES = {
    "cp932": "猫 犬 花火 表示 りんご|ネコ イヌ|自動車 飛行機|桜 梅",
    "gb18030": "苹果 香蕉 橙子|猫 狗|训练 测试|玫瑰 郁金香|合格 不合格|正常 异常",
    "cp949": "고양이 개 정상 불량|사과 바나나|정상 불량|개 고양이",
    "big5": "蘋果 香蕉|貓 狗|玫瑰 鬱金香|訓練 測試",
    "cp866": "кошка собака|Кошка Собака|яблоко груша|КОТ ПЕС|дом",
    "cp1251": "яблоко груша|Кошка Собака",
    "cp437": "Käfer Löwe été|chien éléphant|größer grün_blau",
    "cp850": "piña melón árbol|cão gato pássaro|maçã|leão|rødgrød æble",
    "cp852": "żółw|jabłko śliwka|łódź|dąb świerk|kočka|želva ještěrka|růže tulipán|körte szőlő|tűz víz|pisică câine",
    "cp857": "kuş köpek|ağaç çiçek|sıçan eşek|kırmızı yeşil",
    "cp737": "σκύλος γάτα|μήλο αχλάδι|Γάτα Σκύλος|άλογο",
    "cp862": "כלב חתול|תפוח אגס|סוס פרה|עץ פרח",
    "cp874": "แมว สุนัข|ดอกไม้ ต้นไม้|กุ้ง ปลา",
    "cp720": "قطة كلب|تفاح موز|حصان",
    "cp775": "šuo katė|ąžuolas beržas",
    "cp1250": "łódka żaba źrebię|jabłko śliwka",
    "cp1252": "forêt été|éléphant",
    "cp1253": "σκύλος γάτα",
    "cp1254": "kuş ağaç",
    "cp1256": "قطة كلب",
    "utf-8": "猫 Käfer",
}
"""Names of folders as a zip file has them, several zip files in turn."""
DOUBTFUL = {
    "cp932": "ｶﾆ ｴﾋﾞ|ﾈｺ ｲﾇ",
    "cp949": "꽃 나무",
    "cp852": "hruška|őz",
    "cp857": "İnek",
    "cp737": "ΓΑΤΑ ΣΚΥΛΟΣ",
    "cp874": "หมา แมว",
    "cp775": "kaķis",
    "cp1250": "żółw",
    "cp1255": "כלב חתול",
}
"""Names that are as likely words in another encoding."""
SIGNS = (
    "Women’s shoes|Men’s shoes;25 °C|30 °C;25°C;n°1;5 €|10 €;100 µm;dog – small;½ cup;±3 mm;“good”|“bad”;L’été;Lego®;m²"
)
TABLES = {
    "cp1252": f"São Paulo|Rio;Müller’s;Ä;Ølstykke;naïve;não|sim;{SIGNS}",
    "cp1250": "jabłko|śliwka;pes – malý;růže|tulipán",
    "cp1251": "дом;да|нет;Кошка|Собака;кошка – малая",
    "cp1253": "ναι|όχι",
    "cp932": "猫|犬;天;土;A地",
    "gb18030": "猫|狗;北",
    "big5": "貓|狗",
    "cp850": "piña|melón|árbol",
    "cp866": "Кошка|Собака",
}
"""Cells of tables, several tables in turn."""


def rows(names: dict[str, str]) -> list[tuple[str, list[str]]]:
    return [(encoding, each.split()) for encoding, line in names.items() for each in line.split("|")]


@pytest.mark.parametrize(("encoding", "words"), rows(NAMES))
def test_a_few_words_tell_their_encoding(encoding: str, words: list[str]) -> None:
    raw = [word.encode(encoding) for word in words]
    found = guess(raw)
    assert found is not None
    assert [word.decode(found.encoding) for word in raw] == words


@pytest.mark.parametrize(("encoding", "words"), rows(DOUBTFUL))
def test_what_else_doubtful_words_may_be_is_named(encoding: str, words: list[str]) -> None:
    found = guess([word.encode(encoding) for word in words])
    assert found is not None
    assert encoding in (found.encoding, *found.others)
    assert len(found.others) <= 4


@pytest.mark.parametrize(
    ("encoding", "cells"),
    [(encoding, each.split("|")) for encoding, all_ in TABLES.items() for each in all_.split(";")],
)
def test_cells_are_read_as_windows_writes_them(encoding: str, cells: list[str]) -> None:
    raw = [cell.encode(encoding) for cell in cells]
    found = guess(raw, windows=True)
    assert found is not None
    assert [cell.decode(found.encoding) for cell in raw] == cells


@pytest.mark.parametrize("names", [each.split("|") for each in SIGNS.split(";")])
def test_names_with_signs_may_be_of_windows(names: list[str]) -> None:
    raw = [name.encode("cp1252") for name in names]
    found = guess(raw)
    assert found is not None
    assert "cp1252" in (found.encoding, *found.others)


def test_the_whole_of_a_long_text_is_looked_at() -> None:
    words = [f"a{number:05}".encode() for number in range(20_000)]
    found = guess([*words, *(f"größer {number}".encode("cp1252") for number in range(9000))], windows=True)
    assert found == Guess("cp1252")


def test_bytes_that_are_no_text_have_no_encoding_or_any() -> None:
    guess([b"\xff", bytes(range(128, 256)), b""])
    assert guess([]) == Guess("utf-8")


def test_a_character_is_not_cut_where_looking_ends() -> None:
    assert guess([("猫" * 30).encode() + str(number).encode() for number in range(2000)]) == Guess("utf-8")


@pytest.mark.parametrize(("name", "known"), [("cp932", True), ("UTF8", True), ("klingon", False), ("base64", False)])
def test_names_of_encodings(name: str, known: bool) -> None:
    assert is_encoding(name) is known
