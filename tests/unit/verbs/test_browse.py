"""What a restore answers where there is no snapshot: which stores were looked at, and who makes one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model.errors import FactsIncomplete, UsageError
from runner.model.site import Job
from runner.verbs import restoring
from runner.verbs.browse import Holding
from tests.unit import parts

HERE, AWAY = "papio", "server"
FIRST = parts.job("first", store="papio")
SECOND = parts.job("second", store="second")
THERE = replace(parts.job("there", store="papio"), runs_on=AWAY)
THIRD = replace(parts.job("third", store="second"), runs_on="third")
CHECK = replace(parts.job("check", store="papio"), kind="check")
OTHER = parts.job("other", host=AWAY, store="server")
NONE = "no store has a snapshot of papio yet"


@pytest.mark.parametrize(
    ("here", "elsewhere", "store", "text", "do", "command"),
    [
        ((FIRST,), (), "", NONE, "make one:", "runner run first"),
        ((FIRST, SECOND), (), "", NONE, "make one:", "runner run first second"),
        ((FIRST, SECOND), (), "second", "store second has no snapshot of papio", "make one:", "runner run second"),
        (
            (FIRST, SECOND), (), "server", "store server has no snapshot of papio",
            "ask without --store: its snapshots go to papio and second", "",
        ),
        ((OTHER, CHECK), (), "", NONE, "jobs.toml has no job that makes one", ""),
        ((OTHER,), (), "papio", "store papio has no snapshot of papio", "jobs.toml has no job that makes one", ""),
        ((), (THERE,), "", NONE, "make one on server:", "runner run there"),
        ((FIRST,), (THERE,), "", NONE, "make one:", "runner run first"),
        ((), (THERE, THIRD), "", NONE, "make one on server:", "runner run there"),
        ((FIRST,), (THIRD,), "second", "store second has no snapshot of papio", "make one on third:", "runner run third"),
        ((), (THERE,), "second", "store second has no snapshot of papio", "ask without --store: its snapshots go to papio", ""),
    ],
)  # fmt: skip
def test_where_there_is_no_snapshot_yet(
    here: tuple[Job, ...], elsewhere: tuple[Job, ...], store: str, text: str, do: str, command: str
) -> None:
    site = parts.site(jobs=here, elsewhere=elsewhere)
    error = restoring._none_yet(site, (), "papio", store)
    assert isinstance(error, UsageError) and (error.text, error.do, error.command) == (text, do, command)


def test_where_a_store_could_not_be_read_nobody_knows_that_there_is_none() -> None:
    site = parts.site()
    unread = Holding(store=site.stores[0], contents=None, error="server cannot be read")
    assert isinstance(restoring._none_yet(site, (unread,), "papio", ""), FactsIncomplete)
