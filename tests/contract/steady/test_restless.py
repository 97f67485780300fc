"""A source that changes all the time while it is copied: each file in the snapshot is one that there was."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.tools import rsync
from tests.compare import differences
from tests.contract.site import until
from tests.contract.storehouse import Storehouse

NAMES = tuple(f"2026-11-2{day}T010000Z" for day in range(4))
LINE, FILES = 64, 8


def stamped(number: int, lines: int) -> bytes:
    """A content of which every line says which one it is."""
    return b"%0*d\n" % (LINE - 1, number) * lines


@dataclass(kw_only=True)
class Restless:
    """A tree that a thread changes until `over`; nothing in it rests for long."""

    top: Path
    over: threading.Event = field(default_factory=threading.Event)
    turns: int = 0
    trouble: list[BaseException] = field(default_factory=list)

    def make(self) -> None:
        for folder in ("moved/inner", "whole", "logs", "inplace", "linked", "still"):
            (self.top / folder).mkdir(parents=True)
        for number in range(FILES):
            (self.top / "still" / f"{number}").write_bytes(stamped(number, 3))
            (self.top / "inplace" / f"{number}").write_bytes(stamped(0, 4000))
        self.turn()

    def turn(self) -> None:
        """Everything changes once."""
        self.turns += 1
        now = self.turns
        for number in range(FILES):
            self._replace(f"whole/{number}", stamped(now, 100 + (now * number) % 1000))
            with (self.top / f"logs/{number}").open("ab", buffering=0) as log:
                log.write(b"".join(stamped(now * 10 + each, 1) for each in range(10)))
            self._write_over(f"inplace/{number}", stamped(now, 4000))
        self._replace(f"moved/inner/{now % FILES}", stamped(now, 50))
        self._move(now)
        one, other, fresh = (self.top / f"linked/{name}" for name in ("one", "other", "fresh"))
        self._replace("linked/fresh", stamped(now, 200))
        for name in (one, other):
            name.unlink(missing_ok=True)
            name.hardlink_to(fresh)

    def _move(self, now: int) -> None:
        """A folder is away for a moment, and others come and go."""
        here, there = (self.top / "moved", self.top / f"moved{now % 3}")
        here.rename(there)
        there.rename(here)
        (self.top / f"moved/{now}").mkdir()
        with contextlib.suppress(FileNotFoundError):
            (self.top / f"moved/{now - 3}").rmdir()

    def _write_over(self, name: str, content: bytes) -> None:
        """In two halves: who reads it in between has neither the old nor the new."""
        half = len(content) // 2
        with (self.top / name).open("r+b", buffering=0) as file:
            file.write(content[:half])
            time.sleep(0.001)
            file.write(content[half:])

    def _replace(self, name: str, content: bytes) -> None:
        fresh = self.top / f"{name}.new"
        fresh.write_bytes(content)
        fresh.rename(self.top / name)

    def _go_on(self) -> None:
        try:
            while not self.over.is_set():
                self.turn()
        except BaseException as problem:
            self.trouble.append(problem)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """It changes while the block lasts."""
        thread = threading.Thread(target=self._go_on)
        thread.start()
        before = self.turns
        try:
            yield
            until(lambda: self.turns > before + 5 or self.trouble)
        finally:
            self.over.set()
            thread.join()
            self.over.clear()
        assert self.trouble == []


def torn(copy: Path) -> list[str]:
    """The files that are nothing that there ever was."""
    wrong = []
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        content = path.read_bytes()
        lines = content.splitlines(keepends=True)
        numbers = [int(line) for line in lines]
        if path.parent.name == "logs":
            whole = all(
                later == earlier + 1 or (later % 10, earlier % 10) == (0, 9)
                for earlier, later in zip(numbers, numbers[1:], strict=False)
            )
        else:
            whole = len(set(numbers)) <= 1 or path.name.endswith(".new")
        if not whole or len(content) % LINE:
            wrong.append(str(path.relative_to(copy)))
    return wrong


def told(house: Storehouse, name: str) -> set[str]:
    """The names of which the settling for that snapshot says that they may be otherwise at the source."""
    (note,) = house.scans.glob(f"*-{name}.again")
    return set(map(os.fsdecode, note.read_bytes().partition(b"\n")[2].split(b"\0")))


def snapshot(house: Storehouse, name: str, basis: str) -> None:
    with house.held():
        assert house.begin(name, basis).code == 0
        sealed = house.seal(name, house.send_all(name, basis, rsync.PARTIAL_OK))
        assert sealed.code == 0, sealed.out


def test_each_file_is_one_that_there_was_or_is_told(tmp_path: Path) -> None:
    restless, house = Restless(top=tmp_path / "source"), Storehouse(root=tmp_path / "store", source=tmp_path / "source")
    restless.make()
    snapshot(house, NAMES[0], "")
    # By rsync's comparison, and by the record.
    for basis, name in itertools.pairwise(NAMES[:-1]):
        with restless.changing():
            snapshot(house, name, basis)
        changed = torn(house.root / name)
        record = json.loads((house.root / f".runner/records/{name}.json").read_bytes())
        assert [path for path in changed if not path.startswith("inplace/")] == []
        assert set(changed) <= told(house, name)
        assert record["exceptions_by_cause"]["changed"] >= len(changed)
        assert differences(house.source / "still", house.root / name / "still") == []
    snapshot(house, NAMES[-1], NAMES[-2])
    assert differences(house.source, house.root / NAMES[-1]) == []
