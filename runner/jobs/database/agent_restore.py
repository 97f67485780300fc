"""runner-agent's verbs that make a database out of a dump, and put one in another's place: argv and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.jobs.database.agent import Reach
from runner.model.plan import Argv, Check
from runner.tools import detached, fields


@dataclass(frozen=True, kw_only=True, slots=True)
class From:
    """A dump at the database's host, as the plan knows it: where it is there, and its SHA-256.

    `plan` is the id of the plan, by which the database is called until it is whole.
    """

    program: str
    reach: Reach
    dump: str
    sha256: str
    plan: str


def newest(root: str, inside: str) -> Argv:
    """Print the newest dump, with its record, of the database on stdin; `inside` is below `root`. Reads only.

    A verb without its program: it is asked while a plan is made.
    """
    return ("db-newest", root, inside)


def fits(reach: Reach, into: str, bring: Sequence[str] = ()) -> Argv:
    """Say whether the dump whose record is on stdin can become `into` there. Reads only; as `newest`."""
    return ("db-fits", *reach.words, f"--into={into}", *_each("bring", bring))


def standing(reach: Reach, swap: Swap) -> Argv:
    """Say whether `swap` can be done, and whom it interrupts. Reads only; as `newest`."""
    return ("db-standing", *reach.words, f"--before={swap.before}", "--", swap.name, swap.new)


def hold(program: str, plan: str, who: str) -> Argv:
    """Take the host's lock on restoring databases and keep it until stdin ends."""
    return detached.hold_host(program, "restore-db", plan, who)


def check(source: From, into: str, bring: Sequence[str] = ()) -> Argv:
    """Read the whole dump, and say whether it can become the database `into`. Reads only."""
    options = (f"--sha256={source.sha256}", f"--into={into}", *_each("bring", bring))
    return (source.program, "db-fits", *source.reach.words, *options, "--", source.dump)


def make_roles(source: From, path: str, sha256: str, roles: Sequence[str]) -> Argv:
    """Make these roles as the dump of the globals at `path` has them; never changes one that is there."""
    options = (f"--sha256={sha256}", *_each("role", roles))
    return (source.program, "db-roles", *source.reach.words, *options, "--", path)


def restore(source: From) -> Argv:
    """Make a database of the dump, under a name that says that it is not whole."""
    return _of(source, "db-restore")


def verify(source: From) -> Argv:
    """Compare the rows of every table with those counted when it was dumped. Reads only."""
    return _of(source, "db-verify")


def publish(source: From, into: str) -> Argv:
    """Give it its name, and note on it what it was made from."""
    return _of(source, "db-publish", f"--into={into}")


def drop(source: From) -> Argv:
    """Remove what this plan began to make, if it is there under that name still."""
    return (source.program, "db-drop", *source.reach.words, f"--plan={source.plan}")


def remove_copy(folder: str) -> Argv:
    """Remove the folder that a dump was copied to, with all in it; rm(1)."""
    return ("rm", "--recursive", "--force", "--one-file-system", "--", folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """`new` takes the place and name of `name`, which is called `before` from then on."""

    name: str
    new: str
    before: str


def ready(program: str, reach: Reach, swap: Swap, host: str) -> Check:
    """The claim that the swap can be done."""
    return Check(
        host=host,
        argv=(program, *standing(reach, swap)),
        field="ready",
        relation="==",
        value=True,
        why="it was restored and compared, and the names are free",
    )


def swap(program: str, reach: Reach, wanted: Swap, plan: str) -> Argv:
    """Do it: both names change in one transaction; whoever is connected to either is ended."""
    options = (f"--before={wanted.before}", f"--plan={plan}")
    return (program, "db-swap", *reach.words, *options, "--", wanted.name, wanted.new)


@dataclass(frozen=True, kw_only=True, slots=True)
class Globals:
    """A dump of the roles: its file, its SHA-256 and the roles that it makes."""

    file: str
    sha256: str
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A dump that was found. `record` is all that is known of it; `passed` says why newer ones are none."""

    record: Mapping[str, Any]
    passed: tuple[str, ...] = ()
    globals: Globals | None = None

    @property
    def dump(self) -> str:
        """The name of its file."""
        return fields.text(self.record.get("dump"))

    @property
    def sha256(self) -> str:
        """Its digest."""
        return fields.text(self.record.get("sha256"))

    @property
    def tables(self) -> int:
        """How many tables it has."""
        return len(_rows(self.record))

    @property
    def rows(self) -> int:
        """How many rows all its tables have."""
        return sum(_rows(self.record))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that it needs: its owner's, and whatever is owned or granted in it."""
        owner = fields.text(self.record.get("owner"))
        return tuple(sorted({*fields.texts(self.record.get("roles")), *((owner,) if owner else ())}))


def parse_newest(told: Mapping[str, Any]) -> Found:
    """What `newest` answered."""
    record, roles = told.get("record"), told.get("globals")
    return Found(
        record=record if isinstance(record, dict) else {},
        passed=fields.texts(told.get("passed")),
        globals=Globals(
            file=fields.text(roles.get("file")),
            sha256=fields.text(roles.get("sha256")),
            roles=fields.texts(roles.get("roles")),
        )
        if isinstance(roles, dict)
        else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Whom a swap interrupts. `there`: the old database exists; `mark` is what is written on the new one.

    `sessions` are the first of those that are connected, in words; `connected` is how many there are.
    """

    there: bool
    connected: int
    sessions: tuple[str, ...]
    mark: Mapping[str, Any]


def parse_standing(told: Mapping[str, Any]) -> Standing:
    """What `standing` answered."""
    mark = told.get("mark")
    return Standing(
        there=told.get("there") is True,
        connected=fields.whole(told.get("connected")) or 0,
        sessions=tuple(map(_session, fields.objects(told.get("sessions")))),
        mark=mark if isinstance(mark, dict) else {},
    )


def _session(told: Mapping[str, Any]) -> str:
    user, what, client = (fields.text(told.get(word)) for word in ("user", "application", "client"))
    since = fields.moment(told.get("since"))
    return f"{user or 'the server'}{f' with {what}' if what else ''} from {client}" + (
        f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    )


def _rows(record: Mapping[str, Any]) -> list[int]:
    tables = record.get("tables")
    return [fields.whole(one) or 0 for one in tables.values()] if isinstance(tables, dict) else []


def _of(source: From, verb: str, *options: str) -> Argv:
    words = (f"--sha256={source.sha256}", f"--plan={source.plan}", *options)
    return (source.program, verb, *source.reach.words, *words, "--", source.dump)


def _each(option: str, values: Sequence[str]) -> Argv:
    return tuple(f"--{option}={one}" for one in values)
