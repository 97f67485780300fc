"""A real Debian whose own settings hide a security update: it is named, and the file that hides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.model.packages import PackageFacts, Trouble
from tests.lab.archive import SECURITY, Archive, Deb
from tests.lab.debian import World
from tests.lab.package_files import OLD, named, read
from tests.lab.upkeep_site import DAILY, Keeper, present
from tests.soak import few

pytest_plugins = ("tests.lab.debian_fixtures",)

PARTS = "/etc/apt/preferences.d"
OTHER = "Package: other\nPin: release a=x\nPin-Priority: 5\n\n"


def only(known: PackageFacts) -> Trouble:
    (trouble,) = known.troubles
    assert trouble.what == "hidden"
    return trouble


def grown(world: World, archive: Archive) -> None:
    archive.add(*OLD)
    world.install("demo-app", "demo-feature")
    archive.add(Deb(name="demo-lib", version="1.1"), Deb(name="demo-feature", version="1.1"), suite=SECURITY)


HIDES = {
    "kept at a version": (
        f"{PARTS}/mine", f"# mine\n\n{OTHER}Explanation: no\nPackage: demo-lib\nPin: version 1.0\nPin-Priority: 1001\n",
        f"{PARTS}/mine:8", {"demo-feature"},
    ),
    "its version refused": (
        f"{PARTS}/mine.pref", "Package: demo-l*\nPin: version 1.1\nPin-Priority: -1\n", f"{PARTS}/mine.pref:1",
        {"demo-feature"},
    ),
    "the archive refused": (
        "/etc/apt/preferences", f"\n{OTHER}Package: *\nPin: release l=Demo-Security\nPin-Priority: -1\n",
        "/etc/apt/preferences:6", set[str](),
    ),
    "another release preferred": (
        "/etc/apt/apt.conf.d/99release", '// Default-Release\nAPT { Default-Release "stable"; };\n',
        "APT::Default-Release in /etc/apt/apt.conf.d/99release:2", set[str](),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDES)
@pytest.mark.parametrize("hold", few([(), ("demo-lib",)], ("demo-lib",)), ids=["no hold", "held"])
def test_what_apts_own_settings_hide_is_named_with_the_place_that_hides_it(
    world: World, archive: Archive, name: str, hold: tuple[str, ...]
) -> None:
    path, text, place, updates = HIDES[name]
    grown(world, archive)
    world.write(path, text)
    world.write(f"{PARTS}/not.read", "Package: *\nPin: release *\nPin-Priority: 1\n")
    world.write(f"{PARTS}/other", OTHER)
    known = read(world)
    assert set(named(known.updates)) == updates
    assert only(known).text.startswith(f"hidden by {place}, so not installed although a security archive has it: ")
    assert only(known).text.endswith("demo-lib 1.1" if updates else "demo-feature 1.1, demo-lib 1.1")


def test_two_settings_that_hide_one_together_are_both_named(world: World, archive: Archive) -> None:
    grown(world, archive)
    for number in (1, 2):
        world.write(f"{PARTS}/{number}", "Package: demo-lib\nPin: version 1.0\nPin-Priority: 1001\n")
    assert only(read(world)).text.startswith(f"hidden by {PARTS}/1:1, {PARTS}/2:1, so ")


def test_what_nothing_hides_and_what_is_older_than_what_is_there_is_no_trouble(world: World, archive: Archive) -> None:
    archive.add(*OLD, Deb(name="demo-lib", version="2.0"))
    world.install("demo-app", "demo-feature")
    archive.add(Deb(name="demo-lib", version="1.9"), Deb(name="not-installed", version="1.1"), suite=SECURITY)
    world.write(f"{PARTS}/other", OTHER)
    assert (read(world).updates, read(world).troubles) == ((), ())


def test_without_an_archive_nothing_is_said_to_be_well(world: World, archive: Archive) -> None:
    grown(world, archive)
    assert read(world).for_security
    world.write("/etc/apt/sources.list", archive.sources.splitlines()[0] + "\n")
    assert not read(world).for_security
    world.write("/etc/apt/sources.list", "")
    known = read(world)
    assert [trouble.what for trouble in known.troubles] == ["moved"]
    assert known.troubles[0].text == "apt knows no archive, so there can be no update"


def test_the_mail_of_a_day_on_which_one_is_hidden_asks_for_a_person(
    world: World, archive: Archive, tmp_path: Path
) -> None:
    grown(world, archive)
    world.write(f"{PARTS}/mine", "Package: demo-*\nPin: version 1.0\nPin-Priority: 1001\n")
    world.serve_ssh()
    keeper = Keeper(world, archive, tmp_path / "site")
    keeper.rebooted()
    day = keeper.cron()
    keeper.rebooted()
    day = keeper.cron()
    assert day.code == 3
    assert day.mail.subject.startswith(f"[babase] attention needed: {DAILY}: hidden by {PARTS}/mine:1, so")
    present(
        day.mail.flat,
        ["a security archive has it: demo-feature 1.1, demo-lib 1.1", "fetched just now; some are hidden there"],
    )
    assert "nothing done" not in day.mail.text
    world.write("/etc/apt/sources.list", archive.sources.splitlines()[0] + "\n")
    world.run("rm", f"{PARTS}/mine")
    day = keeper.cron()
    assert day.code == 3
    present(day.mail.flat, ["none of the archives of backup-server1 is for security updates"])
