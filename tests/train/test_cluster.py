"""TF_CONFIG is read as Keras users know it, and what is wrong with it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.train.cluster import cluster_of

WORKERS = ["one:2222", "two:2222", "[::1]:2222"]


def setting(cluster: Any, kind: Any = "worker", index: Any = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def test_the_first_worker_is_the_chief_where_no_task_is_called_so() -> None:
    found = [cluster_of(setting({"worker": WORKERS}, index=index)) for index in range(3)]
    assert [each.is_chief for each in found] == [True, False, False]
    assert [each.rank for each in found] == [0, 1, 2]
    assert found[1].addresses == tuple(WORKERS)


def test_a_chief_comes_before_the_workers() -> None:
    tasks = {"worker": WORKERS, "chief": ["head:2222"]}
    chief, worker = cluster_of(setting(tasks, "chief")), cluster_of(setting(tasks, index=1))
    assert (chief.rank, worker.rank) == (0, 2)
    assert worker.addresses == ("head:2222", *WORKERS)
    assert worker.named(2) == "worker 2 (two:2222)"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "is not set"),
        ("", "is not set"),
        ("{'cluster': 1}", "is no JSON"),
        ("[1]", "has no cluster"),
        ("{}", "has no cluster"),
        (setting({}), "has no cluster"),
        (setting({"worker": WORKERS, "ps": ["p:1"]}), "has tasks of type ps"),
        (setting({"worker": []}), r"has \[\] as the addresses of worker"),
        (setting({"worker": "one:2222"}), "has 'one:2222' as the addresses"),
        (setting({"worker": ["one", "two:1"]}), ".* as the addresses of worker"),
        (setting({"worker": ["one:0", "two:1"]}), ".* as the addresses of worker"),
        (setting({"worker": ["one:65536", "two:1"]}), ".* as the addresses of worker"),
        (setting({"worker": ["one:1", 7]}), ".* as the addresses of worker"),
        (setting({"worker": ["one:1", "one:1"]}), "names an address twice"),
        (setting({"worker": ["one:1"]}), "names one process alone"),
        (setting({"chief": ["a:1", "b:1"]}, "chief"), "has 2 chiefs"),
        (json.dumps({"cluster": {"worker": WORKERS}}), "says that this is a task of type None"),
        (setting({"worker": WORKERS}, "evaluator"), "says that this is a task of type 'evaluator'"),
        (json.dumps({"cluster": {"worker": WORKERS}, "task": {"type": "worker"}}), "has None as the index"),
        (setting({"worker": WORKERS}, index="0"), "has '0' as the index"),
        (setting({"worker": WORKERS}, index=True), "has True as the index"),
        (setting({"worker": WORKERS}, index=3), "says that this is worker 3, but there are 3, from 0"),
        (setting({"worker": WORKERS}, index=-1), "says that this is worker -1"),
    ],
)
def test_a_wrong_setting_is_told(text: str | None, what: str) -> None:
    with pytest.raises(ConfigError, match=f"TF_CONFIG {what}.*expected like") as found:
        cluster_of(text)
    assert '"task"' in str(found.value)
