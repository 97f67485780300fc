"""A host of the Red Hat family on this machine: a real dnf and rpm, a database and repositories of their own.

It has its own /etc, /usr, /var, /opt and /boot over this machine's, in a mount namespace that ends
with this process, however that ends. Nothing it installs is seen outside, and it needs no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Self

NEEDED = ("dnf", "rpm", "rpmbuild", "rpmsign", "createrepo_c", "modifyrepo_c", "gpg", "unshare", "nsenter")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "LANGUAGE": "",
    "HOME": "/",
}
# Arguments: a folder for what the host writes.
BOOT = r"""
mount -t tmpfs -o size=512m tmpfs "$1"
for one in etc usr var opt; do
    mkdir -p "$1/$one" "$1/work/$one"
    mount -t overlay overlay -o "lowerdir=/$one,upperdir=$1/$one,workdir=$1/work/$one" "/$one"
done
mkdir -p /boot; mount -t tmpfs -o size=256m tmpfs /boot
rm -rf /var/lib/rpm /var/lib/dnf /var/cache/dnf /etc/yum.repos.d
mkdir -p /var/lib/rpm /var/lib/dnf /var/cache/dnf /etc/dnf/vars /etc/yum.repos.d /etc/rpm /etc/pki/rpm-gpg
echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
echo 9 > /etc/dnf/vars/releasever
printf '[main]\nenabled=0\n' > /etc/dnf/plugins/local.conf
printf '[main]\ngpgcheck=1\nbest=0\ninstallonly_limit=3\nskip_if_unavailable=1\n' > /etc/dnf/dnf.conf
echo ready
exec cat > /dev/null
"""
BUILD = ("_build_id_links none", "debug_package %{nil}", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A package to build: `evr` is `[epoch:]version-release`, `more` are lines of the spec's head, and
    `post` and `pre` are what its scriptlets run."""

    name: str
    evr: str
    arch: str = "x86_64"
    more: tuple[str, ...] = ()
    post: str = ""
    pre: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advisory:
    """An advisory about packages of `repository`: `type` is security, bugfix or enhancement."""

    id: str
    type: str
    packages: tuple[Made, ...]


