"""The script that reads a host of the Red Hat family in one go, and the sections that it prints.

Every line begins with the section's name and what it is, so that nothing in a repository, a package or
a file can be taken for another section. `end` is the last: without it the text was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runner.jobs.packages.redhat.rpm import INSTALLED
from runner.model.text import whole_number

# `$1` is the program, the other arguments are hold patterns. All that is fetched goes below $hidden; what a
# look that was killed has left there is swept a day later.
BEGIN = r"""
program=$1; shift
hidden=$(mktemp -d /var/tmp/runner-packages.XXXXXX) || exit 1
trap 'rm -rf -- "$hidden"' EXIT
trap 'exit 143' HUP INT TERM
find /var/tmp -mindepth 1 -maxdepth 1 -type d -user 0 -name 'runner-packages.*' -mmin +1440 -exec rm -rf {} +
mkdir "$hidden/cache" "$hidden/log"
say() { # say SECTION COMMAND...: the exit code, then what it printed, every line under the section's name
    section=$1; shift
    "$@" >"$hidden/out" 2>"$hidden/err" </dev/null
    code=$?
    echo "$section exit $code"
    head -c 60000 "$hidden/out" | awk -v s="$section out " '{ print s $0 }'
    head -c 8000 "$hidden/err" | awk -v s="$section err " '{ print s $0 }'
    return "$code"
}
family() { # which program it is, from its own text: even --version would write logs
    text=$(readlink -f -- "$(command -v "$program")") || return 0
    if grep -qs yummain "$text"; then echo yum3; elif grep -qs 'dnf\.cli' "$text"; then echo dnf4; fi
}
keep_lists() { # the lists that DIR has, without the packages, so that only what is new is fetched
    for list in "$1"/*; do
        [ -e "$list" ] || continue
        if [ -L "$list" ] || [ ! -d "$list" ]; then cp -a -- "$list" "$hidden/cache/"; continue; fi
        mkdir "$hidden/cache/${list##*/}"
        for part in "$list"/*; do
            [ "${part##*/}" = packages ] || cp -a -- "$part" "$hidden/cache/${list##*/}/"
        done
    done
}
each_apart() { # each_apart ID...: which repositories do not answer is told, and then done without; 1: none answers
    came=1
    : >"$hidden/apart"
    for id do
        if answers "$id" >/dev/null 2>"$hidden/why" </dev/null; then came=0; continue; fi
        echo "$id|$(grep -m 1 . "$hidden/why" | head -c 300)" >>"$hidden/apart"
    done
    say away cat "$hidden/apart"
    [ $came -ne 0 ] || for id in $(cut -d '|' -f 1 "$hidden/apart"); do without="$without --disablerepo=$id"; done
    return $came
}
installed() { # installed FILE PATTERN...: kernels, what the patterns fit, and the names that FILE lists
    names=$1; shift
    rpm -qa --qf 'FORMAT' 'kernel*' "$@"
    [ ! -s "$names" ] || sort -u "$names" | xargs -d '\n' rpm -q --qf 'FORMAT' --
    true
}
repositories() { # which are in use, and whose signatures they want; passwords stay where they are
    cat /etc/yum.conf /etc/dnf/dnf.conf /etc/yum.repos.d/*.repo /etc/distro.repos.d/*.repo 2>/dev/null |
        grep -E '^(\[|(enabled|gpgcheck|gpgkey|exclude|excludepkgs)[[:space:]]*=|[[:space:]])' |
        sed 's,//[^/@]*@,//,'
    true
}
hiding() { # what leaves packages out, by file and line
    grep -nsE '^[[:space:]]*(exclude|excludepkgs|includepkgs)[[:space:]]*=' \
        /etc/yum.conf /etc/dnf/dnf.conf /etc/yum.repos.d/*.repo /etc/distro.repos.d/*.repo /dev/null
    grep -ns '^[[:space:]]*[^#[:space:]]' \
        /etc/dnf/plugins/versionlock.list /etc/yum/pluginconf.d/versionlock.list /dev/null
    true
}
keys() { # the keys that rpm trusts, then the keys of the distribution's files
    rpm -q gpg-pubkey --qf 'rpm|%{VERSION}\n'
    for file in /etc/pki/rpm-gpg/*; do
        [ ! -f "$file" ] || gpg --batch --no-default-keyring --homedir "$hidden" --with-colons \
            --show-keys "$file" 2>/dev/null | awk -F: -v f="$file" '$1 == "pub" { print f "|" $5 }'
    done
    true
}
locks() { # who is at work on packages now: process and program
    for file in /var/lib/dnf/rpmdb_lock.pid /var/lib/dnf/download_lock.pid /var/run/yum.pid; do
        pid=$(head -c 20 "$file" 2>/dev/null | tr -cd 0-9)
        [ -z "$pid" ] || [ ! -r "/proc/$pid/comm" ] || echo "$pid|$(head -n 1 "/proc/$pid/comm")"
    done
    database=$(rpm --eval '%{_dbpath}')/.rpm.lock
    inode=$(stat -c %i "$database" 2>/dev/null) || return 0
    awk -v i="$inode" '$4 == "WRITE" { n = split($6, part, ":"); if (part[n] == i) print $5 }' /proc/locks |
        while read -r pid; do
            # Other filesystems have the same inode numbers: is it this very file that the process has open?
            for fd in "/proc/$pid/fd"/*; do [ "$fd" -ef "$database" ] && break; done || continue
            echo "$pid|$(head -n 1 "/proc/$pid/comm" 2>/dev/null)"
        done
}
whole() { # what the installed packages need and do not have; a script of theirs must not run
    rpm --verify --all --nofiles --noscripts --nodigest --nosignature
}
room() { # bytes free where kernels and where downloads go
    echo "boot|$(stat -f -c '%a|%S' /boot 2>/dev/null)"
    echo "var|$(stat -f -c '%a|%S' /var 2>/dev/null)"
}
"""
# What is asked the same way whoever installs; `$hidden/names` lists what may be upgraded.
END = r"""
say installed installed "$hidden/names" "$@"
say repositories repositories
say hiding hiding
say keys keys
say whole whole
say after locks
say room room
say end true
"""


class Section(NamedTuple):
    """What one command of the script printed; `exit` is None where it was not asked."""

    exit: int | None = None
    out: tuple[str, ...] = ()
    err: tuple[str, ...] = ()


def script(middle: str) -> str:
    """The whole script around the questions that only one program answers."""
    return (BEGIN + "say before locks\n" + middle + END).replace("FORMAT", INSTALLED)


Sections = Mapping[str, Section]
_NONE = Section()


def section(sections: Sections, name: str) -> Section:
    """The section of that name; an empty one where it was not asked."""
    return sections.get(name, _NONE)


def sections(text: str) -> Sections:
    """What the script printed, by section; a text that was cut has no section `end`."""
    codes: dict[str, int] = {}
    lines: dict[tuple[str, str], list[str]] = {}
    for line in text.split("\n"):
        name, _, rest = line.partition(" ")
        kind, _, words = rest.partition(" ")
        if kind == "exit" and (code := whole_number(words)) is not None:
            codes[name] = code
        elif kind in ("out", "err"):
            lines.setdefault((name, kind), []).append(words)
    return {
        name: Section(exit=code, out=tuple(lines.get((name, "out"), ())), err=tuple(lines.get((name, "err"), ())))
        for name, code in codes.items()
    }
