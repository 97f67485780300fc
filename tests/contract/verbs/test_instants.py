"""One instant, one effect: whoever repeats a scheduled run finds it done, or takes up what was cut off."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.engine import planfile
from runner.model.text import utc
from tests.contract.site import Place, Said, children, ended, running, senders, until

pytestmark = pytest.mark.long

JOB = "backup-papio"
FILES = 400
HERE = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
# For which the job is due: some hours ago, so that no test is near this time or the next.
DUE = (datetime.now(HERE) - timedelta(hours=6)).replace(minute=0, second=0, microsecond=0).astimezone(UTC)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site whose job was due some hours ago, and is not due again for more; it has never run."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(FILES):
        (tree / f"{number}").write_bytes(os.urandom(900))
    made = Place(folder=tmp_path / "site", trees=(tree,))
    declare(made)
    return made


def declare(place: Place) -> None:
    place.declare()
    file = place.folder / "jobs.toml"
    file.write_text(file.read_text().replace("15 3 * * *", f"{DUE.astimezone(HERE):%M %H} * * *"))


def option(at: datetime) -> tuple[str, str]:
    return ("--for", f"{at:%Y-%m-%dT%H:%MZ}")


def already(said: Said) -> None:
    assert said.code == 0, said.out + said.err
    assert "already done" in said.out, said.out


def cut_off(place: Place, *argv: str) -> None:
    """Kill a run with SIGKILL, and with it all it started, while rsync is at work."""
    with running(place.start(*argv)) as process:
        pids = until(lambda: senders(process.pid))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        grown = [pid for pid, _ in children(process.pid)]
        process.kill()
        process.wait()
        for pid in grown:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        until(lambda: not any(Path(f"/proc/{pid}/fd/0").exists() for pid in grown))


def test_a_scheduled_run_says_in_the_record_for_which_instant_it_was(place: Place) -> None:
    said = place.runner("run")
    assert said.code == 0, said.out + said.err
    shown = f"for {DUE.astimezone(HERE):%Y-%m-%d %H:%M %Z}"
    assert said.out.count(shown) == 2, said.out
    assert f"{JOB}, {shown}: done" in place.mails()[-1]
    (snapshot,) = place.sealed
    assert place.record(snapshot)["instant"] == DUE.isoformat()
    assert [row["instant"] for row in place.rows("SELECT instant FROM instants")] == [DUE.isoformat()]
    assert f"for {DUE.astimezone(HERE):%a %d %b %H:%M}: " in place.runner("status", COLUMNS="120").out
    assert place.runner("status", "--json").json["jobs"][JOB]["instant"] == utc(DUE)
    assert place.runner("history", "--json").json[0]["instants"] == {JOB: utc(DUE)}


def test_what_is_sealed_for_an_instant_is_already_done(place: Place) -> None:
    assert place.runner("run").code == 0
    mails = len(place.mails())
    already(place.runner("run", JOB, *option(DUE)))
    assert len(place.sealed) == 1 and place.partials == []
    assert len(place.mails()) == mails + 1 and "] nothing done: " in place.mails()[-1]
    assert "There was nothing to do." in place.mails()[-1]
    plan = place.runner("plan", JOB, *option(DUE), "--json").json
    (skip,) = plan["skips"]
    assert datetime.fromisoformat(skip["done"]) > DUE and "steps" not in plan


def test_a_run_by_hand_is_for_no_instant_and_always_makes_a_new_one(place: Place) -> None:
    for count in (1, 2):
        assert place.runner("run", JOB).code == 0
        assert len(place.sealed) == count
    assert [place.record(snapshot)["instant"] for snapshot in place.sealed] == [None, None]
    assert place.rows("SELECT * FROM instants") == []
    # They are not what was due either.
    assert place.runner("run", JOB, *option(DUE)).code == 0
    assert len(place.sealed) == 3


def test_a_lost_journal_and_a_second_controller_make_no_second_snapshot(place: Place) -> None:
    assert place.runner("run").code == 0
    shutil.rmtree(place.state)
    already(place.runner("run"))
    other = Place(folder=place.folder.with_name("other"), trees=place.trees)
    declare(other)
    (other.sandbox / "backup-server1/srv").mkdir(parents=True)
    shutil.copytree(place.store.parent, other.store.parent, symlinks=True)
    already(other.runner("run"))
    assert len(other.sealed) == len(place.sealed) == 1


def test_a_run_that_was_killed_is_told_apart_and_the_next_takes_it_up(place: Place) -> None:
    cut_off(place, "run")
    assert len(place.partials) == 1 and place.sealed == []
    assert place.runner("status", "--json").json["jobs"][JOB]["killed"]
    assert re.search(rf"{JOB} +killed +", place.runner("status").out)
    said = place.runner("run")
    assert said.code == 0, said.out + said.err
    assert [run["killed"] for run in place.runner("history", "--json").json] == [False, True]
    assert not place.runner("status", "--json").json["jobs"][JOB]["killed"]
    assert "for the same time, and did not end; this plan takes it up" in said.out
    (snapshot,) = place.sealed
    record = place.record(snapshot)
    assert record["instant"] == DUE.isoformat() and len(record["resumed"]) == 1
    already(place.runner("run", JOB, *option(DUE)))
    assert len(place.sealed) == 1


def test_each_pass_of_a_run_is_for_the_same_instant(place: Place) -> None:
    with running(place.start("run")) as process:
        for pid in until(lambda: senders(process.pid))[:1]:
            os.kill(pid, signal.SIGKILL)
        said = ended(process)
    assert said.code == 0, said.out + said.err
    (snapshot,) = place.sealed
    assert place.record(snapshot)["instant"] == DUE.isoformat()
    assert len(place.rows("SELECT * FROM instants WHERE job = ? AND instant = ?", JOB, DUE.isoformat())) == 2


def test_cron_and_reboot_at_the_same_moment_make_one_snapshot(place: Place) -> None:
    for tries in range(1, 4):
        with running(place.start("run")) as first, running(place.start("run")) as second:
            codes = sorted((ended(first).code, ended(second).code))
        assert codes in ([0, 0], [0, 75]), codes
        assert len(place.sealed) == 1 and place.partials == [], tries
        shutil.rmtree(place.store)
        shutil.rmtree(place.state)


def test_a_run_that_planned_before_another_sealed_finds_it_done(place: Place) -> None:
    """The plan is as it would be when cron's run has come to its end just before this one took the lock."""
    assert place.runner("plan", JOB, *option(DUE), "--out", "plan.toml").code == 0
    plan = planfile.read(place.folder / "plan.toml", place.key)
    assert place.runner("run").code == 0
    already(place.runner("apply", "plan.toml"))
    # As two at the same moment: without its basis nothing is read again, and only the disk tells.
    planfile.write(planfile.plan({**planfile.data(plan), "basis": []}), place.folder / "plan.toml", place.key)
    already(place.runner("apply", "plan.toml"))
    assert len(place.sealed) == 1 and place.partials == []
    steps = place.rows("SELECT role, state FROM steps WHERE plan = ? AND job = ?", plan.id, JOB)
    states = {row["role"]: row["state"] for row in steps}
    assert states.pop("begin") == "already done" and set(states.values()) == {"not reached"}


