"""dnf(8), version 4: what can be upgraded and what it would do, read without changing anything; and doing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.jobs.packages.redhat.rpm import Package, from_spec, package
from runner.jobs.packages.redhat.survey import script
from runner.model.packages import Update
from runner.model.plan import Argv
from runner.model.text import whole_number

# A repository that cannot be read is an error (the short form of the option does not reach repositories), and
# a lock is an error instead of a wait without end.
_NOT_SKIPPED, _SKIPPED = (f"--setopt=*.skip_if_unavailable={value}" for value in (0, 1))
_NO_WAIT = "--setopt=exit_on_lock=True"
_STRICT = (_NOT_SKIPPED, _NO_WAIT)
# `-y` answers yes to every key that a package is signed with: then there is no key to ask about.
_NO_KEYS = "--setopt=*.gpgkey="
# Nothing that is replaced by a package of another name, since that is a removal too.
_IN_PLACE = "--setopt=obsoletes=0"

_LOOK_DNF = r"""
[ "$(family)" = dnf4 ] || { echo 'family exit 1'; exit 0; }
keep_lists /var/cache/dnf
[ ! -d /var/lib/dnf ] || cp -a /var/lib/dnf "$hidden/lib"
rm -f "$hidden"/lib/*lock.pid
ask() {
    "$program" --color=never STRICT --setopt=timeout=20 --setopt=retries=1 \
        --setopt=cachedir="$hidden/cache" --setopt=persistdir="$hidden/lib" \
        --disableplugin=generate_completion_cache --setopt=logdir="$hidden/log" $without "$@"
}
answers() { ask -q --disablerepo='*' --enablerepo="$1" --refresh makecache; }
enabled() { # ids stand below the heading; there may be words of plugins above it
    ask -q -C repolist --enabled >"$hidden/repolist" || return 1
    awk 'below { print $1 } /^repo id / { below = 1 }' "$hidden/repolist"
}
open() { ask --disableexcludes=all --disableplugin=versionlock "$@"; }
upgrades() {
    where=$1; shift
    "$where" -q "$@" repoquery --upgrades --latest-limit=1 \
        --qf '%{name}|%{epoch}|%{version}|%{release}|%{arch}|%{reponame}|%{downloadsize}'
}
table() { "$@" | awk '{ match($0, /^ */); lead = substr($0, 1, RLENGTH); $1 = $1; print lead $0 }'; }
would() ( # what `install` below would do with all that it may touch
    set -f
    for pattern do set -- "$@" "--exclude=$pattern"; shift; done
    set -- "$@" upgrade
    awk -F '|' '/^[A-Za-z0-9_]/ { print $1 "-" $2 ":" $3 "-" $4 "." $5 }' "$hidden/all" >"$hidden/specs"
    [ ! -s "$hidden/specs" ] || table ask $cached --assumeno --nobest OBSOLETES "$@" $(cat "$hidden/specs")
)
cached= without=
say enabled enabled
if ! say all upgrades open --refresh; then
    cached=-C
    if each_apart $(enabled); then say some upgrades open -C; else say old upgrades open -C; fi
