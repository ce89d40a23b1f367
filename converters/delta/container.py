"""The header of an update, and the refusals of one that cannot be."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"SQZU"
FORMAT = 1
SIGNED_BYTES, HEADER_BYTES = 144, 208
LAYOUT = struct.Struct("<4sHBB32s16sIIII32s32s8s")
LARGEST = (1 << 31) - 1
FULL, DELTA = 0, 1
IMAGE, FILE = 1, 2  # kinds of results


class DeltaError(ValueError):
    """An update is damaged, or not for what is there."""


@dataclass(frozen=True)
class Header:
    """What an update says of itself.

    Attributes:
      body, kind: FULL or DELTA; IMAGE or FILE.
      network: hash of the program that an image is for; zeros for a file.
      model: identity.
      version: of the result.
      image_bytes, body_bytes, old_bytes: of the result, of the body, of what a delta is against.
      sha256, old_sha256: of the result, of what a delta is against; zeros without.
      key: the first bytes of the public key.
      signature: of the bytes before it.
    """

    body: int
    kind: int
    network: bytes
    model: str
    version: int
    image_bytes: int
    body_bytes: int
    old_bytes: int
    sha256: bytes
    old_sha256: bytes
    key: bytes
    signature: bytes = bytes(64)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of."""
        name = self.model.encode()
        check(len(name) <= 16, f"the model's identity {self.model!r} has over 16 bytes")
        check(0 <= self.version <= LARGEST, f"the version is {self.version}, expected 0 to {LARGEST}")
        sizes = (self.version, self.image_bytes, self.body_bytes, self.old_bytes)
        hashes = (self.sha256, self.old_sha256, self.key)
        return LAYOUT.pack(MAGIC, FORMAT, self.body, self.kind, self.network, name, *sizes, *hashes)

    @property
    def stored(self) -> bytes:
        """The whole header."""
        return self.signed + self.signature


def check(condition: bool, what: str) -> None:
    """Raise DeltaError unless a condition holds."""
    if not condition:
        raise DeltaError(what)


def is_update(beginning: bytes) -> bool:
    """Whether a file that begins so is an update."""
    return beginning[:4] == MAGIC


def read_header(data: bytes) -> Header:
    """Return the header of an update.

    Raises:
      DeltaError: it is none, of another format, or says what cannot be.
    """
    check(is_update(data), "no update: it does not begin with SQZU")
    check(len(data) >= HEADER_BYTES, f"the update is cut off at {len(data)} bytes")
    _, version_of_format, body, kind, network, name, *sizes, sha, old_sha, key = LAYOUT.unpack_from(data)
    check(version_of_format == FORMAT, f"the update is of format {version_of_format}, expected {FORMAT}")
    check(body in (FULL, DELTA) and kind in (IMAGE, FILE), f"the update has body {body} and kind {kind}")
    check(body == FULL or kind == IMAGE, "the update is a delta to a file; expected a full one")
    try:
        model = name.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise DeltaError("the model's identity is no UTF-8") from None
    signature = data[SIGNED_BYTES:HEADER_BYTES]
    version, image, body_bytes, old = sizes
    found = Header(body, kind, network, model, version, image, body_bytes, old, sha, old_sha, key, signature)
    check(max(found.version, found.image_bytes, found.body_bytes, found.old_bytes) <= LARGEST, "a size is too large")
    check(body == DELTA or found.body_bytes == found.image_bytes, "a full update's body is not its result's size")
    return found
