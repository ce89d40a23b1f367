"""Tables of functions of each value: all 256 bytes against TFLite's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converters.compiler.front import network as net
from converters.compiler.middle import elementwise, kernels
from converters.compiler.middle import program as prog
from tests.helpers.operator_cases import Tensor, model, reference

SHAPE = (1, 1, 1, 256)
ALL = elementwise.BYTES.astype(np.int8).reshape(SHAPE)
VERSIONS = {"ABS": 2, "EXP": 2, "GELU": 2, "HARD_SWISH": 1, "LEAKY_RELU": 2, "LOG": 2}
OPTIONS = {"ABS": "AbsOptions", "EXP": "ExpOptions", "GELU": "GeluOptions", "LEAKY_RELU": "LeakyReluOptions"}


def feature_map(scale: float, zero_point: int) -> net.FeatureMap:
    return net.FeatureMap(0, "x", "int8", 1, 1, 256, scale, zero_point)


def drawn(rng: np.random.Generator) -> net.FeatureMap:
    return feature_map(float(np.float32(2.0 ** rng.uniform(-9, 1))), int(rng.integers(-128, 128)))


def tensor(each: net.FeatureMap) -> Tensor:
    return Tensor(SHAPE, each.scale, each.zero_point)


@pytest.mark.parametrize("operator", sorted(elementwise.TABLES))
def test_a_table_is_the_reference_for_all_256_bytes(operator: str) -> None:
    rng, compared = np.random.default_rng(1), 0
    for _ in range(100):
        source, target = drawn(rng), drawn(rng)
        target = {"LOGISTIC": feature_map(1 / 256, -128), "TANH": feature_map(1 / 128, 0)}.get(operator, target)
        slope = float(np.float32(rng.choice([0.01, 0.1, 0.3, 1.5, -0.2])))
        approximate = bool(rng.integers(2))
        options: dict[str, Any] = {"alpha": slope} if operator == "LEAKY_RELU" else {}
        options |= {"approximate": approximate} if operator == "GELU" else {}
        try:
            table = elementwise.table(net.Elementwise(operator, slope, approximate), source, target)
        except ValueError:  # HARD_SWISH to a scale that TFLite refuses, too, or that is out of all proportion
            continue
        kind, version = OPTIONS.get(operator, ""), VERSIONS.get(operator, 3)
        content = model(operator, options, [tensor(source)], tensor(target), kind, version)
        np.testing.assert_array_equal(table, reference(content, ALL).ravel())
        compared += 1
    assert compared > 60


@pytest.mark.parametrize("operator", ["ADD", "SUB", "MUL"])
def test_one_constant_makes_a_table(operator: str) -> None:
    rng = np.random.default_rng(2)
    for swapped in (False, True) * 30:
        source, other = drawn(rng), drawn(rng)
        largest = source.scale * other.scale * 100 if operator == "MUL" else 1.7 * max(source.scale, other.scale)
        target = feature_map(float(np.float32(largest)), int(rng.integers(-128, 128)))
        value = rng.integers(-128, 128, 1).astype(np.int8)
        constant = net.Constant(value, other.scale, other.zero_point)
        kernel = kernels.binary(net.Binary(operator, "NONE", constant, swapped), source, other, target)
        assert isinstance(kernel, prog.TableKernel)
        operands = [tensor(source), Tensor((1,), other.scale, other.zero_point, value)]
        kind = f"{operator.capitalize()}Options"
        content = model(operator, {}, operands[::-1] if swapped else operands, tensor(target), kind, 2)
        np.testing.assert_array_equal(kernel.table, reference(content, ALL).ravel())


def test_a_difference_is_rounded_before_it_is_taken_off() -> None:
    """Scales so fine that the last bit of the scaled operands shows: adding a negative multiple would differ."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        first = np.float32(2.0 ** rng.uniform(-6, -3))
        second = np.float32(first * np.float32(1 + rng.integers(-3, 4) * 2e-7))
        target = feature_map(float(np.float32(2 * max(first, second) / 2**19.3)), 0)
        a, b = feature_map(float(first), 0), feature_map(float(second), 0)
        value = np.array([int(rng.integers(-128, 128))], np.int8)
        kernel = kernels.binary(net.Binary("SUB", "NONE", net.Constant(value, b.scale, 0)), a, b, target)
        assert isinstance(kernel, prog.TableKernel)
        content = model("SUB", {}, [tensor(a), Tensor((1,), b.scale, 0, value)], tensor(target), "SubOptions", 2)
        np.testing.assert_array_equal(kernel.table, reference(content, ALL).ravel())
