"""yum(8) of version 3: what can be upgraded, read without changing anything. Installing is as with dnf."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.jobs.packages.redhat.rpm import Package, package
from runner.jobs.packages.redhat.survey import script
from runner.model.plan import Argv

# `-q` would print nothing at all since 2014; without `-d 0` its own words stand between the packages. yum
# takes its lock even to read, and waits for it without end unless told otherwise.
_MIDDLE = r"""
[ "$(family)" = yum3 ] || { echo 'family exit 1'; exit 0; }
for one in /var/cache/yum/*/*; do
    [ ! -d "$one" ] || keep_lists "$one"
done
ask() {
    "$program" -d 0 -e 0 --color=never --setopt='*.skip_if_unavailable=0' --setopt=exit_on_lock=1 \
        --setopt='*.timeout=20' --setopt='*.retries=2' --setopt='*.metadata_expire=0' \
        --setopt=cachedir="$hidden/cache" --setopt=logfile="$hidden/log/yum.log" "$@"
}
all() { ask --disableexcludes=all --disableplugin=versionlock "$@" check-update; }
say all all || [ $? -eq 100 ] || say old all -C
sed -n 's/^\([A-Za-z0-9_][A-Za-z0-9_.+-]*\)\.[a-z0-9_]*\( .*\)\{0,1\}$/\1/p' "$hidden/out" >"$hidden/names"
say plain ask -C check-update
say security all -C --security
unfinished() { ls /var/lib/yum | grep '^transaction-all' | grep -v disabled; true; }
say unfinished unfinished
say restarting needs-restarting -r
"""


def look(program: str, hold: Sequence[str]) -> Argv:
    """Read everything that a decision needs; `hold` are patterns of names that stay as they are.

    The lists are fetched into a private folder that is gone afterwards. Exit 0, and the sections of
    rpm_look; `family` alone where this is no yum 3.
    """
    return ("sh", "-c", script(_MIDDLE), "look", program, *hold)


def parse_check_update(lines: Iterable[str]) -> tuple[tuple[tuple[Package, str], ...], tuple[str, ...]]:
    """Read `check-update` of yum 3 or dnf: updates with their repositories, and names that would be replaced.

    A long name or version is followed by a line end and blanks, twice at most. What stands below
    `Obsoleting Packages` is no update: a package, then indented the one that it takes the place of. Lines
    that are not three words of which the first has an architecture and the second a version are skipped.
    """
    updates: list[tuple[Package, str]] = []
    replaced: dict[str, None] = {}
    obsoleting = False
    for indented, words in _rows(lines):
        if words == ["Obsoleting", "Packages"]:
            obsoleting = True
            continue
        one = _package(words)
        if one is None:
            continue
        if obsoleting and indented:
            replaced[one.name] = None
        elif not obsoleting and not indented:
            updates.append((one, words[2]))
    return tuple(updates), tuple(replaced)


def _package(words: Sequence[str]) -> Package | None:
    if len(words) != 3:
        return None
    name, dot, arch = words[0].rpartition(".")
    version = words[1] if "-" in words[1] else ""
    return package(name, arch, version) if dot else None


def _rows(lines: Iterable[str]) -> list[tuple[bool, list[str]]]:
    """Put rows together that were broken; whether each began indented, and its words."""
    rows: list[tuple[bool, list[str]]] = []
    for line in lines:
        words = line.split()
        if not words:
            continue
        # What goes on with a row that has fewer than three words is farther in than any package.
        deep = line.startswith(" " * 5) and bool(rows) and len(rows[-1][1]) + len(words) <= 3
        if deep:
            rows[-1][1].extend(words)
        else:
            rows.append((line.startswith(" "), words))
    return rows
