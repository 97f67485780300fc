"""Where a test belongs, as functions of a folder that holds `tests/`: each gives its offences."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.unit.house import Offences, imports, nodes

# What only `make test-all` installs: the modules that drive it, and the programs by name.
SERVERS = {"tests.contract.pg"}
PROGRAMS = {"initdb", "pg_ctl", "rpmbuild", "createrepo_c", "debootstrap", "apt-ftparchive"}


def unmarked(root: Path) -> Offences:
    """`make test` installs little: what needs more is marked `packages`, and so waits for `make test-all`.

    It asks of each file whether it has that mark at all, not which of its tests do: only a test that is run knows.
    """
    wrong = []
    for path in sorted((root / "tests/contract").rglob("test_*.py")):
        needed = SERVERS & set(_reached(root, path, set())) | PROGRAMS & _texts(path)
        if needed and "pytest.mark.packages" not in path.read_text("utf-8"):
            wrong.append(f"{path.relative_to(root)} needs {', '.join(sorted(needed))} and is not marked `packages`")
    return wrong


def _reached(root: Path, path: Path, seen: set[str]) -> Iterator[str]:
    """Every module of tests/ that it imports, and what those import."""
    for name in set(imports(path)) - seen:
        seen.add(name)
        other = root / f"{name.replace('.', '/')}.py"
        if name.startswith("tests.") and other.is_file():
            yield name
            yield from _reached(root, other, seen)


def _texts(path: Path) -> set[str]:
    return {node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


RULES = (unmarked,)
