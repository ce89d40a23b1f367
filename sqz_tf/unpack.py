"""Restore the `.tflite` that a `.sqz` stands for: `python -m sqz_tf.unpack F.sqz --out MODEL.tflite`."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from converters import packs
from sqz_tf.artifact.one_file import refuse_input, write_file
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.errors import DataError, translated
from sqz_tf.base.text import printable
from sqz_tf.inference.model_file import contents, refuse_foreign


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.unpack",
        description="Restore the .tflite that a .sqz stands for, byte for byte. "
        "Exit code 0: done, 1: the pack is damaged or the file not written, 2: usage.",
    )
    parser.add_argument("pack", metavar="F.sqz", type=Path, help="what python -m sqz_tf.pack wrote")
    parser.add_argument("--out", metavar="MODEL.tflite", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--tflm",
        action="store_true",
        help="write it for TFLite Micro, whose DECODE operator restores weights kept compressed; also from a .tflite",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a .tflite")
    common_options(parser, json="print the bytes and the sha256 as JSON", quiet="no notes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    refuse_input(arguments.out, arguments.pack)
    model = _for_tflm(arguments.pack, console) if arguments.tflm else _unpacked(arguments.pack)
    write_file(arguments.out, model, lambda beginning: beginning[4:8] == b"TFL3", arguments.overwrite)
    console.note(f"{arguments.pack}: {len(model):,} bytes")
    if arguments.json:
        show_json(json.dumps({"bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()}, indent=1))
    else:
        show(printable(str(arguments.out)))
    return EXIT_OK


def _for_tflm(path: Path, console: Console) -> bytes:
    """Return a model with its weights compressed as TFLite Micro reads them, and tell how."""
    if not path.is_file():
        raise DataError(f"{path} cannot be read", expected="a .sqz or an int8 .tflite")
    from converters.tflite.writer import for_microcontroller
    from converters.tflm_decode.writer import choices, with_decode

    with translated(DataError, f"{path} cannot be written for TFLite Micro"):
        model = for_microcontroller(contents(path))
        for choice in choices(model):
            console.note(f"tensor {choice.tensor}: {choice.dense:,} bytes, {choice.encoding} {choice.bytes:,}")
        return with_decode(model)


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(packs.LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected="a .sqz file") from error
    if not packs.is_pack(data):
        refuse_foreign(path, expected="a .sqz")
        raise DataError(f"{path} is no .sqz file", expected="what python -m sqz_tf.pack wrote")
    with translated(DataError, f"{path} cannot be unpacked", fix="copy or download it again"):
        return packs.unpack(data)


if __name__ == "__main__":
    sys.exit(main())
