"""What differs between hosts by what upgrades their packages: apt, or yum and dnf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from runner.jobs.packages.debian import apt, holds
from runner.jobs.packages.debian import found as packages_apt
from runner.jobs.packages.findings import Policy
from runner.jobs.packages.held import fits
from runner.jobs.packages.redhat import dnf, rpm
from runner.jobs.packages.redhat import found as packages_rpm
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host
from runner.tools import detached


class Family(Protocol):
    """How packages are read and changed. `lists` is whose list of packages tells what changed.

    `policy` is what is installed where jobs.toml does not say. An empty argv: there is no such thing here.
    """

    lists: Literal["dpkg", "rpm"]
    policy: Policy

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
        """Say what is known of the host's packages; `patterns` are those whose upgrade needs a reboot."""

    def repair(self) -> Argv:
        """Finish what was interrupted."""

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; `partly`: some archive is known not to answer."""

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these, and nothing that is held."""

    def upgrade(
        self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]
    ) -> Argv:
        """Let go of `free`, install exactly these, hold `again` whatever came of it."""

    def hold(self, names: Sequence[str]) -> Argv:
        """Hold these, and verify it."""

    def verify(self, names: Sequence[str]) -> Argv:
        """See whether these are held, wherever that is written."""

    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether all is well, and these are installed."""


class Debian:
    """apt-get(8) and dpkg(1); holds in dpkg and in aptitude."""

    lists: Literal["dpkg", "rpm"] = "dpkg"
    policy: Policy = "security"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""
        return packages_apt.probes(host)

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
        """Say what is known of the host's packages."""
        found = packages_apt.read(host, facts)
        if tuple(patterns) == reboot_need.PATTERNS:
            return found
        answer = facts.reading(host.name, packages_apt.OUTDATED)
        seen = (detached.parse_outdated(answer.out) if answer else None) or detached.Outdated()
        witness = reboot_need.Witness(
            kernel=found.kernel,
            changed=seen.changed,
            flag=seen.flag,
            pid1=seen.pid1,
            extra=tuple(one for one in found.reboot if one.startswith("needrestart: ")),
        )
        return replace(found, reboot=reboot_need.reasons(witness, patterns))

    def repair(self) -> Argv:
        """Configure what was unpacked."""
        return apt.repair()

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; a mirror that is down is an error."""
        return apt.refresh(partly=partly)

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these, never removing anything."""
        return apt.install(updates)

    def upgrade(
        self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]
    ) -> Argv:
        """Let go, install, hold again in one command, so that the holds come back without the runner."""
        return holds.upgrade(updates, free, again)

    def hold(self, names: Sequence[str]) -> Argv:
        """Hold these in dpkg and in aptitude."""
        return holds.hold(names) if names else ()

    def verify(self, names: Sequence[str]) -> Argv:
        """See whether dpkg and aptitude hold these."""
        return holds.verify(names) if names else ()

    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether every package has what it depends on."""
        return apt.check()


class RedHat:
    """dnf(8) and yum(8); what jobs.toml wants held is left out of each run, nothing is written down."""

    lists: Literal["dpkg", "rpm"] = "rpm"
    policy: Policy = "nothing"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""
        return packages_rpm.probes(host)

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
        """Say what is known of the host's packages."""
        return packages_rpm.read(host, facts, patterns)

    def repair(self) -> Argv:
        """Nothing that may be done without a person."""
        return ()

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; a repository that is down is an error."""
        return dnf.refresh(host.packages)

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these; what fits `hold` stays as it is."""
        return dnf.install(host.packages, _packages(updates), host.hold)

    def upgrade(
        self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]
    ) -> Argv:
        """Install exactly these; what fits `hold` stays as it is unless it is named."""
        names = [one.name for one in updates]
        kept = tuple(pattern for pattern in host.hold if not any(fits(name, (pattern,)) for name in names))
        return dnf.install(host.packages, _packages(updates), kept)

    def hold(self, names: Sequence[str]) -> Argv:
        """Nothing: jobs.toml itself is the list."""
        return ()

    def verify(self, names: Sequence[str]) -> Argv:
        """Nothing: jobs.toml itself is the list."""
        return ()

    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether exactly these are installed."""
        return rpm.look(_packages(updates)) if updates else ()


_FAMILIES: dict[str, Family] = {"apt": Debian(), "yum": RedHat(), "dnf": RedHat()}


def family(host: Host) -> Family | None:
    """How the packages of `host` are read and changed; None where jobs.toml does not say."""
    return _FAMILIES.get(host.packages)


def _packages(updates: Sequence[Update]) -> tuple[rpm.Package, ...]:
    return tuple(rpm.Package(name=one.name, arch=one.arch, version=one.new) for one in updates)
