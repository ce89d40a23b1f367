"""What was measured of one network on one core, and what is known of its peer, TFLite-Micro with CMSIS-NN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqz_tf.base.json_files import load

PEERS = load(Path(__file__).resolve().parent / "peers.json")
NETWORKS = {name: each for name, each in PEERS["networks"].items() if name != "what"}
KB = 1024


@dataclass(frozen=True)
class Measurement:
    """One network on one core.

    `weight_bytes` are what any program must hold, int8 weights and int32 biases; `model_bytes` those and tables.
    `layers`: instructions and multiply-accumulates by layer; the engine's share is in its layers. `functions`:
    instructions by function. `cycles` are modelled (tools/bench_mcu/cycles.py), on a Cortex-M4 only; `read_bytes` were
    loaded from weights and tables.
    """

    graph: str
    core: str
    instructions: int
    code_bytes: int
    model_bytes: int
    weight_bytes: int
    arena_bytes: int
    static_bytes: int
    stack_bytes: int
    equal: bool
    layers: dict[str, tuple[int, int]]
    functions: dict[str, int]
    cycles: int | None = None
    read_bytes: int = 0

    @property
    def ram_bytes(self) -> int:
        """All RAM that is used."""
        return self.arena_bytes + self.static_bytes + self.stack_bytes

    @property
    def model_ratio(self) -> float:
        """What lies in flash for the model, against its weights and biases alone."""
        return self.model_bytes / self.weight_bytes

    @property
    def peer(self) -> dict[str, Any]:
        """What is known of TFLite-Micro with CMSIS-NN on this network; nothing of others than `peers.json` names."""
        return NETWORKS.get(self.graph) or PEERS.get(self.graph) or {}

    @property
    def instruction_ratio(self) -> float | None:
        """Against TFLite-Micro with CMSIS-NN; None where that was not measured."""
        theirs = self.peer.get("instructions", {}).get(self.core)
        return self.instructions / theirs if theirs else None

    @property
    def cycle_ratio(self) -> float | None:
        """Modelled cycles against the least of TFLite-Micro with CMSIS-NN, so at most; None where there is no model."""
        theirs = self.peer.get("cycles", {}).get(self.core)
        return self.cycles / theirs if theirs and self.cycles else None

    @property
    def arena_share(self) -> float | None:
        """Arena and stack against the arena alone that TFLite-Micro asks for; None where that was not measured."""
        theirs = self.peer.get("arena_kb")
        return (self.arena_bytes + self.stack_bytes) / (theirs * KB) if theirs else None
