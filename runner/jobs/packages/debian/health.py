"""What a survey of a Debian host says is wrong with its packages."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from runner.jobs.packages.debian import trouble as apt_trouble
from runner.jobs.packages.debian.apt import DebianPackage
from runner.jobs.packages.debian.survey import Survey, SurveyAnswer, answer
from runner.model.packages import Trouble, What
from runner.model.text import count, one_line, size, whole_number

_LISTS = "/var/lib/dpkg/"
_PENDING = ("unpacked", "triggers-awaited", "triggers-pending")
# Below this dpkg cannot even write down what it did.
_LEAST = 16 << 20
_NAMED = 5
_PHASED = "Phased-Update-Percentage: "
# What the evidence means, for people who do not read apt's messages every day.
_MEANS: dict[What, str] = {
    "unreachable": "an archive of packages cannot be reached",
    "expired": "the lists of an archive have expired",
    "clock": "the clock of the host is behind",
    "moved": "an archive says that it is another one now",
    "signature": "the lists of an archive are not signed as they should be",
    "damaged": "what an archive sent is damaged",
}


class FreeSpace(NamedTuple):
    """Free bytes and inodes where a path lies; `inodes` is None where the filesystem does not count them."""

    free: int
    inodes: int | None


def troubles(survey: Survey, installed: tuple[DebianPackage, ...], download: int | None) -> tuple[Trouble, ...]:
    """Everything that is wrong, each from evidence; the worst for what comes next first."""
    holders = list(_holders(survey))
    at_work = any(holder.path.startswith(_LISTS) for holder in holders)
    stuck = map(_stuck, survey.get("kept", ()))
    unfinished = () if at_work else tuple(_unfinished(survey, installed))
    return (
        *_locks(holders),
        *unfinished,
        *(() if at_work or unfinished else _audited(survey)),
        *_broken(survey),
        *_full(survey, download),
        *_refresh(survey),
        *(trouble for trouble in stuck if not (is_partly(survey) and trouble.what == "unknown")),
    )


def is_partly(survey: Survey) -> bool:
    """Whether some archives answered, and not all."""
    return answer(survey, "partly").exit == 0


def rooms(survey: Survey) -> dict[str, FreeSpace]:
    """The room there is, by path."""
    spaces = {}
    for line in answer(survey, "room").out:
        path, *fields = line.split("|")
        numbers = [number for field in fields if (number := whole_number(field)) is not None]
        if len(fields) == len(numbers) == 4:
            block, free, inodes, left = numbers
            spaces[path] = FreeSpace(free=block * free, inodes=left if inodes else None)
    return spaces


class _LockHolder(NamedTuple):
    pid: str
    path: str
    program: str


def _holders(survey: Survey) -> Iterator[_LockHolder]:
    """Who holds a lock of the packages."""
    for line in answer(survey, "locks").out:
        holder = _LockHolder(*(line.split("|", 2) + ["", ""])[:3])
        if holder.path.startswith((_LISTS, "/var/cache/")):
            yield holder


def _locks(holders: Sequence[_LockHolder]) -> Iterator[Trouble]:
    # Another program that works is no trouble for a look, only for what would follow.
    by_pid: dict[str, _LockHolder] = {}
    for holder in holders:
        by_pid.setdefault(holder.pid, holder)
    for holder in by_pid.values():
        who = f"process {holder.pid} ({one_line(holder.program.strip()) or 'unknown'})"
        yield Trouble(
            what="lock",
            text=f"{who} is at work on the packages: it holds {holder.path}",
            do="wait until it has ended (do not kill it), then run again",
        )


def _unfinished(survey: Survey, installed: tuple[DebianPackage, ...]) -> Iterator[Trouble]:
    cut = bool(answer(survey, "updates").out or any(package.state in _PENDING for package in installed))
    if cut:
        # A script that was cut off leaves the same state as one that failed: the repair tells which it was.
        pending = [package.name for package in installed if package.state in (*_PENDING, "half-configured")]
        names = f": {', '.join(pending[:10])}" if pending else ""
        yield Trouble(
            what="interrupted",
            mends=True,
            text=f"dpkg was interrupted; {count(len(pending), 'package')} waiting to be configured{names}",
            do="nothing now: this plan has dpkg --configure -a as a step",
        )
    for package in installed:
        name = package.name
        if package.state == "half-configured" and not cut:
            text = "is only half configured: its script failed"
            do = f"at the host: dpkg --configure {name}, read what its script says, fix that, and run it again"
        elif package.state == "half-installed" or package.flag != "ok":
            text, do = "is only half installed", f"apt-get install --reinstall {name}"
        else:
            continue
        version = package.version
        yield Trouble(what="half", package=name, version=version, text=f"{name} {version} {text}", do=do)


def _audited(survey: Survey) -> tuple[Trouble, ...]:
    """What dpkg itself says is not whole, where nothing else says so: with that, nothing is ever fine."""
    audit = answer(survey, "audit")
    if audit.exit == 0 and not audit.out:
        return ()
    # Names stand in lines of their own below a paragraph of prose.
    names = [line.split()[0] for line in audit.out if line.startswith(" ") and line.strip()]
    why = ", ".join(names[:_NAMED]) or next(iter(audit.err), f"it ended with {audit.exit}")
    text = f"dpkg --audit says that packages are not whole: {one_line(why)}"
    do = "read what dpkg --audit says at the host, and do that; else ask an expert"
    return (Trouble(what="half", text=text, do=do),)


def _broken(survey: Survey) -> tuple[Trouble, ...]:
    check = answer(survey, "check")
    if check.exit == 0:
        return ()
    reasons = [one_line(line.strip()) for line in check.out if line.startswith(" ")]
    known = tuple(each for each in apt_trouble.read(check.err) if each.what != "broken")
    if known and not reasons:
        return known
    text = f"dependencies are not met: {'; '.join(reasons[:3]) or 'apt-get check fails'}"
    return (Trouble(what="broken", text=text, do=apt_trouble.BROKEN),)


def _full(survey: Survey, download: int | None) -> Iterator[Trouble]:
    spaces = rooms(survey)
    initrds = [number for line in answer(survey, "initrds").out if (number := whole_number(line)) is not None]
    boot = spaces.get("/boot")
    if boot and initrds and boot.free < max(initrds):
        text = f"/boot has {size(boot.free)} left, and an initrd takes {size(max(initrds))}"
        yield Trouble(what="boot full", text=text, do=apt_trouble.BOOT_FULL)
    for path, least in (("/var/cache/apt/archives", download or 0), ("/var/lib/dpkg", _LEAST), ("/usr", _LEAST)):
        space = spaces.get(path)
        if space and (space.free < max(least, _LEAST) or space.inodes == 0):
            left = "no inode" if space.inodes == 0 else size(space.free)
            do = "make room: apt-get clean, then old logs below /var/log; see df and df -i"
            yield Trouble(what="disk full", text=f"{path} has {left} left", do=do)
            return


def _refresh(survey: Survey) -> tuple[Trouble, ...]:
    refresh, archives = answer(survey, "refresh"), answer(survey, "archives")
    if refresh.exit == 0 and archives.exit == 0 and not archives.out:
        # apt-get update ends well where there is nothing to fetch.
        do = "write its archives into /etc/apt/sources.list, or a file in /etc/apt/sources.list.d"
        return (Trouble(what="moved", text="apt knows no archive, so there can be no update", do=do),)
    if refresh.exit == 0:
        return ()
    known = apt_trouble.read((*refresh.err, *answer(survey, "copy").err))
    if refresh.exit == 124 and not known:
        do = "see that the host has a network, and try again later"
        return (Trouble(what="unreachable", text="the mirrors did not answer in time", do=do),)
    text = f"the package lists could not be fetched (apt-get ended with {refresh.exit})"
    first, *others = map(_explained, known or (Trouble(what="unknown", text=text, do="apt-get update"),))
    return (_without(survey, first) if is_partly(survey) else first, *others)


def _without(survey: Survey, trouble: Trouble) -> Trouble:
    """The trouble of archives that did not answer, where others did: which, and what that means.

    What is not upgraded besides, and has no other reason, may only want something from there.
    """
    names = [one_line(name) for name in answer(survey, "partly").out]
    archives = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
    stuck = [kept.out[0] for kept in survey.get("kept", ()) if kept.out and _stuck(kept).what == "unknown"]
    text = f"no package lists of {archives or 'an archive'}, so nothing new is known from there: {trouble.text}"
    text += f"; perhaps for that reason these are not upgraded: {one_line(', '.join(stuck))}" if stuck else ""
    do = f"{trouble.do}; if that archive is gone for good, take it out of /etc/apt/sources.list and sources.list.d"
    return replace(trouble, text=text, do=do)


def _explained(known: Trouble) -> Trouble:
    means = _MEANS.get(known.what)
    return replace(known, text=f"{means}: {known.text}") if means else known


def _stuck(kept: SurveyAnswer) -> Trouble:
    """A package that is not held and that apt does not upgrade."""
    name, *reasons = (*kept.out, "")
    phased = next((line.split()[-1] for line in reasons if line.startswith(_PHASED)), "")
    if phased and kept.exit == 0:
        text = f"{name} is not upgraded yet: its archive gives it to {phased} of 100 hosts so far, and not to this one"
        return Trouble(what="phased", text=text, do="nothing: it comes by itself")
    reasons = [line for line in reasons if not line.startswith(_PHASED)]
    if any("remove is disabled" in line for line in kept.err):
        text = f"{name} is not upgraded, since that would remove other packages"
        word = shlex.quote(one_line(name))
        do = f"at the host: apt-get -s install {word} names them; decide by hand, the runner removes nothing"
    else:
        why = "; ".join(" ".join(line.split()) for line in reasons if line.strip()) or "apt gives no reason"
        text = one_line(f"{name} is not upgraded: {why}")
        do = "nothing, if it is gone in a few days: an archive is not always whole; else ask an expert"
    return Trouble(what="unknown", text=text, do=do)
