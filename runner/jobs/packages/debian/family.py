"""The family of Debian: apt-get and dpkg."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from runner.jobs.packages.debian import apt, found, holds
from runner.jobs.packages.family import Policy
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host
from runner.tools import detached

# A package with its version, as apt-get(8) is told.
_VERSIONED = re.compile(r"[a-z0-9][a-z0-9+.:-]*=[0-9][A-Za-z0-9.+:~-]*")


class Debian:
    """apt-get(8) and dpkg(1); holds in dpkg and in aptitude."""

    lists = "dpkg"
    policy: Policy = "security"
    not_all = apt.NOT_ALL
    only_named = False
    by_hand = "dpkg --configure -a"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""
        return found.probes(host)

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
        """Say what is known of the host's packages."""
        known = found.read(host, facts)
        if tuple(patterns) == reboot_need.PATTERNS:
            return known
        answer = facts.reading(host.name, found.OUTDATED)
        seen = (detached.parse_outdated(answer.out) if answer else None) or detached.Outdated()
        witness = reboot_need.Witness(
            kernel=known.kernel,
            changed=seen.changed,
            flag=seen.flag,
            pid1=seen.pid1,
            extra=tuple(one for one in known.reboot if one.startswith("needrestart: ")),
        )
        return replace(known, reboot=reboot_need.reasons(witness, patterns))

    def repair(self) -> Argv:
        """Configure what was unpacked."""
        return apt.repair()

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; a mirror that is down is an error."""
        return apt.refresh(partly=partly)

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these, never removing anything."""
        return apt.install(updates)

    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
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

    def audit(self) -> Argv:
        """What dpkg says of packages that are not whole."""
        return apt.audit()

    def label(self, update: Update) -> str:
        """As apt: an architecture is in the name where it is not the machine's own."""
        return update.name

    def named(self, word: str) -> str:
        """The package in NAME=VERSION."""
        return word.partition("=")[0] if _VERSIONED.fullmatch(word) else ""

    def let_go(self, names: Sequence[str]) -> str:
        """For dpkg, and for aptitude."""
        words = shlex.join(names)
        return (
            f"apt-mark unhold {words}; and where "
            f"aptitude is installed, which keeps holds of its own: aptitude --schedule-only unhold {words}"
        )
