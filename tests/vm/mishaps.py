"""What happens to machines: a check that is due, a broken disk, a kernel that panics, a kernel not booted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.site import until
from tests.vm.machine import BY_ID, Machine
from tests.vm.recipe import STORE

NEWER = "9.9.9-cloud-amd64"
PANICS = """[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo c > /proc/sysrq-trigger'
[Install]
WantedBy=sysinit.target
"""


def make_due(machine: Machine) -> None:
    """Have the next boot check the backup disk: its last check was at the beginning of the year."""
    machine.run("umount", STORE)
    machine.run("tune2fs", "-T", "20260101", BY_ID)
    machine.run("mount", STORE)


def break_disk(machine: Machine) -> None:
    """Have the next boot check the backup disk, and find what it must not mend by itself."""
    # Two files that claim the same block: it can be mounted, but e2fsck -p leaves that to a person.
    machine.run("sh", "-euc", 'echo one > "$1/one"; echo two > "$1/two"', "files", STORE)
    machine.run("umount", STORE)
    block = machine.run("debugfs", "-R", "blocks /one", BY_ID).stdout.strip()
    machine.run("debugfs", "-w", "-R", f"set_inode_field /two block[0] {block}", BY_ID)
    machine.run("mount", STORE)
    make_due(machine)


def panic_at_boot(machine: Machine) -> None:
    """Have the kernel panic at the next boot, before anything can be reached."""
    machine.run("sh", "-c", 'printf %s "$1" > "$2"', "panics", PANICS, "/etc/systemd/system/panics.service")
    machine.run("systemctl", "enable", "panics.service")


def install_newer_kernel(machine: Machine) -> None:
    """Put a newer kernel beside the one that this machine boots whatever is installed."""
    script = 'cd /boot; for kind in vmlinuz initrd.img; do cp "$kind-$(uname -r)" "$kind-$1"; done; sync'
    machine.run("sh", "-euc", script, "newer", NEWER)


@contextmanager
def inhibited(machine: Machine, why: str) -> Iterator[None]:
    """Somebody there asks for no shutdown, and says why."""
    inhibit = ("systemd-inhibit", "--what=shutdown", "--who=karl", f"--why={why}", "--mode=block")
    machine.run("systemd-run", "--quiet", "--unit=inhibits", "--", *inhibit, "sleep", "600")
    until("the inhibitor", lambda: why in machine.run("systemd-inhibit", "--list", "--no-pager").stdout)
    try:
        yield
    finally:
        machine.run("systemctl", "stop", "inhibits", check=False)
