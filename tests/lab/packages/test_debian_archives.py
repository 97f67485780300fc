"""A real Debian of whose archives one does not answer: what the others have is installed, and a person is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.archive import SECURITY, STABLE, Archive, Deb
from tests.lab.debian import World
from tests.lab.package_files import META, OLD, grown, named, read
from tests.lab.upkeep_site import DAILY, UPGRADE, Keeper, present

pytest_plugins = ("tests.lab.debian_fixtures",)

UNSIGNED = "the lists of an archive are not signed as they should be: "


def with_pin(world: World, name: str, label: str) -> None:
    """Somebody wants a package from the archive of that label, and from no other."""
    world.write("/etc/apt/preferences.d/one", f"Package: {name}\nPin: release l={label}\nPin-Priority: 900\n")


def test_what_is_found_is_of_the_archives_that_answered_alone(world: World, archive: Archive) -> None:
    grown(world, archive)
    world.run("apt-get", "-qq", "update")
    archive.spoil(SECURITY)
    # The lists of before have these, and nobody knows whether they are still to be had.
    known = read(world)
    assert (known.fresh, known.partly) == (False, True)
    assert (named(known.updates), known.held) == ({"demo-feature": "1.1"}, ())
    (only,) = known.troubles
    assert only.text.startswith(
        f"no package lists of http://127.0.0.1:{archive.port} demo-security, so nothing new is known from there: "
        f"{UNSIGNED}"
    )
    archive.publish(SECURITY)
    archive.spoil(STABLE)
    known = read(world)
    assert "demo-feature" not in named(known.updates)
    assert {"demo-lib", "demo-extra"} <= set(named(known.updates)), "the other way round as well"
    assert {held.update.name for held in known.held} >= {"libc-demo", META}


def test_a_package_does_not_go_over_to_another_archive_since_its_own_is_away(world: World, archive: Archive) -> None:
    grown(world, archive)
    with_pin(world, "demo-lib", "Demo")
    assert "demo-lib" not in named(read(world).updates)
    world.run("apt-get", "-qq", "update")
    archive.spoil(STABLE)
    known = read(world)
    assert known.partly
    assert "demo-lib" not in named(known.updates)
    assert "demo-lib" not in {held.update.name for held in known.held}


def test_what_wants_something_from_the_archive_that_is_away_is_no_trouble_of_its_own(
    world: World, archive: Archive
) -> None:
    grown(world, archive, Deb(name="demo-torn", version="1.0"))
    archive.add(Deb(name="demo-torn", version="1.1", control={"Depends": "demo-there"}), suite=SECURITY)
    archive.add(Deb(name="demo-there", version="1.0"), suite=STABLE)
    world.run("apt-get", "-qq", "update")
    archive.spoil(STABLE)
    known = read(world)
    (only,) = known.troubles
    assert only.text.endswith("; perhaps for that reason these are not upgraded: demo-torn")
    assert "demo-torn" not in named(known.updates)
    assert "demo-lib" in named(known.updates)


def test_what_apt_would_take_a_file_for_from_the_archive_that_is_away_keeps_nothing_else_back(
    world: World, archive: Archive
) -> None:
    grown(world, archive, Deb(name="demo-free", version="1.0"))
    archive.add(Deb(name="demo-free", version="1.1"), suite=SECURITY)
    archive.add(Deb(name="demo-extra", version="2.0"), suite=STABLE)
    world.run("apt-get", "-qq", "update")
    archive.spoil(STABLE)
    known = read(world)
    # For demo-lib apt takes demo-extra of the old lists.
    assert named(known.updates) == {"demo-free": "1.1"}
    (only,) = known.troubles
    assert only.text.endswith("; perhaps for that reason these are not upgraded: demo-lib")


def test_an_archive_without_a_package_is_not_taken_for_one_that_is_away(world: World, archive: Archive) -> None:
    archive.add(*OLD)
    world.install("demo-app")
    other = archive.sources.splitlines()[0].replace(" demo main", " nowhere main")
    world.write("/etc/apt/sources.list", f"{archive.sources}{other}\n")
    known = read(world)
    assert known.partly
    (only,) = known.troubles
    assert only.text.startswith(f"no package lists of http://127.0.0.1:{archive.port} nowhere, so ")


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive of somebody else, at an address of its own: apt hangs where only some ports of one answer."""
    with Archive(tmp_path_factory.mktemp("vendor"), "127.0.0.2") as made:
        made.add(Deb(name="vendor-tool", version="1.0"), Deb(name="demo-lib", version="1.0"))
        yield made


