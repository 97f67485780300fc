"""Which hold keeps an update back, as dnf explains it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from runner.jobs.packages.redhat import rpm
from runner.model.packages import Held, Update

# What dnf says of a package that it may not take; only the names of known updates are looked for in it.
_FILTERED = re.compile(r"package ([^\s]+) is filtered out by exclude filtering")


def held_back(staying: Sequence[Update], keep: Collection[str], problems: Sequence[str]) -> tuple[Held, ...]:
    """The updates that stay where they are: those of `keep` by their own hold, the others by holds of these.

    dnf's `problems` say which; where they do not, all that are held are named, since it is one of them.
    """
    own = tuple(dict.fromkeys(update.name for update in staying if update.name in keep))
    blocks = _blocks(problems)
    return tuple(
        Held(update=update, by=() if update.name in keep else _named(update, blocks, own) or own) for update in staying
    )


def _named(update: Update, blocks: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    spec = rpm.newer(update).spec
    filtered = _FILTERED.findall(" ".join(block for block in blocks if spec in block))
    names = {package.name for package in map(rpm.from_spec, filtered) if package}
    return tuple(name for name in own if name in names)


def _blocks(problems: Sequence[str]) -> list[str]:
    blocks: list[str] = []
    for line in problems:
        if line.startswith("Problem") or not blocks:
            blocks.append(line)
        else:
            blocks[-1] += f" {line}"
    return blocks
