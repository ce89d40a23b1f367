"""What the report says is what the numbers say, in every form it takes, and nothing in it can bite."""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sqz_tf import classify
from sqz_tf.base.errors import OutputError
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, to_dict
from sqz_tf.base.units import duration, kib, short
from sqz_tf.report import plots
from sqz_tf.report.document import to_json, validate
from sqz_tf.report.mistakes import Mistake, mistakes
from sqz_tf.report.order import layer_order
from sqz_tf.report.pages import render_html, render_model_card, summary_table
from sqz_tf.report.schema import FORMAT
from sqz_tf.report.sections.accuracy import accuracy_intervals
from sqz_tf.report.sections.confusion import CONFUSIONS_SHOWN, confusion_matrix
from sqz_tf.report.sections.every import SECTIONS
from sqz_tf.report.sections.layers import layer_sparsity, layer_sqnr
from sqz_tf.report.sections.making import _stages, stage_seconds
from sqz_tf.report.sections.training import training_curves
from tests.helpers import echo_models
from tests.helpers.needs import ROOT

HOSTILE = '<script>alert(1)</script> & "$x$" | `cd` [a](b)'
VOID = {"meta", "br", "img", "link", "input", "hr"}


def accuracy(top1: float, n: int = 456) -> dict[str, Any]:
    return {"top1": top1, "top5": min(1.0, top1 + 0.01), "n": n, "interval": [top1 - 0.02, min(1.0, top1 + 0.01)]}


def edge(**changes: Any) -> dict[str, Any]:
    values = {"gate": "equal", "passed": True, "n": 32, "equal": True, "max_abs_diff": 0.0}
    return {**values, "first_bad_layer": None, "agreement_top1": None, "skipped": None, **changes}


def history(epochs: int) -> dict[str, list[float]]:
    falling = [2.3 / (epoch + 1) for epoch in range(epochs)]
    rising = [1 - 0.5 / (epoch + 1) for epoch in range(epochs)]
    return {"loss": falling, "accuracy": rising, "val_loss": falling, "val_accuracy": rising}


