"""The sheet of the app's screens in its README, from those that its tests draw."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

SHOWN = (
    ("photo-en", ""),
    ("photo-ko-dark", ""),
    ("photo-en", "photo-en-sheet"),
    ("benchmark-ko", ""),
    ("asking-ko", ""),
    ("photo-ko-large", ""),
    ("photo-rtl", ""),
    ("viewfinder-en", ""),
    ("still-ko-dark", ""),
    ("photo-en", "own-list-en"),
    ("photo-en", "own-model-en"),
    ("denied-en", ""),
    ("engine-ko-dark", ""),
    ("unreadable-en", ""),
    ("photo-en-split", ""),
    ("photo-en-landscape-dark", ""),
    ("photo-en-tablet", ""),
)
"""Name of a screen, and of what lies over it, if anything."""
HEIGHT, GAP, COLUMNS = 560, 16, 7
DIM = 0.4  # what is left of the light behind a sheet


def compose(folder: Path, out: Path) -> None:
    """Write the sheet: upright screens in the first rows, wide ones in the last.

    Args:
      folder: screens as PNG files, as the tests write them into the folder that `sqz.screens` names.
      out: the PNG file to write, with a palette.
    """
    shots = [_scaled(_shot(folder, name, over), HEIGHT) for name, over in SHOWN]
    rows = [shots[:COLUMNS], shots[COLUMNS : 2 * COLUMNS], shots[2 * COLUMNS :]]
    width = max(sum(shot.width + GAP for shot in row) + GAP for row in rows)
    whole = Image.new("RGB", (width, GAP + len(rows) * (HEIGHT + GAP)), "white")
    for number, row in enumerate(rows):
        x = (width - sum(shot.width + GAP for shot in row) + GAP) // 2
        for shot in row:
            whole.paste(shot, (x, GAP + number * (HEIGHT + GAP)))
            x += shot.width + GAP
    whole.quantize(128).save(out, optimize=True)


def _shot(folder: Path, name: str, over: str) -> Image.Image:
    shot = Image.open(folder / f"{name}.png").convert("RGB")
    if over:
        shot = shot.point(lambda value: int(value * DIM))
        sheet = Image.open(folder / f"{over}.png")
        dialog = sheet.width < shot.width  # in the middle, where a sheet comes up from below
        top = (shot.height - sheet.height) // 2 if dialog else shot.height - sheet.height
        shot.paste(sheet, ((shot.width - sheet.width) // 2, top), sheet)
    return shot


def _scaled(shot: Image.Image, height: int) -> Image.Image:
    return shot.resize((round(shot.width * height / shot.height), height), Image.Resampling.LANCZOS)
