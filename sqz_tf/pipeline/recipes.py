"""How much is spent on training. No TensorFlow, so that `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How much is spent on training; measured on CIFAR-10 (docs/results.md).

    Attributes:
      about: one line for `--help`.
      longer: times the epochs of the quick recipe.
      bypass: around the Fire modules, where no weights are given.
      dropout: before the last layer.
      photo: augmentation of photographs.
      averaging: epochs that the moving average of the weights spans.
      mix: alpha of mix-up.
      teacher_share: of what is learnt, where a teacher is given.
    """

    about: str
    longer: int = 1
    bypass: str = "none"
    dropout: float = 0.2
    learning_rate: float = 1e-2
    weight_decay: float = 1e-4
    photo: str = "photo"
    averaging: float = 3.0
    mix: float = 0.0
    teacher_share: float = 0.5


QUICK = "quick"  # unless another is asked for
RECIPES = {
    QUICK: Recipe("minutes"),
    "thorough": Recipe(
        "hours: four times the epochs, simple bypass, stronger augmentation, averaged weights",
        longer=4,
        bypass="simple",
        dropout=0.0,
        learning_rate=2e-2,
        weight_decay=1e-2,
        photo="photo-strong",
    ),
}