def example(classes: list[str] | None = None) -> dict[str, Any]:
    """Return a passed report of plausible numbers."""
    classes = classes or [str(digit) for digit in range(10)]
    number = len(classes)
    counts = {"test": 40 * number, "train": 100 * number, "validation": 20 * number, "calibration": 9 * number}
    confusion = (np.eye(number, dtype=int) * 39 + np.roll(np.eye(number, dtype=int), 1, axis=1)).tolist()
    return {
        "format": FORMAT,
        "sqz_tf": "0.1.0",
        "name": "digits",
        "command": "python -m sqz_tf.export --data digits",
        "scheme": "int8",
        "data": {
            "source": "digits",
            "name": "digits",
            "classes": classes,
            "counts": counts,
            "per_class": {split: [total // number] * number for split, total in counts.items()},
            "licence": "CC BY 4.0",
            "notes": ["3 exact copies within a class: left out"],
        },
        "model": to_dict(ModelSpec(input_size=48, channels=1, classes=max(2, number), width=0.25)),
        "preprocess": to_dict(PreprocessSpec(48, 48, channels=1, mean=(0.3,), std=(0.35,))),
        "config": {"train": {"epochs": 3}, "prune": {}, "quantize": {}, "check": {"max_drop": 1.0}, "seed": 7},
        "accuracy": {
            "float": accuracy(0.9890),
            "pruned": accuracy(0.9868),
            "final_float": accuracy(0.9868),
            "int8": accuracy(0.9846),
            "drop_pp": 0.44,
            "drop_interval_pp": [-0.31, 1.19],
            "mcnemar_p": 0.625,
            "flips": {"lost": 3, "gained": 1},
        },
        "agreement_top1": 0.987,
        "sparsity": {
            "target": 0.5,
            "layers": {
                "conv10": {"pruned": 0.5, "tflite": 0.51},
                "fire2_expand3x3": {"pruned": 0.5, "tflite": 0.5},
                "fire2_squeeze1x1": {"pruned": 0.5, "tflite": 0.52},
            },
        },
        "sizes": {
            "model.keras": {"bytes": 561_234, "xz": 241_000},
            "model_f32.tflite": {"bytes": 331_212, "xz": 181_000},
            "model_int8.tflite": {"bytes": 126_904, "xz": 58_120},
            "labels.txt": {"bytes": 20, "xz": 72},
        },
        "params": 81_890,
        "macs": 3_210_000,
        "tflm": {
            "arena_bytes": 43_008,
            "arena_measured_bytes": 38_912,
            "margin_bytes": 4_096,
            "ops": ["CONV_2D", "SOFTMAX"],
        },
        "parity": {
            "int8_litert_ref-tflm": edge(),
            "int8-uint8_twin": edge(),
            "int8_litert_ref-tflite_runtime_ref": edge(passed=None, equal=None, max_abs_diff=None, skipped="no wheel"),
            "keras_float-tflite_float": edge(gate="close", equal=False, max_abs_diff=1.25e-6, agreement_top1=1.0),
        },
        "sqnr": {"layers": {"conv1": 33.1, "fire2_squeeze1x1": 20.2, "conv10": None}, "worst": "fire2_squeeze1x1"},
        "training": {"float": history(3), "pruned": history(2), "qat": history(1)},
        "confusion": confusion,
        "gate": {"passed": True, "failures": [], "warnings": []},
        "seconds": {"dense": 52.4, "data": 1.2, "odd": 0.5},
    }


def failed() -> dict[str, Any]:
    values = example()
    values["gate"] = {"passed": False, "failures": ["int8 loses 3.80 points"], "warnings": ["few pictures"]}
    values["parity"]["int8_litert_ref-tflm"] = edge(
        passed=False, equal=False, max_abs_diff=12.0, first_bad_layer="fire3_expand3x3"
    )
    values["sparsity"]["layers"]["fire2_expand3x3"]["tflite"] = 0.36
    return values


def wrong_pictures(channels: int = 1) -> list[Mistake]:
    image = np.arange(12 * 12 * channels, dtype=np.uint8).reshape(12, 12, channels)
    return [Mistake(image, "3", "8", 0.97, "digits/0042"), Mistake(image, HOSTILE, "1", 0.5, HOSTILE)]


class Page(HTMLParser):
    """Collects elements with their attributes, and fails on tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


# report.json -------------------------------------------------------------------------------------------------


def test_a_complete_report_is_valid() -> None:
    validate(example())
    validate(failed())


def change(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with the value at a dotted path replaced, or removed if it is `...`."""
    changed = copy.deepcopy(values)
    *parents, last = path.split("/")
    place = changed
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    "path",
    [
        "accuracy/int8/top1",
        "accuracy/pruned",
        "accuracy/drop_pp",
        "agreement_top1",
        "sparsity/layers/conv10/tflite",
        "sizes/model_int8.tflite",
        "sizes/labels.txt/xz",
        "params",
        "macs",
        "tflm/arena_bytes",
        "parity/int8_litert_ref-tflm/first_bad_layer",
        "seconds",
        "gate/passed",
        "config/check/max_drop",
    ],
)
def test_a_missing_key_is_named(path: str) -> None:
    with pytest.raises(OutputError, match=rf"{re.escape(path.replace('/', '.'))} is 'nothing'"):
        validate(change(example(), path, ...))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("accuracy/int8/top1", 98.7, "a fraction from 0 to 1"),
        ("accuracy/float/interval", [0.9, 1.01], "a fraction from 0 to 1"),
        ("accuracy/float/interval", [0.9], "two numbers"),
        ("agreement_top1", -0.01, "a fraction from 0 to 1"),
        ("sparsity/target", 50, "a fraction from 0 to 1"),
        ("sqnr/layers/conv1", float("inf"), "a finite number"),
        ("accuracy/drop_pp", float("nan"), "a finite number"),
        ("params", True, "int"),
        ("params", 1.5, "int"),
        ("gate/passed", 1, "bool"),
        ("name", None, "str"),
        ("format", 2, "1"),
        ("data/per_class/test", [1, 2], "one for each of 10 classes"),
        ("data/counts/extra", 3, "the splits of data.counts"),
    ],
)
def test_a_wrong_value_is_named(path: str, value: Any, expected: str) -> None:
    with pytest.raises(OutputError, match=re.escape(expected)):
        validate(change(example(), path, value))


def test_stages_that_were_not_run_are_null() -> None:
    values = example()
    values["accuracy"] |= {"pruned": None, "final_float": None}
    values["tflm"] |= {"arena_bytes": None, "arena_measured_bytes": None, "margin_bytes": None}
    values["training"] = {"float": None}
    values["sparsity"]["layers"], values["confusion"] = {}, None
    page = Page(render_html(values))
    assert not {"training", "mistakes", "confusion"} & {attributes.get("id") for attributes in page.all("section")}
    assert "not measured" in page.text
    assert "not pruned" in page.text
    assert "pruned" not in summary_table(values).split("\n", 2)[2].split("PASSED")[0]


