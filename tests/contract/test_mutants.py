"""The quick way of `make mutants`: a fork a mutant, and only the tests that reach it."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.operators import mutants
from tests.mutants.quick import Quick

RULES = """LEAST = 3
def fits(number):
    return number >= LEAST
def unseen(number):
    return number < 5
"""
TESTS = """from rules import fits, unseen
def test_fits():
    assert fits(4) and not fits(2)
def test_nothing():
    unseen(7)
"""


def test_a_mutant_is_noticed_where_a_test_that_reaches_it_fails(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "rules.py").write_text(RULES)
    (folder / "test_rules.py").write_text(TESTS)
    quick = Quick(folder=folder, module="rules.py", tests="test_rules.py")
    assert quick.passes()
    assert {mutant.key: quick.notices(mutant) for mutant in mutants(RULES)} == {
        ": 3 -> 4": False,
        "fits: return number >= LEAST -> return None": True,
        "fits: number >= LEAST -> number > LEAST": False,
        "fits: number >= LEAST -> number < LEAST": True,
        "unseen: return number < 5 -> return None": False,
        "unseen: number < 5 -> number <= 5": False,
        "unseen: number < 5 -> number >= 5": False,
        "unseen: 5 -> 6": False,
    }
    (folder / "test_rules.py").write_text(TESTS.replace("fits(4)", "fits(3)"))
    assert quick.passes()
    assert quick.notices(next(mutants(RULES))), "what runs at import is given to all"
