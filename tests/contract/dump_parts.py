"""The verbs for dumps, really run against a real server, and programs that stand in for a pg_dump that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract import pg
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, execute

AT = "2026-11-23T070000Z"


def at(day: int) -> str:
    return f"2026-11-{day:02}T070000Z"


@dataclass(frozen=True, kw_only=True)
class Dumps:
    """A folder of dumps of a cluster; `options` say how it is reached."""

    root: Path
    cluster: pg.Cluster
    options: tuple[str, ...]

    def argv(self, verb: str, *words: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
        return (*PROGRAM, verb, *(str(self.root), *words[:1]), *self.options, *options, "--", *words[1:])

    def dump(self, database: str, *options: str, day: int = 23) -> Said:
        return execute(self.argv("dump", at(day), database, options=options))

    def globals(self, *options: str, day: int = 23) -> Said:
        return execute(self.argv("dump-globals", at(day), options=options))

    def dumped(self, *databases: str, day: int = 23, options: tuple[str, ...] = ()) -> Said:
        return execute(self.argv("dumped", at(day), *databases, options=options))

    def expire(self, database: str, day: int, *, after: int, keep: int = 1) -> Said:
        known = (f"--keep={keep}", f"--after={at(after)}")
        return execute(self.argv("expire-dump", at(day), database, options=known))

    def listed(self) -> dict[str, Any]:
        return execute((*PROGRAM, "dumps", str(self.root))).answer

    def start(self, database: str, *options: str, day: int = 23, session: bool = False) -> subprocess.Popen[bytes]:
        """Begin a dump; with `session` in a session of its own."""
        return subprocess.Popen(
            self.argv("dump", at(day), database, options=options), env=ENVIRONMENT, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=session,
        )  # fmt: skip

    def home(self, database: str = "babase") -> Path:
        return self.root / "databases" / database

    def file(self, database: str = "babase", day: int = 23) -> Path:
        return self.home(database) / f"{at(day)}.dump"

    def record(self, database: str = "babase", day: int = 23) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home(database) / f"{at(day)}.json").read_text())
        return found

    def parts(self) -> list[Path]:
        """What is, or was left, half written."""
        return sorted(self.root.rglob("*.part"))


@contextmanager
def folder(cluster: pg.Cluster) -> Iterator[Dumps]:
    """A folder for dumps that the server's user can reach: pytest's own cannot be passed by others."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dumps-") as name:
        Path(name).chmod(0o755)
        options = (f"--user={cluster.user}", f"--socket={cluster.sockets}")
        yield Dumps(root=Path(name) / "dumps", cluster=cluster, options=options)


def programs(folder: Path, **scripts: str) -> Path:
    """A folder with the real programs, but those named (`pg_dump="..."`) as these lines of sh."""
    made = folder / "programs"
    made.mkdir(mode=0o755)
    for name in ("psql", "pg_isready", "pg_dump", "pg_dumpall", "pg_restore"):
        path = made / name
        if name in scripts:
            real = pg.BIN / name
            answer = f'[ "$1" != --version ] || exec {real} --version'
            path.write_text(f"#!/bin/sh\n{answer}\nREAL={real}\n{scripts[name]}\n")
            path.chmod(0o755)
        else:
            path.symlink_to(pg.BIN / name)
    return made


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """A mounted tmpfs of `size` bytes that the server's user may write to."""
    path.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(path)), check=True)
    try:
        yield path
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=True)


def give(path: Path, user: str) -> None:
    """Let it belong to that user, where we may."""
    if os.geteuid() == 0:
        shutil.chown(path, user)