def test_an_arena_that_was_not_measured_is_no_number() -> None:
    values = example()
    values["tflm"] |= {"arena_bytes": None, "arena_measured_bytes": None, "margin_bytes": None}
    text = Page(render_html(values)).text
    assert "Arena not measured: tflite-micro is not installed Operations" in text
    assert "RAM, TFLite Micro not measured tflite-micro is not installed" in text
    card = render_model_card(values)
    assert "RAM for the arena is not measured: tflite-micro is not installed." in card
    assert "`settings.h` has no\n`SQZ_ARENA_BYTES`" in card
    assert summary_table(values).split("\n")[3].endswith("3.21\u00a0M")
    assert "not measured" not in render_model_card(example())
    for shown in (text, card, summary_table(values)):
        assert "None" not in shown


def quantized_only() -> dict[str, Any]:
    """Return the report of an export that trained nothing, of a network that was half zeros when it came."""
    values = example()
    values["training"], values["accuracy"]["pruned"] = {}, None
    values["seconds"] = {"data": 1.0, "float": 2.0, "calibrated": 3.0, "converted": 4.0, "checked": 5.0}
    values["sparsity"] = {
        "target": 0.0,
        "layers": {
            "fire2_expand1x1": {"pruned": 0.1, "tflite": 0.25},
            "fire2_expand3x3": {"pruned": 0.5, "tflite": 0.75},
        },
    }
    values["calibration"] = {
        "images": 20,
        "source": "more",
        "tensors": {"conv1": {"clip": 0.9, "strength": 0.5, "sqnr_min_max": 30.0, "sqnr": 35.0}},
        "min_max": {"agreement_top1": 0.9, "divergence": 0.03},
        "chosen": {"agreement_top1": 0.95, "divergence": 0.01},
    }
    return values


def test_zeros_in_blocks_are_told_from_others() -> None:
    values = example()
    assert "blocks" not in Page(render_html(values)).text
    values["sparsity"]["pattern"] = "block"
    assert "pruned layers, in blocks" in Page(render_html(values)).text.replace("\u00a0", " ")
    assert "before pruning blocks of four channels by two inputs, final float" in render_model_card(values)


def test_a_network_that_was_only_quantized_is_not_said_to_be_pruned() -> None:
    values = quantized_only()
    text = Page(render_html(values)).text.replace("\u00a0", " ")
    # 1×1 and 3×3 kernels of equal sides: (1 · 25 % + 9 · 75 %) / 10
    assert "Zero weights 70 % not pruned here, kept in all 2 layers" in text
    assert "pruning" not in text.split("All settings")[0]
    card = render_model_card(values)
    assert "Float is the network with the weights it was given" in card
    assert "before pruning" not in card
    assert "Float is the dense network before pruning" in render_model_card(example())
    assert "target" not in layer_sparsity(values["sparsity"]["layers"], 0.0)


# Fixed point --------------------------------------------------------------------------------------------------


def paired(lost: int, gained: int, n: int = 400) -> dict[str, Any]:
    drop = 100 * (lost - gained) / n
    return {
        "drop_pp": drop,
        "interval_pp": [drop - 1, drop + 1.5],
        "lost": lost,
        "gained": gained,
        "n": n,
        "mcnemar_p": 0.5,
    }


def fixed_point() -> dict[str, Any]:
    """Return the report of a network whose scales are powers of two."""
    values = quantized_only()
    trials = [(bits, None, 0.645 - 0.1 / bits) for bits in (16, 8, 4)] + [
        (None, 8, 0.64),
        (None, 4, 0.09),
        (8, 8, 0.62),
    ]
    values |= {
        "scheme": "ristretto",
        "fractional_length": {"conv10": -1, "conv1": [7, 9, 8], "input": 0},
        "bits": {"weights": 8, "outputs": 8, "biases": 32},
    }
    values["ristretto"] = {
        "before": accuracy(0.62),
        "after": accuracy(0.64),
        "free_scale": accuracy(0.65),
        "against_free_scale": paired(12, 8),
        "trimming": {
            "judged_by": "labels",
            "images": 400,
            "calibration_images": 200,
            "margin_pp": 3.0,
            "float_top1": 0.645,
            "float_top5": 0.855,
            "per_channel": False,
            "trials": [
                {
                    "weights": w,
                    "outputs": o,
                    "top1": top1,
                    "top5": 0.9,
                    "against_float": paired(10, 3),
                    "agreement_top1": 0.91,
                    "divergence": 0.0123,
                }
                for w, o, top1 in trials
            ],
            "bits": {"weights": 4, "outputs": 8},
        },
    }
    return values


