"""From sources and exported models to a checked package."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from android_demo.tools import apk, java
from android_demo.tools.android_api import api_jar
from android_demo.tools.maven import empty_folder, fetch
from android_demo.tools.process import BuildError, require_tools
from android_demo.tools.verify import Verdict, verify
from converters.android_assets import FOLDER

DEMO = Path(__file__).resolve().parent.parent
APP, CORE = DEMO / "app" / "src" / "main", DEMO / "core" / "src" / "main"
ABIS = ("arm64-v8a", "x86_64")
APK = "sqz-demo.apk"


def build(assets: Path, abis: list[str], out: Path, cache: Path | None = None) -> Verdict:
    """Build `out/sqz-demo.apk` and `out/report.json`; the package appears only when it has passed every check.

    Args:
      assets: the app's assets, with `models/models.json`.
      abis: some of ABIS.
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
    have = fetch(["api36", "api24", "sniffer", "dex", "app"], cache)
    package, generated = apk.link_resources(APP, assets, version(), work)
    libraries = [java.classes_of_aar(aar, work) for aar in have["app"]]
    classes = java.compile_for_both(
        java.sources(CORE / "java", APP / "java", generated),
        api_jar(have["api36"][0]),
        api_jar(have["api24"][0]),
        have["sniffer"],
        libraries,
        work,
    )
    code = java.dex(have["dex"][0], [classes, *libraries], work / "classes.dex")
    files = {**apk.licences(have["app"]), **apk.native_libraries(have["app"], abis)}
    unsigned = apk.assemble(package, code, files, work / "unsigned.zip")
    signed = apk.sign(unsigned, out / "debug.keystore", work / "signed.zip")
    return _publish(signed, abis, out)


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
