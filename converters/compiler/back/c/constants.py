"""What an operator's constants take in flash, as they are laid out."""

from __future__ import annotations

from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.middle import program as prog
from converters.compiler.middle.costs import constants


def weights_bytes(choice: Choice) -> int:
    """Return the bytes of an operator's weights, with what lies among them."""
    return 0 if choice.weights is None else int(choice.weights.nbytes)


def bias_bytes(kernel: prog.Kernel, choice: Choice) -> int:
    """Return the bytes of biases that are not among the weights."""
    return 0 if choice.records else constants(kernel).bias


def table_bytes(kernel: prog.Kernel, choice: Choice) -> int:
    """Return the bytes of biases, multipliers and shifts that are not among the weights."""
    found = constants(kernel)
    return found.mean if choice.records else found.bias + found.scaling + found.mean


def constant_bytes(kernel: prog.Kernel, choice: Choice) -> int:
    """Return the bytes of all of an operator's constants."""
    return weights_bytes(choice) + table_bytes(kernel, choice)