def test_fixed_point_is_told_with_its_cost_and_its_bits() -> None:
    page = Page(render_html(fixed_point()))
    text = page.text.replace("\u00a0", " ")
    assert "it loses 1.00 points of top-1 (loss, 95 % interval 0.00 to 2.50): only free scales have 12" in text
    rows = ("before fine-tuning 62.0 %", "after fine-tuning 64.0 %", "int8, free scales 65.0 %")
    assert sorted(rows, key=text.index) == list(rows)
    assert "Within 3 points of float: weights from 4 bits on, layer outputs from 8 bits on" in text
    assert "float float 64.5 % 85.5 %" in text
    assert "8 8 62.0 % 90.0 % 1.75 0.75 to 3.25 91.0 % 0.0123" in text
    assert "input 0" in text
    assert "conv1 7 to 9, one for each of 3 channels" in text
    assert "conv10 −1" in text
    (plot,) = [one for one in page.all("svg") if "against bit width" in (one["aria-label"] or "")]
    assert plot["aria-label"] == "top-1 against bit width: weights 4 to 16 bits, layer outputs 4 to 8 bits"


def test_what_fixed_point_did_without_is_left_out() -> None:
    values = fixed_point()
    values["ristretto"] |= {"before": None, "free_scale": None, "against_free_scale": None, "trimming": None}
    text = Page(render_html(values)).text
    assert "fixed point, not fine-tuned 64.0" in text
    for word in ("after fine-tuning", "Against int8", "free scales", "Trimming", "None"):
        assert word not in text
    assert "Fixed point" not in Page(render_html(example())).text


def test_agreement_is_not_called_accuracy() -> None:
    values = fixed_point()
    values["ristretto"]["trimming"]["judged_by"] = "agreement"
    page = Page(render_html(values))
    assert "What float answers counts as right." in page.text
    assert any("same answer as float against" in (one["aria-label"] or "") for one in page.all("svg"))


def test_a_class_that_was_never_alone_is_not_drawn() -> None:
    values = fixed_point()
    trials = values["ristretto"]["trimming"]["trials"]
    values["ristretto"]["trimming"]["trials"] = [trial for trial in trials if trial["weights"]]
    assert "against bit width" not in render_html(values)


@pytest.mark.parametrize(
    "path",
    ["bits", "fractional_length", "ristretto/after", "ristretto/before", "ristretto/trimming/bits/weights"],
)
def test_a_fixed_point_report_names_what_is_missing(path: str) -> None:
    validate(fixed_point())
    with pytest.raises(OutputError, match=rf"{re.escape(path.replace('/', '.'))} is 'nothing'"):
        validate(change(fixed_point(), path, ...))
    with pytest.raises(OutputError, match=re.escape("int or list")):
        validate(change(fixed_point(), "fractional_length/input", "seven"))


def test_stages_come_in_the_order_they_ran() -> None:
    seconds = {"data": 1.0, "rival": 2.0, "trimmed": 3.0, "calibrated": 4.0, "checked": 5.0}
    ran = ["data", "calibrated", "rival", "trimmed", "checked"]
    values = json.loads(to_json({**example(), "seconds": seconds, "stages": ran}))
    assert [name for name, _ in _stages(values)] == ran
    del values["stages"]
    assert [name for name, _ in _stages(values)] == sorted(seconds)


def test_reading_a_report_loads_no_matplotlib() -> None:
    code = "import sys, sqz_tf.report.document; print(*{'matplotlib', 'jinja2', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_every_section_is_on_the_page_and_has_its_template_beside_it() -> None:
    folder = ROOT / "sqz_tf" / "report" / "sections"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "every", "section"}
    assert {section.template for section in SECTIONS} == {f"{name}.html.j2" for name in modules}
    assert {path.name for path in folder.glob("*.j2")} == {section.template for section in SECTIONS}
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)


def test_the_page_to_try_it_is_linked_where_there_is_one() -> None:
    assert "try.html" not in render_html(example())
    page = render_html({**example(), "page": {"name": "try.html", "bytes": 161_332}})
    assert '<a href="try.html">' in page
    assert "161 KB" in page


def test_which_float_agrees_is_said() -> None:
    values = example()
    values["parity"]["float-int8"] = edge(gate="accuracy", equal=None, agreement_top1=0.875)
    for text in (Page(render_html(values)).text, render_model_card(values)):
        words = " ".join(text.replace("\u00a0", " ").replace("`", "").split())
        assert "int8 gives the answer of model_f32.tflite, the final float network, on 98.7 % of the pictures" in words
        assert "and that of float on 87.5 %." in words


def test_what_was_measured_without_a_gate_is_not_called_skipped() -> None:
    values = example()
    values["parity"] = {"int8_litert_ref-litert_builtin": edge(gate="none", passed=None)}
    assert "reported only no difference, 32 pictures – reported" in Page(render_html(values)).text


def test_json_is_sorted_stable_and_plain() -> None:
    values = example()
    values["accuracy"]["int8"]["top1"] = np.float32(0.5)
    values["confusion"] = np.asarray(values["confusion"])
    values["accuracy"]["float"]["interval"] = (0.9, 1.0)
    text = to_json(values)
    read = json.loads(text)
    assert read["accuracy"]["int8"]["top1"] == 0.5
    assert read["confusion"][0][:2] == [39, 1]
    assert list(read) == sorted(read)
    assert to_json(read) == text
    assert "[ 0.9, 1.0 ]" in text  # lists of numbers stay on one line


