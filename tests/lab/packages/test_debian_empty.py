"""What a real Debian is asked, each time with something empty: what is wrong there is seen all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.jobs.packages.debian import apt
from tests.lab.archive import SECURITY, Archive, Deb
from tests.lab.debian import World
from tests.lab.package_files import OLD, named, read
from tests.soak import few

pytest_plugins = ("tests.lab.debian_fixtures",)
STATE, LOCKS = "/var/lib/aptitude/pkgstates", ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock",
                                              "/var/cache/apt/archives/lock")  # fmt: skip


def no_aptitude(world: World) -> None:
    world.run("sh", "-c", "rm -f $(command -v aptitude)")


def no_lock_file(world: World) -> None:
    world.run("rm", "-f", *LOCKS)


EMPTY: dict[str, Callable[[World], object]] = {
    "no hold": lambda _: None,
    "a hold that fits nothing": lambda world: setattr(world, "hold", ("nothing-*",)),
    "a hold that is no pattern": lambda world: setattr(world, "hold", ("$(false)",)),
    "no aptitude": no_aptitude,
    "nothing that aptitude keeps": lambda world: world.write(STATE, ""),
    "no lock file": no_lock_file,
    "no list of archives": lambda world: world.run("sh", "-c", "rm -rf /var/lib/apt/lists/*_*"),
    "no preferences": lambda world: world.run("sh", "-c", "rm -rf /etc/apt/preferences*"),
    "no update log": lambda world: world.run("rm", "-rf", "/var/lib/dpkg/updates"),
}


@pytest.fixture
def hold() -> tuple[str, ...]:
    """Nothing."""
    return ()


@pytest.mark.parametrize("name", few(EMPTY, "no hold", "no aptitude", "no list of archives"))
def test_what_is_broken_and_held_is_seen_whatever_is_empty(world: World, archive: Archive, name: str) -> None:
    archive.add(*OLD)
    world.install("demo-app", "demo-feature")
    archive.add(Deb(name="demo-lib", version="1.1", scripts={"postinst": "exit 1"}), suite=SECURITY)
    world.run(*apt.refresh())
    world.run("apt-get", "-qq", "-y", "install", "demo-lib", check=False)
    world.run("apt-mark", "hold", "libc-demo")
    archive.add(Deb(name="demo-feature", version="1.1"), Deb(name="libc-demo", version="1.1"), suite=SECURITY)
    EMPTY[name](world)
    known = read(world)
    assert [(trouble.what, trouble.package) for trouble in known.troubles] == [("half", "demo-lib")]
    assert known.stray == ("libc-demo",)
    assert named(known.updates) == {"demo-feature": "1.1"}
    assert [held.update.name for held in known.held] == ["libc-demo"]


def test_a_debian_that_has_all_is_told_so_with_no_hold(world: World, archive: Archive) -> None:
    archive.add(*OLD)
    world.install("demo-app")
    known = read(world)
    assert (known.fresh, known.updates, known.held, known.troubles) == (True, (), (), ())
