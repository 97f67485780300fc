"""All that the runner's commands have a real rsync say to the other end is what `serve` lets one be told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner.agent.policy.copies import judged
from runner.tools import rsync

STORE, NAME = "/srv/store", "2026-11-23T081500Z"
# What rsync calls in place of ssh: it keeps how it was called, and what came up to the empty word.
HEARS = """
import os, sys
came = b""
while not came.endswith(b"\\0\\0"):
    came += os.read(0, 1)
open(sys.argv[1], "wb").write("\\0".join(sys.argv[3:]).encode() + b"\\0\\0" + came)
"""


@pytest.fixture
def hears(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "hears.py").write_text(HEARS)
    return ("python3", "-IS", str(tmp_path / "hears.py"), str(tmp_path / "said"))


def said(tmp_path: Path, argv: tuple[str, ...]) -> tuple[list[str], list[str]]:
    (tmp_path / "said").unlink(missing_ok=True)
    subprocess.run(argv, input=b"./a\0", capture_output=True, check=False, timeout=60)
    begun, words, *_ = (tmp_path / "said").read_bytes().split(b"\0\0")
    return begun.decode().split("\0"), words.decode().split("\0")


def test_what_a_push_tells(tmp_path: Path, hears: tuple[str, ...]) -> None:
    (tmp_path / "source").mkdir()
    here, parts = f"{STORE}/.incoming/{NAME}/0", f"{STORE}/.incoming/{NAME}/parts"
    bases = tuple(f"{STORE}/2026-10-{day:02}T081500Z/home" for day in range(1, 21))
    for coarse in (False, True):
        ends = rsync.Ends(
            source=f"{tmp_path}/source/", target=f"host:{here}/", rsh=hears, confined=True, coarse=coarse, trusts=True
        )
        copies = (
            rsync.send(ends, exclude=("/x/*",), keep_parts=parts),
            rsync.send_listed(ends, exclude=(), bases=bases, keep_parts=parts),
            rsync.send_again(ends, exclude=(), keep_parts=parts),
        )
        for argv in copies:
            copy = judged(*said(tmp_path, argv))
            assert (copy.place, copy.keeps, copy.sends, copy.looks) == (here, (parts,), False, False), argv
            assert copy.compares == (bases if argv is copies[1] else ())
        looks = (rsync.look(ends, exclude=("/x",)), rsync.look_listed(ends, exclude=()))
        for argv in (*looks, rsync.foresee(looks[0])):
            copy = judged(*said(tmp_path, argv))
            assert (copy.place, copy.looks, copy.keeps, copy.compares) == (here, True, (), ()), argv


def test_what_a_pull_and_a_restore_tell(tmp_path: Path, hears: tuple[str, ...]) -> None:
    (tmp_path / "here").mkdir()
    source = f"{STORE}/{NAME}/./home/a b*"
    ends = rsync.Ends(source=f"host:{source}", target=f"{tmp_path}/here/", rsh=hears, confined=True, trusts=True)
    for argv in (
        rsync.send(ends, exclude=("/x/*",), keep_parts=f"{tmp_path}/parts"),
        rsync.send_listed(ends, exclude=(), bases=(str(tmp_path),), keep_parts=f"{tmp_path}/parts"),
        rsync.send_again(ends, exclude=()),
        rsync.look(ends, exclude=("/x",)),
        rsync.look_listed(ends, exclude=()),
        rsync.foresee(rsync.look(ends, exclude=())),
        rsync.restore(ends),
        rsync.restore(ends, aside=f"{tmp_path}/aside"),
        rsync.verify(ends, parents=True),
        rsync.verify(ends, parents=False),
        rsync.chosen(ends),
    ):
        copy = judged(*said(tmp_path, argv))
        assert (copy.place, copy.sends) == (f"{STORE}/{NAME}/home/a b*", True), argv
        assert copy.argv[-1] == source
