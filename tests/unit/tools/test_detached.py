"""What runner-agent says of a host as a whole is read, and nothing that it says can be more than it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from runner.agent.detached.contract import Changes, DetachAnswer, Detached, FollowUp
from runner.agent.host.contract.sessions import Inhibitor, Up, User
from runner.agent.packages.contract import KernelVersions, Needrestart, Outdated
from runner.tools import answers, detached

PROGRAM = "/usr/local/sbin/runner-agent"
PLAN, STEP = "2026-11-23T081500Z", "updates-server/install"


def test_a_command_is_detached_as_it_is_and_so_is_what_follows() -> None:
    argv = detached.run(
        PROGRAM, PLAN, STEP, ("apt-get", "install", "--", "a=1"), "dpkg", then=(("apt-mark", "hold", 'x "y'),)
    )
    assert argv == (
        PROGRAM, "detach", f"--plan={PLAN}", f"--step={STEP}", "--packages=dpkg",
        '--then=["apt-mark", "hold", "x \\"y"]', "--", "apt-get", "install", "--", "a=1",
    )  # fmt: skip
    assert "--packages=rpm" in detached.run(PROGRAM, PLAN, STEP, ("yum",), packages="rpm")
    assert detached.run(PROGRAM, PLAN, STEP, ("true",), packages="")[4:] == ("--", "true")


def test_an_answer_is_asked_for_without_beginning_anything() -> None:
    assert detached.again(PROGRAM, PLAN, STEP)[-1] == "--again"
    assert "--within=1" in detached.again(PROGRAM, PLAN, STEP, within=1)
    assert detached.note_seen(PROGRAM, PLAN, STEP)[-1] == "--seen"


def test_the_lock_names_who_and_what_it_waits_for() -> None:
    assert detached.hold_host(PROGRAM, "power", PLAN, "reboot of papio") == (
        PROGRAM, "hold-host", "power", f"--plan={PLAN}", "--who=reboot of papio",
    )  # fmt: skip
    assert detached.hold_host(PROGRAM, "packages", PLAN, "x", attach="p")[-1] == "--attach=p"


def test_a_restart_is_not_needed_where_the_unit_runs_new_files() -> None:
    check = detached.runs_new(PROGRAM, "server", "ssh.service")
    assert check.argv == (PROGRAM, "outdated", "--unit=ssh.service")
    assert (check.field, check.relation, check.value) == ("needs_restart", "==", False)


ANSWER = {
    "detached": True, "exit": 100, "seconds": 3.5, "note": "", "problem": "", "lines": 70, "log": ["a", "b"],
    "packages": {
        "upgraded": [["libssl3", "1", "2"]], "installed": [["new", "1"]], "removed": [],
        "unfinished": [["new", "half-configured"]],
    },
    "then": [{"argv": ["apt-mark", "hold", "x"], "exit": 0}],
    "conffiles": ["/etc/a.dpkg-dist"], "services": ["ssh.service"], "pid1": True, "reboot": ["process 1 ..."],
}  # fmt: skip


def test_an_answer_is_read_from_the_last_line() -> None:
    read = answers.read("a motd\n" + json.dumps(ANSWER) + "\n", DetachAnswer)
    assert read == DetachAnswer(
        detached=True, exit=100, seconds=3.5, lines=70, log=("a", "b"),
        packages=Changes(
            upgraded=(("libssl3", "1", "2"),), installed=(("new", "1"),), unfinished=(("new", "half-configured"),),
        ),
        conffiles=("/etc/a.dpkg-dist",), services=("ssh.service",), pid1=True, reboot=("process 1 ...",),
        then=(FollowUp(("apt-mark", "hold", "x"), 0),),
    )  # fmt: skip


def test_an_end_that_nobody_saw_is_no_success() -> None:
    read = answers.read(json.dumps({**ANSWER, "exit": None, "note": "restarted in the middle"}), DetachAnswer)
    assert read
    assert (read.exit, read.note) == (None, "restarted in the middle")


@pytest.mark.parametrize(
    "text", ["", "bash: not found\n", "[]", "7", '{"error": "busy", "held": false}', '{"detached": []}', "{" * 5]
)
def test_what_is_no_answer_is_none(text: str) -> None:
    assert answers.read(text, DetachAnswer) is None
    assert detached.parse_outdated(text) is None
    assert detached.parse_up(text) is None
    # That nothing was begun is an answer; all else is none.
    assert detached.parse_detached(text) == (() if text == '{"detached": []}' else None)


def test_what_is_detached_is_read_with_its_times() -> None:
    line = {
        "plan": PLAN, "step": STEP, "argv": ["true"], "started": "2026-11-23T08:15:00.000000Z", "ended": None,
        "exit": None, "alive": True, "seen": False,
    }  # fmt: skip
    read = detached.parse_detached(json.dumps({"detached": [line]}))
    assert read == (
        Detached(plan=PLAN, step=STEP, argv=("true",), started=datetime(2026, 11, 23, 8, 15, tzinfo=UTC), alive=True),
    )
    for odd in (
        {**line, "plan": 7},
        {**line, "step": None},
        {**line, "started": "0001-01-01T00:00:00+23:00"},
        {**line, "exit": True},
        "x",
    ):
        assert detached.parse_detached(json.dumps({"detached": [line, odd]})) is None
    assert detached.parse_detached(json.dumps({"detached": []})) == ()


def test_a_host_that_is_older_than_its_files_is_read() -> None:
    values = {
        "kernel": {"running": "6.1.0-50", "newest": "6.1.0-56"}, "services": ["ssh.service"], "pid1": False,
        "changed": [["libssl3", "3.0.19"]], "flag": False, "needrestart": {"ksta": 3}, "boot_free": 10,
        "boot_size": 20, "initrd": True, "entry": None,
    }  # fmt: skip
    assert detached.parse_outdated(json.dumps(values)) == Outdated(
        kernel=KernelVersions("6.1.0-50", "6.1.0-56"), services=("ssh.service",), changed=(("libssl3", "3.0.19"),),
        needrestart=Needrestart(3), boot_free=10, boot_size=20, initrd=True,
    )  # fmt: skip


def test_a_host_that_is_up_is_read() -> None:
    values = {
        "boot_id": "b", "kernel": "6.1", "system": "degraded", "failed": ["x.service"], "systemd": True,
        "up_since": "2026-11-23T08:00:00Z", "users": [{"name": "amy", "from": "there", "since": None}],
        "inhibitors": [{"who": "backup", "why": "rsync", "what": "shutdown"}],
        "mounts": {"u-1": "/srv"}, "checking": ["/dev/sdb1"],
    }  # fmt: skip
    read = detached.parse_up(json.dumps(values))
    assert read == Up(
        boot_id="b", kernel="6.1", system="degraded", failed=("x.service",), systemd=True,
        up_since=datetime(2026, 11, 23, 8, tzinfo=UTC), users=(User(name="amy", from_="there"),),
        inhibitors=(Inhibitor(who="backup", why="rsync", what="shutdown"),),
        mounts={"u-1": "/srv"}, checking=("/dev/sdb1",),
    )  # fmt: skip
