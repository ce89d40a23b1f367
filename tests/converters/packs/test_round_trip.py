"""Every `.tflite` comes back from its pack byte for byte."""

from __future__ import annotations

import pytest

from converters import packs
from tests.helpers import echo_models
from tests.helpers.int8_networks import squeezenet


def test_a_network_with_labels_comes_back() -> None:
    model = echo_models.described(squeezenet(), list("abcde"))
    packed = packs.pack(model)
    assert packs.unpack(packed) == model
    assert packs.pack(model) == packed
    sizes = packs.section_bytes(packed)
    assert sum(sizes.values()) == len(packed) < len(model)
    assert min(sizes.values()) > 0


def test_what_is_no_model_is_not_packed() -> None:
    with pytest.raises(ValueError, match=r"expected a \.tflite file"):
        packs.pack(b"no model")
