"""Accelerators in Amaranth's own simulator: no Yosys, no Verilator; and networks of the operators that they have."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.sim import Simulator

from converters.compiler.back.fpga import build
from converters.compiler.back.fpga.cycles import ACTIVITIES, LOAD, QUADS, STEP
from converters.compiler.back.fpga.jobs import Design
from sqz_tf.deploy.fpga import simulate
from tests.helpers.compiled_on_host import Reference
from tests.helpers.int8_networks import Map, Net

PATIENCE = 200_000  # cycles for a picture


def simulated(design: Design, pictures: np.ndarray, stalls: int = 0) -> simulate.Simulated:
    """Return what an accelerator makes of pictures, int8 [N, height, width, channels], every row traced.

    Args:
      design: what it is of.
      pictures: the network's input.
      stalls: of 256 cycles so many have no pixel, or take no sum.
    """
    chip, bench = build.accelerator(design), _Bench(design, pictures, stalls)
    simulator = Simulator(chip)
    simulator.add_clock(1e-6)

    async def run(context: Any) -> None:
        await bench.run(chip, context)

    simulator.add_testbench(run)
    simulator.run()
    return bench.result(len(pictures))


class _Bench:
    def __init__(self, design: Design, pictures: np.ndarray, stalls: int) -> None:
        self.design = design
        self.pixels = (np.ascontiguousarray(pictures).view(np.uint8) ^ 0x80).ravel().tolist()
        self.pictures, self.stalls, self.chance = len(pictures), stalls, np.random.default_rng(1)
        self.sums: list[int] = []
        self.words: list[tuple[int, int, int, int]] = []
        self.cycles = [0]
        self.activity = np.zeros((len(design.jobs) + 1, len(ACTIVITIES)), np.int64)

    def strikes(self) -> bool:
        return bool(self.stalls) and int(self.chance.integers(256)) < self.stalls

    async def run(self, chip: Any, context: Any) -> None:
        sent = job = 0
        while len(self.cycles) <= self.pictures:
            assert self.cycles[-1] < PATIENCE, "it does not end"
            given = sent < len(self.pixels) and not self.strikes()
            context.set(chip.pixel_valid, int(given))
            context.set(chip.pixel, self.pixels[min(sent, len(self.pixels) - 1)])
            taken = not self.strikes()
            context.set(chip.sum_ready, int(taken))
            await context.delay(1e-9)
            job = self.note(chip, context, job)
            if taken and context.get(chip.sum_valid):
                self.sums.append(context.get(chip.sum))
                if context.get(chip.sum_last):
                    self.cycles.append(0)
                    job = 0
                    self.activity[:] = 0 if len(self.cycles) <= self.pictures else self.activity
            sent += given and context.get(chip.pixel_ready)
            await context.tick()

    def note(self, chip: Any, context: Any, job: int) -> int:
        """Write down what happens in a cycle; return the job that the next one is of."""
        self.cycles[-1] += 1
        activity = context.get(chip.trace_activity)
        self.activity[job - (activity in (STEP, QUADS)), activity] += 1  # those are of the job begun last
        if context.get(chip.trace_write):
            ports = (chip.trace_address, chip.trace_bytes, chip.trace_mask, chip.trace_done)
            self.words.append(tuple(context.get(each) for each in ports))
        return job + (activity == LOAD and job < len(self.design.jobs))

    def result(self, pictures: int) -> simulate.Simulated:
        trace = np.zeros(len(self.words), simulate.WORD)
        for place, (address, value, mask, done) in enumerate(self.words):
            trace[place] = (address, np.frombuffer(value.to_bytes(4, "little"), np.int8), mask, done)
        rows = tuple(simulate.rows_of(self.design, trace, pictures))
        sums = np.array(self.sums).reshape(pictures, -1)
        return simulate.Simulated(sums, np.array(self.cycles[:-1]), self.activity, rows)


def first_difference(model: bytes, design: Design, pictures: np.ndarray, found: simulate.Simulated) -> str | None:
    """Return the first row that differs from TFLite's reference kernels, in words; None if all are equal."""
    reference = Reference(model)
    for number, picture in enumerate(pictures):
        reference.run(picture, design.program.streams[0])
        tensors = {index: reference.tensor(index) for index in set(design.row_tensors) if index >= 0}
        if difference := simulate.differing_row(design, found.rows[number], tensors):
            return f"picture {number}: {difference}"
    return None


