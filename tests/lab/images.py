"""The disks of the lab's hosts: two root filesystems with their keys, and the backup disk."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

PAPIO, BACKUP = "papio", "backup-server1"
ADDRESS = {PAPIO: "192.168.199.1", BACKUP: "192.168.199.2"}
# One name, two numbers: a snapshot by name would hand karl's files to somebody else.
USERS = {PAPIO: {"karl": 1000, "jake": 1001, "babase": 1002}, BACKUP: {"homeowner": 1000, "karl": 1500}}
STORE = "/srv/backups/papio"
DISK = "/mnt/usb/backups.img"
FOLDERS = "etc/ssh etc/cron.d proc sys dev usr run tmp root/.ssh home srv mnt opt var/log var/lib var/spool var/tmp"
SHARED = "ld.so.cache alternatives nsswitch.conf protocols services mke2fs.conf xattr.conf"
SSHD = """HostKey /etc/ssh/host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
ClientAliveInterval 15
ClientAliveCountMax 4
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
"""


def make_images(folder: Path, *, root_mb: int, disk_mb: int) -> None:
    """Put `HOST.img` for both hosts and `usb/backups.img`, as the guide formats it, into `folder`."""
    usb = folder / "usb"
    usb.mkdir()
    # A disk this small would get blocks of 1 KiB, which hold no symlink as long as a real disk's do.
    ext3 = ("mke2fs", "-q", "-t", "ext3", "-b", "4096", "-i", "4096", "-I", "256", "-m", "1", "-L", "backups")
    do(*ext3, "-e", "remount-ro", str(usb / "backups.img"), f"{disk_mb}M")
    for key in ("root_key", *(f"{host}_key" for host in ADDRESS)):
        do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(folder / key))
    for host in ADDRESS:
        root = folder / f"{host}.files"
        _fill(root, host)
        _give_keys(folder, root, host)
        do("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(folder / f"{host}.img"), f"{root_mb}M")
        shutil.rmtree(root)


def do(*argv: str) -> None:
    """Run a command on this machine; RuntimeError with its output if it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def _give_keys(folder: Path, root: Path, host: str) -> None:
    """papio may log in on backup-server1 as root and knows its host key; not the other way round."""
    shutil.move(folder / f"{host}_key", root / "etc/ssh/host_key")
    if host == PAPIO:
        known = f"{BACKUP},{ADDRESS[BACKUP]} {(folder / f'{BACKUP}_key.pub').read_text()}"
        _write(root / "root/.ssh/known_hosts", known, 0o600)
        shutil.move(folder / "root_key", root / "root/.ssh/id_ed25519")
    else:
        _write(root / "root/.ssh/authorized_keys", (folder / "root_key.pub").read_text(), 0o600)


def _fill(root: Path, host: str) -> None:
    for folder in (*FOLDERS.split(), *([STORE[1:]] if host == BACKUP else [])):
        (root / folder).mkdir(parents=True)
    for folder, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700), ("root/.ssh", 0o700)):
        (root / folder).chmod(mode)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in SHARED.split():
        do("cp", "-a", f"/etc/{name}", f"{root}/etc/")
    _write_users(root / "etc", root / "home", USERS[host])
    others = "".join(f"{ADDRESS[name]} {name}\n" for name in ADDRESS if name != host)
    _write(root / "etc/hostname", f"{host}\n")
    _write(root / "etc/hosts", f"127.0.0.1 localhost {host}\n{others}")
    _write(root / "etc/ssh/sshd_config", SSHD)
    if host == BACKUP:
        _write(root / "etc/fstab", f"{DISK} {STORE} ext3 loop,noatime,nofail 0 2\n")


def _write_users(etc: Path, homes: Path, users: dict[str, int]) -> None:
    passwd = ["root:x:0:0:root:/root:/bin/bash", "sshd:x:102:65534::/run/sshd:/usr/sbin/nologin"]
    passwd.append("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin")
    group = ["root:x:0:", "tty:x:5:", "disk:x:6:", "nogroup:x:65534:"]
    for user, number in users.items():
        passwd.append(f"{user}:x:{number}:{number}:{user}:/home/{user}:/bin/bash")
        group.append(f"{user}:x:{number}:")
        (homes / user).mkdir()
        os.chown(homes / user, number, number)
    # Without a line here sshd takes root for a user who may not log in.
    shadow = [f"{line.partition(':')[0]}:*:19000:0:99999:7:::" for line in passwd]
    for name, lines, mode in (("passwd", passwd, 0o644), ("group", group, 0o644), ("shadow", shadow, 0o640)):
        _write(etc / name, "\n".join(lines) + "\n", mode)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
