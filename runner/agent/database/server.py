"""How a PostgreSQL server is reached: as which user, over which socket or by which service, with whose programs."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..answer import Refused, plain
from ..command import ENVIRONMENT
from .contract import DatabaseServer

PATIENCE = 20
_LAST = 5
_SEARCHED = 1 << 20
# Before version 12 the program names what it is at in brackets, and does not say that it is an error.
_ERROR = re.compile(rb"pg_\w+: (error|fatal|\[[^]]*\].*ERROR): |psql: error: |(psql:\S+: )?(ERROR|FATAL): ")


PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin", "usr/local/bin", "usr/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (([0-9]+)[0-9.]*\w*)")


def start(
    to: DatabaseServer,
    argv: Sequence[str],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program as the server's OS user, with nothing of our environment but the open files `keep`.

    Raises Refused where that cannot be.
    """
    who = account(to)
    environment = {**ENVIRONMENT, "PGCONNECT_TIMEOUT": str(PATIENCE)}
    if to.service_file:
        environment["PGSERVICEFILE"] = to.service_file
    switch: dict[str, Any] = {}
    if who:
        environment["HOME"] = who.pw_dir
        if who.pw_uid != os.geteuid():
            groups = os.getgrouplist(who.pw_name, who.pw_gid)
            switch = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": groups}
    try:
        return subprocess.Popen(
            (*to.before, *argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            cwd="/",
            pass_fds=keep,
            **switch,
        )
    except (OSError, ValueError) as problem:
        error = f"{argv[0]!a} could not be started: {problem}"
        raise Refused(error, "install the PostgreSQL client programs") from None


def account(to: DatabaseServer) -> pwd.struct_passwd | None:
    """The OS user that programs run as; None for whoever runs this. Raises Refused if that cannot be."""
    if not to.user:
        return None
    try:
        user = pwd.getpwnam(to.user)
    except KeyError:
        raise Refused(f"this host has no user {to.user!a}", "name the one that the database knows: `user`") from None
    if os.geteuid() not in (0, user.pw_uid):
        raise Refused(f"only root can act as {to.user!a}", "run it as root, or as that user")
    return user


@contextlib.contextmanager
def running(
    to: DatabaseServer,
    argv: Sequence[str],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: IO[bytes],
    keep: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A program while the block runs; ended when it is left. See `start`."""
    process = start(to, argv, stdin=stdin, stdout=stdout, stderr=stderr, keep=keep)
    try:
        yield process
    finally:
        stop(process)


class Ran(NamedTuple):
    """How a program ended (None: it was stopped in time), its output's beginning, the last lines of its complaint."""

    exit: int | None
    out: str
    complaint: str


def run(
    to: DatabaseServer,
    argv: Sequence[str],
    *,
    given: IO[bytes] | None = None,
    output: IO[bytes] | int | None = None,
    seconds: float = 60,
    keep: Sequence[int] = (),
) -> Ran:
    """Run a program to its end, or until `seconds` have passed. Raises Refused where it does not start.

    What it writes goes to `output` where that is given.
    """
    with scrap() as out, scrap() as err:
        place = out if output is None else output
        none = subprocess.DEVNULL
        with running(to, argv, stdin=given or none, stdout=place, stderr=err, keep=keep) as process:
            code = ended(process, seconds)
        out.seek(0)
        return Ran(code, out.read(65536).decode("utf-8", "backslashreplace"), complaint(err))


class Listing(NamedTuple):
    """The path of a file, and the open files that a program must inherit to read it."""

    path: str
    keep: tuple[int, ...] = ()


@contextlib.contextmanager
def listing(to: DatabaseServer, lines: Sequence[bytes]) -> Iterator[Listing]:
    """A file of these lines that programs of `to` can read, and nobody else.

    It has no name and so leaves nothing, however this ends; only in a folder that such programs share with us it has.
    """
    with tempfile.NamedTemporaryFile(dir=to.folder) if to.folder else scrap() as chosen:
        chosen.write(b"".join(lines))
        chosen.flush()
        descriptor = chosen.fileno()
        os.fchmod(descriptor, 0o644 if to.folder else 0o600)
        if who := account(to):
            os.fchown(descriptor, who.pw_uid, -1)
        yield Listing(str(chosen.name)) if to.folder else Listing(f"/dev/fd/{descriptor}", (descriptor,))


def scrap() -> IO[bytes]:
    """A file without a name for what a program writes; memfd_create(2)."""
    return os.fdopen(os.memfd_create("output"), "w+b")


def ended(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait for a program to end; its exit, or None where it still runs after so many seconds."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        # Without it, Python looks again and again, and is up to 50 ms late.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return process.poll()
    try:
        return process.wait() if select.select((descriptor,), (), (), max(0, seconds))[0] else None
    finally:
        os.close(descriptor)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and wait for that."""
    if process.poll() is None:
        process.kill()
    process.wait()


def complaint(err: IO[bytes]) -> str:
    """The last error that a program wrote to this file and what follows it, or its last lines, as one harmless line.

    What follows may be long: PostgreSQL's programs show the whole command that failed.
    """
    err.seek(max(0, err.seek(0, os.SEEK_END) - _SEARCHED))
    lines = [line for line in err.read().splitlines() if line.strip()]
    last = max((index for index, line in enumerate(lines) if _ERROR.match(line)), default=max(len(lines) - _LAST, 0))
    return " / ".join(plain(line.strip()) for line in lines[last : last + _LAST])


def free(folder: Path) -> int:
    """How many bytes whoever runs this can still write there."""
    space = os.statvfs(folder)
    return (space.f_bfree if os.geteuid() == 0 else space.f_bavail) * space.f_frsize


def psql(to: DatabaseServer) -> str:
    """The newest psql here; each of them can talk to older servers."""
    folders = _holding(to, "psql")
    if not folders:
        raise Refused("there is no psql on this host", "install the PostgreSQL client programs")
    return str(folders[-1] / "psql")


def isready(to: DatabaseServer) -> str:
    """The newest pg_isready here, or "" where there is none."""
    folders = _holding(to, "pg_isready")
    return str(folders[-1] / "pg_isready") if folders else ""


def dumper(to: DatabaseServer, number: int) -> Path:
    """The folder of the pg_dump and pg_restore for a server of that version number.

    The server's own major version where it is here, else the next newer one. Raises Refused if all are
    older: pg_dump refuses a server that is newer than itself.
    """
    major = number // 10000
    newest = ""
    # By what their folders are called the fitting one comes first.
    for path in sorted(_holding(to, "pg_dump", "pg_restore", "pg_dumpall"), key=lambda path: _rank(path, major)):
        # The distribution's folder of that version need not be asked: a pg_dump in the wrong one would refuse.
        if not to.programs and _major(path) == major:
            return path
        known = version(to, path / "pg_dump")
        if known and int(known.partition(".")[0]) >= major:
            return path
        newest = max(newest, known, key=lambda text: int(text.partition(".")[0] or 0))
    if not newest:
        raise Refused("there is no pg_dump on this host", _install(major))
    raise Refused(f"pg_dump {newest} is older than the server, which is {major}: it cannot dump it", _install(major))


def version(to: DatabaseServer, program: Path) -> str:
    """What version a program says it is, as `15.18`; "" if it does not say."""
    match = _VERSION.search(run(to, (str(program), "--version"), seconds=20).out)
    return match[1] if match else ""


def _install(major: int) -> str:
    return (
        f"install the client programs of PostgreSQL {major} on this host (Debian: postgresql-client-{major}, "
        f"Red Hat: postgresql{major}), or name their folder: `programs`"
    )


def _holding(to: DatabaseServer, *names: str) -> list[Path]:
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
    match = re.search(r"[0-9]+", str(path))
    return int(match[0]) if match else 0
