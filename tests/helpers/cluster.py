"""Clusters on this machine."""

from __future__ import annotations

import json
import socket


def addresses(count: int) -> tuple[str, ...]:
    """Return HOST:PORT of free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return found


def settings(count: int) -> list[str]:
    """Return TF_CONFIG of each process of a cluster of workers."""
    cluster = {"worker": addresses(count)}
    return [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}) for index in range(count)]
