"""The page as a file: what lets it run, and that it asks nothing of anybody."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.machinery
import importlib.util
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.deploy.web import facts, toolchain
from sqz_tf.deploy.web.page import Facts, is_page, render
from sqz_tf.deploy.web.program import Program, build
from sqz_tf.deploy.web.toolchain import BuildError, Toolchain
from sqz_tf.inference import model_file
from tests.helpers.needs import ROOT, require

DIGITS = ROOT / "models" / "digits" / "model_int8.tflite"


def chain() -> Toolchain:
    try:
        return toolchain.find()
    except ConfigError as error:
        require(False, str(error))
        raise


@cache
def program() -> Program:
    model = model_file.read(DIGITS)
    return build(model.content, model.preprocess, chain())


@cache
def page(title: str = "digits") -> str:
    model = model_file.read(DIGITS)
    tests = facts.chosen([(np.zeros((48, 48, 1), np.uint8), 3, np.eye(10)[4])])
    return render(program(), Facts(title, model.labels, (("Data", "</script>"),), (), tests))


def test_the_policy_names_the_page_s_own_script_and_style_and_nothing_wider() -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page())
    assert found
    policy = dict(part.split(" ", 1) for part in html.unescape(found[1]).split("; "))
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page(), re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy.pop(f"{kind}-src") == f"'sha256-{hashed}'" + (" 'wasm-unsafe-eval'" if kind == "script" else "")
    assert policy.pop("default-src") == "'none'"
    assert set(" ".join(policy.values()).split()) == {"data:", "blob:", "'none'"}


def test_nothing_on_the_page_has_an_address_elsewhere() -> None:
    assert not re.findall(
        r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"<script type=.*?</script>", "", page(), flags=re.DOTALL)
    )
    assert not re.findall(r'\b(?:src|href|action)="(?!data:|#)', page())


def test_the_weights_are_there_once_for_both_builds() -> None:
    built = program()
    assert len(built.weights) > 50_000
    assert built.weights[:1000] not in built.simd.code
    assert built.weights[:1000] not in built.plain.code
    assert built.simd.code != built.plain.code


def test_texts_of_others_cannot_end_the_script() -> None:
    (model,) = re.findall(r'<script type="application/json" id="model">(.*?)</script>', page(), re.DOTALL)
    assert json.loads(model)["card"]["rows"] == [["Data", "</script>"]]
    assert "<b>" not in page("<b>title</b>")


def test_the_same_model_makes_the_same_page_of_the_promised_size() -> None:
    model = model_file.read(DIGITS)
    again = render(build(model.content, model.preprocess, chain()), Facts("digits", model.labels))
    assert again == render(program(), Facts("digits", model.labels))
    assert len(again.encode()) <= 150_000
    assert is_page(again.encode()[:64])


def test_wrong_answers_come_first_the_surest_before_others() -> None:
    picture = np.zeros((2, 2, 1), np.uint8)
    scores = [np.array([0.9, 0.1]), np.array([0.2, 0.8]), np.array([0.3, 0.7]), np.array([0.6, 0.4])]
    shown = facts.chosen([(picture, 0, each) for each in scores], most=3)
    assert [(each["truth"], each["answer"]) for each in shown] == [(0, 1), (0, 0), (0, 0)]
    shown = facts.chosen([(picture, 1, each) for each in scores[::3] + scores[::3]])
    assert [each["answer"] for each in shown] == [0, 0, 0, 0]


def test_many_large_pictures_are_thinned_out() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (180, 180, 3), np.uint8)
    shown = facts.chosen([(noise, 0, np.array([1.0, 0.0]))] * 24)
    assert 2 <= len(shown) < 6


def test_three_boards_are_told_from_the_slowest_to_the_fastest() -> None:
    shown = facts.needs(DIGITS.read_bytes())
    assert len(shown) == 3
    assert all(each["fits"] for each in shown)
    slowest = [each["milliseconds"][1] for each in shown]
    assert slowest == sorted(slowest, reverse=True)


def test_a_compiler_that_fails_tells_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="failed") as failed:
        chain().build({"a.c": "int f(void) { return nothing; }"}, ())
    assert any("nothing" in line for line in failed.value.lines)
    with pytest.raises(BuildError, match="there is none"):
        Toolchain("there is none", (str(tmp_path / "none"),)).build({"a.c": ""}, ())


def test_a_compiler_is_proven_and_a_folder_of_its_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain().prove()
    with pytest.raises(BuildError):
        Toolchain("broken", ("false",)).prove()
    (tmp_path / "ziglang").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    real = importlib.util.find_spec
    found = importlib.machinery.PathFinder.find_spec("ziglang", [str(tmp_path)])
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: found if name == "ziglang" else real(name))
    with pytest.raises(ConfigError):
        toolchain.find()


def test_without_a_compiler_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"sqz-tf\[web\]"):
        toolchain.find()
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert toolchain.find().command == ("clang", "--target=wasm32")
