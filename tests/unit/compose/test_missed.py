"""Why names are missing, counted by filesystem."""

from __future__ import annotations

from runner.agent.compose.missed import MissedNames


def test_what_has_no_cause_is_counted_where_it_is() -> None:
    missed = MissedNames(frozenset(), accept=("/home/eve",))
    for point, path, cause in (
        ("/", "a", "changed"),
        ("/", "b", "unreadable"),
        ("/home", "eve/c", "unreadable"),
        ("/home", "d", "unexplained"),
        ("/home", "e", "some other word"),
        ("/home", "f", "vanished"),
        ("/var", "g", "not mounted"),
    ):
        missed.note(point, path, cause)
    assert missed.without_cause() == {"/home": 2}
    assert missed.unexplained == ["'/home/d'", "'/home/e'"]
    assert (missed.count("/home", "vanished"), missed.count("/home", "accepted")) == (1, 1)
    assert MissedNames(frozenset()).without_cause() == {}


def test_however_long_the_paths_are_the_record_stays_short() -> None:
    missed = MissedNames(frozenset())
    for number in range(100):
        missed.note("/", f"{number}" + "x" * (1 << 20), "unreadable")
        missed.note("/", f"{number}", "unreadable")
    assert missed.cause("unreadable") == 200
    assert sum(len(each.path) for each in missed.exceptions) < 1 << 20
    assert len(missed.exceptions) == 100
