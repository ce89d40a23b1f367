"""What docs/adding.md promises: a made-up scheme or section works without another line, what is forgotten is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from jinja2 import ChoiceLoader, DictLoader

from converters.compiler import TARGETS
from converters.compiler.front.read import READERS
from converters.weights.read import FORMATS
from sqz_tf.artifact.exported import INT8
from sqz_tf.artifact.workspace import Stage
from sqz_tf.base.errors import OutputError
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import DataConfig
from sqz_tf.data.dataset import Summary
from sqz_tf.data.sources import NAMES
from sqz_tf.deploy import need
from sqz_tf.export import build_parser
from sqz_tf.network.pretrained import _layouts
from sqz_tf.pipeline import convert as converting
from sqz_tf.pipeline import figures as reporting
from sqz_tf.pipeline import quantizing
from sqz_tf.pipeline.plan import Options, Plan, make_plan
from sqz_tf.pipeline.run import Rival
from sqz_tf.quantize.schemes.every import SCHEMES, QuantizeConfig
from sqz_tf.quantize.schemes.free import FreeGrid
from sqz_tf.quantize.schemes.scheme import Judged, Scheme
from sqz_tf.report import document, pages
from sqz_tf.report.schema import FRACTION, SCHEMA
from sqz_tf.report.sections.every import SECTIONS
from sqz_tf.report.sections.section import Section
from tests.helpers.documents import SPAN, missing_paths
from tests.helpers.needs import ROOT
from tests.report.test_report import example

PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
NAME = "made-up"


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


# The page.


def missing_tests(text: str) -> list[str]:
    """Return the tests of a page, `FILE::NAME`, that are not in their file."""
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", text)
    return [name for path, name in named if not re.search(rf"^def {name}\(", read(path), re.MULTILINE)]


def test_the_page_names_files_and_tests_that_exist() -> None:
    assert missing_paths(PAGE) == []
    assert missing_tests(PAGE) == []
    assert len(re.findall(r"tests/[\w/]+\.py::\w+", PAGE)) > 5
    assert missing_tests("`tests/house/test_adding.py::test_none`") == ["test_none"]


# A scheme.


class Registered:
    """A made-up scheme, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.scheme = Scheme(
            NAME, "a joke", False, self.grid, 3, frozenset({"ABS"}), self.finish, self.verify, "int8", figures=self.tell
        )

    def grid(self, per_channel: bool) -> FreeGrid:
        self.asked.append(f"grid {per_channel}")
        return FreeGrid(per_channel)

    def finish(self, model: bytes) -> bytes:
        self.asked.append(f"finish {model.decode()}")
        return b"finished"

    def verify(self, model: bytes, expected: Any) -> None:
        self.asked.append(f"verify {model.decode()}")

    def tell(self, model: Any, judged: Judged) -> dict[str, Any]:
        self.asked.append(f"figures {model}")
        return {"joke": {"before": judged.before, "rival": judged.rival, "trimming": judged.trimming}}


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Registered:
    result = Registered()
    monkeypatch.setitem(SCHEMES, NAME, result.scheme)
    return result


