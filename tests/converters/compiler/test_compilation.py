"""All passes together: one reading of a model serves every pass, target and description."""

from __future__ import annotations

import pytest

from converters import compiler
from converters.tflite import edit, parse, reader
from tests.helpers.int8_networks import squeezenet


def test_compiling_and_describing_a_model_parses_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    real = parse._model
    monkeypatch.setattr(parse, "_model", lambda root, data: (parsed.append(1), real(root, data))[1])
    model = squeezenet() + b"read by nobody else"
    for target in compiler.TARGETS:
        compilation = compiler.analyse(model, target)
        assert compiler.files(compilation, "net") == compiler.compile_model(model, "net", target)
        assert compiler.report(compilation)["macs"] == reader.macs(reader.read_model(model))
        assert all(compiler.dump(compilation, what) for what in compiler.PASSES)
    edit.unpack(model)
    assert parsed == [1]
