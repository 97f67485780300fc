"""One conversation with a database through psql: statements in, JSON objects out, one transaction if wanted."""

from __future__ import annotations

import contextlib
import json
import re
import select
import subprocess
import time
from types import TracebackType
from typing import Any

from ..answer import Refused
from . import server
from .contract import DatabaseServer
from .server import complaint, run, scrap, start, stop

# The longest line of an answer: names of all roles, databases and extensions of a server.
LONGEST = 64 << 20
# ERROR or FATAL, in the language of the server; 00 to 02 begin those of warnings.
_STATE = re.compile(r"(?:^|/ )[^:/]{1,80}:  (?!0[0-2])([0-9A-Z]{5}): ")
# Names in the catalogue are looked up in pg_catalog only: nobody's own operators take part.
# Rows that a policy hides from us are to be an error, not left out of the count.
# Counting is to leave the other processors to people, and to the dump.
# What its owner sets for a database is not to keep us from restoring into it.
# A server that outlives us is not to count on for nobody, nor to end a long transaction by itself.
_FIRST = """set search_path = '';
set statement_timeout = 0;
set default_transaction_read_only = off;
set idle_in_transaction_session_timeout = 0;
set max_parallel_workers_per_gather = 0;
select 'set ' || setting from (values (90500, 'row_security = off'),
    (140000, 'client_connection_check_interval = 10000'),
    (170000, 'transaction_timeout = 0')) as known (since, setting)
where since <= current_setting('server_version_num')::int \\gexec
"""


class SqlTrouble(Exception):
    """psql ended: `state` is the SQLSTATE of the error, "" where there was none, as without a connection."""

    def __init__(self, state: str, text: str) -> None:
        super().__init__(text)
        self.state = state
        self.text = text


class SqlSession:
    """A psql that waits for statements, as the server's OS user; ended when the block is left."""

    def __init__(self, to: DatabaseServer, database: str = "") -> None:
        """Begin; whether the server answers is known after the first `ask`."""
        self._errors = scrap()
        words = ("--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--no-password")
        settings = ("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose")
        where = to.conninfo(database, client_encoding="UTF8", application_name="runner")
        self._process = start(
            to,
            (server.psql(to), *words, *settings, f"--dbname={where}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._rest = b""
        self._asked = 0
        self._say(_FIRST)

    def __enter__(self) -> SqlSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def ask(self, sql: str, *, seconds: float = 60) -> list[dict[str, Any]]:
        """What these statements answer, each row a JSON object.

        Raises SqlTrouble when one fails, or when there is no answer in time.
        """
        self.put(sql)
        return self.answer(seconds=seconds)

    def put(self, sql: str) -> None:
        """Let it begin with these statements, and go on meanwhile; `answer` is to follow."""
        self._asked += 1
        self._say(f"{sql}\nselect json_build_object('end', {self._asked});\n")

    def answer(self, *, seconds: float = 60) -> list[dict[str, Any]]:
        """What the statements that were `put` answer; see `ask`."""
        end = {"end": self._asked}
        rows: list[dict[str, Any]] = []
        until = time.monotonic() + seconds
        while True:
            row = self._line(until)
            if row == end:
                return rows
            rows.append(row)

    def _say(self, text: str) -> None:
        if self._process.stdin is None:
            raise SqlTrouble("", "psql was started without an input")
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()

    def _line(self, until: float) -> dict[str, Any]:
        stream = self._process.stdout
        if stream is None:
            raise SqlTrouble("", "psql was started without an output")
        while b"\n" not in self._rest:
            if not select.select((stream,), (), (), max(0, until - time.monotonic()))[0]:
                raise SqlTrouble("", "the database did not answer in time")
            data = stream.read1(65536)  # type: ignore[attr-defined]
            if not data:
                raise self._ended()
            self._rest += data
            if len(self._rest) > LONGEST:
                raise SqlTrouble("", "the database answers without end")
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            row: dict[str, Any] = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            raise SqlTrouble("", "what the database answered makes no sense") from None
        return row

    def _ended(self) -> SqlTrouble:
        self._process.wait()
        text = complaint(self._errors)
        state = _STATE.search(text)
        return SqlTrouble(state[1] if state else "", text)


def refusal(to: DatabaseServer, trouble: SqlTrouble) -> Refused:
    """The trouble in words with what to do: by what the server says of itself, not by the text of an error."""
    program = server.isready(to)
    code = run(to, (program, f"--dbname={to.conninfo()}", "--quiet"), seconds=30).exit if program else None
    if code == 1:
        return Refused(f"the database server is starting or stopping: {trouble.text}", "wait, and run it again")
    if code in (2, 3):
        return Refused(
            f"the database server does not answer: {trouble.text}",
            "start it (systemctl status postgresql says why it is down); or correct `socket` or `service`",
        )
    if trouble.state:
        return Refused(f"the database refused a statement: {trouble.text}", "see the log of the database server")
    return Refused(
        f"the database server answers, but does not let us in: {trouble.text}",
        "see that pg_hba.conf lets this user in, that the service file is right, and that its passfile has "
        "the password and mode 0600",
    )
