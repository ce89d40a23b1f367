"""Kill an export again and again, resume it, and compare what it made with what an unbroken one makes.

    python -m tools.kill_and_resume [--kills 20] [--seed 1] -- --data digits --scheme ristretto

What follows `--` are arguments of `python -m sqz_tf.export`, without --out. The kills are spread over the stages, as
many in a short one as in a long one, each at a random moment between the start of the process and the end of its
stage: all of them together cost about two exports, and a start of the process each. Every file must be the same but
those that tell seconds (`TIMED`), and report.json but for them. The exit code is 1 if one differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from converters import strict_json

TIMED = ("report.json", "report.html", "manifest.json")  # seconds of the stages, and the hashes of the files with them
TICK = 0.05  # seconds between two looks at a stage


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after the start, or after a stage has begun and so many before it are done."""

    seconds: float
    done: int | None = None


def export(arguments: list[str], out: Path, moment: Moment | None = None) -> int:
    """Run an export, killed at a moment if there is one; return its exit code."""
    command = [sys.executable, "-m", "sqz_tf.export", *arguments, "--out", str(out), "--quiet"]
    started = time.time()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        if not moment:
            return process.wait()
        while moment.done is not None and process.poll() is None and not _begun(out, moment.done, started):
            time.sleep(TICK)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(moment.seconds)
        process.kill()
        return process.wait()


def _begun(out: Path, done: int, since: float) -> bool:
    """Return whether so many stages are finished and one more, or the result, was begun since a time."""
    finished, begun = 0, False
    for folder in out.with_name(f"{out.name}.work").glob("*"):
        with contextlib.suppress(OSError):  # it was renamed meanwhile
            begun |= folder.suffix == ".tmp" and folder.stat().st_mtime >= since
            finished += (folder / "done.json").exists() and folder.suffix != ".tmp"
    return begun and finished >= done


def moments(kills: int, startup: float, stages: list[float], rng: random.Random) -> Iterator[Moment]:
    """Yield so many random moments, evenly over the stages and in their order.

    Args:
      startup: seconds from the start of a process to its first stage.
      stages: seconds of each; the last one makes the result, and a moment near its end might come too late.
    """
    for kill in range(kills):
        place = kill * len(stages) // kills
        at = rng.uniform(0, startup + stages[place] * (0.8 if place == len(stages) - 1 else 1))
        yield Moment(at) if at < startup else Moment(at - startup, place)


def hashes(folder: Path) -> dict[str, str]:
    """Return path → sha256 of every file that tells no seconds, and of report.json without them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in TIMED)
    found = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    if (folder / "report.json").exists():
        report = {**strict_json.loads((folder / "report.json").read_bytes()), "seconds": 0}
        found["report.json"] = hashlib.sha256(json.dumps(report).encode()).hexdigest()
    return found


def stage_seconds(folder: Path) -> list[float]:
    """Return the seconds of each stage of an export, in their order; of the last, in which the result is made, too."""
    report = strict_json.loads((folder / "report.json").read_bytes())
    names = [name for name in report["stages"] if name != "checked"]
    return [report["seconds"][name] for name in (*names, "checked")]


def kill_and_resume(arguments: list[str], out: Path, when: Iterable[Moment]) -> int:
    """Run an export to its end over a kill at each moment; return how many there were before it ended."""
    done = 0
    for moment in when:
        if (code := export(arguments, out, moment)) != -signal.SIGKILL:
            print(f"ended with exit code {code} before it was killed", file=sys.stderr, flush=True)
            return done
        done += 1
        print(f"killed {done} times: {moment}", file=sys.stderr, flush=True)
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
        out, rng = Path(place, "result"), random.Random(given.seed)  # README.md tells the command: one --out for all
        started = time.monotonic()
        if export(given.arguments, out):
            return 1
        unbroken = time.monotonic() - started
        whole, stages = hashes(out), stage_seconds(out)
        kills, exports, differing = 0, 0, set[str]()
        while kills < given.kills:  # an export that ends before it is killed begins anew
            out.rename(Path(place, f"earlier{exports}"))
            when = moments(given.kills - kills, unbroken - sum(stages), stages, rng)
            kills += kill_and_resume(given.arguments, out, when)
            found, exports = hashes(out), exports + 1
            differing |= {name for name in {*whole, *found} if whole.get(name) != found.get(name)}
        seconds = time.monotonic() - started
    print(f"{len(whole)} files, {kills} kills in {exports} exports, {len(differing)} differ: {sorted(differing)}")
    print(f"an unbroken export took {unbroken:.0f} s, everything {seconds:.0f} s")
    return int(not whole or bool(differing))


if __name__ == "__main__":
    sys.exit(main())