def test_json_leaves_texts_alone() -> None:
    values = example()
    values["name"] = "a [1,\n 2] — é ☃ [\n1,  2\n]"
    assert json.loads(to_json(values))["name"] == values["name"]


def test_a_large_confusion_matrix_is_kept_as_its_cells() -> None:
    classes = [f"class {index}" for index in range(plots.MATRIX_CLASSES + 1)]
    values = example(classes)
    cells = json.loads(to_json(values))["confusion"]["cells"]
    assert [0, 0, 39] in cells
    assert [40, 0, 1] in cells
    assert len(cells) == 2 * len(classes)
    assert json.loads(to_json(json.loads(to_json(values))))["confusion"]["cells"] == cells


# report.html -------------------------------------------------------------------------------------------------


def test_the_page_fetches_nothing() -> None:
    html = render_html(example(), wrong_pictures())
    page = Page(html)
    assert "http:" not in html.replace("http-equiv", "")
    assert "https:" not in html
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "background"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,")), (tag, attributes)
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}


def test_the_page_can_be_read_by_machines_that_read_aloud() -> None:
    page = Page(render_html(failed(), wrong_pictures(3)))
    assert page.all("html") == [{"lang": "en"}]
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in page.all("th"))
    assert all(attributes.get("aria-label") and attributes.get("role") == "img" for attributes in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {(attributes.get("href") or "#")[1:] for tag, attributes in page.elements if tag in ("a", "use")}
    assert used - {""} <= set(ids)


def test_a_page_follows_light_and_dark() -> None:
    html = render_html(example())
    assert "prefers-color-scheme: dark" in html
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert "var(--blue)" in drawn
    assert "font-family" not in drawn
    assert not re.findall(r"#[0-9a-f]{6}\b", drawn)  # every colour is the style sheet's


def test_what_a_user_named_is_shown_and_not_run() -> None:
    values = example([HOSTILE, "b"])
    values["name"] = values["command"] = values["data"]["licence"] = HOSTILE
    values["data"]["notes"] = values["gate"]["warnings"] = values["gate"]["failures"] = [HOSTILE]
    values["gate"]["passed"] = False
    values["data"]["source"] = values["data"]["name"] = HOSTILE
    values["parity"] = {HOSTILE: edge(passed=None, skipped=HOSTILE)}
    page = Page(render_html(values, wrong_pictures()))
    assert page.all("script") == []
    assert page.text.count("<script>alert(1)</script>") >= 10


def test_the_same_dict_gives_the_same_bytes() -> None:
    pictures = wrong_pictures()
    html = render_html(example(), pictures)
    assert render_html(example(), pictures) == html
    assert render_html(json.loads(to_json(example())), pictures) == html
    assert render_model_card(json.loads(to_json(example()))) == render_model_card(example())


def test_a_failure_comes_first_and_a_warning_second() -> None:
    html = render_html(failed())
    place = [html.index(mark) for mark in ('class="verdict fail"', 'class="verdict warn"', 'class="tiles"')]
    assert place == sorted(place)
    assert "Passed" not in html
    text = Page(html).text
    assert "int8 loses 3.80 points" in text
    assert "largest difference 12, first in fire3_expand3x3, 32 pictures ✕ failed" in text
    assert "lost in 1 of 3 layers" in text
    assert text.index("✕ failed") < text.index("✓ passed")
    passed = render_html(example())
    assert 'class="verdict pass"' in passed
    assert 'class="verdict fail"' not in passed


def test_the_page_says_the_numbers() -> None:
    text = Page(render_html(example(), wrong_pictures())).text
    for words in (
        "SqueezeNet 1.1, width 0.25, 48 × 48 grey, 10 classes, scheme int8",
        "int8 loses 0.44 points of top-1 against float (95 % interval −0.31 to 1.19); at most 1.0 may be lost.",
        "2 of 2 exact comparisons found no difference, 1 skipped.",
        "98.5 % 96.5 to 99.5 % on 456 pictures",
        "123.9 KiB 56.8 KiB packed, 2.6 times smaller than float",
        "int8 reference kernels ↔ TFLite Micro exactly equal no difference, 32 pictures ✓ passed",
        "int8 reference kernels ↔ tflite-runtime 2.14 exactly equal no wheel – skipped",
        "Keras float ↔ TFLite float nearly the same numbers largest difference 1.25e-06, same answer on 100.0 %",
        "arena: 38.0 KiB used, 4.0 KiB margin",
        "3 taken for 8 97 % sure digits/0042",
        "The 2 surest of 7 test pictures the int8 model got wrong.",
        "54 s in all",
    ):
        assert words in text.replace("\u00a0", " "), words


def test_every_setting_is_shown_as_it_was_used() -> None:
    values = example()
    values["config"]["preprocess"] = {**values["preprocess"], "mean": [0.0]}
    text = Page(render_html(values)).text
    assert "mean 0.3 " in text
    assert "mean 0 " not in text
    assert "train epochs 3" in text
    assert "run seed 7" in text


@pytest.mark.parametrize(("drop", "words"), [(-0.5, "int8 gains 0.50 points"), (0.0, "int8 loses nothing")])
def test_a_gain_is_not_called_a_loss(drop: float, words: str) -> None:
    assert words in summary_table(change(example(), "accuracy/drop_pp", drop))


@pytest.mark.parametrize("number", [2, 14, 40, 41, 1000])
def test_confusions_can_be_read_for_any_number_of_classes(number: int) -> None:
    values = example([f"class {index}" for index in range(number)])
    html = render_html(values)
    section = html[html.index('id="confusion"') : html.index('id="data"')]
    assert ("<svg" in section) == (number <= 40)
    assert ("Classes recognised least" in section) == (number > 14)
    assert section.count("<tr>") <= 2 * (CONFUSIONS_SHOWN + 1)
    assert "class 0</th><td" in section


def test_the_most_frequent_confusion_comes_first() -> None:
    values = example(["cat", "dog", "fox"])
    values["confusion"] = [[30, 2, 8], [0, 40, 0], [5, 0, 35]]
    text = Page(render_html(values)).text.replace("\u00a0", " ")
    assert "cat fox 8 20 % fox cat 5 12 % cat dog 2 5 %" in text
    values["confusion"] = [[40, 0, 0], [0, 40, 0], [0, 0, 40]]
    assert "No picture was taken for another class." in Page(render_html(values)).text


# mistakes ----------------------------------------------------------------------------------------------------


def test_the_surest_mistakes_come_first() -> None:
    scores = np.array([[127, -128, -128], [-128, 100, -100], [0, 64, 60], [-128, -128, 127]], np.int8)
    images = np.zeros((4, 2, 2, 1), np.uint8)
    found = mistakes(images, np.array([0, 0, 0, 0]), scores, ["a", "b", "c", "d"], ["x", "y", "z"], 2)
    assert [(one.name, one.truth, one.predicted) for one in found] == [("d", "x", "z"), ("b", "x", "y")]
    assert found[0].probability == 255 / 256
    unsigned = (scores.astype(np.int16) + 128).astype(np.uint8)
    again = mistakes(images, np.array([0, 0, 0, 0]), unsigned, ["a", "b", "c", "d"], ["x", "y", "z"], 2)
    assert [one.probability for one in again] == [one.probability for one in found]
    floats = mistakes(images[:1], np.array([2]), np.array([[0.2, 0.7, 0.1]], np.float32), ["a"], ["x", "y", "z"])
    assert floats[0].probability == pytest.approx(0.7)


def test_a_certainty_does_not_push_a_picture_off_the_list() -> None:
    scores = np.full((3, 3), -128, np.int8)  # nothing but ties: the first class answers
    found = mistakes(np.zeros((3, 2, 2, 3), np.uint8), np.array([0, 1, 2]), scores, list("abc"), list("xyz"))
    assert [one.name for one in found] == ["b", "c"]
    assert found[0].probability == 0


# the last words ----------------------------------------------------------------------------------------------


def test_the_summary_is_a_plain_table() -> None:
    assert summary_table(example()).replace("\u00a0", " ") == (
        "         top-1  95 % interval       size         xz    MACs       RAM\n"
        "float   98.9 %    96.9–99.9 %  323.4 KiB             3.21 M\n"
        "pruned  98.7 %    96.7–99.7 %  323.4 KiB  176.8 KiB  3.21 M\n"
        "int8    98.5 %    96.5–99.5 %  123.9 KiB   56.8 KiB  3.21 M  42.0 KiB\n"
        "\n"
        "int8 loses 0.44 points of top-1 against float (95 % interval −0.31 to 1.19); at most 1.0 may be lost.\n"
        "PASSED. 2 of 2 exact comparisons found no difference, 1 skipped."
    )


def test_the_summary_of_a_failure_ends_with_the_verdict() -> None:
    assert summary_table(failed()).split("\n")[-3:] == [
        "warning: few pictures",
        "failure: int8 loses 3.80 points",
        "FAILED: do not ship this result.",
    ]


# the model card ----------------------------------------------------------------------------------------------


def table(card: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    lines = card[card.index(f"## {heading}") :].split("\n")
    first = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_card_has_accuracies_files_and_licences() -> None:
    values = example()
    values["licences"] = ["weights: BSD, Song Han"]
    card = render_model_card(values).replace("\u00a0", " ")
    assert card.startswith("# digits\n")
    assert "python -m sqz_tf.export --data digits" in card
    assert table(card, "Accuracy")[-1] == ["int8", "98.5 %", "96.5 % to 99.5 %", "99.5 %"]
    rows = table(card, "Files")
    assert [row[0] for row in rows[2:]] == [f"`{name}`" for name in sorted(values["sizes"])]
    assert all(row[3] for row in rows)
    assert "weights: BSD, Song Han" in card
    assert "CC BY 4.0" in card
    assert "The check passed" in card
    assert len({len(row) for row in rows}) == 1


def test_the_card_of_a_failure_says_so() -> None:
    card = render_model_card(failed())
    assert "do not ship" in card
    assert "- int8 loses 3.80 points" in card
    assert "passed" not in card.split("## Accuracy")[0]


def test_a_card_is_not_broken_by_names() -> None:
    values = example([HOSTILE, "two\nlines"])
    values["name"] = "x\n# not a heading"
    values["command"] = "export --data '```\n# not a heading'"
    card = render_model_card(values)
    assert "<script>" not in card
    assert "\n# not a heading" not in card
    assert card.count("```") % 2 == 0
    assert "two lines" in card


@pytest.mark.parametrize(
    ("spec", "words", "absent"),
    [
        (PreprocessSpec(224, 224), "largest centred square", "Cut the centred"),
        (
            PreprocessSpec(227, 227, fit="warp", resize_width=256, resize_height=256),
            "Cut the centred 227 × 227",
            "square",
        ),
        (PreprocessSpec(48, 48, channels=1), "Grey: (77 R + 150 G + 29 B + 128)", "standard deviation"),
        (PreprocessSpec(48, 48, mean=(0.1, 0.2, 0.3)), "standard deviation are inside the first", "Grey"),
        (PreprocessSpec(64, 48), "sides 64 : 48", "aspect ratio"),
    ],
)
def test_preprocessing_is_told_in_words(spec: PreprocessSpec, words: str, absent: str) -> None:
    values = example()
    values["preprocess"] = to_dict(spec)
    card = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), render_model_card(values).replace("\u00a0", " "))
    steps = card[card.index("## From a picture") : card.index("## Use")]
    assert words in steps
    assert absent not in steps


