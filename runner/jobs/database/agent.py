"""runner-agent's verbs for databases and their dumps: argv, and answers as their contracts have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.agent.arguments import argv
from runner.agent.database import contract, contract_restore
from runner.agent.database.contract import Databases, DatabaseServer, DatabaseTrouble, DumpListing, unfit
from runner.agent.database.contract_restore import DumpFits, NewestDump, SwapStanding
from runner.model.facts import Reading
from runner.model.plan import Argv, Check
from runner.tools import answers

# What its callers read, as the agent declares it.
__all__ = ["DatabaseServer", "DumpFits", "NewestDump", "SwapStanding", "unfit"]

# As probes: the program that probes answers them itself, so that nothing need be installed.
_PROBE = "runner-agent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Into:
    """A folder of dumps on a host, the server that is dumped, and the time that this run's dumps are named by.

    `instant` is the scheduled time that `job` is run for; both are "" for none.
    """

    program: str
    to: str
    at: str
    server: DatabaseServer
    job: str = ""
    instant: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """`new` takes the place and name of `name`, which is called `before` from then on."""

    name: str
    new: str
    before: str


def databases(server: DatabaseServer, program: str = _PROBE) -> Argv:
    """Print the server's databases as JSON; exit 1 where it does not answer. Reads only."""
    return (program, *argv("databases", contract.ListDatabases(server)))


def dumps(to: str) -> Argv:
    """Print as JSON which dumps are in the folder `to`. Reads only."""
    return (_PROBE, *argv("dumps", contract.ListDumps(to)))


def dump(into: Into, database: str, *, within: int, max_shrink: float) -> Argv:
    """Write one database into the folder, and read the dump again. `within` are seconds, `max_shrink` percent."""
    options = contract.MakeDump(
        into.to, into.at, database, into.server, within, max_shrink=int(max_shrink), job=into.job, instant=into.instant
    )
    return (into.program, *argv("dump", options))


def not_dumped(into: Into, databases: Sequence[str]) -> Argv:
    """End 79 where all of these have a dump for the instant, 1 where some have. Reads only."""
    return (into.program, *argv("not-dumped", contract.NotDumped(into.to, into.job, into.instant, tuple(databases))))


def dump_globals(into: Into, *, within: int) -> Argv:
    """Write the roles and tablespaces of the server into the folder."""
    return (into.program, *argv("dump-globals", contract.DumpGlobals(into.to, into.at, into.server, within)))


def dumped(into: Into, database: str = "") -> Argv:
    """Print as JSON whether older dumps of a database (the roles without one) are spared. Reads only."""
    options = contract.CheckDumps(into.to, into.at, DatabaseServer(), globals=not database, databases=_names(database))
    return (into.program, *argv("dumped", options))


def all_dumped(into: Into, databases: Sequence[str], *, every: bool) -> Argv:
    """End 1 unless these databases and the roles have a good dump of this run. Reads only.

    With `every` it also says which databases of the server are not among them.
    """
    options = contract.CheckDumps(
        into.to, into.at, into.server, globals=True, require=True, all=every, databases=tuple(databases)
    )
    return (into.program, *argv("dumped", options))


def expire(into: Into, time: str, database: str = "", *, keep: int) -> Argv:
    """Remove one old dump of a database (the roles without one), if the folder can spare it."""
    owner = DatabaseServer(user=into.server.user)
    options = contract.ExpireDump(into.to, time, owner, keep, into.at, globals=not database, databases=_names(database))
    return (into.program, *argv("expire-dump", options))


def _names(database: str) -> tuple[str, ...]:
    return (database,) if database else ()


def read_databases(reading: Reading | None) -> Databases | DatabaseTrouble:
    """What `databases` answered, or why there is no answer."""
    answer = answers.read(reading.out, Databases) if reading else None
    return answer or _trouble(reading, "the server could not be asked for its databases")


def read_dumps(reading: Reading | None) -> DumpListing | DatabaseTrouble:
    """What `dumps` answered, or why there is no answer."""
    answer = answers.read(reading.out, DumpListing) if reading else None
    return answer or _trouble(reading, "the folder of dumps could not be read")


def _trouble(reading: Reading | None, otherwise: str) -> DatabaseTrouble:
    trouble = answers.read(reading.out, DatabaseTrouble) if reading else None
    return trouble or DatabaseTrouble(otherwise)


def newest(root: str, inside: str) -> Argv:
    """Print the newest dump of the database on stdin; `inside` is below `root`. Reads only.

    A verb without its program: it is asked while a plan is made.
    """
    return argv("db-newest", contract_restore.FindDump(root, inside))


def fits(server: DatabaseServer, into: str, bring: Sequence[str] = ()) -> Argv:
    """Say whether the dump whose head is on stdin can become `into` there. Reads only; as `newest`."""
    return argv("db-fits", contract_restore.CheckFits(server, into=into, bring=tuple(bring)))


def standing(server: DatabaseServer, swap: Swap) -> Argv:
    """Say whether `swap` can be done, and whom it interrupts. Reads only; as `newest`."""
    return argv("db-standing", contract_restore.CheckSwap(swap.name, swap.new, server, swap.before))


def check(program: str, source: contract_restore.RestoreDump, into: str, bring: Sequence[str] = ()) -> Argv:
    """Read the whole dump, and say whether it can become the database `into`. Reads only."""
    options = contract_restore.CheckFits(source.server, source.sha256, into, tuple(bring), dumps=(source.dump,))
    return (program, *argv("db-fits", options))


def make_roles(program: str, roles: contract_restore.MakeRoles) -> Argv:
    """Make these roles as the dump of the globals has them; never changes one that is there."""
    return (program, *argv("db-roles", roles))


def restore(program: str, source: contract_restore.RestoreDump) -> Argv:
    """Make a database of the dump, under a name that says that it is not whole."""
    return (program, *argv("db-restore", source))


def verify(program: str, source: contract_restore.RestoreDump) -> Argv:
    """Compare the rows of every table with those counted when it was dumped. Reads only."""
    return (program, *argv("db-verify", source))


def publish(program: str, source: contract_restore.RestoreDump, into: str) -> Argv:
    """Give it its name, and note on it what it was made from."""
    options = contract_restore.PublishRestored(source.dump, source.server, source.sha256, source.plan, into)
    return (program, *argv("db-publish", options))


def drop(program: str, source: contract_restore.RestoreDump) -> Argv:
    """Remove what this plan began to make, if it still has that name."""
    return (program, *argv("db-drop", contract_restore.DropRestored(source.server, source.plan)))


def remove_copy(folder: str) -> Argv:
    """Remove the folder that a dump was copied to, with all in it; rm(1)."""
    return ("rm", "--recursive", "--force", "--one-file-system", "--", folder)


def ready(program: str, server: DatabaseServer, swap: Swap, host: str) -> Check:
    """The claim that the swap can be done."""
    return Check(
        host=host,
        argv=(program, *standing(server, swap)),
        field="ready",
        relation="==",
        value=True,
        why="it was restored and compared, and the names are free",
    )


def swap(program: str, server: DatabaseServer, names: Swap, plan: str) -> Argv:
    """Do it: both names change in one transaction; whoever is connected to either is ended."""
    return (
        program,
        *argv("db-swap", contract_restore.SwapDatabases(names.name, names.new, server, names.before, plan)),
    )
