"""What is shown at a terminal of 80 columns fits it; only a word that is longer than a line goes over."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.contract.site import REPOSITORY, Place

COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def shown(place: Place, *argv: str, typed: bytes = b"") -> list[str]:
    """The lines of `runner argv` at a terminal of 80 columns, at which `typed` was typed beforehand."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm"}
    process = subprocess.Popen(
        (sys.executable, "-m", "runner", *argv), cwd=place.folder, env=environment, stdin=theirs, stdout=theirs,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed)
    ran = b""
    try:
        while piece := os.read(ours, 65536):
            ran += piece
    except OSError:  # its other end has been closed
        pass
    os.close(ours)
    process.wait(60)
    return COLOUR.sub("", ran.decode()).replace("\r", "\n").splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("content\n")
    made = Place(folder=tmp_path / "site", trees=(tree,))
    made.declare()
    return made


def test_everything_fits_and_nothing_is_lost(place: Place) -> None:
    file = str(place.trees[0] / "file")
    assert place.runner("run").code == 0
    for argv in (("plan", "backup-papio"), ("status",), ("find", file), ("run", "backup-papio")):
        lines = shown(place, *argv)
        assert [line for line in lines if len(line) > 80 and len(line.split()[-1]) < 60] == [], argv
    told = " ".join(shown(place, "restore", "papio", file, "--at", "never"))
    assert "yesterday, or '3 days ago'" in re.sub(r"\s+", " ", told)
    # The last columns are there, also where a row takes two lines.
    assert "mode" in " ".join(shown(place, "find", file))


def test_who_answers_no_has_nothing_done_and_nobody_told(place: Place) -> None:
    file = place.trees[0] / "file"
    assert place.runner("run").code == 0
    mails = len(place.mails())
    restore = ("restore", "papio", str(file), "--to", "/")
    assert "Nothing was done." in " ".join(shown(place, *restore, typed=b"n\n"))
    assert len(place.mails()) == mails
    assert not (place.sandbox / "papio" / str(file).lstrip("/")).exists()
    assert "Done" in " ".join(shown(place, *restore, typed=b"y\n"))
    assert (place.sandbox / "papio" / str(file).lstrip("/")).exists()


def test_a_table_is_drawn_at_a_terminal_and_plain_in_a_pipe(place: Place) -> None:
    assert place.runner("run").code == 0
    (rule,) = (text for text in shown(place, "history") if "\u2500" in text)
    assert set(rule) == {" ", "\u2500"}
    piped = place.runner("history").out
    assert piped.startswith("  started ")
    assert "\u2500" not in piped
