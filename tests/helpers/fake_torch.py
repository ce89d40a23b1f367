"""As much of PyTorch as the reader of checkpoints asks for, which is not installed for the tests."""

from __future__ import annotations

import io
import sys
import types
import zipfile
from typing import Any

import numpy as np
import pytest


class FakeTensor:
    """As much of a torch.Tensor as the reader asks for."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def is_floating_point(self) -> bool:
        return self.values.dtype.kind == "f"

    def float(self) -> FakeTensor:
        return FakeTensor(self.values.astype(np.float32))

    def detach(self) -> FakeTensor:
        return self

    cpu = detach

    def numpy(self) -> np.ndarray:
        return self.values


def install_torch(monkeypatch: pytest.MonkeyPatch, content: Any) -> list[dict[str, Any]]:
    """Put a `torch` in place whose `load` returns `content` or raises it; return the options it was called with."""
    calls: list[dict[str, Any]] = []

    def load(_file: Any, **options: Any) -> Any:
        calls.append(options)
        if isinstance(content, Exception):
            raise content
        return content

    module = types.ModuleType("torch")
    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)
    return calls


def zipped(content: bytes = b"x" * 1000) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("net/data.pkl", content)
    return out.getvalue()
