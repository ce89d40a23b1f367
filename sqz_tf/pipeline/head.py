"""Whether published weights keep their last layer for the pictures given, or get a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqz_tf.base.errors import DataError
from sqz_tf.base.text import some
from sqz_tf.images.find import ImageSet
from sqz_tf.images.imagenet_classes import imagenet_classes
from sqz_tf.images.labels import refuse_illegal
from sqz_tf.images.matching import match_classes
from sqz_tf.network.pretrained import Pretrained


@dataclass(frozen=True)
class Kept:
    """The head stays.

    Attributes:
      outputs: the network's output for each class of the pictures.
      labels: names of all its outputs.
      wnids: their WordNet ids, or nothing.
      note: what a person should know; empty if nothing.
      assumed: whether the order of the outputs is taken for granted, as nothing names them.
    """

    outputs: tuple[int, ...]
    labels: tuple[str, ...]
    wnids: tuple[str, ...] = ()
    note: str = ""
    assumed: bool = False


@dataclass(frozen=True)
class Replaced:
    """It does not: why, and what pictures would let it stay."""

    why: str
    expected: str


def head_of(pretrained: Pretrained, found: ImageSet, source: str) -> Kept | Replaced:
    """Decide by the classes of the pictures, and by names where the weights have some.

    Args:
      found: the pictures, or the classes of a data set that is asked for by name.
      source: what they were asked for as.

    Raises:
      DataError: pictures labelled by wnid are of classes that ImageNet's network does not have, or a name of an output
        is no legal label.
    """
    imagenet = imagenet_classes()
    outputs = pretrained.model.classes
    if outputs == len(imagenet) and found.classes and all(found.wnids or [""]):
        return _imagenet(found)
    if outputs == len(imagenet) and not pretrained.labels:
        return Replaced(
            f"the classes of {source} are not ImageNet's",
            "folders or labels.csv that name WordNet ids such as n01440764",
        )
    if len(found.classes) != outputs:
        return Replaced(
            f"the weights have {outputs} outputs and {source} has {len(found.classes)} classes",
            f"a folder of {outputs} classes",
        )
    if not pretrained.labels:
        order = some(found.classes)
        note = f"nothing names the weights' {outputs} outputs: they are taken for {order}, in this order"
        return Kept(tuple(range(outputs)), found.classes, note=note, assumed=True)
    return _by_names(pretrained, found, source)


def _imagenet(found: ImageSet) -> Kept:
    labels = tuple(entry.label for entry in imagenet_classes())
    wnids = tuple(entry.wnid for entry in imagenet_classes())
    return Kept(_matched(found, labels, wnids), labels, wnids)


def _by_names(pretrained: Pretrained, found: ImageSet, source: str) -> Kept | Replaced:
    labels = pretrained.labels
    try:
        outputs = _matched(found, labels, ())
    except DataError:
        outputs = ()
    if not found.entries and {name.casefold() for name in found.classes} != {name.casefold() for name in labels}:
        outputs = ()  # numbers are no outputs' where nobody has numbered folders for these weights
    if len(set(outputs)) != len(labels):
        why = f"the weights tell {some(labels)} apart, and {source} has {some(found.classes)}"
        return Replaced(why, "the same classes")
    refuse_illegal(labels, f"the names of {pretrained.source}", "mend the name there")
    return Kept(outputs, labels)


def _matched(found: ImageSet, labels: Sequence[str], wnids: Sequence[str]) -> tuple[int, ...]:
    return match_classes(found.classes, labels, wnids=found.wnids, numbers=found.label_numbers, label_wnids=wnids)
