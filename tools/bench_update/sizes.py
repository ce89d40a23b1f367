"""Bytes of updates from one network to others: `python -m tools.bench_update.sizes OLD.sqz NEW.sqz`, for Cortex-M4.

A line for OLD itself, for OLD with NEW's last layer (head alone), for NEW (all layers), and for ten of OLD's classes
after ten others, for a program of ten. `pip install bsdiff4` for what bsdiff makes of the same images.
"""

from __future__ import annotations

import argparse
import lzma
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from converters.tflite import edit
from sqz_tf.deploy.update import images, keys, updates
from sqz_tf.deploy.update.images import Layout
from sqz_tf.inference.model_file import int8_given

try:
    import bsdiff4
except ImportError:
    bsdiff4 = None

COLUMNS = ("network", "image", "full update", "delta", "of full", "bsdiff", "xz")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_update.sizes", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    arguments = parser.parse_args(argv)
    old, new = int8_given(arguments.old), int8_given(arguments.new)
    pairs = {
        "the same": (old, old),
        "head alone": (old, with_head(old, new)),
        "all layers": (old, new),
        "ten classes": (ten_classes(old, 0), ten_classes(old, 10)),
    }
    with tempfile.TemporaryDirectory() as folder:
        keys.generate(Path(folder, "key.pem"))
        key = keys.private_key(Path(folder, "key.pem"))
        for optimize in ("flash", "speed"):
            print(f"--optimize {optimize}", *COLUMNS, sep=" | ")
            for name, pair in pairs.items():
                before, after = (_built(each, Path(folder), Layout("cortex-m4", optimize)) for each in pair)
                print(name, *_row(before, after, key), sep=" | ", flush=True)
    return 0


def _built(network: bytes, folder: Path, layout: Layout) -> images.Built:
    path = folder / "network.tflite"
    path.write_bytes(network)
    return images.build(path, layout)


def _row(before: images.Built, after: images.Built, key: Any) -> list[str]:
    full = len(updates.make(after, None, 2, "model", key))
    small = len(updates.make(after, before, 2, "model", key))
    bsdiff = f"{len(bsdiff4.diff(before.data, after.data)):,}" if bsdiff4 else "–"
    xz = len(lzma.compress(after.data, preset=9 | lzma.PRESET_EXTREME))
    return [f"{len(after.data):,}", f"{full:,}", f"{small:,}", f"{small / full:.1%}", bsdiff, f"{xz:,}"]


def with_head(body: bytes, head: bytes) -> bytes:
    """Return a network with another's last convolution; its biases are in units of the body's last activations."""
    form, other = edit.unpack(body), edit.unpack(head)
    (weights, bias), (new_weights, new_bias) = _head(form), _head(other)
    ratio = new_bias.quantization.scale / _bias_scale(form, new_weights)
    biases = np.round(_values(other, new_bias, np.int32) * ratio).astype(np.int32)
    form.buffers[weights.buffer].data = other.buffers[new_weights.buffer].data
    form.buffers[bias.buffer].data = np.frombuffer(biases.tobytes(), np.uint8)
    weights.quantization, bias.quantization = new_weights.quantization, new_bias.quantization
    bias.quantization.scale = _bias_scale(form, weights).astype(np.float32)
    return edit.pack(form)


def ten_classes(network: bytes, first: int) -> bytes:
    """Return a network with ten of its classes alone."""
    form = edit.unpack(network)
    weights, bias = _head(form)
    classes, chosen = weights.shape[0], slice(first, first + 10)
    for tensor, kind in ((weights, np.int8), (bias, np.int32)):
        kept = _values(form, tensor, kind).reshape(tensor.shape)[chosen]
        form.buffers[tensor.buffer].data = np.frombuffer(kept.tobytes(), np.uint8)
        tensor.quantization.scale = np.asarray(tensor.quantization.scale)[chosen]
        tensor.quantization.zeroPoint = np.asarray(tensor.quantization.zeroPoint)[chosen]
    for tensor in form.subgraphs[0].tensors:
        if tensor.shape is not None and classes in list(tensor.shape):
            tensor.shape = [10 if side == classes else side for side in tensor.shape]
            tensor.shapeSignature = None
    return edit.pack(form)


def _head(form: Any) -> tuple[Any, Any]:
    """Return weights and bias of the last convolution."""
    graph, operator = _last(form)
    return graph.tensors[operator.inputs[1]], graph.tensors[operator.inputs[2]]


def _last(form: Any) -> tuple[Any, Any]:
    (graph,) = form.subgraphs
    return graph, [each for each in graph.operators if len(each.inputs) == 3][-1]


def _bias_scale(form: Any, weights: Any) -> np.ndarray:
    graph, operator = _last(form)
    source = graph.tensors[operator.inputs[0]]
    return np.asarray(source.quantization.scale) * np.asarray(weights.quantization.scale)


def _values(form: Any, tensor: Any, kind: type) -> np.ndarray:
    return np.frombuffer(bytes(bytearray(form.buffers[tensor.buffer].data)), kind)


if __name__ == "__main__":
    sys.exit(main())
