"""A signed archive of tiny packages on loopback, which a test makes, changes and breaks."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

STABLE, SECURITY = "demo", "demo-security"
_LABEL = {STABLE: ("Demo", "stable"), SECURITY: ("Demo-Security", "stable-security")}
_KEY = """%no-protection
Key-Type: EDDSA
Key-Curve: ed25519
Name-Real: Demo Archive
Name-Email: demo@example.com
Expire-Date: 0
%commit
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deb:
    """A package to be: `control` are more fields, `scripts` maintainer scripts, `files` paths and contents."""

    name: str
    version: str
    control: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()


class Archive:
    """Two suites, one of them security, from `with` until the block ends."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self.address = address
        self.root = folder / "www"
        self._homes: list[Path] = []
        self._server: http.server.ThreadingHTTPServer | None = None
        self.port = 0
        self._published = int(time.time()) - 100_000

    def __enter__(self) -> Self:
        self._make_key()
        for suite in _LABEL:
            (self.root / "pool" / suite).mkdir(parents=True)
            self.publish(suite)
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        for home in self._homes:
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
            # The agent takes its sockets away by itself, a moment after it was told to end.
            shutil.rmtree(home, ignore_errors=True)

    @property
    def key(self) -> bytes:
        """What a machine that trusts this archive has as keyring."""
        return self._gpg("--export").stdout

    @property
    def sources(self) -> str:
        """The lines for sources.list."""
        signed = "[signed-by=/etc/apt/demo.gpg]"
        return "".join(f"deb {signed} http://{self.address}:{self.port} {suite} main\n" for suite in _LABEL)

    def start(self) -> None:
        """Serve, on the port it had before if there was one."""
        handler = functools.partial(_Silent, directory=str(self.root))
        self._server = http.server.ThreadingHTTPServer((self.address, self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def add(self, *packages: Deb, suite: str = STABLE) -> None:
        """Put packages into a suite and publish it."""
        for deb in packages:
            build(deb, self.folder / "build", self.root / "pool" / suite)
        self.publish(suite)

    def withdraw(self, name: str, suite: str = STABLE) -> None:
        """Take the file of a package away and leave it in the lists."""
        for path in (self.root / "pool" / suite).glob(f"{name}_*"):
            path.unlink()

    def publish(
        self, suite: str, *, label: str = "", valid: str = "", date: str = "", key: str = ""
    ) -> None:  # fmt: skip
        """Write and sign the suite's lists; `valid` and `date` are Valid-Until and Date if not as usual."""
        folder = self.root / "dists" / suite
        listing = folder / "main/binary-amd64"
        listing.mkdir(parents=True, exist_ok=True)
        # As at Debian's: the checksums are not the same everywhere.
        sums = ("-oAPT::FTPArchive::MD5=false",) * (suite == SECURITY)
        made = _do("apt-ftparchive", *sums, "packages", f"pool/{suite}", cwd=self.root).stdout
        (listing / "Packages").write_bytes(made)
        for name in ("Release", "InRelease"):
            (folder / name).unlink(missing_ok=True)
        fields = {
            "Origin": "Demo", "Label": label or _LABEL[suite][0], "Suite": _LABEL[suite][1], "Codename": suite,
            "Architectures": "amd64", "Components": "main",
        }  # fmt: skip
        options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
        release = _do("apt-ftparchive", *options, "release", f"dists/{suite}", cwd=self.root).stdout.decode()
        lines = [line for line in release.splitlines() if not (date and line.startswith("Date: "))]
        head = [f"Date: {date}"] * bool(date) + [f"Valid-Until: {valid}"] * bool(valid)
        (folder / "Release").write_text("\n".join((*lines[:5], *head, *lines[5:])) + "\n")
        self._gpg("--clearsign", "-o", str(folder / "InRelease"), str(folder / "Release"))
        # Time in HTTP is whole seconds; a change within one would be taken for none.
        self._published += 1
        for path in (listing / "Packages", folder / "InRelease", folder / "Release"):
            os.utime(path, (self._published, self._published))

    def spoil(self, suite: str) -> None:
        """Change what is signed after it was signed."""
        path = self.root / "dists" / suite / "InRelease"
        path.write_text(path.read_text().replace("Origin: Demo", "Origin: Dem0"))

    def new_key(self) -> None:
        """Sign with another key from now on, which no machine knows."""
        self._make_key()
        for suite in _LABEL:
            self.publish(suite)

    def _make_key(self) -> None:
        # Short, since the agent's socket lives in it.
        self._homes.append(Path(tempfile.mkdtemp(prefix="gpg-")))
        self._gpg("--gen-key", said=_KEY)

    def _gpg(self, *argv: str, said: str = "") -> subprocess.CompletedProcess[bytes]:
        home = ("--homedir", str(self._homes[-1]))
        return subprocess.run(
            ["gpg", *home, "--batch", "--yes", "--quiet", *argv], input=said.encode(), capture_output=True, check=True
        )


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def build(deb: Deb, folder: Path, pool: Path) -> Path:
    """Make the file of a package in `pool`."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "DEBIAN").mkdir(parents=True)
    fields = {
        "Package": deb.name, "Version": deb.version, "Architecture": "amd64", "Section": "misc",
        "Maintainer": "Demo <demo@example.com>", "Priority": "optional", **deb.control,
        "Description": f"demo package {deb.name}",
    }  # fmt: skip
    (folder / "DEBIAN/control").write_text("".join(f"{key}: {text}\n" for key, text in fields.items()))
    for name, text in {f"/usr/share/demo/{deb.name}": f"{deb.version}\n", **deb.files}.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, text in deb.scripts.items():
        (folder / "DEBIAN" / name).write_text(f"#!/bin/sh\nset -e\n{text}\n")
        (folder / "DEBIAN" / name).chmod(0o755)
    if deb.conffiles:
        (folder / "DEBIAN/conffiles").write_text("".join(f"{name}\n" for name in deb.conffiles))
    target = pool / f"{deb.name}_{deb.version}_{fields['Architecture']}.deb"
    _do("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(folder), str(target), cwd=pool)
    return target


def _do(*argv: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, cwd=cwd, capture_output=True, check=True)
