"""The machine's image: built once from this machine's own Debian mirror, booted once, kept in /var/tmp.

What is kept is the machine as it is when it has just come up: its disks and its memory. A test goes on
from there in a second or two instead of waiting for a boot.
"""

from __future__ import annotations

import fcntl
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.images import do
from tests.vm import recipe

KEPT = Path("/var/tmp")
KERNEL, INITRD, ROOT, DISK, MEMORY = "vmlinuz", "initrd.img", "root.img", "disk.img", "memory"
KEY, HOST_KEY = "key", "host_key"
PROGRAMS = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mke2fs", "setpriv", "ssh-keygen")


def missing() -> tuple[str, ...]:
    """The programs that are needed and not there."""
    return tuple(name for name in PROGRAMS if not shutil.which(name))


def image(first_boot: Callable[[Path], None]) -> Path:
    """The folder of the image, built if need be; `first_boot` boots it and leaves its memory there.

    Images of other recipes are removed. The time of each phase is in `phases.txt`.
    """
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    folder = KEPT / f"runner-vm-{recipe.digest(codename)}"
    with (KEPT / "runner-vm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in KEPT.glob("runner-vm-*"):
                shutil.rmtree(old)
            made = Path(tempfile.mkdtemp(prefix="runner-vm-", dir=KEPT))
            try:
                _build(made, codename, first_boot)
                made.rename(folder)
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise
    return folder


def _build(made: Path, codename: str, first_boot: Callable[[Path], None]) -> None:
    root, said = made / "root", []

    def phase(name: str, act: Callable[[], None]) -> None:
        began = time.monotonic()
        act()
        said.append(f"{name}: {time.monotonic() - began:.1f} s\n")
        (made / "phases.txt").write_text("".join(said))

    phase("packages", lambda: _install(root, codename))
    phase("settings", lambda: _settle(made, root))
    phase("disks", lambda: _disks(made, root))
    phase("first boot", lambda: first_boot(made))


def _mirror(codename: str) -> str:
    argv = ("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)")
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [row.split()[2] for row in rows if row.split()[:2] == [codename, "main"]]
    if not found:
        raise RuntimeError(f"apt knows no mirror of {codename}: run apt-get update")
    return found[0]


def _install(root: Path, codename: str) -> None:
    early = root.with_name("early")
    _write(early, recipe.EARLY)
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.LEFT_OUT]
    argv = (
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--dpkgopt=force-unsafe-io", *options,
        f"--include={','.join(recipe.PACKAGES)}", f"--essential-hook=copy-in {early}/etc /",
        codename, str(root), f"deb {_mirror(codename)} {codename} main",
    )  # fmt: skip
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap: exit {done.returncode}\n{done.stderr}")
    shutil.rmtree(early)


def _settle(made: Path, root: Path) -> None:
    for name in (KEY, HOST_KEY):
        do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", recipe.HOST, "-f", str(made / name))
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    _write(root, recipe.FILES)
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(made / f"{KEY}.pub", root / "root/.ssh/authorized_keys")
    shutil.copy(made / HOST_KEY, root / "etc/ssh/ssh_host_ed25519_key")
    (root / recipe.STORE[1:]).mkdir(parents=True)
    units = ("systemctl", "--quiet", f"--root={root}")
    do(*units, "mask", *recipe.MASKED)
    do(*units, "enable", "systemd-networkd", "ssh")
    do(*units, "set-default", "multi-user.target")
    (kernel,), (initrd,) = (root / "boot").glob("vmlinuz-*"), (root / "boot").glob("initrd.img-*")
    shutil.copy(kernel, made / KERNEL)
    shutil.copy(initrd, made / INITRD)


def _disks(made: Path, root: Path) -> None:
    do("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(made / ROOT), f"{recipe.ROOT_MB}M")
    do(*recipe.MAKE_DISK, str(made / DISK), f"{recipe.DISK_MB}M")
    do(*recipe.PERIODIC, str(made / DISK))
    shutil.rmtree(root)


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
