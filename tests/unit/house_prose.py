"""Rules about meaning: no text is read back, and each fact has one room that knows its words."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
# What gives back the text that it was given: what is read of that is read of the text.
PASSES = frozenset({"str", "one_line", "printable"})
SAME = frozenset({"lower", "upper", "casefold", "strip", "lstrip", "rstrip", "replace", "encode", "splitlines"})
# Review reads a second time, from the command itself, what a plan would expire: that is its purpose.
SECOND_READING = {"runner/planning/review.py", "runner/planning/floors.py"}
FAMILIES = frozenset({"apt", "aptitude", "dpkg", "rpm", "dnf", "yum"})
FAMILY_PLACES = (
    "runner/jobs/packages/debian/",
    "runner/jobs/packages/redhat/",
    "runner/jobs/packages/families.py",
    "runner/agent/packages/families.py",
)
KNOW_NO_KIND = tuple(f"runner/{part}/" for part in ("planning", "engine", "report", "hosts", "tools"))
FAMILY_MODULES = ("runner.jobs.packages.debian", "runner.jobs.packages.redhat")
PROGRAM = re.compile(rf"(?<![\w/-])({'|'.join(sorted(FAMILIES))})(?![\w/])")


def _prose(node: ast.AST, named: Mapping[str, str]) -> str:
    """The name of the attribute, where `node` is a text for people or a part of one.

    `named` are variables that hold one, and the attribute that it is from.
    """
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PASSES and node.args:
            node = node.args[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SAME:
            node = node.func.value
        elif isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
            node = node.elt
        else:
            break
    if isinstance(node, ast.IfExp):
        return _prose(node.body, named) or _prose(node.orelse, named)
    if isinstance(node, ast.Name):
        return named.get(node.id, "")
    if not isinstance(node, ast.Attribute) or node.attr not in PROSE:
        return ""
    # The command line of this very process is no text of ours, and a value may know its own.
    return "" if isinstance(node.value, ast.Name) and node.value.id in ("sys", "self") else node.attr


def _named(scope: Sequence[ast.AST]) -> Mapping[str, str]:
    """The variables of a function that hold a text for people."""
    named: dict[str, str] = {}
    for node in scope:
        target, value = None, None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.For | ast.comprehension):
            target, value = node.target, node.iter
        elif isinstance(node, ast.NamedExpr):
            target, value = node.target, node.value
        if isinstance(target, ast.Name) and value is not None and (name := _prose(value, named)):
            named[target.id] = name
    return named


def _compared(node: ast.Compare, named: Mapping[str, str]) -> Iterator[str]:
    sides = {side: _prose(side, named) for side in (node.left, *node.comparators)}
    # To be empty is no meaning; two ids may be the same.
    plain = all(prose or isinstance(side, ast.Constant) and side.value in ("", None) for side, prose in sides.items())
    ids = "step" in sides.values() and not any(isinstance(side, ast.Constant | ast.JoinedStr) for side in sides)
    if not plain and not ids:
        yield from filter(None, sides.values())


def _called(node: ast.Call, named: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in READS and (name := _prose(node.func.value, named)):
            yield name
        if node.func.attr in PATTERNS:
            yield from filter(None, (_prose(argument, named) for argument in node.args))


def _read(node: ast.AST, named: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        yield from _compared(node, named)
    elif isinstance(node, ast.Call):
        yield from _called(node, named)
    elif isinstance(node, ast.Subscript) and (name := _prose(node.value, named)) == "argv":
        yield name


def _scopes(path: Path) -> Iterator[Sequence[ast.AST]]:
    """The module without names for its texts, and each function with the variables that hold one."""
    yield nodes(path)
    yield from (tuple(ast.walk(node)) for node in nodes(path) if isinstance(node, ast.FunctionDef))


def read_back(root: Path) -> Offences:
    """Nobody reads the text of a finding, headline, reason, note, the name of a step or an argv."""
    offences: dict[str, None] = {}
    for path in product(root):
        name = path.relative_to(root).as_posix()
        if name.startswith("runner/agent/") or name in SECOND_READING:
            continue
        for number, scope in enumerate(_scopes(path)):
            named = _named(scope) if number else {}
            for node in scope:
                offences |= {f"{name}:{getattr(node, 'lineno', 0)} reads {word}": None for word in _read(node, named)}
    return list(offences)


def families(root: Path) -> Offences:
    """The programs of a family of packages are known to its own folder and the table: nothing else even
    mentions one, and nobody imports a family by name."""
    wrong = []
    for path in product(root):
        name = path.relative_to(root).as_posix()
        if name.startswith(FAMILY_PLACES):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and PROGRAM.search(node.value):
                wrong.append(f"{name}:{node.lineno} names {node.value!r}")
        wrong += [f"{name} imports {each}" for each in imports(path) if each.startswith(FAMILY_MODULES)]
    return wrong


def kinds(root: Path) -> Offences:
    """A plan is made, run and reported without a look at the name of a kind."""
    return [
        f"{name}:{node.lineno} knows kind {word.value!r}"
        for path in product(root)
        if (name := path.relative_to(root).as_posix()).startswith(KNOW_NO_KIND)
        for node in nodes(path)
        if isinstance(node, ast.Compare)
        and any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in (node.left, *node.comparators))
        for word in ast.walk(node)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    ]


RULES: tuple[Callable[[Path], Offences], ...] = (read_back, families, kinds)
