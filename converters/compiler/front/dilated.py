"""Read SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND as what they are together: a convolution with dilation.

TensorFlow writes dilation so: rows and columns `block` apart become pictures of a batch of their own, which no layer
between needs to know of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from converters.tflite.reader import Model, Op

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def with_dilations(model: Model) -> Model:
    """Return a model whose three operators that make a dilation are one, where they can be; others stay as they are."""
    readers = Counter(index for op in model.ops for index in op.inputs)
    readers.update(model.outputs)
    before = {op.outputs[0]: op for op in model.ops if op.name == "SPACE_TO_BATCH_ND" and readers[op.outputs[0]] == 1}
    inner = {op.outputs[0]: op for op in model.ops if op.name in _CONVOLUTIONS and readers[op.outputs[0]] == 1}
    gone: set[int] = set()
    merged: dict[int, Op] = {}
    for after in model.ops:
        convolution = inner.get(after.inputs[0]) if after.name == "BATCH_TO_SPACE_ND" else None
        split = before.get(convolution.inputs[0]) if convolution else None
        if convolution and split and (one := _dilated(model, split, convolution, after)):
            merged[after.index] = one
            gone |= {split.index, convolution.index}
    return replace(model, ops=tuple(merged.get(op.index, op) for op in model.ops if op.index not in gone))


def _dilated(model: Model, split: Op, convolution: Op, joined: Op) -> Op | None:
    """Return the convolution with dilation; None if its padding would be neither SAME nor VALID."""
    (block, paddings), (block_after, crops) = _constants(model, split), _constants(model, joined)
    options, weights = convolution.options, model.tensors[convolution.inputs[1]]
    source, target = model.tensors[split.inputs[0]], model.tensors[joined.outputs[0]]
    known = block.shape == (2,) and np.array_equal(block, block_after) and paddings.shape == crops.shape == (2, 2)
    fits = known and len(source.shape) == len(target.shape) == len(weights.shape) == 4 and bool((block > 0).all())
    plain = options["stride"] == options["dilation"] == (1, 1)
    if not (fits and plain and (options["padding"] == "VALID" or weights.shape[1:3] == (1, 1))):
        return None
    spans = (np.array(weights.shape[1:3]) - 1) * block
    pads, shrinks = paddings[:, 0] - crops[:, 0], np.array(source.shape[1:3]) - target.shape[1:3]
    same = not shrinks.any() and np.array_equal(pads, spans // 2)
    valid = not pads.any() and np.array_equal(shrinks, spans)
    if not (same or valid):
        return None
    how = {**options, "dilation": tuple(block.tolist()), "padding": "SAME" if same else "VALID"}
    inputs = (split.inputs[0], *convolution.inputs[1:])
    return replace(convolution, index=joined.index, inputs=inputs, outputs=joined.outputs, options=how)


def _constants(model: Model, op: Op) -> tuple[np.ndarray, np.ndarray]:
    """Return the block and the paddings or crops of an operator; empty where they are computed."""
    given = (model.tensors[index].data if index >= 0 else None for index in op.inputs[1:3])
    block, sides = (np.zeros(0, np.int64) if data is None else np.asarray(data) for data in given)
    return block, sides
