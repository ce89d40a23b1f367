"""The format's page is enough to write a reader, and packs written once are read for good."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from converters import packs
from converters.packs import container
from converters.packs.parts import Kind
from tests.converters.packs.test_damage import model
from tests.converters.packs.test_round_trip import depthwise
from tests.helpers import sqz_by_the_page
from tests.helpers.int8_networks import squeezenet
from tests.helpers.small_weights import small

KEPT = Path(__file__).with_name("version_1.sqz")
OWN = (Kind.WEIGHTS, Kind.SCALES, Kind.BIASES)  # whose coders are ours; LZMA's bytes are its library's


@pytest.mark.parametrize("make", [model, depthwise, lambda: small(squeezenet(), 8)])
def test_a_reader_written_from_the_page_reads_packs(make: Callable[[], bytes]) -> None:
    packed = packs.pack(make())
    assert sqz_by_the_page.unpack(packed) == make()


@pytest.mark.parametrize("unpack", [packs.unpack, sqz_by_the_page.unpack])
def test_a_pack_of_version_1_is_read(unpack: Callable[[bytes], bytes]) -> None:
    found = unpack(KEPT.read_bytes())
    assert hashlib.sha256(found).hexdigest() == "5a0ec6369458f653c3eb4309ce846b94c9888c3fde599f10b50eb403b4be1d71"


def test_our_coders_write_what_they_wrote() -> None:
    kept = container.read(KEPT.read_bytes())
    again = container.read(packs.pack(packs.unpack(KEPT.read_bytes())))
    assert {section.coding for section in kept.sections if section.kind in OWN} == {16, 17}
    for kind in OWN:
        assert again.of(kind) == kept.of(kind)
