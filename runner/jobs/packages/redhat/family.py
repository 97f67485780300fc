"""The family of Red Hat: dnf or yum, and rpm."""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobs.packages.family import Family, PackageLog, fits
from runner.jobs.packages.redhat import dnf, rpm, trouble
from runner.jobs.packages.redhat import facts as redhat_facts
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host


class RedHat(Family):
    """dnf(8) and yum(8); what jobs.toml wants held is left out of each run, nothing is written down.

    So there is nothing to hold, to verify or to release. rpm leaves nothing half installed that it knows of, and
    nothing is repaired without a person.
    """

    lists = "rpm"
    policy = "nothing"
    only_named = True
    kernels = ("kernel", "kernel-core", "kernel-rt*", "kernel-uek*", "kernel-PAE*")
    fill_boot = ("kernel*", "dracut*", "linux-firmware", "*microcode*")
    # dnf's list and yum-utils', and openssl, which dnf's leaves out. Modules and headers need no reboot of their own.
    need_reboot = (
        *("kernel", "kernel-core", "kernel-rt", "kernel-rt-core", "kernel-uek", "kernel-PAE"),
        *("linux-firmware", "microcode_ctl", "glibc", "systemd", "systemd-libs", "udev"),
        *("dbus", "dbus-broker", "dbus-daemon", "dbus-libs", "openssl", "openssl-libs", "gnutls"),
    )
    write_initrd = "dracut --regenerate-all --force"
    write_entry = "grub2-mkconfig -o /boot/grub2/grub.cfg"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""
        return redhat_facts.probes(host)

    def read(self, host: Host, facts: Facts) -> PackageFacts:
        """Say what is known of the host's packages."""
        return redhat_facts.read(host, facts)

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; a repository that is down is an error, unless it is known to be."""
        return dnf.refresh(host.packages, partly=partly)

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these; what fits `hold` stays as it is."""
        return dnf.install(host.packages, map(rpm.newer, updates), host.hold)

    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
        """Install exactly these; what fits `hold` stays as it is unless it is named."""
        staying = (pattern for pattern in host.hold if not any(fits(update.name, (pattern,)) for update in updates))
        return dnf.install(host.packages, map(rpm.newer, updates), tuple(staying))

    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether exactly these are installed."""
        return rpm.look(map(rpm.newer, updates)) if updates else ()

    def label(self, update: Update) -> str:
        """As rpm: the architecture is always named."""
        return f"{update.name}.{update.arch}"

    def named(self, word: str) -> Update | None:
        """The package in NAME-[EPOCH:]VERSION-RELEASE.ARCH."""
        package = rpm.from_spec(word)
        return Update(name=package.name, arch=package.arch, old="", new=package.version) if package else None

    def kernel_release(self, updates: Sequence[Update]) -> str:
        """The version of a kernel's package is its release."""
        return rpm.newest_kernel(tuple(map(rpm.newer, updates)), "")

    def log(self, lines: Sequence[str]) -> PackageLog:
        """Read the output of dnf and rpm."""
        return super().log(lines)._replace(troubles=trouble.read(lines), scripts=rpm.failed_scriptlets(lines))
