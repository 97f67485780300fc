"""`about-of`: what a snapshot's host was, and its newest dumps; reads only. `keep-about`: keep that beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock, durable, regular
from ..answer import Refused, emit, reply, table
from ..arguments import parse_as
from ..frames import Frame, frames
from ..policy import limits
from ..snapshots import readme
from ..store import disk, inventory
from ..store.layout import StoreFolder, open_store, require_sealed
from ..store.lock import working
from .contract.keep import AboutKept, KeepAbout

# So many of jobs.toml that somebody with a key has replaced.
_FORMER = 30


def about_of(argv: Sequence[str]) -> int:
    """Print what was kept beside sealed snapshot NAME, and the newest dump of each database that counts.

    The dumps are those in the folders of `--dumps`, and in those that were known when the snapshot was made.
    """
    # Half of a start, and the daily verb of this file reads no dump.
    from . import dumps  # noqa: PLC0415
    from .contract.stored import AboutOf, StoredAbout  # noqa: PLC0415

    options = parse_as(AboutOf, argv)
    store, name = open_store(options.store), options.name
    require_sealed(store, name)
    place = inventory.place(store, name)
    facts: Mapping[str, Any] = {}
    problem = ""
    try:
        facts = inventory.facts(place)
    except Refused as refused:
        problem = refused.error
    folders = dict.fromkeys((*options.dumps, *map(str, facts.get("dumps", ()))))
    answer = StoredAbout(
        folder=str(place),
        files=tuple(sorted(path.name for path in place.iterdir())) if place.is_dir() else (),
        dumps=tuple(filter(None, (dumps.dumps_in(store.root / name, path) for path in folders))),
        problem=problem,
    )
    # The facts are as the version that kept them knew them.
    emit({**table(answer), "facts": facts})
    return 0


def keep_about(argv: Sequence[str]) -> int:
    """Keep what the steps `--about` and `--site` printed (frames on stdin) in `.runner/about/NAME/` and
    `.runner/jobs.toml`; `--dumps` are the folders with dumps of databases.

    NAME must be sealed. jobs.toml is kept only with the SHA-256 of the plan. Refused, with all else kept, where
    it is not known what the host is.
    """
    options = parse_as(KeepAbout, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan):
        disk.require(store, options.disk)
        require_sealed(store, name)
        limits.require_newest(store, name)
        inventory.tidy(store)
        outputs = {frame.source: _content(frame) for frame in frames(sys.stdin.buffer)}
        files = _files(outputs.get(options.about, b""), options.dumps)
        known = inventory.place(store, name).is_dir()
        fresh = inventory.keep(store, name, files) if files and not known else 0
        site = _keep_site(store, outputs.get(options.site, b""), options.site_sha256)
        readme.keep(store)
    if not files and not known:
        raise Refused("it is not known what the host is", "see the step before; the next snapshot tries again")
    reply(AboutKept(name, len(files), fresh, site))
    return 0


def _content(frame: Frame) -> bytes:
    """What a step printed; empty where it failed, or printed too much."""
    if frame.state != "done" or frame.exit != 0:
        return b""
    parts, size = [], 0
    for part in frame.lines():
        size += len(part)
        if size <= inventory.MOST:
            parts.append(part)
    return b"".join(parts) if size <= inventory.MOST else b""


def _files(output: bytes, dumps: Sequence[str]) -> dict[str, bytes]:
    """The files to keep, of what `about` printed; empty where it makes no sense."""
    try:
        answer: Mapping[str, Any] = json.loads(output.splitlines()[-1])
        facts = {**answer["facts"], "dumps": list(dumps)}
        texts = {str(name): str(text) for name, text in answer["files"].items()}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}
    files = {
        name: text.encode("utf-8", "backslashreplace")
        for name, text in texts.items()
        if inventory.FILE.fullmatch(name) and name != inventory.FACTS
    }
    return {**files, inventory.FACTS: (json.dumps(facts, indent=1) + "\n").encode()}


def _keep_site(store: StoreFolder, content: bytes, digest: str) -> bool:
    """Keep jobs.toml if it is the one that the plan knows; whether it is."""
    if hashlib.sha256(content).hexdigest() != digest:
        return False
    path = store.runner / "jobs.toml"
    try:
        same = regular.content(path) == content
    except OSError:
        same = False
    if not same:
        if limits.is_bound():
            _keep_former(path)
        durable.write_file(path, content, 0o600)
    return True


def _keep_former(path: Path) -> None:
    """Keep what is replaced for somebody with a key: the first of each day, of the last 30 days that had one."""
    former = path.with_name("jobs.toml-before")
    durable.make_folder(former, 0o700)
    kept = former / clock.now()[:10]
    if not os.path.lexists(kept):
        with contextlib.suppress(FileNotFoundError):
            os.link(path, kept, follow_symlinks=False)
    for name in sorted(os.listdir(former))[:-_FORMER]:  # noqa: PTH208
        (former / name).unlink()
    durable.sync_folder(former)
