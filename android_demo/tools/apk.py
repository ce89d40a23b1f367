"""The package itself: resources, alignment, signature."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from android_demo.tools.maven import empty_folder
from android_demo.tools.natives import MIN_SDK, PAGE
from android_demo.tools.process import FRAMEWORK_RESOURCES, run

APPLICATION = "org.sqztf.demo"
TARGET_SDK = 36
PLATFORM_VERSION = "16"  # of Android, whose API 36 the sources are compiled against; Debian's resources are those of 29
_ALIGN_FIELD = 0xD935  # the extra field that keeps an entry's alignment when the package is signed
_DATE = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER = 30  # bytes before the name


def link_resources(app: Path, assets: Path, version: str, work: Path) -> tuple[Path, Path]:
    """Compile and link resources, manifest and assets.

    Args:
      app: the module's `src/main`.
      assets: folder to package as the app's assets.

    Returns:
      the unfinished package, and the folder of the generated `R.java`.
    """
    compiled = work / "resources.zip"
    run("aapt2", "compile", "--dir", app / "res", "-o", compiled)
    manifest = work / "AndroidManifest.xml"
    manifest.write_text(merged_manifest((app / "AndroidManifest.xml").read_text("utf-8")), "utf-8")
    linked, generated = work / "linked.zip", empty_folder(work / "generated")
    run("aapt2", "link", "-I", FRAMEWORK_RESOURCES, "--manifest", manifest, "-A", assets, "--java", generated,
        "--auto-add-overlay", "--min-sdk-version", str(MIN_SDK), "--target-sdk-version", str(TARGET_SDK),
        "--compile-sdk-version-code", str(TARGET_SDK), "--compile-sdk-version-name", PLATFORM_VERSION,
        "--version-code", "1", "--version-name", version, "-o", linked, compiled)  # fmt: skip
    return linked, generated


def merged_manifest(source: str) -> str:
    """Return the manifest with what Gradle's plugin would add: the package, and libraries used in place."""
    named = source.replace("<manifest ", f'<manifest package="{APPLICATION}" ', 1)
    return named.replace("<application", '<application android:extractNativeLibs="false"', 1)


def assemble(linked: Path, dex: Path, files: Mapping[str, bytes], out: Path) -> Path:
    """Put a package together: entries of `linked`, code, and more files; `.tflite` and `.so` stored and aligned.

    Args:
      files: path in the package, such as `lib/ABI/NAME.so` → bytes.
    """
    with zipfile.ZipFile(linked) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            # aapt2 could store models, but takes model.1.tflite for a .1.tflite
            stored = info.filename.endswith(".tflite")
            _add(target, info.filename, source.read(info), zipfile.ZIP_STORED if stored else info.compress_type)
        _add(target, "classes.dex", dex.read_bytes(), zipfile.ZIP_DEFLATED)
        for path, data in files.items():
            _add(target, path, data, zipfile.ZIP_STORED if path.endswith(".so") else zipfile.ZIP_DEFLATED)
    return out


def _add(target: zipfile.ZipFile, name: str, data: bytes, method: int) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = method
    info.external_attr = 0o644 << 16
    if method == zipfile.ZIP_STORED:
        assert target.fp is not None
        start = target.fp.tell() + _LOCAL_HEADER + len(name.encode())
        info.extra = _padding(start, PAGE if name.endswith(".so") else 4)
    target.writestr(info, data)


def _padding(start: int, alignment: int) -> bytes:
    """Return an extra field after which data that would begin at `start` is aligned."""
    room = 6  # the field's own header and the alignment
    zeros = -(start + room) % alignment
    return struct.pack("<HHH", _ALIGN_FIELD, 2 + zeros, alignment) + bytes(zeros)


def sign(package: Path, keystore: Path, out: Path) -> Path:
    """Sign with the debug key in `keystore`, made if it is not there."""
    if not keystore.is_file():
        run("keytool", "-genkeypair", "-keystore", keystore, "-storepass", "android", "-keypass", "android",
            "-alias", "androiddebugkey", "-keyalg", "RSA", "-keysize", "2048", "-validity", "10000",
            "-dname", "CN=Android Debug,O=Android,C=US")  # fmt: skip
    run("apksigner", "sign", "--ks", keystore, "--ks-pass", "pass:android", "--min-sdk-version", str(MIN_SDK),
        "--v1-signing-enabled", "false", "--v2-signing-enabled", "true", "--v3-signing-enabled", "true",
        "--out", out, package)  # fmt: skip
    out.with_name(f"{out.name}.idsig").unlink(missing_ok=True)
    return out


def licence(aar: Path, name: str) -> dict[str, bytes]:
    """Return the licence in an Android library: path in the package → text."""
    with zipfile.ZipFile(aar) as archive:
        return {f"assets/licences/{name}.txt": archive.read("LICENSE")}
