"""What became of packages is told from two lists, with the real dpkg and rpm, whatever the command said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.agent.detached.contract import DetachAnswer
from runner.tools import answers, detached
from tests.contract.storehouse import execute
from tests.contract.two_hosts import HostHouse

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can install packages")


@pytest.fixture
def house(tmp_path: Path) -> HostHouse:
    (tmp_path / "root/etc").mkdir(parents=True)
    return HostHouse(state=tmp_path / "state", locks=tmp_path / "locks")


@pytest.fixture
def admin(tmp_path: Path) -> Path:
    """A dpkg database of its own in which nothing is installed."""
    folder = tmp_path / "admin"
    for each in ("info", "updates", "triggers"):
        (folder / each).mkdir(parents=True)
    for each in ("status", "available"):
        (folder / each).touch()
    return folder


def deb(folder: Path, name: str, version: str, postinst: str = "exit 0", arch: str = "all") -> str:
    """A package without files, whose installation ends as `postinst` does."""
    tree = folder / f"{name}_{version}_{arch}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: x <x@example.org>\nDescription: x\n"
    )
    script = tree / "DEBIAN/postinst"
    script.write_text(f"#!/bin/sh\n{postinst}\n")
    script.chmod(0o755)
    made = folder / f"{tree.name}.deb"
    subprocess.run(("dpkg-deb", "--build", str(tree), str(made)), check=True, capture_output=True)
    return str(made)


def dpkg(house: HostHouse, admin: Path, step: str, *argv: str) -> detached.DetachAnswer:
    with house.held():
        options = ("--packages=dpkg", f"--env=DPKG_ADMINDIR={admin}")
        result = house.detach(*options, "--", "dpkg", "--log=/dev/null", *argv, step=step)
    answer = answers.read(result.out.decode(), DetachAnswer)
    assert answer, result.out
    assert (answer.exit, answer.problem) == (result.code, "")
    return answer


def test_dpkg_is_known_by_its_list_before_and_after(house: HostHouse, admin: Path, tmp_path: Path) -> None:
    first = dpkg(house, admin, "job/1", "-i", deb(tmp_path, "libc-demo", "1.0"), deb(tmp_path, "old-demo", "2:3"))
    assert first.packages.installed == (("libc-demo", "1.0"), ("old-demo", "2:3"))
    assert (first.packages.upgraded, first.packages.removed, first.packages.unfinished) == ((), (), ())
    second = dpkg(
        house, admin, "job/2", "-i", deb(tmp_path, "libc-demo", "1.1"), deb(tmp_path, "new-demo", "1", "exit 1")
    )
    assert second.exit == 1
    assert second.packages.upgraded == (("libc-demo", "1.0", "1.1"),)
    assert second.packages.installed == (("new-demo", "1"),)
    assert second.packages.unfinished == (("new-demo", "half-configured"),)
    third = dpkg(house, admin, "job/3", "--purge", "old-demo")
    assert third.packages.removed == (("old-demo", "2:3"),)
    assert third.packages.unfinished == second.packages.unfinished
    changed = execute((*house.program, "outdated", f"--state={house.state}")).answer["changed"]
    assert ["libc-demo", "1.1"] in changed
    assert ["new-demo", "1"] in changed


def test_a_held_package_is_not_unfinished_and_unpacked_is(house: HostHouse, admin: Path, tmp_path: Path) -> None:
    dpkg(house, admin, "job/1", "-i", deb(tmp_path, "kernel-demo", "1"))
    selected = "echo kernel-demo hold | dpkg --set-selections"
    with house.held():
        options = ("--packages=dpkg", f"--env=DPKG_ADMINDIR={admin}")
        held = house.detach(*options, "--", "sh", "-c", selected, step="job/2").answer["packages"]
    assert held == {"upgraded": [], "installed": [], "removed": [], "unfinished": []}
    unpacked = dpkg(house, admin, "job/3", "--unpack", deb(tmp_path, "kernel-demo", "2"))
    assert unpacked.packages.upgraded == (("kernel-demo", "1", "2"),)
    assert unpacked.packages.unfinished == (("kernel-demo", "unpacked"),)


def test_who_failed_is_known_by_the_package_managers_own_events(house: HostHouse, admin: Path) -> None:
    events = (
        "pmstatus:demo:1:Installing", "pmerror:/var/a_b/demo_1.1_all.deb:5.8:no: it\\033[2J fails", "pmerror:other:9:no",
        "pmerror:other:9:no", "pmerror:bad", "",
    )  # fmt: skip
    script = "printf '" + "\\n".join(events) + '\' >>"$RUNNER_EVENTS"; exit 1'
    with house.held():
        options = ("--packages=dpkg", f"--env=DPKG_ADMINDIR={admin}")
        result = house.detach(*options, "--", "sh", "-c", script)
    assert result.answer["failed"] == [["demo", "no: it\\x1b[2J fails"], ["other", "no"]]


def test_events_that_cannot_be_read_are_not_said_to_name_nobody(house: HostHouse, admin: Path) -> None:
    script = 'rm -f "$RUNNER_EVENTS"; mkdir "$RUNNER_EVENTS"; exit 1'
    with house.held():
        options = ("--packages=dpkg", f"--env=DPKG_ADMINDIR={admin}")
        result = house.detach(*options, "--", "sh", "-c", script)
    assert result.answer["problem"] == "the package manager's own events cannot be read: Is a directory"


def test_what_was_done_before_the_machine_went_down_is_told_after_it(
    house: HostHouse, admin: Path, tmp_path: Path
) -> None:
    package = deb(tmp_path, "libc-demo", "1.0", "kill -9 $(cat $DPKG_ADMINDIR/worker); kill -9 $PPID; exit 1")
    with house.held():
        options = ("--packages=dpkg", f"--env=DPKG_ADMINDIR={admin}")
        began = house.folder / "began.json"
        script = (
            f"sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p' {began} > {admin}/worker; "
            f"exec dpkg --log=/dev/null -i {package}"
        )
        result = house.detach(*options, "--", "sh", "-c", script)
    assert (result.code, result.answer["exit"]) == (1, None)
    assert result.answer["packages"]["installed"] == [["libc-demo", "1.0"]]
    assert result.answer["packages"]["unfinished"] == [["libc-demo", "half-configured"]]


def test_a_list_that_cannot_be_read_lets_nothing_begin(house: HostHouse, tmp_path: Path) -> None:
    with house.held():
        options = ("--packages=dpkg", "--env=DPKG_ADMINDIR=/no/such/folder")
        result = house.detach(*options, "--", "touch", str(tmp_path / "there"))
    assert result.code == 1
    assert "no /no/such/folder/status" in result.answer["error"]
    assert not (tmp_path / "there").exists()


@pytest.mark.packages
@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_rpm_is_known_by_its_list_before_and_after(house: HostHouse, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text(f"%_dbpath {tmp_path}/rpmdb\n")
    subprocess.run(("rpm", "--initdb"), check=True, env={**os.environ, "HOME": str(home)})
    made = [rpm(tmp_path, version, epoch) for version, epoch in (("1", 0), ("2", 0), ("3", 4))]

    def after(step: str, *argv: str) -> detached.DetachAnswer:
        with house.held():
            options = ("--packages=rpm", f"--env=HOME={home}")
            result = house.detach(*options, "--", "rpm", *argv, "--justdb", step=step)
        answer = answers.read(result.out.decode(), DetachAnswer)
        assert answer and answer.exit == 0, result.out
        return answer

    assert after("job/1", "-i", made[0]).packages.installed == (("demo", "1-1"),)
    assert after("job/2", "-U", made[1]).packages.upgraded == (("demo", "1-1", "2-1"),)
    # Kernels stay beside each other: one more is installed, none is upgraded.
    both = after("job/3", "-i", "--force", made[2])
    assert (both.packages.installed, both.packages.upgraded) == ((("demo", "4:3-1"),), ())
    assert after("job/4", "-e", "demo-2-1").packages.removed == (("demo", "2-1"),)
    noted = json.loads((house.state / "since-boot.json").read_text())["changed"]
    assert noted == [["demo", "4:3-1"]]


def rpm(folder: Path, version: str, epoch: int) -> str:
    spec = folder / f"{version}.spec"
    spec.write_text(
        f"Name: demo\nVersion: {version}\nRelease: 1\nEpoch: {epoch}\nSummary: x\nLicense: MIT\nBuildArch: noarch\n"
        "%description\nx\n%files\n"
    )
    options = (f"--define=_topdir {folder}/build", f"--define=_rpmdir {folder}", "--define=_rpmfilename %{VERSION}.rpm")
    subprocess.run(("rpmbuild", "-bb", "--quiet", *options, str(spec)), check=True, capture_output=True)
    return str(folder / f"{version}.rpm")
