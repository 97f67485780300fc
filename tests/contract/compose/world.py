"""A clone and what is sent for it, made without the verbs that make them: links, a list by inspection, the real rsync."""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH108, PTH114, PTH118

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.agent.compose.attributes import Attributes
from runner.agent.compose.leaving import Leaving
from runner.agent.compose.older import OlderSnapshots
from runner.agent.compose.settled import Fates
from runner.agent.compose.tree_compose import ComposedTree
from tests.compare import Entry, walk
from tests.contract.storehouse import Said, Storehouse, frame

NOTHING = Fates()
OLD, BASIS, NEW = "2026-11-20T010000Z", "2026-11-21T010000Z", "2026-11-22T010000Z"
SEND = (
    "rsync", "--archive", "--hard-links", "--acls", "--xattrs", "--sparse", "--numeric-ids", "--one-file-system",
    "--modify-window=-1", "--no-inc-recursive", "--files-from=-", "--from0", "--ignore-times",
    "--ignore-missing-args", "--force",
)  # fmt: skip


def clone(basis: Path, place: Path) -> int:
    """An exact hard-link clone of a tree; how many names it has."""
    top, to = os.fsencode(basis), os.fsencode(place)
    _empty(to)
    names = walk(basis)
    for name in names:
        if name != b"." and names[name].kind == "folder":
            os.mkdir(os.path.join(to, name), 0o700)
        elif name != b".":
            os.link(os.path.join(top, name), os.path.join(to, name), follow_symlinks=False)
    for name in sorted(names, reverse=True):
        if names[name].kind == "folder":
            _alike(os.path.join(top, name), os.path.join(to, name))
    _alike(top, to)
    return len(names)


def _empty(top: bytes) -> None:
    for folder, folders, files in os.walk(top, topdown=False):
        for name in files:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            path = os.path.join(folder, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)
    os.makedirs(top, exist_ok=True)


def _alike(one: bytes, other: bytes) -> None:
    status = os.lstat(one)
    for key in os.listxattr(other):
        os.removexattr(other, key)
    for key in os.listxattr(one):
        os.setxattr(other, key, os.getxattr(one, key))
    os.chown(other, status.st_uid, status.st_gid)
    os.chmod(other, stat.S_IMODE(status.st_mode))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))


def listed(basis: Path, source: Path, touched: Sequence[bytes] = ()) -> list[bytes]:
    """What a look lists: each name that differs, of a group that differs every name, and those that were `touched`."""
    before, now = walk(basis), walk(source)
    groups = [_groups(before), _groups(now)]
    names = {name for name in (*before, *now) if _differs(before.get(name), now.get(name))} | set(touched)
    names |= {name for name in now if groups[0].get(name) != groups[1].get(name)}
    more = True
    while more:
        joined = {other for name in names for group in groups for other in group.get(name, ())}
        more = not joined <= names
        names |= joined
    names -= {b"."}
    # A folder that is gone is enough. Below one that is something else now rsync finds no folder to look into.
    folders = {name for name, entry in now.items() if entry.kind == "folder"}
    whole = {name for name, entry in before.items() if entry.kind == "folder" and name in names - folders}
    return sorted(name for name in names if not any(name.startswith(gone + b"/") for gone in whole))


def _groups(names: dict[bytes, Entry]) -> dict[bytes, tuple[bytes, ...]]:
    """Of each name with others the names of its inode."""
    groups: dict[bytes, list[bytes]] = {}
    for name, entry in names.items():
        if entry.kind != "folder":
            groups.setdefault(entry.same_inode_as or name, []).append(name)
    return {name: tuple(sorted(group)) for group in groups.values() for name in group}


