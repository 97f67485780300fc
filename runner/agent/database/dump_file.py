"""A dump while it is written: made under a name that nobody reads, looked at, then given its own in one move."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from .. import durable, regular
from ..answer import Refused
from ..store.layout import is_name
from .contract import DatabaseServer
from .folder import PART, Folder
from .server import complaint, ended, run, running, scrap

BITE = 1024 * 1024
_LIST = 3600
# Lines of `pg_restore --list`: names come after these words, and it writes no line feed of a name.
_ENTRIES = re.compile(rb"; +TOC Entries: ([0-9]+)$")
_WRITER = re.compile(rb"; +Dumped by pg_dump version: (\S+)")
_ROWS = re.compile(rb"[0-9]+; [0-9]+ [0-9]+ TABLE DATA ")

_TEXT = """\
The dumps of this host's databases
==================================

globals/TIME.sql            the roles (users, groups) and tablespaces of the server, as SQL
databases/NAME/TIME.dump    the database NAME as it was at TIME (UTC), written by pg_dump --format=custom
databases/NAME/TIME.json    about that dump: size, SHA-256, versions, owner, and the rows of every table

In folder names a letter that is not plain stands as %XX (its byte, hexadecimal). A file that ends in
.part is unfinished, and a .dump without its .json too: leave them alone.

Restore
-------
PostgreSQL of the version in the .json ("server"), or a newer one, must be installed and running. The
commands are for root; "runuser -u {user} --" lets the database's own user run what follows it.
DUMP stands for databases/NAME/TIME.dump, GLOBALS for the globals/TIME.sql of the same TIME.

1. See that the dump is whole (compare with "sha256" in its .json), and what is in it:

    sha256sum DUMP
    runuser -u {user} -- pg_restore --list < DUMP

2. On a new server the roles and tablespaces come first; no error is to be expected. A tablespace's folder must
   be there, the server's own, without a folder PG_... of before in it. That makes them:

    sed -n "s/^CREATE [A-Z]*SPACE .* LOCATION '\\(.*\\)';$/\\1/p" GLOBALS | while IFS= read -r place; do \
mkdir -p "$place" && chown {user}: "$place" && chmod 700 "$place" || exit; done
    sed '/^CREATE ROLE {role};$/{{N;s/^CREATE ROLE [^\\n]*\\n\\(ALTER ROLE {role} WITH \\)/\\1/;}}' GLOBALS | \
runuser -u {user} -- psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres

3. Either: the database under its own name, on a server that does not have it:

    runuser -u {user} -- pg_restore --create --exit-on-error --dbname=postgres < DUMP

   Or: beside the one that is there, under a new name, to look at it or to take out a table:

    runuser -u {user} -- createdb --template=template0 NEWNAME
    runuser -u {user} -- pg_restore --exit-on-error --dbname=NEWNAME < DUMP

   One table only: the same with --table=TABLE before --dbname.
   A database that its own setting makes read-only wants "env PGOPTIONS=-cdefault_transaction_read_only=off"
   before pg_restore.

4. Afterwards let the planner know its data, and compare rows with "tables" in the .json:

    runuser -u {user} -- vacuumdb --analyze-only --dbname=NAME
    runuser -u {user} -- psql --dbname=NAME --command='select count(*) from only TABLE'

To put a restored database in the place of the old one, when nobody is connected to either:

    runuser -u {user} -- psql --dbname=postgres --command='alter database NAME rename to NAME_before'
    runuser -u {user} -- psql --dbname=postgres --command='alter database NEWNAME rename to NAME'
