"""Updates from the command line, signed by a real library and judged by another one on a device."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import delta
from converters.tflite.writer import with_attached
from sqz_tf import compile as compile_
from sqz_tf import update
from sqz_tf.deploy.update import images, keys
from tests.helpers import echo_models, file_updates
from tests.helpers.int8_networks import squeezenet
from tests.helpers.needs import require
from tests.helpers.slots import fine_tuned, xorshift
from tests.helpers.updates import device, simulated

LAYOUT = ("--target", "cortex-m4", "--optimize", "flash")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys, two versions of a network, another network, and their updates."""
    require(importlib.util.find_spec("cryptography"), "cryptography is not installed")
    here = tmp_path_factory.mktemp("updates")
    models = {"v1": squeezenet(), "v2": fine_tuned(squeezenet(), 1), "v3": fine_tuned(squeezenet(), 2)}
    for name, model in {**models, "other": squeezenet(classes=7)}.items():
        (here / f"{name}.tflite").write_bytes(model)
    for name in ("release", "factory", "stranger"):
        assert run("keygen", "--out", here / f"{name}.pem") == 0
        public = keys.raw(keys.public_key(here / f"{name}.pem.pub"))
        (here / f"{name}.raw").write_bytes(public)
    full = made(here, "full", "v1", 1).read_bytes()
    made(here, "small", "v2", 2, "--from", here / "v1.tflite")
    (here / "cut.squ").write_bytes(full[:-500])
    (here / "flipped.squ").write_bytes(full[:-500] + bytes([full[-500] ^ 1]) + full[-499:])
    (here / "half.pem.pub").touch()
    write_awkward_keys(here)
    (here / "changed.squ").write_bytes(full[:56] + bytes([full[56] ^ 1]) + full[57:])
    return here


def write_awkward_keys(here: Path) -> None:
    """A key with a passphrase, and a pair of an algorithm that the library does not know."""
    from cryptography.hazmat.primitives import serialization as how

    key = keys.private_key(here / "release.pem")
    sealed = key.private_bytes(how.Encoding.PEM, how.PrivateFormat.PKCS8, how.BestAvailableEncryption(b"secret"))
    (here / "encrypted.pem").write_bytes(sealed)
    for name, kind, format_ in (
        (
            "unknown.pem",
            "PRIVATE KEY",
            key.private_bytes(how.Encoding.DER, how.PrivateFormat.PKCS8, how.NoEncryption()),
        ),
        (
            "unknown.pem.pub",
            "PUBLIC KEY",
            key.public_key().public_bytes(how.Encoding.DER, how.PublicFormat.SubjectPublicKeyInfo),
        ),
    ):
        body = base64.b64encode(format_.replace(b"\x2b\x65\x70", b"\x2b\x65\x7f")).decode()
        (here / name).write_text(f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")


def run(*arguments: object) -> int:
    return update.main([*map(str, arguments), "--quiet"])


def made(folder: Path, name: str, model: str, version: int, *more: object, key: str = "release") -> Path:
    out = folder / f"{name}.squ"
    given = ("--version", version, "--key", folder / f"{key}.pem", "--model", "net", "--out", out, *LAYOUT, *more)
    assert run("make", folder / f"{model}.tflite", *given, "--overwrite") == 0
    return out


def test_what_is_made_is_shown_verified_and_applied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full, small = folder / "full.squ", folder / "small.squ"
    assert len(small.read_bytes()) < len(full.read_bytes()) / 2
    capsys.readouterr()
    assert run("show", small, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["body"], shown["model"], shown["version"]) == ("delta", "net", 2)
    assert shown["key"] == (folder / "release.raw").read_bytes()[:8].hex()
    assert run("verify", small, "--key", folder / "release.pem.pub") == 0
    v1, v2 = folder / "v1.image", folder / "v2.image"
    assert run("apply", full, "--out", v1) == 0
    assert run("apply", small, "--from", v1, "--key", folder / "release.pem.pub", "--out", v2) == 0
    layout = images.Layout("cortex-m4", "flash")
    assert v2.read_bytes() == images.build(folder / "v2.tflite", layout).data
    again = made(folder, "again", "v2", 2, "--from", folder / "v1.tflite")
    assert again.read_bytes() == small.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "full.squ", "--key", "stranger.pem.pub"), "not by this one"),
        (("verify", "changed.squ", "--key", "release.pem.pub"), "changed after it was signed"),
        (("verify", "v1.tflite", "--key", "release.pem.pub"), "no update"),
        (("verify", "full.squ", "--key", "v1.tflite"), "holds no public key"),
        (("apply", "small.squ", "--out", "x.image"), "against another result"),
        (("apply", "small.squ", "--from", "v1.tflite", "--out", "x.image"), "is no image"),
        (("keygen", "--out", "release.pem"), "never replaced"),
        (("make", "other.tflite", "--from", "v1.tflite", "--version", 2, "--key", "release.pem"), "different programs"),
        (("make", "v1.tflite", "--version", 2, "--key", "release.pem.pub"), "holds no private key"),
        (("make", "v1.tflite", "--version", 2, "--key", "release.pem", "--slot-kb", 1), "in a slot"),
        (
            ("make", "v1.tflite", "--version", 2, "--key", "release.pem", "--slot-kb", 0.1),
            "more than the 288 of its record",
        ),
        (("make", "v1.tflite", "--version", 2, "--key", "release.pem", "--classes", 70000), "65534 classes at most"),
        (("make", "v1.tflite", "--version", 2, "--key", "release.pem", "--model", "x" * 17), "over 16 bytes"),
        (("make", "v1.tflite", "--version", 2, "--key", "encrypted.pem"), "encrypted.pem is encrypted; expected a key"),
        (("make", "v1.tflite", "--version", 2, "--key", "unknown.pem"), "holds no private key"),
        (("verify", "full.squ", "--key", "unknown.pem.pub"), "holds no public key"),
        (("verify", "cut.squ", "--key", "release.pem.pub"), "bytes of body; expected"),
        (("verify", "flipped.squ", "--key", "release.pem.pub"), "its body is not what was signed"),
        (("keygen", "--out", "half.pem"), "half.pem.pub exists"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], said: str
) -> None:
    files = [folder / each if isinstance(each, str) and "." in each else each for each in arguments]
    more = ("--out", folder / "none.squ", *LAYOUT) if arguments[0] == "make" else ()
    assert run(*files, *more) == 1
    assert said in capsys.readouterr().err


