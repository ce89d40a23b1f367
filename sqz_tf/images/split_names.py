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
_FOREIGN = re.compile(
    "entrenamiento|prueba|validaci[oó]n|entra[iî]nement|apprentissage|essai|treino|treinamento|teste|valida[cç][aã]o|"
    "addestramento|validazione|training.*|pr[uü]f.*|validierung.*|lern.*|egitim|eğitim|doğrulama|trening.*|uczenie|"
    "обучени.*|обучающ.*|тренировочн.*|тест.*|валидаци.*|проверочн.*|.*(训练|測試|测试|验证|訓練|驗證|学習|検証|テスト|"
    "학습|훈련|시험|테스트|검증).*"
)
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


def may_be_split(name: str) -> bool:
    """Tell whether a name has a word for a split in some other language: a reason to ask, not to take it for one.

    >>> may_be_split("Entrenamiento"), may_be_split("测试集"), may_be_split("cat")
    (True, True, False)
    """
    return any(_FOREIGN.fullmatch(word) for word in _words(name))


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
            raise ConfigError(
                f"--splits has {part!r}",
                expected="none, or train=FOLDER,validation=FOLDER,test=FOLDER with one or more of them",
            )
    return said


def folded(name: str) -> str:
    """Return a name without case and in one form of Unicode."""
    return unicodedata.normalize("NFC", name).casefold()


def shown(names: Iterable[str], most: int = 3) -> str:
    """Return the first few names in order."""
    return some(sorted(names), most=most)
