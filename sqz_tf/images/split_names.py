"""Which folders are splits by their names: words for train, validation and test, and what people put around them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.text import some

SPLITS = ("train", "validation", "test")
"""The splits that folders, or a column of labels.csv, may give."""
UNLABELLED = "unlabelled"
"""What pictures to predict on are taken for: left out."""
PLAIN = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names that leave no doubt."""
_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "devel"), "validation"),
    **dict.fromkeys(("test", "tests", "testing", "tst", "holdout"), "test"),
    **dict.fromkeys(("eval", "evaluation"), "eval"),
    **dict.fromkeys(("pred", "predict", "prediction", "predictions", "unlabelled", "unlabeled"), UNLABELLED),
}
_JOINED = re.compile(
    f"({'|'.join(sorted(_WORDS, key=len, reverse=True))})"
    "(sets?|datas?|dataset|data_?set|images?|imgs?|pics?|pictures?|photos?|dir|folder|split|samples?|files?)"
)
_BEFORE = "datos|dados|dati|donn[ée]es|im[áa]genes|imagens|immagini|images|conjunto|insieme|ensemble|jeu"
_BEHIND = (
    "s?(?:daten|bilder|satz|datensatz|set|menge)|выборка|данные|набор|множество|изображения|"
    "[集组組]|数据集?|數據集|資料集?|图片|图像|圖片|样本|用?データ|用?画像|セット|용?데이터|데이터셋|셋|세트|이미지"
)
_FOREIGN = {
    "train": "entrenamiento|entra[îi]nement|apprentissage|treino|treinamento|addestramento|trainings?|lern|e[ğg]itim|"
    "trening|treningow[yae]|uczenie|ucz[ąa]c[yae]|обучени[ея]|обучающ(?:ая|ий|ее|ие)|трениров(?:ка|очн(?:ая|ый|ое|ые))|"
    "训练|訓練|学習|學習|학습|훈련",
    "validation": "validaci[óo]n|valida[çc][ãa]o|validazione|validierungs?|walidacja|walidacyjn[yae]|do[ğg]rulama|"
    "валидаци(?:я|онн(?:ая|ый|ое|ые))|проверочн(?:ая|ый|ое|ые)|验证|驗證|検証|검증",
    "test": "pruebas?|essais?|testes?|pr[üu]f(?:ung)?s?|testow[yae]|"
    "тесты?|тестов(?:ая|ый|ое|ые)|测试|測試|テスト|시험|테스트",
}
_WHOLE = {
    kind: re.compile(f"(?:(?:{_BEFORE})(?:de|di|d)?)?(?:{words})(?:{_BEHIND})?") for kind, words in _FOREIGN.items()
}
_SLIP = re.compile(r",\s*(\w*\s*=.*|)$")
_NEXT_SPLIT = re.compile(f",(?=\\s*(?:{'|'.join(PLAIN)})\\s*=)", re.IGNORECASE)  # a folder's name may have commas
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def split_of(name: str) -> str | None:
    """Return the split that a folder's name tells: one of SPLITS, `eval`, UNLABELLED, or None.

    >>> split_of("seg_train"), split_of("Test_Data"), split_of("01-valid"), split_of("trainset2"), split_of("strain")
    ('train', 'test', 'validation', 'train', None)
    """
    found = {_WORDS.get(word) or _joined(word) for word in _words(name)} - {None}
    if found == {"train", "validation"}:
        return "train"
    return found.pop() if len(found) == 1 else None


def is_plain(name: str) -> bool:
    """Tell whether a name is a split's and nothing more.

    >>> is_plain("Train"), is_plain("test_set"), is_plain("test tubes"), is_plain("steam train")
    (True, True, False, False)
    """
    word = "".join(_words(name))
    return word in _WORDS or _joined(word) is not None


def foreign_split(name: str) -> str | None:
    """Return the split that a whole name means in some other language: a reason to ask, not to take it for one.

    >>> foreign_split("Entrenamiento"), foreign_split("测试集"), foreign_split("Prüfplakette")
    ('train', 'test', None)
    """
    word = "".join(_words(name))
    return next((kind for kind, words in _WHOLE.items() if words.fullmatch(word)), None)


def _words(name: str) -> list[str]:
    text = _HUMP.sub(" ", unicodedata.normalize("NFKC", name))
    return [word.casefold() for word in re.findall(r"[^\W\d_]+", text)]


def _joined(word: str) -> str | None:
    match = _JOINED.fullmatch(word)
    return _WORDS[match[1]] if match else None


def resolved(kinds: Mapping[str, str]) -> dict[str, str]:
    """Return what each name stands for once all are known: `eval` is test where nothing else is, else validation."""
    evaluation = "validation" if "test" in kinds.values() else "test"
    return {name: evaluation if kind == "eval" else kind for name, kind in kinds.items()}


def unusual(kinds: Mapping[str, str]) -> str:
    """Say which names were taken for which split, but for those that leave no doubt."""
    return ", ".join(f"{name} for {kind}" for name, kind in sorted(kinds.items()) if PLAIN.get(name.lower()) != kind)


def parse_splits(text: str) -> dict[str, str] | None:
    """Read what a person says of the folders on top: `none`, or `train=NAME,test=NAME`; nothing said is None.

    Returns:
      The split of each folder; empty if the folders on top are the classes.

    Raises:
      ConfigError: it is neither.
    """
    if not text:
        return None
    if text.strip().lower() == "none":
        return {}
    said: dict[str, str] = {}
    for part in _NEXT_SPLIT.split(text):
        word, equals, name = part.partition("=")
        split, name = PLAIN.get(word.strip().lower(), ""), name.strip().strip("/")
        if not equals or not split or not name or said.setdefault(name, split) != split:
            raise _no_splits(part)
    return said


def refuse_slips(names: Iterable[str]) -> None:
    """Refuse what looks like a word that is no split, or like a comma too many, in names that no folder has.

    Raises:
      ConfigError: one does, such as `A,tset=B` or `A,`.
    """
    for name in names:
        if slip := _SLIP.search(name):
            raise _no_splits(slip[1])


def _no_splits(part: str) -> ConfigError:
    return ConfigError(
        f"--splits has {part!r}",
        expected="none, or train=FOLDER,validation=FOLDER,test=FOLDER with one or more of them",
    )


def folded(name: str) -> str:
    """Return a name without case and in one form of Unicode."""
    return unicodedata.normalize("NFC", name).casefold()


def shown(names: Iterable[str], most: int = 3) -> str:
    """Return the first few names in order."""
    return some(sorted(names), most=most)