def test_a_device_takes_its_own_and_refuses_the_rest_by_name(folder: Path, tmp_path: Path) -> None:
    require(Path("/usr/include/openssl/evp.h").exists(), "OpenSSL's headers are not installed")
    require(shutil.which("gcc"), "gcc is not installed")
    program = device(tmp_path, "-O1", "-DWITH_OPENSSL", link=("-lcrypto",))
    old = made(folder, "v1", "v1", 3)
    full, small = made(folder, "v2", "v2", 4), made(folder, "v1-v2", "v2", 4, "--from", folder / "v1.tflite")
    expected = {
        full: "OK new 4",
        small: "OK new 4",
        made(folder, "replay", "v2", 3): "ERROR_VERSION old 3",
        made(folder, "down", "v2", 2, key="factory"): "OK new 2",
        made(folder, "stranger", "v2", 4, key="stranger"): "ERROR_KEY old 3",
        made(folder, "model", "v2", 4, "--model", "nets"): "ERROR_MODEL old 3",
        made(folder, "network", "other", 4): "ERROR_NETWORK old 3",
        made(folder, "base", "v3", 4, "--from", folder / "v2.tflite"): "ERROR_BASE old 3",
        changed(full, 60, folder / "header.squ"): "ERROR_SIGNATURE old 3",
        changed(small, 150, folder / "signature.squ"): "ERROR_SIGNATURE old 3",
        changed(full, 5, folder / "format.squ"): "ERROR_FORMAT old 3",
        for_an_app(folder): "ERROR_FORMAT old 3",
        changed(full, 999, folder / "full-body.squ"): "ERROR_DAMAGED old 3",
        changed(small, 300, folder / "delta-body.squ"): "ERROR_DAMAGED old 3",
        cut(full, folder / "full-cut.squ"): "ERROR_DAMAGED old 3",
        cut(small, folder / "delta-cut.squ"): "ERROR_DAMAGED old 3",
    }
    given = [folder / "release.raw", folder / "factory.raw", *expected]
    lines = simulated(program, 8, "1024x4", old, full, "file", *given)
    assert dict(zip((path.name for path in expected), lines, strict=True)) == {
        path.name: line for path, line in expected.items()
    }


