"""The users hear when they are interrupted, when it is over, late, or not to be; and papio's own reboot."""

from __future__ import annotations

import email
import email.policy
import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hooks import announce
from runner.engine.journal import Journal
from runner.model.errors import ReportUndelivered
from runner.model.facts import Announced
from runner.model.notice import Notice
from tests.contract.site import Place, ended, running, until

pytestmark = pytest.mark.long

AT = datetime(2026, 11, 28, 22, 0, tzinfo=UTC)
NOTICE = Notice(
    what="coming", site="babase", job="reboot-papio", host="papio", at=AT, reason="software updates",
    timezone="America/New_York", downtime=(300.0, 600.0), recipients=("users@site.test",),
)  # fmt: skip
# A kind that takes the machine away from people for a moment, as a reboot does: `argv` is its only deed.
BOUNCE = """
from dataclasses import dataclass
from runner.hookspecs import hookimpl
from runner.model.kind import Draft
from runner.model.plan import Check, Command, Effect, PlannedJob, Step, WaitFor
from runner.model.role import Role

@dataclass(frozen=True, kw_only=True)
class Options:
    argv: tuple[str, ...] = ("true",)
    look: tuple[str, ...] = ("true",)
    announce: str = ""

class Bounce:
    name = "bounce"
    options = Options
    words = {"type": "array", "items": {"type": "string"}}
    schema = {"type": "object", "properties": {"argv": words, "look": words, "announce": {"type": "string"}}}
    def probes(self, site, job):
        return ()
    def draft(self, site, job, facts, now):
        roles = {"reboot": Role.DOWN, "back": Role.BACK, "page": Role.PAGE}
        def step(name, action, effect, *needs):
            return Step(id=f"{job.name}/{name}", job=job.name, host=job.host, action=action, effect=effect,
                        why=name, needs=needs, role=roles.get(name, Role.STEP))
        up = Check(host=job.host, argv=("echo", '{"up": true}'), field="up", relation="==", value=True, why="up")
        steps = (
            step("idle", Command(argv=("true",)), Effect.READ),
            step("reboot", Command(argv=job.options.argv), Effect.INTERRUPT, *(("power",) if site.live else ())),
            step("back", WaitFor(until=up, within=20), Effect.READ),
            step("page", Command(argv=job.options.look), Effect.READ),
        )
        return Draft(planned=PlannedJob(name=job.name, kind=self.name), steps=steps)

class Plugin:
    @hookimpl
    def declare_kinds(self):
        return (Bounce(),)

def plugin(settings):
    return Plugin()
"""
JOB = """
[jobs.bounce]
kind = "bounce"
host = "papio"
announce = "1h"
{argv}
[jobs.quick]
kind = "bounce"
host = "papio"
argv = ["true"]
[hooks.announce]
what = "the database"
[hooks."mysite.bounce"]
"""


def test_what_is_said_of_one_interruption_is_one_thread_and_every_message_another(tmp_path: Path) -> None:
    hook = announce.Announce()
    for what in ("coming", "cancelled", "coming"):
        hook.deliver_notice(replace(NOTICE, what=what, sandbox=str(tmp_path)))
    other = replace(NOTICE, at=AT + timedelta(days=1), sandbox=str(tmp_path))
    hook.deliver_notice(other)
    mails = [email.message_from_bytes(path.read_bytes()) for path in (tmp_path / "mail").iterdir()]
    threads = sorted(Counter(mail["References"] for mail in mails).values())
    assert (len(mails), len({mail["Message-ID"] for mail in mails}), threads) == (4, 4, [1, 3])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "tree").mkdir()
    (tmp_path / "site/mysite").mkdir(parents=True)
    (tmp_path / "site/mysite/bounce.py").write_text(BOUNCE)
    made = Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))
    declare(made)
    return made


def declare(place: Place, argv: str = "") -> None:
    place.declare(JOB.format(argv=argv), site="")
    text = (place.folder / "jobs.toml").read_text()
    (place.folder / "jobs.toml").write_text(text.replace("[people]", '[people]\nusers = ["users@site.test"]'))


def notices(place: Place) -> list[tuple[str, str]]:
    """Subject and text of what the users got, in the order it was written."""
    found = sorted((place.sandbox / "mail").glob("bounce-*.eml"), key=lambda path: path.stat().st_mtime_ns)
    read = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in found]
    assert all(one["To"] == "users@site.test" for one in read)
    return [(one["Subject"], one.get_content()) for one in read]


