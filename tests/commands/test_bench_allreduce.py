"""What a step of training together sends is counted, and it is the gradients."""

from __future__ import annotations

import socket
import subprocess

import pytest

from tests.helpers.needs import require
from tools.bench_allreduce import ALEXNET, Measured, bytes_sent, measure, table


def test_the_table_compares_with_the_largest() -> None:
    found = [Measured("squeezenet-1.1", 1_235_496, 5e6), Measured(ALEXNET, 60_965_224, 250e6)]
    assert table(found, 2).splitlines() == [
        "| network | parameters | gradients, MB | sent by each of 2 in a step, MB | of alexnet's |",
        "|---|---|---|---|---|",
        "| squeezenet-1.1 | 1,235,496 | 4.94 | 5.00 | 1/50.0 |",
        "| alexnet | 60,965,224 | 243.86 | 250.00 | 1/1.0 |",
    ]


def test_the_loopback_interface_counts() -> None:
    before = bytes_sent()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        sender.sendto(bytes(1000), receiver.getsockname())
        assert len(receiver.recv(2000)) == 1000
    assert bytes_sent() >= before + 1000


@pytest.mark.slow
@pytest.mark.training
def test_two_processes_send_their_gradients_once_a_step() -> None:
    apart = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "true"])
    require(apart.returncode == 0, "no network namespace can be made here")
    found = measure("squeezenet-1.1", 2, 3)
    assert found.parameters == 1_235_496
    assert found.sent == pytest.approx(4 * found.parameters, rel=0.02)
