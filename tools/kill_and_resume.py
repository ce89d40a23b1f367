"""Kill an export again and again, resume it, and compare what it made with what an unbroken one makes.

    python -m tools.kill_and_resume [--kills 20] [--seed 1] -- --data digits --scheme ristretto

What follows `--` are arguments of `python -m sqz_tf.export`, without --out. Each attempt is killed at a random
moment, until there were so many kills; the next goes to its end. Every file must be the same but those that tell
seconds (`TIMED`). The exit code is 1 if one differs.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMED = ("report.json", "report.html", "manifest.json")  # seconds of the stages, and the hashes of the files with them


def export(arguments: list[str], out: Path, seconds: float | None = None) -> int:
    """Run an export, killed after some seconds if they are given; return its exit code."""
    command = [sys.executable, "-m", "sqz_tf.export", *arguments, "--out", str(out), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def hashes(folder: Path) -> dict[str, str]:
    """Return path → sha256 of every file that tells no seconds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in TIMED)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill_and_resume(arguments: list[str], out: Path, kills: int, unbroken: float, seed: int) -> int:
    """Run an export to its end over so many kills; return how many there were.

    Args:
      unbroken: seconds that an unbroken run takes: an attempt is killed after up to half of that.
    """
    rng, done = random.Random(seed), 0
    while done < kills:
        code = export(arguments, out, rng.uniform(1, max(20.0, unbroken / 2)))
        if code != -signal.SIGKILL:
            return done
        done += 1
        print(f"killed {done} times", file=sys.stderr, flush=True)
    export(arguments, out)
    return done


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0 if every file is the same."""
    parser = argparse.ArgumentParser(prog="python -m tools.kill_and_resume", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments; default: 1")
    parser.add_argument("arguments", nargs="+", metavar="ARGUMENT", help="of python -m sqz_tf.export")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        started = time.monotonic()
        export(given.arguments, Path(place, "whole", "result"))
        seconds, kills, attempt = time.monotonic() - started, 0, 0
        whole, differing = hashes(Path(place, "whole", "result")), set[str]()
        while kills < given.kills:  # an attempt that ends before it is killed begins anew elsewhere
            out = Path(place, str(attempt), "result")
            kills += kill_and_resume(given.arguments, out, given.kills - kills, seconds, given.seed + attempt)
            found, attempt = hashes(out), attempt + 1
            differing |= {name for name in {*whole, *found} if whole.get(name) != found.get(name)}
    print(f"{len(whole)} files, {kills} kills in {attempt} exports, {len(differing)} differ: {sorted(differing)}")
    return int(not whole or bool(differing))


if __name__ == "__main__":
    sys.exit(main())
