"""Whose updates an app or a page takes: the options, and what is embedded."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

import pytest

from converters.android_assets import android_assets
from converters.delta.trust import Trust
from sqz_tf.base.errors import ConfigError, SqzError
from sqz_tf.deploy.update import keys
from sqz_tf.deploy.update.trusting import trust_given, trust_options
from tests.helpers import echo_models
from tests.helpers.needs import require


def given(*arguments: str) -> Trust | None:
    parser = argparse.ArgumentParser()
    trust_options(parser)
    return trust_given(parser.parse_args(arguments))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    require(importlib.util.find_spec("cryptography"), "cryptography is not installed")
    keys.generate(tmp_path / "release.pem")
    return tmp_path / "release.pem.pub"


def test_keys_product_and_version_are_embedded(key: Path, tmp_path: Path) -> None:
    keys.generate(tmp_path / "next.pem")
    options = ("--update-key", str(key), "--update-key", str(tmp_path / "next.pem.pub"), "--update-model", "문 camera")
    trust = given(*options, "--update-version", "7")
    found = json.loads(android_assets({"a": echo_models.described(echo_models.model())}, trust)["models/models.json"])
    wanted = [keys.raw(keys.public_key(path)).hex() for path in (key, tmp_path / "next.pem.pub")]
    assert found["updates"] == {"model": "문 camera", "version": 7, "keys": wanted}
    assert given("--update-key", str(key)) == Trust([bytes.fromhex(wanted[0])], "model", 0)


def test_without_a_key_nothing_is_taken() -> None:
    assert given() is None
    found = json.loads(android_assets({"a": echo_models.described(echo_models.model())})["models/models.json"])
    assert "updates" not in found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--update-model", ""), "expected 1 to 16 bytes"),
        (("--update-model", "x" * 17), "expected 1 to 16 bytes"),
        (("--update-model", "한국어한국어"), "expected 1 to 16 bytes"),
        (("--update-model", "a\nb"), "that can be shown"),
        (("--update-version", "-1"), "the version is -1"),
        (("--update-version", str(1 << 31)), "the version is 2147483648"),
    ],
)
def test_what_no_update_could_be_for_is_refused(key: Path, options: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        given("--update-key", str(key), *options)


def test_a_product_or_version_without_a_key_is_refused(tmp_path: Path) -> None:
    for options in (("--update-model", "door"), ("--update-version", "0")):
        with pytest.raises(ConfigError, match="no key"):
            given(*options)
    (tmp_path / "none.pub").write_text("a text")
    with pytest.raises(SqzError, match="no public key"):
        given("--update-key", str(tmp_path / "none.pub"))
