"""Try it: the page that runs the network in a browser."""

from __future__ import annotations

from sqz_tf.report.sections.section import Section

SECTION = Section(
    "try",
    "Try it",
    "trying.html.j2",
    schema={"page": {"name": str, "bytes": int}},
    needs=lambda report: "page" in report,
)
