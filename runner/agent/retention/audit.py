"""`audit`: is every sealed snapshot as it was sealed? A share of it every night."""

from __future__ import annotations

import errno
import math
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import clock, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..history import chain
from ..store import disk
from ..store.layout import StoreFolder, lost, open_store, read_json, sealed
from ..store.lock import working
from . import contents, coverage, damage, manifest
from .contract.audit import Audit, Audited
from .findings import Findings

DAY = 86400 * 10**9
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Names(NamedTuple):
    """How many manifests were written and compared, and when each was compared last."""

    taken: int
    compared: int
    times: dict[str, str]


def run(argv: Sequence[str]) -> int:
    """Compare a share of the store with what was sealed; or, with `--against`, all of it with its chain."""
    if any(word.partition("=")[0] == "--against" for word in argv):
        from ..history import against  # noqa: PLC0415  (a person asks for it, now and then)

        return against.run(argv)
    return _nightly(argv)


def _nightly(argv: Sequence[str]) -> int:
    """Compare names and attributes of some snapshots with their manifests, and some contents with their
    checksums: so many that `--every` days are enough for all, but at most `--bytes` bytes and about
    `--seconds` seconds (a snapshot's names, and one file, are finished once begun; one share need not be).

    A snapshot's manifest is written by the first audit after it was sealed.
    """
    options = parse_as(Audit, argv)
    store, began = open_store(options.store), time.monotonic()
    with working(store, options.plan):
        disk.require_writable(store, options.disk)
        state = read_json(store.audit)
        days = min(options.every, _days_since(state.get("last")))
        bounds = contents.Bounds(options.bytes, began + options.seconds, days / options.every)
        findings = Findings(store)
        # What a lost snapshot brought and others share still has its checksum in a list that fits no tree.
        without = dict.fromkeys(lost(store), coverage.Listed(0, 0))
        names = _names(store, state, bounds._replace(until=began + options.seconds / 2), findings)
        read = contents.reread(store, _cursor(state), bounds, findings, _after(state))
        known = coverage.remembered(state, read.listed)
        damaged = damage.noted(store, state, findings.noted, damage.latest(time.time_ns()))
        after = [read.after[0], read.after[1].decode("latin-1")]
        noted = {"cursor": read.cursor, "after": after, "last": clock.now(), "compared": names.times, "lists": known}
        durable.write_json(store.audit, {**noted, "damaged": damaged.kept})
        lacking = coverage.uncovered(store, {**read.listed, **without}, known)
        count, head = len(sealed(store)), chain.head(store)
    # Where nothing can be compared, no number of days is enough.
    idle = not read.files and bool(read.unchecked or lacking.files or lacking.never)
    shares = 0 if idle else read.shares
    parts = (shares / contents.SHARES, (names.taken + names.compared) / count if count else 1.0)
    audited = Audited(
        read_bytes=read.bytes,
        read_files=read.files,
        findings=tuple(findings.listed),
        total=findings.total,
        taken=names.taken,
        compared=names.compared,
        unchecked=read.unchecked,
        cursor=read.cursor,
        complete_in_days=math.ceil(days / min(parts)) if min(parts) else None,
        problem=_problem(read),
        lost_snapshots=lacking.snapshots,
        lost_files=lacking.files,
        lost_bytes=lacking.bytes,
        never_summed=lacking.never,
        noted=damaged.fresh,
        head=head,
    )
    reply(audited)
    return 0


def _names(store: StoreFolder, state: Mapping[str, Any], bounds: contents.Bounds, findings: Findings) -> Names:
    counted = sealed(store)
    last = state.get("compared")
    known = last if isinstance(last, dict) else {}
    times = {name: str(known[name]) for name in counted if name in known}
    fresh = [name for name in counted if not store.names(name).exists()]
    # Those that nothing is known of come first, for what changes before that cannot be seen; the newest
    # first, for they will stay longest.
    taken = compared = 0
    for name in fresh:
        # It was compared before: what changed meanwhile will not be seen.
        if name in times:
            findings.add_record("missing", store.names(name), name)
    for name in reversed(fresh):
        if taken and time.monotonic() >= bounds.until:
            break
        if _take(store, name, findings):
            times[name] = clock.now()
            taken += 1
    digests = manifest.Digests()
    due = sorted((name for name in counted if name not in fresh), key=lambda name: (times.get(name, ""), name))
    for name in due[: math.ceil(len(counted) * bounds.part)]:
        if compared and time.monotonic() >= bounds.until:
            break
        _compare(store, name, findings, digests)
        times[name] = clock.now()
        compared += 1
    return Names(taken, compared, times)


def _take(store: StoreFolder, name: str, findings: Findings) -> bool:
    try:
        manifest.take(store, name)
    except OSError as problem:
        # What the list of its names could not be written for is not the snapshot's.
        if problem.errno in _OURS:
            raise
        findings.add("content", b".", name)
        return False
    return True


def _compare(store: StoreFolder, name: str, findings: Findings, digests: manifest.Digests) -> None:
    try:
        manifest.compare(store, name, findings, digests)
    except (EOFError, zlib.error, OSError):
        findings.add_record("content", store.names(name), name)


def _cursor(state: Mapping[str, Any]) -> int:
    cursor = state.get("cursor")
    return cursor % contents.SHARES if isinstance(cursor, int) else 0


def _after(state: Mapping[str, Any]) -> contents.LastFile:
    try:
        snapshot, name = state["after"]
        return str(snapshot), str(name).encode("latin-1")
    except (LookupError, TypeError, ValueError):
        return contents.NO_FILE


def _problem(read: contents.Read) -> str:
    problems = []
    if read.unchecked:
        problems.append(f"{read.unchecked} files have a checksum that no program here can check; install xxhash")
    if read.hollow:
        problems.append(f"{read.hollow} files are holes longer than a night may read, and were not read; raise `most`")
    return "; ".join(problems)


def _days_since(last: object) -> float:
    try:
        passed = time.time_ns() - clock.nanoseconds(str(last))
    except Refused:
        return 1.0
    return max(1.0, passed / DAY)
