"""Run damaged inputs of every kind by the thousand, and say what each took and what went wrong.

    python -m tests.strangers.fuzz --each 5000 [--kind tflite] [--record FILE]
    python -m tests.strangers.fuzz --each 200 --real [--kind tflite] [--record FILE]

So many structured and so many random inputs of each kind, a share of them a process, foreign models in forks of it;
with `--real` every command is a process of its own as a person starts it. `--record` keeps what each share found, a
line of JSON each, and shares that are in it already are not run again. The exit code is 1 after a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqz_tf.artifact.manifest import manifest
from sqz_tf.base.spec import CheckConfig, DataConfig, to_dict
from tests.helpers import echo_models, hostile
from tests.helpers.hostile import Attack
from tests.helpers.near_hdf5 import forked_hdf5
from tests.helpers.near_workers import forked_workers, workers_here
from tests.helpers.needs import ROOT

GIGABYTE = 10**9
FOREIGN = "tflite"  # how kinds are called whose models run in forks; the model beside the others is ours
SHARE = {False: 500, True: 50}  # inputs that one process runs before its memory is read; through real commands


@dataclass(frozen=True)
class Share:
    """Some of the damaged inputs of one kind; `number` is their seed."""

    kind: str
    structured: bool
    number: int
    count: int
    real: bool = False


@lru_cache
def kinds() -> dict[str, Attack]:
    """Return every kind of input."""
    config = {"data": DataConfig(), "preprocess": echo_models.SPEC, "check": CheckConfig()}
    values = manifest(
        ROOT / "docs" / "adr",  # some files to list
        config={name: to_dict(each) for name, each in config.items()},
        data_sha256="0" * 64,
        command=["sqz_tf.export"],
    )
    return hostile.attacks(json.dumps(values).encode())


def shares(names: Sequence[str], each: int, real: bool) -> Iterator[Share]:
    """Yield the shares of so many structured and so many random inputs of each kind, all kinds' first ones first."""
    for number, start in enumerate(range(0, each, SHARE[real])):
        for name in names:
            for structured in (True, False):
                yield Share(name, structured, number, min(SHARE[real], each - start), real)


def run(share: Share) -> dict[str, Any]:
    """Run a share in a process of its own; return what it took and its faults."""
    command = [sys.executable, "-m", "tests.strangers.fuzz", "--share", json.dumps(asdict(share))]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        environment = {**os.environ, "TMPDIR": place, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    found: dict[str, Any] = {"peak": 0, "slowest": 0.0, "faults": []}
    if done.returncode:
        found["faults"].append(f"the share ended with {done.returncode}: {done.stderr[-500:]}")
    else:
        found = json.loads(done.stdout.splitlines()[-1])
    if found["peak"] > GIGABYTE:
        found["faults"].append(f"the share took {found['peak']:,} bytes")
    return {**asdict(share), "seconds": round(time.monotonic() - started, 1), **found}


def run_here(share: Share) -> dict[str, Any]:
    """Run a share in this process, in a folder of its own."""
    folder, runner = prepared(Path(tempfile.mkdtemp())), hostile.run_real if share.real else hostile.run_here
    with forked_workers() if share.kind.startswith(FOREIGN) else workers_here(), forked_hdf5():
        return hostile.attack(kinds()[share.kind], folder, share.number, share.count, share.structured, runner)


def prepared(folder: Path) -> Path:
    """Put what every command needs beside the input into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(echo_models.described(echo_models.model()))
    (folder / "picture.png").write_bytes(echo_models.picture(1, 2, 3, 4))
    (folder / "pictures.zip").write_bytes(hostile.zip_of_pictures())
    return folder


def recorded(record: Path | None) -> list[dict[str, Any]]:
    """Return what an earlier run wrote down."""
    return [json.loads(line) for line in record.read_text().splitlines()] if record and record.exists() else []


def run_all(wanted: Sequence[Share], record: Path | None) -> list[dict[str, Any]]:
    """Run the shares that are not in the record yet, write them there, and return what all of them found."""
    found = {_key(each): each for each in recorded(record)}
    for share in wanted:
        if _key(asdict(share)) in found:
            continue
        result = found[_key(asdict(share))] = run(share)
        if record:
            with record.open("a") as file:
                file.write(json.dumps(result) + "\n")
        for fault in result["faults"]:
            print(f"{share}: {fault}", file=sys.stderr, flush=True)
    return [found[_key(asdict(share))] for share in wanted]


def _key(values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in Share.__dataclass_fields__)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return a line a kind: inputs structured and random, the slowest in seconds, the most memory, the faults."""
    lines = [f"{'kind':<18}{'structured':>11}{'random':>8}{'slowest s':>11}{'MB':>6}{'faults':>8}"]
    for name in dict.fromkeys(each["kind"] for each in results):
        own = [each for each in results if each["kind"] == name]
        counts = [sum(each["count"] for each in own if each["structured"] is kind) for kind in (True, False)]
        slowest, peak = max(each["slowest"] for each in own), max(each["peak"] for each in own)
        faults = sum(len(each["faults"]) for each in own)
        lines.append(f"{name:<18}{counts[0]:>11}{counts[1]:>8}{slowest:>11.1f}{peak // 10**6:>6}{faults:>8}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 1 after a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.strangers.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--each", type=int, default=100, metavar="N", help="inputs of a kind and a way (default: 100)")
    parser.add_argument("--kind", action="append", choices=list(kinds()), help="only this one; may be given again")
    parser.add_argument("--real", action="store_true", help="every command in a process of its own")
    parser.add_argument("--record", type=Path, metavar="FILE", help="where to keep what was found, and to go on from")
    parser.add_argument("--share", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.share:
        print(json.dumps(run_here(Share(**json.loads(given.share)))))
        return 0
    results = run_all(list(shares(given.kind or list(kinds()), given.each, given.real)), given.record)
    print(table(results))
    return int(any(each["faults"] for each in results))


if __name__ == "__main__":
    sys.exit(main())
