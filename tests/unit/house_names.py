"""Rules about names: a name says what the thing is, and one name is one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.unit.house import Offences, functions, nodes, product

# How we came by a thing, or nothing at all: never the name of a function, a parameter, a variable, a field or a class.
VAGUE = frozenset({"one", "ones", "told", "said", "found", "some", "came", "carried", "still", "stuff", "thing"})


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id


def vague(root: Path) -> Offences:
    """No name that tells how we got a thing instead of what it is."""
    return [
        f"{path.relative_to(root).as_posix()}:{getattr(node, 'lineno', 0)} {name}"
        for path in product(root)
        for node in nodes(path)
        for name in _names(node)
        if name.strip("_").lower() in VAGUE
    ]


def classes(root: Path) -> Offences:
    """No class name stands twice."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in product(root):
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(path.relative_to(root).as_posix())
    return [f"{name}: {', '.join(places)}" for name, places in sorted(homes.items()) if len(places) > 1]


def tuples(root: Path) -> Offences:
    """No tuple of unlike things as a parameter: it has no names inside, and hides the seventh."""
    return [
        f"{where}({argument.arg}: {ast.unparse(argument.annotation)})"
        for where, function in functions(root)
        for argument in (*function.args.args, *function.args.kwonlyargs)
        if argument.annotation and _unlike(argument.annotation)
    ]


def _unlike(hint: ast.expr) -> bool:
    if not (isinstance(hint, ast.Subscript) and isinstance(hint.value, ast.Name) and hint.value.id == "tuple"):
        return False
    kinds = hint.slice.elts if isinstance(hint.slice, ast.Tuple) else [hint.slice]
    return len({ast.unparse(kind) for kind in kinds} | {"..."}) > 2


RULES: tuple[Callable[[Path], Offences], ...] = (vague, classes, tuples)
