"""The small text files that git-LFS leaves in place of large files until it has fetched them."""

from __future__ import annotations

PULL = "run `git lfs pull` where it lies, or download the file itself"
"""What to do about one."""


def is_pointer(data: bytes) -> bool:
    """Tell from a file's first bytes whether it only points to another."""
    return data.startswith(b"version https://git-lfs.github.com/spec/")
