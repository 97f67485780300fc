"""The door of runner-store: find the verb's module, run it, and turn refusals into JSON."""

from __future__ import annotations

import importlib
import os
import sys

from .answer import Refused, refuse

VERBS = {
    "probe": "probe",
    "hold": "store.hold",
    "begin": "snapshots.begin",
    "explain": "snapshots.explain",
    "seal": "snapshots.seal",
    "reap": "store.reap",
    "check-disk": "store.check_disk",
    "newest": "store.newest",
    "links": "retention.links",
    "mounted": "host.mounted",
    "record": "store.record",
    "find": "snapshots.find",
    "diff": "snapshots.diff",
    "floor": "retention.floor",
    "pin": "store.pin",
    "unpin": "store.unpin",
    "reading": "snapshots.reading",
    "expire": "retention.expire",
    "freed": "store.freed",
    "audit": "retention.audit",
    "hold-host": "detached.hold_host",
    "carry": "detached.start",
    "carried": "detached.carried",
    "outdated": "packages.outdated",
    "as-planned": "packages.unchanged",
    "up": "host.up",
    "about": "inventory.host",
    "about-of": "inventory.stored",
    "bring": "drill.bring",
    "compare-drill": "drill.compare",
    "databases": "database.databases",
    "drill-room": "drill.scratch",
    "dump": "database.dump",
    "dump-globals": "database.dump_globals",
    "dumped": "database.dumped",
    "dumps": "database.dumps",
    "expire-dump": "database.expire_dump",
    "keep-about": "inventory.keep_about",
    "newest-dumps": "drill.dumps",
    "proven": "store.proven_store",
    "sample": "drill.sample",
    "try-dumps": "drill.try_dumps",
    "db-newest": "database.db_newest",
    "db-fits": "database.fits",
    "db-roles": "database.db_roles",
    "db-restore": "database.restore",
    "db-verify": "database.db_verify",
    "db-publish": "database.publish",
    "db-drop": "database.db_drop",
    "db-standing": "database.db_standing",
    "db-swap": "database.swap",
    "still": "power.idle",
    "came-back": "power.returned",
    "page": "power.page",
    "let-go": "store.let_go",
    "take-over": "store.take_over",
    "in-use": "power.in_use",
    "access": "access.report",
    "boot-checks": "power.boot_checks",
}


def main() -> None:
    """Run the verb that the command line names; exit 0, 1 (refused or failed) or 75 (busy)."""
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody listens any more: there is no one to tell, and Python would complain on its way out.
        os._exit(1)
    sys.exit(code)


def _run(argv: list[str]) -> int:
    if not argv or argv[0] not in VERBS:
        return refuse(Refused(f"no such verb; there are: {', '.join(VERBS)}", "see docs/store.md"))
    verb = importlib.import_module(f".{VERBS[argv[0]]}", __package__)
    try:
        return int(verb.run(argv[1:]))
    except Refused as refused:
        return refuse(refused)
    except BrokenPipeError:
        raise
    except OSError as problem:
        name = f" ({os.fsdecode(problem.filename)!a})" if isinstance(problem.filename, (str, bytes)) else ""
        return refuse(Refused(f"{problem.strerror or problem}{name}", "look at the disk and the folder"))


if __name__ == "__main__":
    main()
