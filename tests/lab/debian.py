"""A real Debian of its own: apt, dpkg, aptitude, sshd, python3 and rsync, in namespaces of their own.

It is installed once with debootstrap, from the mirror that this machine itself uses, and kept as a tar file.
Each `World` is a layer over it that is gone afterwards; it shares this machine's network, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import pytest

from tests.contract.sshd import free_port, new_key
from tests.lab.archive import Archive

SUITE = "bookworm"
# What a world's host is to hold, unless a test says otherwise.
HOLD = ("linux-image-*", "libc-demo")
PACKAGES = ("aptitude", "openssh-server", "python3", "rsync")
ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "LANGUAGE=",
    "TZ=UTC", "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1",
)  # fmt: skip
# Process 1 of the world: it only buries what is left behind.
INIT = (
    "import os, time\nprint(1, flush=True)\nwhile True:\n try: os.wait()\n except ChildProcessError: time.sleep(0.1)\n"
)
# Arguments: the installed Debian, a folder for the layer. The first line out is this process's number outside.
BOOT = r"""
set -e
read -r pid rest < /proc/self/stat; echo "$pid"
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
cd "$2/root"
mount --bind /dev dev; mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts; mount -t proc proc proc; mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/sshd run/lock run/outside
pivot_root . run/outside
umount -l /run/outside
exec python3 -c "$3"
"""
SSHD = """HostKey /etc/ssh/test_key
AuthorizedKeysFile /root/.ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
"""


def mirror() -> str:
    """Where this machine gets its Debian from, or "" where its apt has no lists."""
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian",
             f"Codename: {SUITE}")  # fmt: skip
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.partition("\n")[0]


def installed() -> Path:
    """The tar file of the installed Debian; it is made if it is not there, in a minute or so."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "/var/tmp") / "runner-tests"
    known = hashlib.sha256("\n".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    kept = cache / f"debian-{SUITE}-{known}.tar"
    if kept.exists():
        return kept
    source = mirror()
    if not source:
        pytest.skip(f"apt of this machine has no lists of {SUITE}: apt-get update")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        root = Path(folder) / "root"
        _do("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), source)
        for path in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")):
            path.unlink()
        (root / "etc/apt/sources.list").write_text("")
        _do("tar", "-C", str(root), "-cf", f"{folder}/whole.tar", ".")
        Path(f"{folder}/whole.tar").replace(kept)
    return kept


def unpack(folder: Path) -> Path:
    """Put the installed Debian into `folder`, for worlds to lie over."""
    folder.mkdir(parents=True, exist_ok=True)
    _do("tar", "-C", str(folder), "-xf", str(installed()))
    return folder


class World:
    """A running Debian over `base` that knows one archive, from `with` until the block ends."""

    def __init__(self, base: Path, folder: Path, archive: Archive) -> None:
        self.base, self.folder, self.archive = base, folder, archive
        self._holder: subprocess.Popen[str] | None = None
        self.pid = 0
        self.port = 0
        self.hold: tuple[str, ...] = HOLD
        self.key = folder / "key"

    def __enter__(self) -> Self:
        layer = self.folder / "layer"
        layer.mkdir(parents=True)
        # It ends with this process, also when that is killed.
        apart = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child")
        self._holder = subprocess.Popen(
            (*apart, "sh", "-c", BOOT, "boot", str(self.base), str(layer), INIT),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout
        self.pid = int(self._holder.stdout.readline())
        assert self._holder.stdout.readline() == "1\n", "the world did not start"
        self.write("/etc/apt/demo.gpg", self.archive.key)
        self.write("/etc/apt/sources.list", self.archive.sources)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.wait()
            assert self._holder.stdout
            self._holder.stdout.close()

    def path(self, inside: str) -> Path:
        """Where a file of the world is, as seen from outside."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def write(self, inside: str, content: bytes | str, mode: int = 0o644) -> None:
        """Put a file into the world."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command as root in the world."""
        enter = ("nsenter", "-t", str(self.pid), "-m", "-p", "-r", "-w", "--", "env", "-i", *ENVIRONMENT)
        return subprocess.Popen(
            (*enter, *argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", errors="backslashreplace",
        )  # fmt: skip

    def run(self, *argv: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command as root in the world and wait; a wrong exit code fails the test unless not checked."""
        with self.popen(*argv) as process:
            out, err = process.communicate(timeout=timeout)
        if check and process.returncode:
            raise AssertionError(f"{shlex.join(argv)}: exit {process.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def install(self, *names: str) -> None:
        """Have these packages of the archive installed, as a person would have it done."""
        self.run("apt-get", "-qq", "update")
        self.run("apt-get", "-qq", "-y", "install", *names)

    def versions(self, *names: str) -> dict[str, str]:
        """What dpkg says is installed: state and version, by name."""
        asked = self.run("dpkg-query", "-W", "-f=${Package} ${db:Status-Abbrev}${Version}\\n", *names, check=False)
        return dict(line.split(" ", 1) for line in asked.stdout.splitlines())

    def serve_ssh(self) -> None:
        """Start the world's own sshd on loopback at `port`; `key` is let in as root."""
        self.port = free_port()
        new_key(self.key)
        self.write("/root/.ssh/authorized_keys", self.key.with_suffix(".pub").read_bytes(), 0o600)
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/test_key")
        self.write("/etc/ssh/test_sshd", SSHD)
        self.run("/usr/sbin/sshd", "-f", "/etc/ssh/test_sshd", "-p", str(self.port), "-o", "ListenAddress=127.0.0.1")


def _do(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(argv)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
