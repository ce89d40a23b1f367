"""What is said of a model adds up."""

from __future__ import annotations

import json

from converters import compiler
from tests.helpers.int8_networks import squeezenet


def test_the_report_is_json_and_adds_up() -> None:
    compilation = compiler.analyse(squeezenet(), "cortex-m4")
    said = json.loads(json.dumps(compiler.report(compilation)))
    assert said["macs"] == sum(each["macs"] for each in said["operators"])
    parts = said["arena"]["parts"]
    assert max(part["offset"] + part["bytes"] for part in parts) <= said["arena"]["bytes"]
    assert max(said["timeline"]["bytes"]) <= said["arena"]["bytes"]
    assert len(said["timeline"]["bytes"]) == said["timeline"]["steps"]
    flash = said["flash"]
    assert flash["total"] == flash["weights"] + flash["bias"] + flash["tables"]
    assert sum(each["weights_bytes"] + each["table_bytes"] for each in said["operators"]) == flash["total"]
    fire = next(stream for stream in said["streams"] if stream["slices"])
    assert [each["channel"] for each in fire["slices"]] == [0, 6]
