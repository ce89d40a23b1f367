"""Update deployed models: `python -m sqz_tf.update make NEW.sqz --from OLD.sqz --version 2 --key K --out F.squ`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from converters import compiler, delta, packs
from converters.compiler.back.c.slot import MAGIC
from converters.delta.container import IMAGE
from sqz_tf.artifact.one_file import check_place, refuse_input, write_file
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, kilobytes, show, show_json
from sqz_tf.base.errors import DataError
from sqz_tf.base.shipped import shipped_model
from sqz_tf.base.text import printable
from sqz_tf.deploy.boards import board_argument, boards
from sqz_tf.deploy.update import files, images, keys, slots, updates

EXAMPLES = """\
examples:
  python -m sqz_tf.update keygen --out release.pem
  python -m sqz_tf.update make v2.sqz --board stm32f405 --optimize flash --version 2 --key release.pem --out v2.squ
  python -m sqz_tf.update make v2.sqz --from v1.sqz --board stm32f405 --optimize flash --classes 1000 --slot-kb 384 \\
    --model door-camera --version 2 --key release.pem --out v1-v2.squ
  python -m sqz_tf.update make v2.sqz --kind file --model door-camera --version 2 --key release.pem --out app-v2.squ
  python -m sqz_tf.update make v2.sqz --target wasm32 --labels --version 2 --key release.pem --out page-v2.squ
  python -m sqz_tf.update show v1-v2.squ
  python -m sqz_tf.update verify v1-v2.squ --key release.pem.pub
  python -m sqz_tf.update apply v1-v2.squ --from v1.image --out v2.image
  python -m sqz_tf.update apply app-v2.squ --key release.pem.pub --out v2.sqz
"""
PROGRAM = ("old", "target", "board", "optimize", "ram_budget", "classes", "slot_kb", "labels")
"""Options of `make` that are about a device's program and slots, by their places in the arguments."""
_JSON = "print what there is to say as JSON"


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.update",
        description="Make signed updates for devices whose program was compiled with --weights slot, for pages and "
        "for the app. Exit code 0: done, 1: refused or failed, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common_options(parser, json=_JSON, quiet="no notes")
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    _make(kinds.add_parser("make", help="make an update: full, or against an older model", parents=[_common(False)]))
    keygen = kinds.add_parser("keygen", help="make a key: FILE and FILE.pub", parents=[_common()])
    keygen.add_argument("--out", metavar="FILE", type=Path, required=True, help="the private key's file")
    for name, about in (("show", "say what an update is"), ("verify", "check who signed an update")):
        each = kinds.add_parser(name, help=about, parents=[_common()])
        each.add_argument("update", metavar="F.squ", type=Path)
    each.add_argument("--key", metavar="FILE", type=Path, required=True, help="the public key")
    applied = kinds.add_parser("apply", help="make what a device makes of an update", parents=[_common()])
    applied.add_argument("update", metavar="F.squ", type=Path)
    applied.add_argument(
        "--from", dest="old", metavar="IMAGE", type=Path, help="what is installed, for a delta: an image or a slot"
    )
    applied.add_argument("--key", metavar="FILE", type=Path, help="check the signature first")
    applied.add_argument(
        "--slot-kb",
        metavar="KB",
        type=kilobytes,
        help="write a whole slot of this size, image and record, for a device's first programming",
    )
    applied.add_argument("--out", metavar="RESULT", type=Path, required=True, help="the file to write")
    applied.add_argument("--overwrite", action="store_true", help="replace an image, a .sqz or a .tflite")
    return parser


