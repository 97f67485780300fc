"""Where the programs of PostgreSQL are, and of which version: a server is dumped by its own or a newer one."""

from __future__ import annotations

import re
from pathlib import Path

from ..answer import Refused
from .server import Server, run

PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin", "usr/local/bin", "usr/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (([0-9]+)[0-9.]*\w*)")


def psql(to: Server) -> str:
    """The newest psql here; every one of them can talk to older servers."""
    found = _holding(to, "psql")
    if not found:
        raise Refused("there is no psql on this host", "install the PostgreSQL client programs")
    return str(found[-1] / "psql")


def isready(to: Server) -> str:
    """The newest pg_isready here, or "" where there is none."""
    found = _holding(to, "pg_isready")
    return str(found[-1] / "pg_isready") if found else ""


def dumper(to: Server, number: int) -> Path:
    """The folder of the pg_dump and pg_restore for a server of that version number.

    The server's own major version where it is here, else the next newer one. Raises Refused if all are
    older: pg_dump refuses a server that is newer than itself.
    """
    wanted = number // 10000
    newest = ""
    # By what their folders are called the fitting one comes first.
    for path in sorted(
        _holding(to, "pg_dump", "pg_restore", "pg_dumpall"), key=lambda one: _rank(one, wanted)
    ):
        # The distribution's folder of that version need not be asked: a pg_dump in the wrong one would refuse.
        if not to.programs and _major(path) == wanted:
            return path
        told = version(to, path / "pg_dump")
        if told and int(told.partition(".")[0]) >= wanted:
            return path
        newest = max(newest, told, key=lambda one: int(one.partition(".")[0] or 0))
    if not newest:
        raise Refused("there is no pg_dump on this host", _install(wanted))
    raise Refused(
        f"pg_dump {newest} is older than the server, which is {wanted}: it cannot dump it", _install(wanted)
    )


def version(to: Server, program: Path) -> str:
    """What version a program says it is, as `15.18`; "" if it does not say."""
    found = _VERSION.search(run(to, (str(program), "--version"), seconds=20).out)
    return found[1] if found else ""


def _install(major: int) -> str:
    return (
        f"install the client programs of PostgreSQL {major} on this host (Debian: postgresql-client-{major}, "
        f"Red Hat: postgresql{major}), or name their folder: `programs`"
    )


def _holding(to: Server, *names: str) -> list[Path]:
    """The folders that have all these programs, those of newer versions later."""
    if to.programs:
        folders = [Path(to.programs)]
    else:
        folders = [path for place in reversed(PLACES) for path in sorted(Path("/").glob(place), key=_major)]
    return [path for path in folders if all((path / name).is_file() for name in names)]


def _rank(path: Path, wanted: int) -> tuple[bool, int]:
    major = _major(path)
    return major < wanted, major if major >= wanted else -major


def _major(path: Path) -> int:
    found = re.search(r"[0-9]+", str(path))
    return int(found[0]) if found else 0
