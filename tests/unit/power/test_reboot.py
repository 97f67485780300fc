"""Kind `reboot`: what is planned, and what forbids it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.power import boot_checks as boot_checks_of
from runner.jobs.power.reboot import RebootKind
from runner.jobs.power.rebooting import RebootOptions
from runner.model.facts import Announced, Facts
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, Plan, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Hook, Job, Store
from runner.planning import planner, review
from tests.unit import parts
from tests.unit.parts import NOW, PAPIO, SERVER
from tests.unit.power_parts import SUPERBLOCK, boot_checks, facts, host_readings, site

PROGRAM = "/usr/local/sbin/runner-agent"
DUE = SUPERBLOCK.replace("Sep  1 03:45:39 2026", "Mar  1 03:45:39 2026")


def job(host: str = SERVER, schedule: str = "", **options: Any) -> Job:
    return Job(name="reboot-server", kind="reboot", host=host, options=RebootOptions(**options), schedule=schedule)


def draft(own: Job, known: Facts, **changes: Any) -> Draft:
    return RebootKind().draft(site(own, **changes), own, known, known.at)


def refusal(own: Job, known: Facts, **changes: Any) -> str:
    drawn = draft(own, known, **changes)
    assert drawn.planned is None
    assert drawn.skip is not None
    (wrong, *_) = [finding for finding in drawn.findings if finding.severity == "refusal"]
    assert drawn.skip.reason == wrong.text
    return f"{wrong.text} -> {wrong.do}"


def steps(drawn: Draft) -> dict[str, Step]:
    return {step.id.partition("/")[2]: step for step in drawn.steps}


def argv(step: Step) -> tuple[str, ...]:
    return step.action.argv if isinstance(step.action, Command) else step.action.until.argv  # type: ignore[union-attr]


def notes(drawn: Draft) -> str:
    return "\n".join(f"{finding.severity}: {finding.text}" for finding in drawn.findings)


def test_a_reboot_is_a_look_the_reboot_a_wait_and_one_look_for_each_thing_that_was_there() -> None:
    own = job(must_run=("ssh.service",), database=True, page="https://papio.example.edu/")
    drawn = draft(own, facts())
    planned = steps(drawn)
    assert list(planned) == [
        "idle", "reboot", "back", "settled", "kernel", "disk-disk", "mounted-2", "runs-ssh.service", "units",
        "database", "page",
    ]  # fmt: skip
    assert argv(planned["idle"]) == (PROGRAM, "idle", "--boot=boot")
    assert argv(planned["reboot"]) == ("systemctl", "reboot", "--check-inhibitors=yes")
    assert argv(planned["back"]) == (PROGRAM, "returned", "back", "--was=boot")
    assert argv(planned["kernel"])[-1] == "--is=6.1.0-56-amd64"
    assert argv(planned["disk-disk"]) == (PROGRAM, "returned", "mounted", "--at=/srv/backups/papio", "--writable")
    assert argv(planned["mounted-2"])[3] == "--at=/"
    assert argv(planned["units"])[-1] == "--known=old.service"
    assert argv(planned["page"]) == (PROGRAM, "page", "https://papio.example.edu/")
    assert planned["page"].host == PAPIO
    assert {step.needs for step in drawn.steps} == {("power",)}


def test_only_the_reboot_interrupts_and_nothing_runs_it_twice() -> None:
    planned = steps(draft(job(), facts()))
    assert [name for name, step in planned.items() if step.effect > Effect.READ] == ["reboot"]
    guard = planned["reboot"].guard
    assert guard is not None
    assert (guard.argv, guard.field, guard.value) == (argv(planned["idle"]), "idle", True)
    assert planned["reboot"].ok_codes == (0, 255)


def test_every_look_is_taken_whatever_the_others_found_but_none_at_a_host_that_is_not_back() -> None:
    planned = steps(draft(job(must_run=("a.service", "b.service")), facts()))
    names = list(planned)
    looks = names[names.index("settled") + 1 :]
    for number, name in enumerate(looks):
        before = ["settled", *looks[:number]]
        assert planned[name].despite == tuple(f"reboot-server/{each}" for each in before)
    assert planned["settled"].despite == planned["back"].despite == ()


def test_a_reboot_holds_the_host_and_every_store_that_it_has_to_do_with_until_it_begins() -> None:
    drawn = draft(job(), facts())
    assert drawn.planned is not None
    held = {lock.resource: lock for lock in drawn.planned.locks}
    assert list(held) == [
        "packages of server", "power of server", "dumps of server", "drill on server",
        "restores of databases on server", "store papio", "store server",
    ]  # fmt: skip
    assert held["store papio"].host == SERVER
    assert held["store server"].host == PAPIO
    assert held["power of server"].argv[:3] == (PROGRAM, "hold-host", "power")
    assert held["store papio"].argv[1:3] == ("hold", "/srv/backups/papio")
    assert {lock.until for lock in held.values()} == {"reboot-server/reboot"}


def test_the_plan_holds_together_and_needs_a_person() -> None:
    own = job()
    here = site(own)
    plan: Plan = planner.draft(here, (own,), facts(), {"reboot": RebootKind()}, {})
    assert plan.effect == Effect.INTERRUPT
    assert plan.refusals == ()
    assert [finding for finding in review.check(plan) if finding.severity == "refusal"] == []


def test_the_hosts_that_keep_its_snapshots_are_asked_too() -> None:
    own = job(database=True)
    probes = RebootKind().probes(site(own), own)
    assert {probe.host for probe in probes} == {SERVER, PAPIO}
    assert {probe.id for probe in probes if probe.host == SERVER} == {
        "power.up", "power.outdated", "power.idle", "power.systemd", "power.fstab", "power.half", "power.sessions",
        "fsck",
    }  # fmt: skip
    assert all(probe.needs for probe in probes)


def test_nothing_is_rebooted_in_the_sandbox() -> None:
    drawn = draft(job(), facts(), live=False)
    assert drawn.skip is not None
    assert drawn.skip.reason == "the sandbox cannot be rebooted"


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        ({"idle": {"idle": False, "error": "rsync (process 7 of user 0) is at work"}}, "server is at work: rsync"),
        ({"half": "The following packages are only half configured"}, "packages of server are only half installed"),
        ({"outdated": {"initrd": False}}, "has no initrd: it might not come back"),
        ({"outdated": {"entry": False}}, "is not in the boot loader's menu"),
        ({"up": None}, "the state of server cannot be read: no answer within 60 s"),
        ({"idle": None}, "the state of server cannot be read"),
        ({"up": {"boot_id": ""}}, "the state of server cannot be read"),
        ({"half": None}, "whether packages of server are only half installed cannot be read: no answer"),
        ({"outdated": None}, "what server would boot cannot be read: no answer within 60 s"),
    ],
)  # fmt: skip
def test_a_host_that_is_at_work_or_would_not_come_back_is_left_alone(readings: Any, words: str) -> None:
    assert words in refusal(job(), facts(host_readings(**readings)))


@pytest.mark.parametrize(
    ("packages", "initrd", "entry"),
    [
        ("apt", "there: update-initramfs -c -k all, with", "there: update-grub"),
        ("dnf", "there: dracut --regenerate-all --force, with", "there: grub2-mkconfig -o /boot/grub2/grub.cfg"),
        ("", "have it written there, with", "have the menu written anew there"),
    ],
)
def test_what_a_kernel_lacks_is_written_with_the_programs_of_the_host(packages: str, initrd: str, entry: str) -> None:
    own = job()
    known, here = facts(host_readings(outdated={"initrd": False, "entry": False})), site(own)
    hosts = tuple(replace(host, packages=packages) if host.name == SERVER else host for host in here.hosts)
    drawn = RebootKind().draft(replace(here, hosts=hosts), own, known, known.at)
    assert [finding.do for finding in drawn.findings if finding.severity == "refusal"] == [
        f"{initrd} room in /boot", entry,
    ]  # fmt: skip


def test_a_kernel_that_runs_already_needs_nothing_to_be_booted_again() -> None:
    kernel = {"running": "6.1.0-50-amd64", "newest": "6.1.0-50-amd64"}
    drawn = draft(job(), facts(host_readings(outdated={"kernel": kernel, "initrd": False, "entry": False})))
    assert drawn.planned is not None
    # But a file that is gone since then is worth a look.
    assert "attention: kernel 6.1.0-50-amd64 of server has no initrd: it might not come back" in notes(drawn)


def test_where_no_kernel_is_found_a_person_is_told_and_none_is_expected() -> None:
    drawn = draft(job(), facts(host_readings(outdated={"kernel": {"running": "6.1.0-50-amd64", "newest": ""}})))
    assert "attention: which kernel server will boot is not known" in notes(drawn)
    assert "kernel" not in steps(drawn)


def test_a_fstab_that_could_not_be_read_is_not_an_empty_one() -> None:
    drawn = draft(job(), facts(host_readings(fstab=None)))
    assert drawn.planned
    assert "attention: fstab of server could not be read, so only declared disks are looked for" in notes(drawn)
    assert "fstab of server could not be read" not in notes(draft(job(), facts(host_readings(fstab=""))))


def test_a_boot_loader_that_is_not_known_forbids_nothing_but_is_told() -> None:
    drawn = draft(job(), facts(host_readings(outdated={"entry": None})))
    assert drawn.planned is not None
    assert "note: server has no known boot loader" in notes(drawn)


@pytest.mark.parametrize("store", [SERVER, PAPIO])
def test_a_backup_under_way_of_the_host_or_to_it_is_not_cut_off(store: str) -> None:
    holder = {"plan": "20261123T031500.000Z", "who": "backup of papio", "pid": 7, "since": NOW}
    words = refusal(job(), facts(changes={store: {"store": {"holder": holder}}}))
    assert "is held by backup of papio (plan 20261123T031500.000Z) since 2026-11-23 08:15 UTC" in words
    assert "wait until it has ended" in words


def test_a_restore_under_way_is_not_cut_off() -> None:
    sealed = [{"name": "2026-11-22T081500Z", "being_read": True}]
    words = refusal(job(), facts(changes={SERVER: {"store": {"sealed": sealed}}}))
    assert "somebody restores from 2026-11-22T081500Z of store papio" in words


def test_a_store_that_cannot_be_asked_is_not_locked_and_a_person_is_told() -> None:
    read = facts()
    gone = replace(read.hosts[PAPIO], error="no route to host", stores={})
    drawn = draft(job(), replace(read, hosts={**read.hosts, PAPIO: gone}))
    assert drawn.planned is not None
    assert "store server" not in {lock.resource for lock in drawn.planned.locks}
    assert "attention: whether store server is in use is not known: papio: no route to host" in notes(drawn)


def test_a_store_whose_disk_is_away_needs_no_lock() -> None:
    drawn = draft(job(), facts(changes={SERVER: {"store": {"problem": "the disk is not mounted"}}}))
    assert drawn.planned is not None
    assert "store papio" not in {lock.resource for lock in drawn.planned.locks}


def test_with_a_schedule_what_forbids_it_stops_no_other_job() -> None:
    drawn = draft(job(schedule="0 4 * * *"), facts(host_readings(half="half")))
    assert drawn.skip is not None
    assert [finding.severity for finding in drawn.findings if finding.severity != "note"] == ["attention"]


def test_outside_its_window_it_is_refused_with_when_it_opens_next() -> None:
    # 08:15 UTC is 03:15 in New York.
    assert draft(job(window=("17:00-08:00",)), facts()).planned is not None
    words = refusal(job(window=("17:00-03:00", "Sat 06:00-10:00")), facts())
    assert words == (
        "server may be interrupted 17:00-03:00 and Sat 06:00-10:00 only -> try again from Mon 2026-11-23 17:00 EST on"
    )


def test_a_check_that_is_made_before_or_put_off_is_not_in_the_time_that_the_host_is_away() -> None:
    own, known = job(), facts(host_readings(fsck=boot_checks(superblock=DUE)))
    (most,) = boot_checks_of.awaited(site(own), known, own, NOW)
    assert most is not None and most > 10
    for when_due, left in (("tell", (most,)), ("forward", ()), ("defer", ())):
        here = site(own, hooks=(Hook(name="fsck", module="hooks.fsck", settings={"when_due": when_due}),))
        assert boot_checks_of.awaited(here, known, own, NOW) == left
    assert boot_checks_of.awaited(site(own), facts(), own, NOW) == ()
    assert boot_checks_of.awaited(site(own), facts(), own, NOW + timedelta(days=120)) != ()


def test_a_check_before_the_reboot_that_leaves_no_time_for_it_is_pointed_out() -> None:
    known = facts(host_readings(fsck=boot_checks(superblock=DUE)))
    hooks = (Hook(name="fsck", module="hooks.fsck", settings={"when_due": "forward"}),)
    late = "the disk check before the reboot may last 23 s, and then it is too late for the reboot itself"
    for window, when_due, doubted in (
        ("17:00-03:15", hooks, True),
        ("17:00-03:20", hooks, False),
        ("17:00-03:15", (), False),
    ):
        words = notes(draft(job(window=(window,)), replace(known, at=NOW - timedelta(seconds=10)), hooks=when_due))
        assert (late in words) is doubted, words


def test_where_the_disks_cannot_be_read_it_is_said_that_the_boot_may_take_hours() -> None:
    words = "attention: whether the boot of server checks a disk, which may take hours, could not be read: "
    silent = notes(draft(job(), facts(host_readings(fsck=None))))
    assert f"{words}no answer within 60 s" in silent
    broken = notes(
        draft(job(), facts(host_readings(fsck=boot_checks(superblock="", exit=1, error="no tune2fs there"))))
    )
    assert f"{words}/srv/backups/papio: no tune2fs there" in broken
    assert words not in notes(draft(job(), facts()))


def test_a_reboot_that_may_last_longer_than_its_window_is_pointed_out() -> None:
    # It is 03:15 in New York, and nobody has measured one: ten minutes at most.
    told_so = "attention: server may be away until Mon 2026-11-23 03:25 EST, and its window closes at"
    assert told_so in notes(draft(job(window=("17:00-03:20",)), facts()))
    assert told_so not in notes(draft(job(window=("17:00-03:25",)), facts()))
    assert told_so not in notes(draft(job(), facts()))
    unknown = facts(host_readings(fsck=boot_checks(superblock=DUE.replace("Block size:               4096\n", ""))))
    took = replace(unknown, took={("reboot-server", Role.BACK, ""): (40.0,)})
    assert "its window closes at" in notes(draft(job(window=("17:00-08:00",)), took))


def test_a_plan_that_is_applied_when_the_window_has_closed_does_not_reboot() -> None:
    planned = steps(draft(job(window=("17:00-08:00",)), facts()))
    guard = planned["reboot"].guard
    assert guard is not None
    assert guard.argv[-1] == "--by=2026-11-23T13:00:00Z"


def announced(at: float, told_before: float) -> Facts:
    moment = NOW + timedelta(hours=at)
    coming = Announced(at=moment, notified=moment - timedelta(hours=told_before), reason="")
    return facts(announced={"reboot-server": coming})


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (facts(), "the users of server have not been told"),
        (announced(0, 2), "the users were told only 2 h ahead"),
        (announced(5, 24), "told that it comes at Mon 2026-11-23 08:15 EST, not before"),
        (announced(1.1 / 60, 24), "told that it comes at Mon 2026-11-23 03:16 EST, not before"),
        (announced(-2.02, 24), "which is 2 h 1 min ago"),
        (announced(-3, 24), "which is 3 h ago"),
    ],
)
def test_users_are_told_in_time_and_it_comes_when_they_were_told(known: Facts, words: str) -> None:
    assert words in refusal(job(announce=timedelta(hours=24)), known)


def test_where_nobody_need_be_told_it_does_not_come_before_what_they_were_told_all_the_same() -> None:
    assert "not before" in refusal(job(), announced(5, 1))
    assert draft(job(), announced(-3, 1)).planned is not None


def test_what_was_announced_in_time_is_done_at_its_time() -> None:
    for late in (1 / 60, 0.0, -1.5, -2.0):
        assert draft(job(announce=timedelta(hours=24)), announced(late, 24)).planned is not None


def test_a_plan_that_is_applied_long_after_what_was_announced_does_not_reboot() -> None:
    guard = steps(draft(job(announce=timedelta(hours=24)), announced(-1.5, 24)))["reboot"].guard
    assert guard is not None
    assert guard.argv[-1] == "--by=2026-11-23T08:45:00Z"
    earlier = job(announce=timedelta(hours=24), window=("17:00-03:20",))
    guard = steps(draft(earlier, announced(0, 24)))["reboot"].guard
    assert guard is not None
    assert guard.argv[-1] == "--by=2026-11-23T08:20:00Z"


def test_without_need_nothing_is_done_where_the_job_says_so() -> None:
    same = {"kernel": {"running": "6.1.0-56-amd64", "newest": "6.1.0-56-amd64"}}
    drawn = draft(job(only_if_needed=True), facts(host_readings(outdated=same)))
    assert drawn.skip is not None
    assert drawn.skip.reason == "server needs no reboot"
    assert draft(job(only_if_needed=True), facts()).planned is not None
    flagged = facts(host_readings(outdated={**same, "flag": True}))
    assert draft(job(only_if_needed=True), flagged).planned is not None
    library = facts(host_readings(outdated={**same, "changed": [["libc6", "2.36-9"]]}))
    assert "libc6" in steps(draft(job(only_if_needed=True), library))["reboot"].why


def test_who_is_interrupted_is_named() -> None:
    users = [{"name": "ann\x1b[2J", "from": "", "since": None}, {"name": "bob", "from": "", "since": None}]
    readings = host_readings(up={"users": users}, sessions="sessions 3\n")
    words = notes(draft(job(database=True), facts(readings)))
    assert "note: logged in to server: ann\\x1b[2J, bob" in words
    assert "note: connected to the database of server: 3 sessions" in words
    unknown = host_readings(up={"users": None})
    assert "note: who is logged in to server is not known" in notes(draft(job(), facts(unknown)))
    for odd in (None, "psql: error: connection refused"):
        uncounted = notes(draft(job(), facts(host_readings(sessions=odd))))
        assert "note: who is connected to the database of server is not known" in uncounted
    assert "database" not in notes(draft(job(), facts(host_readings(sessions="sessions 0\n"))))
    assert "database" not in notes(draft(job(), facts()))


def test_a_clock_that_is_wrong_is_told_before_it_makes_the_boot_check_disks() -> None:
    words = notes(draft(job(), facts(changes={SERVER: {"now": NOW + timedelta(days=400)}})))
    assert "attention: the clock of server is wrong by 400 days" in words


def test_a_disk_check_that_is_due_is_waited_for() -> None:
    plain = steps(draft(job(), facts(host_readings(fsck=boot_checks()))))["back"].action
    due = steps(draft(job(), facts(host_readings(fsck=boot_checks(superblock=DUE)))))["back"].action
    assert isinstance(plain, WaitFor)
    assert isinstance(due, WaitFor)
    assert plain.within == 1800
    assert due.within > plain.within


def test_a_host_that_was_slow_before_is_waited_for_longer() -> None:
    back = steps(draft(job(), facts(took={("reboot-server", Role.BACK, ""): (2000.0,)})))["back"].action
    assert isinstance(back, WaitFor)
    assert back.within == 4000


def test_the_lock_of_a_store_whose_disk_is_checked_before_ends_with_it_and_nobody_may_take_it() -> None:
    known = facts(host_readings(fsck=boot_checks(superblock=DUE)))
    drawn = draft(job(), known, hooks=(Hook(name="fsck", module="hooks.fsck", settings={"when_due": "forward"}),))
    assert drawn.planned is not None
    until = {lock.resource: lock.until for lock in drawn.planned.locks}
    assert until["store papio"] == "reboot-server/release-papio"
    assert until["store server"] == "reboot-server/reboot"
    guard = steps(drawn)["reboot"].guard
    assert guard is not None
    assert guard.argv[-1] == "--store=/srv/backups/papio"


@pytest.mark.parametrize(
    ("systemd", "line", "argv_"),
    [
        (True, "systemd 252 (252)\n", ("systemctl", "reboot", "--check-inhibitors=yes")),
        (True, "systemd 239 (239-82.el8)\n", ("systemctl", "reboot")),
        (False, "", ("shutdown", "-r", "now")),
    ],
)
def test_a_host_is_rebooted_by_what_runs_it(systemd: bool, line: str, argv_: tuple[str, ...]) -> None:
    known = facts(host_readings(up={"systemd": systemd}, systemd=line))
    assert argv(steps(draft(job(), known))["reboot"]) == argv_


def test_a_host_that_does_not_say_which_boot_it_is_in_is_not_rebooted() -> None:
    # Which boot it was is all that keeps a plan from rebooting twice.
    assert "the state of server cannot be read" in refusal(job(), facts(host_readings(up={"boot_id": ""})))


def test_a_filesystem_that_was_mounted_by_hand_is_told_and_not_looked_for() -> None:
    usb = {"mount": "/mnt/usb", "source": "/dev/sdz1", "dev": 9, "uuid": "u", "type": "ext4", "size": 1}
    filesystems = [
        {"mount": "/", "source": "/dev/sda1", "dev": 1, "type": "ext4", "size": 1},
        {"mount": "/srv/backups/papio", "source": "/dev/sdb1", "dev": 2, "type": "ext3", "size": 1},
        usb,
    ]  # fmt: skip
    drawn = draft(job(), facts(changes={SERVER: {"filesystems": filesystems}}))
    assert "/dev/sdz1 is mounted at /mnt/usb, but fstab has no line for it" in notes(drawn)
    assert not any("--at=/mnt/usb" in argv(step) for step in drawn.steps)


def test_the_controller_itself_is_planned_like_any_other() -> None:
    known = facts(host=PAPIO)
    drawn = draft(job(host=PAPIO), known)
    assert {"reboot", "back", "settled"} <= set(steps(drawn))
    assert parts.site().controller == PAPIO


def test_the_controller_holds_every_store_since_all_that_runs_is_cut_off_with_it() -> None:
    other = Store(name="other", host=SERVER, path="/srv/other")
    changes = {"stores": (*parts.site().stores, other)}
    known = facts(host=PAPIO)
    here = known.hosts[SERVER]
    stores = {**here.stores, "other": replace(here.stores["papio"], path="/srv/other")}
    known = replace(known, hosts={**known.hosts, SERVER: replace(here, stores=stores)})
    own = job(host=PAPIO)
    drawn = RebootKind().draft(site(own, **changes), own, known, known.at)
    assert drawn.planned is not None
    assert "store other" in {lock.resource for lock in drawn.planned.locks}