def live(place: Place, argv: str) -> Path:
    """Make it a site that is no sandbox, whose mail a script takes; the file that the mails go to."""
    declare(place, argv)
    sent, sendmail = place.folder / "sent", place.folder / "sendmail"
    sendmail.write_text(f'#!/bin/sh\nexec cat >>"{sent}"\n')
    sendmail.chmod(0o755)
    text = (place.folder / "jobs.toml").read_text().replace("live = false", "live = true")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("papio = ["))
    text = text.replace("[sandbox]", "").replace("[hooks.mail]", '[hooks.fsck]\n[hooks.mail]\nsendmail = "/bin/true"')
    text = text.replace("[hooks.announce]", f'[hooks.announce]\nsendmail = "{sendmail}"')
    (place.folder / "jobs.toml").write_text(text)
    return sent


def subjects(sent: Path) -> list[str]:
    lines = sent.read_text().splitlines() if sent.exists() else []
    return [line.removeprefix("Subject: [babase] ") for line in lines if line.startswith("Subject: ")]


def soon(**span: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**span):%Y-%m-%d %H:%M:%S}+00:00"


def test_the_announcement_says_when_with_the_zone_how_long_and_why() -> None:
    assert announce.subject(NOTICE) == (
        "[babase] papio will be down from Saturday 28 November 2026, 17:00 EST, for about 5 to 10 minutes"
    )
    text = announce.body(NOTICE, "the database and the wiki")
    for told in ("Saturday 28 November 2026, 17:00 EST", "22:00 UTC", "about 5 to 10 minutes", "software updates",
                 "the database and the wiki"):  # fmt: skip
        assert told in text
    assert max(map(len, text.splitlines())) <= 78


def test_hostile_words_cannot_add_a_header_or_a_line_that_passes_for_ours() -> None:
    evil = "x\nBcc: all@example.com\n\x1b[31m"
    notice = Notice(what="coming", site=evil, job="j", host=evil, at=AT, reason=evil, recipients=("a@b.example",))
    assert "\n" not in announce.subject(notice) and "\x1b" not in announce.subject(notice)
    assert "\nBcc:" not in announce.body(notice, evil) and "\x1b" not in announce.body(notice, evil)


def test_nobody_to_tell_is_told() -> None:
    hook = announce.plugin({"sendmail": "/bin/true"})
    with pytest.raises(ReportUndelivered, match="nobody"):
        hook.deliver_notice(Notice(what="coming", site="s", job="j", host="h", at=AT))


def test_announced_carried_out_and_all_clear(place: Place) -> None:
    ran = place.runner("announce", "bounce", "--at", soon(hours=1), "--reason", "new kernel")
    assert ran.code == 0, ran.err
    assert "announced: bounce on" in ran.out and "users@site.test" in ran.out
    assert ", announced" in place.runner("status").out
    assert place.runner("run", "bounce", "--yes").code == 0
    (coming, over) = notices(place)
    assert "papio will be down from" in coming[0] and "new kernel" in coming[1] and "the database" in coming[1]
    assert over[0] == "[babase] papio is back"
    assert place.runner("run", "bounce", "--yes").code == 0
    assert len(notices(place)) == 2


def test_a_host_that_is_not_back_is_late_and_the_users_hear_it(place: Place) -> None:
    declare(place, 'argv = ["false"]')
    place.runner("announce", "bounce", "--at", soon(hours=1))
    assert place.runner("run", "bounce", "--yes").code == 1
    # The interruption itself failed: nobody was interrupted, and it may be tried again.
    assert [subject for subject, _ in notices(place)][1:] == []


def test_what_is_cancelled_is_told_and_no_longer_stands(place: Place) -> None:
    place.runner("announce", "bounce", "--at", soon(hours=1))
    ran = place.runner("announce", "bounce", "--cancel")
    assert ran.code == 0 and "cancelled: bounce" in ran.out
    assert [subject for subject, _ in notices(place)][1].startswith("[babase] papio stays up")
    again = place.runner("announce", "bounce", "--cancel")
    assert again.code == 2 and "nothing is announced" in again.err


