"""`dumps` and `dumped`: what a folder of dumps holds and lacks; `expire-dump`: remove an old one.

`dump-globals`: write what all databases of a server share, roles and tablespaces, into it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .. import clock, command, durable
from ..answer import FAILED, AlreadyDone, Refused, emit, reply, shown, table
from ..arguments import parse_as
from ..store.contract.due import StillDue
from ..store.layout import nearest
from . import dump_file
from . import folder as dump_folder
from . import server as pg_programs
from .contract import (
    CheckDumps,
    DumpExpired,
    DumpGlobals,
    DumpListing,
    DumpMissing,
    DumpRow,
    DumpsChecked,
    ExpireDump,
    GlobalsDumped,
    ListDumps,
    NotDumped,
)
from .databases import ServerNames, names
from .folder import PART, Folder, amount
from .server import free
from .session import SqlSession, SqlTrouble, refusal
from .stored import MOST_ROLES

_MOST = 20
_WITHIN = 600
_ABOUT = """select json_build_object('number', current_setting('server_version_num')::int,
    'super', (select rolsuper from pg_roles where rolname = current_user));"""


def dumps(argv: Sequence[str]) -> int:
    """Print what `read` gives."""
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> Mapping[str, Any]:
    """The dumps that count, oldest first, by database, and the times of the roles'; what does not count is `odd`."""
    folder = dump_folder.absolute(parse_as(ListDumps, argv).to)
    known = {name: dump_folder.dumps(folder, name) for name in dump_folder.databases(folder)}
    answer: Mapping[str, Any] = table(
        DumpListing(
            exists=folder.root.is_dir(),
            free=free(nearest(folder.root)),
            databases={name: tuple(map(_row, records)) for name, records in known.items()},
            globals=tuple(dump_folder.roles(folder)),
            real=os.path.realpath(folder.root),
            odd=tuple(_odd(folder, known)[:_MOST]),
        )
    )
    return answer


def _row(record: Mapping[str, Any]) -> DumpRow:
    return DumpRow(
        time=record["time"],
        bytes=record["bytes"],
        at=clock.moment(record.get("at")),
        objects=amount(record, "objects"),
        rows=amount(record, "rows"),
        server=str(record.get("server") or ""),
        pg_dump=str(record.get("pg_dump") or ""),
        took=record.get("took"),
        doubts=tuple(map(str, record.get("doubts") or ())),
        job=str(record.get("job") or ""),
        instant=clock.moment(record.get("instant")),
    )


