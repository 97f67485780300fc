"""The role that a restore logs in as: no superuser, and at any time a member of one owner at most."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import resource
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from ..answer import BUSY, Refused, plain
from . import cluster
from . import server as pg_programs
from .contract import DatabaseServer
from .server import account
from .session import SqlTrouble
from .sql import identifier, literal

RESTORER, RIGHTS = "runner_restore", "runner_restore_rights"
_MARK = "made by runner restore-db, for as long as a restore takes"
# A statement with a password in it is for no log, whatever becomes of it.
QUIET = """\\set VERBOSITY terse
set log_statement = none; set log_min_error_statement = panic; set log_min_duration_statement = -1;
"""
_STANDING = f"""select json_build_object('name', rolname,
    'ours', coalesce(shobj_description(oid, 'pg_authid') = {literal(_MARK)}, false),
    'busy', exists (select from pg_stat_activity where usename = rolname))
from pg_roles where rolname in ({literal(RESTORER)}, {literal(RIGHTS)});"""  # noqa: S608  (nothing from outside)
_SERVER = """select json_build_object('number', current_setting('server_version_num')::int, 'port',
    current_setting('port'), 'listen', current_setting('listen_addresses'), 'hba', current_setting('hba_file'));"""
_END_SESSIONS = f"""select pg_terminate_backend(pid) from pg_stat_activity where usename = {literal(RESTORER)}
\\g /dev/null
"""  # noqa: S608
_DATABASES = "select json_build_object('name', datname) from pg_database;"
# Nobody else gets in with a password that code in a dump gave to the role: each part of it begins with ours.
_LOGIN = f"""{QUIET}select format('revoke %I from {RESTORER}', pg_get_userbyid(roleid)) from pg_auth_members
where member = {literal(RESTORER)}::regrole \\gexec
select format('alter role {RESTORER} login password %L valid until %L',
    {{verifier}}, now() + interval '10 minutes') \\gexec
