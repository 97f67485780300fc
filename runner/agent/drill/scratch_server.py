"""A PostgreSQL server made to be thrown away: its own folder and socket, confined to it, gone whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from ..answer import Refused, shown
from ..command import ENVIRONMENT
from ..database import server as pg_programs
from ..database.contract import DatabaseServer
from ..database.fits import major
from ..database.server import PLACES, complaint, free, run, stop
from ..database.sql import NAME, STRING, checked, identifier, statements
from ..store.trash import empty
from .confined import Untried, confined, end, memory
from .scratch import floor

PATIENCE = 120.0
PROGRAM = 600.0
LOOK = 0.2
# Who has how much memory is looked at less often.
TURNS = 3
MOST_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
# sun_path of unix(7), with the name that PostgreSQL gives its socket.
LONGEST = 107 - len("/.s.PGSQL.5432")
# What pg_dumpall writes of what all databases share; its settings are ours to make.
_TABLESPACE = re.compile(rf"(CREATE TABLESPACE {NAME} OWNER {NAME}) LOCATION {STRING}")
_SHARED = re.compile(r"(?:(?:CREATE|ALTER|COMMENT ON) (?:ROLE|TABLESPACE)|GRANT|REVOKE|SECURITY LABEL) ")
_SET = re.compile(r"SET \w+ = |SELECT pg_catalog\.set_config")
_SETTING = "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "logging_collector": "off",
    "log_destination": "stderr",
}


class Programs(NamedTuple):
    """The folder of a server's programs, and that of a pg_restore that understands the dump."""

    server: Path
    restore: Path


def programs(to: DatabaseServer, server: str, pg_dump: str) -> Programs:
    """The programs to restore a dump of a `server` that `pg_dump` wrote (versions such as `15.18`).

    Raises Untried unless the same major version of the server is here, and a pg_restore no older than pg_dump.
    """
    wanted, least = major(server), max(major(server), major(pg_dump))
    own = [path for path in _folders(to) if (path / "initdb").is_file() and (path / "postgres").is_file()]
    fit = [path for path in own if major(pg_programs.version(to, path / "postgres")) == wanted]
    if not wanted or not fit:
        raise Untried(
            f"the dump is of PostgreSQL {wanted or '?'}, but this host has no server of that version to try it with",
            f"install postgresql-{wanted} (Red Hat: postgresql{wanted}-server) on this host",
        )
    known = sorted(
        (major(pg_programs.version(to, path / "pg_restore")), place, path)
        for place, path in enumerate((*fit, *_folders(to)))
        if (path / "pg_restore").is_file()
    )
    able = [path for version, _, path in known if version >= least]
    if not able:
        raise Untried(
            f"the dump was written by pg_dump {pg_dump}, but pg_restore on this host is older",
            f"install the client programs of PostgreSQL {least} on this host",
        )
    return Programs(fit[0], able[0])