"""


class DumpContents(NamedTuple):
    """What a dump file holds: its size, its digest, the objects in its list, tables with rows among them.

    `version` is that of the pg_dump that wrote it.
    """

    bytes: int
    sha256: str
    objects: int
    tables: int
    version: str


@contextlib.contextmanager
def writing(final: Path) -> Iterator[tuple[Path, int]]:
    """A new file beside `final` and a descriptor to write it by; removed unless `publish` took it.

    What earlier ones left there, killed before they could remove it, goes first.
    """
    part = final.with_name(final.name + PART)
    for left in final.parent.glob(f"*{PART}"):
        # Others may keep files in that folder that are called so.
        if left == part or is_name(left.name.partition(".")[0]):
            left.unlink()
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        yield part, descriptor
    finally:
        os.close(descriptor)
        part.unlink(missing_ok=True)


def publish(part: Path, final: Path) -> None:
    """Give a finished file its name: on the disk before anybody can see it."""
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.rename(final)
    durable.sync_folder(final.parent)


def publish_text(final: Path, text: str, mode: int = 0o600) -> None:
    """Put a small file there in one move."""
    with writing(final) as (part, descriptor):
        os.fchmod(descriptor, mode)
        part.write_bytes(text.encode())
        publish(part, final)


def look(to: DatabaseServer, pg_restore: Path, part: Path, seconds: float) -> DumpContents:
    """Read a dump as a restore would, to its end. Raises Refused where that is not possible.

    Its list alone proves little: it stands at the beginning of the file, and is whole in one cut to a tenth.
    """
    size = part.stat().st_size
    if not size:
        raise Refused("the dump is empty, though pg_dump said that it was done", "run it again; see the host's log")
    with _inflating(to, pg_restore, part, seconds), part.open("rb") as stream:
        listed, sha256 = _listed(to, pg_restore, part), digest(stream)
    if not listed[0]:
        raise Refused("pg_restore cannot list the dump, though it can read it", "run it again")
    return DumpContents(size, sha256, *listed)


@contextlib.contextmanager
def _inflating(to: DatabaseServer, pg_restore: Path, part: Path, seconds: float) -> Iterator[None]:
    """Have it read to its end while the block runs; Refused where it cannot be."""
    with part.open("rb") as given, scrap() as err:
        words = (str(pg_restore), "--file=/dev/null")
        with running(to, words, stdin=given, stdout=subprocess.DEVNULL, stderr=err) as process:
            yield
            code = ended(process, seconds)
        if code is None:
            raise Refused(f"reading the dump again took longer than {seconds:g} s", "raise `timeout`")
        if code != 0:
            raise Refused(
                f"the dump is truncated or damaged: pg_restore ended {code}: {complaint(err)}",
                "run it again; if it happens twice, look at the disk and the memory of this host",
            )


def _listed(to: DatabaseServer, pg_restore: Path, part: Path) -> tuple[int, int, str]:
    """How many objects and tables with rows its list has, and which pg_dump it says that wrote it.

    0 and "" where it has no list: whoever reads the whole of it knows why.
    """
    objects, tables, version = 0, 0, ""
    with part.open("rb") as given, scrap() as out:
        if run(to, (str(pg_restore), "--list"), given=given, output=out, seconds=_LIST).exit != 0:
            return 0, 0, ""
        out.seek(0)
        for line in out:
            if match := _ENTRIES.match(line):
                objects = int(match[1])
            elif match := _WRITER.match(line):
                version = match[1].decode()
            else:
                tables += _ROWS.match(line) is not None
    return objects, tables, version


def digest(stream: IO[bytes]) -> str:
    """The SHA-256 of the rest of a file."""
    sha256 = hashlib.sha256()
    while data := stream.read(BITE):
        sha256.update(data)
    return sha256.hexdigest()


def write(folder: Folder, to: DatabaseServer) -> None:
    """Leave the README in the folder, unless it is there and says the same."""
    user = to.user or "postgres"
    # pg_dumpall writes some names in quotes.
    text = _TEXT.format(user=user, role=f'"\\{{0,1\\}}{user}"\\{{0,1\\}}')
    path = folder.root / "README.txt"
    with contextlib.suppress(OSError):
        if regular.content(path) == text.encode():
            return
    publish_text(path, text, 0o644)
