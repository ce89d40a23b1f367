"""Pack an int8 `.tflite` into a `.sqz`, without loss: `python -m sqz_tf.pack MODEL.tflite --out F.sqz`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from converters import packs
from sqz_tf.artifact.one_file import write_file
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.errors import ConversionError, DataError, translated
from sqz_tf.inference.model_file import contents

EXAMPLES = """\
examples:
  python -m sqz_tf.pack model_int8.tflite --out model.sqz
  python -m sqz_tf.unpack model.sqz --out model_int8.tflite
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.pack",
        description="Pack an int8 .tflite into a .sqz that unpacks to the same bytes. Every command takes a .sqz "
        "where it takes a .tflite. Exit code 0: done, 1: the model cannot be packed or the file not written, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="an int8 .tflite, or a .sqz to be packed again")
    parser.add_argument("--out", metavar="F.sqz", type=Path, required=True, help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a .sqz")
    common_options(parser, json="print the bytes of each section as JSON", quiet="no notes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    model = _read(arguments.model)
    with translated(ConversionError, f"{arguments.model} cannot be packed"):
        packed = packs.pack(model)
    write_file(arguments.out, packed, packs.is_pack, arguments.overwrite)
    sizes = {name: size for name, size in packs.section_bytes(packed).items() if size}
    console.note(f"{arguments.model}: {len(model):,} bytes, packed {len(packed):,}")
    if arguments.json:
        show_json(json.dumps({"model_bytes": len(model), "bytes": len(packed), "sections": sizes}, indent=1))
    else:
        show(", ".join(f"{name} {size:,}" for name, size in sizes.items()))
    return EXIT_OK


def _read(path: Path) -> bytes:
    try:
        return contents(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected="an int8 .tflite") from error


if __name__ == "__main__":
    sys.exit(main())
