"""Compile a model to C for a microcontroller: `python -m sqz_tf.compile MODEL.tflite --out DIR`, without TensorFlow.

The folder is whole: `cc -std=c11 -O2 -IDIR main.c DIR/*.c` builds it, and `#include "NAME.h"` is all a caller needs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from converters import c_packages, compiler
from converters.compiler.compilation import slot_files
from sqz_tf import __version__
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, kilobytes, show, show_json
from sqz_tf.base.errors import ConversionError, translated
from sqz_tf.base.shipped import shipped_model
from sqz_tf.base.text import printable
from sqz_tf.deploy.boards import board_argument, boards
from sqz_tf.deploy.c_folder import TAKEN, default_name, write_folder
from sqz_tf.deploy.need import KIB, packing_within
from sqz_tf.deploy.update.images import Layout, carried_labels, image_of, joined
from sqz_tf.inference.model_file import int8_given

EXAMPLES = """\
examples:
  python -m sqz_tf.compile model_int8.tflite --out firmware/model
  python -m sqz_tf.compile model_int8.tflite --out firmware/model --board stm32f405 --name digits --labels
  python -m sqz_tf.compile model_int8.tflite --out firmware/model --board nucleo-f411re --flash-budget 480
  python -m sqz_tf.compile model_int8.tflite --dump plan
"""


ALL = "all"


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.compile",
        description="Compile an int8 .tflite to C that runs it row by row, byte equal to TFLite's reference kernels. "
        "Exit code 0: done, 1: the model cannot be compiled or the folder not written, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=shipped_model, help="an int8 .tflite of one picture, or a .sqz")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the folder to write")
    parser.add_argument(
        "--name", type=_name_argument, metavar="N", help="what every name in the C begins with (default: the file's)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--target", choices=list(compiler.TARGETS), help="whose kernels to use (default: generic)")
    which.add_argument(
        "--board", type=board_argument, metavar="B", help=f"the board's target; one of {', '.join(boards())}"
    )
    parser.add_argument("--flash-budget", metavar="KB", type=kilobytes, help=_FLASH_BUDGET)
    parser.add_argument("--ram-budget", metavar="KB", type=kilobytes, help=_RAM_BUDGET)
    parser.add_argument("--optimize", choices=compiler.OPTIMIZE, default="speed", help=_OPTIMIZE)
    parser.add_argument("--weights", choices=("program", "slot"), default="program", help=_WEIGHTS)
    parser.add_argument("--classes", metavar="N", type=int, default=0, help=_CLASSES)
    parser.add_argument("--package", choices=c_packages.KINDS, default="plain", help="for a build system of boards")
    parser.add_argument("--labels", action="store_true", help="write the labels that the model carries, too")
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that this command wrote")
    parser.add_argument("--dump", nargs="?", const=ALL, choices=[*compiler.PASSES, ALL], metavar="PASS", help=_DUMP)
    common_options(parser, json="print what the model takes as JSON", quiet="no notes")
    return parser


_DUMP = f"print what a pass made ({', '.join(compiler.PASSES)}), or all of them; without --out nothing is written"


_FLASH_BUDGET = "compress weights until code, weights, tables and labels fit in so many KB of 1024 bytes"


_RAM_BUDGET = "RAM in all that decoding may use to be fast (default: the board's, else somewhat more than the least)"


_OPTIMIZE = "what to spare besides: speed (default), ram, or flash, which compresses all that gains by it"


_CLASSES = "with --weights slot: room for so many classes, so that heads of fewer run, too (default: the model's)"


_WEIGHTS = "where weights and tables lie: in the program (default), or in a slot that sqz_tf.update fills"


def _name_argument(name: str) -> str:
    """Return a model's name, as the `type` of the command line's argument: one that cannot be is wrong usage."""
    try:
        compiler.model_name(name)
    except ValueError as error:
        plain = re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*_?", name) and "name in C" in str(error)
        raise argparse.ArgumentTypeError(f"{name!r} is a reserved word of C or C++" if plain else str(error)) from error
    if ending := TAKEN.search(name):
        raise argparse.ArgumentTypeError(
            f"{name!r} ends like a file of the model {name[: ending.start()]}; leave {ending[0]} out"
        )
    return name


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.weights == "slot" and arguments.flash_budget:
        parser.error("--flash-budget would choose by the weights, which a slot changes; give --optimize flash")
    if arguments.weights != "slot" and arguments.classes:
        parser.error("--classes is for --weights slot: a program's own weights have their own classes")
    if not (arguments.out or arguments.dump or arguments.json):
        parser.error("expected --out DIR, --dump PASS or --json")
    return command(arguments, _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    data = int8_given(arguments.model)
    target = arguments.board.target if arguments.board else arguments.target or "generic"
    with translated(ConversionError, f"{arguments.model} cannot be compiled"):
        packing = _packing(arguments, data, target)
        compilation = compiler.analyse(data, target, packing)
        _keep_ram_budget(arguments, packing, compilation)
        files = _files(arguments, compilation) if arguments.out else {}
    if arguments.out:
        replaced = write_folder(arguments.out, files, arguments.overwrite)
        if replaced not in (None, arguments.package):
            console.note(f"{arguments.out} was of the kind {replaced} and is now {arguments.package}")
    console.note(_told(arguments.model, compilation))
    if any(choice.packed for choice in compilation.choices):
        for line in compiler.dump(compilation, "layouts").splitlines():
            console.note(line)
    if arguments.dump:
        show(_dumped(compilation, arguments.dump), end="")
    if arguments.json:
        show_json(json.dumps(compiler.report(compilation), indent=1))
    elif not arguments.dump:
        show(printable(str(arguments.out)))
    return EXIT_OK


def _packing(arguments: argparse.Namespace, data: bytes, target: str) -> compiler.Packing:
    """Return what to compress for: what budgets leave for tables and the arena."""
    labels = carried_labels(arguments.model, data) if arguments.labels else []
    ram = arguments.ram_budget or (arguments.board.ram_bytes if arguments.board else None)
    program = compiler.analyse(data, target).program
    if arguments.weights == "slot":
        return Layout(target, arguments.optimize, ram, arguments.classes).packing(program)
    packing = packing_within(arguments.flash_budget, ram, target, program, arguments.optimize, labels)
    if packing.flash_budget is not None and packing.flash_budget <= 0:
        taken = arguments.flash_budget - packing.flash_budget
        raise ConversionError(
            f"--flash-budget is {arguments.flash_budget / KIB:g}",
            expected=f"more than {taken / KIB:.0f} KB, which code and labels take without any weight",
        )
    return packing


def _keep_ram_budget(
    arguments: argparse.Namespace, packing: compiler.Packing, compilation: compiler.Compilation
) -> None:
    """Raise unless the arena keeps to what was asked for; a board's RAM is compared by `fit`."""
    arena = compiler.report(compilation)["arena"]["bytes"]
    if arguments.ram_budget and packing.arena_budget is not None and arena > packing.arena_budget:
        least = arguments.ram_budget + arena - packing.arena_budget
        raise ConversionError(
            f"--ram-budget is {arguments.ram_budget / KIB:g}",
            expected=f"at least {least / KIB:.1f} KB, stack and one row of the picture included",
        )


