"""Count the instructions of one inference on 64-bit ARM: the kit's compiled C beside XNNPACK, as the app runs them.

    python -m tools.bench_arm64 digits=build/digits/model_int8.tflite [NAME=MODEL …] [--cpu neoverse-n1]

Both are the libraries of the app's package for arm64-v8a, driven as the package's tests drive them, with one thread, in
qemu-user on emulated processors: ARMv8.0, with the dot product, and with the matrix product of int8. What loading
takes is left out: it is the difference between one inference and three, halved. Instructions are no time, and a
phone's memory does not show in them. The exit code is 1 if an output of the compiled C is not the reference kernels'.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from android_demo.tools.maven import fetch
from android_demo.tools.natives import native_libraries
from converters.compiler import analyse
from converters.tflite.reader import read_model
from sqz_tf.deploy.flashing import noise
from sqz_tf.inference import interpreters
from tests.helpers import android_natives
from tools.bench_mcu import count

ABI = "arm64-v8a"
CPUS = {"cortex-a72": "ARMv8.0", "neoverse-n1": "dot product", "max": "matrix product"}
CACHE = Path("build") / "android" / "maven"
MORE = 2  # inferences, whose instructions are counted


@dataclass(frozen=True)
class Row:
    """Instructions of one inference of a network on a processor."""

    network: str
    cpu: str
    macs: int
    exact: int
    fast: int
    equal: bool


def measure(network: str, model: Path, device: android_natives.Device, cpus: Sequence[str]) -> list[Row]:
    """Return a row for each processor.

    Args:
      network: its name.
      model: int8 `.tflite`, compiled into the device's library.
      device: of arm64-v8a.
      cpus: as QEMU calls them.
    """
    data = model.read_bytes()
    inputs = noise(read_model(data).input_tensors()[0].shape[1:])[:1]
    wanted = interpreters.run(data, inputs, "litert-ref").outputs
    classes, digest = wanted.shape[1], sha256(data).hexdigest()
    rows = []
    for cpu in cpus:
        exact, outputs = _instructions(cpu, lambda given: device.exact(digest, given, classes), inputs)
        fast, _ = _instructions(cpu, lambda given: device.fast(model, 1, given, classes), inputs)
        rows.append(Row(network, cpu, _macs(data), exact, fast, np.array_equal(outputs, wanted)))
    return rows


def _macs(model: bytes) -> int:
    return sum(operator.macs for operator in analyse(model).program.operators)


def _instructions(
    cpu: str, run: Callable[[np.ndarray], android_natives.Ran], inputs: np.ndarray
) -> tuple[int, np.ndarray]:
    """Return the instructions of one inference, and its output."""
    totals = []
    for inferences in (1, 1 + MORE):
        with tempfile.NamedTemporaryFile() as out, _counting(cpu, out.name):
            ran = run(np.repeat(inputs, inferences, axis=0))
            totals.append(count.total(Path(out.name).read_text()))
    return (totals[1] - totals[0]) // MORE, ran.outputs[:1]


@contextmanager
def _counting(cpu: str, out: str) -> Iterator[None]:
    """Have programs run by qemu-user on a processor, and their instructions counted."""
    ours = {"QEMU_CPU": cpu, "QEMU_PLUGIN": f"file={count.plugin()},out={out}"}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| network | processor | Exact | a MAC | Fast (XNNPACK) | Exact ÷ Fast | 0 bytes differ |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (row.network, f"{row.cpu} ({CPUS.get(row.cpu, '')})", f"{row.exact:,}", f"{row.exact / row.macs:.3f}")
        ratio = (f"{row.fast:,}", f"{row.exact / row.fast:.2f}", "yes" if row.equal else "NO")
        lines.append("| " + " | ".join((*cells, *ratio)) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if an output differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL", type=_named)
    parser.add_argument("--cpu", action="append", help=f"of qemu-aarch64; default: {', '.join(CPUS)}")
    options = parser.parse_args(arguments)
    models: Mapping[str, Path] = dict(options.models)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        files = {name: path.read_bytes() for name, path in models.items()}
        libraries = native_libraries(files, [ABI], fetch(["natives"], CACHE)["natives"], work / "natives")
        device = android_natives.device(ABI, libraries.files, work / "device")
        rows = [row for name, path in models.items() for row in measure(name, path, device, options.cpu or list(CPUS))]
    print(table(rows))
    return 0 if all(row.equal for row in rows) else 1


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=MODEL with a model that exists")
    return name, Path(path)


if __name__ == "__main__":
    sys.exit(main())
