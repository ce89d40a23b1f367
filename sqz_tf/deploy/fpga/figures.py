"""What a design takes and does, in figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from converters.compiler.back.fpga.cycles import ACTIVITIES, Cycles, cycles
from converters.compiler.back.fpga.jobs import Design
from sqz_tf.deploy.fpga.devices import Device, block_rams
from sqz_tf.deploy.fpga.synthesize import Placed

MEGA = 1e6


def told(design: Design, device: Device) -> dict[str, Any]:
    """Return what is known of a design before it is placed; cycles are those of a picture among others."""
    counted = cycles(design)
    return {
        "device": device.name,
        "multipliers": design.multipliers,
        "macs": design.macs,
        "cycles": counted.total,
        "utilisation": round(design.macs / design.multipliers / counted.total, 4),
        "spent": _spent(design, counted),
        "weights_bytes": int(design.weights.nbytes),
        "block_rams": block_rams(design, device),
    }


def _spent(design: Design, counted: Cycles) -> dict[str, int]:
    """Return what the cycles go to: multiplying apart from pooling, which multiplies nothing."""
    spent = dict(zip(ACTIVITIES, counted.activity.sum(axis=0).tolist(), strict=True))
    steps = counted.activity[:-1, ACTIVITIES.index("multiply")]
    pools = [job.operator >= 0 and design.layers[job.operator].maximum for job in design.jobs]
    spent["pool"] = int(steps[pools].sum())
    spent["multiply"] -= spent["pool"]
    return spent


def placed(design: Design, found: Placed) -> dict[str, Any]:
    """Return what a design takes, and how many pictures a second it does where its clock is known."""
    pictures = found.mhz and round(found.mhz * MEGA / cycles(design).total, 1)
    return {**asdict(found), "pictures_per_second": pictures}


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """Yield figures as a person reads them."""
    yield (
        f"{figures['cycles']:,} cycles a picture, multipliers used {figures['utilisation']:.1%} of the time; "
        f"{sum(figures['block_rams'].values())} block RAMs"
    )
    yield "cycles: " + ", ".join(f"{what} {count:,}" for what, count in figures["spent"].items() if count)
    if simulation := figures.get("simulation"):
        yield f"{simulation['pictures']} pictures simulated: {simulation['verdict']}"
    if place := figures.get("placed"):
        clock = f"{place['mhz']} MHz, {place['pictures_per_second']} pictures a second"
        yield (
            f"{'placed' if place['mhz'] else 'counted'}: {place['luts']:,} LUTs, {place['flip_flops']:,} flip-flops, "
            f"{place['multipliers']} multipliers, {place['block_rams']} block RAMs, "
            + (clock if place["mhz"] else "not placed: the open tools have no clock for this family")
        )
