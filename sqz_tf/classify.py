"""Name what is on pictures: `python -m sqz_tf.classify model.tflite IMG…`, without TensorFlow."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from sqz_tf.base.console import (
    EXIT_FAILED,
    EXIT_OK,
    Console,
    Parser,
    command,
    common_options,
    positive,
    say,
    show,
    show_json,
    thread_count,
)
from sqz_tf.base.errors import SqzError
from sqz_tf.base.shipped import shipped_model
from sqz_tf.base.text import printable

if TYPE_CHECKING:
    from sqz_tf.inference.classifier import Answer, Classifier

EXAMPLES = """\
examples:
  python -m sqz_tf.classify model_int8.tflite photo.jpg
  python -m sqz_tf.classify model_int8.tflite photos/*.jpg --top 1 --json
"""
BAR = 20  # characters for a probability of 1


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.classify",
        description="Classify pictures with a .tflite file of this kit, which carries its labels and preprocessing. "
        "Exit code 0: all done, 1: a picture or the model cannot be used, 2: usage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=shipped_model,
        help="a .tflite of this kit, a .sqz, or the name of a model that comes with it",
    )
    parser.add_argument("pictures", nargs="+", metavar="IMG", help="a picture: JPEG, PNG, WebP, TIFF, GIF and others")
    parser.add_argument("--top", type=positive, default=5, metavar="N", help="answers a picture (default: 5)")
    parser.add_argument("--threads", type=thread_count, metavar="N", help="processors to use (default: 1)")
    common_options(parser, quiet="no notes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    from sqz_tf.inference import process

    process.begin()  # it gets ready while this process imports what follows
    from sqz_tf.inference.classifier import Classifier

    classifier = Classifier(arguments.model, threads=arguments.threads)
    height, width, channels = classifier.input.shape[1:]
    console.note(
        f"{arguments.model}: {len(classifier.labels)} classes, {width}×{height}×{channels} {classifier.input.dtype}, "
        f"run by {classifier.runtime}"
    )
    results: list[dict[str, Any]] = []
    for picture in arguments.pictures:
        results.append(_result(classifier, picture, arguments.top))
        if not arguments.json:
            show(_table(results[-1]), end="")
    if arguments.json:
        show_json(
            json.dumps({"model": str(arguments.model), "runtime": classifier.runtime, "images": results}, indent=2)
        )
    return EXIT_FAILED if any("error" in result for result in results) else EXIT_OK


def _result(classifier: Classifier, picture: str, top: int) -> dict[str, Any]:
    """Classify one picture; one that cannot be used is reported on stderr and does not stop the others."""
    try:
        answers = classifier.classify(picture)[:top]
    except SqzError as error:
        say(str(error), error=True)
        return {"image": picture, "error": str(error)}
    return {"image": picture, "top": [_answer(classifier, answer) for answer in answers]}


def _answer(classifier: Classifier, answer: Answer) -> dict[str, Any]:
    index, label, probability = answer
    wnid = {"wnid": classifier.wnids[index]} if classifier.wnids else {}
    return {"index": index, "label": label, "probability": probability, **wnid}


def _table(result: dict[str, Any]) -> str:
    """Return a picture's answers as text, a line each; nothing for one that failed."""
    if "error" in result:
        return ""
    lines = [f"{each['probability']:8.1%}  {bar(each['probability'])}  {each['label']}" for each in result["top"]]
    # The index tells classes of one name apart.
    lines = [f"{line} ({each['index']})" for line, each in zip(lines, result["top"], strict=True)]
    return "\n".join([*map(printable, (result["image"], *lines)), ""])


def bar(probability: float) -> str:
    """Return a bar of BAR characters, in eighths of one, for a probability in [0, 1]; anything else is cut off."""
    eighths = round(8 * BAR * min(1.0, max(0.0, probability)))
    return f"{'█' * (eighths // 8) + ' ▏▎▍▌▋▊▉'[eighths % 8].strip():<{BAR}}"


if __name__ == "__main__":
    sys.exit(main())
