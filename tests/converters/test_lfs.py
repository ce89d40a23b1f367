"""Pointers of git-LFS in place of weights and models; pictures and tables are cases of `tests.helpers.awkward`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqz_tf.base.errors import SqzError
from sqz_tf.inference.model_file import contents
from sqz_tf.network.pretrained import load

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" + "\nsize 4999999\n"


@pytest.mark.parametrize("ending", ["net", "caffemodel", "onnx", "safetensors", "pth"])
def test_weights_that_git_lfs_has_not_fetched_are_named_so(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"my.{ending}"
    path.write_text(POINTER)
    with pytest.raises(SqzError, match=f"{path}: it is a git-LFS pointer; .*run `git lfs pull`"):
        load(str(path))


@pytest.mark.parametrize("ending", ["tflite", "sqz", "onnx"])
def test_a_model_that_git_lfs_has_not_fetched_is_named_so(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"my.{ending}"
    path.write_text(POINTER)
    with pytest.raises(SqzError, match=f"{path} is a git-LFS pointer; .*run `git lfs pull`"):
        contents(path)
