"""Every section, in the order of the page. A new one is a module with its template beside it, and a line here."""

from __future__ import annotations

from sqz_tf.report.sections import (
    accuracy,
    calibration,
    confusion,
    data,
    fixed_point,
    layers,
    making,
    mcu,
    mistakes,
    pack,
    parity,
    size,
    training,
    trying,
)

SECTIONS = (
    accuracy.SECTION,
    trying.SECTION,
    parity.SECTION,
    size.SECTION,
    mcu.SECTION,
    pack.SECTION,
    layers.SECTION,
    calibration.SECTION,
    fixed_point.SECTION,
    training.SECTION,
    mistakes.SECTION,
    confusion.SECTION,
    data.SECTION,
    making.SECTION,
)
