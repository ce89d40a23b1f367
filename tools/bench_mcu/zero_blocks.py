"""Measure the benchmark's networks with blocks of their weights made zero, beside the dense ones, on a Cortex-M4.

    python -m tools.bench_mcu.zero_blocks [--graph a] [--share 0.5]

A block is what `python -m sqz_tf.export --sparsity-pattern block` prunes, four channels by two inputs. In each layer
the same share goes, those with the smallest sum of squares: in all but conv1, as pruning does it, then in all. The exit
code is 1 if an output is not TFLite's, byte for byte.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from converters.tflite import edit
from sqz_tf.train.blocks import block_of
from tools.bench_mcu.__main__ import Measurement, measure
from tools.bench_mcu.graphs import GRAPHS, squeezenet

CONV_2D = 3
BOARD = "mps2-an386"
HEAD = (
    "net",
    "weights",
    "instructions",
    "of dense",
    "cycles, modelled, of dense",
    "weights + tables",
    "code",
    "RAM in all",
    "output is TFLite's",
)


def without_blocks(model: bytes, share: float, skip: int = 0) -> bytes:
    """Return a model in whose convolutions but the first `skip` so large a share of the blocks is zero."""
    return _changed(model, skip, lambda weights: weights * ~_smallest(weights, share))


def _changed(model: bytes, skip: int, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    form = edit.unpack(model)
    graph = form.subgraphs[0]
    convolutions = [op for op in graph.operators if form.operatorCodes[op.opcodeIndex].builtinCode == CONV_2D]
    for op in convolutions[skip:]:
        tensor = graph.tensors[op.inputs[1]]
        buffer = form.buffers[tensor.buffer]
        weights = np.frombuffer(bytes(bytearray(buffer.data)), np.int8).reshape(tensor.shape)
        buffer.data = np.frombuffer(change(weights).astype(np.int8).tobytes(), np.uint8)
    return edit.pack(form)


def _smallest(weights: np.ndarray, share: float) -> np.ndarray:
    """Return where the blocks of smallest sum of squares lie in weights [O, KH, KW, I]."""
    number = block_of(weights.shape[1:] + weights.shape[:1]).transpose(3, 0, 1, 2)
    squares = np.bincount(number.ravel(), np.square(weights.astype(np.float64)).ravel())
    return np.isin(number, np.argsort(squares, kind="stable")[: round(share * squares.size)])


def row(name: str, each: Measurement, dense: Measurement) -> str:
    """Return a line of the table."""
    ratio, told = f"{each.instructions / dense.instructions:.3f}", "yes" if each.equal else "NO"
    cycles = f"{each.cycles / dense.cycles:.3f}" if each.cycles and dense.cycles else ""
    sizes = (f"{size:,}" for size in (each.model_bytes, each.code_bytes, each.ram_bytes))
    return f"| {' | '.join([each.graph, name, f'{each.instructions:,}', ratio, cycles, *sizes, told])} |"


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", action="append", choices=sorted(GRAPHS), help="default: all")
    parser.add_argument("--share", type=float, default=0.5, help="of the blocks (default: 0.5)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if an output differs."""
    options = build_parser().parse_args(arguments)
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    equal = True
    for graph in options.graph or sorted(GRAPHS):
        model = squeezenet(GRAPHS[graph])
        share = f"{options.share:.0%} of the blocks zero"
        models = {
            "dense": model,
            f"{share}, conv1 dense": without_blocks(model, options.share, skip=1),
            share: without_blocks(model, options.share),
        }
        measured = {name: _measured(graph, each) for name, each in models.items()}
        for name, each in measured.items():
            print(row(name, each, measured["dense"]), flush=True)
            equal = equal and each.equal
    return int(not equal)


def _measured(graph: str, model: bytes) -> Measurement:
    with tempfile.TemporaryDirectory() as folder:
        return measure(graph, model, BOARD, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
