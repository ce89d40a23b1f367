"""Every kind of layer and of kernel has its row in the table of every pass: what a new operator lacks is named here."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

from converters import compiler
from converters.compiler.front import network, read
from converters.compiler.middle import kernels, program

LAYERS, KERNELS = set(get_args(network.LayerKind)), set(get_args(program.Kernel))
KNOWN = {  # tables that must be found; a further back end's are found by themselves
    "middle.legalise.READS_ROWS",
    "middle.pads.FOLDS",
    "middle.lower.LOWERINGS",
    "middle.costs.STATE_BYTES",
    "middle.costs.OVERWRITES",
    "middle.costs.CONSTANTS",
    "middle.costs.OPERATIONS",
    "back.c.targets.CHOICES",
    "back.c.parameters.PARAMETERS",
}


def modules() -> list[ModuleType]:
    names = (each.name for each in pkgutil.walk_packages(compiler.__path__, "converters.compiler."))
    return [importlib.import_module(name) for name in names]


def tables(module: ModuleType) -> Iterator[tuple[str, Mapping[type, Any]]]:
    """Yield the name and the value of each table by kind that a module holds."""
    for name, value in vars(module).items():
        if isinstance(value, Mapping) and (LAYERS | KERNELS) & {key for key in value if isinstance(key, type)}:
            yield f"{module.__name__.removeprefix('converters.compiler.')}.{name}", value


def missing(table: Mapping[type, Any]) -> list[str]:
    """Return the names of the kinds without a row in a table of layers or of kernels."""
    wanted = LAYERS if LAYERS & set(table) else KERNELS
    return sorted(kind.__name__ for kind in wanted - set(table))


def branches(source: str) -> list[int]:
    """Return the lines that ask for the kind of a kernel, other than in an assertion: that is a table's work."""
    tree = ast.parse(source)
    asserted = {id(node) for each in ast.walk(tree) if isinstance(each, ast.Assert) for node in ast.walk(each)}
    expressions = (node for node in ast.walk(tree) if isinstance(node, ast.expr))
    return [node.lineno for node in expressions if id(node) not in asserted and _asks_for_a_kernel(node)]


def _asks_for_a_kernel(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "isinstance":
        return False
    return any(re.search(rf"\b{kind.__name__}\b", ast.unparse(node.args[1])) for kind in KERNELS)


FOUND = dict(each for module in modules() for each in tables(module))


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_pass_has_a_row_for_every_kind(name: str) -> None:
    assert missing(FOUND[name]) == []


def test_every_pass_is_looked_at() -> None:
    assert set(FOUND) >= KNOWN


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_kind_without_a_row_is_named(name: str) -> None:
    for kind in FOUND[name]:
        assert kind.__name__ in missing({each: row for each, row in FOUND[name].items() if each is not kind})


@pytest.mark.parametrize("module", [each for each in modules() if not hasattr(each, "__path__")], ids=str)
def test_no_pass_branches_over_kernels_beside_its_table(module: ModuleType) -> None:
    assert branches(inspect.getsource(module)) == []


def test_a_branch_beside_a_table_is_seen() -> None:
    assert branches("x = 1 if isinstance(k, prog.ConvKernel | prog.PadKernel) else 0") == [1]
    assert branches("assert isinstance(k, prog.PadKernel)") == []


def test_every_kind_is_in_its_union() -> None:
    others = {network.Window, network.FeatureMap, network.Constant, network.Layer, network.Graph}
    assert {each for each in _classes(network) if each not in others} == LAYERS
    assert {each for each in _classes(program) if each.__name__.endswith("Kernel")} == KERNELS


def _classes(module: ModuleType) -> list[type]:
    return [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]


def test_every_kind_of_layer_is_read_and_every_kernel_is_made() -> None:
    on_the_way = {network.Broadcast, network.ConstantMap}  # steps of other layers
    assert _returned(reader for _, reader in read.READERS.values()) | on_the_way == LAYERS
    makers = [each for each in vars(kernels).values() if inspect.isfunction(each)]
    assert _returned(each for each in makers if each.__module__ == kernels.__name__) >= KERNELS


def _returned(functions: Iterable[Any]) -> set[Any]:
    """Return the kinds that functions say they return, one or the one or the other."""
    hints = [get_type_hints(each)["return"] for each in functions]
    return {kind for hint in hints for kind in get_args(hint) or (hint,)}
