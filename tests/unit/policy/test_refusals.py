"""What was refused is kept, bounded, and nothing is hidden by asking for much."""

from __future__ import annotations

from pathlib import Path

from runner.agent.policy import refusals


def test_what_was_refused_is_counted_by_what_it_was(tmp_path: Path) -> None:
    for what in ("id", "id", "cat \x1b[2J/etc/shadow"):
        refusals.note("papio", what, tmp_path)
    first, second = refusals.noted(tmp_path)
    assert (first.what, first.times, second.times) == ("id", 2, 1)
    assert "\x1b" not in second.what
    refusals.forget(tmp_path)
    assert refusals.noted(tmp_path) == ()


def test_much_that_is_harmless_hides_nothing(tmp_path: Path) -> None:
    for what in ("the first", *(f"junk {number}" for number in range(100)), "the last"):
        refusals.note("papio", what, tmp_path)
    known = refusals.noted(tmp_path)
    assert len(known) == refusals.KEPT
    assert {"the first", "the last"} <= {each.what for each in known}
    assert sum(each.times for each in known) == 102


def test_what_cannot_be_read_is_none_and_is_written_anew(tmp_path: Path) -> None:
    for content in ("", "{", '{"attempts": [1]}', '{"attempts": [{"key": 1}]}', "[]"):
        (tmp_path / "refused.json").write_text(content)
        assert refusals.noted(tmp_path) == ()
    refusals.note("papio", "id", tmp_path)
    assert [each.what for each in refusals.noted(tmp_path)] == ["id"]
