"""Who trains together: the environment's TF_CONFIG, read as TensorFlow reads it and refused in words of our own.

No TensorFlow here: what is wrong is told before anything expensive begins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from converters import strict_json
from sqz_tf.base.errors import ConfigError

CHIEF, WORKER = "chief", "worker"
LIKE = json.dumps({"cluster": {WORKER: ["one:2222", "two:2222"]}, "task": {"type": WORKER, "index": 0}})
LARGEST_PORT = 65_535


@dataclass(frozen=True)
class Cluster:
    """The processes that train together.

    Attributes:
      addresses: HOST:PORT of each, the chief's first.
      rank: which of them this process is, from 0.
      setting: TF_CONFIG's text.
    """

    addresses: tuple[str, ...]
    rank: int
    setting: str

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the result."""
        return self.rank == 0

    def named(self, rank: int) -> str:
        """Return what a person calls one of the processes."""
        return f"{'the chief' if rank == 0 else f'worker {rank}'} ({self.addresses[rank]})"


def cluster_of(setting: str | None) -> Cluster:
    """Read TF_CONFIG.

    The chief is the one task of type `chief` where there is one, else the first worker.

    Raises:
      ConfigError: it is not there, is no JSON, has another shape, or names fewer than two processes.
    """
    if not setting:
        raise _wrong("is not set")
    try:
        value = strict_json.loads(setting)
    except ValueError as error:
        raise _wrong(f"is no JSON ({error})") from error
    tasks = _tasks(value)
    addresses = tuple(address for kind in (CHIEF, WORKER) for address in tasks.get(kind, ()))
    if len(set(addresses)) != len(addresses):
        raise _wrong(f"names an address twice: {', '.join(addresses)}")
    kind, index = _own(value, tasks)
    if len(addresses) < 2:
        raise _wrong(
            f"names one process alone, {addresses[0]}", fix="add the others, or leave --distribute multiworker out"
        )
    return Cluster(addresses, index + (len(tasks.get(CHIEF, ())) if kind == WORKER else 0), setting)


def _tasks(value: Any) -> dict[str, list[str]]:
    """Return kind of task → addresses."""
    tasks = value.get("cluster") if isinstance(value, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise _wrong("has no cluster")
    if other := sorted(set(tasks) - {CHIEF, WORKER}):
        raise _wrong(f"has tasks of type {other[0]}", fix="leave them out: every process here trains")
    for kind, addresses in tasks.items():
        if not isinstance(addresses, list) or not addresses or not all(_is_address(each) for each in addresses):
            raise _wrong(f"has {addresses!r:.80} as the addresses of {kind}")
    if len(tasks.get(CHIEF, ())) > 1:
        raise _wrong(f"has {len(tasks[CHIEF])} chiefs")
    return tasks


def _is_address(text: Any) -> bool:
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) <= LARGEST_PORT


def _own(value: dict[str, Any], tasks: dict[str, list[str]]) -> tuple[str, int]:
    """Return type and index of this process."""
    task = value.get("task")
    kind, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    if kind not in tasks:
        raise _wrong(f"says that this is a task of type {kind!r:.40}, of which the cluster has none")
    if isinstance(index, bool) or not isinstance(index, int):
        raise _wrong(f"has {index!r:.40} as the index of this task")
    if not 0 <= index < len(tasks[kind]):
        raise _wrong(f"says that this is {kind} {index}, but there are {len(tasks[kind])}, from 0")
    return str(kind), index


def _wrong(what: str, fix: str = "") -> ConfigError:
    return ConfigError(f"TF_CONFIG {what}", expected=f"like {LIKE}", fix=fix or "set it on every machine")