def test_a_plan_applied_again_after_a_good_end_is_already_done(place: Place) -> None:
    assert place.runner("plan", "--out", "plan.toml").code == 0
    assert place.runner("apply", "plan.toml").code == 0
    said = place.runner("apply", "plan.toml")
    already(said)
    assert "and ended: done" in said.out
    # With another key it is another site's; without the journal alone the record at the store tells it.
    for path in place.state.glob("journal*"):
        path.unlink()
    already(place.runner("apply", "plan.toml"))
    assert len(place.sealed) == 1


def test_a_plan_applied_again_after_it_was_killed_says_so_and_how_to_go_on(place: Place) -> None:
    assert place.runner("plan", "--out", "plan.toml").code == 0
    cut_off(place, "apply", "plan.toml")
    for _ in range(2):
        said = place.runner("apply", "plan.toml")
        assert said.code == 3, said.out + said.err
        assert "was cut off before it ended" in said.out
        command = f"runner plan {JOB} --for {DUE:%Y-%m-%dT%H:%MZ} --out plan.toml"
        assert command in said.out, said.out
    assert place.runner(*command.split()[1:]).code == 0
    assert place.runner("apply", "plan.toml").code == 0
    assert len(place.sealed) == 1 and place.partials == []


def test_two_that_apply_the_same_plan_at_once_run_it_once(place: Place) -> None:
    assert place.runner("plan", "--out", "plan.toml").code == 0
    with running(place.start("apply", "plan.toml")) as first, running(place.start("apply", "plan.toml")) as second:
        codes = sorted((ended(first).code, ended(second).code))
    assert codes in ([0, 75], [0, 0]), codes
    assert len(place.sealed) == 1


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("tomorrow", "say the day and the time"),
        (f"{DUE + 2 * DAY:%Y-%m-%dT%H:%MZ}", "is to come"),
        (f"{DUE - timedelta(minutes=1):%Y-%m-%dT%H:%MZ}", f"--for {DUE:%Y-%m-%dT%H:%MZ}"),
        (f"{DUE - DAY:%Y-%m-%dT%H:%MZ}", "is missed"),
    ],
)
def test_an_instant_that_cannot_be_is_refused(place: Place, when: str, words: str) -> None:
    said = place.runner("run", JOB, "--for", when)
    assert said.code == 2 and words in said.out + said.err, said.out + said.err
    assert not place.store.exists()


def test_an_old_instant_that_was_done_is_done_and_no_other_can_be(place: Place) -> None:
    assert place.runner("run").code == 0
    (snapshot,) = place.sealed
    path = place.record_path(snapshot)
    path.write_text(json.dumps({**place.record(snapshot), "instant": (DUE - DAY).isoformat()}))
    already(place.runner("run", JOB, *option(DUE - DAY)))
    said = place.runner("run", JOB, *option(DUE - 2 * DAY))
    assert said.code == 2 and "is missed" in said.out, said.out


def test_a_record_of_the_version_before_is_for_no_instant(place: Place) -> None:
    assert place.runner("run").code == 0
    (snapshot,) = place.sealed
    record = place.record(snapshot)
    del record["instant"]
    place.record_path(snapshot).write_text(json.dumps(record))
    assert place.runner("snapshots").code == 0
    assert place.runner("run", JOB, *option(DUE)).code == 0
    assert len(place.sealed) == 2