def _common(version: bool = True) -> Parser:
    """Return the common options behind a WHAT, which leave alone what stood before it."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common_options(parser, json=_JSON, quiet="no notes", version=version)
    return parser


def _make(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("new", metavar="NEW", type=shipped_model, help="an int8 .tflite or a .sqz")
    parser.add_argument(
        "--kind",
        choices=list(updates.KINDS.values()),
        default="image",
        help="image: for a program's slot, a page's too; file: NEW as it is, for the Android app (default: image)",
    )
    parser.add_argument("--from", dest="old", metavar="OLD", type=shipped_model, help="the model that is installed")
    parser.add_argument(
        "--version", dest="number", metavar="N", type=int, required=True, help="above the installed one's"
    )
    parser.add_argument("--key", metavar="FILE", type=Path, required=True, help="the private key that signs")
    parser.add_argument("--model", metavar="ID", default="model", help="the product's identity (default: model)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--target", choices=list(compiler.TARGETS), help="as the program's (default: generic)")
    which.add_argument("--board", type=board_argument, metavar="B", help=f"one of {', '.join(boards())}")
    parser.add_argument("--optimize", choices=compiler.OPTIMIZE, help="as the program's (default: speed)")
    parser.add_argument("--ram-budget", metavar="KB", type=kilobytes, help="as the program's")
    parser.add_argument("--classes", metavar="N", type=int, default=0, help="as the program's")
    parser.add_argument("--slot-kb", metavar="KB", type=kilobytes, help="refuse what a slot of this size does not hold")
    parser.add_argument("--labels", action="store_true", help="put the model's labels into the image")
    parser.set_defaults(fault=parser.error)
    parser.add_argument("--out", metavar="F.squ", type=Path, required=True, help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a .squ")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    return {"make": _made, "keygen": _keygen, "show": _shown, "verify": _verified, "apply": _applied}[arguments.what](
        arguments, console
    )


def _made(arguments: argparse.Namespace, console: Console) -> int:
    given_anyway = [name for name in PROGRAM if getattr(arguments, name)]
    if arguments.kind == "file" and given_anyway:
        names = ", ".join("--from" if name == "old" else f"--{name.replace('_', '-')}" for name in given_anyway)
        arguments.fault(f"a file has no program or slot, and its updates are full: leave out {names}")
    for given in (arguments.new, arguments.old, arguments.key):
        if given is not None:
            refuse_input(arguments.out, given)
    check_place(arguments.out, delta.is_update, arguments.overwrite)
    key = keys.private_key(arguments.key)
    new, old = (files.build(arguments.new), None) if arguments.kind == "file" else _images(arguments)
    update = updates.make(new, old, arguments.number, arguments.model, key)
    write_file(arguments.out, update, delta.is_update, arguments.overwrite)
    what = "a file" if arguments.kind == "file" else "an image"
    console.note(f"{arguments.out}: {len(update):,} bytes for {what} of {len(new.data):,}")
    if arguments.board and (told := slots.told(arguments.board, len(new.data), arguments.slot_kb)):
        console.note(told)
    return _say(arguments, updates.described(delta.read_header(update)), str(arguments.out))


def _images(arguments: argparse.Namespace) -> tuple[images.Built, images.Built | None]:
    """Return the new image, and the old one where there is one."""
    target = arguments.board.target if arguments.board else arguments.target or "generic"
    ram = arguments.ram_budget or (arguments.board.ram_bytes if arguments.board else None)
    layout = images.Layout(target, arguments.optimize or "speed", ram, arguments.classes)
    new = images.build(arguments.new, layout, arguments.labels)
    images.check_room(arguments.new, new.data, arguments.slot_kb)
    return new, images.build(arguments.old, layout, arguments.labels) if arguments.old else None


def _say(arguments: argparse.Namespace, values: dict[str, object], line: str) -> int:
    if arguments.json:
        show_json(json.dumps(values, indent=1))
    else:
        show(printable(line))
    return EXIT_OK


def _keygen(arguments: argparse.Namespace, console: Console) -> int:
    public = keys.generate(arguments.out)
    console.note(f"keep {arguments.out} secret; a device trusts {public.hex()}")
    return _say(arguments, {"public": public.hex()}, f"{arguments.out}{keys.PUBLIC}")


def _shown(arguments: argparse.Namespace, console: Console) -> int:
    update = updates.read(arguments.update)
    values = updates.described(updates.header_of(arguments.update, update))
    if arguments.json:
        return _say(arguments, values, "")
    for name, value in values.items():
        show(f"{name:<12} {printable(str(value))}")
    return EXIT_OK


def _verified(arguments: argparse.Namespace, console: Console) -> int:
    update = updates.read(arguments.update)
    header = updates.check_signature(arguments.update, update, keys.public_key(arguments.key))
    updates.check_body(arguments.update, update, header)
    return _say(arguments, updates.described(header), f"{arguments.update}: signed by {header.key.hex()}…")


def _applied(arguments: argparse.Namespace, console: Console) -> int:
    update = updates.read(arguments.update)
    header = updates.header_of(arguments.update, update)
    ours = _is_image if header.kind == IMAGE else _is_model
    if arguments.slot_kb and header.kind != IMAGE:
        raise DataError(f"{arguments.update} makes a file, which no slot holds", fix="leave --slot-kb out")
    check_place(arguments.out, ours, arguments.overwrite)
    if arguments.key:
        updates.check_signature(arguments.update, update, keys.public_key(arguments.key))
    old = None
    if arguments.old:
        refuse_input(arguments.out, arguments.old)
        old = updates.read(arguments.old)
        if not _is_image(old):
            raise DataError(f"{arguments.old} is no image", expected="what apply wrote of the installed model's update")
        old = images.of_slot(old)
    result = updates.result_of(arguments.update, update, old)
    if arguments.slot_kb:
        result = images.slot(arguments.update, result, header.version, arguments.slot_kb)
    write_file(arguments.out, result, ours, arguments.overwrite)
    return _say(arguments, {"bytes": len(result)}, str(arguments.out))


def _is_image(beginning: bytes) -> bool:
    return beginning[:4] == MAGIC


def _is_model(beginning: bytes) -> bool:
    return packs.is_pack(beginning) or beginning[4:8] == b"TFL3"


if __name__ == "__main__":
    sys.exit(main())
