"""Rules about meaning: no text is read back, and each fact has one room that knows its words."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.unit.house import Offences, imports, nodes, product

# What is made for people, or names a thing: never compared, searched, split or counted.
PROSE = frozenset({"text", "headline", "details", "reason", "note", "why", "step", "argv", "description"})
READS = frozenset(
    [
        "startswith",
        "endswith",
        "partition",
        "rpartition",
        "split",
        "rsplit",
        "find",
        "rfind",
        "index",
        "rindex",
        "count",
        "removeprefix",
        "removesuffix",
    ]
)
PATTERNS = frozenset({"search", "match", "fullmatch", "findall", "finditer", "split", "sub"})
# Review reads a second time, from the command itself, what a plan would expire: that is its purpose.
SECOND_READING = {"runner/planning/review.py"}
FAMILIES = frozenset({"apt", "aptitude", "dpkg", "rpm", "dnf", "yum"})
FAMILY_ROOMS = ("runner/jobs/packages/", "runner/agent/packages/")
# In these rooms a family is known to its own folder, and to the table.
FAMILY_PLACES = (
    "runner/jobs/packages/debian/",
    "runner/jobs/packages/redhat/",
    "runner/jobs/packages/families.py",
    "runner/agent/packages/families.py",
)
FAMILY_MODULES = ("runner.jobs.packages.debian", "runner.jobs.packages.redhat")
PROGRAM = re.compile(rf"(?<![\w/-])({'|'.join(sorted(FAMILIES))})(?![\w/])")


def _prose(node: ast.AST) -> str:
    """The name of the attribute, where `node` is a text for people or a part of one."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if not isinstance(node, ast.Attribute) or node.attr not in PROSE:
        return ""
    # The command line of this very process is no text of ours, and a value may know its own.
    return "" if isinstance(node.value, ast.Name) and node.value.id in ("sys", "self") else node.attr


def _compared(node: ast.Compare) -> Iterator[str]:
    sides = (node.left, *node.comparators)
    # To be empty is no meaning; two ids may be the same.
    plain = all(isinstance(side, ast.Constant) and side.value in ("", None) or _prose(side) for side in sides)
    ids = any(_prose(side) == "step" for side in sides) and not any(
        isinstance(side, ast.Constant | ast.JoinedStr) for side in sides
    )
    if not plain and not ids:
        yield from filter(None, map(_prose, sides))


def _called(node: ast.Call) -> Iterator[str]:
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in READS and (name := _prose(node.func.value)):
            yield name
        if node.func.attr in PATTERNS:
            yield from filter(None, map(_prose, node.args))


def _read(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.Call):
        yield from _called(node)
    elif isinstance(node, ast.Subscript) and (name := _prose(node.value)) == "argv":
        yield name


def read_back(root: Path) -> Offences:
    """Nobody reads the text of a finding, headline, reason, note, the name of a step or an argv."""
    return [
        f"{name}:{getattr(node, 'lineno', 0)} reads {word}"
        for path in product(root)
        if not (name := path.relative_to(root).as_posix()).startswith("runner/agent/") and name not in SECOND_READING
        for node in nodes(path)
        for word in _read(node)
    ]


def families(root: Path) -> Offences:
    """The programs of a family of packages are known to its own folder and the table; in the packages' rooms
    nothing else even mentions one, and nobody imports a family by name."""
    wrong = []
    for path in product(root):
        name = path.relative_to(root).as_posix()
        if name.startswith(FAMILY_PLACES):
            continue
        inside = name.startswith(FAMILY_ROOMS)
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                mentioned = PROGRAM.search(node.value) if inside else node.value in FAMILIES
                wrong += [f"{name}:{node.lineno} names {node.value!r}"] if mentioned else []
        wrong += [f"{name} imports {each}" for each in imports(path) if each.startswith(FAMILY_MODULES)]
    return wrong


RULES: tuple[Callable[[Path], Offences], ...] = (read_back, families)
