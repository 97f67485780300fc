"""A tree like a small site's, and a day of work on it. The same seed makes the same names and bytes."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PER_FOLDER, BRANCHES = 8, 10
MEDIAN_SIZE, SPREAD, LARGEST = 3000, 1.8, 4 << 20
EPOCH_NS = 1_600_000_000 * 10**9
OWNERS = (0, 0, 1000, 1001, 54321)
MODES = (0o644, 0o644, 0o640, 0o600, 0o755)


@dataclass(kw_only=True, slots=True)
class Tree:
    """The generated tree as it is now; `paths` are its regular files, `folders` all its folders."""

    root: Path
    dice: random.Random
    noise: bytes
    paths: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    days: int = 0


def make(root: Path, *, files: int, seed: int = 1) -> Tree:
    """Fill the new folder `root`: 8 files a folder, 2% symbolic links, 1% further hard links, 0.3% xattrs.

    Sizes are lognormal (median 3000 bytes, sigma 1.8, at most 4 MiB); owners and modes vary.
    """
    dice = random.Random(seed)
    tree = Tree(root=root, dice=dice, noise=dice.randbytes(LARGEST * 2))
    root.mkdir(parents=True)
    tree.folders.append(root)
    for number in range(files // PER_FOLDER):
        folder = tree.folders[number // BRANCHES] / f"folder{number}"
        folder.mkdir()
        tree.folders.append(folder)
    for number in range(files):
        path = dice.choice(tree.folders) / f"file{number}.dat"
        _fill(tree, path)
        tree.paths.append(path)
        if number % 50 == 0:
            path.with_suffix(".lnk").symlink_to(path.name)
        if number % 100 == 1:
            path.with_suffix(".twin").hardlink_to(path)
        if number % 333 == 2:
            _mark(path, b"made")
    return tree


def day(tree: Tree) -> None:
    """A day of use: 1% modified, 0.2% new, 0.2% deleted, 0.05% other mode, 0.1% only another time."""
    tree.days += 1
    files, dice = len(tree.paths), tree.dice
    chosen = dice.sample(range(files), max(5, round(files * 0.0135)))
    gone, modes, times = round(files * 0.002) or 1, round(files * 0.0005) or 1, round(files * 0.001) or 1
    deleted, others = chosen[:gone], chosen[gone:]
    for place in others[:modes]:
        tree.paths[place].chmod(dice.choice((0o604, 0o660, 0o700)))
    for place in others[modes : modes + times]:
        _date(tree.paths[place], dice)
    for place in others[modes + times :]:
        _fill(tree, tree.paths[place])
    for number in range(gone):
        path = dice.choice(tree.folders) / f"day{tree.days}-{number}.dat"
        _fill(tree, path)
        tree.paths.append(path)
    for place in sorted(deleted, reverse=True):
        tree.paths[place].unlink()
        tree.paths[place] = tree.paths[-1]
        tree.paths.pop()


def walk(top: Path) -> int:
    """Count the names below `top` and read every inode, so that they are in memory."""
    found = 0
    waiting = [os.fspath(top)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                found += 1
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return found


def _fill(tree: Tree, path: Path) -> None:
    size = min(LARGEST, int(tree.dice.lognormvariate(0, SPREAD) * MEDIAN_SIZE))
    start = tree.dice.randrange(LARGEST)
    path.write_bytes(tree.noise[start : start + size])
    path.chmod(tree.dice.choice(MODES))
    if os.geteuid() == 0:
        os.chown(path, tree.dice.choice(OWNERS), tree.dice.choice(OWNERS))
    if not tree.days:
        _date(path, tree.dice)


def _date(path: Path, dice: random.Random) -> None:
    moment = EPOCH_NS + dice.randrange(10**16)
    os.utime(path, ns=(moment, moment))


def _mark(path: Path, value: bytes) -> None:
    # Some filesystems that a temporary folder may be on hold no attributes of users.
    with suppress(OSError):
        os.setxattr(path, "user.bench", value)
