"""Compare compiled models with TFLite in a process of its own, which TFLite may end: it trusts a model's options.

    python -m tests.helpers.damaged_models_judge FOLDER FIRST

The models are FOLDER/n0.tflite …, the program FOLDER/program.

Prints the number of each model before it is run, then the verdict: equal, refused (by TFLite), or what differs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.helpers.compiled_on_host import Program, Reference


def judge(folder: Path, first: int) -> None:
    models = {path.stem: path.read_bytes() for path in folder.glob("n*.tflite")}
    program = Program.load(folder, models)
    for i in range(first, len(models)):
        print(i, end=" ", flush=True)
        name = f"n{i}"
        try:
            reference = Reference(models[name])
        except (ValueError, RuntimeError):
            print("refused", flush=True)
            continue
        print("; ".join(program.compare(name, reference, 1)) or "equal", flush=True)


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    judge(Path(sys.argv[1]), int(sys.argv[2]))
