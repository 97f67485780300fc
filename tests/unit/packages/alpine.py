"""A small third family, as an installed package could bring it: apk of Alpine Linux. It holds nothing."""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobs.packages.family import Policy
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host

SURVEY = "packages.apk"


class Alpine:
    """apk(8); the look prints NAME ARCH OLD NEW, a line an update."""

    lists = "apk"
    policy: Policy = "all"
    not_all: tuple[int, ...] = ()
    only_named = True
    by_hand = "apk fix"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """One look."""
        return (Probe(id=SURVEY, host=host.name, argv=("apk", "version", "-l", "<"), needs=("packages",)),)

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
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

    def hold(self, names: Sequence[str]) -> Argv:
        """Nothing."""
        return ()

    def verify(self, names: Sequence[str]) -> Argv:
        """Nothing."""
        return ()

    def look(self, updates: Sequence[Update]) -> Argv:
        """See that all is whole."""
        return ("apk", "audit", "--check-permissions")

    def audit(self) -> Argv:
        """Nothing."""
        return ()

    def label(self, update: Update) -> str:
        """apk has one architecture a host."""
        return update.name

    def named(self, word: str) -> str:
        """The package in NAME=VERSION."""
        name, equals, _ = word.partition("=")
        return name if equals and not name.startswith("-") else ""

    def let_go(self, names: Sequence[str]) -> str:
        """Nothing is held."""
        return ""
