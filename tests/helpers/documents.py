"""What documents and comments say that can be checked: links, commands, flags, names of modules and of files."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.needs import ROOT

FOLDERS = ("docs", "sqz_tf", "converters", "mcu", "android_demo", "tools", "tests")
SOURCES = (".py", ".c", ".h", ".cc", ".java", ".j2", ".mk", ".kts", ".cmake", ".defaults")
ELSEWHERE = {"converters/compiler/mcu": "in a wheel", "docs/devel/tcg-plugins.rst": "in QEMU"}
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
NAME = re.compile(r"\b(?:sqz_tf|converters)(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(r"(?<![\w/.:-])(?:docs|sqz_tf|converters|mcu|tools|tests|android_demo)/[\w./-]*\w")
MODULE = re.compile(r"python -m ([a-z_]\w*(?:\.\w+)*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|…|\$")  # `sqz_tf.COMMAND`, `mcu/boards/NAME.mk`: for a reader to fill in


def documents() -> list[Path]:
    """Return every Markdown file of the repository, relative to its root."""
    return sorted([*_relative(ROOT.glob("*.md")), *_below((".md",))])


def sources() -> list[Path]:
    """Return every file with comments that name modules, relative to the repository's root."""
    return sorted([Path("Makefile"), *_below(SOURCES)])


def _below(endings: tuple[str, ...]) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in _relative((ROOT / folder).rglob("*")):
            if path.suffix in endings and not {"build", "__pycache__"} & set(path.parts):
                yield path


def _relative(paths: Iterator[Path]) -> Iterator[Path]:
    return (path.relative_to(ROOT) for path in paths)


def said(path: Path, text: str) -> str:
    """Return what a file tells a reader: a Python file's comments and docstrings, all of any other."""
    return "\n".join([*_comments(text), *_docstrings(text)]) if path.suffix == ".py" else text


def _comments(source: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def _docstrings(source: str) -> Iterator[str]:
    """Find docstrings, those under a name included: any string that is a statement."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def commands(text: str) -> list[str]:
    """Return what a document tells a reader to type, one command a line: shell in fences, spans in the text."""
    fences = [FENCE.sub(lambda _: "", text), *(body for kind, body in FENCE.findall(text) if kind in ("sh", ""))]
    spans = [re.sub(r"\s+", " ", span) for part in re.split(r"\n\s*\n", fences[0]) for span in SPAN.findall(part)]
    lines = [line for body in fences[1:] for line in body.replace("\\\n", " ").splitlines()]
    return [line for whole in [*spans, *lines] for line in _typed(whole)]


def _typed(line: str) -> list[str]:
    """Take a comment off and split what is typed on one line."""
    plain = re.sub(r"(^|\s)#\s.*", "", line)
    return [re.sub(r"\s+", " ", part).strip() for part in re.split(r";|&&|\|", plain) if part.strip()]


def table_commands(text: str) -> list[str]:
    """Return the first and the last cell of each row of a document's table of commands."""
    rows = re.findall(r"^\| (`[^`|]+`) \|.*\| (`[^`|]+`) \|$", text, re.MULTILINE)
    return [cell for row in rows for cell in row]


def fenced_commands(text: str) -> list[str]:
    """Return the commands in a document's shell fences, without their comments."""
    lines = [line for kind, body in FENCE.findall(text) if kind == "sh" for line in body.splitlines()]
    return [part for line in lines for part in _typed(line)]


def anchors(text: str) -> set[str]:
    """Return the anchors that a forge gives a document's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> list[str]:
    """Return the relative links of a document that lead nowhere."""
    plain = SPAN.sub("", FENCE.sub("", text))
    found = re.findall(r"\]\(([^)\s]+)\)", plain)
    return [link for link in found if not re.match(r"[a-z]+:", link) and not _leads(path, link)]


def _leads(path: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = ROOT / path.parent / file if file else ROOT / path
    return target.exists() and (not anchor or anchor in anchors(target.read_text(encoding="utf-8")))


def missing_names(text: str) -> list[str]:
    """Return the dotted names of our packages in a text that are no module and nothing a module defines."""
    return sorted({name for name in NAME.findall(text) if not PLACEHOLDER.search(name) and not _exists(name)})


def _exists(name: str) -> bool:
    """Whether a dotted name is a package, a module, or a name that one defines, followed by whatever."""
    parts = name.split(".")
    place = ROOT
    for i, part in enumerate(parts):
        if (place / part / "__init__.py").is_file():
            place = place / part
        elif (place / f"{part}.py").is_file():
            return i + 1 == len(parts) or parts[i + 1] in _defined(place / f"{part}.py")
        else:
            return part in _defined(place / "__init__.py")
    return True


def _defined(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def missing_paths(text: str) -> list[str]:
    """Return the paths of this repository in a text that do not exist; `docs/adr/0006` stands for its one page."""
    found = {path for path in PATH.findall(text) if not PLACEHOLDER.search(path) and "/build/" not in path}
    return sorted(path for path in found - set(ELSEWHERE) if not _is_there(path))


def _is_there(path: str) -> bool:
    numbered = re.fullmatch(r"docs/adr/\d{4}", path)
    return len(list(ROOT.glob(f"{path}-*.md"))) == 1 if numbered else (ROOT / path).exists()
