"""The console script `sqz-tf COMMAND …`: the same as `python -m sqz_tf.COMMAND …`."""

from __future__ import annotations

import importlib
import sys

from sqz_tf import __version__
from sqz_tf.base.console import EXIT_OK, EXIT_USAGE, run, say_lines, show

COMMANDS = {
    "export": "train, prune, quantize, convert and prove a SqueezeNet",
    "explore": "sweep or search the paper's design space",
    "classify": "say what pictures show",
    "evaluate": "measure a model on labelled pictures",
    "check": "judge an output folder again",
    "bench": "time an output folder's models",
    "compare": "measure SqueezeNet against AlexNet and its compressions",
    "pack": "compress a model, its weights rounded or as they are",
    "unpack": "restore the model of a pack",
    "web": "write a page that runs a model in a browser",
    "compile": "compile a model to C for a microcontroller",
    "update": "make signed updates for devices",
    "fpga": "write a model as hardware for an FPGA",
    "fit": "tell which boards a model fits",
    "flash": "put a compiled model on a board",
}


def main(argv: list[str]) -> int:
    """Hand the arguments to the command's own `main`."""
    if argv and argv[0] in COMMANDS:
        code: int = importlib.import_module(f"sqz_tf.{argv[0]}").main(argv[1:])
        return code
    return run(lambda: _answer(argv))


def _answer(argv: list[str]) -> int:
    """Say what a line without a command asks for; return the exit code."""
    if argv == ["--version"]:
        show(f"sqz-tf {__version__}")
        return EXIT_OK
    asked = argv in ([], ["-h"], ["--help"])
    lines = [f"  {name:<10} {text}" for name, text in COMMANDS.items()]
    usage = "\n".join(["usage: sqz-tf COMMAND …    (sqz-tf COMMAND --help)", "", *lines])
    if asked:
        show(usage)
    else:
        say_lines(f"sqz-tf: unknown command {argv[0]!r}\n{usage}\n")
    return EXIT_OK if asked else EXIT_USAGE


def entrypoint() -> None:
    """Run the console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entrypoint()
