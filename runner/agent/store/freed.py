"""`freed`: what the disk gains when snapshots are expired, counted and not estimated."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused, emit
from ..arguments import DISK, parse
from . import disk, saved
from .gain import gains
from .layout import Store, open_store, sealed
from .lock import working

OLDEST = 5


def run(argv: Sequence[str]) -> int:
    """Print `{"freed": [{"name", "bytes", "inodes"}...]}`: what is gained up to and with each one.

    For the snapshots NAME... expired in this order and reaped, the oldest 5 where none is named. Reads
    only; with `--save --plan ID` the answer is also kept for `probe`. A saved answer that is still true
    is given again; with `--exact` the trees are always walked.
    """
    call = parse(argv, words=1, one=("plan", *DISK), flags=("exact", "save"), more=True)
    store, names = open_store(call.words[0]), call.words[1:]
    if "save" in call.flags:
        with working(store, call.one["plan"]):
            disk.require(store, disk.Declared(call.one["mount"], call.one["uuid"].lower()))
            chosen = _chosen(store, names)
            saved.keep(store, chosen, gains(store, chosen))
            found = saved.add_records(store, saved.still_true(store))
    else:
        chosen = _chosen(store, names)
        known = [] if "exact" in call.flags else saved.still_true(store)
        if [each.name for each in known[: len(chosen)]] != list(chosen):
            known = gains(store, chosen)
        found = saved.add_records(store, known[: len(chosen)])
    emit({"freed": [each._asdict() for each in found]})
    return 0


def _chosen(store: Store, names: Sequence[str]) -> tuple[str, ...]:
    counted = sealed(store)
    if len(set(names)) != len(names):
        raise Refused("a snapshot is named twice", "name each once")
    for name in names:
        if name not in counted:
            raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
        if name == counted[-1]:
            raise Refused(f"{name} is the newest snapshot", "the newest is never expired")
    return tuple(names) or counted[:-1][:OLDEST]