def powers(seed: int = 0, size: int = 12, classes: int = 5) -> bytes:
    """Return a network of powers of two with every operator that accelerators have."""
    net = Net(seed)
    x = net.conv(
        net.input(size, size, 3, scale=1.0, zero_point=0), 6, stride=(2, 2), padding="VALID", power_of_two=True
    )
    x = net.pool(x, padding="SAME")
    s = net.conv(net.pad(x, value=-128), 4, padding="VALID", power_of_two=True)
    y = fire(net, s, 3, 5)
    z = net.conv(y, 10, (1, 1), power_of_two=True)
    x = net.add(y, z, "RELU", scale=max(y.scale, z.scale) * 2, zero_point=0)
    x = net.conv(x, 1, (3, 3), depthwise=True, power_of_two=True)
    x = net.requantize(net.concat([x, net.pool(x, stride=(1, 1))]), x.scale * 2, 0)
    return net.bytes(net.softmax(net.mean(net.conv(x, classes, (1, 1), activation="NONE", power_of_two=True))))


def fire(net: Net, x: Map, squeeze: int, expand: int) -> Map:
    """Add a Fire module whose scales are powers of two."""
    s = net.conv(x, squeeze, (1, 1), power_of_two=True)
    a = net.conv(s, expand, (1, 1), power_of_two=True)
    return net.concat([a, net.conv(s, expand, out=(a.scale, a.zero_point), power_of_two=True)])


def random_powers(rng: np.random.Generator) -> bytes:
    """Return a random small network of operators that accelerators have."""
    net = Net(int(rng.integers(1 << 30)))
    height, width = rng.integers(5, 10, 2).tolist()
    scale, zero = [(1.0, 0), (1 / 64, -128), (0.25, 3)][rng.integers(3)]
    x = net.input(height, width, int(rng.integers(1, 6)), scale=scale, zero_point=zero)
    for _ in range(rng.integers(1, 5)):
        x = LAYERS[rng.integers(len(LAYERS))](net, x, rng)
    x = net.conv(x, int(rng.integers(1, 10)), (1, 1), activation="NONE", power_of_two=True)
    scores = net.mean(x)
    return net.bytes(net.softmax(scores) if rng.integers(2) else scores)


def _convolution(net: Net, x: Map, rng: np.random.Generator) -> Map:
    kernel, stride = rng.integers(1, 4, 2).tolist(), rng.integers(1, 3, 2).tolist()
    fits = all(side >= span for side, span in zip(x.shape[1:3], kernel, strict=True))
    padding = "VALID" if fits and rng.integers(2) else "SAME"
    how: dict[str, Any] = {
        "power_of_two": True,
        "per_channel": bool(rng.integers(2)),
        "depthwise": bool(rng.integers(4) == 0),
    }
    channels = 1 if how["depthwise"] else int(rng.integers(1, 20))
    return net.conv(x, channels, tuple(kernel), tuple(stride), padding, **how)


def _pooled(net: Net, x: Map, rng: np.random.Generator) -> Map:
    return net.pool(x, tuple(rng.integers(1, 4, 2).tolist()), tuple(rng.integers(1, 3, 2).tolist()))


def _fired(net: Net, x: Map, rng: np.random.Generator) -> Map:
    return fire(net, x, int(rng.integers(1, 6)), int(rng.integers(1, 12)))


def _bypassed(net: Net, x: Map, rng: np.random.Generator) -> Map:
    y = net.conv(x, x.channels, power_of_two=True)
    if not 2.0**-5 <= x.scale / y.scale <= 2.0**5:
        return y
    return net.add(x, y, scale=2 * max(x.scale, y.scale), zero_point=int(rng.integers(-20, 20)))


def _padded(net: Net, x: Map, rng: np.random.Generator) -> Map:
    return net.pad(x, *rng.integers(0, 3, 4).tolist(), value=int(rng.choice([-128, 0, 7])))


LAYERS = (_convolution, _convolution, _pooled, _fired, _bypassed, _padded)
