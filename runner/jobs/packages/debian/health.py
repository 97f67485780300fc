"""What a survey of a Debian host says is wrong with its packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from runner.jobs.packages.debian import trouble as apt_trouble
from runner.jobs.packages.debian.apt import Installed
from runner.jobs.packages.debian.survey import Answer
from runner.model.packages import Trouble, What
from runner.model.text import count, one_line, size

_LISTS = "/var/lib/dpkg/"
_PENDING = ("unpacked", "triggers-awaited", "triggers-pending")
# Below this dpkg cannot even write down what it did.
_LEAST = 16 << 20
_NONE = Answer(exit=127)
_NAMED = 5
_PHASED = "Phased-Update-Percentage: "
# What the evidence means, for who does not read apt's words every day.
_MEANS: dict[What, str] = {
    "unreachable": "an archive of packages cannot be reached",
    "expired": "the lists of an archive have expired",
    "clock": "the clock of the host is behind",
    "moved": "an archive says that it is another one now",
    "signature": "the lists of an archive are not signed as they should be",
    "damaged": "what came from an archive is damaged",
}
_BOOT = "remove a kernel that does not run and is not the newest (uname -r; dpkg -l 'linux-image-*'); see df /boot"


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Free bytes and inodes where a path lies; `inodes` is None where the filesystem does not count them."""

    path: str
    free: int
    inodes: int | None


def troubles(
    answers: Mapping[str, tuple[Answer, ...]], installed: tuple[Installed, ...], download: int | None
) -> tuple[Trouble, ...]:
    """Everything that is wrong, each from evidence; the worst for what comes next first."""
    locked = _locks(answers)
    partly = is_partly(answers)
    stuck = [_stuck(one) for one in answers.get("kept", ())]
    at_work = any(path.startswith(_LISTS) for _, path, _ in _holders(answers))
    halves = () if at_work else _unfinished(answers, installed)
    return (
        *locked,
        *halves,
        *_broken(answers),
        *_full(answers, download),
        *_refresh(answers),
        *(one for one in stuck if not (partly and one.what == "unknown")),
    )


def is_partly(answers: Mapping[str, tuple[Answer, ...]]) -> bool:
    """Whether some archives answered, and not all."""
    return _one(answers, "partly").exit == 0


def rooms(answers: Mapping[str, tuple[Answer, ...]]) -> dict[str, Room]:
    """The room there is, by path."""
    found = {}
    for line in _one(answers, "room").out:
        path, *fields = line.split("|")
        if len(fields) == 4 and all(field.isdecimal() for field in fields):
            block, free, inodes, left = map(int, fields)
            found[path] = Room(path=path, free=block * free, inodes=left if inodes else None)
    return found


def _one(answers: Mapping[str, tuple[Answer, ...]], name: str) -> Answer:
    return answers.get(name, (_NONE,))[0]


def _locks(answers: Mapping[str, tuple[Answer, ...]]) -> tuple[Trouble, ...]:
    # Another program that works is no trouble for a look, only for what would follow.
    said: dict[str, Trouble] = {}
    for pid, path, program in _holders(answers):
        who = f"process {pid} ({one_line(program.strip()) or 'unknown'})"
        said.setdefault(
            pid,
            Trouble(
                what="lock",
                text=f"{who} is at work on the packages: it holds {path}",
                do="let it come to its end (do not kill it) and run again",
            ),
        )
    return tuple(said.values())


def _holders(answers: Mapping[str, tuple[Answer, ...]]) -> Iterator[tuple[str, str, str]]:
    """Who holds a lock of the packages: process, path, program."""
    for line in _one(answers, "locks").out:
        pid, path, program = (line.split("|", 2) + ["", ""])[:3]
        if path.startswith((_LISTS, "/var/cache/")):
            yield pid, path, program


def _unfinished(answers: Mapping[str, tuple[Answer, ...]], installed: tuple[Installed, ...]) -> tuple[Trouble, ...]:
    said = []
    pending = [one.name for one in installed if one.state in _PENDING]
    journal = _one(answers, "updates").out
    cut = bool(journal or pending)
    if cut:
        # A script that was cut off leaves the same state as one that failed: the repair tells which it was.
        pending = [one.name for one in installed if one.state in (*_PENDING, "half-configured")]
        names = f": {', '.join(pending[:10])}" if pending else ""
        said.append(
            Trouble(
                what="interrupted",
                mends=True,
                text=f"dpkg was interrupted; {count(len(pending), 'package')} waiting to be configured{names}",
                do="nothing now: this plan has dpkg --configure -a as a step",
            )
        )
    for one in installed:
        if one.state == "half-configured" and not cut:
            said.append(
                Trouble(
                    what="half",
                    package=one.name,
                    version=one.version,
                    text=f"{one.name} {one.version} is only half configured: its script failed",
                    do=f"at the host: dpkg --configure {one.name}, read what its script says, mend that, and again",
                )
            )
        elif one.state == "half-installed" or one.flag != "ok":
            said.append(
                Trouble(
                    what="half",
                    package=one.name,
                    version=one.version,
                    text=f"{one.name} {one.version} is only half installed",
                    do=f"apt-get install --reinstall {one.name}",
                )
            )
    return tuple(said)


