"""Judging a package: is it signed, whole, aligned, and does it hold the models it should?"""

from __future__ import annotations

import hashlib
import re
import struct
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from android_demo.tools.apk import APPLICATION, PLATFORM_VERSION, TARGET_SDK
from android_demo.tools.natives import ABIS, EXACT, FAST, MIN_SDK, PAGE
from android_demo.tools.process import BuildError, run
from sqz_tf.base.json_files import parse

MODELS = "assets/models/"


@dataclass(frozen=True)
class Library:
    """A native library: its path, bytes, where it begins in the package, and the alignment of its segments."""

    path: str
    bytes: int
    offset: int
    segment_alignment: int


@dataclass(frozen=True)
class Verdict:
    """What was found in a package."""

    apk: str
    bytes: int
    sha256: str
    models: list[dict[str, Any]]
    libraries: list[Library]
    locales: list[str]
    updates: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def verify(apk: Path, abis: list[str]) -> Verdict:
    """Check a signed package.

    Raises:
      BuildError: it is not signed, not aligned, misses something, compresses a model, or has a library that
        a device with 16 KB pages or Java cannot load.
    """
    signature = run("apksigner", "verify", "--verbose", "--min-sdk-version", str(MIN_SDK), apk)
    for scheme in ("v2", "v3"):
        _expect(re.search(rf"\({'APK Signature Scheme ' + scheme}\): true", signature), f"no {scheme} signature")
    run("zipalign", "-c", "-p", "4", apk)
    badging = run("aapt", "dump", "badging", apk)
    _check_badging(badging)
    with zipfile.ZipFile(apk) as package:
        _expect("classes.dex" in package.namelist(), "no classes.dex")
        listed = parse(package.read(f"{MODELS}models.json"), dict[str, Any], what="models.json")
        models = _models(package, listed["models"], abis)
        libraries = [_library(apk, package, info) for info in package.infolist() if info.filename.endswith(".so")]
    wanted = sorted(f"lib/{abi}/{name}" for abi in abis for name in ABIS[abi].libraries)
    _expect(sorted(lib.path for lib in libraries) == wanted, f"native libraries {wanted} expected")
    locales = re.search(r"^locales: (.*)$", badging, re.M)
    names = [name for name in re.findall(r"'([^']*)'", locales.group(1) if locales else "") if name != "--_--"]
    data = apk.read_bytes()
    return Verdict(
        apk.name, len(data), hashlib.sha256(data).hexdigest(), models, libraries, names, listed.get("updates")
    )


def _expect(condition: object, fault: str) -> None:
    if not condition:
        raise BuildError(f"the package is not right: {fault}")


def _check_badging(badging: str) -> None:
    for wanted in (
        f"package: name='{APPLICATION}'",
        f"sdkVersion:'{MIN_SDK}'",
        f"targetSdkVersion:'{TARGET_SDK}'",
        f"compileSdkVersion='{TARGET_SDK}' compileSdkVersionCodename='{PLATFORM_VERSION}'",
        f"launchable-activity: name='{APPLICATION}.MainActivity'",
        "uses-permission: name='android.permission.CAMERA'",
    ):
        _expect(wanted in badging, f"badging lacks {wanted}")
    _expect("  uses-feature: name='android.hardware.camera" not in badging, "devices without a camera are shut out")


def _models(package: zipfile.ZipFile, listed: list[dict[str, Any]], abis: list[str]) -> list[dict[str, Any]]:
    """Return the bundled models after comparing each file with its hash; `exact`: whether their C is there as well."""
    for entry in listed:
        for file, digest in ((entry["file"], entry["sha256"]), (entry["labels"], entry["labels_sha256"])):
            _expect(hashlib.sha256(package.read(MODELS + file)).hexdigest() == digest, f"{file} has changed")
        stored = package.getinfo(MODELS + entry["file"]).compress_type == zipfile.ZIP_STORED
        _expect(stored, f"{entry['file']} is compressed")
        entry["exact"] = all(entry["sha256"].encode() in package.read(f"lib/{abi}/{EXACT}") for abi in abis)
    return listed


def _library(apk: Path, package: zipfile.ZipFile, info: zipfile.ZipInfo) -> Library:
    _expect(info.compress_type == zipfile.ZIP_STORED, f"{info.filename} is compressed")
    with apk.open("rb") as file:
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    offset = info.header_offset + 30 + name + extra
    _expect(offset % PAGE == 0, f"{info.filename} begins at {offset}, no multiple of {PAGE}")
    segments = segment_alignment(package.read(info))
    _expect(segments >= PAGE, f"the segments of {info.filename} are aligned to {segments}, less than {PAGE}")
    if info.filename.endswith((EXACT, FAST)):
        _expect("JNI_OnLoad" in exported(package.read(info)), f"{info.filename} has no JNI_OnLoad of its own")
    return Library(info.filename, info.file_size, offset, segments)


def exported(elf: bytes) -> set[str]:
    """Return the names of what an ELF library has for others."""
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(elf)
        file.flush()
        return {line.split()[-1] for line in run("nm", "-D", "--defined-only", file.name).splitlines()}


def segment_alignment(elf: bytes) -> int:
    """Return the smallest alignment of the loadable segments of a little-endian ELF file."""
    _expect(elf[:4] == b"\x7fELF" and elf[4] in (1, 2) and elf[5] == 1, "a native library is no little-endian ELF file")
    wide = elf[4] == 2
    word, start, sizes, align = ("<Q", 32, 54, 48) if wide else ("<I", 28, 42, 28)
    table = struct.unpack_from(word, elf, start)[0]
    size, count = struct.unpack_from("<HH", elf, sizes)
    headers = [table + size * i for i in range(count)]
    loads = [at for at in headers if struct.unpack_from("<I", elf, at)[0] == 1]  # PT_LOAD
    return int(min(struct.unpack_from(word, elf, at + align)[0] for at in loads))
