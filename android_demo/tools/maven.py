"""Artefacts through Maven's own client, each pinned by SHA-256 in artefacts.txt.

The client decides where they come from (its settings name mirrors); whatever arrives is compared with its pin.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from android_demo.tools.process import BuildError, require_tools, run

PINS = Path(__file__).with_name("artefacts.txt")
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


@dataclass(frozen=True)
class Artefact:
    """One file of a Maven repository and its hash; `use` is what it is for."""

    use: str
    group: str
    name: str
    version: str
    extension: str
    classifier: str
    sha256: str

    @property
    def file(self) -> str:
        """The file's name."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{tail}.{self.extension}"


def read_pins(path: Path = PINS) -> list[Artefact]:
    """Read the pins: lines of use, group:name:version[:extension[:classifier]] and SHA-256; # begins a comment.

    Raises:
      BuildError: a line says something else.
    """
    lines = [line.partition("#")[0].split() for line in path.read_text("utf-8").splitlines()]
    return [_pin(words, path) for words in lines if words]


def _pin(words: list[str], path: Path) -> Artefact:
    parts = words[1].split(":") if len(words) == 3 else []
    if not 3 <= len(parts) <= 5:
        raise BuildError(f"{path.name}: cannot read `{' '.join(words)}`; expected use, coordinates and SHA-256")
    extension = parts[3] if len(parts) > 3 else "jar"
    classifier = parts[4] if len(parts) > 4 else ""
    return Artefact(words[0], parts[0], parts[1], parts[2], extension, classifier, words[2])


def fetch(uses: Iterable[str], folder: Path) -> dict[str, list[Path]]:
    """Return the files for some uses, in `folder`; those not yet there are downloaded.

    Returns:
      use → files in the order of the pins.

    Raises:
      BuildError: a file cannot be had, or has another hash than its pin.
    """
    wanted = [pin for pin in read_pins() if pin.use in set(uses)]
    absent = [pin for pin in wanted if sha256(folder / pin.file) != pin.sha256]
    if absent:
        _download(absent, folder)
    files: dict[str, list[Path]] = {use: [] for use in uses}
    for pin in wanted:
        _compare(folder / pin.file, pin)
        files[pin.use].append(folder / pin.file)
    return files


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal; empty if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _compare(path: Path, pin: Artefact) -> None:
    if (received := sha256(path)) != pin.sha256:
        path.unlink(missing_ok=True)
        raise BuildError(f"{pin.file} has SHA-256 {received}; expected {pin.sha256} (artefacts.txt)")


def _download(pins: list[Artefact], folder: Path) -> None:
    require_tools(["mvn", "java"])
    folder.mkdir(parents=True, exist_ok=True)
    pom = folder / f"fetch-{os.getpid()}.xml"
    pom.write_text(_pom(pins, folder.resolve()), "utf-8")
    try:
        _patiently("mvn", "-q", "-B", "-f", str(pom), f"{PLUGIN}:copy")
    finally:
        pom.unlink()


def _patiently(*command: str) -> None:
    """Run a command that needs the network, three times if it must."""
    for seconds in (5, 20, 0):
        try:
            run(*command)
            return
        except BuildError:
            if not seconds:
                raise
            time.sleep(seconds)


def _pom(pins: list[Artefact], folder: Path) -> str:
    """Return a project that does nothing but copy the artefacts into `folder`."""
    group, name, version = PLUGIN.split(":")
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fetch</groupId><artifactId>fetch</artifactId><version>1</version><packaging>pom</packaging>
  <build><plugins><plugin>
    <groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>
    <configuration>
      <outputDirectory>{escape(str(folder))}</outputDirectory>
      <overWriteReleases>true</overWriteReleases>
      <artifactItems>{"".join(map(_item, pins))}
      </artifactItems>
    </configuration>
  </plugin></plugins></build>
</project>
"""


def _item(pin: Artefact) -> str:
    parts = {
        "groupId": pin.group,
        "artifactId": pin.name,
        "version": pin.version,
        "type": pin.extension,
        "classifier": pin.classifier,
    }
    inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in parts.items() if value)
    return f"\n        <artifactItem>{inner}</artifactItem>"


def empty_folder(path: Path) -> Path:
    """Return a folder after making it anew."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
