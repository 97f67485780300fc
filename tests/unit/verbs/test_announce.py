"""What the users are told of an interruption that was carried out: only what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from runner.model.errors import UsageError
from runner.model.facts import Announced
from runner.model.notice import Notice
from runner.model.options import RebootOptions
from runner.model.plan import Effect, PlannedJob
from runner.model.run import Outcome, Pass, State
from runner.model.site import Job
from runner.verbs import announce
from tests.unit import parts
from tests.unit.parts import NOW, plan, step

NAMES = ("idle", "reboot", "back", "settled", "kernel", "disk-usb", "page")


def a_pass(prefix: str = "", exit_code: int | None = 0, **states: State) -> Pass:
    """A pass in which each step was done, except those that are named."""
    steps = tuple(
        step(f"up/{prefix}{name}", effect=Effect.INTERRUPT, needs=("power",))
        if name == "reboot"
        else step(f"up/{prefix}{name}")
        for name in NAMES
    )
    outcomes = tuple(
        Outcome(
            step=one.id, **parts.role(one.id), job="up", state=states.get(one.id.rpartition("/")[2].replace("-", "_"), State.DONE),
            exit=exit_code, started=NOW, ended=NOW,
        )
        for one in steps
    )  # fmt: skip
    return Pass(plan=plan(*steps, jobs=(PlannedJob(name="up", kind="reboot"),)), outcomes=outcomes)


def came(*done: Pass) -> str:
    return announce._end_of([one for item in done for one in item.outcomes], done)[0]


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ({}, "over"),
        # Users are not concerned with which kernel it is.
        ({"kernel": State.FAILED}, "over"),
        ({"page": State.FAILED}, "late"), ({"disk_usb": State.FAILED}, "late"), ({"back": State.FAILED}, "late"),
        ({"settled": State.FAILED, "page": State.INTERRUPTED}, "late"),
        ({"back": State.INTERRUPTED}, "unseen"), ({"page": State.INTERRUPTED}, "unseen"),
        ({"back": State.NOT_REACHED}, "unseen"),
        ({"reboot": State.STALE}, ""), ({"reboot": State.FAILED}, ""), ({"reboot": State.INTERRUPTED}, "unseen"),
    ],
)  # fmt: skip
def test_back_is_said_only_when_all_that_people_need_was_seen(states: dict[str, State], told: str) -> None:
    assert came(a_pass(**states)) == told


def test_who_was_stopped_before_the_order_has_interrupted_nobody() -> None:
    assert came(a_pass(reboot=State.INTERRUPTED, exit_code=None)) == ""


def test_a_reboot_in_an_earlier_pass_counts_and_looks_of_one_that_did_not_come_do_not() -> None:
    first = a_pass("before/")
    rest = dict.fromkeys(("idle", "reboot", "back", "settled", "kernel", "disk_usb", "page"), State.NOT_REACHED)
    assert came(first, a_pass(**rest)) == "over"
    assert came(first, replace(first, outcomes=())) == "over"
    assert came(first, a_pass(page=State.FAILED)) == "late"


@dataclass
class Desk:
    """What announce() wants of the app: a site with one reboot, a clock, and who was told."""

    options: RebootOptions
    at: datetime = NOW
    sent: list[Notice] = field(default_factory=list)
    known: dict[str, Announced] = field(default_factory=dict)
    tells_users = True

    @property
    def site(self) -> Any:
        return replace(parts.site(), jobs=(Job(name="up", kind="reboot", host="server", options=self.options),))

    @property
    def hooks(self) -> Any:
        return self

    @property
    def journal(self) -> Any:
        known = SimpleNamespace(coming=lambda: dict(self.known), add=self.known.__setitem__)
        return SimpleNamespace(announcements=known, took=dict)

    def now(self) -> datetime:
        return self.at

    def gather(self, hosts: Sequence[str], probes: Sequence[Any] = ()) -> Any:
        return parts.facts()

    def deliver_notice(self, notice: Notice) -> tuple[()]:
        self.sent.append(notice)
        return ()

    def announce(self, moment: datetime, reason: str = "") -> announce.Announcement:
        return announce.announce(self, "up", moment.isoformat(), reason)


DAY = RebootOptions(announce=timedelta(hours=24))


@pytest.mark.parametrize(
    ("options", "ahead", "told"),
    [
        (DAY, timedelta(minutes=57), "57 min ahead is too soon: up wants its users told 1 day ahead"),
        (DAY, timedelta(hours=24, minutes=-1), "is too soon"),
        (RebootOptions(window=("02:00-03:00",)), timedelta(hours=1), "may be interrupted 02:00-03:00 only"),
        (replace(DAY, window=("02:00-03:00",)), timedelta(hours=1), "may be interrupted 02:00-03:00 only"),
    ],
)
def test_what_the_job_would_refuse_is_not_announced_and_the_time_that_it_names_will_do(
    options: RebootOptions, ahead: timedelta, told: str
) -> None:
    desk = Desk(options)
    with pytest.raises(UsageError, match=told) as refused:
        desk.announce(NOW + ahead)
    assert (desk.sent, desk.known) == ([], {})
    first = refused.value.do.rpartition("--at ")[2].strip("'")
    # Typed some minutes later, it still will.
    desk.at += timedelta(minutes=4)
    announce.announce(desk, "up", first, "")
    assert [notice.at for notice in desk.sent] == [desk.known["up"].at]
    assert desk.known["up"].at - desk.known["up"].notified >= (options.announce or timedelta(0))


def test_what_the_users_know_they_are_not_told_again() -> None:
    desk, moment = Desk(DAY), NOW + timedelta(hours=30)
    assert desk.announce(moment, "updates").since is None
    # So late it could not be announced anew; it stands, since they were told in time.
    desk.at += timedelta(hours=20)
    assert desk.announce(moment, "updates").since == NOW
    assert len(desk.sent) == 1
    assert desk.announce(moment, "a new disk").since is None
    assert [notice.reason for notice in desk.sent] == ["updates", "a new disk"]
    assert desk.known["up"] == Announced(at=moment, notified=NOW, reason="a new disk")
    with pytest.raises(UsageError, match="is too soon"):
        desk.announce(moment + timedelta(hours=1))
