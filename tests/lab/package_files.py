"""What the tests of a real Debian install and upgrade there, and how they read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from runner.jobs.packages.debian import facts as packages_apt
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.packages import PackageFacts, Update
from runner.model.site import Host
from tests.lab.archive import SECURITY, STABLE, Archive, Deb
from tests.lab.debian import World

KERNEL, META = "linux-image-9.9.9-demo", "linux-image-demo"


def meta(version: str, kernel: str) -> Deb:
    """The package that depends on the kernel of the day, as linux-image-amd64 does."""
    needs = {"Depends": f"linux-image-{kernel}-demo (= 1.0)", "Section": "kernel"}
    return Deb(name=META, version=version, control=needs)


OLD = (
    Deb(name="demo-lib", version="1.0"),
    Deb(name="libc-demo", version="1.0"),
    Deb(name="demo-feature", version="1.0"),
    Deb(name="demo-app", version="1.0", control={"Depends": "demo-lib (>= 1.0), libc-demo (>= 1.0)"}),
    Deb(name=KERNEL, version="1.0"),
    meta("1", "9.9.9"),
)
NEW = (
    Deb(name="demo-lib", version="1.1", control={"Depends": "demo-extra"}),
    Deb(name="demo-extra", version="1.0"),
    Deb(name="libc-demo", version="1.1"),
    Deb(name="demo-app", version="1.1", control={"Depends": "demo-lib (>= 1.0), libc-demo (>= 1.1)"}),
    Deb(name="linux-image-9.9.10-demo", version="1.0"),
    meta("2", "9.9.10"),
)


def grown(world: World, archive: Archive, *more: Deb) -> None:
    """The old packages are installed, and the new ones are there to be had."""
    archive.add(*OLD, *more)
    world.install("demo-app", "demo-feature", META, *(deb.name for deb in more))
    archive.add(*NEW, suite=SECURITY)
    archive.add(Deb(name="demo-feature", version="1.1"), suite=STABLE)


def read(world: World, hold: Sequence[str] | None = None) -> PackageFacts:
    """What the adapter makes of the world as it is now."""
    host = Host(name="debian", address="127.0.0.1", packages="apt", hold=tuple(world.hold if hold is None else hold))
    survey = packages_apt.probes(host)[0]
    done = world.run(*survey.argv, check=False)
    reading = Reading(exit=done.returncode, out=done.stdout, err=done.stderr)
    known = HostFacts(name="debian", readings={survey.id: reading})
    return packages_apt.read(host, Facts(at=datetime.now(UTC), hosts={"debian": known}))


def named(updates: Sequence[Update]) -> dict[str, str]:
    """New versions by name."""
    return {update.name: update.new for update in updates}


def by_dpkg(world: World) -> set[str]:
    """What dpkg holds, as apt-mark says."""
    return set(world.run("apt-mark", "showhold").stdout.split())


def by_aptitude(world: World) -> set[str]:
    """What aptitude itself says it holds."""
    search = ("aptitude", "-q", "search", "~ahold", "-F", "%p", "--disable-columns")
    return set(world.run(*search, check=False).stdout.split())
