"""Running the app's tests on this machine's Java."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from android_demo.tools import apk
from android_demo.tools.android_api import api_jar
from android_demo.tools.build import APP, CORE
from android_demo.tools.java import classes_of_aar, compile_java, sources
from android_demo.tools.maven import fetch
from android_demo.tools.process import DEMO, BuildError, require_tools, run

APP_TESTS = DEMO / "app" / "src" / "test" / "java"
CORE_TESTS = DEMO / "core" / "src" / "test" / "java"
OPTIONS = ("-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=128m")
"""Most of the time goes into loading Android's classes once; their code does not fit into the usual 48 MB."""

LONGEST = 1800
"""Seconds; all of the app's tests take three minutes. Robolectric waits without end for a thread that died."""


def compile_core(out: Path, cache: Path) -> list[Path]:
    """Compile core and its tests.

    Args:
      out: folder for class files.
      cache: folder for artefacts.

    Returns:
      the class path to run them with.

    Raises:
      BuildError: a tool or artefact is missing, or something does not compile.
    """
    require_tools(["java", "javac", "mvn"])
    have = fetch(["junit", "tflite", "update"], cache)
    libraries = [path.resolve() for paths in have.values() for path in paths]
    core = compile_java(sources(CORE / "java"), have["update"], out / "core")
    tests = compile_java(sources(CORE_TESTS), [core, *libraries], out / "core-tests")
    return [tests, core, *libraries]


def compile_app(core: list[Path], assets: Path, out: Path, cache: Path) -> list[Path]:
    """Compile the app and its tests, which run on Robolectric.

    Args:
      core: what `compile_core` returned.
      assets: folder with the app's assets.
      out: folder for class files.
      cache: folder for artefacts.

    Returns:
      the class path to run them with.

    Raises:
      BuildError: a tool or artefact is missing, or something does not compile.
    """
    require_tools()
    have = fetch(["api36", "robolectric", "device"], cache)
    jars = [_jar(path.resolve(), out / "libraries") for path in have["robolectric"]]
    linked, generated = apk.link_resources(APP, assets, "0", out)
    api = api_jar(have["api36"][0])
    files = sources(APP / "java", APP_TESTS, generated)
    classes = compile_java(files, [api, *core, *jars], out / "app")
    _describe(classes, linked, assets, out)
    return [classes, *core, *jars, api.resolve()]


def run_app(
    classpath: list[Path],
    cache: Path,
    properties: Mapping[str, str],
    classes: Sequence[str] = (),
    libraries: Path | None = None,
) -> int:
    """Run the app's tests (default: all) on Robolectric with Android's classes from `cache`; as `run_junit`."""
    found = {"robolectric.offline": "true", "robolectric.dependency.dir": str(cache.resolve())}
    return run_junit(classes or test_classes(APP_TESTS), classpath, {**found, **properties}, libraries)


def _jar(path: Path, folder: Path) -> Path:
    return classes_of_aar(path, folder) if path.suffix == ".aar" else path


def _describe(classes: Path, linked: Path, assets: Path, work: Path) -> None:
    """Tell Robolectric where manifest, resources and assets are, as Gradle's plugin does."""
    values = {
        "android_merged_manifest": work / "AndroidManifest.xml",
        "android_resource_apk": linked.rename(linked.with_suffix(".ap_")),
        "android_merged_assets": assets,
        "android_custom_package": apk.APPLICATION,
    }
    target = classes / "com" / "android" / "tools" / "test_config.properties"
    target.parent.mkdir(parents=True)
    target.write_text("".join(f"{key}={value}\n" for key, value in values.items()), "utf-8")


def test_classes(folder: Path) -> list[str]:
    """Return the names of the test classes below a source folder."""
    files = sorted(folder.rglob("*Test.java"))
    return [".".join(path.relative_to(folder).with_suffix("").parts) for path in files]


def as_packaged(classpath: Iterable[Path]) -> list[Path]:
    """Return a class path without JavaCPP and the classes over it, which no package has.

    TFLite's library looks for them when it is taken for one of Java's own.
    """
    return [path for path in classpath if not path.name.startswith(("javacpp-", "tensorflow-lite-"))]


def run_junit(
    classes: Sequence[str], classpath: Iterable[Path], properties: Mapping[str, str], libraries: Path | None = None
) -> int:
    """Run JUnit tests.

    Args:
      classes: names of the test classes.
      classpath: where they and all that they need are.
      properties: for `System.getProperty`.
      libraries: folder of native libraries, and of what these need.

    Returns:
      how many ran.

    Raises:
      BuildError: one failed, with JUnit's account of it; or they wait for what will not come, with Java's threads.
    """
    defined = [f"-D{key}={value}" for key, value in properties.items()]
    joined = os.pathsep.join(map(str, classpath))
    if libraries is not None:
        defined.append(f"-Djava.library.path={libraries}")
    environment = None if libraries is None else {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    command = ("java", *OPTIONS, *defined, "-cp", joined, "org.junit.runner.JUnitCore", *classes)
    # Java answers SIGQUIT with what its threads wait for.
    limited = ("timeout", "--foreground", "--signal=QUIT", "--kill-after=5", str(LONGEST))
    shown = run(*limited, *command, env=environment)
    passed = re.search(r"^OK \((\d+) tests?\)", shown, re.M)
    if passed is None:
        raise BuildError(f"JUnit did not say OK:\n{shown[-2000:]}")
    return int(passed.group(1))