def _differs(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return one is not other
    return _bare(one) != _bare(other)


def _bare(entry: Entry) -> tuple[object, ...]:
    return (
        entry.kind, entry.mode, entry.owner, entry.group, entry.mtime_ns, entry.size, entry.content, entry.target,
        entry.device, entry.attributes,
    )  # fmt: skip


def joined(names: Sequence[bytes]) -> bytes:
    return b"".join(b"./" + name + b"\0" for name in names)


def send(source: Path, incoming: Path, names: bytes, basis: Path) -> None:
    argv = (*SEND, f"--copy-dest={basis}", "--", f"{source}/", f"{incoming}/")
    done = subprocess.run(argv, input=names, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def top_of(source: Path) -> dict[str, Any]:
    top = os.lstat(source)
    extended = {key: base64.b64encode(os.getxattr(source, key)).decode() for key in os.listxattr(source)}
    return {
        "mode": stat.S_IMODE(top.st_mode), "uid": top.st_uid, "gid": top.st_gid, "mtime_ns": top.st_mtime_ns,
        "extended": extended,
    }  # fmt: skip


def settled(source: Path, known: Sequence[bytes], **other: object) -> dict[str, Any]:
    now = walk(source)
    return {
        "names": len(now), "folders": 0, "size": 0, "listed": len(known),
        "gone": sum(name not in now for name in known),
        "top": top_of(source), "counts": {}, "look_exit": 0, "missed": 0, **other,
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class World:
    """A store with a sealed snapshot of `source`, which changes, and the partial that becomes the next one."""

    house: Storehouse

    @property
    def basis(self) -> Path:
        return self.house.root / BASIS

    @property
    def source(self) -> Path:
        return self.house.source

    @property
    def place(self) -> Path:
        return self.house.root / ".partial" / NEW / "0"

    @property
    def incoming(self) -> Path:
        return self.house.root / ".incoming" / NEW / "0"

    def prepare(
        self, touched: Sequence[bytes] = (), shuffled: int | None = None, share: Sequence[str] = ()
    ) -> list[bytes]:
        """Begin, clone and send; gives the list."""
        names = listed(self.basis, self.source, touched)
        if shuffled is not None:
            random.Random(shuffled).shuffle(names)
        self.begin(clone_names=clone(self.basis, self.place), share=share)
        self.incoming.mkdir(parents=True, exist_ok=True)
        send(self.source, self.incoming, joined(names), self.basis)
        return names

    def begin(self, clone_names: int, **other: object) -> None:
        self.write_begun(
            format=3, name=NEW, plan=self.house.plan, basis=BASIS, filesystems=["/"],
            cloned={"/": {"basis": BASIS, "names": clone_names}}, **other,
        )  # fmt: skip

    def write_begun(self, **fields: object) -> None:
        (self.house.root / ".partial" / f"{NEW}.json").write_text(json.dumps(fields))

    @property
    def begun(self) -> dict[str, object]:
        return json.loads((self.house.root / ".partial" / f"{NEW}.json").read_text())

    def given(self, known: Sequence[bytes], raw: bytes | None = None, **other: object) -> bytes:
        """The frames of the list and of the answer."""
        told = json.dumps(settled(self.source, known, **other)).encode() + b"\n"
        listing = joined(known) if raw is None else raw
        return frame("settle", Said(code=0, out=told)) + frame("look", Said(code=0, out=listing))

    def compose(self, given: bytes, *options: str) -> Said:
        with self.house.held():
            return self.call(given, *options)

    def call(self, given: bytes, *options: str) -> Said:
        """The same where the store is held already."""
        options = options or ("--listed=look=/", "--settled=settle=/")
        return self.house.call("compose", str(self.house.root), NEW, "--plan", self.house.plan, *options, given=given)


def compose_tree(
    world: World, names: Sequence[bytes], share: Sequence[str] = (), start: bytes = b"./", fates: Fates = NOTHING,
    leaving: Leaving | None = None,
) -> ComposedTree:  # fmt: skip
    """The same in this process, without the store's lock and the counts' check."""
    with contextlib.ExitStack() as opened:
        older = OlderSnapshots(opened, world.house.root, share, f"/.partial/{NEW}/0")
        folders = (os.open(place, os.O_RDONLY | os.O_DIRECTORY) for place in (world.place, world.incoming))
        clone, sent = folders
        composed = ComposedTree(world.place, clone, sent, older, leaving or Leaving({}))
        opened.callback(composed.close)
        composed.fates = fates
        for name in names:
            composed.take(start + name)
        composed.rest()
        top = top_of(world.source)
        extended = {key: base64.b64decode(value) for key, value in top["extended"].items()}
        composed.finish(Attributes(top["mode"], top["uid"], top["gid"], top["mtime_ns"], extended))
    return composed


def made(place: Path) -> World:
    """The store, its folders and a record of the basis; the basis itself is to be made."""
    house = Storehouse(root=place / "store", source=place / "source")
    for folder in (".runner/records", f".partial/{NEW}", BASIS):
        (house.root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    (house.root / f".runner/records/{BASIS}.json").write_text("{}")
    house.source.mkdir(exist_ok=True)
    return World(house=house)


def seal_basis(world: World) -> None:
    """The sealed snapshot becomes a copy of the source as it is."""
    _empty(os.fsencode(world.basis))
    subprocess.run(("cp", "--archive", "--", f"{world.source}/.", f"{world.basis}/"), check=True)
