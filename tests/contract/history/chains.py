"""A store's chain, as a person with `sha256sum` and as the agent reads it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from runner.agent.history.line import ChainLine, Story, parsed
from tests.contract.storehouse import Said, Storehouse

FILES = {"record": ".json", "sums": ".sums.gz", "gone": ".gone.gz", "names": ".names.gz"}


def chain(house: Storehouse) -> Path:
    return house.root / ".runner/chain"


def told(house: Storehouse) -> list[ChainLine]:
    """Its lines, each of which follows from the one before by `sha256sum` alone."""
    raw = chain(house).read_bytes().splitlines(keepends=True)
    before, made, story = "0" * 64, [], Story()
    for number, each in enumerate(raw, 1):
        line = parsed(each)
        assert line is not None and (line.number, line.before) == (number, before), each
        # Every one would be a process.
        before = hashlib.sha256(each).hexdigest()
        story.tell(each)
        made.append(line)
    assert subprocess.check_output("sha256sum", input=raw[-1]).split()[0].decode() == before
    return made


def events(house: Storehouse) -> list[tuple[str, str]]:
    return [(line.event, line.name) for line in told(house)]


def head(house: Storehouse) -> str:
    raw = chain(house).read_bytes().splitlines(keepends=True)
    return f"{len(raw)}:{hashlib.sha256(raw[-1]).hexdigest()}"


def against(house: Storehouse, known: str) -> Said:
    return house.call("audit", str(house.root), "--against", known)


def findings(house: Storehouse, known: str) -> list[tuple[str, str, list[str]]]:
    said = against(house, known)
    found = [(each["kind"], each["path"], each["snapshots"]) for each in said.answer["findings"]]
    assert said.code == (3 if found else 0) and said.answer["total"] == len(found), said
    return sorted(found)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
