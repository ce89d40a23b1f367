"""Pictures without labels, decoded and resized into one array: what a network is packed with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sqz_tf.base.errors import DataError
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.data.rows import Progress, map_ordered
from sqz_tf.data.splits import spread
from sqz_tf.images.budget import FILES
from sqz_tf.images.decode import ImageError
from sqz_tf.images.find import Entry, Reading, scan
from sqz_tf.images.given import decoded
from sqz_tf.images.resize import preprocess


def load_unlabelled(source: str, spec: PreprocessSpec, most: int, progress: Progress) -> np.ndarray:
    """Return at most `most` pictures of a folder or `.zip`, evenly spread, uint8 [N, H, W, C].

    Pictures that cannot be decoded are left out; labels are not looked at.

    Raises:
      DataError: there are no pictures.
    """
    found = scan(Path(source), Reading(labelled=False))
    chosen = spread(found.entries, most)

    def read(entry: Entry) -> np.ndarray | None:
        try:
            with FILES.room(found.size(entry)), decoded(found.read(entry), entry.name) as pixels:
                return preprocess(pixels, spec)
        except ImageError:
            return None

    pictures = []
    for done, picture in enumerate(map_ordered(read, chosen), 1):
        if picture is not None:
            pictures.append(picture)
        progress("read", done, len(chosen))
    if not pictures:
        raise DataError(f"{source} holds no picture that can be read", expected="pictures of the network's kind")
    return np.stack(pictures)
