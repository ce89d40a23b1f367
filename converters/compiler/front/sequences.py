"""Read what is done to a sequence as to a map of one column as what it is to a map of one row, which a sequence is.

Keras pools a sequence so: it becomes [steps, 1, channels], is pooled, and a sequence again. Turned, nothing has to be
copied for that, and there may be more than 255 steps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from converters.tflite.reader import Model, Op

SAME_BYTES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
_WINDOWS = ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
_PAIRS = ("filter", "stride", "dilation")  # options of height and width


def with_turned_sequences(model: Model) -> Model:
    """Return a model in which windows over maps that were sequences, and become some again, are over these."""
    readers = Counter(index for op in model.ops for index in op.inputs)
    readers.update(model.outputs)
    makers = {op.outputs[0]: op for op in model.ops if op.outputs and readers[op.outputs[0]] == 1}
    merged: dict[int, Op] = {}
    gone: set[int] = set()
    for after in model.ops:
        window = makers.get(after.inputs[0]) if after.name in SAME_BYTES and after.inputs else None
        before = makers.get(window.inputs[0]) if window and window.name in _WINDOWS else None
        if window and before and before.name in SAME_BYTES and _is_column(model, before, window, after):
            options = {key: value[::-1] if key in _PAIRS else value for key, value in window.options.items()}
            inputs, how = (before.inputs[0], *window.inputs[1:]), MappingProxyType({**options, "turned": True})
            merged[after.index] = replace(window, index=after.index, inputs=inputs, outputs=after.outputs, options=how)
            gone |= {before.index, window.index}
    return replace(model, ops=tuple(merged.get(op.index, op) for op in model.ops if op.index not in gone))


def _is_column(model: Model, before: Op, window: Op, after: Op) -> bool:
    """Whether a sequence becomes a map of one column, and that a sequence again."""
    source, given, made, target = (
        model.tensors[index].shape
        for index in (before.inputs[0], window.inputs[0], window.outputs[0], after.outputs[0])
    )
    flat = len(source) == len(target) == 3 and len(given) == len(made) == 4
    return flat and given == (*source[:2], 1, source[2]) and made == (*target[:2], 1, target[2])
