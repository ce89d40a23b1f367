"""Compile an int8 `.tflite` into C that runs it row by row: no interpreter, no heap, no whole feature map in RAM.

read → legalise → schedule → plan → emit; each pass is a pure function from one frozen value to the next.
`compile_model` runs them all, `analyse` all but the last, `report` says what the result takes.

Each pass asks a table what to do with a kind of layer or kernel, and tests/converters/compiler/test_tables.py names the
tables that lack one. An operator is added in this order:

- `converters/tflite/operators.py`: its inputs and options in the file;
- `front/network.py`, and its family (`weighted`, `pooling`, `moving`, `slicing`, `upward`, `pointwise`): its kind of
  layer, its reader;
- `middle/program.py`, `middle/kernels.py`: its kernel, and the arithmetic of it;
- `middle/legalise.py`, `middle/pads.py`, `middle/lower.py`: a row for its kind of layer in each;
- `middle/costs.py`: a row for its kernel in each table;
- each back end, here `back/c/targets.py` and `back/c/parameters.py` with mcu/src: a row and the function that runs it.

One that is like another (a clamp, a scaling, a move), or made of others, needs its reader alone.
"""

from converters.compiler.back.c.names import model_name
from converters.compiler.back.c.selection import DENSE, OPTIMIZE, Packing
from converters.compiler.back.c.targets import TARGETS
from converters.compiler.compilation import Compilation, analyse, compile_model, files
from converters.compiler.dump import PASSES, dump
from converters.compiler.report import report

__all__ = [
    "DENSE",
    "OPTIMIZE",
    "PASSES",
    "TARGETS",
    "Compilation",
    "Packing",
    "analyse",
    "compile_model",
    "dump",
    "files",
    "model_name",
    "report",
]
