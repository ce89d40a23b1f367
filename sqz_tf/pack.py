"""Pack a network into a `.sqz`: `python -m sqz_tf.pack EXPORT|MODEL.tflite --out F.sqz`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from converters import packs
from sqz_tf.artifact.exported import Export
from sqz_tf.artifact.one_file import check_place, refuse_input, write_file
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.errors import ConfigError, ConversionError, translated
from sqz_tf.base.shipped import shipped_model
from sqz_tf.base.spec import PackConfig
from sqz_tf.inference.model_file import NotInt8Error, int8_given, model_given, require_int8

EXAMPLES = """\
examples:
  python -m sqz_tf.pack build/imagenet --budget-kb 400 --out model.sqz      an export, rounded to fit
  python -m sqz_tf.pack build/photos --max-drop 0.5 --out model.sqz         as small as half a point of top-1 allows
  python -m sqz_tf.pack model_int8.tflite --data pictures/ --out model.sqz  any int8 network and pictures of its kind
  python -m sqz_tf.pack model_int8.tflite --out model.sqz                   without loss
  python -m sqz_tf.unpack model.sqz --out model_int8.tflite
"""
INTERRUPTED = "interrupted; run the same command again to go on from here"


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.pack",
        description="Pack an export or an int8 .tflite into a .sqz. With pictures its weights are rounded to "
        "what costs few bits and little accuracy; without, it unpacks to the same bytes. Every command takes a "
        ".sqz where it takes a .tflite. Exit code 0: done, 1: failed, or more accuracy lost than allowed, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="EXPORT|MODEL", type=shipped_model, help="an export's folder, an int8 .tflite or a .sqz"
    )
    parser.add_argument("--out", metavar="F.sqz", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--data", metavar="PICTURES", help="pictures to round with, labels not needed (default: the export's)"
    )
    parser.add_argument(
        "--lossless", action="store_true", help="change no weight (default for a .tflite without --data)"
    )
    parser.add_argument("--budget-kb", type=_size, metavar="N", help="thousand bytes of the pack at most")
    parser.add_argument(
        "--max-drop", type=float, metavar="POINTS", help="points of top-1 that may be lost (default: 1.0)"
    )
    parser.add_argument("--tune-epochs", type=int, metavar="N", help="epochs of tuning; 0 only rounds (default: 6)")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--overwrite", action="store_true", help="replace a .sqz")
    common_options(parser, json="print the figures as JSON", quiet="no notes")
    return parser


def _size(text: str) -> float:
    """Return a size above 0, as the `type` of an argument."""
    if not float(text) > 0:
        raise argparse.ArgumentTypeError(f"{text} is no size above 0")
    return float(text)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work, INTERRUPTED)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    refuse_input(arguments.out, arguments.model)
    check_place(arguments.out, packs.is_pack, arguments.overwrite)
    is_export = arguments.model.is_dir()
    if arguments.lossless or not (is_export or arguments.data):
        _refuse_goals(arguments)
        return _lossless(arguments, console)
    given = {"budget_kb": arguments.budget_kb, "max_drop": arguments.max_drop, "epochs": arguments.tune_epochs}
    config = PackConfig(**{name: value for name, value in given.items() if value is not None})
    _ = Export.open(arguments.model) if is_export else int8_given(arguments.model)  # before TensorFlow is there
    from sqz_tf.pipeline.packing_files import pack_files

    figures = pack_files(
        arguments.model, arguments.data, config, arguments.seed, arguments.out, arguments.overwrite, console
    )
    _show(arguments, figures, console)
    return EXIT_OK


def _refuse_goals(arguments: argparse.Namespace) -> None:
    goals = ("budget_kb", "max_drop", "tune_epochs") + (("data",) if arguments.lossless else ())
    given = [f"--{name.replace('_', '-')}" for name in goals if getattr(arguments, name) is not None]
    if given:
        raise ConfigError(
            f"{', '.join(given)} would change weights, but nothing is rounded",
            fix="leave it out" if arguments.lossless else "give pictures of its kind with --data",
        )


def _lossless(arguments: argparse.Namespace, console: Console) -> int:
    path = arguments.model / "model_int8.tflite" if arguments.model.is_dir() else arguments.model
    model = model_given(path)
    try:
        require_int8(path, model)
    except NotInt8Error as error:
        console.note(f"note: {error.what}; packed as it is, for runtimes that take it, but nothing compiles it")
    with translated(ConversionError, f"{path} cannot be packed"):
        packed = packs.pack(model)
    write_file(arguments.out, packed, packs.is_pack, arguments.overwrite)
    _show(
        arguments, {"model_bytes": len(model), "bytes": len(packed), "sections": packs.section_bytes(packed)}, console
    )
    return EXIT_OK


def _show(arguments: argparse.Namespace, figures: dict[str, Any], console: Console) -> None:
    if arguments.json:
        show_json(json.dumps(figures, indent=1))
        return
    console.note(f"{arguments.out}: {figures['bytes']:,} bytes")
    show(", ".join(f"{name} {size:,}" for name, size in figures["sections"].items() if size))
    if "curve" in figures:
        show(curve_table(figures["curve"]))


def curve_table(curve: list[dict[str, Any]]) -> str:
    """Return the points of a curve as text."""
    lines = [f"{'bytes':>12}{'divergence':>12}{'same answer':>13}  top-1 lost (95 % interval)"]
    for point in curve:
        lost = "unknown: no labelled pictures"
        if drop := point["drop"]:
            low, high = drop["interval_pp"]
            lost = f"{drop['drop_pp']:.2f} points ({low:.2f} to {high:.2f})"
        mark = "  ← this pack" if point["chosen"] else ""
        lines.append(f"{point['bytes']:>12,}{point['divergence']:>12.4f}{point['agreement']:>13.1%}  {lost}{mark}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
