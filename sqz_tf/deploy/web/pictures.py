"""Test pictures for a page: those of the export's own data that were kept apart, or a person's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from sqz_tf.artifact.exported import Export
from sqz_tf.base.console import Console
from sqz_tf.base.errors import SqzError
from sqz_tf.data.accuracy import labelled
from sqz_tf.deploy.web import facts
from sqz_tf.images.decode import ImageError
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.model_file import ModelFile

LOOKED_AT = 200  # pictures at most
BUILT_IN = "digits"


def some_tests(
    model: ModelFile, export: Export | None, source: str | None, console: Console
) -> list[dict[str, object]]:
    """Return test pictures as `facts.chosen`; none where no source is given and the export's own is not here.

    Raises:
      DataError: the source that was given cannot be read.
    """
    given = source or _own(export)
    if given is None:
        console.note("no test pictures on the page: give --data")
        return []
    try:
        return facts.chosen(_scored(model, given, _split(export, given), console))
    except SqzError as error:
        if source:
            raise
        console.note(f"no test pictures on the page ({error})")
        return []


def _split(export: Export | None, source: str) -> str | None:
    """Return the split to show: what training never saw of the export's own data and of data sets, all of others."""
    own = _source(export)
    same = own is not None and os.path.realpath(own) == os.path.realpath(source)
    return "test" if same or not os.path.exists(source) else None


def _own(export: Export | None) -> str | None:
    """Return the data that an export was made of if they are built in; a path of whoever made it says nothing here."""
    return BUILT_IN if _source(export) == BUILT_IN else None


def _source(export: Export | None) -> str | None:
    name = export.config.get("data", {}).get("source") if export else None
    return None if name is None else str(name)


def _scored(model: ModelFile, source: str, split: str | None, console: Console) -> Iterator[facts.Scored]:
    classifier = Classifier(model.path, labels=model.labels, preprocess=model.preprocess)
    with labelled(classifier, source, split, LOOKED_AT, console.step) as pictures:
        for truth, pixels in pictures.items:
            if not isinstance(pixels, ImageError):
                yield pixels, truth, classifier.scores(pixels[np.newaxis])[0]
