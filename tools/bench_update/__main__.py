"""Count the instructions that a Cortex-M4 takes for a full update and for a delta, in QEMU.

    python -m tools.bench_update OLD.sqz NEW.sqz [--optimize flash] [--classes N] [--append FILE]

A device with the old model (mcu/firmware/update on mps2-an386, whose flash is simulated with sectors of 128 KB) is sent
the new one in chunks of 64 bytes. Counted is all from the first chunk until the update is taken, but for the check of
the signature and for what stands for waiting: the simulated flash's erasing. Parts: `SHA-256` of what the flash then
holds; `decoding` the delta; `flash`, reading and programming it word by word; receiving and `the rest`. `boot` is what
the next start takes until it knows which model runs; nearly all of that is the SHA-256 of both slots.
"""

from __future__ import annotations

import argparse
import bisect
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from converters import compiler
from converters.compiler.compilation import slot_files
from sqz_tf.base.shipped import shipped_model
from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import board as board_of
from sqz_tf.deploy.update import images, keys, updates
from sqz_tf.deploy.update.images import RECORD_BYTES, Layout
from sqz_tf.inference.model_file import int8_given
from tools.bench_mcu import count
from tools.bench_update.line import line, update

BOARD = "mps2-an386"
SECTOR = 128 << 10
VERIFY = Path(__file__).resolve().parent / "unsigned.c"
TAKES, BOOTS = "sqz_take_update", "net_sqz_update_boot"
LEFT_OUT = "left out"
REST = "the rest"
PARTS = {"sqz_delta.c": "decoding", "sqz_sha256.c": "SHA-256", "flash_simulated.c": "flash"}
COPIES = {"memcpy": "flash", "memset": LEFT_OUT}  # the C library's, which the flash calls by far the most


@dataclass(frozen=True)
class Row:
    """One update: its bytes, the instructions until it is taken and each part's, and those of the boot that follows."""

    body: str
    update_bytes: int
    image_bytes: int
    instructions: int
    parts: dict[str, int]
    boot: int


def measure(old: Path, new: Path, layout: Layout, folder: Path) -> list[Row]:
    """Return the full update and the delta of two networks.

    Args:
      old, new: int8 `.tflite` or `.sqz`.
      layout: of the program.
      folder: an empty one to work in.
    """
    before, after = (images.build(path, layout) for path in (old, new))
    keys.generate(folder / "key.pem")
    key = keys.private_key(folder / "key.pem")
    first = update(updates.make(before, None, 1, "model", key))
    slot = -(-(max(len(before.data), len(after.data)) + RECORD_BYTES) // SECTOR) * SECTOR
    program = _program(old, layout, slot, keys.raw(key.public_key()), folder)
    alone = _by_part(program, _run(program, [first], TAKES, folder))
    rows = []
    for body, against in (("full", None), ("delta", before)):
        sent = updates.make(after, against, 2, "model", key)
        parts = _by_part(program, _run(program, [first, update(sent)], TAKES, folder))
        parts.subtract(alone)  # what the old model took to get there
        parts.pop(LEFT_OUT)
        boot = _run(program, [first, update(sent)], BOOTS, folder).regions[-1]
        rows.append(Row(body, len(sent), len(after.data), parts.total(), dict(parts), boot))
    return rows


def _program(old: Path, layout: Layout, slot_bytes: int, public: bytes, folder: Path) -> Path:
    compilation = images.analysed(int8_given(old), layout)
    (folder / "c").mkdir()
    for name, text in slot_files(compilation, "net", images.image_of(compilation.model, compilation)).items():
        (folder / "c" / name).write_text(text, encoding="utf-8")
    words = [f"SLOT_KB={slot_bytes >> 10}", f"KEY={public.hex()}", f"VERIFY={VERIFY}"]
    return firmware.build(BOARD, folder / "c", folder, more=["FIRMWARE=update", *words])


def _run(program: Path, messages: Sequence[bytes], function: str, folder: Path) -> count.Counts:
    with line(folder, b"".join(messages)):
        counts = count.count(program, str(board_of(BOARD).qemu), function, folder=folder)
    if counts.exit_code or counts.output.count("update OK\n") != len(messages):
        raise ValueError(f"the device did not take the update: {counts.output}")
    return counts


def _by_part(program: Path, counts: count.Counts) -> Counter[str]:
    """Return instructions by part, from the files that functions were written in."""
    listed = count.tool("nm", program, "-n", "-S", "-l")
    found = re.findall(r"^([0-9a-f]+) [0-9a-f]+ [tTwW] (\S+)(?:\t(\S+):\d+)?$", listed, re.MULTILINE)
    starts = [int(address, 16) & ~1 for address, _, _ in found]
    parts: Counter[str] = Counter()
    for address, executed in counts.addresses.items():
        _, name, file = found[bisect.bisect_right(starts, address) - 1]
        parts[COPIES.get(name) or PARTS.get(Path(file).name, REST)] += executed
    return parts


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    names = ["SHA-256", "decoding", "flash", REST]
    head = ["", "update", "image", "instructions", *names, "a byte of the image", "boot"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        sizes = [f"{row.update_bytes:,}", f"{row.image_bytes:,}", f"{row.instructions:,}"]
        parts = [f"{row.parts.get(name, 0):,}" for name in names]
        lines.append([row.body, *sizes, *parts, f"{row.instructions / row.image_bytes:.0f}", f"{row.boot:,}"])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench_update",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "old", metavar="OLD", type=shipped_model, help="the network that the device has, int8 or a .sqz"
    )
    parser.add_argument("new", metavar="NEW", type=shipped_model, help="another of the same shapes")
    parser.add_argument(
        "--optimize", choices=compiler.OPTIMIZE, default="flash", help="as the program (default: flash)"
    )
    parser.add_argument("--classes", metavar="N", type=int, default=0, help="as the program's")
    parser.add_argument("--append", metavar="FILE", type=Path, help="add a line of JSON for each update")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    options = build_parser().parse_args(arguments)
    layout = Layout(board_of(BOARD).target, options.optimize, None, options.classes)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.old, options.new, layout, Path(folder))
    print(table(rows))
    if options.append:
        _append(options.append, [asdict(row) for row in rows])
    return 0


def _append(path: Path, values: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(value, sort_keys=True) + "\n" for value in values)


if __name__ == "__main__":
    sys.exit(main())
