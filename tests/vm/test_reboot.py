"""Reboots that go wrong on a real machine: each is noticed, and named with what was last seen."""

from __future__ import annotations

import pytest

from tests.lab.site import until
from tests.vm.mishaps import NEWER, break_disk, inhibited, install_newer_kernel, make_due, panic_at_boot
from tests.vm.recipe import STORE
from tests.vm.site import REBOOT, Site

SOON = 'patience = "1min"'


def states(said: str) -> dict[str, str]:
    """How each step of the reboot ended, by its name, as the progress lines say."""
    lines = [line.partition(f" {REBOOT}/")[2] for line in said.splitlines() if f" {REBOOT}/" in line]
    return {name: how for name, _, how in (line.partition(": ") for line in lines)}


def test_a_machine_that_panics_is_told_as_not_back_with_what_was_last_seen(site: Site) -> None:
    site.declare(reboot=SOON)
    panic_at_boot(site.machine)
    ran = site.run("run", REBOOT, "--yes")
    assert ran.code == 1, ran.said
    assert "not back" in ran.said or "did not come back" in ran.said, ran.said
    assert "back" in site.mail()
    assert "experts@localhost" in site.mail()
    assert "Kernel panic" in site.machine.console
    assert site.machine.answers() is False


def test_a_machine_whose_power_fails_during_the_reboot_is_told_as_not_back(site: Site) -> None:
    site.declare(reboot=SOON)
    site.machine.stay_off_after()
    ran = site.run("run", REBOOT, "--yes")
    assert ran.code == 1, ran.said
    assert "experts@localhost" in site.mail()
    assert not site.machine.on


def test_a_machine_that_boots_the_old_kernel_is_told(site: Site) -> None:
    install_newer_kernel(site.machine)
    before = site.machine.boot_id()
    ran = site.run("run", REBOOT, "--yes")
    assert ran.code == 1, ran.said
    assert f"not {NEWER}" in ran.said, ran.said
    assert site.machine.boot_id() not in ("", before)


@pytest.mark.parametrize("how", ["taken away", "damaged"])
def test_a_machine_that_comes_back_without_its_disk_is_told(how: str, site: Site) -> None:
    machine = site.machine
    if how == "damaged":
        break_disk(machine)
    else:
        machine.hold_reboot()
    running = site.start("run", REBOOT, "--yes")
    if how == "taken away":
        machine.await_held()
        machine.take_disk()
        machine.go_on()
    ran = site.finish(running)
    assert ran.code == 1, ran.said
    assert "disk-papio-snapshots" in ran.said
    assert f"nothing is mounted at {STORE}" in ran.said, ran.said
    assert "experts@localhost" in site.mail()


def test_a_snapshot_under_way_refuses_the_reboot_and_is_not_disturbed(site: Site) -> None:
    site.fill("much", 300)
    snapshot = site.start("run", "backup-papio")
    until("the transfer", site.partials, 180)
    before = site.machine.boot_id()
    ran = site.run("run", REBOOT, "--yes")
    assert ran.code in (4, 75), ran.said
    assert "backup-papio" in ran.said or "store papio" in ran.said, ran.said
    assert snapshot.poll() is None, "the snapshot was still under way"
    done = site.finish(snapshot)
    assert done.code == 0, done.said
    assert site.machine.boot_id() == before
    assert len(site.sealed()) == 1


def test_a_machine_that_somebody_asks_to_stay_up_is_not_rebooted(site: Site) -> None:
    before = site.machine.boot_id()
    with inhibited(site.machine, "a long computation"):
        ran = site.run("run", REBOOT, "--yes")
    assert ran.code == 4, ran.said
    assert "karl" in ran.said and "a long computation" in ran.said, ran.said
    assert site.machine.boot_id() == before


def test_a_plan_that_somebody_inhibits_after_its_review_does_not_reboot(site: Site) -> None:
    before = site.machine.boot_id()
    _, shown = site.plan(REBOOT)
    assert (site.folder / "plan.toml").exists(), shown
    with inhibited(site.machine, "a long computation"):
        ran = site.run("apply", str(site.folder / "plan.toml"))
    assert ran.code not in (0, 70), ran.said
    assert "a long computation" in ran.said, ran.said
    assert site.machine.boot_id() == before


def test_a_check_can_be_done_while_the_machine_is_up_or_put_off(site: Site) -> None:
    make_due(site.machine)
    site.declare(fsck='when_due = "defer"')
    ran = site.run("run", REBOOT, "--yes")
    assert ran.code == 0, ran.said
    journal = site.machine.run("journalctl", "-b", "-o", "cat", "-u", "systemd-fsck@*").stdout
    assert "check forced" not in journal
    after = site.machine.run("sh", "-c", "tune2fs -l /dev/disk/by-label/papio").stdout
    assert "Check interval:           10368000" in after
    assert "Jan  1" in after, "no date was made up"

    site.declare(fsck='when_due = "forward"')
    ran = site.run("run", REBOOT, "--yes")
    assert ran.code == 0, ran.said
    journal = site.machine.run("journalctl", "-b", "-o", "cat", "-u", "systemd-fsck@*").stdout
    assert "check forced" not in journal
    after = site.machine.run("sh", "-c", "tune2fs -l /dev/disk/by-label/papio").stdout
    assert "Jan  1" not in after, "it was checked, while the machine was up"
