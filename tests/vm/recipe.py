"""What the virtual machine is made of; a change here makes a new image."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

HOST, STORE = "backup-server1", "/srv/backups/papio"
MOUNT = f"{STORE[1:].replace('/', '-')}.mount"
PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev", "kmod", "e2fsprogs",
    "procps", "iproute2", "openssh-server", "python3", "rsync", "cron", "make",
)  # fmt: skip
# What a machine that is only ever rebooted does without, each of them seconds of an emulated processor.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "getty@tty1.service", "serial-getty@ttyS0.service",
    "systemd-binfmt.service", "systemd-networkd-wait-online.service", "systemd-pstore.service",
    "systemd-timesyncd.service", "systemd-tmpfiles-clean.timer", "dev-hugepages.mount",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
)  # fmt: skip
FILES = {
    "etc/hostname": f"{HOST}\n",
    "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOST}\n",
    "etc/fstab": "LABEL=root / ext4 errors=remount-ro 0 1\n"
    f"LABEL=papio {STORE} ext3 noatime,nofail,x-systemd.device-timeout=20s 0 2\n",
    "etc/systemd/network/all.network": "[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\n"
    "LinkLocalAddressing=no\nIPv6AcceptRA=no\n",
    "etc/ssh/sshd_config.d/vm.conf": "HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\nUsePAM no\n"
    "PasswordAuthentication no\n",
    "etc/systemd/journald.conf.d/vm.conf": "[Journal]\nStorage=persistent\n",
}
# These must be there before the kernel is installed, which makes the initrd.
EARLY = {
    "etc/initramfs-tools/conf.d/small": "MODULES=list\nCOMPRESS=lz4\nFSTYPE=ext4\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\nvirtio_net\nvirtio_rng\nvirtio_scsi\nsd_mod\n",
}
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
ROOT_MB, DISK_MB, MEMORY_MB = 1200, 4096, 512
# As the guide formats the disk: its check reads 256 MiB of inode tables, whatever the disk holds.
MAKE_DISK = ("mke2fs", "-q", "-t", "ext3", "-b", "4096", "-i", "4096", "-I", "256", "-m", "1", "-L", "papio")
PERIODIC = ("tune2fs", "-i", "120d", "-c", "0")
KERNEL_LINE = "root=LABEL=root console=ttyS0 net.ifnames=0 mitigations=off quiet systemd.show_status=1"
HARDWARE = (
    "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "qemu64", "-machine", "q35", "-smp", "2",
    "-m", str(MEMORY_MB), "-display", "none", "-no-user-config", "-nodefaults", "-rtc", "base=utc",
    "-append", KERNEL_LINE, "-device", "virtio-scsi-pci,id=bus",
    "-device", "virtio-net-pci,netdev=cable,romfile=", "-device", "virtio-rng-pci",
)  # fmt: skip


def digest(codename: str) -> str:
    """A name for the image that this recipe, and the emulator that is installed, make of that Debian."""
    emulator = subprocess.run(("qemu-system-x86_64", "--version"), capture_output=True, text=True, check=True)
    own = (path.read_text() for path in (Path(__file__), Path(__file__).with_name("image.py")))
    return hashlib.sha256("\0".join((codename, emulator.stdout, *own)).encode()).hexdigest()[:16]
