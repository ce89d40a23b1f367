"""Compile an int8 `.tflite` into C that runs it row by row: no interpreter, no heap, no whole feature map in RAM.

read → legalise → schedule → plan → emit; each pass is a pure function from one frozen value to the next.
`compile_model` runs them all, `analyse` all but the last, `report` says what the result takes.
"""

from converters.compiler.back.c.names import model_name
from converters.compiler.back.c.targets import TARGETS
from converters.compiler.compilation import Compilation, analyse, compile_model, files
from converters.compiler.dump import PASSES, dump
from converters.compiler.report import report

__all__ = ["PASSES", "TARGETS", "Compilation", "analyse", "compile_model", "dump", "files", "model_name", "report"]
