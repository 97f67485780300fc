"""`dump-globals`: write what all databases of a server share, roles and tablespaces, into the folder of dumps."""

from __future__ import annotations

from collections.abc import Sequence

from .. import command, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from . import dump_file
from . import folder as dump_folder
from . import server as pg_programs
from .contract import DumpGlobals, GlobalsDumped
from .session import SqlSession, SqlTrouble, refusal

_ASK = """select json_build_object('number', current_setting('server_version_num')::int,
    'super', (select rolsuper from pg_roles where rolname = current_user));"""

_WITHIN = 600


def run(argv: Sequence[str]) -> int:
    """Dump the roles to `TO/globals/TIME.sql`.

    Who is no superuser of the server may not read the passwords: then they are not in it.
    """
    options = parse_as(DumpGlobals, argv)
    folder, to, at = dump_folder.hold(options.to, options.server), options.server, dump_folder.moment(options.at)
    within = options.within or _WITHIN
    try:
        with SqlSession(to) as session:
            (about,) = session.ask(_ASK)
    except SqlTrouble as trouble:
        raise refusal(to, trouble) from None
    programs = pg_programs.dumper(to, about["number"])
    durable.make_folder(folder.globals, 0o700)
    durable.sync_folder(folder.root)
    dump_file.write(folder, to)
    final = folder.roles(at)
    if not dump_folder.complete(final):
        less = () if about["super"] else ("--no-role-passwords",)
        words = (str(programs / "pg_dumpall"), "--globals-only", "--no-password", *less)
        with command.together(), dump_file.writing(final) as (part, descriptor):
            ran = pg_programs.run(to, (*words, f"--dbname={to.conninfo()}"), output=descriptor, seconds=within)
            if ran.exit is None:
                raise Refused(f"pg_dumpall had not ended after {within} s and was stopped", "raise `timeout`")
            if ran.exit != 0 or not dump_folder.complete(part):
                raise Refused(
                    f"pg_dumpall ended {ran.exit} and wrote {part.stat().st_size:,} bytes: {ran.complaint}",
                    "see the room on the disk and the log of the database server, and run it again",
                )
            dump_file.publish(part, final)
    reply(GlobalsDumped(at, final.stat().st_size, passwords=bool(about["super"])))
    return 0
