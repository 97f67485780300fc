"""A real machine that is switched off for moving or unplugging."""

from __future__ import annotations

from tests.lab.site import until
from tests.vm.recipe import STORE
from tests.vm.site import HALT, PRESS, Site
from tests.vm.test_machine import mounted


def test_a_machine_that_is_halted_is_really_off_its_disk_is_clean_and_somebody_knows_the_button(site: Site) -> None:
    machine = site.machine
    machine.run("sh", "-c", f"echo kept > {STORE}/file")
    ran = site.run("run", HALT, "--yes")
    assert ran.code == 0, ran.said
    machine.await_off(30)
    assert "press the round button on the front" in ran.said
    assert "round button" in site.mail().replace("=\n", "")

    machine.press_button()
    machine.await_boot()
    assert machine.await_settled() == "running"
    assert mounted(machine)
    assert machine.run("cat", f"{STORE}/file").stdout == "kept\n"
    said = machine.run("journalctl", "-b", "-o", "cat", "-u", "systemd-fsck@*").stdout
    assert "recovering journal" not in said, "it was unmounted before the power went"


def test_a_machine_to_which_something_is_written_is_not_halted(site: Site) -> None:
    site.fill("much", 300)
    snapshot = site.start("run", "backup-papio")
    until("the transfer", site.partials, 180)
    ran = site.run("run", HALT, "--yes")
    assert ran.code in (4, 75), ran.said
    assert "backup-papio" in ran.said or "store papio" in ran.said, ran.said
    assert snapshot.poll() is None, "the snapshot was still under way"
    done = site.finish(snapshot)
    assert done.code == 0, done.said
    assert site.machine.on
    assert len(site.sealed()) == 1


def test_writers_that_are_stopped_leave_a_snapshot_that_the_next_run_takes_up(site: Site) -> None:
    machine = site.machine
    site.declare(halt=f"{PRESS}\nstop_writers = true")
    site.fill("much", 400)
    snapshot = site.start("run", "backup-papio")
    until("the transfer", site.partials, 180)
    (name,) = site.partials()
    ran = site.run("run", HALT, "--yes")
    assert ran.code == 0, ran.said
    machine.await_off(30)
    ended = site.finish(snapshot)
    assert ended.code == 1, ended.said
    assert "What was sent is kept, and the next run takes it up" in ended.said

    machine.press_button()
    machine.await_boot()
    machine.await_settled()
    assert mounted(machine)
    assert site.partials() == [name]
    assert site.sealed() == []
    plan, shown = site.plan("backup-papio")
    assert "takes up 1 interrupted snapshot" in shown
    assert [step["id"] for step in plan["steps"]][-1] == "backup-papio/reap"
