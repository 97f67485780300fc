"""`sample`: draw what a drill brings back, and print what each name must be like. Reads only."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .. import tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..retention.findings import inode_at
from ..retention.manifest import blocks, digest_of
from ..rsync_lines import escaped
from ..snapshots.checksum import Checksums, OpenFile
from ..snapshots.sums import SumLine, sum_lines
from ..store.layout import StoreFolder, open_store, read_json, require_sealed, sealed
from ..tree import TreeEntry
from .choice import Name, canary, choose, with_parents
from .compare import about, digest, open_file, parts_of
from .contract import DrawSample, NameProblem, SampledName, SampleSummary

BATCH = 64


class Drawn(NamedTuple):
    """What was drawn, the canaries, when each snapshot was begun, and what the records say of each name."""

    main: set[Name]
    canaries: set[Name]
    starts: dict[str, str]
    lines: dict[Name, tuple[SumLine, ...]]
    digests: dict[Name, bytes]


class OpenedName(NamedTuple):
    """A name with its line, and the descriptor of a file, or -1."""

    name: Name
    line: SampledName
    file: int = -1


def run(argv: Sequence[str]) -> int:
    """Print a line for each name that is to come back, then a line that sums up.

    Drawn from these snapshots by `--seed`: `--files` names with no more than `--most` bytes, and each
    `--canary` (absolute, a folder with all in it) from the last of them.
    """
    try:
        return _sample(parse_as(DrawSample, argv))
    except Refused as refused:
        # What this prints is read by the next step: only here a person sees why there is none.
        sys.stderr.write(f"{refused.error}; {refused.do}\n")
        raise


def _sample(options: DrawSample) -> int:
    store = open_store(options.store)
    options = options._replace(snapshots=tuple(sorted(options.snapshots)))
    if not options.snapshots:
        raise Refused("no snapshot is named", "see docs/store.md")
    require_sealed(store, *options.snapshots)
    newest = options.snapshots[-1]
    choice = choose(store, options)
    canaries = dict.fromkeys(options.canary)
    inside: set[Name] = set()
    wrong: list[NameProblem] = []
    for path in canaries:
        try:
            inside.update(canary(store, newest, path))
        except OSError as problem:
            gone = tree.is_absence(problem)
            what = "this canary is missing from the snapshot" if gone else f"it cannot be read: {problem.strerror}"
            wrong.append(NameProblem(newest, path, what))
    main = {*choice.names, *inside}
    every = with_parents(sorted(main))
    wrong += choice.wrong
    starts = {name: str(read_json(store.record(name)).get("started", "")) for name in options.snapshots}
    drawn = Drawn(main, inside, starts, checksums(store, every), digests(store, every, wrong))
    sums, compared, long = Checksums(), 0, 0
    for start in range(0, len(every), BATCH):
        known, bytes_ = _print(store, drawn, sums, every[start : start + BATCH])
        compared, long = compared + known, long + bytes_
    reply(
        SampleSummary(
            wrong=tuple(wrong),
            tried={"sample": len(main - inside), "canaries": len(canaries), "snapshots": len(options.snapshots)},
            recorded=compared - sums.unchecked,
            unchecked=sums.unchecked,
            attributes=len(drawn.digests),
            bytes=long,
        )
    )
    return 0


def _print(store: StoreFolder, drawn: Drawn, sums: Checksums, names: Sequence[Name]) -> tuple[int, int]:
    """Print a line for each name; returns how many of them are files with a checksum, and how long all files are."""
    opened = [_open(store, name, drawn) for name in names]
    try:
        known = [each for each in opened if each.file >= 0 and each.name in drawn.lines]
        good = sums.agree([OpenFile(each.file, drawn.lines[each.name]) for each in known])
        bad = {each.name for each, fine in zip(known, good) if not fine}  # noqa: B905
        for each in opened:
            reply(_with_content(each.line, each.file, each.name in bad) if each.file >= 0 else each.line)
    finally:
        for each in opened:
            if each.file >= 0:
                os.close(each.file)
    return len(known), sum(each.line.size or 0 for each in opened)


def _with_content(line: SampledName, file: int, differs: bool) -> SampledName:
    # The recorded size is that of the scan: a file that grew until it was sent has another one, and its checksum fits.
    wrong = ("its content is not what was sealed",) if differs else ()
    try:
        return line._replace(sha256=digest(file), wrong=(*line.wrong, *wrong))
    except OSError as problem:
        return line._replace(wrong=(*line.wrong, f"its content cannot be read: {problem.strerror}"))


def _open(store: StoreFolder, name: Name, drawn: Drawn) -> OpenedName:
    """What the name is now, and what is wrong with it."""
    parts = parts_of(name.path)
    line = SampledName(
        snapshot=name.snapshot,
        path=os.fsdecode(name.path),
        main=name in drawn.main,
        canary=name in drawn.canaries,
        started=drawn.starts[name.snapshot],
    )
    try:
        with tree.parent_of(str(store.root / name.snapshot), parts) as parent:
            line = line._replace(**about(parent, parts[-1]))
            recorded = drawn.digests.get(name)
            if (
                recorded is not None
                and digest_of(parent, TreeEntry(parts[-1], tree.status(parent, parts[-1]))) != recorded
            ):
                line = line._replace(wrong=("its mode, owner, time, ACL or other attributes are not what was sealed",))
            return OpenedName(name, line, open_file(parent, parts[-1]) if line.type == "file" else -1)
    except OSError as problem:
        return OpenedName(name, line._replace(type=None, wrong=(f"it cannot be read: {problem.strerror}",)))


def checksums(store: StoreFolder, names: Iterable[Name]) -> dict[Name, tuple[SumLine, ...]]:
    """The lines of each name: of the snapshots up to its own that have the same inode there.

    Of the names of one inode one has the line, since rsync sends it once: the others get it from there, if
    it is among them. A list that is damaged gives what can be read of it.
    """
    by_path: dict[bytes, list[Name]] = {}
    inodes = {name: inode_at(store, name.snapshot, name.path) for name in names}
    for name in inodes:
        by_path.setdefault(escaped(name.path), []).append(name)
    lines: dict[int, list[SumLine]] = {}
    for snapshot in sealed(store):
        for line in _readable(store, snapshot):
            for name in by_path.get(line.name, ()):
                inode = inodes[name]
                if inode is not None and snapshot <= name.snapshot and inode_at(store, snapshot, name.path) == inode:
                    lines.setdefault(inode, []).append(line)
    return {name: tuple(lines[inode]) for name, inode in inodes.items() if inode is not None and inode in lines}


def digests(store: StoreFolder, names: Sequence[Name], wrong: list[NameProblem]) -> dict[Name, bytes]:
    """The digest of each name in the manifest of its snapshot, where there is one; b"" if it is not in it."""
    recorded: dict[Name, bytes] = {}
    for snapshot in sorted({name.snapshot for name in names}):
        own = {name for name in names if name.snapshot == snapshot}
        if store.names(snapshot).exists():
            try:
                recorded.update(_in_manifest(store, snapshot, own))
            except (OSError, EOFError, zlib.error):
                path = str(store.names(snapshot).relative_to(store.root))
                wrong.append(NameProblem("", path, "the manifest of this snapshot cannot be read"))
    return recorded


def _in_manifest(store: StoreFolder, snapshot: str, own: set[Name]) -> dict[Name, bytes]:
    recorded = dict.fromkeys(own, b"")
    inside: dict[bytes, list[tuple[bytes, Name]]] = {}
    for name in own:
        folder, _, last = name.path.rpartition(b"/")
        inside.setdefault(folder, []).append((last or b".", name))
    for folder, entries in blocks(store, snapshot):
        for last, name in inside.get(folder, ()):
            recorded[name] = entries.get(last, b"")
    return recorded


def _readable(store: StoreFolder, snapshot: str) -> Iterator[SumLine]:
    try:
        yield from sum_lines(store, snapshot)
    except (OSError, EOFError, zlib.error):
        # The report names it where the sample is drawn from it.
        return
