"""A small third family, as an installed package could bring it: apk of Alpine Linux. It holds nothing."""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobs.packages import outdated
from runner.jobs.packages.family import Family
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host

SURVEY = "packages.apk"


class Alpine(Family):
    """apk(8); the look prints NAME ARCH OLD NEW, a line an update."""

    lists = "apk"
    policy = "all"
    only_named = True
    kernels = ("linux-lts",)
    fill_boot = ("linux-*", "mkinitfs")
    need_reboot = ("linux-*", "musl")
    by_hand = "apk fix"
    write_initrd = "mkinitfs"
    write_entry = "update-extlinux"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """One look, and what runs that is older than its files."""
        look = Probe(id=SURVEY, host=host.name, argv=("apk", "version", "-l", "<"), needs=("packages",))
        return (look, outdated.probe(host))

    def read(self, host: Host, facts: Facts) -> PackageFacts:
        """The updates as printed."""
        reading = facts.reading(host.name, SURVEY)
        rows = [line.split() for line in reading.out.splitlines()] if reading else []
        updates = tuple(Update(name=name, arch=arch, old=old, new=new) for name, arch, old, new in rows)
        return PackageFacts(fresh=reading is not None, updates=updates)

    def repair(self) -> Argv:
        """Install what is missing."""
        return ("apk", "fix")

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists."""
        return ("apk", "update")

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these."""
        return ("apk", "add", "--", *(f"{update.name}={update.new}" for update in updates))

    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
        """As install: nothing is held."""
        return self.install(host, updates)

    def look(self, updates: Sequence[Update]) -> Argv:
        """See that all is whole."""
        return ("apk", "audit", "--check-permissions")

    def label(self, update: Update) -> str:
        """apk has one architecture a host."""
        return update.name

    def named(self, word: str) -> Update | None:
        """The package in NAME=VERSION."""
        name, equals, version = word.partition("=")
        return Update(name=name, arch="", old="", new=version) if equals and not name.startswith("-") else None

    def kernel_release(self, updates: Sequence[Update]) -> str:
        """The version of its only kernel."""
        return next((f"{update.new}-lts" for update in updates if update.name == "linux-lts"), "")