def _odd(folder: Folder, known: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Files among the dumps that are none, but for what is being written."""
    odd = []
    for name, records in known.items():
        home = folder.home(name)
        fine = {f"{record['time']}{end}" for record in records for end in (".dump", ".json")}
        files = sorted(entry.name for entry in home.iterdir())
        odd += [f"{home.name}/{file}" for file in files if file not in fine and not file.endswith(PART)]
    return odd


def not_dumped(argv: Sequence[str]) -> int:
    """Print `{"due": true}` while none of these databases has a dump of JOB for that instant. Reads only.

    Exit 79 where each has, and 1 where some have: then a new plan is for the others.
    """
    options = parse_as(NotDumped, argv)
    folder = dump_folder.absolute(options.to)
    made = {name: dump_folder.made_for(folder, name, options.job, options.instant) for name in options.databases}
    times = sorted(filter(None, made.values()))
    if times and all(made.values()):
        raise AlreadyDone(f"{options.job} has dumped every database for that time", times[-1])
    if times:
        raise Refused(f"{len(times)} of {len(made)} databases are dumped for that time", "make a new plan", again=True)
    reply(StillDue(due=True))
    return 0


def dumped(argv: Sequence[str]) -> int:
    """Is there a good dump of that time of each of these databases?

    Dumps of before are spared unless there is one of each, without doubts. With `--globals` the roles are one
    more. With `--require` the server is asked which databases there are (`--all`: which ones are new as well),
    and it ends 1 when one that is still there has none.
    """
    options = parse_as(CheckDumps, argv)
    folder, at = dump_folder.absolute(options.to), dump_folder.moment(options.at)
    records = {name: dump_folder.good(folder, name, at) for name in options.databases}
    doubts = {name: ", ".join(record["doubts"]) for name, record in records.items() if record.get("doubts")}
    missing, gone, new = [name for name, record in records.items() if not record], [], []
    if options.require:
        try:
            known = names(options.server)
        except SqlTrouble:
            known = ServerNames(options.databases)
        gone = [name for name in missing if name not in (*known.there, *known.closed)]
        missing = [name for name in missing if name not in gone]
        # What is restored beside another is none that anybody made.
        named = (*options.databases, *known.restored)
        new = [name for name in known.there if name not in named] if options.all else []
    lacking = [shown(name) for name in missing[:_MOST]]
    if options.globals and not dump_folder.complete(folder.roles(at)):
        lacking.append("the roles")
    error = f"no good dump of this run: {', '.join(lacking)}" if lacking else ""
    answer = DumpsChecked(
        spared=bool(lacking or doubts),
        why=error or "; ".join(f"{shown(name)}: {doubt}" for name, doubt in list(doubts.items())[:_MOST]),
        missing=tuple(DumpMissing(name, _last(folder, name)) for name in missing[:_MOST]),
        gone=tuple(gone[:_MOST]),
        new=tuple(new[:_MOST]),
    )
    if not error or not options.require:
        reply(answer)
        return 0
    emit({**table(answer), "error": error, "do": "see what its own step says; the older dumps are kept"})
    return FAILED


def _last(folder: Folder, name: str) -> datetime | None:
    records = dump_folder.dumps(folder, name)
    return clock.moment(records[-1]["at"]) if records else None


def expire_dump(argv: Sequence[str]) -> int:
    """Remove one dump of a database, or with `--globals` of the roles.

    Refused unless `--keep` or more newer dumps count, and one of them is of `--after`, the run that wants
    it. A dump that is not there is no failure.
    """
    options = parse_as(ExpireDump, argv)
    if len(options.databases) != (0 if options.globals else 1):
        raise Refused("name one database, or give --globals", "see docs/store.md")
    folder, at = dump_folder.hold(options.to, options.server), dump_folder.moment(options.at)
    after, database = dump_folder.moment(options.after), "".join(options.databases)
    times, files = dump_folder.roles(folder), [folder.roles(at)]
    if not options.globals:
        times = [str(record["time"]) for record in dump_folder.dumps(folder, database)]
        # In this order: a dump that has lost its record does not count any more.
        files = [folder.record(database, at), folder.dump(database, at)]
    newer = [time for time in times if time > at]
    if after not in newer:
        raise Refused(
            f"there is no good dump of {after} of {shown(database) if database else 'the roles'}",
            "older ones go only when a newer one was made; see why there is none",
        )
    if len(newer) < options.keep:
        raise Refused(f"only {len(newer)} newer dumps would stay, and {options.keep} must", "nothing was removed")
    for file in files:
        file.unlink(missing_ok=True)
        durable.sync_folder(file.parent)
    reply(DumpExpired(at, database, len(newer) + sum(time < at for time in times)))
    return 0


def dump_globals(argv: Sequence[str]) -> int:
    """Dump the roles to `TO/globals/TIME.sql`.

    Who is no superuser of the server may not read the passwords: then they are not in it.
    """
    options = parse_as(DumpGlobals, argv)
    folder, to, at = dump_folder.hold(options.to, options.server), options.server, dump_folder.moment(options.at)
    within = options.within or _WITHIN
    try:
        with SqlSession(to) as session:
            (about,) = session.ask(_ABOUT)
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
            if (size := part.stat().st_size) > MOST_ROLES:
                raise Refused(
                    f"the dump of the roles has {size:,} bytes, and a restore reads {MOST_ROLES:,} at most",
                    "see which roles the server has: a dump of roles is short",
                )
            dump_file.publish(part, final)
    reply(GlobalsDumped(at, final.stat().st_size, passwords=bool(about["super"])))
    return 0
