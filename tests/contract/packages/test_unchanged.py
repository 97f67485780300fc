"""Whether packages are still what a plan was made for: read from the real lists of dpkg, rpm and apt."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.jobs.packages import agent
from runner.jobs.packages.debian.family import Debian
from runner.jobs.packages.family import Family
from runner.jobs.packages.redhat.family import RedHat
from runner.model.packages import Update
from tests.contract.storehouse import PROGRAM, execute

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can install packages")
STATUS = """Package: {name}
Status: {status}
Architecture: {arch}
Multi-Arch: {several}
Version: {version}
Maintainer: x <x@example.org>
Description: x

"""


@pytest.fixture
def admin(tmp_path: Path) -> Path:
    """A dpkg database of its own, as it is after some days."""
    native = subprocess.run(("dpkg", "--print-architecture"), capture_output=True, text=True, check=True)
    rows = (
        ("libc-demo", "install ok installed", native.stdout.strip(), "2:1.0~rc1", "same"),
        ("libc-demo", "install ok installed", "armel", "2:0.9", "same"),
        ("g++-demo", "hold ok installed", "all", "1.0", "no"),
        ("gone-demo", "deinstall ok config-files", "all", "1.0", "no"),
    )
    fields = ("name", "status", "arch", "version", "several")
    text = "".join(STATUS.format(**dict(zip(fields, row, strict=True))) for row in rows)
    folder = tmp_path / "admin"
    (folder / "info").mkdir(parents=True)
    (folder / "status").write_text(text)
    return folder


def asked(update: Update, admin: Path, *options: str, family: Family | None = None, kind: str = "DPKG_ADMINDIR") -> str:
    """What is not as planned; "" where all is."""
    argv = agent.unchanged("runner-agent", "h", family or Debian(), (update,)).argv[1:]
    done = execute((*PROGRAM, argv[0], f"--env={kind}={admin}", *options, *argv[1:])).answer
    assert done["as_planned"] is ("error" not in done)
    return str(done.get("error", ""))


def one(name: str, old: str, new: str, arch: str = "") -> Update:
    return Update(name=name, arch=arch, old=old, new=new)


def test_each_package_must_be_in_the_version_that_the_plan_knows(admin: Path) -> None:
    assert asked(one("libc-demo", "2:1.0~rc1", "2:1.0"), admin) == ""
    assert asked(one("libc-demo:armel", "2:0.9", "2:1.0"), admin) == ""
    assert asked(one("g++-demo", "1.0", "1.1"), admin) == ""
    assert asked(one("new-demo", "", "1"), admin) == asked(one("gone-demo", "", "1"), admin) == ""
    assert asked(one("libc-demo", "2:0.9", "2:1.0"), admin) == (
        "libc-demo is 2:1.0~rc1 now, and 2:0.9 was installed when this was planned"
    )
    assert asked(one("g++-demo", "", "1.0"), admin) == (
        "g++-demo is 1.0 now, and it was not installed when this was planned"
    )
    assert asked(one("gone-demo", "1.0", "1.1"), admin).startswith("gone-demo is not installed now")


def test_room_in_boot_is_a_part_of_it_and_words_that_are_none_are_refused(admin: Path) -> None:
    fine = one("g++-demo", "1.0", "1.1")
    assert asked(fine, admin, "--boot-free=1") == ""
    assert asked(fine, admin, f"--boot-free={1 << 60}").startswith("/boot has ")
    verb = (*PROGRAM, "as-planned", "--packages=dpkg")
    for word in ("g++-demo", "g++-demo=1.0", "=1=2", "g++-demo=1.0=", "a=1=2=3"):
        done = execute((*verb, "--", word))
        assert (done.code, "as_planned" in done.answer) == (1, False), word
    lost = execute((*verb, "--env=DPKG_ADMINDIR=/no/such", "--", "a=1=2"))
    assert "as_planned" not in lost.answer, "what cannot be read is not as planned"


def test_only_so_many_are_named(admin: Path) -> None:
    words = (f"demo-{number}=1=2" for number in range(300))
    done = execute((*PROGRAM, "as-planned", "--packages=dpkg", f"--env=DPKG_ADMINDIR={admin}", "--", *words))
    assert done.answer["error"].endswith("; and 295 more")
    assert len(done.out) < 1000


@pytest.mark.packages
@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_of_a_kernel_beside_others_the_planned_one_must_be_missing_and_the_old_one_there(tmp_path: Path) -> None:
    (tmp_path / ".rpmmacros").write_text(f"%_dbpath {tmp_path}/rpmdb\n")
    home = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(("rpm", "--initdb"), check=True, env=home)
    spec = tmp_path / "kernel.spec"
    for version in ("5.14", "5.15"):
        head = f"Name: kernel-x.y\nVersion: {version}\nRelease: 1.el9\nEpoch: 3\nSummary: x\nLicense: MIT\n"
        spec.write_text(f"{head}BuildArch: noarch\n%description\nx\n%files\n")
        options = (f"--define=_topdir {tmp_path}", f"--define=_rpmdir {tmp_path}", "--define=_rpmfilename x.rpm")
        subprocess.run(("rpmbuild", "-bb", "--quiet", *options, str(spec)), check=True, capture_output=True)
        subprocess.run(("rpm", "-i", "--justdb", "--force", f"{tmp_path}/x.rpm"), check=True, env=home)

    def kernel(old: str, new: str) -> str:
        update = one("kernel-x.y", old, new, "noarch")
        return asked(update, tmp_path, family=RedHat(), kind="HOME")

    assert kernel("3:5.15-1.el9", "3:5.16-1.el9") == ""
    assert kernel("3:5.14-1.el9", "3:5.15-1.el9").startswith(
        "kernel-x.y:noarch is 3:5.14-1.el9 and 3:5.15-1.el9 now, and 3:5.14-1.el9 was installed when"
    )
    assert kernel("", "3:5.16-1.el9") != ""
