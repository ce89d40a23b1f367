"""Where a person's paths lead."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: Path | str) -> Path:
    """Return a path from the root with links followed as far as they lead: links in a circle are no error yet."""
    return Path(os.path.realpath(path))