def test_one_that_never_came_is_cancelled_by_the_next_run_which_says_so(place: Place) -> None:
    place.runner("announce", "bounce", "--at", soon(hours=1))
    journal = Journal(place.state / "journal.sqlite")
    past = datetime.now(UTC) - timedelta(hours=3)
    journal.announcements.add("bounce", Announced(at=past, notified=past - timedelta(days=1)))
    journal.close()
    ran = place.runner("run", "backup-papio")
    assert ran.code == 3 and "did not run" in ran.out
    assert notices(place)[-1][0].startswith("[babase] papio stays up")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("bounce", "--at", "yesterday"), "not a clear time"),
        (("bounce", "--at", "next week"), "not a clear time"),
        (("bounce", "--at", "2020-01-01 17:00"), "it has passed"),
        # A day is no time, and was taken for its last moment.
        (("bounce", "--at", "2099-01-01"), "say the day and the time"),
        (("bounce", "--at", "today"), "say the day and the time"),
        (("bounce", "--at", "2099-03-08 02:30"), "put forward then"),
        (
            ("bounce", "--at", "2099-11-01 01:30"),
            "comes twice: say '2099-11-01 01:30-04:00' or '2099-11-01 01:30-05:00'",
        ),
        (("backup-papio", "--at", "2099-01-01 17:00"), "interrupts nobody"),
        (("nothing", "--at", "2099-01-01 17:00"), "there is no job"),
    ],
)
def test_what_cannot_be_announced_is_refused_in_words(place: Place, argv: tuple[str, ...], told: str) -> None:
    ran = place.runner("announce", *argv)
    assert ran.code == 2 and told in ran.err
    assert notices(place) == []


def rebooted(place: Place) -> None:
    """Have the runs that did not end be those of a boot before."""
    with sqlite3.connect(place.folder / "state/journal.sqlite") as journal:
        journal.execute("UPDATE runs SET ended = NULL, verdict = NULL, boot = 'another-boot 1' WHERE ended = started")
        journal.execute("UPDATE runs SET boot = 'another-boot 1' WHERE ended IS NULL")
    journal.close()


def test_what_is_left_of_a_reboot_is_done_before_a_plan_is_applied(place: Place) -> None:
    live(place, 'argv = ["sh", "-c", "kill -TERM $PPID"]')
    assert place.runner("run", "bounce", "--yes").code == 0
    place.runner("plan", "quick", "--out", "plan.toml")
    rebooted(place)
    ran = place.runner("apply", "plan.toml")
    assert ran.code == 0 and "bounce/back: done" in ran.out and "quick/back: done" in ran.out, ran.out + ran.err


def test_papio_reboots_itself_and_the_next_run_goes_on_where_the_boot_left_off(place: Place) -> None:
    # The deed ends the runner as a reboot does: TERM to it, while it waits for its machine to come back.
    live(place, f'argv = ["sh", "-c", "touch {place.folder}/down; kill -TERM $PPID"]')
    ran = place.runner("run", "bounce", "--yes")
    assert ran.code == 0 and "goes down, as planned" in ran.err, ran.out + ran.err
    (place.folder / "down").unlink()
    rebooted(place)
    back = place.runner("run", "bounce")
    assert "bounce/back: done" in back.out and "bounce  done" in back.out
    assert "killed" not in back.out
    assert not (place.folder / "down").exists(), "it was rebooted twice"
    assert "bounce/back" not in place.runner("run", "bounce").out


def test_without_a_hook_that_carries_it_nothing_counts_as_announced(place: Place) -> None:
    path = place.folder / "jobs.toml"
    path.write_text(path.read_text().replace('[hooks.announce]\nwhat = "the database"', ""))
    ran = place.runner("announce", "bounce", "--at", soon(hours=1))
    assert ran.code == 2 and "nobody would hear of it" in ran.err
    assert ", announced" not in place.runner("status").out


def test_what_was_not_delivered_does_not_count_as_announced(place: Place) -> None:
    path = place.folder / "jobs.toml"
    path.write_text(path.read_text().replace('users = ["users@site.test"]', "users = []"))
    ran = place.runner("announce", "bounce", "--at", soon(hours=1))
    assert ran.code == 6 and "there is nobody to tell" in ran.err
    assert ", announced" not in place.runner("status").out


def test_another_time_takes_the_place_of_the_first_and_says_so(place: Place) -> None:
    place.runner("announce", "bounce", "--at", soon(hours=1))
    first = announce._time(datetime.now(UTC) + timedelta(hours=1), NOTICE)
    assert place.runner("announce", "bounce", "--at", soon(hours=5)).code == 0
    (_, moved) = notices(place)
    assert first[:-10] in " ".join(moved[1].split()) and "This replaces what was announced for" in moved[1]


