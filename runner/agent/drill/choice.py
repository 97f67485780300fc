"""Which names a drill brings back: drawn by a seed, so that the same drill can be run again.

Three of four are drawn from the checksums of all snapshots, where each inode has the same chance; the
rest by going down the trees, where there are folders, links and what has no checksum too.
"""

from __future__ import annotations

import itertools
import os
import random
import stat
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .. import tree
from ..answer import Refused
from ..retention.findings import inode_at
from ..rsync_lines import unescaped
from ..snapshots.sums import sum_lines
from ..store.layout import StoreFolder, sealed
from ..tree import folders
from .compare import parts_of
from .contract import DrawSample, NameProblem

DEEPEST = 64
MOST_OF_A_CANARY = 100_000


class Name(NamedTuple):
    """A name in a snapshot; `path` is relative, b"" for the snapshot itself."""

    snapshot: str
    path: bytes


class SampleChoice(NamedTuple):
    """The names that were drawn, and what of the store's records could not be read."""

    names: list[Name]
    wrong: list[NameProblem]


def choose(store: StoreFolder, options: DrawSample) -> SampleChoice:
    """Draw the sample, from snapshots in order; the same options and store give the same names."""
    dice = random.Random(options.seed)  # noqa: S311  (a sample, no secret)
    wrong: list[NameProblem] = []
    drawn = _drawn(store, options, dice, wrong)
    chosen: dict[Name, None] = {}
    left = options.most
    for name in _recorded(store, options.snapshots, dice, drawn, wrong):
        if len(chosen) >= options.files - options.files // 4:
            break
        left = _take(store, name, chosen, left)
    for _ in range(20 * options.files):
        if len(chosen) >= options.files:
            break
        walked = _walked(store, dice.choice(options.snapshots), dice)
        if walked is not None:
            left = _take(store, walked, chosen, left)
    return SampleChoice(list(chosen), wrong)


def canary(store: StoreFolder, snapshot: str, path: str) -> list[Name]:
    """The name `path` (absolute, as on the host) in the snapshot, and all that is in it.

    Raises OSError where it is not there or cannot be read, Refused where that is too much.
    """
    parts = tree.components(path)
    top = Name(snapshot, b"/".join(parts))
    last = parts[-1] if parts else b"."
    with tree.parent_of(str(store.root / snapshot), parts) as parent:
        if not stat.S_ISDIR(tree.status(parent, last).st_mode):
            return [top]
        descriptor = tree.folder(parent, last)
    try:
        below = (
            b"/".join(filter(None, (top.path, folder.path, each.name)))
            for folder in folders(descriptor)
            for each in folder.entries
        )
        inside = [Name(snapshot, each) for each in itertools.islice(below, MOST_OF_A_CANARY + 1)]
    finally:
        os.close(descriptor)
    if len(inside) > MOST_OF_A_CANARY:
        raise Refused(f"canary {path!a} has more than {MOST_OF_A_CANARY:,} names", "name the files in it that matter")
    return [top, *inside]


def with_parents(names: Sequence[Name]) -> list[Name]:
    """The names and every folder on the way to them, the snapshots too, in order."""
    every = set(names)
    for name in names:
        parts = name.path.split(b"/")
        every.update(Name(name.snapshot, b"/".join(parts[:end])) for end in range(len(parts)))
    return sorted(every)


def _drawn(store: StoreFolder, options: DrawSample, dice: random.Random, wrong: list[NameProblem]) -> list[Name]:
    """Twice as many files of all checksums as are needed, each with the same chance (algorithm R)."""
    drawn: list[Name] = []
    seen, most = 0, 2 * options.files
    for snapshot in sealed(store):
        if snapshot > options.snapshots[-1]:
            break
        try:
            for line in sum_lines(store, snapshot):
                seen += 1
                place = len(drawn) if len(drawn) < most else dice.randrange(seen)
                if place < most:
                    drawn[place : place + 1] = [Name(snapshot, line.name)]
        except (OSError, EOFError, zlib.error):
            path = str(store.sums(snapshot).relative_to(store.root))
            wrong.append(NameProblem("", path, "the checksums of this snapshot cannot be read"))
    dice.shuffle(drawn)
    return [Name(name.snapshot, unescaped(name.path)) for name in drawn]


def _recorded(
    store: StoreFolder, snapshots: Sequence[str], dice: random.Random, drawn: Sequence[Name], wrong: list[NameProblem]
) -> Iterator[Name]:
    """Each drawn file in one of the snapshots that have it; `wrong` gets those that their own snapshot lacks."""
    for name in drawn:
        inode = inode_at(store, *name)
        if inode is None:
            path = f"/{os.fsdecode(name.path)}"
            wrong.append(NameProblem(name.snapshot, path, "it was sealed, and is not there any more"))
            continue
        homes = [each for each in snapshots if each >= name.snapshot and inode_at(store, each, name.path) == inode]
        if homes:
            yield Name(dice.choice(homes), name.path)


def _walked(store: StoreFolder, snapshot: str, dice: random.Random) -> Name | None:
    """Go down from the top, each time into one of the names there, to something that is not a folder."""
    parts: list[bytes] = []
    try:
        here = os.open(store.root / snapshot, tree.FOLDER)
        while True:
            try:
                names = sorted(map(os.fsencode, os.listdir(here)))  # noqa: PTH208  (a descriptor)
                if not names or len(parts) >= DEEPEST:
                    break
                parts.append(dice.choice(names))
                if not stat.S_ISDIR(tree.status(here, parts[-1]).st_mode):
                    break
                deeper = tree.folder(here, parts[-1])
            finally:
                os.close(here)
            here = deeper
    except OSError:
        return None
    return Name(snapshot, b"/".join(parts)) if parts else None


def _take(store: StoreFolder, name: Name, chosen: dict[Name, None], left: int) -> int:
    """Add `name` if it fits and we may bring it back; returns how many bytes are left."""
    parts = parts_of(name.path)
    try:
        with tree.parent_of(str(store.root / name.snapshot), parts) as parent:
            status = tree.status(parent, parts[-1])
    except OSError:
        return left
    mode = status.st_mode
    device = stat.S_ISBLK(mode) or stat.S_ISCHR(mode)
    size = status.st_size if stat.S_ISREG(mode) else 0
    mine = os.geteuid() == 0 or not device and (stat.S_ISLNK(mode) or bool(mode & stat.S_IRUSR))
    if name in chosen or size > left or not mine:
        return left
    chosen[name] = None
    return left - size
