"""Which names a drill brings back: seeded, so that the same drill can be had again.

Three of four are drawn from the checksums of all snapshots, where each inode has the same chance; the
rest is found by going down the trees, where folders, links and what has no checksum are met too.
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
from ..snapshots.sums import sum_lines, unescaped
from ..store.layout import Store, sealed
from ..tree import folders
from .compare import parts_of

DEEPEST = 64
MOST_OF_A_CANARY = 100_000


class Name(NamedTuple):
    """A name in a snapshot; `path` is relative, b"" for the snapshot itself."""

    snapshot: str
    path: bytes


# What is wrong with a name; of no snapshot where it is a record of the store itself.
Wrong = tuple[Name, str]


class Wish(NamedTuple):
    """What is asked: from these snapshots, so many names, files of so many bytes together at most."""

    snapshots: tuple[str, ...]
    seed: str
    files: int
    most: int


class Choice(NamedTuple):
    """What was chosen, and what of the store's records could not be read, in words."""

    names: list[Name]
    wrong: list[Wrong]


def choose(store: Store, wish: Wish) -> Choice:
    """Draw the sample; the same wish of the same store gives the same names."""
    dice = random.Random(wish.seed)  # noqa: S311  (a sample, no secret)
    wrong: list[Wrong] = []
    drawn = _drawn(store, wish, dice, wrong)
    chosen: dict[Name, None] = {}
    left = wish.most
    for name in _recorded(store, wish, dice, drawn, wrong):
        if len(chosen) >= wish.files - wish.files // 4:
            break
        left = _take(store, name, chosen, left)
    for _ in range(20 * wish.files):
        if len(chosen) >= wish.files:
            break
        met = _met(store, dice.choice(wish.snapshots), dice)
        if met is not None:
            left = _take(store, met, chosen, left)
    return Choice(list(chosen), wrong)


def canary(store: Store, snapshot: str, path: str) -> list[Name] | None:
    """What `path` (absolute, as on the host) is in the snapshot, a folder with all in it; None if not there.

    Raises Refused where that is too much.
    """
    parts = tree.components(path)
    found = Name(snapshot, b"/".join(parts))
    try:
        parent = tree.above(str(store.root / snapshot), parts)
    except OSError:
        return None
    try:
        status = tree.status(parent, parts[-1] if parts else b".")
        if not stat.S_ISDIR(status.st_mode):
            return [found]
        top = tree.folder(parent, parts[-1] if parts else b".")
    except OSError:
        return None
    finally:
        os.close(parent)
    try:
        below = (
            b"/".join(filter(None, (found.path, folder.path, each.name)))
            for folder in folders(top)
            for each in folder.entries
        )
        inside = [Name(snapshot, each) for each in itertools.islice(below, MOST_OF_A_CANARY + 1)]
    finally:
        os.close(top)
    if len(inside) > MOST_OF_A_CANARY:
        raise Refused(f"canary {path!a} has more than {MOST_OF_A_CANARY:,} names", "name the files in it that matter")
    return [found, *inside]


def with_parents(names: Sequence[Name]) -> list[Name]:
    """The names and every folder on the way to them, the snapshots too, in order."""
    found = set(names)
    for name in names:
        parts = name.path.split(b"/")
        found.update(Name(name.snapshot, b"/".join(parts[:end])) for end in range(len(parts)))
    return sorted(found)


def _drawn(store: Store, wish: Wish, dice: random.Random, wrong: list[Wrong]) -> list[tuple[str, bytes]]:
    """Twice as many lines of all checksums as are wanted, each with the same chance (algorithm R)."""
    kept: list[tuple[str, bytes]] = []
    seen, most = 0, 2 * wish.files
    for snapshot in sealed(store):
        if snapshot > wish.snapshots[-1]:
            break
        try:
            for line in sum_lines(store, snapshot):
                seen += 1
                place = len(kept) if len(kept) < most else dice.randrange(seen)
                if place < len(kept):
                    kept[place] = (snapshot, line.name)
                elif place < most:
                    kept.append((snapshot, line.name))
        except (OSError, EOFError, zlib.error):
            path = os.fsencode(store.sums(snapshot).relative_to(store.root))
            wrong.append((Name("", path), "the checksums of this snapshot cannot be read"))
    dice.shuffle(kept)
    return kept


def _recorded(
    store: Store, wish: Wish, dice: random.Random, drawn: Sequence[tuple[str, bytes]], wrong: list[Wrong]
) -> Iterator[Name]:
    """Each drawn file in one of the snapshots that have it; wrong is one that its own snapshot lacks."""
    for first, escaped in drawn:
        path = unescaped(escaped)
        inode = inode_at(store, first, path)
        if inode is None:
            wrong.append((Name(first, path), "it was sealed, and is not there any more"))
            continue
        homes = [each for each in wish.snapshots if each >= first and inode_at(store, each, path) == inode]
        if homes:
            yield Name(dice.choice(homes), path)


def _met(store: Store, snapshot: str, dice: random.Random) -> Name | None:
    """Go down from the top, each time into one of the names there, to something that is no folder."""
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


def _take(store: Store, name: Name, chosen: dict[Name, None], left: int) -> int:
    """Add `name` if it fits and can be brought back by whoever we are; says how many bytes are left."""
    try:
        parent = tree.above(str(store.root / name.snapshot), parts_of(name.path))
    except OSError:
        return left
    try:
        found = tree.status(parent, parts_of(name.path)[-1])
    except OSError:
        return left
    finally:
        os.close(parent)
    device = stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode)
    size = found.st_size if stat.S_ISREG(found.st_mode) else 0
    mine = os.geteuid() == 0 or not device and (stat.S_ISLNK(found.st_mode) or bool(found.st_mode & stat.S_IRUSR))
    if name in chosen or size > left or not mine:
        return left
    chosen[name] = None
    return left - size
