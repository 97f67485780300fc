"""apt-get(8): refresh the lists, install exactly these versions, see whether dependencies are met."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.packages import Update
from runner.model.plan import Argv

# How long, in seconds, another program may keep dpkg's lock before apt-get gives up.
PATIENCE = 300
# How `refresh` ends where not every archive answered.
NOT_ALL = (100,)
_ONCE = ("-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10", "-o", "Acquire::Retries=0")
_MIRROR = ("-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20", "-o", "Acquire::Retries=2")
# A person's changes to a configuration file stay; the packager's new one is put beside it.
KEEP_CONFFILES = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")


# apt-get waits for dpkg's lock and never for that of the lists, which Debian's own timer takes twice a day.
# Who holds a lock is in /proc/locks by its inode, which other filesystems have too.
_WHEN_FREE = r"""
held() {
  lists=/var/lib/apt/lists/lock
  inode=$(stat -c %i "$lists" 2>/dev/null) || return 1
  for pid in $(awk -v i="$inode" '$2 != "->" { split($6, at, ":"); if (at[3] == i) print $5 }' /proc/locks); do
    for fd in "/proc/$pid/fd"/*; do [ "$fd" -ef "$lists" ] && return 0; done
  done
  return 1
}
left=LIMIT
while :; do
  while held && [ $left -gt 0 ]; do sleep 2; left=$((left - 2)); done
  "$@"; ended=$?
  [ $ended -ne 0 ] && held && [ $left -gt 0 ] || exit $ended
done
"""


def refresh(*, partly: bool = False) -> Argv:
    """Fetch the package lists. Exit 100 if any of them could not be had; without the option that is 0.

    `partly`: for an archive that is known not to answer it does not wait for long, since there may be many such
    lists. Waits for another program that fetches them. See apt-get(8), `update`.
    """
    script = _WHEN_FREE.strip().replace("LIMIT", str(PATIENCE))
    words = ("apt-get", "-q", "--error-on=any", *(_ONCE if partly else _MIRROR), "update")
    return ("sh", "-c", script, "runner-refresh", *words)


def install(updates: Sequence[Update]) -> Argv:
    """Install these versions and nothing that was not named, dependencies apart; ask nothing.

    Ends with 100 and changes nothing where a held package would change, a package be removed, or a version
    is not to be had any more. What was installed automatically stays so, and what is new is. Needs the
    environment of `runner-store carry`, and must not be killed while it works.
    """
    return (
        "apt-get", "-q", "-y", "--no-remove", "--no-auto-remove", "--no-install-recommends", "--mark-auto",
        "-o", f"DPkg::Lock::Timeout={PATIENCE}", "-o", "Dpkg::Use-Pty=0", *KEEP_CONFFILES, *_MIRROR,
        "install", *(f"{one.name}={one.new}" for one in updates),
    )  # fmt: skip


def check() -> Argv:
    """See whether every installed package has what it depends on: exit 0, or 100 with the reason."""
    return ("apt-get", "-q", "check")