@pytest.fixture(scope="module")
def keeper(base: Path, vendor: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    folder = tmp_path_factory.mktemp("archives")
    with Archive(folder / "archive") as archive, World(base, folder / "world", archive) as world:
        archive.add(*OLD)
        world.write("/etc/apt/vendor.gpg", vendor.key)
        theirs = vendor.sources.splitlines()[0].replace("demo.gpg", "vendor.gpg")
        world.write("/etc/apt/sources.list.d/vendor.list", f"{theirs}\n")
        world.install("demo-app", "demo-feature", META, "vendor-tool")
        world.serve_ssh()
        time.sleep(1.1)
        made = Keeper(world, archive, folder / "site")
        made.rebooted()
        assert made.cron().code == 0
        made.rebooted()
        yield made


def test_an_archive_that_died_keeps_no_security_update_away_and_is_told_each_day(
    keeper: Keeper, vendor: Archive
) -> None:
    keeper.published(Deb(name="demo-lib", version="1.1"), Deb(name="demo-feature", version="1.1"))
    vendor.stop()
    told = f"no package lists of http://127.0.0.2:{vendor.port} demo, so nothing new is known from there: "
    done = keeper.cron()
    assert done.code == 3
    assert done.mail.subject.startswith(f"[babase] attention needed: {DAILY}: {told[:40]}")
    present(done.mail.flat, [told, "an archive of packages cannot be reached: ", "take it out of /etc/apt/sources.list",
                             f"{DAILY}: 2 packages upgraded; not every archive answered"])  # fmt: skip
    present(done.mail.text, ["    - demo-feature 1.0 -> 1.1\n", "    - demo-lib 1.0 -> 1.1\n"])
    assert keeper.world.versions("demo-lib")["demo-lib"] == "ii 1.1"
    day = keeper.cron()
    assert day.code == 3
    present(day.mail.flat, [told, "no security update for backup-server1, by package lists fetched just now; "
                            "not every archive answered"])  # fmt: skip
    asked = keeper.runner("run", UPGRADE, "--yes")
    assert asked.code == 4
    present(asked.mail.flat, [f"refused by {UPGRADE}: {told}"])
    vendor.start()
    whole = keeper.cron()
    assert (whole.code, whole.mail.subject.partition(":")[0]) == (0, "[babase] nothing done")


@pytest.mark.parametrize("fault", ["dead", "expired", "spoilt"])
def test_without_the_security_archive_nothing_reads_as_if_there_were_nothing_to_do(keeper: Keeper, fault: str) -> None:
    keeper.archive.publish(SECURITY)
    if fault == "dead":
        keeper.archive.stop()
    elif fault == "expired":
        keeper.archive.publish(SECURITY, valid="Mon, 01 Jan 2024 00:00:00 UTC")
    else:
        keeper.archive.spoil(SECURITY)
    day = keeper.cron()
    if fault == "dead":
        keeper.archive.start()
    keeper.archive.publish(SECURITY)
    assert day.code == 3
    assert day.mail.subject.startswith(f"[babase] attention needed: {DAILY}: no package lists of ")
    assert "nothing done" not in day.mail.text
    present(day.mail.flat, [f"http://127.0.0.1:{keeper.archive.port} demo-security", "not every archive answered"])
    assert keeper.cron().code == 0
