"""What the page makes of a network's memory and of a browser that is slow at first, with a stand-in for WebAssembly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import web_page
from tests.helpers.browser import chromium

pytestmark = pytest.mark.slow
PAGE = """<!doctype html><meta charset="utf-8"><script>{engine}
let now = 0, runs = 0, costs = [];
performance.now = () => now;
const memory = {{ buffer: new ArrayBuffer(256) }};
new Int8Array(memory.buffer).set([1, 2, 3, 99, 99], 128);
const exports = {{ memory, input_at: () => 64, output_at: () => 128,
  invoke() {{ now += costs[Math.min(runs++, costs.length - 1)]; return 0; }} }};
WebAssembly = {{ validate: () => true, instantiate: async () => ({{ instance: {{ exports }} }}) }};
async function loaded(embedded, given) {{
  [now, runs, costs] = [0, 0, given];
  const engine = await loadEngine(embedded);
  const [warm, took] = [runs, now];
  const {{ scores, milliseconds }} = engine.classifyInput(new Uint8Array(4));
  return {{ warm, took, scores: [...scores], milliseconds, probabilities: engine.probabilities }};
}}</script>"""
EMPTY = "0{{R3"  # nothing, deflated
FACTS = {
    "labels": ["a", "b", "c", "d", "e"],
    "input": {"width": 1, "height": 1, "channels": 1},
    "wasm": {
        "packed": EMPTY,
        "bytes": 2,
        "lengths": [0, 0, 0],
        "at": [0, 0],
        "arena": 1,
        "outputs": 3,
        "scale": 0.5,
        "zeroPoint": 0,
        "probabilities": False,
    },
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    page: Path = tmp_path_factory.mktemp("engine") / "page.html"
    page.write_text(PAGE.format(engine=web_page.text("engine.js")), encoding="utf-8")
    with chromium() as driver:
        driver.get(page.as_uri())
        yield driver


def loaded(browser: Any, *costs: float) -> dict[str, Any]:
    """Return what an engine whose inferences take so many milliseconds, the last again and again, tells at first."""
    script = (
        "const done = arguments[2]; loaded(JSON.parse(arguments[0]), arguments[1]).then(done, (e) => done(String(e)))"
    )
    told = browser.execute_async_script(script, json.dumps(FACTS), costs)
    assert isinstance(told, dict), told
    return told


def test_as_many_scores_are_read_as_the_network_has(browser: Any) -> None:
    told = loaded(browser, 5)
    assert (told["scores"], told["probabilities"]) == ([1, 2, 3], False)


def test_the_first_time_that_is_shown_is_of_compiled_code(browser: Any) -> None:
    told = loaded(browser, 87, 50, 26, 26, 26)
    assert (told["milliseconds"], told["warm"]) == (26, 4)


def test_a_slow_network_is_not_waited_for(browser: Any) -> None:
    assert loaded(browser, 300)["warm"] == 1
    told = loaded(browser, 80, 60, 40, 30, 20, 10)
    assert (told["warm"], told["took"]) == (4, 210)
