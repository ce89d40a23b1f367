"""AlexNet and what the paper compares with: SVD, network pruning and Deep Compression of it, each a stage's build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.comparison.coding import Layer, decode, encode, sparse_bytes
from sqz_tf.comparison.lowrank import Factors, factored, factors_of, ranks_of
from sqz_tf.comparison.paper import CONV_BITS, DENSITY, FC_BITS
from sqz_tf.comparison.sharing import groups_of, sharing
from sqz_tf.comparison.work import ALEXNET_RATE, TRAINING, Kept, Work, keep
from sqz_tf.network.alexnet import CONVOLUTIONS, described
from sqz_tf.pipeline.files import read_weights
from sqz_tf.train.alexnet import CUSTOM, alexnet, clone, weighted
from sqz_tf.train.batches import steps_per_epoch
from sqz_tf.train.fit import History
from sqz_tf.train.keras import keras, tfmot
from sqz_tf.train.prune import wrapped_to_prune

FLOAT = 4  # bytes
MOST_LOST = 0.01  # of validation top-1, by SVD
ENERGIES = (0.99, 0.98, 0.95, *(round(0.9 - 0.05 * step, 2) for step in range(17)))
"""Shares of the squared singular values that are tried, from most to least."""

GAP_BITS = {name: CONV_BITS if name in CONVOLUTIONS else FC_BITS for name in DENSITY}


def dense(work: Work, folder: Path | None = None) -> Any:
    """Return the network, with the weights that a stage left if one is given."""
    model = alexnet(work.settings.alexnet, work.settings.preprocess)
    if folder is not None:
        model.set_weights(read_weights(folder / "weights.npz"))
    return model


def train(work: Work, out: Path) -> None:
    """Train the network from nothing."""
    work.seeded("alexnet")
    model, schedule = dense(work), work.settings.train
    plan = replace(
        work.phase(schedule.epochs, schedule.learning_rate, patience=schedule.patience, restart=True),
        averaging=schedule.averaging,
    )
    history = work.fit(model, plan, "alexnet", out)
    how = f"{described(work.settings.alexnet)}; Keras, AdamW, {len(history.loss)} epochs"
    keep(out, Kept(FLOAT * _parameters(model), how), work.scores(model), history, model)


def svd(work: Work, trained: Path, out: Path) -> None:
    """Factor the fully connected layers to the lowest rank that validation allows, and tune the factors."""
    work.seeded("svd")
    found = _lowest(work, dense(work, trained), out)
    words = ", ".join(f"{name} {rank}" for name, rank in found.ranks.items()) or "none saves weights"
    how = (
        f"NumPy's SVD of the fully connected layers; ranks: {words}: the least energy, {found.energy:.3g} of the "
        f"squared singular values, that after {work.settings.tune_epochs} epochs of tuning costs at most "
        f"{MOST_LOST:.0%} of validation top-1"
    )
    keep(out, Kept(FLOAT * _parameters(found.model), how), work.scores(found.model), found.history)


@dataclass(frozen=True, eq=False)
class _Low:
    """A network of low rank: the energy it keeps, its ranks by layer, and the history of its tuning."""

    energy: float
    ranks: dict[str, int]
    model: Any
    history: History | None = None


def _lowest(work: Work, model: Any, out: Path) -> _Low:
    """Find the least of ENERGIES that is good enough, by bisection: less energy is taken to be no better."""
    factors, least = factors_of(model), work.validation(model) - MOST_LOST
    found, low, high = _Low(1.0, {}, model), 0, len(ENERGIES)
    while low < high:
        middle = (low + high) // 2
        tried = _factored(work, model, factors, ENERGIES[middle], out / TRAINING / f"{middle}")
        if work.validation(tried.model) >= least - 1e-9:
            found, low = tried, middle + 1
        else:
            high = middle
    return found


def _factored(work: Work, model: Any, factors: Mapping[str, Factors], energy: float, out: Path) -> _Low:
    """Return a tuned network of so much energy; the network itself where no rank saves weights."""
    ranks = ranks_of(factors, energy)
    if not ranks:
        return _Low(energy, {}, model)
    work.console.note(f"{energy:.3g} of the energy …")
    low = factored(model, factors, ranks)
    return _Low(energy, ranks, low, work.tuned(low, "svd", out))


def pruned(work: Work, trained: Path, out: Path) -> None:
    """Prune each layer to the density that the paper's authors left in it."""
    work.seeded("pruned")
    epochs = work.settings.prune_epochs
    plan = replace(work.phase(epochs, ALEXNET_RATE / 3), first_best_epoch=round(0.7 * epochs))
    steps = steps_per_epoch(work.examples("train"), plan.batch_size) * epochs
    sparsities = {name: 1 - share for name, share in DENSITY.items()}
    with keras.utils.custom_object_scope(CUSTOM):
        wrapped = wrapped_to_prune(dense(work, trained), sparsities, steps)
        history = work.fit(wrapped, plan, "pruned", out, (tfmot.sparsity.keras.UpdatePruningStep(),))
        model = tfmot.sparsity.keras.strip_pruning(wrapped)
    layers = layers_of(model)
    how = (
        f"TF-MOT's magnitude pruning over {epochs} epochs to the densities of Han et al. 2015 "
        f"(conv1 84 %, other convolutions 35–38 %, fc6 and fc7 9 %, fc8 25 %): {left(layers):.1%} left; "
        f"stored as values and gaps of {CONV_BITS} bits in convolutions, {FC_BITS} in fully connected layers"
    )
    size = sum(sparse_bytes(layer, GAP_BITS[name]) for name, layer in layers.items())
    keep(out, Kept(size, how, values_bytes(layers)), work.scores(model), history, model)


