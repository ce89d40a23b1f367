"""From sources and exported models to a checked package."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from android_demo.tools import apk, java
from android_demo.tools.android_api import api_jar
from android_demo.tools.maven import empty_folder, fetch
from android_demo.tools.natives import native_libraries
from android_demo.tools.process import DEMO, FOR_GRADLE, BuildError, require_tools
from android_demo.tools.shrink import needed
from android_demo.tools.verify import Verdict, verify
from converters.android_assets import FOLDER
from sqz_tf.base.json_files import parse

APP, CORE = DEMO / "app" / "src" / "main", DEMO / "core" / "src" / "main"
APK = "sqz-demo.apk"
TINK = "assets/licences/tink.txt"
TINK_LICENCE = b"""Tink (com.google.crypto.tink), Copyright Google LLC: its classes that check signatures of updates.
Licensed under the Apache License, Version 2.0, whose text is in tensorflow.txt.
"""


def build(assets: Path, abis: list[str], out: Path, cache: Path | None = None) -> Verdict:
    """Build `out/sqz-demo.apk` and `out/report.json`; the package appears only when it has passed every check.

    Args:
      assets: the app's assets, with `models/models.json`.
      abis: some of `natives.ABIS`.
      out: what is there already is kept, but for an earlier package.
      cache: folder for artefacts (default: `out/maven`).

    Raises:
      BuildError: a tool or artefact is missing, something does not compile, or the package is not right.
    """
    require_tools()
    if not (assets / FOLDER / "models.json").is_file():
        raise BuildError("no model is bundled; name the output folder of an export")
    out = out.resolve()
    for name in (APK, "report.json"):
        (out / name).unlink(missing_ok=True)
    work = empty_folder(out / "work")
    cache = cache or out / "maven"
    have = fetch(["api36", "api24", "sniffer", "dex", "natives", "tensorflow", "update"], cache)
    package, generated = apk.link_resources(APP, assets, version(), work)
    classes = java.compile_for_both(
        java.sources(CORE / "java", APP / "java", generated),
        api_jar(have["api36"][0]),
        api_jar(have["api24"][0]),
        have["sniffer"],
        have["update"],
        work,
    )
    signatures = needed(have["update"][0], (path.read_bytes() for path in classes.rglob("*.class")), work / "tink.jar")
    java.refuse_too_new(signatures, have["sniffer"])
    code = java.dex(have["dex"][0], [classes, signatures], work / "classes.dex")
    libraries = native_libraries(bundled(assets), abis, have["natives"], work / "natives")
    files = {**apk.licence(have["tensorflow"][0], "tensorflow"), TINK: TINK_LICENCE, **libraries.files}
    unsigned = apk.assemble(package, code, files, work / "unsigned.zip")
    signed = apk.sign(unsigned, out / "debug.keystore", work / "signed.zip")
    return _publish(signed, abis, out)


def for_gradle(assets: Path, abis: list[str], cache: Path) -> None:
    """Put the native libraries of bundled models beside the assets, where Gradle's plugin takes them from.

    Args:
      assets: the app's assets, with `models/models.json`.
      abis: some of `natives.ABIS`.
      cache: folder for artefacts.

    Raises:
      BuildError: a tool or artefact is missing, or something does not compile.
    """
    require_tools(FOR_GRADLE)
    jars = fetch(["natives"], cache)["natives"]
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as work:
        libraries = native_libraries(bundled(assets), abis, jars, Path(work) / "natives")
    folder = empty_folder(assets.with_name("jniLibs"))
    for path, data in libraries.files.items():
        target = folder / Path(path).relative_to("lib")
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)


def bundled(assets: Path) -> dict[str, bytes]:
    """Return the models in an app's assets: name → bytes of the `.tflite`."""
    folder = assets / FOLDER
    listed = parse((folder / "models.json").read_text("utf-8"), dict[str, Any], what="models.json")["models"]
    return {entry["name"]: (folder / entry["file"]).read_bytes() for entry in listed}


def _publish(signed: Path, abis: list[str], out: Path) -> Verdict:
    """Give a package its name once it has passed."""
    part = signed.with_name(APK)
    signed.rename(part)
    try:
        verdict = verify(part, abis)
    except BuildError:
        part.unlink()
        raise
    (out / "report.json").write_text(json.dumps(verdict.to_dict(), indent=2) + "\n", "utf-8")
    os.replace(part, out / APK)
    shutil.rmtree(out / "work")
    return verdict


def version() -> str:
    """Return the kit's version, which is the app's."""
    text = (DEMO.parent / "sqz_tf" / "__init__.py").read_text("utf-8")
    return text.split('__version__ = "')[1].split('"')[0]
