"""Read SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND as what they are together: a convolution with dilation.

TensorFlow writes dilation so: rows and columns `block` apart become pictures of a batch of their own, which no layer
between needs to know of. A sequence is made a map of one row for its convolution and a sequence again after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from converters.compiler.front.sequences import SAME_BYTES
from converters.tflite.reader import Model, Op

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def with_dilations(model: Model) -> Model:
    """Return a model whose operators that make a dilation are one, where they can be; others stay as they are."""
    readers = Counter(index for op in model.ops for index in op.inputs)
    readers.update(model.outputs)
    makers = {op.outputs[0]: op for op in model.ops if op.outputs and readers[op.outputs[0]] == 1}
    gone: set[int] = set()
    merged: dict[int, Op] = {}
    for after in model.ops:
        chain = _before(makers, after) if after.name == "BATCH_TO_SPACE_ND" else []
        if chain and (one := _dilated(model, chain[-1], _convolution(chain), after)):
            merged[after.index] = one
            gone |= {op.index for op in chain}
    return replace(model, ops=tuple(merged.get(op.index, op) for op in model.ops if op.index not in gone))


def _before(makers: Mapping[int, Op], after: Op) -> list[Op]:
    """Return the operators from a BATCH_TO_SPACE_ND back to the SPACE_TO_BATCH_ND; none if others are between them."""
    found: list[Op] = []
    while op := makers.get((found[-1] if found else after).inputs[0]):
        found.append(op)
        if op.name == "SPACE_TO_BATCH_ND":
            kinds = [each.name for each in found[:-1] if each.name not in SAME_BYTES]
            return found if len(kinds) == 1 and kinds[0] in _CONVOLUTIONS else []
        if op.name not in (*_CONVOLUTIONS, *SAME_BYTES):
            break
    return []


def _convolution(chain: list[Op]) -> Op:
    return next(op for op in chain if op.name in _CONVOLUTIONS)


def _dilated(model: Model, split: Op, convolution: Op, joined: Op) -> Op | None:
    """Return the convolution with dilation; None if its padding would be neither SAME nor VALID."""
    (block, paddings), (block_after, crops) = _constants(model, split), _constants(model, joined)
    options, weights = convolution.options, model.tensors[convolution.inputs[1]]
    source, target = model.tensors[split.inputs[0]], model.tensors[joined.outputs[0]]
    known = np.array_equal(block, block_after) and paddings.shape == crops.shape == (block.size, 2)
    ranks = len(source.shape) == len(target.shape) == block.size + 2 and len(weights.shape) == 4
    if not (known and ranks and block.size in (1, 2) and (block > 0).all()):
        return None
    block, paddings, crops = _of_map(block, 1), _of_map(paddings, 0), _of_map(crops, 0)
    plain = options["stride"] == options["dilation"] == (1, 1)
    if not (plain and (options["padding"] == "VALID" or weights.shape[1:3] == (1, 1))):
        return None
    sizes = [np.array((1, *each.shape[1:-1])[-2:]) for each in (source, target)]
    spans = (np.array(weights.shape[1:3]) - 1) * block
    pads, shrinks = paddings[:, 0] - crops[:, 0], sizes[0] - sizes[1]
    same = not shrinks.any() and np.array_equal(pads, spans // 2)
    valid = not pads.any() and np.array_equal(shrinks, spans)
    if not (same or valid):
        return None
    how = {**options, "dilation": tuple(block.tolist()), "padding": "SAME" if same else "VALID"}
    inputs = (split.inputs[0], *convolution.inputs[1:])
    return replace(convolution, index=joined.index, inputs=inputs, outputs=joined.outputs, options=how)


def _of_map(values: np.ndarray, other: int) -> np.ndarray:
    """Return what is said of a sequence as of a map of one row; of a map it stays."""
    return values if len(values) == 2 else np.concatenate([np.full_like(values, other), values])


def _constants(model: Model, op: Op) -> tuple[np.ndarray, np.ndarray]:
    """Return the block and the paddings or crops of an operator; empty where they are computed."""
    given = (model.tensors[index].data if index >= 0 else None for index in op.inputs[1:3])
    block, sides = (np.zeros(0, np.int64) if data is None else np.asarray(data) for data in given)
    return block, sides
