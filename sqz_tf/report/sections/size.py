"""Size and cost: files, and what TFLite Micro needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqz_tf.base.units import kib
from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, Drawing, bar_value, legend, name_rows
from sqz_tf.report.sections.section import Section, Values


def file_sizes(sizes: Mapping[str, Mapping[str, int]], most: int = 10) -> str:
    """Draw the `most` largest files: their bytes, and in a darker tone what is left of them in an xz archive."""
    names = sorted(sizes, key=lambda name: (-sizes[name]["bytes"], name))[:most]
    with Drawing(28 * len(names) + 62) as drawing:
        axes = drawing.axes
        sizes_kib = [sizes[name]["bytes"] / 1024 for name in names]
        axes.barh(range(len(names)), sizes_kib, height=0.66, color=BLUE, alpha=0.3, label="as it is")
        packed = [sizes[name]["xz"] / 1024 for name in names]
        axes.barh(range(len(names)), packed, height=0.3, color=BLUE, label="packed with xz")
        for place, size in enumerate(sizes_kib):
            bar_value(axes, size, place, kib(1024 * size))
        name_rows(axes, names)
        axes.set_xlim(0, 1.22 * max(sizes_kib))
        axes.set_xlabel("KiB")
        legend(axes)
    return drawing.svg("sizes", "Bytes of each file, as it is and packed with xz")


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    return {"plots": {"sizes": file_sizes(report["sizes"])}}


SECTION = Section("size", "Size and cost", "size.html.j2", _context)