def blocks(card: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", card[card.index("## Use") :], flags=re.DOTALL)


@pytest.mark.parametrize(
    ("spec", "wnids"),
    [
        (PreprocessSpec(2, 2, channels=1), {}),
        (PreprocessSpec(2, 2, fit="warp", resize_width=4, resize_height=4), {"wnids": [f"n{i:08}" for i in range(12)]}),
    ],
)
def test_the_code_of_the_card_runs(
    spec: PreprocessSpec, wnids: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The models of byte_models answer with the pixels of their input, so the brightest one names the class."""
    classes = 4 * spec.channels
    content = echo_models.model("int8", (1, 2, 2, spec.channels))
    labels = [f"pixel {index}" for index in range(classes)]
    (tmp_path / "model_int8.tflite").write_bytes(echo_models.described(content, labels, spec, **wnids))
    picture = np.full((8, 16, 3), 40, np.uint8)
    picture[4:, 8:, 1] = 200
    Image.fromarray(picture).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    card = render_model_card(example())
    with_kit, without = blocks(card, "python")
    best = str(classes - 1 if spec.channels == 1 else classes - 2)
    said = []
    for code in (with_kit, without):
        exec(compile(code, "README.md", "exec"), {})
        said.append(capsys.readouterr().out.splitlines())
    assert [lines[0].rsplit(" ", 1)[0] for lines in said] == [f"{best} pixel {best}"] * 2
    assert float(said[0][0].split()[-1]) == pytest.approx(float(said[1][0].split()[-1]), abs=2 / 256)
    assert len(said[0]) == min(5, classes)
    command = shlex.split(blocks(card, "sh")[0])
    assert command[:3] == ["python", "-m", "sqz_tf.classify"]
    assert classify.main(command[3:]) == 0
    assert f"pixel {best} ({best})" in capsys.readouterr().out.splitlines()[1]


# plots -------------------------------------------------------------------------------------------------------


def test_layers_come_in_the_order_of_the_network() -> None:
    names = [
        "conv10",
        "fire2_expand3x3",
        "fire10_squeeze1x1",
        "conv1",
        "fire2_expand1x1",
        "fire2_squeeze1x1",
        "softmax",
    ]
    assert layer_order(names) == [
        "conv1",
        "fire2_squeeze1x1",
        "fire2_expand1x1",
        "fire2_expand3x3",
        "conv10",
        "fire10_squeeze1x1",
        "softmax",
    ]


def test_the_worst_layer_and_lost_zeros_are_marked() -> None:
    svg = layer_sqnr({"conv1": 30.0, "conv10": 12.3}, "conv10")
    assert "12.3, worst" in svg
    assert svg.count("worst") == 2  # its value, and the description
    kept = layer_sparsity({"conv10": {"pruned": 0.5, "tflite": 0.5}}, 0.5)
    lost = layer_sparsity({"conv10": {"pruned": 0.5, "tflite": 0.4999}}, 0.5)
    assert "var(--orange)" not in kept
    assert "var(--orange)" in lost


def test_plots_take_what_a_short_run_gives() -> None:
    assert "<svg" in training_curves({"float": {"loss": [1.0], "accuracy": [0.5]}}, "loss")
    assert "<svg" in layer_sqnr({"conv1": None}, None)
    assert "<svg" in layer_sqnr({"conv1": -3.0}, "conv1")
    assert "<svg" in confusion_matrix([[0, 0], [0, 1]], ["日本", "\x00"])
    assert "<svg" in stage_seconds([("data", 0.0)])
    assert "<svg" in accuracy_intervals([("int8", 1.0, 1.0, 1.0)])


def test_names_and_numbers_are_short() -> None:
    assert short("golden retriever puppies", 11) == "golde…ppies"
    assert short("tab\tbell\a") == "tab bell�"
    assert [kib(size) for size in (20, 1024, 126_904, 1_374_808)] == ["20 B", "1.0 KiB", "123.9 KiB", "1.31 MiB"]
    assert [duration(time) for time in (0.44, 59.4, 59.6, 200, 3599.7, 7500)] == [
        "0.4 s",
        "59 s",
        "1 min 00 s",
        "3 min 20 s",
        "1 h 00 min",
        "2 h 05 min",
    ]


def compiled() -> dict[str, Any]:
    """Return the report of a model that was also compiled to C."""
    values = example()
    values["mcu"] = {
        "target": "generic",
        "arena_bytes": 5120,
        "weight_bytes": 51_234,
        "timeline": {"kept": [1024, 2048, 2048], "working": [0, 512, 1024]},
        "whole_maps": {"layers": ["conv1", HOSTILE, "softmax"], "bytes": [40_960, 51_200, 20]},
    }
    return values


def test_memory_row_by_row_stands_against_whole_maps() -> None:
    page = Page(render_html(compiled()))
    text = page.text.replace("\u00a0", " ")
    assert "needs 5.0 KiB of RAM besides the stack. Whole feature maps alone need 50.0 KiB, 10.0 times" in text
    assert f"TFLite Micro reserves {kib(example()['tflm']['arena_bytes'])}" in text
    labels = [one["aria-label"] or "" for one in page.all("svg")]
    assert "RAM in use in each of 3 steps, at most 3.0 KiB of 5.0 KiB reserved" in labels
    assert any(label.startswith("RAM of whole feature maps in each of 3 layers, most in <script>") for label in labels)
    assert "RAM, compiled to C 5.0 KiB" in text
    assert re.search(r"^int8 .* 5\.0 KiB$", summary_table(compiled()), re.MULTILINE)
    assert "Memory on a microcontroller" not in Page(render_html(example())).text


def test_the_c_is_one_row_of_the_model_card_with_its_call() -> None:
    values = compiled()
    values["sizes"] |= {f"c/{name}": {"bytes": 1000, "xz": 300} for name in ("model_int8.h", "sqz.h")}
    card = render_model_card(values)
    plain = card.replace("\u202f", " ")
    assert "| `c/` | 2 000 | 600 | the int8 model compiled to C" in plain
    assert "\n5 120 bytes. Compile every `.c`" in plain
    assert "model_int8_push_row(arena, row);" in card
    assert "push_row" not in render_model_card(example())


def test_memory_without_tflite_micro() -> None:
    values = compiled()
    values["tflm"] |= dict.fromkeys(("arena_bytes", "arena_measured_bytes", "margin_bytes"))
    text = Page(render_html(values)).text
    assert "10.0 times as much." in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("mcu/arena_bytes", ..., "mcu.arena_bytes is 'nothing'"),
        ("mcu/timeline/working", [1, 2], "mcu.timeline.working is '2 values'; expected 3, as in kept"),
        ("mcu/whole_maps", {"layers": [], "bytes": []}, "expected at least 1, as in layers"),
    ],
)
def test_a_malformed_account_of_memory_is_named(path: str, value: Any, message: str) -> None:
    validate(compiled())
    with pytest.raises(OutputError, match=re.escape(message)):
        validate(change(compiled(), path, value))