def spec(made: Made) -> str:
    """The spec file of a package with one file; kernels of two versions have two."""
    epoch, _, rest = made.evr.rpartition(":")
    version, release = rest.split("-")
    content = f"{made.name}-{version}-{release}" if made.name.startswith("kernel") else made.name
    parts = [
        f"Name: {made.name}", f"Epoch: {epoch or 0}", f"Version: {version}", f"Release: {release}",
        "Summary: made by a test", "License: MIT", "AutoReqProv: no", *made.more, "%description", "none",
        "%install", "mkdir -p %{buildroot}/opt/made", f"echo {made.evr} > %{{buildroot}}/opt/made/{content}",
        *(("%post", made.post) if made.post else ()), *(("%pre", made.pre) if made.pre else ()),
        "%files", f"/opt/made/{content}",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


class Repositories:
    """Repositories of packages, a folder each below `folder`, which the hosts of this machine see too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._gnupg = folder / "gnupg"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._gnupg.exists():
            subprocess.run(("gpgconf", "--homedir", self._gnupg, "--kill", "all"), check=True)

    def build(self, repository: str, *made: Made) -> None:
        """Build the packages into the repository; the host sees them after `index`."""
        place = self.folder / repository
        place.mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(made):
            top = self.folder / f"build{number}"
            top.mkdir()
            (top / "made.spec").write_text(spec(one))
            defines = [f"_topdir {top}", f"_rpmdir {place}", *BUILD]
            command = ["rpmbuild", "-bb", "--quiet", "--target", one.arch]
            for define in defines:
                command += ["--define", define]
            ended = subprocess.run([*command, top / "made.spec"], capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr
            shutil.rmtree(top)

    def index(self, repository: str, *advisories: Advisory) -> None:
        """Make the repository's lists anew, with the advisories."""
        place = self.folder / repository
        subprocess.run(("createrepo_c", "--quiet", place), check=True, capture_output=True)
        if advisories:
            told = self.folder / "updateinfo.xml"
            told.write_text(updateinfo(advisories))
            subprocess.run(("modifyrepo_c", told, place / "repodata"), check=True, capture_output=True)

    def key(self, name: str) -> str:
        """Make a signing key and give its public part; it is trusted nowhere yet."""
        self._gnupg.mkdir(mode=0o700, exist_ok=True)
        who = f"{name}@example.com"
        quiet = ("--passphrase", "", "--pinentry-mode", "loopback")
        self._gpg(*quiet, "--quick-generate-key", who, "rsa2048", "sign")
        return self._gpg("--armor", "--export", who)

    def sign(self, repository: str, key: str, *names: str) -> None:
        """Sign the packages of these names."""
        place = self.folder / repository
        files = [file for name in names for file in place.glob(f"{name}-[0-9]*.rpm")]
        command = ["rpmsign", "--addsign"]
        for define in (f"_gpg_name {key}@example.com", "__gpg /usr/bin/gpg"):
            command += ["--define", define]
        environment = {**os.environ, "GNUPGHOME": str(self._gnupg)}
        subprocess.run([*command, *files], check=True, capture_output=True, env=environment)

    def _gpg(self, *argv: str) -> str:
        environment = {**os.environ, "GNUPGHOME": str(self._gnupg)}
        command = ("gpg", "--batch", "--yes", *argv)
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


class RpmWorld:
    """The host. What it writes is below `folder`, and gone with it; `repositories` are the ones it can use."""

    def __init__(self, folder: Path, repositories: Path) -> None:
        self._inside = folder / "inside"
        self._repositories = repositories

    def __enter__(self) -> Self:
        self._inside.mkdir()
        self._process = subprocess.Popen(
            ("unshare", "--mount", "--propagation", "private", "--", "sh", "-euc", BOOT, "boot", str(self._inside)),
            stdin=PIPE, stdout=PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def popen(self, argv: Iterable[str]) -> subprocess.Popen[str]:
        """Start `argv` on the host, as a runner does: stdin closed, no terminal, a plain environment."""
        into = ("nsenter", f"--mount=/proc/{self._process.pid}/ns/mnt", "--", *argv)
        return subprocess.Popen(into, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True, env=ENVIRONMENT, cwd="/")

    def do(self, *argv: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `argv` on the host; with `ok` it must end with exit 0."""
        process = self.popen(argv)
        out, err = process.communicate(timeout=120)
        assert not ok or process.returncode == 0, (argv, process.returncode, out, err)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def path(self, inside: str) -> Path:
        """A file of the host, seen from here."""
        return Path(f"/proc/{self._process.pid}/root{inside}")

    def use(self, repository: str, *lines: str, url: str = "") -> None:
        """Tell the host of the repository; `lines` are added to its section."""
        where = url or f"file://{self._repositories}/{repository}"
        section = (f"[{repository}]", f"name={repository}", f"baseurl={where}", "enabled=1", *lines)
        self.path(f"/etc/yum.repos.d/{repository}.repo").write_text("\n".join(section) + "\n")


def updateinfo(advisories: Iterable[Advisory]) -> str:
    """The advisories as a repository tells them."""
    told = []
    for one in advisories:
        packages = []
        for made in one.packages:
            epoch, _, rest = made.evr.rpartition(":")
            version, release = rest.split("-")
            packages.append(
                f'<package name="{made.name}" epoch="{epoch or 0}" version="{version}" release="{release}" '
                f'arch="{made.arch}"><filename>{made.name}.rpm</filename></package>'
            )
        told.append(
            textwrap.dedent(f"""\
            <update from="x@example.com" status="final" type="{one.type}" version="1"><id>{one.id}</id>
            <title>{one.id}</title><issued date="2026-11-20 10:00:00"/><severity>Important</severity>
            <description>none</description><pkglist><collection short="u"><name>u</name>
            {"".join(packages)}</collection></pkglist></update>""")
        )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>{"".join(told)}</updates>\n'
