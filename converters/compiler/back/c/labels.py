"""NAME_labels.h and NAME_labels.c: what the classes are called."""

from __future__ import annotations

from collections.abc import Sequence

from converters import c_text as c
from converters.compiler.middle.plan import Plan


def label_files(plan: Plan, name: str, labels: Sequence[str]) -> dict[str, str]:
    """Return both files: name → text.

    Raises:
      ValueError: there is not one label for each class, or more than one output.
    """
    results = plan.schedule.program.results
    if len(results) > 1:
        raise ValueError(f"the model has {len(results)} outputs; labels can name the classes of one alone")
    classes = results[0].channels
    if len(labels) != classes:
        raise ValueError(f"{len(labels)} labels for {classes} classes; expected one for each")
    about = "/* UTF-8; equal names can belong to different classes, so key results by index. */"
    body = f"{about}\n{c.extern_c(f'extern const char *const {name}_labels[];')}"
    rows = "\n".join(f"    {c.string_literal(label)}, /* {i} */" for i, label in enumerate(labels))
    source = f"""#include "{name}_labels.h"

#include "{name}.h"

const char *const {name}_labels[] = {{
{rows}
}};
_Static_assert(sizeof {name}_labels / sizeof *{name}_labels == {name.upper()}_CLASS_COUNT, "one label for each class");
"""
    return {f"{name}_labels.h": c.guarded(f"{name}_labels.h", body, "SQZ_MODEL"), f"{name}_labels.c": source}
