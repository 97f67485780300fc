"""What the journal recorded is on the disk before anybody hears of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.engine.journal import Journal
from tests.contract.engine.test_journal import WRITER
from tests.contract.storehouse import ENVIRONMENT

LINES = 12


def test_the_journal_writes_ahead_and_syncs_every_commit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    try:
        assert journal._rows("PRAGMA journal_mode") == [("wal",)]
        assert journal._rows("PRAGMA synchronous") == [(2,)], "2 is FULL; sqlite.org/pragma.html"
    finally:
        journal.close()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see every call")
def test_what_is_told_is_on_the_disk(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ("strace", "-qq", "-y", "-o", trace, "--trace=fsync,fdatasync,write")
    argv = (*strace, sys.executable, "-B", "-c", WRITER, tmp_path / "journal.sqlite")
    # It ends where nobody listens any more.
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as writer:
        assert writer.stdout
        told = [writer.stdout.readline().split()[0] for _ in range(LINES)]
    assert told == [b"began", b"ended"] * (LINES // 2)
    synced, lines, bare = False, 0, []
    for text in trace.read_text().splitlines():
        if re.match(r"f(data)?sync\(\d+<.*/journal\.sqlite-wal>\) += 0", text):
            synced = True
        elif match := re.match(r'write\(1<[^>]*>, "((?:began|ended) \d+).* = \d+$', text):
            bare += [] if synced else [match[1]]
            synced, lines = False, lines + 1
    assert bare == []
    assert lines >= LINES