def deep(work: Work, sparse: Path, out: Path) -> None:
    """Share the pruned network's weights, 8 bits in convolutions and 5 in fully connected layers, and encode it."""
    compressed(work, dense(work, sparse), GAP_BITS, GAP_BITS, "deep", out)


def compressed(
    work: Work, model: Any, bits: Mapping[str, int], gap_bits: Mapping[str, int], phase: str, out: Path
) -> None:
    """Deep Compression of a pruned network: what is kept is the network that its file decodes to.

    Args:
      model: Keras model whose layers with a kernel are those named.
      bits: of each layer's shared weights' numbers.
      gap_bits: of each layer's gaps.
    """
    work.seeded(phase)
    work.console.note("k-means …")
    groups = {name: groups_of(layer.kernel, 1 << bits[name]) for name, layer in layers_of(model).items()}
    shared = sharing(model, groups)
    history = work.tuned(shared, phase, out)
    tuned = layers_of(shared)
    data, parts = encode(tuned, gap_bits)
    (out / "network.bin").write_bytes(data)
    found = clone(model)
    found.set_weights(shared.get_weights())
    for name, layer in decode(data, {name: layer.kernel.shape for name, layer in tuned.items()}).items():
        found.get_layer(name).set_weights([layer.kernel, layer.bias])
    how = (
        f"pruned to {left(tuned):.1%}; scikit-learn's k-means of each layer, {_numbers(bits)} shared weights; tuned "
        f"{work.settings.tune_epochs} epochs with the sharing kept; Huffman-coded ({_spelled(parts)})"
    )
    keep(out, Kept(len(data), how, parts=parts), work.scores(found), history)


def layers_of(model: Any) -> dict[str, Layer]:
    """Return kernel and biases of each layer that has a kernel."""
    return {layer.name: Layer(*layer.get_weights()[:2]) for layer in weighted(model)}


def values_bytes(layers: Mapping[str, Layer]) -> int:
    """Return the bytes of all weights that are not zero and of the biases, without where they stand."""
    return sum(FLOAT * (int(np.count_nonzero(layer.kernel)) + layer.bias.size) for layer in layers.values())


def left(layers: Mapping[str, Layer]) -> float:
    """Return the share of the weights that is not zero."""
    weights = sum(layer.kernel.size for layer in layers.values())
    return sum(int(np.count_nonzero(layer.kernel)) for layer in layers.values()) / weights


def _parameters(model: Any) -> int:
    return sum(int(np.prod(each.shape)) for each in model.trainable_weights)


def _numbers(bits: Mapping[str, int]) -> str:
    found = sorted({1 << each for each in bits.values()}, reverse=True)
    return f"at most {found[0]}" if len(found) == 1 else f"at most {found[0]} (convolutions) and {found[1]} (fc)"


def _spelled(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in parts.items() if size)
