"""Count the instructions that a Cortex-M or 32-bit RISC-V program executes in QEMU: exactly, repeatably, by function.

    python -m tools.bench_mcu.count ELF --machine mps2-an386 [--func NAME] [--top 20]

Counts are not cycles: no wait states of the flash, no dual issue, no beats of Helium (cycles.py models a
Cortex-M4's). Needs qemu-system-arm and gcc-arm-none-eabi (nm, objdump) or qemu-system-riscv32 and
gcc-riscv64-unknown-elf, and a host compiler. Without --func the whole run is counted; with it, from the entry of the
function to its return (it must be called directly).
"""

from __future__ import annotations

import argparse
import bisect
import collections
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent
# By the processor in a program's header: QEMU, what the names of the tools begin with, and how they show a call.
_PROCESSORS = {
    40: ("qemu-system-arm", "arm-none-eabi-", "bl"),
    243: ("qemu-system-riscv32", "riscv64-unknown-elf-", "(?:jal|jalr)"),
}


@dataclass(frozen=True)
class Symbol:
    """A function in a program."""

    address: int
    bytes: int
    name: str


@dataclass
class Counts:
    """What a run executed: each region, each address within regions, each mark as (address, total so far).

    `jumps`: executions after which another instruction than the next one ran; `unaligned`: cycles that a Cortex-M4 adds
    for accesses that are not aligned; both by address. `bytes_read`: loaded from the section that was asked for.
    """

    exit_code: int
    output: str
    total: int = 0
    regions: list[int] = field(default_factory=list)
    addresses: dict[int, int] = field(default_factory=dict)
    marks: list[tuple[int, int]] = field(default_factory=list)
    jumps: dict[int, int] = field(default_factory=dict)
    unaligned: dict[int, int] = field(default_factory=dict)
    bytes_read: int = 0


def count(
    elf: Path | str,
    machine: str,
    function: str | None = None,
    marks: Iterable[str] = (),
    *,
    quit_after: bool = False,
    reads: str | None = None,
    timeout: float = 3000,
    folder: Path | None = None,
) -> Counts:
    """Run a program in QEMU and count.

    Args:
      elf: the program; it ends itself through semihosting.
      machine: of QEMU's `-M`.
      function: counted from entry to return, each time it is called directly; everything, if None.
      marks: functions whose entries are logged with the total so far.
      quit_after: end the emulator with the first region.
      reads: a section of the program: count the bytes loaded from it, and accesses that are not aligned (slower).
      timeout: in seconds.
      folder: where the program finds its files.

    Raises:
      ValueError: a function is not in the program, or never called directly.
    """
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "counts"
        options = [str(plugin()), f"out={out}"]
        if function is not None:
            stops = "+".join(f"{address:x}" for address in _returns(elf, function))
            options += [f"start={_address(elf, function):x}", f"stop={stops}"]
        if marks := list(marks):
            options.append("mark=" + "+".join(f"{_address(elf, name):x}" for name in marks))
        if reads:
            options.append("reads=" + "+".join(f"{address:x}" for address in _section(elf, reads)))
        if quit_after:
            options.append("quit=1")
        command = [_processor(elf)[0], "-M", machine, "-kernel", str(elf), "-display", "none", "-monitor", "none"]
        command += ["-serial", "null", "-semihosting-config", "enable=on,target=native", "-plugin", ",".join(options)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=folder)
        return _read(Counts(done.returncode, done.stdout + done.stderr), out.read_text())


def by_function(elf: Path | str, counts: Counts) -> list[tuple[str, int]]:
    """Return the functions that a run's regions executed, with their instructions, most first."""
    table = symbols(elf)
    starts = [symbol.address for symbol in table]
    sums: collections.Counter[str] = collections.Counter()
    for address, executed in counts.addresses.items():
        i = bisect.bisect_right(starts, address) - 1
        known = i >= 0 and address < table[i].address + max(table[i].bytes, 2)
        sums[table[i].name if known else f"{address:#x}"] += executed
    return sums.most_common()


@lru_cache
def plugin() -> Path:
    """Build the plugin, once in a process."""
    library = Path(tempfile.mkdtemp(prefix="insn-count-")) / "libinsn_count.so"
    command = ["cc", "-O2", "-fPIC", "-shared", f"-I{_HERE}", "-o", str(library), str(_HERE / "plugin.c")]
    subprocess.run(command, check=True)
    return library


def total(text: str) -> int:
    """Return the instructions of the whole run, from what the plugin wrote."""
    return _read(Counts(0, ""), text).total


def symbols(elf: Path | str) -> list[Symbol]:
    """Return the functions of a program in order of address."""
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tTwW] (.*)$", tool("nm", elf, "-n", "-S", "-C"), re.MULTILINE)
    return sorted((Symbol(int(a, 16) & ~1, int(b, 16), name) for a, b, name in found), key=lambda s: s.address)


def _processor(elf: Path | str) -> tuple[str, str, str]:
    """Return what a program's processor needs, by the machine in its ELF header."""
    return _PROCESSORS[int.from_bytes(Path(elf).read_bytes()[18:20], "little")]


def tool(name: str, elf: Path | str, *options: str) -> str:
    """Return what one of the binutils (`nm`, `size`, `objdump`) says of a program."""
    command = [_processor(elf)[1] + name, *options, str(elf)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _address(elf: Path | str, name: str) -> int:
    for symbol in symbols(elf):
        if symbol.name == name:
            return symbol.address
    raise ValueError(f"{elf} has no function {name}")


def _section(elf: Path | str, name: str) -> tuple[int, int]:
    """Return where a section begins and ends."""
    for found, bytes_, address in re.findall(r"^(\.\S+)\s+(\d+)\s+(\d+)", tool("size", elf, "-A"), re.MULTILINE):
        if found == name:
            return int(address), int(address) + int(bytes_)
    raise ValueError(f"{elf} has no section {name}")


def _returns(elf: Path | str, name: str) -> list[int]:
    """Return the addresses after each direct call of a function, or of a linker's veneer of it."""
    call = re.compile(rf"\t{_processor(elf)[2]}\s.*<(__)?{re.escape(name)}(_veneer)?>")
    lines = tool("objdump", elf, "-d").splitlines()
    after = [lines[i + 1] for i, line in enumerate(lines[:-1]) if call.search(line)]
    if not after:
        raise ValueError(f"{elf} has no direct call of {name}")
    return [int(line.split(":")[0], 16) for line in after]


def _read(counts: Counts, text: str) -> Counts:
    for line in text.splitlines():
        kind, *fields = line.split()
        if kind == "R":
            counts.regions.append(int(fields[1]))
        elif kind == "T":
            counts.total = int(fields[0])
        elif kind == "A":
            counts.addresses[int(fields[0], 16)] = int(fields[1])
        elif kind == "M":
            counts.marks.append((int(fields[0], 16), int(fields[1])))
        elif kind == "J":
            counts.jumps[int(fields[0], 16)] = int(fields[1])
        elif kind == "U":
            counts.unaligned[int(fields[0], 16)] = int(fields[1])
        elif kind == "B":
            counts.bytes_read = int(fields[0])
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts of a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elf")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--func")
    parser.add_argument("--top", type=int, default=20)
    options = parser.parse_args(arguments)
    counts = count(options.elf, options.machine, options.func)
    print(counts.output, end="")
    print(f"exit code {counts.exit_code}, regions {counts.regions}, whole run {counts.total:,}")
    everything = sum(counts.addresses.values()) or 1
    for name, executed in by_function(options.elf, counts)[: options.top]:
        print(f"{executed:>15,} {100 * executed / everything:5.1f} %  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