def test_a_host_that_is_switched_off_is_not_announced_as_back_in_ten_minutes(place: Place) -> None:
    path = place.folder / "jobs.toml"
    path.write_text(path.read_text() + '\n[jobs.bounce-off]\nkind = "halt"\nhost = "papio"\nstart = "the button"\n')
    ran = place.runner("announce", "bounce-off", "--at", soon(hours=1))
    assert ran.code == 0 and ", for an unknown time; sent to" in ran.out, ran.err
    ((subject, text),) = notices(place)
    assert subject.endswith("for an unknown time") and "minutes" not in text


def test_what_cannot_be_taken_back_or_moved_still_stands(place: Place) -> None:
    assert place.runner("announce", "bounce", "--at", soon(hours=1)).code == 0
    path = place.folder / "jobs.toml"
    whole = path.read_text()
    path.write_text(whole.replace('users = ["users@site.test"]', "users = []"))
    assert place.runner("announce", "bounce", "--at", soon(hours=5)).code == 6
    assert place.runner("announce", "bounce", "--cancel").code == 6
    assert ", announced" in place.runner("status").out
    path.write_text(whole)
    assert place.runner("announce", "bounce", "--cancel").code == 0


def test_a_host_that_is_back_without_what_people_need_is_not_told_as_back(place: Place) -> None:
    sent = live(place, 'look = ["false"]')
    assert place.runner("announce", "bounce", "--at", soon(hours=1)).code == 0
    ran = place.runner("run", "bounce", "--yes")
    assert ran.code == 1 and "runner announce bounce --over" in ran.out
    assert [one.partition(" from ")[0] for one in subjects(sent)] == ["papio will be down", "papio cannot be used yet"]
    assert "runner announce bounce --over" not in place.runner("run", "quick", "--yes").out, "it was told once"
    assert place.runner("announce", "bounce", "--over").code == 0
    assert subjects(sent)[2] == "papio is back"
    again = place.runner("announce", "bounce", "--over")
    assert again.code == 2 and "are not waiting for the end of bounce" in again.err


def test_users_who_were_left_waiting_hear_of_the_next_time_that_ends_well(place: Place) -> None:
    sent = live(place, f'look = ["test", "-e", "{place.folder}/mended"]')
    place.runner("announce", "bounce", "--at", soon(hours=1))
    assert place.runner("run", "bounce", "--yes").code == 1
    (place.folder / "mended").touch()
    assert place.runner("run", "bounce", "--yes").code == 0
    assert subjects(sent)[1:] == ["papio cannot be used yet", "papio is back"]


def overdue(place: Place) -> None:
    """Have it announced for three hours ago."""
    journal = Journal(place.folder / "state/journal.sqlite")
    past = datetime.now(UTC) - timedelta(hours=3)
    journal.announcements.add("bounce", Announced(at=past, notified=past - timedelta(days=1)))
    journal.close()


def test_while_another_run_waits_for_the_host_nobody_says_that_it_stays_up(place: Place) -> None:
    deed = f"touch {place.folder}/down; until [ -e {place.folder}/up ]; do sleep 0.1; done"
    sent = live(place, f'argv = ["sh", "-c", "{deed}"]')
    overdue(place)
    with running(place.start("run", "bounce", "--yes")) as waiting:
        until((place.folder / "down").exists)
        ran = place.runner("run", "quick", "--yes")
        assert subjects(sent) == [] and "announcements" not in ran.out
        (place.folder / "up").touch()
        assert ended(waiting).code == 0
    assert subjects(sent) == ["papio is back"]


def test_an_interruption_whose_run_was_killed_is_not_told_as_one_that_did_not_come(place: Place) -> None:
    sent = live(place, f'argv = ["sh", "-c", "touch {place.folder}/down; exec sleep 60"]')
    overdue(place)
    with running(place.start("run", "bounce", "--yes")):
        until((place.folder / "down").exists)
    ran = place.runner("run", "quick", "--yes")
    assert ran.code == 3 and "nobody saw whether papio returned" in ran.out
    assert "runner announce bounce --over" in ran.out and subjects(sent) == []
    assert place.runner("announce", "bounce", "--over").code == 0
    assert subjects(sent) == ["papio is back"]
