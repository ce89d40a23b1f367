"""Model the cycles of a Cortex-M4 from what a program executed: counts by address times the processor's own table.

The table is 3-1 of Arm's Cortex-M4 Technical Reference Manual (DDI 0439), with its section on loads and stores that
overlap. Memory answers at once: no wait states of flash, no contention, no full write buffer. Where the manual gives a
range, one value is taken: `REFILL` of 1 to 3, `DIVISION` of 2 to 12 cycles. Not modelled: IT folded into the
instruction before it, fetches of words that lie across two. It is a model, not a measurement; no board was timed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tools.bench_mcu import count

REFILL = 2  # of the pipeline, after each jump
DIVISION = 12

_CONDITION = "(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_SINGLE = re.compile(rf"(ldr|str)(?:b|h|sb|sh|t|bt|ht|sbt|sht|ex|exb|exh)?{_CONDITION}")
_DOUBLE = re.compile(rf"(?:ldr|str)d{_CONDITION}")
_MULTIPLE = re.compile(rf"(?:v?ldm|v?stm)(?:ia|db|fd|ea)?{_CONDITION}|v?(?:push|pop){_CONDITION}")
_OTHERS = [
    (re.compile(rf"[su]div{_CONDITION}"), DIVISION),
    (re.compile(rf"tb[bh]|m[rs][rs]{_CONDITION}"), 2),
    (re.compile(rf"v(?:div|sqrt){_CONDITION}"), 14),
    (re.compile(rf"v(?:f?n?ml[as]|fn?m[as]){_CONDITION}"), 3),
    (re.compile(rf"v(?:ldr|str){_CONDITION}"), 2),
]


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly: `mnemonic` without its width (`ldr`, not `ldr.w`), `operands` as objdump prints."""

    address: int
    mnemonic: str
    operands: str

    @property
    def base_cycles(self) -> int:
        """Cycles when it is alone and does not jump."""
        single = _SINGLE.fullmatch(self.mnemonic)
        if single:  # a store to an immediate offset leaves its data to the write buffer
            return 1 if single[1] == "str" and not self._indexed_by_register else 2
        if _DOUBLE.fullmatch(self.mnemonic):
            return 3
        if _MULTIPLE.fullmatch(self.mnemonic):
            return 1 + _words(self.operands)
        return next((cycles for form, cycles in _OTHERS if form.fullmatch(self.mnemonic.split(".")[0])), 1)

    @property
    def loads_one(self) -> bool:
        """Whether the access after it can overlap with it."""
        single = _SINGLE.fullmatch(self.mnemonic)
        return bool(single) and single[1] == "ldr" and self.target != "pc"  # type: ignore[index]

    @property
    def target(self) -> str:
        """The register that it writes, of a load."""
        return self.operands.split(",")[0].strip()

    def overlaps(self, before: Instruction) -> bool:
        """Tell whether it saves a cycle after another: a single access after a load that is not its address."""
        known = _SINGLE.fullmatch(self.mnemonic) and self.base_cycles == 2 and before.loads_one
        return bool(known) and before.target not in re.findall(r"\w+", self._place)

    @property
    def _place(self) -> str:
        return "".join(re.findall(r"\[([^\]]*)\]", self.operands)[:1])

    @property
    def _indexed_by_register(self) -> bool:
        offset = self._place.partition(",")[2].strip()
        return bool(offset) and not offset.startswith("#")


def _words(operands: str) -> int:
    """Return the words that a list of registers holds: `{r4-r7, lr}` are 5, `{d8-d9}` 4."""
    total = 0
    for kind, first, last in re.findall(r"([rsd])(\d+)(?:-\1(\d+))?", operands.partition("{")[2]):
        total += (int(last or first) - int(first) + 1) * (2 if kind == "d" else 1)
    return total + len(re.findall(r"\b(?:sl|fp|ip|sp|lr|pc)\b", operands.partition("{")[2]))


def cycles(
    instructions: Sequence[Instruction],
    executed: Mapping[int, int],
    jumps: Mapping[int, int],
    unaligned: Mapping[int, int] | None = None,
) -> int:
    """Return the cycles of a run.

    Args:
      instructions: of the program, in order of address.
      executed: times, by address.
      jumps: times that another instruction than the next followed, by address.
      unaligned: cycles added for accesses that are not aligned, by address.

    Raises:
      ValueError: an address was executed that is no instruction of the program.
    """
    unknown = executed.keys() - {each.address for each in instructions}
    if unknown:
        raise ValueError(f"{min(unknown):#x} was executed, but the disassembly has no instruction there")
    total = REFILL * sum(jumps.values()) + sum((unaligned or {}).values())
    before = None
    for each in instructions:
        times = executed.get(each.address, 0)
        total += times * each.base_cycles
        if times and before and each.overlaps(before):
            total -= min(times, executed.get(before.address, 0))
        before = each
    return total


def of_run(program: Path, counts: count.Counts) -> int:
    """Return the cycles of a run's regions; `counts` with what was read."""
    return cycles(disassembly(program), counts.addresses, counts.jumps, counts.unaligned)


@lru_cache(maxsize=1)
def disassembly(program: Path) -> tuple[Instruction, ...]:
    """Return a program's instructions in order of address."""
    return parsed(count.tool("objdump", program, "-d", "--no-show-raw-insn"))


def parsed(text: str) -> tuple[Instruction, ...]:
    """Return the instructions of what `objdump -d --no-show-raw-insn` prints."""
    lines = re.findall(r"^\s*([0-9a-f]+):\t([a-z]\S*)[ \t]*([^;<@\n]*)", text, re.MULTILINE)
    return tuple(Instruction(int(at, 16), re.sub(r"\.[nw]$", "", name), rest.strip()) for at, name, rest in lines)
