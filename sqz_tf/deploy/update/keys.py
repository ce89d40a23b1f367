"""Ed25519 keys in PEM files, by the library `cryptography` (`pip install sqz-tf[update]`)."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from sqz_tf.base.errors import DataError, OutputError, SqzError

SIGNATURE_BYTES = 64
PUBLIC = ".pub"


class KeyError_(SqzError):
    """A key cannot be used, or is not the one that signed."""


def generate(path: Path) -> bytes:
    """Write a new private key and, under the same name with `.pub`, its public key; return the public key's 32 bytes.

    Raises:
      OutputError: one of the files is there, or cannot be written.
    """
    key = _ed25519().Ed25519PrivateKey.generate()
    how = _serialization()
    secret = key.private_bytes(how.Encoding.PEM, how.PrivateFormat.PKCS8, how.NoEncryption())
    public = key.public_key().public_bytes(how.Encoding.PEM, how.PublicFormat.SubjectPublicKeyInfo)
    _write_new(path, secret, 0o600)
    try:
        _write_new(_public_path(path), public, 0o644)
    except OutputError:
        path.unlink()  # half a pair is none
        raise
    return raw(key.public_key())


def private_key(path: Path) -> Any:
    """Return a private key.

    Raises:
      SqzError: the file cannot be read, or holds none.
    """
    how = _serialization()
    try:
        key = how.load_pem_private_key(_read(path), password=None)
    except TypeError as error:
        raise KeyError_(
            f"{path} is encrypted",
            expected="a key without a passphrase",
            fix=f"decrypt it: openssl pkey -in {path.name}",
        ) from error
    except (ValueError, _unknown()) as error:
        raise KeyError_(f"{path} holds no private key", expected=_EXPECTED, fix=_FIX) from error
    return _checked(path, key, _ed25519().Ed25519PrivateKey)


def public_key(path: Path) -> Any:
    """Return a public key, also of a private key's file.

    Raises:
      SqzError: the file cannot be read, or holds none.
    """
    data = _read(path)
    if b"PRIVATE KEY" in data:
        return private_key(path).public_key()
    try:
        key = _serialization().load_pem_public_key(data)
    except (ValueError, _unknown()) as error:
        raise KeyError_(f"{path} holds no public key", expected=_EXPECTED, fix=_FIX) from error
    return _checked(path, key, _ed25519().Ed25519PublicKey)


def raw(public: Any) -> bytes:
    """Return the 32 bytes of a public key."""
    how = _serialization()
    data: bytes = public.public_bytes(how.Encoding.Raw, how.PublicFormat.Raw)
    return data


def is_signed(public: Any, signature: bytes, message: bytes) -> bool:
    """Whether a signature of a message is a key's."""
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


_EXPECTED = "an Ed25519 key in PEM"
_FIX = "make one by python -m sqz_tf.update keygen"


def _public_path(path: Path) -> Path:
    return path.with_name(path.name + PUBLIC)


def _checked(path: Path, key: Any, kind: Any) -> Any:
    if not isinstance(key, kind):
        raise KeyError_(f"{path} holds a key of another kind", expected=_EXPECTED, fix=_FIX)
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected=_EXPECTED, fix=_FIX) from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    made = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            made = True
            file.write(data)
    except FileExistsError as error:
        raise OutputError(f"{path} exists", fix="choose another --out: a key is never replaced") from error
    except OSError as error:
        if made:
            path.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path} ({error.strerror})", fix="choose another --out") from error


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise SqzError("the library cryptography is not installed", fix="pip install 'sqz-tf[update]'") from error
    return ed25519


def _unknown() -> type[Exception]:
    """Return what the library raises for algorithms that it does not know."""
    from cryptography.exceptions import UnsupportedAlgorithm

    return UnsupportedAlgorithm


def _serialization() -> ModuleType:
    _ed25519()
    from cryptography.hazmat.primitives import serialization

    return serialization
