"""Damaged models give errors, or programs that are correct."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from converters import compiler
from tests.helpers import damaged_models_judge
from tests.helpers.compiled_networks import mixed
from tests.helpers.compiled_on_host import Program
from tests.helpers.damaged_models import mutants
from tests.helpers.int8_networks import squeezenet
from tests.helpers.needs import ROOT


@pytest.mark.attack
def test_damaged_models_give_errors_or_programs(tmp_path: Path) -> None:
    """Never another exception, endless work or much memory: 2,000 mutations of two models."""
    done = 0
    for seed, model in enumerate((squeezenet(), mixed())):
        for mutant in mutants(model, 1000, seed):
            try:
                compilation = compiler.analyse(mutant)
                compiler.files(compilation, "m")
                json.dumps(compiler.report(compilation))
                done += 1
            except ValueError:
                continue
    assert 100 < done < 1900, "some are refused, some are whole all the same"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["squeezenet", "mixed"])
def test_damaged_models_that_compile_are_correct(tmp_path: Path, model: str) -> None:
    """What TFLite runs too gives the same rows."""
    whole = squeezenet() if model == "squeezenet" else mixed()
    verdicts = [each for batch in _compiled_mutants(whole, 2000) for each in _judged(tmp_path, batch)]
    assert set(verdicts) <= {"equal", "refused", "ended TFLite"}
    assert verdicts.count("equal") > 200


def _compiled_mutants(model: bytes, count: int) -> list[list[bytes]]:
    kept = []
    for mutant in mutants(model, count, 7):
        try:
            compilation = compiler.analyse(mutant)
        except ValueError:
            continue
        if mutant != model and compilation.plan.arena_bytes + compilation.program.streams[0].height < 10_000:
            kept.append(mutant)
    return [kept[i : i + 50] for i in range(0, len(kept), 50)]


def _judged(folder: Path, models: list[bytes]) -> list[str]:
    """Return a verdict on each model, from processes that begin again after one that ended."""
    shutil.rmtree(folder)
    named = {f"n{i}": model for i, model in enumerate(models)}
    Program(folder, named)
    for name, model in named.items():
        (folder / f"{name}.tflite").write_bytes(model)
    verdicts: list[str] = []
    while len(verdicts) < len(models):
        command = (sys.executable, "-m", damaged_models_judge.__name__, str(folder), str(len(verdicts)))
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        rows = [line.partition(" ") for line in done.stdout.splitlines()]
        assert rows, done
        verdicts += [verdict or "ended TFLite" for _, _, verdict in rows]
    return verdicts
