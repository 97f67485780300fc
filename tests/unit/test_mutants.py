"""The wrong programs of `make mutants`: each is one change, and every module that is to be made wrong is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.operators import mutants
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a == b", {"x = a != b"}),
        ("x = a and b", {"x = a or b", "x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = True", {"x = False"}),
        ("x = 7", {"x = 8"}),
        ("x = 1 << 20", {"x = 2 << 20", "x = 1 << 21", "x = 1 >> 20"}),
        ("if a:\n    b = c", {"if not a:\n    b = c"}),
        ("x = min(a)", {"x = max(a)"}),
        ("x = [a for a in b if a]", {"x = [a for a in b]"}),
        ("f(a)", {"pass"}),
        ("def f() -> int:\n    return a", {"def f() -> int:\n    return None"}),
        ('"""Text."""\nimport a', set()),
    ],
)
def test_each_mutant_is_one_change(source: str, changes: set[str]) -> None:
    made = list(mutants(source))
    assert {mutant.text.strip() for mutant in made} == changes
    assert len({mutant.key for mutant in made}) == len(made)


def test_every_module_that_is_made_wrong_is_there_and_so_are_its_tests() -> None:
    paths = [path for module, tests in TARGETS.items() for path in (module, *tests.split())]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for module in TARGETS:
        assert ast.parse(next(mutants((ROOT / module).read_text())).text)
