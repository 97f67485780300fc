"""apt-get(8): refresh the lists, install exactly these versions, see whether dependencies are met."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.jobs.packages.debian.version import NAME, VERSION, fits, is_security
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

# Where a package's script fails before its files are there, apt-get leaves the others unpacked and does not set them
# up: they are, at once. dpkg puts them in order, and one that failed is not tried again. Which one that was is in
# the events that apt writes. After a signal nothing is begun.
_SET_UP = r"""
trap cut=1 HUP INT TERM
events=${RUNNER_EVENTS:-/dev/null}; { true >>"$events"; } 2>/dev/null || events=/dev/null
exec 3>>"$events"
cut=; "$@"; ended=$?
exec 3>&-
[ $ended -ne 0 ] && [ -z "$cut" ] || exit $ended
waiting=$(dpkg-query -W -f='${db:Status-Status} ${binary:Package}\n' |
  sed -n -E 's/^(unpacked|triggers-awaited|triggers-pending) //p')
[ -z "$waiting" ] || dpkg --force-confdef --force-confold --configure $waiting
exit $ended
"""

# "libc6:any (>= 2.36) [amd64]" in a Depends field; see deb-control(5).
_WORD = re.compile(r"\s*([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?.*")


class Alternative(NamedTuple):
    """One of several packages that would do, with a relation and a version where only some versions do."""

    name: str
    relation: str = ""
    bound: str = ""

    def admits(self, version: str) -> bool:
        """Whether the package would do in that version; "" is none."""
        return bool(version) and fits(version, self.relation, self.bound)


Clause = tuple[Alternative, ...]

# Inst NAME [OLD] (NEW ORIGIN [ARCH]) and whatever; these lines are not translated, and stayed the same in apt 3.
_INST = re.compile(
    rf"Inst (?P<name>{NAME}) (?:\[(?P<old>{VERSION})\] )?"
    rf"\((?P<new>{VERSION})(?: (?P<origin>[^\[].*?))?(?: \[(?P<arch>[a-z0-9-]+)\])?\)(?: .*)?"
)
_REMV = re.compile(rf"Remv ({NAME}) .*")


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
    environment of `runner-agent detach`, and must not be killed while it works. Where the script of one package
    fails, those that were unpacked are set up all the same.
    """
    options = ("-q", "-y", "--no-remove", "--no-auto-remove", "--no-install-recommends", "--mark-auto")
    quiet = ("-o", f"DPkg::Lock::Timeout={PATIENCE}", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Status-Fd=3")
    specs = (f"{update.name}={update.new}" for update in updates)
    apart = ("sh", "-c", _SET_UP.strip(), "runner-install")
    return (*apart, "apt-get", *options, *quiet, *KEEP_CONFFILES, *_MIRROR, "install", *specs)


class DebianPackage(NamedTuple):
    """A package that is on the host, whole or not. `name` is as apt writes it: `libc6:i386` where foreign.

    `want` is hold, install, deinstall or purge; `state` as dpkg-query's Status-Status; `flag` is `ok` or
    `reinstreq`. `needs` are what it depends on.
    """

    name: str
    version: str
    want: str
    state: str
    flag: str
    needs: tuple[Clause, ...]


def parse_table(lines: Iterable[str], native: str) -> tuple[DebianPackage, ...]:
    """Read `name|arch|version|want|state|flag|dependencies` lines; packages that are gone are left out."""
    rows = (line.split("|", 6) for line in lines)
    return tuple(
        DebianPackage(name_of(row[0], row[1], native), row[2], row[3], row[4], row[5], clauses(row[6]))
        for row in rows
        if len(row) == 7 and re.fullmatch(NAME, row[0]) and row[4] not in ("not-installed", "config-files")
    )


def name_of(name: str, arch: str, native: str) -> str:
    """The name as apt writes it: with the architecture where it is not the machine's own."""
    return name if arch in ("", "all", native) else f"{name}:{arch}"


def clauses(field: str) -> tuple[Clause, ...]:
    """Read a field like Depends: `a (>= 1) | b, c` is two clauses, the first of two alternatives."""
    texts = (clause.split("|") for clause in field.split(",") if clause.strip())
    return tuple(
        tuple(Alternative(word[1], word[2] or "", word[3] or "") for word in map(_WORD.fullmatch, clause) if word)
        for clause in texts
    )


class PackageVersion(NamedTuple):
    """A version of a package, in place of `old`: what it needs, and what must not be there with it.

    `version` is "" for a package that must not come at all.
    """

    version: str
    old: str = ""
    needs: tuple[Clause, ...] = ()
    breaks: tuple[Clause, ...] = ()


def simulated(lines: Iterable[str]) -> tuple[Update, ...]:
    """The `Inst` lines of a simulation, in its order; others are passed over."""
    return tuple(
        Update(
            name=row["name"],
            arch=row["arch"] or "",
            old=row["old"] or "",
            new=row["new"],
            origin=row["origin"] or "",
            security=is_security(row["origin"] or ""),
        )
        for row in map(_INST.fullmatch, lines)
        if row
    )


def removed(lines: Iterable[str]) -> tuple[str, ...]:
    """The names of the `Remv` lines of a simulation."""
    return tuple(row[1] for row in map(_REMV.fullmatch, lines) if row)


def versions(lines: Iterable[str], native: str) -> dict[str, PackageVersion]:
    """Read the output of `apt-cache show`, with only the fields that are needed here, by name."""
    paragraphs: list[defaultdict[str, str]] = []
    for line in lines:
        field, _, text = line.partition(": ")
        if field == "Package":
            paragraphs.append(defaultdict(str))
        if paragraphs:
            paragraphs[-1][field] = text
    return {
        name_of(fields["Package"], fields["Architecture"], native): PackageVersion(
            version=fields["Version"],
            needs=(*clauses(fields["Pre-Depends"]), *clauses(fields["Depends"])),
            breaks=(*clauses(fields["Breaks"]), *clauses(fields["Conflicts"])),
        )
        for fields in paragraphs
    }