def _broken(answers: Mapping[str, tuple[Answer, ...]]) -> tuple[Trouble, ...]:
    check = _one(answers, "check")
    if check.exit == 0:
        return ()
    reasons = [one_line(line.strip()) for line in check.out if line.startswith(" ")]
    known = tuple(one for one in apt_trouble.read(check.err) if one.what != "broken")
    if known and not reasons:
        return known
    return (
        Trouble(
            what="broken",
            text=f"dependencies are not met: {'; '.join(reasons[:3]) or 'apt-get check fails'}",
            do="see what is missing: apt-get check; then apt-get -f install, reading what it would remove",
        ),
    )


def _full(answers: Mapping[str, tuple[Answer, ...]], download: int | None) -> tuple[Trouble, ...]:
    said, found = [], rooms(answers)
    initrds = [int(line) for line in _one(answers, "initrds").out if line.isdecimal()]
    boot = found.get("/boot")
    if boot and initrds and boot.free < max(initrds):
        text = f"/boot has {size(boot.free)} left, and an initrd takes {size(max(initrds))}"
        said.append(Trouble(what="boot full", text=text, do=_BOOT))
    for path, least in (("/var/cache/apt/archives", download or 0), ("/var/lib/dpkg", _LEAST), ("/usr", _LEAST)):
        room = found.get(path)
        if room and (room.free < max(least, _LEAST) or room.inodes == 0):
            left = "no inode" if room.inodes == 0 else size(room.free)
            do = "make room: apt-get clean, then old logs below /var/log; see df and df -i"
            said.append(Trouble(what="disk full", text=f"{path} has {left} left", do=do))
            break
    return tuple(said)


def _refresh(answers: Mapping[str, tuple[Answer, ...]]) -> tuple[Trouble, ...]:
    refresh = _one(answers, "refresh")
    if refresh.exit == 0:
        return ()
    known = apt_trouble.read((*refresh.err, *_one(answers, "copy").err))
    if refresh.exit == 124 and not known:
        text, do = ("the mirrors did not answer in time", "see that the host has a network, and try again later")
        return (Trouble(what="unreachable", text=text, do=do),)
    text, do = f"the package lists could not be fetched (apt-get ended with {refresh.exit})", "apt-get update"
    found = tuple(map(_meant, known)) or (Trouble(what="unknown", text=text, do=do),)
    return (_without(answers, found[0]), *found[1:]) if is_partly(answers) else found


def _without(answers: Mapping[str, tuple[Answer, ...]], trouble: Trouble) -> Trouble:
    """The trouble of archives that did not answer, where others did: which, and what that means.

    What is not upgraded besides, and has no other reason, may only want something from there.
    """
    names = [one_line(name) for name in _one(answers, "partly").out]
    some = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
    stuck = [one.out[0] for one in answers.get("kept", ()) if one.out and _stuck(one).what == "unknown"]
    text = f"no package lists of {some or 'an archive'}, so nothing new is known from there: {trouble.text}"
    text += f"; perhaps for that reason these are not upgraded: {one_line(', '.join(stuck))}" if stuck else ""
    do = f"{trouble.do}; if that archive is gone for good, take it out of /etc/apt/sources.list and sources.list.d"
    return replace(trouble, text=text, do=do)


def _meant(known: Trouble) -> Trouble:
    means = _MEANS.get(known.what)
    return replace(known, text=f"{means}: {known.text}") if means else known


def _stuck(kept: Answer) -> Trouble:
    """A package that is not held and that apt does not upgrade."""
    name, *reasons = (*kept.out, "")
    phased = next((line.split()[-1] for line in reasons if line.startswith(_PHASED)), "")
    if phased and kept.exit == 0:
        text = f"{name} is not upgraded yet: its archive gives it to {phased} of 100 hosts so far, and not to this one"
        return Trouble(what="phased", text=text, do="nothing: it comes by itself")
    reasons = [line for line in reasons if not line.startswith(_PHASED)]
    if any("remove is disabled" in line for line in kept.err):
        text = f"{name} is not upgraded, since that would remove other packages"
        do = f"at the host: apt-get -s install {name} names them; decide by hand, the runner removes nothing"
    else:
        why = "; ".join(" ".join(line.split()) for line in reasons if line.strip()) or "apt gives no reason"
        text = one_line(f"{name} is not upgraded: {why}")
        do = "nothing, if it is gone in a few days: an archive is not always whole; else refer it to an expert"
    return Trouble(what="unknown", text=text, do=do)