class ScratchServer:
    """A server in `folder` (ours, 0700), confined to it; started when the block is entered."""

    def __init__(self, to: DatabaseServer, bin_folder: Path, folder: Path) -> None:
        """Its superuser is called as the OS user of `to`. Nothing is made yet.

        Raises Refused where a socket could not be below `folder`, or this host cannot confine a server.
        """
        if len(os.fsencode(folder)) > LONGEST:
            raise Refused(f"{folder} is too long for the path of a socket", "choose a shorter path for `scratch`")
        self._bin, self._folder = bin_folder, folder
        self.name = to.user or "postgres"
        self.server = confined(folder, self.name, to.programs, bin_folder)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed on leaving)
        self._process: subprocess.Popen[bytes] | None = None
        self._left = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self.full = ""

    def __enter__(self) -> ScratchServer:
        data = self._folder / "data"
        plain = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        settings = {**_SETTINGS, "unix_socket_directories": f'"{self._folder}"', "unix_socket_permissions": "0700"}
        words = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        argv = (*self.server.serving, str(self._bin / "postgres"), "-D", str(data), *words)
        try:
            self.run("initdb", f"--pgdata={data}", f"--username={self.name}", *plain)
            none = subprocess.DEVNULL
            self._process = subprocess.Popen(
                argv, stdin=none, stdout=self._errors, stderr=self._errors, env=ENVIRONMENT, cwd="/"
            )
            self._wait()
            self._watch.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        if self._process is not None:
            # It need not save anything.
            stop(self._process)
        if self._watch.is_alive():
            self._watch.join()
        ended = end(self._folder)
        self._errors.close()
        self.server.release()
        if not ended:
            raise Refused("what a dump began cannot be ended", "end it by hand: ps -ef names its user by number")
        # What cannot be removed is left to the step that clears the scratch folder, and that says so.
        with contextlib.suppress(OSError):
            empty(self._folder.parent, self._folder)
            self._folder.rmdir()

    def run(self, program: str, *words: str, given: IO[bytes] | None = None) -> None:
        """Run a program of PostgreSQL against the server. Raises Refused with what it complained of."""
        ran = run(self.server, (str(self._bin / program), *words), given=given, seconds=PROGRAM)
        if ran.exit != 0:
            raise Refused(f"{program} ended {ran.exit}: {ran.complaint}", "")

    def trouble(self, text: str) -> str:
        """Why something failed here: `text`, or that disk or memory was nearly full and the server was ended."""
        return self.full or text

    def _look(self) -> None:
        """End the server before it fills the disk of the folder, with content or with names, or the memory."""
        least = floor(self._folder) // 2
        for turn in count():
            if self._left.wait(LOOK):
                return
            space = os.statvfs(self._folder)
            if free(self._folder) < least or (space.f_files and space.f_ffree < space.f_files // 40):
                self.full = "the disk of the scratch folder is nearly full: put `scratch` on a larger one"
            elif turn % TURNS == 0 and memory(self.server.uid) > MOST_MEMORY:
                self.full = f"it takes more than half of this host's memory ({MOST_MEMORY >> 20:,} MiB)"
            if self.full and self._process is not None:
                self._process.kill()
                end(self._folder)
                return

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        ready = (str(self._bin / "pg_isready"), f"--host={self._folder}", "--quiet")
        while run(self.server, ready, seconds=30).exit != 0:
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                why = complaint(self._errors)
                raise Refused(f"the scratch server did not start: {why}", "find out why, and run the drill again")
            time.sleep(LOOK)

    def globals(self, text: str) -> str:
        """The globals to be run here: not the superuser that is there already, tablespaces in a place of ours.

        Raises Refused where a tablespace is written in a way that would put it somewhere else, where a statement is
        none that pg_dumpall writes, and where psql could take a part of one as a command to itself.
        """
        own = f"CREATE ROLE {_identifier(self.name)}"
        lines = [_SETTING]
        for number, line in enumerate(statements(text)):
            if line == own or _SET.match(line):
                continue
            if not _SHARED.match(line):
                raise Refused(
                    f"the dump of the roles holds {shown(line[:60])}", "pg_dumpall writes no such: look at it"
                )
            if line.startswith("CREATE TABLESPACE "):
                statement = _TABLESPACE.fullmatch(checked(line))
                if statement is None:
                    what = "the dump of the roles creates a tablespace in a way that is not understood"
                    raise Refused(what, "look at it")
                place = self._folder / f"space-{number}"
                place.mkdir(mode=0o700)
                os.chown(place, self.server.uid, self.server.uid, follow_symlinks=False)
                lines.append(f"{statement[1]} LOCATION '{str(place)}';")
            else:
                lines.append(f"{checked(line)};")
        return "\n".join(lines)


def _folders(to: DatabaseServer) -> Sequence[Path]:
    if to.programs:
        return [Path(to.programs)]
    return [path for place in PLACES for path in sorted(Path("/").glob(place), reverse=True)]


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else identifier(name)
