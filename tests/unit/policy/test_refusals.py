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


def test_whatever_is_asked_it_fits_into_what_is_read(tmp_path: Path) -> None:
    refusals.note("papio", "rm -rf /srv", tmp_path)
    for number in range(60):
        refusals.note("k" * 100, f"{number}" + "\U0001f600\\" * 5000, tmp_path)
    known = refusals.noted(tmp_path)
    assert known[0].what == "rm -rf /srv"
    assert sum(each.times for each in known) == 61
    assert all(each.what.isascii() for each in known)


def test_what_cannot_be_read_is_told_and_kept(tmp_path: Path) -> None:
    """Also what a version before this one wrote, which is longer than what is read."""
    file = tmp_path / "refused.json"
    for content in ("", "{", '{"attempts": [1]}', '{"attempts": [{"key": 1}]}', "[]", "[" * 60000, "x" * 70000):
        file.write_text(content)
        (only,) = refusals.noted(tmp_path)
        assert "cannot be read" in only.what and file.read_text() == content
        refusals.note("papio", "id", tmp_path)
        first, second = refusals.noted(tmp_path)
        assert "cannot be read" in first.what and second.what == "id"
        (aside,) = (path for path in tmp_path.iterdir() if path != file)
        assert str(aside) in first.what and aside.read_text() == content
        aside.unlink()
