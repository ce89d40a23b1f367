"""Pictures in the simulated hardware, beside the interpreter's reference kernels."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.compiler.back.fpga import scores
from converters.compiler.back.fpga.jobs import Design
from converters.compiler.middle import arithmetic
from converters.tflite.reader import read_model
from sqz_tf.base.errors import ConversionError
from sqz_tf.base.pixels import to_int8
from sqz_tf.deploy.fpga import simulate
from sqz_tf.inference import interpreters
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.host_c import compiler

MAIN = """\
#include "{name}_scores.h"
#include <stdio.h>

int main(void) {{
    static int32_t sums[{macro}_CLASSES];
    static int8_t scores[{macro}_CLASSES];
    while (fread(sums, sizeof sums, 1, stdin) == 1) {{
        {name}_scores(sums, scores);
        fwrite(scores, sizeof scores, 1, stdout);
    }}
    return 0;
}}
"""


@dataclass(frozen=True, eq=False)
class Hardware:
    """A design, and what was written of it."""

    design: Design
    verilog: str
    name: str


def prepared(model: Path, content: bytes, files: Sequence[str]) -> np.ndarray:
    """Return pictures as a model takes them, uint8 [N, height, width, channels].

    Args:
      model: the file, with how pictures are prepared.
      content: the `.tflite` in it.
      files: the pictures.

    Raises:
      SqzError: a picture cannot be read, or the model does not say how pictures are prepared.
    """
    (source,) = read_model(content).input_tensors()
    if source.dtype != "int8":
        raise ConversionError(f"{model} takes {source.dtype}", expected="int8, which --simulate gives the hardware")
    classifier = Classifier(model)
    return np.stack([classifier.pixels(each) for each in files])


def pictures(content: bytes, of: Hardware, batch: np.ndarray, rows: bool) -> dict[str, Any]:
    """Return whether the hardware, with its C function, gives the interpreter's scores for pictures.

    Args:
      content: the `.tflite`.
      of: the hardware.
      batch: the pictures, uint8 [N, height, width, channels].
      rows: whether to compare every row of every layer, too.
    """
    with simulate.simulator(of.verilog, of.name) as program:
        found = simulate.run(program, of.design, batch, traced=rows)
    difference = differing(content, of.design, of.name, to_int8(batch), found)
    return {
        "pictures": len(batch),
        "equal": difference is None,
        "verdict": difference or ("every score and every row equal" if rows else "every score equal"),
        "cycles": found.cycles.tolist(),
    }


def differing(content: bytes, design: Design, name: str, inputs: np.ndarray, found: simulate.Simulated) -> str | None:
    """Return the first difference from the reference kernels in words, None if there is none.

    Args:
      content: the `.tflite`.
      design, name: the hardware.
      inputs: int8 [N, height, width, channels].
      found: what the simulator made of them.
    """
    reference = interpreters.run(content, inputs, "litert-ref", all_tensors=True, tensor_images=len(inputs))
    wanted = reference.outputs.reshape(len(inputs), -1)
    before = reference.tensors.get(design.program.streams[design.program.output].tensor)
    final = with_c(design, name, found.sums)
    for number in range(len(inputs)):
        tensors: Mapping[int, np.ndarray] = {index: each[number] for index, each in reference.tensors.items()}
        if found.rows and (row := simulate.differing_row(design, found.rows[number], dict(tensors))):
            return f"picture {number + 1}: {row}"
        if before is not None and not np.array_equal(means(design, found.sums[number]), before[number].ravel()):
            return f"picture {number + 1}: the scores before SOFTMAX differ"
        if not np.array_equal(final[number], wanted[number]):
            return f"picture {number + 1}: the scores differ"
    return None


def means(design: Design, sums: np.ndarray) -> np.ndarray:
    """Return the scores before SOFTMAX of sums, int8 [classes]."""
    requant = design.mean.requant
    scaled = arithmetic.rescaled(sums.astype(np.int64) - design.mean.zero_sum, requant.multiplier, requant.shift)
    return np.clip(scaled + requant.zero_point, requant.lowest, requant.highest).astype(np.int8)


def with_c(design: Design, name: str, sums: np.ndarray) -> np.ndarray:
    """Return the scores that the C function makes of sums, int8 [N, classes]."""
    files = scores.c_files(design, name, {}) | {"main.c": MAIN.format(name=name, macro=name.upper())}
    with tempfile.TemporaryDirectory(prefix="sqz-fpga-") as folder:
        here = Path(folder)
        for file, text in files.items():
            (here / file).write_text(text, encoding="utf-8")
        sources = sorted(file for file in files if file.endswith(".c"))
        strict = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror")
        simulate.call([compiler() or "cc", *strict, "-I.", *sources, "-o", "scores"], here)
        written = simulate.call([str(here / "scores")], here, np.ascontiguousarray(sums, "<i4").tobytes())
    return np.frombuffer(written, np.int8).reshape(sums.shape)
