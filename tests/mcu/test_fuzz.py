"""Whatever a section of compressed weights holds, the decoder stays within it, within its memory, and ends."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from converters.compiler.back.c.weight_layout import packed
from tests.helpers import c_library as mcu
from tests.helpers.needs import ROOT, require
from tests.mcu.test_fast_convolutions import sparse_conv

pytestmark = pytest.mark.attack

FUZZ = ROOT / "tests" / "mcu" / "fuzz" / "unpack.c"
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
DRIVER = """
#include <stdint.h>
#include <stdio.h>
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);
int main(void) {
    static uint8_t input[1 << 16];
    uint32_t bytes;
    unsigned count = 0;
    while (fread(&bytes, sizeof bytes, 1, stdin) == 1 && bytes <= sizeof input) {
        bytes = (uint32_t)fread(input, 1, bytes, stdin);
        LLVMFuzzerTestOneInput(input, bytes);
        ++count;
    }
    printf("%u\\n", count);
    return 0;
}
"""


def sections() -> list[bytes]:
    """Return what the fuzzer is given to begin with: choices, and the section that goes with them."""
    found = []
    for target, group in (("generic", 1), ("cortex-m4", 4), ("cortex-m55", 4)):
        for seed in range(3):
            choice = packed(sparse_conv(seed, (3, 3, 1, 1, 1, 6, 4, 8)), target)
            assert choice is not None
            section = choice.packed
            assert section is not None
            kind = (group == 4) | 2 | (target == "cortex-m4") << 2
            bits = (choice.group_bits - 1, section.value_bits - 1, section.bias_bits - 1, section.scale_bits)
            found.append(bytes([kind, 1, section.scales, *bits, 35]) + section.data)
    return found


def mutated(rng: np.random.Generator, whole: bytes) -> bytes:
    """Return an input with some bytes changed, cut short or followed by others."""
    changed = bytearray(whole)
    for place in rng.integers(0, len(changed), rng.integers(1, 12)):
        changed[place] = int(rng.integers(0, 256))
    end = int(rng.integers(0, len(changed))) if rng.random() < 0.3 else len(changed)
    return bytes(changed[:end]) + rng.bytes(int(rng.integers(0, 40)) if rng.random() < 0.2 else 0)


def build(folder: Path, *flags: str) -> Path:
    (folder / "driver.c").write_text(DRIVER)
    files = [str(folder / "driver.c"), str(FUZZ), str(mcu.SOURCES / "sqz_unpack.c")]
    command = ["gcc", *mcu.STRICT, *SANITIZERS, *flags, f"-I{mcu.SOURCES}", "-o", str(folder / "fuzz"), *files]
    subprocess.run(command, check=True)
    return folder / "fuzz"


def attack(program: Path, inputs: list[bytes]) -> subprocess.CompletedProcess[bytes]:
    data = b"".join(len(each).to_bytes(4, "little") + each for each in inputs)
    return subprocess.run([str(program)], input=data, capture_output=True, timeout=300, check=False)


def test_20000_mutations_of_sections_are_decoded_within_bounds(tmp_path: Path) -> None:
    require(shutil.which("gcc"), "gcc is not installed")
    rng, known = np.random.default_rng(1), sections()
    inputs = [*known, *(mutated(rng, known[i % len(known)]) for i in range(20_000))]
    done = attack(build(tmp_path), inputs)
    assert (done.returncode, done.stdout) == (0, f"{len(inputs)}\n".encode()), done.stderr.decode()[:3000]


def test_a_decoder_that_reads_on_would_be_found(tmp_path: Path) -> None:
    """With an end that is never reached, the reader of bits leaves the section."""
    source = (mcu.SOURCES / "sqz_unpack.c").read_text()
    assert "bits->at < bits->end ?" in source
    for path in mcu.SOURCES.glob("*.h"):
        shutil.copy(path, tmp_path)
    (tmp_path / "sqz_unpack.c").write_text(source.replace("bits->at < bits->end ?", "1 ?"))
    (tmp_path / "driver.c").write_text(DRIVER)
    files = [str(tmp_path / "driver.c"), str(FUZZ), str(tmp_path / "sqz_unpack.c")]
    command = ["gcc", "-std=c11", *SANITIZERS, f"-I{tmp_path}", "-o", str(tmp_path / "fuzz"), *files]
    subprocess.run(command, check=True)
    done = attack(tmp_path / "fuzz", [each[:-20] for each in sections()])
    assert done.returncode != 0
    assert b"heap-buffer-overflow" in done.stderr
