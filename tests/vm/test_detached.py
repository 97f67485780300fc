"""On a machine with systemd a detached command does not end with the unit that it was started in."""

from __future__ import annotations

import subprocess

from runner.agent.detached.contract import DetachAnswer
from runner.agent.host.contract.sessions import Inhibitor
from runner.engine.probe import runner_agent
from runner.tools import answers, detached
from runner.tools.agent import PROGRAM
from tests.contract.two_hosts import wait_for
from tests.vm.machine import Machine

PLAN, STEP = "2026-11-23T081500Z", "updates-server/install"


def test_a_unit_that_is_stopped_leaves_its_command_alone_and_so_does_a_shutdown(machine: Machine) -> None:
    argv = machine.ssh("dd", f"of={PROGRAM}", "status=none")
    subprocess.run(argv, input=runner_agent(), check=True, timeout=60)
    machine.run("chmod", "755", PROGRAM)
    command = ("sh", "-c", "touch /run/begun; sleep 12; echo over; exit 7")
    unit = ("systemd-run", "--quiet", "--unit=runs-the-runner")
    machine.run(*unit, *detached.run(PROGRAM, PLAN, STEP, command, packages=""))
    wait_for(lambda: machine.run("test", "-e", "/run/begun", check=False).returncode == 0, seconds=60)
    machine.run("systemctl", "stop", "runs-the-runner")
    (begun,) = detached.parse_detached(machine.run(PROGRAM, "detached").stdout)
    assert (begun.alive, begun.exit) == (True, None)
    # What a shutdown does to it: it is waited for.
    machine.run("systemctl", "stop", "runner-detached-*.scope", timeout=90)
    result = machine.run(*detached.again(PROGRAM, PLAN, STEP), check=False)
    answer = answers.read(result.stdout, DetachAnswer)
    assert answer
    assert (result.returncode, answer.exit, answer.log) == (7, 7, ("over",))


def test_what_systemd_says_of_the_machine_is_told(machine: Machine) -> None:
    argv = machine.ssh("dd", f"of={PROGRAM}", "status=none")
    subprocess.run(argv, input=runner_agent(), check=True, timeout=60)
    machine.run("chmod", "755", PROGRAM)
    why = ("--who=a backup", "--why=rsync läuft", "sleep", "300")
    machine.run("systemd-run", "--quiet", "systemd-inhibit", "--what=shutdown", "--mode=block", *why)
    machine.run("systemd-run", "--quiet", "--unit=broken", "false")

    def up() -> detached.Up:
        answer = detached.parse_up(machine.run(PROGRAM, "up").stdout)
        assert answer
        return answer

    wait_for(lambda: bool(up().inhibitors), seconds=60)
    answer = up()
    assert answer.inhibitors == (Inhibitor(who="a backup", why="rsync läuft", what="shutdown"),)
    assert (answer.systemd, answer.system, answer.failed) == (True, "degraded", ("broken.service",))
    assert answer.boot_id == machine.boot_id()
    assert "/srv/backups/papio" in dict(answer.mounts).values()
