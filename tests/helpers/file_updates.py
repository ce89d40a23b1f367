"""Updates for the app and for pages: right, and wrong in one way each."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from converters import delta
from converters.delta.container import FILE, IMAGE
from sqz_tf.deploy.update import keys, updates
from sqz_tf.deploy.update.images import Built

PRODUCT, INSTALLED = "door-camera", 3
RELEASE, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2))
"""Keys that are the same each time, so that files made of them are."""


def made(
    content: bytes,
    version: int,
    model: str = PRODUCT,
    key: Ed25519PrivateKey = RELEASE,
    kind: int = FILE,
    network: bytes = bytes(32),
) -> bytes:
    """Return an update to some bytes."""
    return updates.make(Built(content, (), network, kind), None, version, model, key)


def public(key: Ed25519PrivateKey = RELEASE) -> bytes:
    """Return the 32 bytes of a public key."""
    return keys.raw(key.public_key())


def flipped(data: bytes, at: int) -> bytes:
    """Return bytes of which one has another lowest digit."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def resigned(update: bytes, **changes: object) -> bytes:
    """Return an update whose header says something else, signed anew."""
    header = replace(delta.read_header(update), **changes)  # type: ignore[arg-type]
    return replace(header, signature=RELEASE.sign(header.signed)).stored + update[delta.HEADER_BYTES :]


def refused(content: bytes, other: bytes, kind: int = FILE, network: bytes = bytes(32)) -> dict[str, bytes]:
    """Return what a reader with `INSTALLED` of `PRODUCT` refuses: STATUS-what.squ → bytes, in the order of the checks.

    Args:
      content, other: of two results.
      kind, network: that the reader takes.
    """
    update = partial(made, kind=kind, network=network)
    good = update(content, INSTALLED + 1)
    several = update(content, INSTALLED, "doorbell", STRANGER)
    return {
        "FORMAT-magic_alone": good[:4],
        "FORMAT-cut_in_the_header": good[: delta.HEADER_BYTES - 1],
        "FORMAT-of_another_format": flipped(good, 4),
        "FORMAT-a_delta": flipped(good, 6),
        "FORMAT-of_another_kind": update(content, INSTALLED + 1, kind=FILE + IMAGE - kind),
        "KEY-of_a_stranger": update(content, INSTALLED + 1, key=STRANGER),
        "KEY-before_all_else": several,
        "SIGNATURE-version_changed": flipped(good, 56),
        "SIGNATURE-hash_changed": flipped(good, 80),
        "SIGNATURE-changed": flipped(good, 150),
        "SIGNATURE-of_a_stranger": good[: delta.SIGNED_BYTES]
        + STRANGER.sign(good[: delta.SIGNED_BYTES])
        + good[delta.HEADER_BYTES :],
        "SIGNATURE-before_the_model": flipped(update(content, 1, "doorbell"), 150),
        "MODEL-of_another_product": update(content, INSTALLED + 1, "doorbell"),
        "MODEL-of_a_longer_name": update(content, INSTALLED + 1, PRODUCT + "2"),
        "MODEL-before_the_version": update(content, 1, "doorbell"),
        "NETWORK-of_another_program": resigned(good, network=bytes([7] * 32)),
        "VERSION-older": update(content, INSTALLED - 1),
        "VERSION-the_same_of_something_else": update(other, INSTALLED),
        "SPACE-too_large": resigned(good, image_bytes=(32 << 20) + 1, body_bytes=(32 << 20) + 1),
        "FORMAT-two_sizes": resigned(good, image_bytes=len(content) + 1),
        "DAMAGED-cut": good[:-1],
        "DAMAGED-no_body": good[: delta.HEADER_BYTES],
        "DAMAGED-too_long": good + b"\0",
        "DAMAGED-body_changed": flipped(good, delta.HEADER_BYTES + 5),
    }


def write(folder: Path, content: bytes, other: bytes) -> str:
    """Write updates that are refused, some that are not, the trusted key and the results; return the folder."""
    folder.mkdir()
    files = {
        **{f"{name}.squ": update for name, update in refused(content, other).items()},
        "v3.squ": made(content, INSTALLED),
        "v4.squ": made(other, INSTALLED + 1),
        "v5.squ": made(content, INSTALLED + 2),
        "v6_no_model.squ": made(b"no model at all", INSTALLED + 3),
        "key": public(),
        "content": content,
        "other": other,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return str(folder)