def _dumped(compilation: compiler.Compilation, what: str) -> str:
    if what != ALL:
        return compiler.dump(compilation, what)
    return "\n".join(f"{name}:\n{compiler.dump(compilation, name)}" for name in compiler.PASSES)


def _files(arguments: argparse.Namespace, compilation: compiler.Compilation) -> dict[str, str]:
    """Return what to write: path → text."""
    name = arguments.name or default_name(arguments.model)
    labels = carried_labels(arguments.model, compilation.model) if arguments.labels else None
    provenance = {"tools": f"sqz-tf {__version__}", "target": compilation.target}
    if arguments.weights == "slot":
        image = image_of(compilation.model, compilation, joined(labels or []))
        files = slot_files(compilation, name, image, provenance)
    else:
        files = compiler.files(compilation, name, provenance, labels)
    return c_packages.package(files, name, arguments.package)


def _told(path: Path, compilation: compiler.Compilation) -> str:
    said = compiler.report(compilation)
    ram, flash = said["arena"]["bytes"], said["flash"]["total"]
    return (
        f"{path}: {said['macs']:,} multiply-accumulates; arena {ram:,} bytes "
        f"(whole maps: {said['whole_map_bytes']:,}), constants {flash:,} bytes, target {compilation.target}"
    )


if __name__ == "__main__":
    sys.exit(main())