\\set VERBOSITY verbose
"""  # noqa: S608
_GRANT = """select format('grant %s on %s to {to}', rights, what) from ({needed}) as needed (what, rights) \\gexec
"""
_LOCAL = {"*", "localhost", "127.0.0.1", "0.0.0.0"}  # noqa: S104  (what a server says that it listens to)


def clear(to: DatabaseServer, *, ended: bool = False) -> None:
    """Remove the roles of a restore. Raises Refused where they are not ours, or, unless it has `ended`, are at work."""
    with cluster.opened(to) as session:
        standing = session.ask(_STANDING)
        names = [str(row["name"]) for row in session.ask(_DATABASES)] if standing else []
    if not standing:
        return
    if strange := [str(row["name"]) for row in standing if not row["ours"]]:
        raise Refused(f"the server has a role {strange[0]} that this tool did not make", "rename it: it is our name")
    if not ended and any(row["busy"] for row in standing):
        raise Refused(f"another restore works as the role {RESTORER}", "wait until it has ended", code=BUSY)
    roles = ", ".join(str(row["name"]) for row in standing)
    for name in ("", *cluster.left_over(names)):
        with cluster.opened(to, name) as session:
            session.ask(f"drop owned by {roles};", seconds=600)
    with cluster.opened(to) as session:
        session.ask(f"drop role {roles};")


class Restorer:
    """The role, from `with` until the block ends; `conninfo` and `descriptors` are what a program logs in with.

    Its password is in a file without a name, for the programs that we start.
    """

    def __init__(self, to: DatabaseServer, database: str) -> None:
        """Nothing is made yet; `database` is the one to be restored."""
        # From here on a core of us, or of a program that we start, would have the password in it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        self._to, self._database = to, database
        self._password = secrets.token_urlsafe(24)
        self._verifier = ""
        self._passfile = -1
        self.conninfo: Mapping[str, str] = {}

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The files that a program must inherit."""
        return (self._passfile,)

    def __enter__(self) -> Restorer:
        clear(self._to)
        self._passfile = _passfile(self._to, f"*:*:*:{RESTORER}:{self._password}\n")
        try:
            with cluster.opened(self._to) as session:
                (server,) = session.ask(_SERVER)
                self._verifier = _verifier(self._password, int(server["number"]))
                for role in (RESTORER, RIGHTS):
                    session.ask(f"create role {role} noinherit;\ncomment on role {role} is {literal(_MARK)};")
                session.ask(f"grant connect on database {identifier(self._database)} to {RESTORER};")
            with self.acting(RESTORER, ""):
                self._find_way(server)
        except BaseException:
            self._end(quietly=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(quietly=kind is not None)

    def _end(self, *, quietly: bool) -> None:
        os.close(self._passfile)
        with contextlib.suppress(Refused, SqlTrouble) if quietly else contextlib.nullcontext():
            with cluster.opened(self._to, self._database) as session:
                session.ask(f"{_END_SESSIONS}drop owned by {RESTORER}, {RIGHTS};", seconds=600)
            clear(self._to, ended=True)

    @contextlib.contextmanager
    def acting(self, owner: str, needed: str) -> Iterator[Restorer]:
        """While the block runs, the role may log in as a member of `owner`, which has what the query `needed` gives."""
        bare = owner == RESTORER
        member = "" if bare else f"grant {identifier(owner)} to {RESTORER};\ngrant {RIGHTS} to {identifier(owner)};\n"
        grants = _GRANT.format(to=RESTORER if bare else RIGHTS, needed=needed) if needed else ""
        with cluster.opened(self._to, self._database) as session:
            session.ask(f"{_LOGIN.format(verifier=literal(self._verifier))}{member}{grants}", seconds=600)
        yield self
        with cluster.opened(self._to, self._database) as session:
            member = "" if bare else f"revoke {RIGHTS} from {identifier(owner)};\n"
            session.ask(f"alter role {RESTORER} nologin;\ndrop owned by {RIGHTS};\n{member}", seconds=600)

    def _find_way(self, server: Mapping[str, Any]) -> None:
        """By which way the server lets the role in: as it lets us, or through its loopback. Raises Refused."""
        login = {"user": RESTORER, "passfile": f"/dev/fd/{self._passfile}"}
        ways = [login]
        if not self._to.service and _LOCAL & {word.strip() for word in str(server["listen"]).split(",")}:
            ways.append({**login, "host": "127.0.0.1", "port": str(server["port"])})
        complaints = []
        for way in ways:
            words = ("--no-psqlrc", "--no-password", "--quiet", "--command=select")
            argv = (pg_programs.psql(self._to), *words, f"--dbname={self._to.conninfo(self._database, **way)}")
            ran = pg_programs.run(self._to, argv, keep=self.descriptors)
            if ran.exit == 0:
                self.conninfo = way
                return
            complaints.append(ran.complaint)
        raise Refused(
            f"the server does not let in {RESTORER}, a role without a superuser's rights: {complaints[0]}",
            f"put `local all {RESTORER} scram-sha-256` at the top of {plain(str(server['hba']))} and reload the "
            "server, or let all code in this database run as the server's account: --as-superuser",
        )


def _passfile(to: DatabaseServer, line: str) -> int:
    descriptor = os.memfd_create("passfile")
    os.write(descriptor, line.encode())
    os.fchmod(descriptor, 0o600)
    if who := account(to):
        os.fchown(descriptor, who.pw_uid, who.pw_gid)
    return descriptor


def _verifier(password: str, number: int) -> str:
    """What the server keeps of a password: RFC 5803, older servers have md5. So it never hears the password."""
    if number < 100000:
        return f"md5{hashlib.md5((password + RESTORER).encode()).hexdigest()}"  # noqa: S324  (the server's own way)
    salt, rounds = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client, key = (hmac.digest(salted, word, "sha256") for word in (b"Client Key", b"Server Key"))
    parts = [b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), key)]
    return f"SCRAM-SHA-256${rounds}:{parts[0]}${parts[1]}:{parts[2]}"
