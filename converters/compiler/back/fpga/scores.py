"""The C function that goes with the accelerator: from the sums it sends to the network's scores.

The mean divides by a number of pixels and SOFTMAX takes exponentials: neither is a shift, both are done once a picture.
"""

from __future__ import annotations

from collections.abc import Mapping

from converters.compiler.back.c import library
from converters.compiler.back.fpga.jobs import Design


def c_files(design: Design, name: str, provenance: Mapping[str, str]) -> dict[str, str]:
    """Return the files of the function `NAME_scores` with all they include: file name → text."""
    macro, classes = name.upper(), design.layers[-1].channels
    kernels = ["sqz_softmax_row"] if design.softmax else []
    return {
        f"{name}_scores.h": _header(name, macro, classes, provenance),
        f"{name}_scores.c": _source(design, name, macro),
        **library.alone(kernels, name, ("sqz_requantize.h", "sqz_names.h")),
    }


def _header(name: str, macro: str, classes: int, provenance: Mapping[str, str]) -> str:
    told = "".join(f" *   {key}: {value}\n" for key, value in provenance.items())
    return f"""/* Scores of {name}, from what its accelerator sends. Written by sqz_tf.fpga; do not edit.
{told} */
#ifndef {macro}_SCORES_H
#define {macro}_SCORES_H
#include <stdint.h>

#define {macro}_CLASSES {classes}

/* The int8 scores that TFLite's reference kernels give, of the sums of a picture in the order in which they come. */
void {name}_scores(const int32_t sums[{macro}_CLASSES], int8_t scores[{macro}_CLASSES]);
#endif
"""


def _source(design: Design, name: str, macro: str) -> str:
    requant, softmax = design.mean.requant, design.softmax
    tables = "\n".join(
        f"static const {kind} {what}[] = {{{', '.join(map(str, values))}}};"
        for kind, what, values in (
            ("int32_t", "multiplier", requant.multiplier.tolist()),
            ("int8_t", "shift", requant.shift.tolist()),
        )
    )
    step = int(len(requant.shift) > 1)
    fields = f"{{multiplier, shift, {step}, {requant.zero_point}, {requant.lowest}, {requant.highest}}}"
    after = ""
    if softmax:
        after = f"""
    static const sqz_softmax softmax = {{
        .multiplier = {softmax.multiplier}, .diff_min = {softmax.diff_min}, .shift = {softmax.shift},
        .width = {softmax.width}, .channels = {softmax.channels},
    }};
    const int8_t *const in[] = {{scores}};
    const sqz_rows rows = {{.in = in, .out = scores}};
    sqz_softmax_row(&softmax, &rows);"""
    return f"""#include "{name}_scores.h"

#include "sqz_requantize.h"

{tables}
static const sqz_requant mean = {fields};

void {name}_scores(const int32_t sums[{macro}_CLASSES], int8_t scores[{macro}_CLASSES]) {{
    for (unsigned c = 0; c < {macro}_CLASSES; ++c) {{
        scores[c] = sqz_requantize(&mean, sums[c] - ({design.mean.zero_sum}), c);
    }}{after}
}}
"""
