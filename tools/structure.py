"""Measure the house: which package imports which, how long imports run, how long functions and modules are.

    python -m tools.structure
    python -m tools.structure --at REVISION --markdown

A package is a folder directly below `sqz_tf` or `converters`; a module that lies there by itself, such as a command,
counts as its own, and so did all in earlier revisions. Imports inside functions count, those for types alone do not.
Against the order is what imports a package to its right, or anything that has no place in the order: a command, and
nearly every module before there were packages.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
TOPS = ("sqz_tf", "converters")
ORDER = (
    *("base", "images", "artifact", "network", "inference", "data", "train", "quantize", "parity"),
    *("compress", "report", "deploy", "pipeline", "comparison", "trials"),
)
"""The packages of `sqz_tf`: each imports only those before it."""

LONG = 400  # lines of a module that is told

Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Structure:
    """What was measured.

    Attributes:
      packages: package → number of its modules and of their lines.
      arrows: (package, package) → how many modules of the second are imported by modules of the first, in all.
      upward: imports against the order, as `a.module -> b.module`.
      circles: groups of packages that import each other.
      module_path, package_path: the longest chains of imports; what is in a circle is one link, joined by `=`.
      function_lines: of every function with its docstring, sorted.
      long_modules: path → lines, of those over `LONG`.
    """

    packages: dict[str, tuple[int, int]]
    arrows: dict[tuple[str, str], int]
    upward: list[str]
    circles: list[tuple[str, ...]]
    module_path: list[str]
    package_path: list[str]
    function_lines: list[int]
    long_modules: dict[str, int]

    def percentile(self, share: float) -> int:
        """Return the length that a share of the functions does not exceed, in lines; 0 without any."""
        lines = self.function_lines
        return lines[min(len(lines) - 1, int(share * len(lines)))] if lines else 0


def imported(source: str) -> set[str]:
    """Return the modules imported anywhere in `source`, inside functions too, but not for types only."""
    names: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _without_type_checking(tree: ast.AST) -> ast.AST:
    class Strip(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    return Strip().visit(tree)  # type: ignore[no-any-return]


def measure(files: Mapping[str, str]) -> Structure:
    """Measure Python files: path from the root, with `/` → source."""
    modules = {name: path for path in files if (name := _module(path)) not in TOPS}
    graph = {name: _targets(name, files[path], modules) for name, path in modules.items()}
    package = {name: _package(path) for name, path in modules.items()}
    pairs = [(a, b) for a in sorted(graph) for b in sorted(graph[a]) if package[a] != package[b]]
    counts = Counter((package[a], package[b]) for a, b in pairs)
    packages: Graph = {name: {b for a, b in counts if a == name} for name in package.values()}
    lines = {path: len(text.splitlines()) for path, text in files.items()}
    sizes = {
        each: [lines[path] for name, path in modules.items() if package[name] == each] for each in sorted(packages)
    }
    return Structure(
        packages={name: (len(each), sum(each)) for name, each in sizes.items()},
        arrows=dict(sorted(counts.items())),
        upward=[f"{a} -> {b}" for a, b in pairs if _is_upward(package[a], package[b])],
        circles=sorted(group for group in components(packages) if len(group) > 1),
        module_path=longest_path(graph),
        package_path=longest_path(packages),
        function_lines=sorted(chain.from_iterable(map(_function_lines, files.values()))),
        long_modules={path: count for path, count in sorted(lines.items()) if count > LONG},
    )


def _module(path: str) -> str:
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def _package(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:2]).removesuffix(".__init__")


def _targets(name: str, source: str, modules: Iterable[str]) -> set[str]:
    """Return the modules of the house that one imports."""
    found = (next((each for each in _prefixes(target) if each in modules), "") for target in imported(source))
    return {target for target in found if target not in ("", name)}


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(len(parts), 0, -1))


def _is_upward(source: str, target: str) -> bool:
    """Whether a package imports one that comes after it: converters, the order, then the commands, each by itself."""
    return _rank(target) > _rank(source) or (_rank(source) == _rank(target) == len(ORDER))


def _rank(package: str) -> int:
    top, _, name = package.partition(".")
    if top != TOPS[0]:
        return -1
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _function_lines(source: str) -> Iterable[int]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def components(graph: Graph) -> list[tuple[str, ...]]:
    """Return the groups of nodes that reach each other, each after all that it leads to (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in order:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            start = stack.index(node)
            found.append(tuple(sorted(stack[start:])))
            del stack[start:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def longest_path(graph: Graph) -> list[str]:
    """Return the longest chain of imports; nodes in a circle are one link, joined by `=`."""
    best: dict[str, list[str]] = {}
    for group in components(graph):
        below = (best[target] for node in group for target in graph[node] if target not in group)
        path = [" = ".join(group), *max(below, key=lambda found: (len(found), found), default=[])]
        best.update(dict.fromkeys(group, path))
    return max(best.values(), key=lambda found: (len(found), found), default=[])


def here(root: Path = ROOT) -> dict[str, str]:
    """Return the files of a checkout as they lie there."""
    paths = chain.from_iterable((root / top).rglob("*.py") for top in TOPS)
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


def at(revision: str, root: Path = ROOT) -> dict[str, str]:
    """Return the files of an earlier revision; nothing is checked out.

    Raises:
      ValueError: Git does not know it.
    """
    done = subprocess.run(["git", "archive", "--format=tar", revision], cwd=root, capture_output=True)
    if done.returncode:
        raise ValueError(f"git has no revision {revision!r}: {done.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        members = {name: archive.extractfile(name) for name in sorted(archive.getnames()) if _counts(name)}
        return {name: file.read().decode("utf-8") for name, file in members.items() if file}


def _counts(path: str) -> bool:
    return path.endswith(".py") and path.split("/")[0] in TOPS


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def tables(found: Structure) -> list[Table]:
    """Return everything as tables: a head and rows of cells."""
    packages: list[tuple[str, ...]] = [
        (name, str(modules), str(size), _arrows(found.arrows, name)) for name, (modules, size) in found.packages.items()
    ]
    return [
        (("what", "measured"), _figures(found)),
        (("package", "modules", "lines", "imports"), packages),
        (("told", "where"), _told(found)),
    ]


def _figures(found: Structure) -> list[tuple[str, ...]]:
    lines = f"median {found.percentile(0.5)}, 90 % {found.percentile(0.9)}, most {max([0, *found.function_lines])}"
    return [
        ("packages", str(len(found.packages))),
        ("modules", str(sum(modules for modules, _ in found.packages.values()))),
        ("arrows between packages", f"{len(found.arrows)} ({sum(found.arrows.values())} imports)"),
        ("imports against the order", str(len(found.upward))),
        ("packages in circles", str(sum(map(len, found.circles)))),
        ("longest path, packages", f"{len(found.package_path)}: {' > '.join(found.package_path)}"),
        ("longest path, modules", f"{len(found.module_path)}: {' > '.join(found.module_path)}"),
        ("functions", str(len(found.function_lines))),
        ("lines of a function", lines),
        (f"modules over {LONG} lines", str(len(found.long_modules))),
    ]


def _told(found: Structure) -> list[tuple[str, ...]]:
    return [
        *(("against the order", line) for line in found.upward),
        *(("circle", " = ".join(group)) for group in found.circles),
        *((f"over {LONG} lines", f"{path}: {count}") for path, count in found.long_modules.items()),
    ]


def _arrows(arrows: Mapping[tuple[str, str], int], name: str) -> str:
    return ", ".join(f"{target} {count}" for (source, target), count in arrows.items() if source == name)


def plain(table: Table) -> str:
    """Return a table in columns."""
    rows = [table[0], *table[1]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def markdown(table: Table) -> str:
    """Return a table in Markdown."""
    rows = [table[0], ("---",) * len(table[0]), *table[1]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.structure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at", metavar="REVISION", help="measure an earlier revision (default: the files as they are)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Print the tables; return 1 if Git has no such revision."""
    arguments = build_parser().parse_args(argv)
    shown: Callable[[Table], str] = markdown if arguments.markdown else plain
    try:
        files = at(arguments.at) if arguments.at else here()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(shown(table) for table in tables(measure(files)) if table[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
