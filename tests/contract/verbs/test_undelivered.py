"""A report that could not be delivered is kept, tried again by whom it waits for, and given up in the end."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from hooks import mail_text
from hooks.mail import plugin
from runner.config.plugins import Hooks
from runner.engine import undelivered as files
from runner.model.errors import ReportUndelivered
from runner.model.run import Report, Undelivered
from runner.model.site import People, Site
from runner.verbs import undelivered
from tests.contract.hook_parts import NOW, SITE
from tests.contract.mail_parts import FAILED, Inbox, fake_sendmail, server
from tests.contract.site import small


class Carriers(Hooks):
    """Hooks that deliver to a list, each the number of times after which its turn in `fails` has come."""

    def __init__(self, **fails: int) -> None:
        super().__init__()
        self.fails = fails
        self.passing = False
        self.delivered: list[tuple[str, str, bool]] = []

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.fails)

    def deliver_report(self, report: Report, only: Collection[str] | None = None) -> tuple[Undelivered, ...]:
        failed = []
        for name in self.names if only is None else only:
            if self.fails[name] > 0:
                self.fails[name] -= 1
                failed.append(Undelivered(hook=name, why="451 later", passing=self.passing))
            else:
                self.delivered.append((name, report.run, report.late))
        return tuple(failed)


class Patience(threading.Event):
    """An end that nobody asks for; how long somebody waited for it."""

    waited = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited += timeout or 0.0
        return self.is_set()


@dataclass(kw_only=True)
class Desk:
    """What delivering needs of the app."""

    site: Site
    hooks: Hooks
    at: datetime = NOW
    stop: threading.Event = field(default_factory=Patience)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return replace(SITE, live=True, state=str(tmp_path / "state"), people=People(admin=("new@example.com",)))


def report(number: int) -> Report:
    at = NOW + timedelta(hours=number)
    return replace(FAILED, run=f"{at:%Y%m%dT%H%M%SZ}-7", started=at, ended=at)


def kept(site: Site) -> list[Path]:
    return sorted(Path(site.state, "undelivered").iterdir())


def test_only_who_failed_gets_it_again_before_the_next_and_then_it_is_gone(site: Site) -> None:
    hooks = Carriers(mail=1, page=0)
    desk = Desk(site=site, hooks=hooks)
    assert [each.hook for each in undelivered.deliver(desk, report(0))] == ["mail"]
    (path,) = kept(site)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)] == [0o700, 0o600]
    assert hooks.delivered == [("page", report(0).run, False)]
    assert undelivered.catch_up(desk) == ()
    assert undelivered.deliver(desk, report(1)) == ()
    assert hooks.delivered[1:] == [
        ("mail", report(0).run, True), ("mail", report(1).run, False), ("page", report(1).run, False),
    ]  # fmt: skip
    assert kept(site) == []


def test_what_is_kept_is_the_whole_report_to_the_people_of_today(site: Site) -> None:
    heard: list[Report] = []

    class Listening(Carriers):
        def deliver_report(self, report: Report, only: Collection[str] | None = None) -> tuple[Undelivered, ...]:
            heard.append(report)
            return super().deliver_report(report, only)

    desk = Desk(site=site, hooks=Listening(mail=1))
    undelivered.deliver(desk, report(0))
    undelivered.catch_up(desk)
    people = {"admin": ("new@example.com",), "experts": (), "users": ()}
    assert heard == [report(0), replace(report(0), late=True, recipients=people)]


@pytest.mark.parametrize(("passing", "live", "waited"), [(True, True, 60.0), (False, True, 0.0), (True, False, 0.0)])
def test_what_may_pass_is_tried_once_more_in_a_minute(site: Site, passing: bool, live: bool, waited: float) -> None:
    hooks, patience = Carriers(mail=1), Patience()
    hooks.passing = passing
    desk = Desk(site=replace(site, live=live), hooks=hooks, stop=patience)
    assert bool(undelivered.deliver(desk, report(0))) is (not waited)
    assert patience.waited == waited


def test_a_run_that_is_stopped_waits_for_nobody(site: Site) -> None:
    hooks = Carriers(mail=1)
    hooks.passing = True
    desk = Desk(site=site, hooks=hooks)
    desk.stop.set()
    assert len(undelivered.deliver(desk, report(0))) == 1 and len(kept(site)) == 1


def test_who_still_fails_is_asked_once_a_run_and_people_are_told(site: Site) -> None:
    hooks = Carriers(mail=4)
    desk = Desk(site=site, hooks=hooks)
    for number in range(3):
        undelivered.deliver(desk, report(number))
    (finding,) = undelivered.catch_up(desk)
    assert finding.severity == "attention" and "3 reports of earlier runs" in finding.text and "451" in finding.text
    assert hooks.fails == {"mail": 0}, "a dead server costs its patience once"
    assert undelivered.catch_up(desk) == ()
    assert [run for _, run, _ in hooks.delivered] == [report(number).run for number in range(3)], "oldest first"


def test_the_old_the_many_and_what_cannot_be_read_are_given_up_and_told(site: Site) -> None:
    desk = Desk(site=site, hooks=Carriers(mail=1000), at=NOW + timedelta(days=14, hours=1))
    for number in range(24):
        undelivered.deliver(desk, report(number))
    Path(site.state, "undelivered/20261101T000000Z-1.json").write_text("{")
    *lost, waiting = undelivered.catch_up(desk)
    assert len(lost) == 5, "one is not understood, one is too old, three are too many"
    assert "cannot be read, and is dropped: 20261101T000000Z-1.json" in lost[0].text
    assert "never delivered by mail, and is given up" in lost[1].text
    assert "20 reports" in waiting.text and len(kept(site)) == 20
    assert waiting.do.endswith("each run tries again, for 14 days, or until more than 20 wait")


def test_what_waits_for_a_hook_that_is_gone_is_given_up_and_told(site: Site) -> None:
    undelivered.deliver(Desk(site=site, hooks=Carriers(mail=1)), report(0))
    (finding,) = undelivered.catch_up(Desk(site=site, hooks=Carriers(page=0)))
    assert "was never delivered by mail, and is given up" in finding.text and kept(site) == []


def test_what_cannot_be_read_now_is_told_and_kept_and_holds_up_no_other(site: Site) -> None:
    for number in (0, 1):
        undelivered.deliver(Desk(site=site, hooks=Carriers(mail=1)), report(number))
    path, _ = kept(site)
    path.rename(path.with_suffix(""))
    path.symlink_to(path.name)
    folder = path.with_name("folder.json")
    folder.mkdir()
    hooks = Carriers(mail=0)
    (finding,) = undelivered.catch_up(Desk(site=site, hooks=hooks))
    assert finding.severity == "attention" and finding.text == (
        f"2 reports of earlier runs cannot be read now, so they are not delivered: {path.name}: "
        "Too many levels of symbolic links; folder.json: Is a directory"
    )
    assert finding.do == f"look at {path.parent} and its disk: each run tries again"
    assert hooks.delivered == [("mail", report(1).run, True)] and path.is_symlink() and folder.is_dir()
    # When its disk is back it is as it was.
    folder.rmdir()
    path.unlink()
    path.with_suffix("").rename(path)
    assert undelivered.catch_up(Desk(site=site, hooks=hooks)) == () and kept(site) == []
    assert hooks.delivered[1:] == [("mail", report(0).run, True)]


def test_a_folder_that_cannot_be_looked_into_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    undelivered.deliver(Desk(site=site, hooks=Carriers(mail=1)), report(0))

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", refuse)
    (finding,) = undelivered.catch_up(Desk(site=site, hooks=Carriers(mail=0)))
    assert "it is not known which reports could not be delivered" in finding.text


def test_what_is_given_up_and_stays_there_is_told_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    undelivered.deliver(Desk(site=site, hooks=Carriers(mail=1)), report(0))
    monkeypatch.setattr(Path, "unlink", refuse)
    (finding,) = undelivered.catch_up(Desk(site=site, hooks=Carriers(page=0)))
    assert "is given up" in finding.text


def test_two_runs_at_once_deliver_it_once(site: Site) -> None:
    desk = Desk(site=site, hooks=Carriers(mail=1))
    undelivered.deliver(desk, report(0))
    with files.at_work(Path(site.state)) as first, files.at_work(Path(site.state)) as second:
        assert len(first) == 1 and second == ()


def test_a_full_state_is_said_with_the_failure(site: Site, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    failed = undelivered.deliver(Desk(site=site, hooks=Carriers(mail=1)), report(0))
    assert [(each.hook, each.for_good) for each in failed] == [("mail", False), ("state", True)]
    assert "nor could it be kept" in failed[1].why


def test_a_late_message_says_of_when_it_is() -> None:
    late = replace(FAILED, late=True)
    assert mail_text.subject(late).startswith("[babase] failed on 2026-11-23 05:02 EST: ")
    assert "could not be delivered then" in mail_text.body(late).splitlines()[0]
    assert "could not be delivered" not in mail_text.body(FAILED)


def test_a_server_that_puts_off_may_take_it_in_a_minute_and_one_that_refuses_will_not() -> None:
    for refusal, passing in (("451 4.7.1 greylisted", True), ("550 5.1.1 no such user", False)):
        inbox = Inbox(refuses=("expert@example.org", "root@localhost"))
        inbox.refusal = refusal
        with server(inbox) as port, pytest.raises(ReportUndelivered, match=refusal[:3]) as lost:
            plugin({"from": "runner@localhost", "smtp": {"host": "127.0.0.1", "port": port}}).deliver_report(FAILED)
        assert lost.value.passing is passing


@pytest.mark.parametrize(("code", "passing"), [(75, True), (1, False)])
def test_a_sendmail_that_says_try_again_is_believed(tmp_path: Path, code: int, passing: bool) -> None:
    program = fake_sendmail(tmp_path, ending=code)
    with pytest.raises(ReportUndelivered) as lost:
        plugin({"sendmail": str(program)}).deliver_report(FAILED)
    assert lost.value.passing is passing


def test_status_says_how_many_people_have_not_got_yet(tmp_path: Path) -> None:
    place = small(tmp_path)
    place.state.mkdir(parents=True, mode=0o700)
    assert "could not be delivered" not in place.runner("status").out
    for number in range(2):
        files.keep(place.state, report(number), ("mail",))
    assert "2 reports could not be delivered yet; the next run tries again" in place.runner("status").out
    assert place.runner("status", "--json").json["undelivered"] == 2
