"""Calibration: what was chosen for a network that was not trained."""

from __future__ import annotations

from sqz_tf.report.sections.section import Section

SECTION = Section("calibration", "Calibration", "calibration.html.j2")
