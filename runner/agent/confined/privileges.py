"""What of root's rights a verb keeps: what it does not use it gives up before it begins. capabilities(7), prctl(2).

So a fault in what reads a store, or what another host says, can write nothing and start nothing as root; and a fault in
what writes one reaches no kernel, no net and no process of others.
"""

from __future__ import annotations

import os

# CAP_DAC_READ_SEARCH
_READ = (2,)
# chown dac_override dac_read_search fowner fsetid kill linux_immutable sys_admin sys_nice sys_resource mknod setfcap
# mac_admin; and sys_ptrace, to see who is in a snapshot that may go.
_WRITE = (0, 1, 2, 3, 4, 5, 9, 19, 21, 23, 24, 27, 31, 33)
# Who looks: nobody's, below those that receive (receiver.py). It owns nothing, and nobody may look into its processes.
_LOOKS = 60899
# These only read: they are nobody's, who may read everything.
LOOKING = (
    "about-of",
    "chain",
    "damaged",
    "db-newest",
    "explain",
    "find",
    "in-newest",
    "links",
    "newest",
    "newest-dumps",
    "not-sealed",
    "record",
    "search",
    "taken",
)
# These write in stores or beside them, or read attributes that only CAP_SYS_ADMIN is shown. They stay root, with what
# that takes of files and no more.
WRITING = (
    "audit",
    "begin",
    "bring-back",
    "changed",
    "clear-restored",
    "clone",
    "close",
    "compose",
    "diff",
    "drop-aside",
    "drop-partials",
    "expire",
    "floor",
    "freed",
    "keep-about",
    "look",
    "make-place",
    "make-restored",
    "mark-disk",
    "pin",
    "proven",
    "reading",
    "reap",
    "received",
    "refused",
    "restored",
    "sample",
    "seal",
    "set-aside",
    "settle",
    "unpin",
    "walk",
)
# These begin programs of the host, or look at processes of others, and so keep what they were begun with. What they
# begin for a stranger or an account has its own bounds: receiver.py, database/, drill/confined.py, policy/serve.py.
WHOLE = (
    "about",
    "access",
    "as-planned",
    "boot-checks",
    "bring",
    "check-disk",
    "compare-drill",
    "confine",
    "databases",
    "db-drop",
    "db-fits",
    "db-publish",
    "db-restore",
    "db-roles",
    "db-standing",
    "db-swap",
    "db-verify",
    "detach",
    "detached",
    "drill-room",
    "dump",
    "dump-globals",
    "dumped",
    "dumps",
    "enrol",
    "expire-dump",
    "fstab-lines",
    "hold",
    "hold-host",
    "idle",
    "in-use",
    "keep-room",
    "make-unwritable",
    "mounted",
    "not-dumped",
    "outdated",
    "page",
    "probe",
    "put-fstab-line",
    "release",
    "returned",
    "revoke",
    "room",
    "serve",
    "take",
    "take-over",
    "try-dumps",
    "up",
)


def keep(verb: str) -> None:
    """Give up, for good and for all that is begun from now on, what the verb does not use; nothing unless we are root.

    What this kernel does not let go is kept: the verb does the same with it.
    """
    if os.geteuid() != 0 or verb in WHOLE:
        return
    from . import kernel  # noqa: PLC0415  (slow to load)

    if verb in LOOKING:
        kernel.give_up(_LOOKS, _READ)
    elif verb in WRITING:
        kernel.give_up(0, _WRITE)
