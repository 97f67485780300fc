"""What `snapshots` says of copies that are not sealed, and of times in a record that are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from runner.cli import snapshots
from runner.model.facts import Holder, Partial, Space, StoreFacts
from runner.model.plan import Finding
from runner.report.line import Line, Table, aligned, folded, plain
from runner.report.plan import finding_lines
from runner.verbs.browse import Holding
from tests.unit import parts

SITE = parts.site()
NOW = parts.NOW.astimezone(ZoneInfo(SITE.timezone))
STORE = parts.facts().hosts[parts.SERVER].stores["papio"]
OLD = Partial(name="2026-11-22T081500Z", plan="old", sent=100)
NEW = Partial(name="2026-11-23T081500Z", plan="new", sent=100)


def shown(facts: StoreFacts) -> str:
    parts_: list[Line | Table] = snapshots._store(Holding(store=SITE.store("papio"), contents=facts), NOW, {})
    return plain(tuple(row for part in parts_ for row in (aligned(part) if isinstance(part, Table) else (part,))))


def test_the_command_that_drops_what_is_interrupted_is_there_once() -> None:
    assert shown(replace(STORE, partials=(OLD, NEW))).count("--drop-partials") == 1
    space = Space(size=100, free=0, inodes=100, inodes_free=50, last=1)
    full = replace(STORE, partials=(OLD, NEW), space=space)
    assert shown(full).count("--drop-partials") == 1
    assert "what was sent can be given up: runner snapshots papio --drop-partials" in shown(full)


def test_a_command_is_not_folded_however_narrow_the_terminal_is() -> None:
    command = "runner snapshots papio --drop-partials"
    seen = snapshots._store(Holding(store=SITE.store("papio"), contents=replace(STORE, partials=(OLD,))), NOW, {})
    rows = [row for part in seen if not isinstance(part, Table) for row in folded(part, 40)]
    assert any(command in "".join(text for text, _ in row) for row in rows)
    finding = Finding(severity="attention", source="x", text="t", do="drop what is interrupted:", command=command)
    rows = [row for part in finding_lines((finding,)) for row in folded(part, 40)]
    assert "".join(text for text, _ in rows[-1]).strip() == command


def test_it_is_not_offered_where_nothing_is_interrupted_or_a_copy_is_being_made() -> None:
    assert "--drop-partials" not in shown(STORE)
    holder = Holder(plan="new", who="a run", since=NOW)
    for partials in ((NEW,), (OLD, NEW)):
        text = shown(replace(STORE, partials=partials, holder=holder))
        assert f"{NEW.name} is being made" in text and "--drop-partials" not in text


@pytest.mark.parametrize(
    "written", [None, "", "soon", "2026-11-23", "2026-11-23T08:15:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_stays_as_it_was_written(written: str | None) -> None:
    assert snapshots._time(written) == written


def test_a_time_of_a_record_is_one() -> None:
    at = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
    assert [snapshots._time(each) for each in ("2026-11-23T08:15:00+00:00", "2026-11-23T03:15:00-05:00")] == [at, at]
