"""Every pass can be printed."""

from __future__ import annotations

import pytest

from converters import compiler
from tests.helpers.int8_networks import squeezenet


@pytest.mark.parametrize("what", list(compiler.PASSES))
def test_every_pass_can_be_printed(what: str) -> None:
    text = compiler.dump(compiler.analyse(squeezenet()), what)
    assert text == compiler.dump(compiler.analyse(squeezenet()), what)
    lines = text.splitlines()
    assert len(lines) > 10 or what in ("emit", "layouts")
    assert not any(line.endswith(" ") for line in lines)
    with pytest.raises(
        ValueError, match="there is no pass 'magic'; expected one of read, legalise, schedule, layouts, plan, emit"
    ):
        compiler.dump(compiler.analyse(squeezenet()), "magic")


def test_the_files_are_printed_with_their_sizes() -> None:
    rows = [line.split() for line in compiler.dump(compiler.analyse(squeezenet()), "emit").splitlines()[1:]]
    files = compiler.compile_model(squeezenet(), "model")
    assert {name: int(size) for size, name in rows} == {name: len(text.encode()) for name, text in files.items()}
