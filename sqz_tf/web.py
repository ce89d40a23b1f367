"""Try a model in a browser: `python -m sqz_tf.web MODEL|EXPORT|NAME --out page.html`, without TensorFlow.

The page runs the C that a microcontroller runs, as WebAssembly; it is one file that asks nothing of any server.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sqz_tf.artifact.exported import INT8, Export
from sqz_tf.artifact.one_file import check_place, refuse_input, write_file
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.errors import ConversionError, translated
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.base.text import printable
from sqz_tf.deploy.update.trusting import trust_given, trust_options
from sqz_tf.deploy.web import facts, serving
from sqz_tf.deploy.web.described import described, report_of
from sqz_tf.deploy.web.page import Facts, is_page, render, require_templates
from sqz_tf.deploy.web.pictures import some_tests
from sqz_tf.deploy.web.program import build
from sqz_tf.deploy.web.toolchain import find

EXAMPLES = """\
examples:
  python -m sqz_tf.web digits --out digits.html               a model that comes with the kit
  python -m sqz_tf.web build/photos --out photos.html         the output folder of an export
  python -m sqz_tf.web model_int8.tflite --data photos/ --out page.html
  python -m sqz_tf.web model.sqz --update-key release.pem.pub --out page.html   takes updates that are dropped on it
  python -m sqz_tf.web model.sqz --out page.html --serve      on localhost, where browsers allow the camera
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.web",
        description="Write one HTML file that runs a model in any browser: the very C of a microcontroller as "
        "WebAssembly. Exit code 0: done, 1: failed, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=shipped_folder,
        help="an int8 .tflite, a .sqz, the output folder of an export, or a model that comes with the kit by name",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the page to write")
    parser.add_argument(
        "--data", metavar="SOURCE", help="pictures to try, with what they show (default: the export's own, if there)"
    )
    parser.add_argument(
        "--labels", metavar="FILE", type=Path, help="a label a line (default: those that the model carries)"
    )
    parser.add_argument("--title", help="of the page (default: the model's name)")
    parser.add_argument("--serve", action="store_true", help="open it on localhost, where browsers allow the camera")
    parser.add_argument("--overwrite", action="store_true", help="replace a page that this command wrote")
    trust_options(parser)
    common_options(parser, json="print sizes as JSON", quiet="no notes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    export = Export.open(arguments.model) if arguments.model.is_dir() else Export.beside(arguments.model)
    path = arguments.model / INT8 if arguments.model.is_dir() else arguments.model
    refuse_input(arguments.out, path)
    check_place(arguments.out, is_page, arguments.overwrite)  # before the first minute
    trust = trust_given(arguments)
    toolchain = find()
    require_templates()
    model = described(path, arguments.labels, console)
    report = report_of(export, model.content)
    title = printable(arguments.title or (str(report["name"]) if report else path.stem))
    card = facts.card(model, report)
    tests = some_tests(model, export, arguments.data, console)
    console.note(f"compiling with {toolchain.name}")
    with translated(ConversionError, f"{path} cannot be compiled"):
        program = build(model.content, model.preprocess, toolchain, updates=trust is not None)
    page = render(program, Facts(title, model.labels, card, facts.needs(model.content), tests, trust)).encode()
    write_file(arguments.out, page, is_page, arguments.overwrite)
    console.note(f"{arguments.out}: {len(page):,} bytes, built with {toolchain.name}")
    if arguments.json:
        show_json(json.dumps({"bytes": len(page), "wasm": len(program.simd.code), "weights": len(program.weights)}))
    else:
        show(printable(str(arguments.out)))
    if arguments.serve:
        serving.serve(page)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
