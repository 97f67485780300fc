"""The door of runner-agent: find the verb's module, run it, and turn refusals into JSON."""

from __future__ import annotations

import gc
import importlib
import os
import sys

from .answer import TROUBLE, Refused, refusal, refuse
from .confined import privileges

VERBS = {
    "probe": "probe:run",
    "hold": "store.hold:hold",
    "not-sealed": "snapshots.instant:run",
    "begin": "snapshots.begin:run",
    "explain": "snapshots.explain:run",
    "walk": "snapshots.walk:run",
    "clone": "compose.clone:run",
    "compose": "compose.compose:run",
    "look": "look.look:run",
    "changed": "look.changed:run",
    "settle": "look.settle:run",
    "seal": "snapshots.seal:run",
    "reap": "store.trash:run",
    "check-disk": "store.disk:run",
    "close": "store.closed:run",
    "put-fstab-line": "disks.fstab_line:put",
    "fstab-lines": "disks.fstab_line:count",
    "make-unwritable": "disks.mount_point:run",
    "mark-disk": "disks.identity:run",
    "newest": "store.newest:newest",
    "links": "retention.links:run",
    "mounted": "host.mounts:run",
    "confine": "confined.looking:confine",
    "keep-room": "snapshots.keep_room:keep_room",
    "room": "snapshots.keep_room:room",
    "record": "store.newest:record",
    "find": "snapshots.find:run",
    "in-newest": "snapshots.find:in_newest",
    "make-restored": "snapshots.restored:make",
    "make-place": "snapshots.restored:make_place",
    "received": "snapshots.restored:received",
    "restored": "snapshots.restored:run",
    "clear-restored": "snapshots.restored:clear",
    "search": "snapshots.search:run",
    "diff": "snapshots.diff:run",
    "floor": "retention.floor:run",
    "pin": "store.pins:pin",
    "unpin": "store.pins:unpin",
    "reading": "snapshots.reading:run",
    "expire": "retention.expire:expire",
    "set-aside": "retention.aside:set_aside",
    "bring-back": "retention.aside:bring_back",
    "drop-aside": "retention.aside:drop_aside",
    "drop-partials": "store.drop_partials:run",
    "freed": "store.freed:run",
    "audit": "retention.audit:run",
    "damaged": "retention.damage:run",
    "chain": "history.standing:run",
    "hold-host": "detached.hold_host:run",
    "detach": "detached.start:run",
    "detached": "detached.records:run",
    "outdated": "packages.outdated:run",
    "as-planned": "packages.unchanged:run",
    "up": "host.sessions:run",
    "about": "inventory.host:run",
    "about-of": "inventory.stored:about_of",
    "bring": "drill.scratch:bring",
    "compare-drill": "drill.compare:run",
    "databases": "database.databases:run",
    "drill-room": "drill.scratch:drill_room",
    "not-dumped": "database.dumps:not_dumped",
    "dump": "database.dump:run",
    "dump-globals": "database.dumps:dump_globals",
    "dumped": "database.dumps:dumped",
    "dumps": "database.dumps:dumps",
    "expire-dump": "database.dumps:expire_dump",
    "keep-about": "inventory.stored:keep_about",
    "newest-dumps": "drill.dumps:run",
    "proven": "store.proven:run",
    "sample": "drill.sample:run",
    "try-dumps": "drill.try_dumps:run",
    "db-newest": "database.stored:run",
    "db-fits": "database.fits:db_fits",
    "db-roles": "database.fits:db_roles",
    "db-restore": "database.restore:run",
    "db-verify": "database.publish:db_verify",
    "db-publish": "database.publish:db_publish",
    "db-drop": "database.publish:db_drop",
    "db-standing": "database.swap:db_standing",
    "db-swap": "database.swap:db_swap",
    "idle": "power.idle:run",
    "returned": "power.returned:run",
    "page": "power.returned:page",
    "release": "store.hold:release",
    "take-over": "store.hold:take_over",
    "in-use": "power.in_use:run",
    "access": "access.report:run",
    "boot-checks": "power.boot_checks:run",
    "serve": "policy.serve:run",
    "enrol": "policy.enrol:run",
    "revoke": "policy.enrol:revoke",
    "refused": "policy.refusals:run",
    "take": "policy.take:run",
    "taken": "policy.take:standing",
}


def main() -> None:
    """Run the verb that the command line names, and exit as it ended."""
    sys.exit(work())


def work() -> int:
    """Run the verb that the command line names: 0, 1 (refused), 75 (busy), 77 (stale) or 79 (already done)."""
    # Whatever the umask of whoever calls: what is made here is root's alone, unless it is given another mode.
    os.umask(0o077)
    try:
        privileges.keep("".join(sys.argv[1:2]))
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads the answer any more, and Python would complain on its way out.
        os._exit(1)
    return code


def _run(argv: list[str]) -> int:
    try:
        return perform(argv)
    except BrokenPipeError:
        raise
    except (Refused, *TROUBLE) as problem:
        return refuse(refusal(problem))


def perform(argv: list[str]) -> int:
    """Run a verb with its arguments: the exit code. Raises Refused, and what is in TROUBLE."""
    if not argv or argv[0] not in VERBS:
        raise Refused(f"no such verb; there are: {', '.join(VERBS)}", "see docs/store.md")
    place, _, function = VERBS[argv[0]].partition(":")
    verb = getattr(importlib.import_module(f".{place}", __package__), function)
    # What is there by now stays to the end: it is not looked through for what nobody uses any more.
    gc.freeze()
    gc.enable()
    return int(verb(argv[1:]))


if __name__ == "__main__":
    main()
