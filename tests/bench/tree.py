"""A tree like a small site's, and a day of work on it. The same seed makes the same names and bytes."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PER_FOLDER, TOPS, BRANCHES = 8, 3, 10
MEDIAN_SIZE, SMALL_SIZE, SPREAD, LARGEST = 3000, 400, 1.8, 4 << 20
# One large file that a day replaces, as dumps are, for so many files: it is most of the bytes of a day.
DUMP, FILES_A_DUMP, MOST_DUMPS = 32 << 20, 25_000, 4
RENAMED_FILES, RENAMED_FOLDERS, MARKED = 10, 2, 5
EPOCH_NS = 1_600_000_000 * 10**9
OWNERS = (0, 0, 1000, 1001, 54321)
MODES = (0o644, 0o644, 0o640, 0o600, 0o755)


@dataclass(kw_only=True, slots=True)
class Tree:
    """The generated tree as it is now; `paths` are its regular files, `folders` all its folders, `dumps` the large."""

    root: Path
    dice: random.Random
    noise: bytes
    median: int = MEDIAN_SIZE
    paths: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    dumps: list[Path] = field(default_factory=list)
    days: int = 0

    @property
    def third(self) -> Path:
        """A folder that has a third of the files."""
        return self.root / "folder0"


def make(root: Path, *, files: int, seed: int = 1, median: int = MEDIAN_SIZE) -> Tree:
    """Fill the folder `root`: 8 files a folder, 2% symbolic links, 1% further hard links, 0.3% xattrs.

    Sizes are lognormal (median 3000 bytes, sigma 1.8, at most 4 MiB); owners and modes vary. Of 25,000 files on there
    is a dump of 32 MiB, and at most four.
    """
    dice = random.Random(seed)
    tree = Tree(root=root, dice=dice, noise=dice.randbytes(LARGEST * 2), median=median)
    root.mkdir(parents=True, exist_ok=True)
    for number in range(max(TOPS, files // PER_FOLDER)):
        above = root if number < TOPS else tree.folders[(number - TOPS) // BRANCHES]
        folder = above / f"folder{number}"
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
    for number in range(min(MOST_DUMPS, files // FILES_A_DUMP)):
        tree.dumps.append(tree.folders[number] / f"dump{number}.sql")
        _dump(tree, tree.dumps[-1])
    return tree


def day(tree: Tree) -> None:
    """A day of use.

    1% of the files modified, 0.2% new, 0.2% deleted, 0.05% with another mode, 0.02% with another owner, 0.1% with
    only another time, 5 other attributes, 10 files and 2 folders renamed (less in a tree of less than 10,000 files),
    and one dump replaced.
    """
    tree.days += 1
    files, dice = len(tree.paths), tree.dice
    chosen = dice.sample(range(files), max(6, round(files * 0.0137)))
    gone, modes, times, owners = (max(1, round(files * share)) for share in (0.002, 0.0005, 0.001, 0.0002))
    deleted, others = chosen[:gone], [tree.paths[place] for place in chosen[gone:]]
    for path in others[:modes]:
        path.chmod(dice.choice((0o604, 0o660, 0o700)))
    for path in others[modes : modes + times]:
        _date(path, dice)
    for path in others[modes + times : modes + times + owners]:
        _own(path, dice)
    for path in others[modes + times + owners :]:
        _fill(tree, path)
    for path in others[-MARKED:]:
        _mark(path, b"day %d" % tree.days)
    for number in range(gone):
        path = dice.choice(tree.folders) / f"day{tree.days}-{number}.dat"
        _fill(tree, path)
        tree.paths.append(path)
    for place in sorted(deleted, reverse=True):
        tree.paths[place].unlink()
        tree.paths[place] = tree.paths[-1]
        tree.paths.pop()
    _rename(tree)
    if tree.dumps:
        _dump(tree, tree.dumps[tree.days % len(tree.dumps)])


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


def _rename(tree: Tree) -> None:
    scale = min(1.0, len(tree.paths) / 10_000)
    for number in range(max(1, round(RENAMED_FILES * scale))):
        place = tree.dice.randrange(len(tree.paths))
        path = tree.paths[place]
        tree.paths[place] = path.rename(path.with_name(f"renamed{tree.days}-{number}.dat"))
    # The later ones have no folders in them.
    leaves = range(len(tree.folders) // BRANCHES + TOPS, len(tree.folders))
    for number in range(max(1, round(RENAMED_FOLDERS * scale))):
        place = tree.dice.choice(leaves)
        old = tree.folders[place]
        new = old.rename(old.with_name(f"moved{tree.days}-{number}"))
        tree.folders[place] = new
        tree.paths = [new / path.name if path.parent == old else path for path in tree.paths]


def _fill(tree: Tree, path: Path) -> None:
    size = min(LARGEST, int(tree.dice.lognormvariate(0, SPREAD) * tree.median))
    start = tree.dice.randrange(LARGEST)
    path.write_bytes(tree.noise[start : start + size])
    path.chmod(tree.dice.choice(MODES))
    _own(path, tree.dice)
    if not tree.days:
        _date(path, tree.dice)


def _own(path: Path, dice: random.Random) -> None:
    if os.geteuid() == 0:
        os.chown(path, dice.choice(OWNERS), dice.choice(OWNERS))


def _dump(tree: Tree, path: Path) -> None:
    # As a dump is published: a new file takes the place of the old one.
    fresh = path.with_suffix(".new")
    with fresh.open("xb") as file:
        for _ in range(DUMP // LARGEST):
            start = tree.dice.randrange(LARGEST)
            file.write(tree.noise[start : start + LARGEST])
    fresh.replace(path)


def _date(path: Path, dice: random.Random) -> None:
    moment = EPOCH_NS + dice.randrange(10**16)
    os.utime(path, ns=(moment, moment))


def _mark(path: Path, value: bytes) -> None:
    # Some filesystems that a temporary folder may be on hold no attributes of users.
    with suppress(OSError):
        os.setxattr(path, "user.bench", value)
