"""Measure the bytes that each step of training on several machines sends, for SqueezeNet and for AlexNet.

    python -m tools.bench_allreduce [--workers 2] [--steps 4] [--network squeezenet-1.0 …]

"More efficient distributed training" is the first of the SqueezeNet paper's reasons for few parameters (section 1).
Each network is trained by the code of `--distribute multiworker` in processes of a network namespace of their own
(Linux; `unshare`), so that all that its loopback interface counts in /proc/net/dev is theirs: gradients, with the
frames and acknowledgements of gRPC and TCP. Batches are of one random picture a process.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converters import strict_json

ALEXNET = "alexnet"
NETWORKS = ("squeezenet-1.0", "squeezenet-1.1", ALEXNET)
CLASSES, PIXELS = 1000, 227
WARM_UP = 2  # steps in which connections are opened and buffers grow
SET_FLAGS, UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP


@dataclass(frozen=True)
class Measured:
    """One network.

    Attributes:
      sent: bytes that each process sends in a step, the median.
    """

    network: str
    parameters: int
    sent: float


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_allreduce", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="measured (default: 4)")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="default: all")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    networks = given.network or list(NETWORKS)
    if given.rank is not None:
        print(json.dumps(asdict(train(networks[0], given.workers, given.steps, given.rank))))
        return 0
    print(table([measure(name, given.workers, given.steps) for name in networks], given.workers))
    return 0


def measure(network: str, workers: int, steps: int) -> Measured:
    """Train a network in so many processes in a network namespace of their own."""
    apart = ["unshare", "--user", "--map-root-user", "--net", *_command(network, workers, steps, 0)]
    done = subprocess.run(apart, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return Measured(**strict_json.loads(done.stdout.splitlines()[-1]))


def _command(network: str, workers: int, steps: int, rank: int) -> list[str]:
    numbers = ["--workers", str(workers), "--steps", str(steps), "--rank", str(rank)]
    return [sys.executable, "-m", "tools.bench_allreduce", "--network", network, *numbers]


def train(network: str, workers: int, steps: int, rank: int) -> Measured:
    """Train as one process of a cluster; the first one starts the others."""
    others = []
    if rank == 0:
        _raise_loopback()
        commands = [_command(network, workers, steps, each) for each in range(1, workers)]
        others = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    addresses = [f"127.0.0.1:{2222 + each}" for each in range(workers)]
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}})
    found = _trained(network, workers, steps)
    for other in others:
        other.wait()
    return found


def _trained(network: str, workers: int, steps: int) -> Measured:
    from sqz_tf.train.cluster import cluster_of
    from sqz_tf.train.distribute import joined
    from sqz_tf.train.keras import keras, use_threads
    from sqz_tf.train.meeting import meet

    use_threads(2)
    shared = joined(meet(cluster_of(os.environ["TF_CONFIG"]), {}, 300.0, lambda line: None))
    counts: list[int] = []
    with shared.scope():
        model = build(network)
        model.compile(keras.optimizers.AdamW(1e-4, jit_compile=False), "categorical_crossentropy", jit_compile=False)
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: counts.append(bytes_sent()))
    model.fit(shared.batches(lambda part: _pictures()), steps_per_epoch=WARM_UP + steps, callbacks=[count], verbose=0)
    each = [after - before for before, after in zip(counts[WARM_UP - 1 :], counts[WARM_UP:], strict=False)]
    return Measured(
        network,
        sum(weight.shape.num_elements() for weight in model.trainable_weights),
        statistics.median(each) / workers,
    )


def build(network: str) -> Any:
    """Return a network of the paper's comparison, as it is trained on ImageNet."""
    from sqz_tf.base.spec import ModelSpec
    from sqz_tf.network.alexnet import AlexNetSpec
    from sqz_tf.train.alexnet import alexnet
    from sqz_tf.train.squeezenet import squeezenet

    if network == ALEXNET:
        return alexnet(AlexNetSpec(input_size=PIXELS, channels=3, classes=CLASSES))
    return squeezenet(ModelSpec(arch=network, input_size=PIXELS, channels=3, classes=CLASSES, batch_norm=False))


def _pictures() -> Any:
    from sqz_tf.train.keras import tf

    one = tf.random.stateless_uniform((1, PIXELS, PIXELS, 3), (1, 2)), tf.one_hot([1], CLASSES)
    return tf.data.Dataset.from_tensors(one).repeat()


def bytes_sent() -> int:
    """Return the bytes that the loopback interface of this network namespace has sent."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    numbers = next(line for line in lines if line.strip().startswith("lo:")).partition(":")[2].split()
    return int(numbers[8])  # after eight numbers of what was received


def _raise_loopback() -> None:
    """Let the loopback interface of a new network namespace carry packets; refused outside one of our own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh", b"lo", UP))


def table(found: list[Measured], workers: int) -> str:
    """Return the figures as a table in Markdown."""
    most = max(found, key=lambda each: each.sent)
    lines = [
        f"| network | parameters | gradients, MB | sent by each of {workers} in a step, MB | of {most.network}'s |",
        "|---|---|---|---|---|",
    ]
    for each in found:
        gradients, ratio = 4 * each.parameters / 1e6, most.sent / each.sent
        lines.append(
            f"| {each.network} | {each.parameters:,} | {gradients:.2f} | {each.sent / 1e6:.2f} | 1/{ratio:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
