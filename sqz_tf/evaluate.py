"""How often a model is right on labelled pictures: `python -m sqz_tf.evaluate MODEL DATA`, without TensorFlow."""

from __future__ import annotations

import argparse
import json
import sys

from sqz_tf.base.console import (
    EXIT_OK,
    Console,
    Parser,
    command,
    common_options,
    positive,
    reading_options,
    show,
    show_json,
    thread_count,
)
from sqz_tf.base.shipped import shipped_model
from sqz_tf.data.accuracy import SPLITS, Evaluation, evaluate
from sqz_tf.data.sources import reading
from sqz_tf.images.find import Reading
from sqz_tf.inference.classifier import Classifier

EXAMPLES = """\
examples:
  python -m sqz_tf.evaluate model_int8.tflite photos/               every picture below photos/
  python -m sqz_tf.evaluate model_int8.tflite photos/ --split test  those that the export kept apart
  python -m sqz_tf.evaluate model_int8.tflite imagenet.zip --json
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.evaluate",
        description="Measure a .tflite file of this kit on labelled pictures: top-1 and top-5 accuracy. Classes are "
        "matched to the model's labels by wnid, name or number. Exit code 0: done, 1: failed, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=shipped_model,
        help="a .tflite of this kit, a .sqz, or the name of a model that comes with it",
    )
    parser.add_argument(
        "data", metavar="DATA", help="folder or .zip with a folder per class, or with labels.csv beside images/"
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help="only these pictures; without folders of that name, as an export splits them; test is all pictures if "
        "the model's export trained nothing (default: all)",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="at most N pictures, evenly spread (default: all)")
    reading_options(parser)
    parser.add_argument("--threads", type=thread_count, metavar="N", help="processors for the network (default: 1)")
    common_options(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    classifier = Classifier(arguments.model, threads=arguments.threads)
    console.note(reading(arguments.data))
    said = arguments.splits or arguments.zip_encoding
    result = evaluate(
        classifier,
        arguments.data,
        split=arguments.split,
        limit=arguments.limit,
        progress=console.step,
        reading=Reading(arguments.splits, arguments.zip_encoding) if said else None,
    )
    for note in result.notes:
        console.note(f"note: {note}")
    about = {
        "model": str(arguments.model),
        "data": arguments.data,
        "split": arguments.split,
        "runtime": classifier.runtime,
    }
    if arguments.json:
        show_json(json.dumps({**result.to_json(), **about}, indent=2))
    else:
        show(table(result, classifier))
    return EXIT_OK


def table(result: Evaluation, classifier: Classifier) -> str:
    """Return the result as text."""
    low, high = result.accuracy.interval
    rows = {
        "top-1": f"{result.accuracy.top1:.2%}  (95 % interval {low:.2%} to {high:.2%})",
        "top-5": f"{result.accuracy.top5:.2%}",
        "pictures": f"{result.accuracy.n}" + (f", {result.skipped} skipped" if result.skipped else ""),
        "classes": f"{result.classes} of the model's {len(classifier.labels)}",
    }
    return "\n".join(f"{name:<10}{text}" for name, text in rows.items())


if __name__ == "__main__":
    sys.exit(main())
