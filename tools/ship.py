"""Take a finished export into `models`, where the kit's commands find it by name: `python -m tools.ship EXPORT NAME`.

Only what people and commands need is taken, at most 5 MB: C and TFLite Micro's arrays are made from the model. The card
is drawn again from `report.json`, under the model's name and with what `--data` and `--licence` say of its pictures.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sqz_tf.artifact.exported import FLOAT, INT8, LABELS, LICENCE, REFERENCE, REPORT, UINT8, Export
from sqz_tf.artifact.manifest import described, read_json, write_manifest
from sqz_tf.report.document import to_json
from sqz_tf.report.pages import render_model_card

ROOT = Path(__file__).resolve().parents[1]
CARD = "README.md"
TAKEN = (INT8, UINT8, FLOAT, LABELS, REFERENCE, REPORT, CARD)  # the float network's numbers are in FLOAT, too
MOST_BYTES = 5_000_000
_ROW_OF_A_FILE = re.compile(r"^\| `([\w./]+)` \|[^|]*\d[^|]*\|.*\n", re.MULTILINE)
_SHIPPED = """\
Of the export that this card describes, this folder holds what the kit's commands take: `c/` is made by `compile`, the
rest by the command above."""


def ship(export: Export, target: Path, data: str | None = None, licence: str | None = None) -> int:
    """Write the parts of an export that are shipped into a folder, in place of what was there.

    Args:
      data: what its pictures are; by default what the export says.
      licence: of the pictures, likewise.

    Returns:
      Bytes of the folder.

    Raises:
      ValueError: it would have more than 5 MB, or its command names a place on this machine.
      OSError: what was there cannot be removed.
    """
    places = [word for word in export.manifest["command"] if "/" in word or "~" in word]
    if places:
        raise ValueError(f"the export's command has {places[0]}; expected names of data, folders and files alone")
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        folder = Path(made, target.name)
        folder.mkdir()
        for name in (*TAKEN, LICENCE):
            if name in TAKEN or (export.folder / name).exists():
                shutil.copyfile(export.folder / name, folder / name)
        _describe(folder, target.name, data, licence)
        write_manifest(folder, {**export.manifest, "files": described(folder, {"manifest.json"})})
        size = sum(path.stat().st_size for path in folder.iterdir())
        if size > MOST_BYTES:
            raise ValueError(f"{target.name} has {size:,} bytes; expected at most {MOST_BYTES:,}")
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    return size


def _describe(folder: Path, name: str, data: str | None, licence: str | None) -> None:
    """Write report.json and the card once more, with the model's name and what is known of its pictures."""
    report = read_json(folder / REPORT)
    about = {"name": data, "licence": licence}
    report["name"] = name
    report["data"].update({key: value for key, value in about.items() if value is not None})
    (folder / REPORT).write_text(to_json(report), "utf-8")
    (folder / CARD).write_text(_without_missing(render_model_card(report), folder), "utf-8")


def _without_missing(card: str, folder: Path) -> str:
    """Leave the rows of files that are not shipped out of a model card, and say so."""
    rows = _ROW_OF_A_FILE.sub(lambda row: row[0] if (folder / row[1]).exists() else "", card)
    return rows.replace("## Files\n", f"## Files\n\n{_SHIPPED}\n", 1)


def main() -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.ship", description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", metavar="TEXT", help="what the pictures are (default: what the export says)")
    parser.add_argument("--licence", metavar="TEXT", help="of the pictures (default: what the export says)")
    arguments = parser.parse_args()
    target = ROOT / "models" / arguments.name
    target.parent.mkdir(exist_ok=True)
    size = ship(Export.open(arguments.export), target, arguments.data, arguments.licence)
    print(f"{target.relative_to(ROOT)}: {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