fi
cp "$hidden/out" "$hidden/all"
cut -d '|' -f 1 "$hidden/all" >"$hidden/names"
# repoquery knows nothing of version locks, check-update does; its rows are not broken without a terminal.
hidden_ones() {
    ask -q $cached check-update >"$hidden/plain"
    case $? in 0 | 100) ;; *) return 1 ;; esac
    awk -F '[| ]' 'FILENAME == ARGV[1] { seen[$1]; next } !(($1 "." $5) in seen)' "$hidden/plain" "$hidden/all"
}
say hidden hidden_ones
advised() { open -q $cached updateinfo list security | awk '{ print $NF }' | sort -u; }
say security advised
advisories() { ls "$hidden"/cache/*/repodata | grep updateinfo; true; }
say advisories advisories
twice() { open -q -C repoquery --duplicates --qf '%{name}|%{epoch}|%{version}|%{release}|%{arch}'; }
say twice twice
say would would "$@"
say full table open $cached --assumeno --nobest upgrade
say restarting ask -q --disablerepo='*' needs-restarting -r
"""

# `-q` would print nothing at all since 2014; without `-d 0` its own words stand between the packages. yum
# takes its lock even to read, and waits for it without end by default.
_LOOK_YUM3 = r"""
[ "$(family)" = yum3 ] || { echo 'family exit 1'; exit 0; }
for folder in /var/cache/yum/*/*; do
    [ ! -d "$folder" ] || keep_lists "$folder"
done
ask() {
    "$program" -d 0 -e 0 --color=never --setopt='*.skip_if_unavailable=0' --setopt=exit_on_lock=1 \
        --setopt='*.timeout=20' --setopt='*.retries=2' --setopt='*.metadata_expire=0' \
        --setopt=cachedir="$hidden/cache" --setopt=logfile="$hidden/log/yum.log" $without "$@"
}
answers() { ask -e 1 --disablerepo='*' --enablerepo="$1" check-update; case $? in 0 | 100) ;; *) return 1 ;; esac; }
enabled() { # repolist prints nothing with -d 0
    cat /etc/yum.conf /etc/yum.repos.d/*.repo 2>/dev/null | sed 's/[[:space:]]*=[[:space:]]*/=/' | awk '
        /^\[/ { sub(/^\[/, ""); sub(/\].*/, ""); id = $0; if (id != "main") on[id] = 1 }
        /^enabled=/ { if (tolower($0) ~ /=(0|no|false|off)[[:space:]]*$/) delete on[id] }
        END { for (id in on) print id }'
}
without=
all() { ask --disableexcludes=all --disableplugin=versionlock "$@" check-update; }
say all all || [ $? -eq 100 ] || { if each_apart $(enabled); then say some all -C; else say old all -C; fi; }
sed -n 's/^\([A-Za-z0-9_][A-Za-z0-9_.+-]*\)\.[a-z0-9_]*\( .*\)\{0,1\}$/\1/p' "$hidden/out" >"$hidden/names"
say plain ask -C check-update
say security all -C --security
unfinished() { ls /var/lib/yum | grep '^transaction-all' | grep -v disabled; true; }
say unfinished unfinished
say restarting needs-restarting -r
"""


class Transaction(NamedTuple):
    """What dnf would do: upgrade and install `updates`, and remove packages for them (by name).

    `problems` are the lines in which dnf names what it had to leave out.
    """

    updates: tuple[Update, ...] = ()
    removals: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Offer(NamedTuple):
    """A newer package, the repository that has it, and the bytes to fetch where these are known."""

    package: Package
    repository: str
    size: int = 0


class Offers(NamedTuple):
    """What `check-update` lists: newer packages, and the names of those that another would replace."""

    updates: tuple[Offer, ...]
    replaced: tuple[str, ...]


def look(program: str, hold: Sequence[str]) -> Argv:
    """Read everything that a decision needs; `hold` are patterns of names that stay as they are.

    The lists are fetched into a private folder that is gone afterwards, so nothing of the host changes
    and no lock is needed. Exit 0, and sections (see `survey`); `family` alone where this is no dnf 4.
    """
    text = script(_LOOK_DNF).replace("STRICT", " ".join(f"'{option}'" for option in _STRICT))
    return ("sh", "-c", text.replace("OBSOLETES", _IN_PLACE), "look", program, *hold)


def look_with_yum3(program: str, hold: Sequence[str]) -> Argv:
    """The same by yum 3; the section `family` alone where this is none."""
    return ("sh", "-c", script(_LOOK_YUM3), "look", program, *hold)


def refresh(program: str, *, partly: bool = False) -> Argv:
    """Fetch the lists of all repositories anew; exit 1 where one cannot be had, unless it may be `partly`.

    Waits for another program that fetches lists, as many hosts do every hour; gives up after nine minutes
    with exit 124.
    """
    bounded = ("timeout", "--kill-after=10", "540")
    words = (program, "-q", "--color=never", _SKIPPED if partly else _NOT_SKIPPED)
    if program != "yum":
        return (*bounded, *words, "--refresh", "makecache")
    # yum may be version 3, which has no --refresh.
    return (*bounded, "sh", "-c", '"$@" clean expire-cache && "$@" makecache', "refresh", *words)


def install(program: str, packages: Iterable[Package], hold: Sequence[str]) -> Argv:
    """Upgrade to exactly these packages; nothing that fits `hold` changes, and nothing is replaced or removed.

    Exit 1 and nothing done where one of them is not to be had any more, is not signed by a key that rpm
    knows, or does not fit; 200 where another program is at work. Exit 0 says nothing about scriptlets.
    Must not be killed while it works. `program` may be yum 3 as well.
    """
    kept = tuple(f"--exclude={pattern}" for pattern in hold)
    if program == "yum":
        # What is an error to dnf is a line of text to version 3.
        kept = ("--setopt=skip_missing_names_on_install=0", *kept)
    specs = (package.spec for package in packages)
    # A repository that is away keeps nothing from being installed that others have: each version is named.
    return (program, "-y", "--color=never", _SKIPPED, _NO_WAIT, _NO_KEYS, _IN_PLACE, *kept, "install", *specs)


def parse_upgrades(lines: Iterable[str]) -> tuple[Offer, ...]:
    """Read the lines of `repoquery --upgrades`."""
    rows = [row for row in (line.split("|") for line in lines) if len(row) == 7]
    offers = (
        Offer(newer, repository, whole_number(size) or 0)
        for name, epoch, version, release, arch, repository, size in rows
        if (newer := package(name, arch, f"{epoch}:{version}-{release}"))
    )
    return tuple(offers)


def parse_advised(lines: Iterable[str]) -> tuple[Package, ...]:
    """Read the packages that security advisories name."""
    return tuple(filter(None, map(from_spec, lines)))


def parse_transaction(lines: Iterable[str], problems: Iterable[str] = ()) -> Transaction:
    """Read the table of `--assumeno`, whose rows may be broken into several lines.

    `problems` is what stood on stderr.
    """
    updates: list[Update] = []
    removals: list[str] = []
    for head, words in _rows(lines):
        if words[0] == "replacing":
            removals.append(words[1].rpartition(".")[0])
        elif head.startswith("Removing"):
            removals.append(words[0])
        elif head.startswith(("Installing", "Upgrading")) and len(words) >= 4:
            newer = package(words[0], words[1], words[2])
            if newer:
                updates.append(Update(name=newer.name, arch=newer.arch, old="", new=newer.version, origin=words[3]))
    # A kernel beyond the number that is kept makes room for the next: that is no removal of a package.
    staying = {update.name for update in updates}
    return Transaction(
        updates=tuple(updates),
        removals=tuple(name for name in removals if name not in staying),
        problems=tuple(line.strip() for line in problems if line.lstrip().startswith(("Problem", "- "))),
    )


def _rows(lines: Iterable[str]) -> list[tuple[str, list[str]]]:
    rows: list[tuple[str, list[str]]] = []
    head = ""
    for line in lines:
        if not line.startswith(" "):
            head = line if line.endswith(":") else ""
        elif head:
            words = line.split()
            fresh = line.startswith(" ") and not line.startswith("  ")
            if fresh or words[:1] == ["replacing"]:
                rows.append((head, words))
            elif rows:
                rows[-1][1].extend(words)
    return [(head, words) for head, words in rows if len(words) > 1]


def parse_check_update(lines: Iterable[str]) -> Offers:
    """Read `check-update` of yum 3 or dnf.

    A long name or version is followed by a line end and blanks, twice at most. What stands below
    `Obsoleting Packages` is no update: a package, then indented the one that it takes the place of. Lines
    that are not three words of which the first has an architecture and the second a version are skipped.
    """
    updates: list[Offer] = []
    replaced: dict[str, None] = {}
    obsoleting = False
    for indented, words in _indented_rows(lines):
        if words == ["Obsoleting", "Packages"]:
            obsoleting = True
        elif len(words) == 3 and (newer := _listed(words[0], words[1])):
            if obsoleting and indented:
                replaced[newer.name] = None
            elif not obsoleting and not indented:
                updates.append(Offer(newer, words[2]))
    return Offers(tuple(updates), tuple(replaced))


def _listed(label: str, version: str) -> Package | None:
    name, dot, arch = label.rpartition(".")
    return package(name, arch, version) if dot and "-" in version else None


def _indented_rows(lines: Iterable[str]) -> list[tuple[bool, list[str]]]:
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