def test_half_a_pair_of_keys_is_not_left(folder: Path) -> None:
    assert run("keygen", "--out", folder / "half.pem") == 1
    assert not (folder / "half.pem").exists()


def test_a_slot_from_the_factory_runs_and_takes_a_delta(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, small = made(folder, "first", "v1", 7), made(folder, "second", "v2", 8, "--from", folder / "v1.tflite")
    slot, image = tmp_path / "slot0.bin", tmp_path / "v2.image"
    assert run("apply", first, "--slot-kb", 4, "--out", slot) == 0
    assert len(slot.read_bytes()) == 4096
    lines = simulated(device(tmp_path, "-O1"), 8, "1024x4", first, small, "factory", slot)
    assert lines == ["OK 7 1 confirmed 1", "OK"]
    assert run("apply", small, "--from", slot, "--out", image) == 0
    assert run("apply", first, "--slot-kb", 0.5, "--out", tmp_path / "small.bin") == 1
    assert "in a slot" in capsys.readouterr().err
    assert run("apply", for_an_app(folder), "--slot-kb", 4, "--out", tmp_path / "small.bin") == 1
    assert not (tmp_path / "small.bin").exists()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_labels_in_an_image_are_those_of_the_program_however_their_lines_end(
    folder: Path, tmp_path: Path, ends: str
) -> None:
    model, labels = tmp_path / "labelled.tflite", list("abcde")
    carried = {"labels.txt": ends.join([*labels, ""]).encode()}
    model.write_bytes(with_attached((folder / "v1.tflite").read_bytes(), carried))
    layout = images.Layout("cortex-m4", "flash")
    of_program = images.image_of(model.read_bytes(), images.analysed(model.read_bytes(), layout), b"a\nb\nc\nd\ne")
    assert images.build(model, layout, with_labels=True).data == of_program.data


def test_an_image_larger_than_its_slot_is_refused_before_anything_is_erased(folder: Path, tmp_path: Path) -> None:
    program = device(tmp_path, "-O1")
    old, new = made(folder, "small-slot", "v1", 3), made(folder, "too-large", "v2", 4)
    header = delta.read_header(new.read_bytes())
    large = replace(header, image_bytes=header.image_bytes + 4096, body_bytes=header.body_bytes + 4096)
    new.write_bytes(large.stored + new.read_bytes()[delta.HEADER_BYTES :] + bytes(4096))
    assert simulated(program, 8, "1024x4", old, new, "file", new) == ["ERROR_SPACE old 3"]


def test_the_input_that_a_device_tries_an_image_with_is_the_pages() -> None:
    assert np.array_equal(images.input_of(7, (3, 5)).ravel(), xorshift(7, 15))
    assert xorshift(1, 3).tolist() == [33, 1, -59]  # the lowest bytes of 270369, 67634689 and 2647435461


def for_an_app(folder: Path) -> Path:
    """Return an update of the same product that is signed by the same key, to a file."""
    out = folder / "file.squ"
    content = echo_models.described(echo_models.model())
    out.write_bytes(file_updates.made(content, 4, "net", keys.private_key(folder / "release.pem")))
    return out


def changed(path: Path, at: int, to: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[at] ^= 16
    to.write_bytes(data)
    return to


def cut(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes()[:-5])
    return to


def test_a_program_and_its_updates_name_the_same_network(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--board", "stm32f405", "--optimize", "flash", "--classes", 9)
    wanted = (folder / "v1.tflite", "--weights", "slot", "--out", tmp_path / "net", *given, "--quiet")
    assert compile_.main([*map(str, wanted)]) == 0
    (network,) = re.findall(r"network +([0-9a-f]{64})", (tmp_path / "net" / "v1.h").read_text(encoding="utf-8"))
    out = tmp_path / "other.squ"
    key = ("--version", 1, "--key", folder / "release.pem", "--out", out)
    assert run("make", folder / "other.tflite", *key, *given) == 0
    capsys.readouterr()
    assert run("show", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["network"] == network


@pytest.mark.parametrize("wrong", [("--weights", "slot", "--flash-budget", "400"), ("--classes", "9")])
def test_options_that_do_not_go_with_where_weights_lie_are_wrong_usage(wrong: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        compile_.main(["model.tflite", "--out", "net", *wrong])
    assert ended.value.code == 2
