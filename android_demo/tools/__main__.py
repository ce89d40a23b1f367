"""Build `build/android/sqz-demo.apk` and check it, or bundle models for Gradle: see --help."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from android_demo.tools import models
from android_demo.tools.build import build, for_gradle
from android_demo.tools.natives import ABIS
from android_demo.tools.process import ALL, FOR_GRADLE, require_tools
from android_demo.tools.verify import Verdict
from sqz_tf.base.console import EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.text import printable
from sqz_tf.deploy.android import ASSETS, bundle, require_assets
from sqz_tf.deploy.update.trusting import trust_given, trust_options


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m android_demo.tools",
        description="Bundle exported models with the demo app, build the package without the Android SDK, check it.",
    )
    parser.add_argument(
        "models",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="output folders of sqz_tf.export (default: build/imagenet, made if its weights and "
        "pictures to judge it by are found; else "
        "build/digits, made if it is not there)",
    )
    parser.add_argument("--abi", action="append", choices=ABIS, help="processors to build for (default: all)")
    parser.add_argument("--out", type=Path, default=Path("build/android"), help="default: build/android")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="the app's assets (default: the app module's)")
    parser.add_argument("--only-bundle", action="store_true", help="fill assets and jniLibs for Gradle, and stop")
    trust_options(parser)
    common_options(parser, json="print the verdict as JSON")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 if the app cannot be built or is not right."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    require_tools(FOR_GRADLE if arguments.only_bundle else ALL)  # before an export is made for minutes
    require_assets(arguments.assets)
    trust = trust_given(arguments)
    exports = arguments.models or [models.make(*models.default_model(Path("build"), os.environ))]
    console.note(f"bundling {', '.join(map(str, exports))}")
    bundle(exports, arguments.assets, trust)
    abis = arguments.abi or list(ABIS)
    if arguments.only_bundle:
        for_gradle(arguments.assets, abis, arguments.out / "maven")
    else:
        verdict = build(arguments.assets, abis, arguments.out)
        if arguments.json:
            show_json(json.dumps(verdict.to_dict(), indent=2))
        else:
            show(summary(verdict, arguments.out))
    return EXIT_OK


def summary(verdict: Verdict, out: Path) -> str:
    """Return the verdict as lines of text."""
    rows = [f"{out / verdict.apk}: {verdict.bytes:,} bytes, signed (v2, v3) with a debug key"]
    rows += [
        f"  model {entry['name']}: {entry['bytes']:,} bytes, {'fast and exact' if entry['exact'] else 'fast'} kernels"
        for entry in verdict.models
    ]
    if verdict.updates:
        rows.append(
            f"  takes updates of {printable(verdict.updates['model'])} above version {verdict.updates['version']}"
        )
    rows += [
        f"  {lib.path}: {lib.bytes:,} bytes; segments are aligned to {lib.segment_alignment // 1024} KB"
        for lib in verdict.libraries
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
