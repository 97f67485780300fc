"""What jobs that upgrade packages and end a host say there: a key has all of it with the right, and nothing beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.answer import Denied, Refused
from runner.agent.packages import families as rows
from runner.agent.policy import allowed
from runner.agent.policy.upkeep import power
from runner.jobs.packages.debian import apt, holds, survey
from runner.jobs.packages.debian.family import Debian
from runner.jobs.packages.redhat import dnf, rpm
from runner.jobs.power import agent
from runner.model.packages import Update
from runner.model.plan import Argv
from tests.unit.policy.upkeep_words import (
    ALL,
    CASES,
    EVERYTHING,
    OWN,
    PLAN,
    PROGRAM,
    STORE,
    UPDATES,
    UPGRADE,
    Played,
    judge,
    said,
)


@pytest.mark.parametrize("name", CASES)
def test_all_that_such_a_job_says_is_allowed_with_the_right_and_nothing_of_it_without(name: str) -> None:
    site, job, facts, rights = CASES[name]
    steps, asked = said(site, job, facts)
    for words in steps:
        judge(rights, words)
        if words[0] != PROGRAM or words[1] in ("detach", "as-planned", "hold-host", "returned", "release"):
            with pytest.raises(Denied):
                judge(OWN, words)
    for words in asked:
        allowed.require_question(rights, words)
        if words[0] != "runner-agent":
            with pytest.raises(Denied):
                allowed.require_question(OWN, words)
    assert asked


WORDS = (
    *("-oDPkg::Pre-Invoke::=id", "-oDir::Etc::sourcelist=/tmp/x", "-c/tmp/apt.conf", "-t", "--allow-downgrades"),
    *("--allow-unauthenticated", "--allow-change-held-packages", "--force-yes", "--nogpgcheck", "--installroot=/tmp"),
    *("--setopt=reposdir=/tmp", "--repofrompath=x,/tmp", "/tmp/x.deb", "./x.deb", "../x", "http://x/x.rpm", "$(id)"),
    *(
        "a b",
        "demo-lib=1.1\nid",
        "x\n",
        "\0",
        "",
        ";",
        "|",
        "&&",
        "demo-lib=1.1;id",
        "@group",
        "--exclude=-x",
        "--then=x",
    ),
)
# Packages that are none of this host's, other versions, and what apt-get(8) reads after a name.
PACKAGES = (
    *("evil", "evil=1.0", "evil-1.0-1.x86_64", "demo-lib", "demo-lib=0.9", "demo-lib=1.1-", "demo-lib-", "demo-lib+"),
    *("demo-lib/stable", "demo-lib^", "~ndemo", "?installed", "demo-*", "demo-lib:i386=1.1", "demo-lib=1.1=1.1"),
)


@given(words=st.sampled_from(EVERYTHING), other=st.sampled_from(WORDS), data=st.data())
def test_a_word_more_in_any_place_of_any_of_them_is_refused(words: Argv, other: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words)))
    with pytest.raises(Refused):
        judge(ALL, (*words[:place], other, *words[place:]))
    with pytest.raises(Refused):
        judge(ALL, (*words[:place], other, *words[place + 1 :]))


@given(words=st.sampled_from(EVERYTHING), text=st.text(min_size=1, max_size=5), data=st.data())
def test_no_script_and_no_option_is_another_by_a_letter(words: Argv, text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    at = data.draw(st.integers(0, len(words[place])))
    changed = (*words[:place], words[place][:at] + text + words[place][at:], *words[place + 1 :])
    try:
        judge(ALL, changed)
    except Refused:
        return
    # What may be another: the names of steps and plans that nobody begun, how long they are waited for, patterns.
    assert words[place].startswith(("--step=", "--within=", "--exclude=")) or words[0] in ("rpm", "tune2fs")


INSTALLS = tuple(argv for argv in EVERYTHING if "install" in argv)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_package_is_installed_that_the_archives_do_not_offer_as_an_upgrade(name: str) -> None:
    assert INSTALLS
    for argv in INSTALLS:
        with pytest.raises(Denied):
            judge(ALL, (*argv, name))


def test_what_is_held_is_upgraded_by_a_job_of_that_kind_alone_and_held_again() -> None:
    argv = next(argv for argv in EVERYTHING if "runner-upgrade" in argv)
    judge(UPGRADE, argv)
    with pytest.raises(Denied):
        judge(UPDATES, argv)
    updates = (Update(name="libc-demo", arch="", old="1.0", new="1.1"),)
    detach = argv[: argv.index("--") + 1]
    judge(UPGRADE, (*detach, *holds.upgrade(updates, ("libc-demo",), ("libc-demo",))))
    for free, again in ((("libc-demo",), ()), (("libc-demo",), ("demo-lib",)), (("demo-lib",), ("libc-demo",))):
        with pytest.raises(Denied):
            judge(UPGRADE, (*detach, *holds.upgrade(updates, free, again)))
    with pytest.raises(Denied):
        judge(UPGRADE, (*detach, *apt.install(updates)))


class Bounded(Played):
    """The same with another line."""

    def is_bounded(self) -> bool:
        """As the line of a key without is."""
        return True


def test_nothing_is_installed_over_a_line_that_keeps_rights_from_scripts() -> None:
    judge(ALL, INSTALLS[0])
    with pytest.raises(Refused, match="authorized_keys"):
        judge(ALL, INSTALLS[0], Bounded())


HOSTILE = (
    ("systemctl", "restart", "--", "ssh.service"),
    ("systemctl", "restart", "cron.service"),
    ("systemctl", "stop", "--", "cron.service"),
    ("systemctl", "reboot", "--force"),
    ("systemctl", "kexec"),
    ("shutdown", "-h", "now"),
    ("umount", "--", "/"),
    ("umount", "--", "/home"),
    ("umount", "--", f"{STORE}/x"),
    ("umount", "--lazy", STORE),
    ("mount", "--", "/srv/other"),
    ("mount", "-o", "remount,exec", "--", STORE),
    ("tune2fs", "-i", "0", "-c", "0", "--", "/dev/sda1"),
    ("tune2fs", "-U", "clear", "-c", "0", "--", "/dev/sdb1"),
    ("tune2fs", "-i", "0", "-c", "0", "-E", "/dev/sdb1"),
    ("e2fsck", "-p", "-f", "--", "/dev/sdb1"),
    ("mke2fs", "--", "/dev/sdb1"),
    ("cat", "--", "/etc/shadow"),
    ("dpkg", "-i", "x.deb"),
    ("dpkg", "--audit", "-D"),
    apt.install((Update(name="demo-lib", arch="", old="1.0", new="1.1"),)),
    survey.ask(()),
    ("sh", "-c", "id"),
    ("env", "PGCONNECT_TIMEOUT=5", "runuser", "-u", "postgres", "--", "psql"),
    (),
)
DETACH = (PROGRAM, "detach", f"--plan={PLAN}", "--step=x/install")
HOSTILE_VERBS = (
    (*DETACH, "--", "id"),
    (*DETACH, "--packages=dpkg", "--", *DETACH),
    (*DETACH, "--packages=dpkg", "--", PROGRAM, "enrol"),
    (*DETACH, "--packages=rpm", "--", *Debian().repair()),
    (*DETACH, "--", *Debian().repair()),
    (*DETACH, "--packages=dpkg", '--then=["id"]', "--", *Debian().repair()),
    (*DETACH, "--packages=dpkg", "--env=LD_PRELOAD=/tmp/x", "--", *Debian().repair()),
    (*DETACH, "--packages=dpkg", "--state=/tmp", "--", *Debian().repair()),
    (*DETACH, "--packages=dpkg", "--run=/tmp", "--", *Debian().repair()),
    (*DETACH, "--packages=dpkg", "--root=/tmp", "--", *Debian().repair()),
    (*DETACH, "--", "systemctl", "reboot"),
    (*DETACH, "--", "e2fsck", "-p", "-f", "--", "/dev/sda1"),
    (*DETACH, "--", "e2fsck", "-y", "-f", "--", "/dev/sdb1"),
    (PROGRAM, "detach", "--plan=..", "--step=x", "--packages=dpkg", "--", *Debian().repair()),
    (PROGRAM, "detach", f"--plan={PLAN}", "--step=../../x", "--packages=dpkg", "--", *Debian().repair()),
    (PROGRAM, "as-planned", "--packages=dpkg", "--to-be-had", "--", "-c/tmp/apt.conf==1"),
    (PROGRAM, "as-planned", "--packages=dpkg", "--to-be-had", "--", "-oDir::Bin=x=1"),
    (PROGRAM, "as-planned", "--packages=dpkg", "--env=DPKG_ADMINDIR=/tmp", "--", "demo-lib=1.0=1.1"),
    (PROGRAM, "returned", "active", "--unit=../../tmp/x"),
    (PROGRAM, "returned", "active", "--unit=--status-all"),
    (PROGRAM, "hold-host", "../x", f"--plan={PLAN}", "--who=w"),
    (PROGRAM, "hold-host", "packages", f"--plan={PLAN}", "--who=w", "--run=/tmp"),
    (PROGRAM, "release", "/srv/other", f"--plan={PLAN}"),
    (PROGRAM, "take-over", "/srv/other", f"--from={PLAN}", f"--plan={PLAN}", "--who=w"),
    (PROGRAM, "in-use", "--", "/"),
    (PROGRAM, "in-use", "--store=/srv/other", "--", STORE),
    (PROGRAM, "in-use", "--device=/etc/shadow"),
    (PROGRAM, "put-fstab-line", "--new=x"),
    (PROGRAM, "make-unwritable", "/srv"),
    (PROGRAM, "restore-database", "x"),
)


@pytest.mark.parametrize("words", [*HOSTILE, *HOSTILE_VERBS], ids=lambda words: " ".join(map(str, words))[:60])
def test_not_even_with_all_rights_is_there_anything_else(words: Argv) -> None:
    with pytest.raises(Refused) as refused:
        judge(ALL, words or ("",))
    assert refused.value.do


def test_one_right_is_not_the_other() -> None:
    reboot, poweroff = OWN._replace(power=("reboot",)), OWN._replace(power=("poweroff",))
    judge(reboot, agent.reboot(252))
    judge(poweroff, agent.poweroff(None))
    for rights, words in ((reboot, agent.poweroff(252)), (poweroff, agent.reboot(None)), (UPGRADE, agent.reboot(252))):
        with pytest.raises(Denied):
            judge(rights, words)
    for words in (("dpkg", "--audit"), agent.version(), agent.sessions()):
        allowed.require_question(reboot, words)
    with pytest.raises(Denied):
        allowed.require_question(reboot, survey.ask(()))


def test_what_a_host_knows_of_each_command_is_what_its_maker_makes() -> None:
    debian, none = Debian(), ()
    made = [
        *(survey.ask(none), debian.audit(), apt.refresh(), apt.refresh(partly=True), debian.look(none)),
        *(
            holds.hold(none),
            holds.verify(none),
            apt.install(none),
            debian.repair(),
            holds.upgrade(none, none, none)[:4],
        ),
        *(dnf.look("dnf", none), dnf.look("yum", none), dnf.look_with_yum3("yum", none), rpm.look(none)),
        *(dnf.refresh(program, partly=partly) for program in ("dnf", "yum") for partly in (False, True)),
        *(dnf.install(program, none, none)[:-1] for program in ("dnf", "yum")),
    ]
    known = {(own.digest, own.fixed) for row in rows.FAMILIES.values() for own in row.own}
    assert known == {(power.digest(argv), len(argv)) for argv in made}, [
        (argv[:4], len(argv), power.digest(argv)) for argv in made if (power.digest(argv), len(argv)) not in known
    ]
    assert power.digest(agent.sessions()) == power.SESSIONS


def test_a_host_is_ended_so_often_a_day_and_no_more(tmp_path: Path) -> None:
    for _ in range(power.MOST):
        power.count("papio", tmp_path)
    with pytest.raises(Denied, match="4 times") as denied:
        power.count("papio", tmp_path)
    assert "rm " in denied.value.do
    day = 86_400 * 10**9
    known = json.loads((tmp_path / "ends.json").read_text())["ends"]
    (tmp_path / "ends.json").write_text(json.dumps({"ends": [each - day for each in known]}))
    power.count("papio", tmp_path)
    assert len(json.loads((tmp_path / "ends.json").read_text())["ends"]) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ends": 1}'])
def test_a_count_that_cannot_be_read_ends_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "ends.json").write_text(content)
    with pytest.raises(Refused, match="cannot be read"):
        power.count("papio", tmp_path)
