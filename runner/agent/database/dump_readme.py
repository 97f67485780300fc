"""The README beside the dumps: how to get a database back with nothing but PostgreSQL's own programs."""

from __future__ import annotations

import contextlib

from . import dump_file
from .folder import Folder
from .server import Server

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

2. On a new server the roles come first. That role "{user}" exists already is the one error to expect:

    runuser -u {user} -- psql --no-psqlrc --dbname=postgres < GLOBALS

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


def write(folder: Folder, to: Server) -> None:
    """Leave the README in the folder, unless it is there and says the same."""
    text = _TEXT.format(user=to.user or "postgres")
    path = folder.root / "README.txt"
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == text.encode():
            return
    dump_file.publish_text(path, text, 0o644)
