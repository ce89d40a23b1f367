"""All passes in a row for an FPGA: from the bytes of a `.tflite` to a network on an accelerator."""

from __future__ import annotations

from converters.compiler.back.fpga.jobs import Design, design
from converters.compiler.front.read import read_graph
from converters.compiler.middle.legalise import legalise


def design_accelerator(model: bytes, multipliers: int) -> Design:
    """Return a network on an accelerator with so many multipliers, a multiple of 16.

    Raises:
      ValueError: the model cannot be compiled, its scales are not powers of two, or the accelerator lacks an operator.
    """
    graph = read_graph(model)
    return design(legalise(graph), {each.name: graph.maps[each.output].tensor for each in graph.layers}, multipliers)
