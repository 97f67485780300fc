"""What keeps a host of the Red Hat family from being upgraded: evidence from its sections, and the remedy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from runner.jobs.packages.redhat.rpm import is_kernel
from runner.jobs.packages.redhat.survey import Section, Sections, section
from runner.model.packages import Trouble, Update, What
from runner.model.text import one_line, size


class _DnfSign(NamedTuple):
    word: str
    what: What
    do: str


# That the lists could not be had is known from an exit code; the words only choose the remedy.
_SIGNS = (
    _DnfSign("lock", "lock", "wait until the other program has ended, or see what it does"),
    _DnfSign("No space left", "disk full", "make room below /var, then plan again"),
    _DnfSign("not yet valid", "clock", "see that the clock of the host is right (date), then plan again"),
    _DnfSign(
        "has expired", "expired", "see that the clock is right; else the repository's certificate must be renewed"
    ),
    _DnfSign(
        "GPG",
        "signature",
        "look at the repository's gpgkey, and run `dnf makecache` by hand: it shows the key and asks",
    ),
    _DnfSign("hecksum", "damaged", "wait until the mirror is whole again; if that goes on: dnf clean metadata"),
    _DnfSign("rpmdb", "broken", "see what rpm says (rpm -qa); a damaged database is made anew with rpm --rebuilddb"),
    _DnfSign("Unknown repo", "moved", "look at the files in /etc/yum.repos.d"),
    _DnfSign("Status code: 40", "moved", "the repository is not where it was: look at its baseurl in /etc/yum.repos.d"),
)
_UNREACHABLE = "see that the host reaches the network and that the mirror is up; the next run tries again"
_AT_WORK = re.compile(r"(dnf|yum|microdnf|rpm|packagekit|tdnf)", re.IGNORECASE)
# A kernel with its initrd; below this dracut fails in the middle of a transaction.
_KERNEL_ROOM = 100 << 20
_SPARE = 64 << 20


def read(lines: Iterable[str]) -> tuple[Trouble, ...]:
    """What the errors in the output of dnf mean, each remedy once; an error that is not known here is left out."""
    errors = [one_line(line.strip()) for line in lines if line.startswith("Error:")]
    signs = ((line, next((sign for sign in _SIGNS if sign.word in line), None)) for line in errors)
    return tuple({sign.do: Trouble(what=sign.what, text=line, do=sign.do) for line, sign in signs if sign}.values())


def lists(section: Section) -> Trouble:
    """Why the lists could not be fetched."""
    lines = _lines(section)
    evidence = "; ".join([line for line in lines if line.startswith("Error")][:3] or lines[:3])
    text = "\n".join(lines)
    sign = next((sign for sign in _SIGNS if sign.word in text), _DnfSign("", "unreachable", _UNREACHABLE))
    text = f"the package lists could not be fetched: {evidence or f'exit {section.exit} without a message'}"
    return Trouble(what=sign.what, text=text, do=sign.do)


def away(rows: Iterable[str]) -> Iterator[Trouble]:
    """Repositories that do not answer where others do, of lines `ID|ERROR`: a trouble for each remedy."""
    errors: dict[_DnfSign, dict[str, str]] = {}
    for name, _, error in (row.partition("|") for row in rows):
        sign = next((sign for sign in _SIGNS if sign.word in error), _DnfSign("", "unreachable", _UNREACHABLE))
        errors.setdefault(sign, {})[name] = error
    for sign, known in errors.items():
        reason = next(iter(known.values())) or "no reason given"
        text = f"no package lists of {', '.join(known)}, so nothing new is known from there: {reason}"
        do = f"{sign.do}; if that repository is gone for good, write enabled=0 into its file in /etc/yum.repos.d"
        yield Trouble(what=sign.what, text=one_line(text), do=do)


def no_repository(section: Section) -> tuple[Trouble, ...]:
    """That a host has no repository at all, where it was asked: dnf then ends well, with nothing to do."""
    if section.exit != 0 or section.out:
        return ()
    do = "see the files in /etc/yum.repos.d, and write enabled=1 where a repository is wanted"
    return (Trouble(what="moved", text="no repository is in use, so there can be no update", do=do),)


def hiding(name: str, rows: Iterable[str]) -> Iterator[str]:
    """The places (file and line) that leave the package `name` out, of lines `FILE:LINE:TEXT`."""
    for file, line, text in (row.split(":", 2) for row in rows if row.count(":") >= 2):
        key, equals, value = text.partition("=")
        if file.endswith("versionlock.list"):
            leaves_out = text.strip().lstrip("!").startswith(f"{name}-")
        else:
            fitting = any(fnmatchcase(name, pattern) for pattern in re.split(r"[\s,]+", value.strip()))
            leaves_out = bool(equals) and fitting != key.strip().startswith("include")
        if leaves_out:
            yield f"{one_line(file)}:{line}"


def _lines(section: Section) -> list[str]:
    return [one_line(line.strip()) for line in section.err if line.strip()]


def locked(*looks: Section) -> tuple[Trouble, ...]:
    """Which programs were at work on packages, each with its process, whenever that was looked at."""
    rows = dict.fromkeys(line for look in looks for line in look.out if "|" in line)
    return tuple(
        Trouble(
            what="lock",
            text=f"{one_line(name)} (process {pid}) is at work on the packages",
            do=f"wait until it has ended; if it hangs: ps -fp {pid}",
        )
        for pid, _, name in (row.partition("|") for row in rows)
        if pid.isdecimal() and _AT_WORK.search(name)
    )


def cut_off(names: Iterable[str]) -> tuple[Trouble, ...]:
    """Packages that are there in two versions since an upgrade was cut off, or unfinished transactions of yum 3."""
    packages = ", ".join(dict.fromkeys(one_line(name) for name in names))
    if not packages:
        return ()
    do = "as root: dnf remove --duplicates (yum 3: yum-complete-transaction), and look at what it wants to do"
    return (Trouble(what="interrupted", text=f"an earlier upgrade was cut off: {packages}", do=do),)


def incomplete(section: Section) -> tuple[Trouble, ...]:
    """Installed packages that lack what they need, as rpm itself says; by its exit, whatever it prints."""
    if section.exit in (0, None):
        return ()
    lacks = [one_line(line.strip()) for line in section.out if line[:1].isspace()] or _lines(section)
    text = f"installed packages are not whole: {'; '.join(lacks[:4]) or f'rpm --verify ended with {section.exit}'}"
    do = "see all of it with dnf check (yum 3: yum check); install what is missing, or remove what needs it"
    return (Trouble(what="half", text=text, do=do),)


def unfit(problems: Sequence[str]) -> tuple[Trouble, ...]:
    """Updates that cannot be installed because what they need is nowhere; the others can."""
    if not problems:
        return ()
    text = f"some updates do not fit: {'; '.join(one_line(line) for line in problems[:4])}"
    return (Trouble(what="damaged", text=text, do="wait for the repository to be mended; nothing to do at the host"),)


def unsolved(section: Section) -> tuple[Trouble, ...]:
    """Why dnf could not even say what it would do."""
    lines = _lines(section)
    if section.exit in (0, None) and not any(line.startswith("Error") for line in lines):
        return ()
    do = "run `dnf check` at the host and see what is missing there"
    text = f"dnf cannot say what it would do: {'; '.join(lines[:4]) or f'exit {section.exit}'}"
    return (Trouble(what="broken", text=text, do=do),)


def unsigned(sections: Sections, updates: Iterable[Update]) -> Iterator[Trouble]:
    """Repositories with updates whose packages are checked against a key that rpm does not know.

    The runner never imports a key. Where a key file cannot be read here (it is at a URL, or there is no
    gpg) there is no trouble here, and the installation itself refuses.
    """
    lines = [line.partition("|") for line in section(sections, "keys").out if "|" in line]
    known = {key.lower() for place, _, key in lines if place == "rpm"}
    files: dict[str, set[str]] = {}
    for place, _, key in lines:
        files.setdefault(place, set()).add(key[-8:].lower())
    signed = repositories(section(sections, "repositories").out)
    for name in dict.fromkeys(update.origin for update in updates):
        keys = signed.get(name)
        own = [files.get(key.removeprefix("file://")) for key in keys or ()]
        if keys is not None and (not known or (own and all(each is not None and not each & known for each in own))):
            file = shlex.quote(one_line(keys[0].removeprefix("file://"))) if keys else "FILE"
            yield Trouble(
                what="signature",
                text=f"packages of {one_line(name)} are signed with a key that this host does not trust",
                do=f"compare the key's fingerprint with the distribution's, then as root: rpm --import {file}",
            )


def repositories(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The repositories in use whose packages must be signed, and the places of their keys."""
    options: dict[str, dict[str, str]] = {}
    name = last = ""
    for line in lines:
        if line.startswith("["):
            name, last = line.strip().strip("[]"), ""
            options.setdefault(name, {})
        elif line[:1].isspace() and last:
            options[name][last] += f" {line.strip()}"
        elif "=" in line and name:
            last, value = (word.strip() for word in line.split("=", 1))
            options[name][last] = value
    general = options.pop("main", {})
    return {
        name: tuple(re.split(r"[\s,]+", own["gpgkey"])) if own.get("gpgkey") else ()
        for name, own in options.items()
        if _yes(own.get("enabled", "1")) and _yes(own.get("gpgcheck", general.get("gpgcheck", "0")))
    }


def room(free: Mapping[str, int], updates: Sequence[Update], download: int) -> tuple[Trouble, ...]:
    """Too little room for what would be installed; `free` are bytes by `boot` and `var`."""
    troubles = []
    boot, var = free.get("boot"), free.get("var")
    if boot is not None and boot < _KERNEL_ROOM and any(is_kernel(update.name) for update in updates):
        do = "remove an old kernel: rpm -q kernel-core, and dnf remove one that does not run"
        troubles.append(Trouble(what="boot full", text=f"only {size(boot)} are free in /boot, for a kernel", do=do))
    if var is not None and updates and var < 2 * download + _SPARE:
        text = f"only {size(var)} are free below /var, and {size(download)} are to be fetched"
        troubles.append(Trouble(what="disk full", text=text, do="make room below /var; dnf clean packages may help"))
    return tuple(troubles)


def _yes(word: str) -> bool:
    return word.strip().lower() in ("1", "yes", "true", "on")
