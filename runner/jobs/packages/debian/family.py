"""The family of Debian: apt-get and dpkg."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from runner.jobs.packages.debian import apt, holds, trouble, version
from runner.jobs.packages.debian import facts as debian_facts
from runner.jobs.packages.family import Family, PackageLog
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host

# A package with its version, as apt-get(8) is told.
_VERSIONED = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.:-]*)=(?P<version>[0-9][A-Za-z0-9.+:~-]*)")


class Debian(Family):
    """apt-get(8) and dpkg(1); holds in dpkg and in aptitude."""

    lists = "dpkg"
    policy = "security"
    not_all = apt.NOT_ALL
    kernels = ("linux-image-*",)
    fill_boot = ("linux-image*", "initramfs-tools*", "dracut*", "firmware-*", "linux-firmware", "*microcode*")
    need_reboot = (
        *("linux-image-*", "linux-firmware", "firmware-*", "*-microcode", "libc6", "systemd", "udev"),
        *("dbus", "dbus-broker", "dbus-daemon", "openssl"),
        *("libsystemd0", "libudev1", "libssl[0-9]*", "libgnutls[0-9]*", "libdbus-1-3"),
    )
    by_hand = "dpkg --configure -a"
    # With -u it would pass over a kernel that has none: update-initramfs(8).
    write_initrd = "update-initramfs -c -k all"
    write_entry = "update-grub"

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""
        return debian_facts.probes(host)

    def read(self, host: Host, facts: Facts) -> PackageFacts:
        """Say what is known of the host's packages."""
        return debian_facts.read(host, facts)

    def repair(self) -> Argv:
        """Configure what was unpacked, keeping a person's configuration files.

        Exit 1 if a package's own script fails. Needs the environment of `runner-agent detach`.
        """
        return ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; a mirror that is down is an error."""
        return apt.refresh(partly=partly)

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these, never removing anything."""
        return apt.install(updates)

    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
        """Release, install, hold again in one command, so that the holds come back without the runner."""
        return holds.upgrade(updates, free, again)

    def hold(self, names: Sequence[str]) -> Argv:
        """Hold these in dpkg and in aptitude."""
        return holds.hold(names) if names else ()

    def verify(self, names: Sequence[str]) -> Argv:
        """See whether dpkg and aptitude hold these."""
        return holds.verify(names) if names else ()

    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether every package has what it depends on: exit 0, or 100 with the reason."""
        return ("apt-get", "-q", "check")

    def audit(self) -> Argv:
        """Name packages that are not whole. The exit code says nothing: any output means that there are some."""
        return ("dpkg", "--audit")

    def label(self, update: Update) -> str:
        """As apt: an architecture is in the name where it is not the machine's own."""
        return update.name

    def named(self, word: str) -> Update | None:
        """The package in NAME=VERSION."""
        package = _VERSIONED.fullmatch(word)
        return Update(name=package["name"], arch="", old="", new=package["version"]) if package else None

    def unhold(self, names: Sequence[str]) -> str:
        """For dpkg, and for aptitude."""
        words = shlex.join(names)
        return (
            f"apt-mark unhold {words}; and where "
            f"aptitude is installed, which keeps holds of its own: aptitude --schedule-only unhold {words}"
        )

    def kernel_release(self, updates: Sequence[Update]) -> str:
        """The newest that stands in the name of a package: there is one for each kernel."""
        return version.newest_kernel(update.name for update in updates)

    def log(self, lines: Sequence[str]) -> PackageLog:
        """Read the output of apt-get and dpkg."""
        return PackageLog(troubles=trouble.read(lines), odd=trouble.odd_lines(lines), telling=trouble.telling(lines))
