"""The upkeep of a real Debian as its keepers live it: cron's mails, and the commands that they name, day by day."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.archive import SECURITY, STABLE, Deb
from tests.lab.debian import HOLD
from tests.lab.package_files import KERNEL, META, by_aptitude, by_dpkg, meta
from tests.lab.upkeep_site import DAILY, UPGRADE, Keeper, commands, present, until, upkept

pytest_plugins = ("tests.lab.debian_fixtures",)

NEXT = "linux-image-9.9.10-demo"
HELD = {KERNEL, META, "libc-demo"}


@pytest.fixture(scope="module")
def keeper(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    folder = tmp_path_factory.mktemp("upkeep")
    with upkept(base, folder) as (world, archive):
        made = Keeper(world, archive, folder / "site")
        made.rebooted()
        yield made


@pytest.fixture(autouse=True)
def _as_after_a_boot(keeper: Keeper) -> None:
    keeper.rebooted()


def test_four_days_and_the_command_that_a_mail_names(keeper: Keeper) -> None:
    first = keeper.cron()
    assert (first.code, first.mail.subject) == (
        0, f"[babase] done: {DAILY}: no security update for backup-server1, by package lists fetched just now",
    )  # fmt: skip
    present(first.mail.flat, ["note: held from now on, as jobs.toml wants it: libc-demo,"])
    assert by_dpkg(keeper.world) == by_aptitude(keeper.world) == HELD
    quiet = keeper.cron()
    assert (quiet.code, quiet.mail.subject.partition(":")[0]) == (0, "[babase] nothing done")

    keeper.published(Deb(name="demo-lib", version="1.1"), Deb(name="demo-feature", version="1.1"))
    done = keeper.cron()
    assert (done.code, done.mail.subject) == (0, f"[babase] done: {DAILY}: 2 packages upgraded")
    present(done.mail.text, ["    - demo-feature 1.0 -> 1.1\n", "    - demo-lib 1.0 -> 1.1\n"])
    assert "to install" not in done.mail.text, "what is done is not to be done"

    keeper.published(Deb(name=NEXT, version="1.0"), meta("2", "9.9.10"))
    waits = keeper.cron()
    assert waits.code == 3
    present(waits.mail.flat, [f"held back: {META} 1 -> 2, a security update; with it comes {NEXT} 1.0, not installed"])
    (line,) = commands(waits.mail)
    assert line == f"runner run {UPGRADE} --package {META} --yes"
    upgraded = keeper.typed(line)
    assert (upgraded.code, upgraded.mail.subject) == (
        0, f"[babase] done: {UPGRADE}: 1 package upgraded, 1 package newly installed",
    )  # fmt: skip
    assert keeper.world.versions(META, NEXT) == {META: "hi 2", NEXT: "hi 1.0"}
    assert by_dpkg(keeper.world) == by_aptitude(keeper.world) == {*HELD, NEXT}

    due = keeper.cron()
    assert (due.code, commands(due.mail)) == (3, ("runner run reboot-backup-server1 --yes",))
    present(due.mail.flat, [f"backup-server1 needs a reboot: changed since the boot: {NEXT} 1.0, {META} 2"])
    keeper.rebooted()
    assert keeper.cron().code == 0


@pytest.mark.parametrize(
    ("fault", "reason", "remedy"),
    [
        ("dead", "an archive of packages cannot be reached: ", "see that the host has a network"),
        pytest.param(
            "expired",
            "the lists of an archive have expired: ",
            "take another mirror, or a supported release",
            marks=pytest.mark.soak,
        ),
        ("spoilt", "the lists of an archive are not signed as they should be: ", "install nothing from there"),
    ],
)
def test_archives_of_which_none_can_be_used_are_a_failure_with_its_remedy(
    keeper: Keeper, fault: str, reason: str, remedy: str
) -> None:
    for suite in (STABLE, SECURITY):
        if fault == "dead":
            keeper.archive.stop()
        elif fault == "expired":
            keeper.archive.publish(suite, valid="Mon, 01 Jan 2024 00:00:00 UTC")
        else:
            keeper.archive.spoil(suite)
    failed = keeper.cron()
    asked = keeper.runner("run", UPGRADE, "--yes")
    if fault == "dead":
        keeper.archive.start()
    for suite in (STABLE, SECURITY):
        keeper.archive.publish(suite)
    # The job failed of what the plan had found: that is one thing to do.
    assert failed.code == 1
    assert failed.mail.subject.startswith(f"[babase] failed: {DAILY}: {reason}"), failed.mail.subject
    assert "more)" not in failed.mail.subject
    present(failed.mail.flat, ["the package lists could not be fetched, so no update was installed"])
    assert failed.mail.to == "keeper@site.test, expert@site.test"
    present(failed.mail.flat, [reason, remedy, " good package lists"])
    assert failed.mail.flat.count(reason) == 1
    assert asked.code == 4
    present(asked.mail.flat, [f"refused by {UPGRADE}: {reason}", remedy])
    assert keeper.cron().code == 0


@pytest.mark.parametrize(
    ("name", "hold"),
    [
        ("fails", HOLD),
        pytest.param("faints", (), marks=pytest.mark.soak),
        pytest.param("falls", ("nothing-*",), marks=pytest.mark.soak),
    ],
)
def test_a_script_that_fails_is_named_with_what_it_said_until_it_is_mended(
    keeper: Keeper, name: str, hold: tuple[str, ...]
) -> None:
    keeper.declare(hold)
    _installed(keeper, Deb(name=name, version="1.0"), Deb(name=f"{name}-not", version="1.0"))
    keeper.published(
        Deb(name=name, version="1.1", scripts={"postinst": "echo the sky falls; exit 3"}),
        Deb(name=f"{name}-not", version="1.1"),
    )
    failed = keeper.cron()
    assert failed.code == 1
    assert failed.mail.subject.startswith(f"[babase] failed: {DAILY}: install failed: {name} could not be set up: ")
    present(failed.mail.flat, ["dpkg --configure -a; 1 package upgraded all the same", f"{name} 1.0 -> 1.1, and it is",
                               f"- {name}-not 1.0 -> 1.1 -", "- the sky falls -"])  # fmt: skip
    day = keeper.cron()
    assert day.code == 3
    present(
        day.mail.flat, [f"{name} 1.1 is only half configured: its script failed: at the host: dpkg --configure {name}"]
    )
    keeper.published(Deb(name=name, version="1.2"))
    mended = keeper.cron()
    keeper.declare(HOLD)
    assert (mended.code, mended.mail.subject) == (0, f"[babase] done: {DAILY}: 1 package upgraded")


def test_a_script_that_fails_before_its_files_are_there_is_blamed_and_the_fix_of_another_is_in_force(
    keeper: Keeper,
) -> None:
    names = ("before", "behind", "crashes")
    _installed(keeper, *(Deb(name=name, version="1.0") for name in names))
    keeper.published(
        Deb(name="before", version="1.1"), Deb(name="behind", version="1.1"),
        Deb(name="crashes", version="1.1", scripts={"preinst": "echo the sky falls; exit 4"}),
    )  # fmt: skip
    failed = keeper.cron()
    assert failed.code == 1
    assert failed.mail.subject.startswith(f"[babase] failed: {DAILY}: install failed: crashes could not be installed ")
    present(
        failed.mail.flat,
        ["and stays as it was (new crashes package pre-installation script subprocess returned error exit status 4)",
         "; 2 packages upgraded all the same", "- before 1.0 -> 1.1 -", "- behind 1.0 -> 1.1 -", "- the sky falls -"],
    )  # fmt: skip
    assert "could not be set up" not in failed.mail.text
    assert keeper.world.versions(*names) == {"before": "ii 1.1", "behind": "ii 1.1", "crashes": "ii 1.0"}
    keeper.published(Deb(name="crashes", version="1.2"))
    keeper.rebooted()
    assert keeper.cron().code == 0


def test_an_installation_that_was_killed_is_ended_by_the_next_run(keeper: Keeper) -> None:
    world = keeper.world
    _installed(keeper, Deb(name="cut", version="1.0"))
    keeper.published(
        Deb(name="cut", version="1.1", scripts={"postinst": "[ -e /root/cut ] || { touch /root/cut; sleep 60; }"})
    )
    world.run("apt-get", "-qq", "update")
    with world.popen("apt-get", "-y", "install", "cut") as process:
        until("the script", world.path("/root/cut").exists)
        world.run("pkill", "-9", "-x", "apt-get|dpkg|cut.postinst|sleep")
        process.communicate()
    assert world.versions("cut")["cut"] != "ii 1.1"
    done = keeper.cron()
    assert (done.code, done.mail.subject) == (
        0, f"[babase] done: {DAILY}: an interrupted installation was finished",
    )  # fmt: skip
    present(done.mail.flat, ["dpkg was interrupted; 1 package waiting to be configured: cut"])
    assert world.versions("cut") == {"cut": "ii 1.1"}


def test_somebody_at_work_on_the_packages_is_named_and_left_alone(keeper: Keeper) -> None:
    world = keeper.world
    hold = "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f,2); open('/root/locked','w'); time.sleep(60)"
    with world.popen("python3", "-c", hold) as somebody:
        until("the lock", world.path("/root/locked").exists)
        waits, asked = keeper.cron(), keeper.runner("run", UPGRADE, "--yes")
        world.run("pkill", "-9", "-f", "fcntl.lockf")
        somebody.communicate()
    assert (waits.code, asked.code) == (3, 4)
    for mail in (waits.mail, asked.mail):
        present(
            mail.flat, ["is at work on the packages: it holds /var/lib/dpkg/lock-frontend: wait until it has ended"]
        )
    present(waits.mail.flat, [f"- {DAILY}: another program is at work on the packages"])
    assert waits.mail.flat.count("python3") == 1
    assert keeper.cron().code == 0


def test_a_persons_configuration_file_stays_and_the_new_one_is_named(keeper: Keeper) -> None:
    file = "/etc/with-conf.conf"
    one, two = (
        Deb(name="with-conf", version=version, files={file: f"{version}\n"}, conffiles=(file,))
        for version in ("1.0", "1.1")
    )
    _installed(keeper, one)
    keeper.world.write(file, "mine\n")
    keeper.published(two)
    told = keeper.cron()
    assert told.code == 3
    present(told.mail.flat, [f"1. {DAILY}: 1 package upgraded; {file} stays; compare it with {file}.dpkg-dist"])
    assert keeper.world.path(file).read_text() == "mine\n"
    assert keeper.cron().code == 0


def test_a_connection_cut_in_the_middle_of_an_upgrade_is_made_good_by_the_same_run(keeper: Keeper) -> None:
    process = _at_work(keeper, "2.1")
    listener = keeper.world.run("pgrep", "-o", "-x", "sshd").stdout.strip()
    keeper.world.run("sh", "-c", f"kill -9 $(pgrep -x sshd | grep -vx {listener})")
    done = keeper.ended(process)
    words = "1 package upgraded, by a command that was cut off before and went on at the host"
    assert (done.code, done.mail.subject) == (0, f"[babase] done: {UPGRADE}: {words}")
    _upgraded(keeper, "2.1")


def test_after_the_runner_was_killed_the_next_runs_say_so_and_tell_what_came_of_it(keeper: Keeper) -> None:
    process = _at_work(keeper, "2.2")
    keeper.kill(process)
    assert keeper.mails() == ()
    waits = keeper.cron()
    assert waits.code == 3
    present(waits.mail.flat, [f"{UPGRADE} is at work on the packages, since ", "was killed before it ended"])
    until("its end", lambda: keeper.world.versions("libc-demo")["libc-demo"] == "hi 2.2")
    until("the holds", lambda: by_dpkg(keeper.world) >= HELD)
    untold = keeper.cron()
    assert untold.code == 3
    present(untold.mail.flat, [f"{UPGRADE} was cut off, and how it ended is not known yet: its next run reports it"])
    (line,) = commands(untold.mail)
    told = keeper.typed(line)
    assert told.code == 0
    present(told.mail.subject, ["1 package upgraded, by a command that was cut off before"])
    present(told.mail.text, [" -> 2.2\n"])
    _upgraded(keeper, "2.2")
    assert keeper.cron().code == 0


def test_what_a_killed_run_of_cron_had_begun_is_told_by_the_next(keeper: Keeper) -> None:
    _installed(keeper, Deb(name="slow", version="1.0"))
    keeper.published(Deb(name="slow", version="1.1", scripts={"postinst": "touch /root/at-slow; sleep 3"}))
    keeper.a_day_passes()
    process = keeper.start("run")
    until("the script", keeper.world.path("/root/at-slow").exists)
    keeper.kill(process)
    done = keeper.cron()
    assert (done.code, done.mail.subject) == (
        0, f"[babase] done: {DAILY}: 1 package upgraded, by a command that was cut off before and went on at the host",
    )  # fmt: skip
    present(done.mail.flat, ["- slow 1.0 -> 1.1", "was killed before it ended"])


def test_a_reviewed_plan_is_applied_once_and_never_over_what_somebody_did_since(keeper: Keeper) -> None:
    before = keeper.world.versions("libc-demo")["libc-demo"].split()[1]
    keeper.published(Deb(name="libc-demo", version="3.1"))
    asked = ("plan", UPGRADE, "--package", "libc-demo", "--out")
    for name in ("first.toml", "late.toml"):
        plan = keeper.runner(*asked, name)
        assert plan.code == 0
        present(plan.said, ["To run exactly this: runner apply ", "-> 3.1, a security update"])
    assert keeper.mails() == ()
    assert keeper.typed("runner apply first.toml").code == 0
    _upgraded(keeper, "3.1")
    again = keeper.typed("runner apply first.toml")
    assert again.code == 0
    present(again.mail.flat, ["already done: this plan was run at"])
    late = keeper.typed("runner apply late.toml")
    changed = f"libc-demo is 3.1 now, and {before} was installed when this was planned"
    assert late.code == 5
    present(late.mail.flat, [f"nothing was done: backup-server1 says: {changed} -> plan again, read it, apply it"])
    _upgraded(keeper, "3.1")


def test_a_plan_whose_version_is_in_no_archive_any_more_is_stale(keeper: Keeper) -> None:
    keeper.published(Deb(name="libc-demo", version="3.2"))
    assert keeper.runner("plan", UPGRADE, "--package", "libc-demo", "--out", "gone.toml").code == 0
    keeper.archive.withdraw("libc-demo", SECURITY)
    keeper.published(Deb(name="libc-demo", version="3.3"))
    gone = keeper.typed("runner apply gone.toml")
    assert gone.code == 5
    present(gone.mail.flat, ["the archives no longer have libc-demo 3.2 -> plan again, read it, apply it"])
    assert by_dpkg(keeper.world) == by_aptitude(keeper.world) >= HELD
    assert keeper.runner("run", UPGRADE, "--yes").code == 0
    _upgraded(keeper, "3.3")


def test_packages_that_change_while_cron_is_at_it_are_planned_anew_in_the_same_run(keeper: Keeper) -> None:
    _installed(keeper, Deb(name="raced", version="1.0"), Deb(name="other", version="1.0"))
    keeper.published(Deb(name="raced", version="1.1"), Deb(name="other", version="1.1"))
    script = "[ -e /root/raced ] || { touch /root/raced; apt-get -qq -y install raced >/dev/null 2>&1; }"
    keeper.world.write("/etc/apt/apt.conf.d/90race", f'APT::Update::Post-Invoke {{"{script}";}};\n')
    done = keeper.cron()
    keeper.world.path("/etc/apt/apt.conf.d/90race").unlink()
    assert (done.code, done.mail.subject) == (0, f"[babase] done: {DAILY}: 1 package upgraded")
    assert keeper.world.versions("raced", "other") == {"raced": "ii 1.1", "other": "ii 1.1"}
    assert "raced is 1.1 now, and 1.0 was installed when this was planned" in done.mail.text


def test_two_runs_for_one_host_at_once_keep_out_of_each_others_way(keeper: Keeper) -> None:
    process = _at_work(keeper, "4.1", "timeout 120 sh -c 'until [ -e /root/let-go ]; do sleep 0.1; done'")
    second = keeper.cron()
    keeper.world.write("/root/let-go", "")
    first = keeper.ended(process)
    assert (second.code, first.code) == (3, 0)
    present(
        second.mail.flat, [f"{UPGRADE} is at work on the packages, since ", "another job is at work on the packages"]
    )
    _upgraded(keeper, "4.1")
    assert keeper.cron().code == 0


def test_what_interrupts_is_refused_without_a_word_of_consent(keeper: Keeper) -> None:
    keeper.published(Deb(name="libc-demo", version="5.1"))
    refused = keeper.runner("run", UPGRADE)
    assert refused.code == 4
    present(refused.mail.flat, [f"{UPGRADE}/upgrade would interrupt", "say --yes if you mean it"])
    assert keeper.runner("run", "upgrade").code == 2
    assert keeper.runner("run", UPGRADE, "--package", "no-such", "--yes").code == 4
    assert keeper.runner("run", UPGRADE, "--yes").code == 0
    _upgraded(keeper, "5.1")


def _installed(keeper: Keeper, *debs: Deb) -> None:
    keeper.archive.add(*debs)
    keeper.world.install(*(one.name for one in debs))
    keeper.rebooted()


def _at_work(keeper: Keeper, version: str, takes: str = "sleep 4") -> subprocess.Popen[str]:
    """A person's upgrade of libc-demo, in the middle: its script takes seconds. There is nothing else to do."""
    script = f"touch /root/at-{version}; {takes}"
    keeper.published(Deb(name="libc-demo", version=version, scripts={"postinst": script}))
    process = keeper.start("run", UPGRADE, "--package", "libc-demo", "--yes")
    until("the script", keeper.world.path(f"/root/at-{version}").exists)
    return process


def _upgraded(keeper: Keeper, version: str) -> None:
    assert keeper.world.versions("libc-demo") == {"libc-demo": f"hi {version}"}
    assert by_dpkg(keeper.world) == by_aptitude(keeper.world) >= HELD
