"""A source that is looked at as a run does it, in this process: each look is a call of the verb with its streams."""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH103, PTH112, PTH114, PTH118

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from runner.agent import __main__ as agent
from runner.agent.look import look
from tests.contract.storehouse import ENVIRONMENT, Said, frame
from tests.file_clock import outrun_now

ONE, TWO, THREE = (f"2026-11-2{day}T081500Z" for day in (3, 4, 5))
NO_RECORD = 80
COPY = ("rsync", "-aHAX", "--sparse", "--numeric-ids", "--modify-window=-1", "--no-inc-recursive")


def called(*argv: str, given: bytes = b"") -> Said:
    """The verb as a process would run it."""
    streams = [io.TextIOWrapper(io.BytesIO(content), write_through=True) for content in (given, b"", b"")]
    streams[0] = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)))
    with mock.patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]):
        code = agent._run(list(argv))
        sys.stdout.flush()
    out, err = (stream.buffer.getvalue() for stream in streams[1:])
    return Said(code=code, out=out, err=err)


def names(said: Said) -> list[bytes]:
    """The names in a list, which must be whole."""
    *lines, last = said.out.split(b"\0")
    assert last == b"" and all(line.startswith(b"./") for line in lines), said
    assert len(lines) == len(set(lines))
    before: set[bytes] = set()
    for line in lines:
        # A folder is listed before what is in it, or not at all.
        assert not any(each.startswith(line + b"/") for each in before), line
        before.add(line)
    return [line[2:] for line in lines]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A source, and the folder of its records; `recent` is how long a change stays doubtful, in seconds."""

    source: Path
    scans: Path
    recent: int = 0

    def look(self, name: str, basis: str = "", *options: str, given: bytes = b"") -> Said:
        words = (f"--name={name}", *((f"--basis={basis}",) if basis else ()), *options)
        with mock.patch.object(look, "RECENT", self.recent * 10**9):
            # What changes after a look must not have the time of one before it, however coarse the clock is.
            outrun_now()
            said = called("look", str(self.source), f"--scans={self.scans}", *words, given=given)
            outrun_now()
        return said

    def compared(self, name: str, basis: str, comparison: Said, *options: str) -> Said:
        return self.look(name, basis, "--compared=compare", *options, given=frame("compare", comparison))

    def changed(self, name: str, listing: bytes) -> Said:
        """Which of these names have to be sent once more."""
        return called("changed", str(self.source), f"--scans={self.scans}", f"--name={name}", given=listing)

    def settle(self, name: str, listed: Said | None = None, comparison: Said | None = None) -> Said:
        given = b"".join(
            frame(step, said) for step, said in (("look", listed), ("compare", comparison)) if said is not None
        )
        options = (*(("--listed=look",) if listed else ()), *(("--looked=compare",) if comparison else ()))
        return called("settle", str(self.source), f"--scans={self.scans}", f"--name={name}", *options, given=given)

    def first(self, name: str = ONE) -> Said:
        """The look at a filesystem that is sent whole, and its end."""
        looked = self.look(name)
        assert (looked.code, looked.out) == (NO_RECORD, b""), looked
        settled = self.settle(name)
        assert settled.code == 0, settled
        return settled

    def next(self, name: str, basis: str) -> list[bytes]:
        """A look by the record, and its end."""
        looked = self.look(name, basis)
        assert looked.code == 0, looked
        settled = self.settle(name, looked)
        assert settled.code == 0, settled
        return names(looked)

    def records(self) -> list[str]:
        return sorted(path.name.partition("-")[2] for path in self.scans.iterdir())

    def place(self, name: str, kind: str = "scan") -> Path:
        (path,) = self.scans.glob(f"*-{name}.{kind}")
        return path


def compare(source: Path, copy: Path, *options: str) -> Said:
    """rsync's comparison of the source with a copy."""
    argv = (*COPY, "-n", "-i", "--delete", "--ignore-errors", "--out-format=%i|%n//%L", *options)
    done = subprocess.run((*argv, "--", f"{source}/", f"{copy}/"), check=False, capture_output=True, env=ENVIRONMENT)
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


def copied(source: Path, copy: Path) -> None:
    """All of the source."""
    subprocess.run((*COPY, "--delete", "--", f"{source}/", f"{copy}/"), check=True, env=ENVIRONMENT)


def send(listing: bytes, source: Path, basis: Path, incoming: Path) -> Said:
    """What is listed, into a folder of its own."""
    options = ("--files-from=-", "--from0", "--ignore-times", "--ignore-missing-args", f"--copy-dest={basis}")
    argv = (*COPY, *options, "--", f"{source}/", f"{incoming}/")
    done = subprocess.run(argv, check=False, input=listing, capture_output=True, env=ENVIRONMENT)
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


def compose(listing: bytes, incoming: Path, copy: Path) -> None:
    """Put what was sent into a copy of the basis, in the simplest way: what is listed goes, what was sent comes."""
    for line in listing.split(b"\0")[:-1]:
        new, old = (os.path.join(os.fsencode(top), line) for top in (incoming, copy))
        is_folder = os.path.isdir(new) and not os.path.islink(new)
        if os.path.lexists(old) and not (is_folder and os.path.isdir(old) and not os.path.islink(old)):
            subprocess.run((b"rm", b"-rf", b"--", old), check=True)
        if is_folder:
            os.makedirs(old, exist_ok=True)
        elif os.path.lexists(new):
            os.link(new, old, follow_symlinks=False)
    # Folders' attributes last, of those that are there.
    only = ("--existing", "--include=*/", "--exclude=*")
    subprocess.run((*COPY, *only, "--", f"{incoming}/", f"{copy}/"), check=True, env=ENVIRONMENT)


def lstats(top: Path) -> dict[bytes, tuple[int, ...]]:
    """What lstat(2) says of every name below `top`, but of when it was read."""
    root = os.fsencode(top)
    every = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            size = status.st_rdev or status.st_size
            times = status.st_mtime_ns, status.st_ctime_ns
            fields = status.st_mode, status.st_uid, status.st_gid, size, *times, status.st_ino, status.st_nlink
            every[path[len(root) + 1 :]] = fields
    return every


def expected(before: dict[bytes, tuple[int, ...]], now: dict[bytes, tuple[int, ...]]) -> set[bytes]:
    """The names that a list must have, and no others."""
    differ = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
    inodes = {now[path][6] for path in differ & now.keys() if not stat.S_ISDIR(now[path][0])}
    differ |= {path for path, fields in now.items() if fields[6] in inodes}
    folders = {path for path, fields in now.items() if stat.S_ISDIR(fields[0])} | {b""}
    # Of what is gone with its folder the folder's name is enough.
    return {path for path in differ if path in now or path.rpartition(b"/")[0] in folders}


def last(said: Said) -> dict[str, Any]:
    return json.loads(said.out.splitlines()[-1])


def listing_of(paths: Sequence[bytes]) -> bytes:
    return b"".join(b"./" + path + b"\0" for path in paths)
