"""The benchmark's tables; no figure is asserted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sqz_tf import bench
from sqz_tf.inference import latency


def test_both_models_are_timed_and_stages_summed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def timed(path: Path, threads: int) -> Callable[[], float]:
        return lambda: calls.append(f"{path.name} {threads}") or 1.0  # type: ignore[func-returns-value]

    monkeypatch.setattr(latency, "_prepared", timed)
    (tmp_path / "report.json").write_text(json.dumps({"seconds": {"dense": 30.0, "pruned": 10.0}}))
    assert bench.main([str(tmp_path), "--runs", "3", "--threads", "1", "2"]) == 0
    each = 3 + latency.WARM_UP
    assert {name: calls.count(name) for name in set(calls)} == {
        f"{model} {threads}": each for model in (latency.FLOAT, latency.INT8) for threads in (1, 2)
    }
    assert calls[:2] == [f"{latency.FLOAT} 1", f"{latency.INT8} 1"], "the models take turns"
    table = capsys.readouterr().out
    assert "dense                   30.0         75%" in table
    assert "total                   40.0" in table


def test_a_missing_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "model_f32.tflite cannot be read" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("text", ["{", "[]", '{"seconds": {"dense": "long"}}', '{"seconds": 3}', "{}"])
def test_a_damaged_report_is_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(latency, "_prepared", lambda path, threads: lambda: 1.0)
    (tmp_path / "report.json").write_text(text)
    assert bench.main([str(tmp_path), "--runs", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {tmp_path / 'report.json'} cannot be read: ")
    assert (captured.err.count("\n"), captured.out) == (1, "")