class StubRun:
    """A run whose stages are plain folders."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder, self.command = plan, folder, ("sqz_tf.export",)
        self.workspace = SimpleNamespace(seconds={"data": 1.0})
        self.console = SimpleNamespace(step=None)

    def stage(self, name: str, config: Any, build: Callable[[Path], None], **how: Any) -> Stage:
        out = self.folder / name
        out.mkdir()
        build(out)
        self.workspace.seconds[name] = 1.0
        return Stage(name, "", out)


def stubbed(monkeypatch: pytest.MonkeyPatch, module: Any, **values: Any) -> None:
    for name, value in values.items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def run(made_up: Registered, tmp_path: Path) -> Any:
    summary = Summary("name", ("a", "b"), {"train": (9, 9), "test": (9, 9)}, (50, 50), 3, "", "0" * 64)
    return StubRun(make_plan(Options(data=DataConfig(), scheme=NAME), summary), tmp_path)


def test_the_plan_takes_a_scheme_with_its_habits(made_up: Registered, run: Any) -> None:
    assert (run.plan.quantize.scheme, run.plan.quantize.per_channel) == (NAME, False)
    assert NAME in build_parser().format_help()
    assert QuantizeConfig(NAME, per_channel=True).per_channel


def test_a_schemes_grid_is_what_a_network_is_quantized_on(
    made_up: Registered, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubbed(monkeypatch, quantizing, quantize_aware=lambda plain, ranges, pixels, grid, bounds, gains: grid)
    assert quantizing.aware(None, run.plan.quantize, 1.0, {}) == FreeGrid(False)
    assert made_up.asked == ["grid False"]


def test_a_scheme_edits_and_checks_what_was_converted(
    made_up: Registered, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[Any] = []
    stubbed(
        monkeypatch,
        converting,
        integer_model=lambda model: model,
        float_model=lambda model: b"float",
        to_uint8_twin=lambda model: b"twin",
        used_scales=lambda model: (1.0, {}, {}),
        verify_integer=lambda model, operators: allowed.append(operators),
        write_keras=lambda model, path: None,
        numbers=lambda model: b"",
        _described=lambda data, *rest: data,
    )
    rival = Rival(quantizing.RIVAL, QuantizeConfig("int8"), lambda: b"rival")
    made: Any = SimpleNamespace(
        preprocessing=dict, quantized=None, models=lambda: (b"raw", None), rivals=(rival,), rival_stages=()
    )
    found = converting.convert(run, made, None)
    assert made_up.asked == ["finish raw", "verify finished"]
    assert (found.models.folder / INT8).read_bytes() == b"finished"
    assert (found.rival(quantizing.RIVAL), found.rival(quantizing.BEFORE)) == (b"rival", None)
    assert "ABS" in allowed[0]
    assert "ABS" not in allowed[1]


@pytest.mark.parametrize("trims", [False, True])
def test_a_schemes_rival_is_made_and_bits_are_trimmed_if_it_asks(
    made_up: Registered, run: Any, monkeypatch: pytest.MonkeyPatch, trims: bool
) -> None:
    monkeypatch.setitem(SCHEMES, NAME, replace(made_up.scheme, trims=trims))
    stubbed(
        monkeypatch, quantizing, _trim=lambda run, material, out, *rest: quantizing.write_json(out / FILE, {"n": 1})
    )
    material: Any = SimpleNamespace(preprocess=SimpleNamespace(scale=1.0), raw=Pixels(1.0))
    made: list[str] = []
    others, stages, trimming = quantizing.rivals(
        run, material, (), lambda: None, lambda out, config: made.append(config.scheme), epochs=0
    )
    assert made == ["int8"]
    assert [each.name for each in others] == [each.name for each in stages] == [quantizing.RIVAL]
    assert trimming == ({"n": 1} if trims else None)


FILE = "trimming.json"


def test_a_schemes_figures_are_in_the_report(
    made_up: Registered, run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing: Callable[..., dict[str, Any]] = lambda *_: {}  # noqa: E731
    stubbed(
        monkeypatch,
        reporting,
        **dict.fromkeys(("_data", "_accuracy", "_tflm", "configuration"), nothing),
        read_model=bytes.decode,
        macs=len,
        plain_squeezenet=lambda model: SimpleNamespace(count_params=int),
        trusted_runtime=lambda edges: "litert",
        int8_scores=lambda model, runtime, images, rows: model.decode(),
    )
    (tmp_path / INT8).write_bytes(b"model")
    result: Any = SimpleNamespace(
        run=run,
        made=SimpleNamespace(
            material=SimpleNamespace(
                dataset=SimpleNamespace(name="name", images=[], labels=np.array([0]), splits={"test": np.array([0])}),
                preprocess=run.plan.preprocess,
            ),
            sparsity_target=0.0,
            training={},
            trimming=None,
            more={"recipe": 1},
        ),
        pretrained=None,
        converted=SimpleNamespace(rival=lambda name: name.encode()),
        assembled=SimpleNamespace(compiled={}),
        parity=SimpleNamespace(
            edges={},
            agreement_top1=1.0,
            sparsity={},
            sqnr={},
            int8_scores=np.zeros((1, 2), np.int8),
            passed=True,
            failures=(),
            warnings=(),
        ),
        folder=tmp_path,
        packed=None,
    )
    found = reporting.figures(result)
    assert made_up.asked == ["figures model"]
    assert found["joke"] == {"before": "before", "rival": "rival", "trimming": None}
    assert (found["scheme"], found["recipe"]) == (NAME, 1)


# A section.


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> Section:
    result = Section(
        NAME,
        "A made-up section",
        "made_up.html.j2",
        lambda report, wrong: {"shown": report["joke"]["share"]},
        {"joke": {"share": FRACTION}},
    )
    for module in (document, pages):
        monkeypatch.setattr(module, "SECTIONS", (*SECTIONS, result))
    plain = pages._environment

    def environment(*, autoescape: bool) -> Any:
        found = plain(autoescape=autoescape)
        assert found.loader
        found.loader = ChoiceLoader([DictLoader({result.template: "<p>{{ shown | percent }}</p>"}), found.loader])
        return found

    monkeypatch.setattr(pages, "_environment", environment)
    return result


def test_a_section_is_drawn_on_the_page_and_linked(section: Section) -> None:
    page = pages.render_html({**example(), "joke": {"share": 0.25}})
    assert f'<section id="{NAME}"' in page
    assert f'<a href="#{NAME}">{section.title}</a>' in page
    assert "<p>25.0\u00a0%</p>" in page


def test_a_report_without_a_sections_key_is_refused(section: Section) -> None:
    with pytest.raises(OutputError, match="joke is 'nothing'"):
        document.validate(example())


# What would be forgotten: each list is asked of the texts and tables that must know it.


def untold(names: Iterable[str], *texts: str) -> list[str]:
    """Return the names that one of the texts does not have between backticks, as a word of code or of a list."""
    return [name for name in names if not all(re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) for text in texts)]


def test_what_is_untold_is_named() -> None:
    assert untold(["CONV_2D", "ABS", ".pth"], "DEPTHWISE_CONV_2D, CONV_2D, ABSENT", "CONV_2D, `.pth`") == [
        "ABS",
        ".pth",
    ]


def test_every_operator_that_is_read_is_told() -> None:
    assert untold(READERS, read("docs/mcu.md")) == []


def test_every_target_has_estimates_and_is_told() -> None:
    assert set(need.CODE_BYTES) == set(need.FAST) == set(TARGETS)
    assert untold(TARGETS, read("docs/mcu.md")) == []


def test_every_weight_format_is_told_and_some_layout_has_it() -> None:
    assert untold(FORMATS, read("docs/formats/weight-files.md")) == []
    assert untold(FORMATS, build_parser().format_help()) == []
    assert {name for layout in _layouts() for name in layout.formats} == set(FORMATS.values())


def test_every_source_of_pictures_is_told() -> None:
    assert untold(NAMES, build_parser().format_help(), read("docs/how-to/your-pictures.md")) == []


def test_every_key_of_report_json_is_told() -> None:
    told = " ".join(SPAN.findall(read("docs/formats/report-json.md")))
    keys = [key for part in (SCHEMA, *(section.schema for section in SECTIONS)) for key in part]
    assert untold(keys, told) == []
