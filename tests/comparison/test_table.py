"""The table says what was found: ratios to AlexNet, paired differences, both units, and what is only the paper's."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest

from sqz_tf.base.spec import ModelSpec
from sqz_tf.comparison.forecast import alexnet_of, foresee
from sqz_tf.comparison.page import render
from sqz_tf.comparison.paper import DENSITY, TABLE_2
from sqz_tf.comparison.rows import NAMES, ORDER, Found, found_in, rows_of
from sqz_tf.comparison.squeezenets import Right
from sqz_tf.comparison.table import size, times, to_csv, to_json, to_text
from sqz_tf.comparison.work import Kept
from sqz_tf.network.alexnet import AlexNetSpec, described, layer_shapes

pytestmark = pytest.mark.training
PICTURES = 200
BYTES = {"alexnet": 243_860_896, "alexnet_pruned": 34_000_000, "squeezenet": 4_993_696, "squeezenet_packed": 395_000}


def found(wrong: int, kept: Kept) -> Found:
    right = np.arange(PICTURES) >= wrong
    return Found(kept, Right(right, np.ones(PICTURES, bool)))


def values(**more: Any) -> dict[str, Any]:
    kept = {key: Kept(count, f"how <{key}> was made") for key, count in BYTES.items()}
    kept["alexnet_pruned"] = Kept(34_000_000, "pruned", values_bytes=27_000_000)
    networks = {key: found(10 + 2 * number, each) for number, (key, each) in enumerate(kept.items())}
    return {
        "format": 1,
        "sqz_tf": "0",
        "name": "<b>photos</b>",
        "command": "python -m sqz_tf.compare",
        "alexnet": described(AlexNetSpec()),
        "original": True,
        "squeezenet": "SqueezeNet 1.1",
        "counts": {"train": 800, "test": PICTURES},
        "classes": ["a", "b"],
        "licence": "",
        "rows": rows_of(networks),
        "notes": ["a note"],
        **more,
    }


def test_rows_stand_in_the_papers_order_with_their_ratios() -> None:
    rows = values()["rows"]
    assert [row["key"] for row in rows] == [key for key in ORDER if key in BYTES]
    by = {row["key"]: row for row in rows}
    assert by["squeezenet"]["times"] == pytest.approx(243_860_896 / 4_993_696)
    assert by["squeezenet"]["paper"]["times"] == 50
    assert by["alexnet_pruned"]["values_times"] == pytest.approx(9.03, abs=0.01)
    assert by["squeezenet_packed"]["paper"] is None


def test_every_row_has_a_name_and_a_place() -> None:
    assert sorted(ORDER) == sorted(NAMES)
    assert [key for key in ORDER if key in TABLE_2] == list(TABLE_2)


def test_differences_are_paired_with_alexnet() -> None:
    rows = {row["key"]: row for row in values()["rows"]}
    assert rows["alexnet"]["lost"] is None
    assert rows["squeezenet"]["lost"]["drop_pp"] == pytest.approx(100 * 4 / PICTURES)
    assert (rows["squeezenet"]["lost"]["lost"], rows["squeezenet"]["lost"]["gained"]) == (4, 0)
    low, high = rows["squeezenet"]["lost"]["interval_pp"]
    assert low < 2 < high


def test_the_best_answer_is_counted_from_scores() -> None:
    each = found_in(Kept(1, ""), np.eye(6)[[0, 1, 2]], np.array([0, 1, 0]))
    assert each.right.top1.tolist() == [True, True, False]
    assert each.right.top5.all()


@pytest.mark.parametrize(
    ("count", "text"),
    [(243_860_896, "244 MB (233 MiB)"), (47_034, "47 kB (45.9 KiB)"), (999_999, "1000 kB (977 KiB)")],
)
def test_sizes_are_in_both_units(count: int, text: str) -> None:
    assert size(count) == text


def test_ratios_are_short() -> None:
    assert [times(each) for each in (1.0, 4.91, 9.0, 48.83, 510, None)] == ["1 ×", "4.9 ×", "9 ×", "49 ×", "510 ×", ""]


def test_the_terminal_shows_each_row_once() -> None:
    text = to_text(values())
    lines = [line for line in text.splitlines() if line[:2].strip().isdigit()]
    assert len(lines) == len(BYTES)
    assert "243" not in lines[0]
    assert "49 ×" in lines[2]
    assert "50 ×" in lines[2]
    assert "values alone 27 MB (25.7 MiB), 9.0 ×" in text
    assert text.splitlines()[0] == "AlexNet, 1000 classes"


def test_csv_and_json_hold_unrounded_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(values()))))
    assert [int(row["bytes"]) for row in rows] == [values()["rows"][at]["bytes"] for at in range(4)]
    assert float(rows[2]["times"]) == 243_860_896 / 4_993_696
    assert (rows[0]["lost_pp"], rows[3]["paper_times"]) == ("", "")
    assert rows[3]["how"] == "how <squeezenet_packed> was made"
    back = json.loads(to_json(values()))
    assert to_csv(back) == to_csv(values())


def test_the_page_is_whole_and_escapes_names() -> None:
    page = render(values(original=False))
    assert "<b>photos</b>" not in page
    assert "how &lt;squeezenet&gt; was made" in page
    assert page.count("<tr>") == 1 + len(BYTES)
    assert "here a scaled one stands for it" in page
    assert 'src="http' not in page


def test_a_forecast_of_the_originals_is_the_papers_arithmetic() -> None:
    model = ModelSpec(arch="squeezenet-1.0", input_size=227)
    found = foresee(alexnet_of(model), model)
    assert alexnet_of(model).is_original
    assert found["alexnet_parameters"] == 60_965_224
    assert found["bytes"]["alexnet"] == pytest.approx(240e6, rel=0.02)
    assert found["times"]["squeezenet"] == pytest.approx(TABLE_2["squeezenet"].times, rel=0.03)
    assert found["times"]["alexnet_deep"] == pytest.approx(TABLE_2["alexnet_deep"].times, rel=0.25)


def test_the_published_densities_leave_the_published_number_of_weights() -> None:
    shapes = layer_shapes(AlexNetSpec())
    left = sum(math.prod(shape) * DENSITY[name] for name, shape in shapes.items())
    assert left == pytest.approx(6.7e6, rel=0.03)  # of 61 million, as Han et al. 2015 say
