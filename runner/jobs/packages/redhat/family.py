"""The family of Red Hat: dnf or yum, and rpm."""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobs.packages.family import Policy
from runner.jobs.packages.held import fits
from runner.jobs.packages.redhat import dnf, found, rpm
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host


class RedHat:
    """dnf(8) and yum(8); what jobs.toml wants held is left out of each run, nothing is written down."""

    lists = "rpm"
    policy: Policy = "nothing"
    not_all: tuple[int, ...] = ()
    only_named = True
    by_hand = ""

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""
        return found.probes(host)

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
        """Say what is known of the host's packages."""
        return found.read(host, facts, patterns)

    def repair(self) -> Argv:
        """Nothing that may be done without a person."""
        return ()

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; a repository that is down is an error."""
        return dnf.refresh(host.packages)

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these; what fits `hold` stays as it is."""
        return dnf.install(host.packages, _packages(updates), host.hold)

    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
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

    def audit(self) -> Argv:
        """Nothing: rpm leaves nothing half installed that it knows of."""
        return ()

    def label(self, update: Update) -> str:
        """As rpm: the architecture is always named."""
        return f"{update.name}.{update.arch}"

    def named(self, word: str) -> str:
        """The package in NAME-[EPOCH:]VERSION-RELEASE.ARCH."""
        spec = rpm.from_spec(word)
        return spec.name if spec else ""

    def let_go(self, names: Sequence[str]) -> str:
        """Nothing is held at the host."""
        return ""


def _packages(updates: Sequence[Update]) -> tuple[rpm.Package, ...]:
    return tuple(rpm.Package(name=one.name, arch=one.arch, version=one.new) for one in updates)
