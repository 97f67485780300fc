"""The database servers of a lost host: which dumps make each of them again, and what must be there before."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.jobs.database.agent import DatabaseServer
from runner.jobs.snapshots.inventory import DatabaseDump, SnapshotDumps, StoredAbout, Tablespace
from runner.model.text import one_line

_UNITS = (
    (re.compile(r"/var/lib/postgresql/([0-9.]+)/([\w.-]+)"), r"postgresql@\1-\2"),
    (re.compile(r"/var/lib/pgsql/([0-9.]+)/data"), r"postgresql-\1"),
)
_DATA = {"debian": "/var/lib/postgresql/{}/main", "redhat": "/var/lib/pgsql/data"}
# In a regular expression of semanage(8) these mean themselves; a blank would end it.
_SIMPLE = re.compile(r"[\w/-]+", re.ASCII)
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True, kw_only=True, slots=True)
class LostDump:
    """A dump in the folder that the page's shell variable `var` names."""

    var: str
    dump: DatabaseDump

    @property
    def connect(self) -> str:
        """Its database for `--dbname=`, as a word of sh."""
        name = self.dump.database
        if "=" in name or name.startswith(("postgres://", "postgresql://")):
            name = DatabaseServer().conninfo(name)
        return word(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class LostServer:
    """A server to make again. `folders` are those of its dumps by shell variable, `roles` the file of roles in one.

    `known` is whether the dumps say where its data were. `made` are its tablespaces; `need_roles` and `need_spaces`
    must be there, and no file of roles makes them.
    """

    server: DatabaseServer
    folders: Mapping[str, str]
    dumps: Sequence[LostDump]
    roles: tuple[str, str] | None
    made: Sequence[Tablespace]
    data: str
    known: bool
    unit: str
    need_roles: Sequence[str]
    need_spaces: Sequence[str]

    @property
    def user(self) -> str:
        """The OS user that it runs as."""
        return self.server.user or "postgres"

    @property
    def major(self) -> str:
        """The newest major version that a dump is of, "" for none known."""
        return _major([each.dump for each in self.dumps])

    @property
    def initdb(self) -> str:
        """What initdb is told of languages: as the database `postgres` had it, or what most of them have."""
        dumps = sorted((each.dump for each in self.dumps), key=lambda dump: dump.database != "postgres")
        first = next((dump for dump in dumps if dump.encoding), None)
        if first is None:
            return ""
        words = (("encoding", first.encoding), ("lc-collate", first.collate), ("lc-ctype", first.ctype))
        return " ".join(f"--{name}={word(text)}" for name, text in words if text)

    @property
    def spaces(self) -> Sequence[Tablespace]:
        """The tablespaces that have a folder of their own."""
        return [each for each in self.made if each.folder]

    @property
    def without_user(self) -> str:
        """What sed does so that the role that every new cluster has is not made once more, but only altered."""
        plain = re.sub(r"([][\\.*^$/])", r"\\\1", self.user)
        role = f'"\\{{0,1\\}}{plain}"\\{{0,1\\}}'
        # A comment of a role may have such a line too, but not the next one.
        return f"/^CREATE ROLE {role};$/{{N;s/^CREATE ROLE [^\\n]*\\n\\(ALTER ROLE {role} WITH \\)/\\1/;}}"


def word(text: str) -> str:
    """A word of sh that means this text, on one line; for one that ends with a line feed the sh must be bash."""
    if text.isprintable():
        return shlex.quote(text)
    letters = text.encode("utf-8", "surrogateescape")
    if text.endswith("\n"):
        return "$'" + "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in letters) + "'"
    return "\"$(printf %b '" + "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in letters) + "')\""


def labelled(folder: str) -> str:
    """A folder and all in it as SELinux's list of contexts names it; "" where it cannot."""
    return f"{folder.rstrip('/')}(/.*)?" if _SIMPLE.fullmatch(folder) else ""


def lost_servers(about: StoredAbout, servers: Mapping[str, DatabaseServer]) -> list[LostServer]:
    """Every server that some folder has a dump of; folders of one server go together, the newest dump counts."""
    groups: dict[object, tuple[DatabaseServer, list[SnapshotDumps]]] = {}
    for folder in about.dumps:
        if folder.databases:
            server = servers.get(folder.folder, DatabaseServer(user="postgres"))
            # Two jobs may reach one server in two ways: it must not be emptied once more for the second.
            known = "" if server.service else _data([*folder.databases])
            groups.setdefault(known or server, (server, []))[1].append(folder)
    made, number = [], 0
    for server, folders in groups.values():
        names = {f"dumps{number + at if number + at > 1 else ''}": each for at, each in enumerate(folders, 1)}
        number += len(folders)
        # The distribution has one place: it is no guess for two servers.
        made.append(_server(server, names, about.facts.family if len(groups) == 1 else ""))
    return made


def _server(server: DatabaseServer, folders: Mapping[str, SnapshotDumps], family: str) -> LostServer:
    newest: dict[str, LostDump] = {}
    for var, folder in folders.items():
        for dump in folder.databases:
            if dump.database not in newest or newest[dump.database].dump.time < dump.time:
                newest[dump.database] = LostDump(var=var, dump=dump)
    dumps = [each.dump for each in newest.values()]
    with_roles = [(folder.globals, var) for var, folder in folders.items() if folder.globals]
    roles = max(with_roles, default=None)
    spaces = folders[roles[1]].tablespaces if roles else ()
    data = _data(dumps)
    place = data or _DATA.get(family, "/THE/DATA/FOLDER").format(_major(dumps))
    needed = {role for dump in dumps for role in dump.roles} - {server.user or "postgres"}
    return LostServer(
        server=server,
        folders={var: folder.folder for var, folder in folders.items()},
        dumps=tuple(newest.values()),
        roles=roles,
        made=spaces,
        data=place,
        known=bool(data),
        unit=next((match.expand(unit) for known, unit in _UNITS if (match := known.fullmatch(place))), "postgresql"),
        need_roles=() if roles else sorted(needed),
        need_spaces=sorted({space for dump in dumps for space in dump.tablespaces} - {space.name for space in spaces}),
    )


def _data(dumps: Sequence[DatabaseDump]) -> str:
    """The data folder that the newest of them knows."""
    return next((dump.data for dump in sorted(dumps, key=lambda dump: dump.time, reverse=True) if dump.data), "")


def _major(dumps: Sequence[DatabaseDump]) -> str:
    numbers = (match[0] for dump in dumps if (match := re.match("[0-9]+", dump.server)))
    return max(numbers, key=int, default="")


def warnings(about: StoredAbout, servers: Mapping[str, DatabaseServer]) -> list[str]:
    """What does not come back, or older than it might, or is not known."""
    lines = []
    for folder in about.dumps:
        if folder.problem:
            lines.append(f"the dumps in {folder.folder} cannot all be read: {folder.problem}")
        for lacking in folder.lacking:
            lines.append(f"no dump of the database {one_line(lacking.database)} comes back: {lacking.why}")
        for dump in folder.databases:
            name = one_line(dump.database)
            lines += [f"a newer dump of the database {name} does not count: {why}" for why in dump.passed[:3]]
    there = {folder.folder for folder in about.dumps if folder.databases or folder.problem or folder.lacking}
    lines += [f"there is no dump of a database in {path} of this snapshot" for path in servers if path not in there]
    return lines
