"""The model of a Cortex-M4's cycles, on short sequences whose sums are in Arm's manual or by hand."""

import pytest

from tools.bench_mcu.cycles import DIVISION, REFILL, cycles, parsed


def taken(*lines: str, executed: int = 1, jumps: dict[int, int] | None = None, unaligned: int = 0) -> int:
    """Return the cycles of instructions that each run so often, at the addresses 0, 4, 8 …"""
    program = parsed("\n".join(f"   {4 * i:x}:\t{line}" for i, line in enumerate(lines)))
    assert len(program) == len(lines)
    return cycles(program, {each.address: executed for each in program}, jumps or {}, {0: unaligned})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["add.w\tr0, r1, r2"], 1),
        (["smlad\tr0, r1, r2, r0"], 1),
        (["smlal\tr0, r1, r2, r3"], 1),
        (["mul.w\tr0, r1, r2"], 1),
        (["udiv\tr0, r1, r2"], DIVISION),
        (["ldr\tr0, [r1, #4]"], 2),
        (["ldrsb.w\tr0, [r1], #1"], 2),
        (["ldr\tr0, [pc, #20]\t; (8018 <f+0x20>)"], 2),
        (["str\tr0, [r1, #4]"], 1),
        (["strhs.w\tr0, [r1], #4"], 1),
        (["strb.w\tr0, [r1, r2]"], 2),
        (["ldrd\tr0, r1, [r2], #8"], 3),
        (["strd\tr0, r1, [r2, #-8]"], 3),
        (["ldmia.w\tr0!, {r1, r2, r3}"], 4),
        (["stmdb\tsp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}"], 10),
        (["push\t{r4-r7, lr}"], 6),
        (["vpush\t{d8-d9}"], 5),
        (["vdiv.f32\ts0, s1, s2"], 14),
    ],
)
def test_an_instruction_alone_takes_what_the_manual_says(lines, expected):
    assert taken(*lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["ldr\tr0, [r1, r5]", "ldr\tr1, [r2, #0]", "ldr\tr2, [r3, #4]"], 4),
        (["ldr\tr0, [r1, r2]", "str\tr0, [r3, #20]"], 3),
        (["ldr\tr0, [r1, r2]", "str\tr1, [r3, r2]"], 3),
        (["ldr\tr0, [r1, #0]", "ldr\tr1, [r0, #0]"], 4),
        (["str\tr1, [r3, r2]", "str\tr1, [r4, r2]"], 4),
        (["str\tr1, [r3, #0]", "ldr\tr1, [r4, #0]"], 3),
        (["ldrd\tr0, r1, [r2]", "ldr\tr3, [r4, #0]"], 5),
        (["ldr\tr3, [r4, #0]", "ldrd\tr0, r1, [r2]"], 5),
        (["ldr\tr3, [r4, #0]", "add.w\tr3, r3, r3", "ldr\tr0, [r4, #4]"], 5),
    ],
)
def test_single_accesses_overlap_after_a_load_and_no_others_do(lines, expected):
    assert taken(*lines) == expected


def test_a_jump_refills_the_pipeline_only_when_it_is_taken():
    loop = ["subs\tr0, #1", "bne.n\t0 <f>"]
    assert taken(*loop, executed=10, jumps={4: 9}) == 10 + 10 + 9 * REFILL
    assert taken("pop\t{r4, pc}", jumps={0: 1}) == 3 + REFILL


def test_a_load_overlaps_no_more_often_than_the_one_before_it_ran():
    program = parsed("   0:\tldr\tr0, [r1, #0]\n   4:\tldr\tr2, [r3, #0]\n")
    assert cycles(program, {0: 3, 4: 10}, {}) == 3 * 2 + 10 * 2 - 3


def test_accesses_that_are_not_aligned_add_their_cycles():
    assert taken("ldr\tr0, [r1, #0]", executed=2, unaligned=3) == 7


def test_an_address_without_an_instruction_is_refused():
    with pytest.raises(ValueError, match="0x8 was executed"):
        cycles(parsed("   0:\tnop\n"), {0: 1, 8: 1}, {})
