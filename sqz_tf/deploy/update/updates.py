"""Make, describe and check updates."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from converters import delta
from converters.delta.container import DELTA, FILE, FULL, IMAGE
from sqz_tf.base.errors import ConfigError, DataError, translated
from sqz_tf.deploy.update import keys
from sqz_tf.deploy.update.images import Built

BODIES = ("full", "delta")
KINDS = {IMAGE: "image", FILE: "file"}
KEY_BYTES = 8


def make(new: Built, old: Built | None, version: int, model: str, key: Any) -> bytes:
    """Return an update.

    Args:
      new: what it makes.
      old: what it is against; None for a full one.
      version: of `new`.
      model: identity.
      key: private, signs it.

    Raises:
      ConfigError: the two are for different programs.
    """
    if old and old.network != new.network:
        raise ConfigError(
            "the old and the new model are for different programs "
            f"(network {old.network.hex()[:16]}… and {new.network.hex()[:16]}…)",
            expected="two networks of the same shapes",
            fix="put the new program on the device, with its model",
        )
    body = delta.delta(old.data, new.data, old.pieces, new.pieces) if old else new.data
    header = delta.Header(
        body=DELTA if old else FULL,
        kind=new.kind,
        network=new.network,
        model=model,
        version=version,
        image_bytes=len(new.data),
        body_bytes=len(body),
        old_bytes=len(old.data) if old else 0,
        sha256=hashlib.sha256(new.data).digest(),
        old_sha256=hashlib.sha256(old.data).digest() if old else bytes(32),
        key=keys.raw(key.public_key())[:KEY_BYTES],
    )
    with translated(ConfigError, "the update cannot be made"):
        return replace(header, signature=key.sign(header.signed)).stored + body


def read(path: Path) -> bytes:
    """Return an update's bytes.

    Raises:
      DataError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected="a .squ") from error


def header_of(path: Path, update: bytes) -> delta.Header:
    """Return an update's header.

    Raises:
      DataError: it is none.
    """
    with translated(DataError, f"{path} cannot be used"):
        return delta.read_header(update)


def described(header: delta.Header) -> dict[str, object]:
    """Return what an update says of itself, as values that JSON can hold."""
    return {
        "body": BODIES[header.body],
        "kind": KINDS[header.kind],
        "model": header.model,
        "version": header.version,
        "network": header.network.hex(),
        "image_bytes": header.image_bytes,
        "body_bytes": header.body_bytes,
        "sha256": header.sha256.hex(),
        "old_bytes": header.old_bytes,
        "old_sha256": header.old_sha256.hex() if header.old_bytes else None,
        "key": header.key.hex(),
    }


def check_signature(path: Path, update: bytes, public: Any) -> delta.Header:
    """Return an update's header if a key signed it.

    Raises:
      DataError: it is no update.
      KeyError_: another key signed it, or its header was changed.
    """
    header = header_of(path, update)
    if header.key != keys.raw(public)[:KEY_BYTES]:
        raise keys.KeyError_(f"{path} was signed by the key {header.key.hex()}…, not by this one", fix="give its key")
    if not keys.is_signed(public, header.signature, update[: delta.SIGNED_BYTES]):
        raise keys.KeyError_(f"{path} was changed after it was signed", fix="fetch it again")
    return header


def check_body(path: Path, update: bytes, header: delta.Header) -> None:
    """Raise unless an update's body is whole; whether a delta's is the right one, only applying it can tell.

    Raises:
      DataError: bytes are missing, too many, or changed.
    """
    body = update[delta.HEADER_BYTES :]
    if len(body) != header.body_bytes:
        raise DataError(
            f"{path} has {len(body):,} bytes of body", expected=f"{header.body_bytes:,}", fix="fetch it again"
        )
    if header.body == FULL and hashlib.sha256(body).digest() != header.sha256:
        raise DataError(f"{path} is damaged: its body is not what was signed", fix="fetch it again")


def result_of(path: Path, update: bytes, old: bytes | None) -> bytes:
    """Return what an update makes.

    Raises:
      DataError: it is damaged, or against something else.
    """
    with translated(DataError, f"{path} cannot be applied"):
        return delta.apply(update, old)
