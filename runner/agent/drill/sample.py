"""`sample`: draw what a drill brings back, and say what each must be like. Reads only."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .. import tree
from ..answer import Refused, emit
from ..arguments import number, parse
from ..retention.findings import inode_at
from ..retention.manifest import blocks, digest_of
from ..snapshots.checksum import Checksums, OpenFile
from ..snapshots.sums import SumLine, escaped, sum_lines
from ..store.layout import Store, open_store, read_json, sealed
from ..tree import TreeEntry
from .choice import Name, Wish, Wrong, canary, choose, with_parents
from .compare import about, digest, open_file, parts_of

BATCH = 64


class Asked(NamedTuple):
    """The names of a drill: what was drawn, the canaries and their folders, with what the records say."""

    names: list[Name]
    main: set[Name]
    canaries: set[Name]
    lines: dict[Name, tuple[SumLine, ...]]
    digests: dict[Name, bytes]


class Told(NamedTuple):
    """A name as it is: `about` is empty where it cannot be read, `file` its descriptor or -1."""

    name: Name
    about: dict[str, Any]
    wrong: list[str]
    file: int


def run(argv: Sequence[str]) -> int:
    """Print a line for each name that is to come back, then a line that sums up.

    Drawn from these snapshots by `--seed`: `--files` names with no more than `--most` bytes, and each
    `--canary` (absolute, a folder with all in it) from the last of them. A name's line tells `snapshot`,
    `path`, what it is (see `drill_about.about`), its `sha256`, and under `wrong` what it no longer is by
    the store's own records; the last line tells `missing` canaries, records that are `damaged`, and `tried`.
    """
    try:
        return _sample(argv)
    except Refused as refused:
        # What this prints is read by the next step: only here a person sees why there is none.
        sys.stderr.write(f"{refused.error}; {refused.do}\n")
        raise


def _sample(argv: Sequence[str]) -> int:
    call = parse(argv, words=2, more=True, one=("seed", "files", "most"), many=("canary",))
    store, names = open_store(call.words[0]), tuple(sorted(call.words[1:]))
    counted = sealed(store)
    for name in names:
        if name not in counted:
            raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
    files, most = (number(call.one[each], f"--{each}") for each in ("files", "most"))
    choice = choose(store, Wish(names, call.one["seed"], files, most))
    found = {path: canary(store, names[-1], path) for path in call.many["canary"]}
    canaries = {name for each in found.values() for name in each or ()}
    main = {*choice.names, *canaries}
    every = with_parents(sorted(main))
    damaged = choice.wrong
    asked = Asked(every, main, canaries, checksums(store, every), digests(store, every, damaged))
    compared = _print(store, asked)
    tried = {"sample": len(set(choice.names) - canaries), "canaries": len(found), "snapshots": len(names)}
    emit(
        {
            "missing": [[path, names[-1]] for path, each in found.items() if each is None],
            "damaged": [[name.snapshot, os.fsdecode(name.path), text] for name, text in damaged],
            "tried": tried,
            **compared,
        }
    )
    return 0


def _print(store: Store, asked: Asked) -> dict[str, int]:
    """A line for each name; says how many were compared with what was recorded of them."""
    sums, recorded = Checksums(), 0
    snapshots = {name.snapshot for name in asked.names}
    starts = {each: str(read_json(store.record(each)).get("started", "")) for each in snapshots}
    for start in range(0, len(asked.names), BATCH):
        told = [_described(store, name, asked) for name in asked.names[start : start + BATCH]]
        try:
            known = [each for each in told if each.file >= 0 and each.name in asked.lines]
            good = sums.agree([OpenFile(each.file, asked.lines[each.name]) for each in known])
            recorded += len(known)
            bad = {each.name for each, fine in zip(known, good) if not fine}  # noqa: B905
            for each in told:
                _content(each, each.name in bad)
                name = each.name
                head = {"snapshot": name.snapshot, "path": os.fsdecode(name.path)}
                marks = {"main": name in asked.main, "canary": name in asked.canaries}
                emit({**head, **marks, "started": starts[name.snapshot], **each.about, "wrong": each.wrong})
        finally:
            for each in told:
                if each.file >= 0:
                    os.close(each.file)
    return {"recorded": recorded - sums.unchecked, "unchecked": sums.unchecked, "attributes": len(asked.digests)}


def _content(told: Told, differs: bool) -> None:
    # The recorded size is that of the scan: a file that grew until it was sent has another one, and its checksum fits.
    if told.file < 0:
        return
    try:
        told.about["sha256"] = digest(told.file)
    except OSError as problem:
        told.wrong.append(f"its content cannot be read: {problem.strerror}")
    else:
        if differs:
            told.wrong.append("its content is not what was sealed")


def _described(store: Store, name: Name, asked: Asked) -> Told:
    """What the name is now, and what is wrong with that; a file is left open."""
    parts = parts_of(name.path)
    wrong: list[str] = []
    try:
        parent = tree.above(str(store.root / name.snapshot), parts)
    except OSError as problem:
        return Told(name, {}, [f"it cannot be read: {problem.strerror}"], -1)
    try:
        told = about(parent, parts[-1])
        known = asked.digests.get(name)
        if known is not None and digest_of(parent, TreeEntry(parts[-1], tree.status(parent, parts[-1]))) != known:
            wrong.append("its mode, owner, time, ACL or other attributes are not what was sealed")
        return Told(name, told, wrong, open_file(parent, parts[-1]) if told["type"] == "file" else -1)
    except OSError as problem:
        return Told(name, {}, [f"it cannot be read: {problem.strerror}"], -1)
    finally:
        os.close(parent)


def checksums(store: Store, names: Iterable[Name]) -> dict[Name, tuple[SumLine, ...]]:
    """The lines of each name: of the snapshots up to its own that have the same inode there.

    Of the names of one inode one has the line, since rsync sends it once: the others get it from there, if
    it is among them. A list that is damaged gives what can be read of it.
    """
    wanted: dict[bytes, list[Name]] = {}
    inodes = {name: inode_at(store, name.snapshot, name.path) for name in names}
    for name in inodes:
        wanted.setdefault(escaped(name.path), []).append(name)
    found: dict[int, list[SumLine]] = {}
    for snapshot in sealed(store):
        for line in _readable(store, snapshot):
            for name in wanted.get(line.name, ()):
                inode = inodes[name]
                if inode is not None and snapshot <= name.snapshot and inode_at(store, snapshot, name.path) == inode:
                    found.setdefault(inode, []).append(line)
    return {name: tuple(found[inode]) for name, inode in inodes.items() if inode is not None and inode in found}


def digests(store: Store, names: Sequence[Name], wrong: list[Wrong]) -> dict[Name, bytes]:
    """The digest of each name in the manifest of its snapshot, where there is one; b"" if it is not in it."""
    found: dict[Name, bytes] = {}
    for snapshot in sorted({name.snapshot for name in names}):
        own = {name for name in names if name.snapshot == snapshot}
        if store.names(snapshot).exists():
            try:
                found.update(_of_one(store, snapshot, own))
            except (OSError, EOFError, zlib.error):
                path = os.fsencode(store.names(snapshot).relative_to(store.root))
                wrong.append((Name("", path), "the manifest of this snapshot cannot be read"))
    return found


def _of_one(store: Store, snapshot: str, own: set[Name]) -> dict[Name, bytes]:
    found = dict.fromkeys(own, b"")
    inside: dict[bytes, list[tuple[bytes, Name]]] = {}
    for name in own:
        folder, _, last = name.path.rpartition(b"/")
        inside.setdefault(folder, []).append((last or b".", name))
    for folder, entries in blocks(store, snapshot):
        for last, name in inside.get(folder, ()):
            found[name] = entries.get(last, b"")
    return found


def _readable(store: Store, snapshot: str) -> Iterator[SumLine]:
    try:
        yield from sum_lines(store, snapshot)
    except (OSError, EOFError, zlib.error):
        # It is told where the sample is drawn from it.
        return
