"""The door of runner-store: find the verb's module, run it, and turn refusals into JSON."""

from __future__ import annotations

import importlib
import os
import sys

from .say import Refused, refuse

VERBS = {
    "probe": "probe",
    "hold": "hold",
    "begin": "begin",
    "explain": "explain",
    "seal": "seal",
    "reap": "reap",
    "check-disk": "check_disk",
    "newest": "newest",
    "links": "links",
    "mounted": "mounted",
    "record": "record",
    "find": "find",
    "diff": "diff",
    "floor": "floor",
    "pin": "pin",
    "unpin": "unpin",
    "reading": "reading",
    "expire": "expire",
    "freed": "freed",
    "audit": "audit",
    "hold-host": "hold_host",
    "carry": "carry_command",
    "carried": "carried",
    "outdated": "outdated",
    "as-planned": "as_planned",
    "up": "up",
    "about": "about",
    "about-of": "about_of",
    "bring": "bring",
    "compare-drill": "compare_drill",
    "databases": "databases",
    "drill-room": "drill_room",
    "dump": "dump",
    "dump-globals": "dump_globals",
    "dumped": "dumped",
    "dumps": "dumps",
    "expire-dump": "expire_dump",
    "keep-about": "keep_about",
    "newest-dumps": "newest_dumps",
    "proven": "proven",
    "sample": "sample",
    "try-dumps": "try_dumps",
    "db-newest": "db_newest",
    "db-fits": "db_fits",
    "db-roles": "db_roles",
    "db-restore": "db_restore",
    "db-verify": "db_verify",
    "db-publish": "db_publish",
    "db-drop": "db_drop",
    "db-standing": "db_standing",
    "db-swap": "db_swap",
    "still": "still",
    "came-back": "came_back",
    "page": "page",
    "let-go": "let_go",
    "take-over": "take_over",
    "in-use": "in_use",
    "access": "access",
    "boot-checks": "boot_checks",
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
