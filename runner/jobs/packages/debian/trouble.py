"""What keeps apt and dpkg from working, from what they said: what it is, and what a volunteer can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runner.model.packages import Trouble, What
from runner.model.text import one_line

_LONGEST = 300

Verdict = Literal["nothing", "performed", "held back", "unknown"]
HARMLESS = "error: out of partition"
_CAUSE = "run-parts: executing /etc/kernel/postinst.d/zz-update-grub"
_LIST = re.compile(r"The following packages (?:will be (?P<upgraded>upgraded)|have been (?P<kept>kept back))\b.*:")
_HELD = re.compile(r"ih\s?A?\s+(?P<name>\S+)\s+- (?P<about>.*)")
_SET_UP = re.compile(r"Setting up (?P<name>[^\s:]+)(?::[a-z0-9]+)? \(.*\) \.\.\.")
_FAILED = re.compile(r"dpkg: error processing (?:package|archive) (?P<name>\S+)")
_COUNT = re.compile(
    r"(?P<done>\d+) (?:packages )?upgraded, (?P<new>\d+) newly installed, .*\b(?P<back>\d+) not upgraded\."
)
_NOTHING = re.compile(r"No (?:security updates to apply|packages will be installed, upgraded, or removed)\.")
# Lines that quote a package's name, which may have any of the words in it (libgpg-error0).
_QUOTES = re.compile(
    r"(?:Setting up|Unpacking|Preparing to|Selecting previously|Removing|Purging|Processing triggers for|Get: ?\d+|"
    r"Hit:?|Inst|Conf|Remv)\b.*"
)
_PROGRESS = re.compile(
    r"(?:Get: ?\d+|Hit:?|Fetched|Need to get|After this operation|Reading |Building |\(Reading database|"
    r"Preparing to|Unpacking|Selecting previously|debconf: delaying|0 upgraded, 0 newly)\b.*|"
    r".*\bwas already (?:not on|set on) hold\."
)
_ODD = re.compile(r"error|fail|cannot|^[EW]: |^Err", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sign:
    pattern: re.Pattern[str]
    what: What
    do: str
    mends: bool = False


def _sign(what: What, pattern: str, do: str, *, mends: bool = False) -> _Sign:
    return _Sign(pattern=re.compile(pattern), what=what, do=do, mends=mends)


_NET = (
    "see that the host has a network and a name server (ping, getent hosts), and try again later: the mirror may "
    "be down; another one goes into /etc/apt/sources.list"
)
_FULL = "make room: apt-get clean, then old logs below /var/log; see df"
_BOOT = "remove a kernel that does not run and is not the newest (uname -r; dpkg -l 'linux-image-*'); see df /boot"
# The first that fits a line decides, so what is particular comes before what is general.
_SIGNS = (
    _sign(
        "interrupted",
        r"^E: dpkg was interrupted",
        "dpkg --configure -a; the runner does it as the first step of its next plan",
        mends=True,
    ),
    _sign(
        "lock",
        r"Could not get lock \S+ It is held by process \d+ \(.*\)|^E: Unable to (?:acquire|lock) ",
        "let that program come to its end (do not kill it) and run again",
    ),
    _sign(
        "clock",
        r"^E: Release file for \S+ is not valid yet",
        "the host's clock is behind: set it (timedatectl, or date -s, then hwclock --systohc) and run again",
    ),
    _sign(
        "expired",
        r"^E: Release file for \S+ is expired",
        "if date shows a wrong day, set the clock; else the mirror is left behind or the release has ended: "
        "take another mirror, or a supported release",
    ),
    _sign(
        "moved",
        r"^E: Repository '.*' changed its '(?:Origin|Label|Suite|Codename)' value",
        "read whether the release was meant to change; if so: apt-get update --allow-releaseinfo-change",
    ),
    _sign(
        "signature",
        r"NO_PUBKEY|Missing key",
        "nothing is installed from there, which is right; if the archive has a new key, install it from the "
        "archive-keyring package or the vendor's page, never with [trusted=yes]",
    ),
    _sign(
        "signature",
        r"EXPKEYSIG|KEYEXPIRED|REVKEYSIG|[Ee]xpired on|key .*expired",
        "the archive's key has expired: upgrade the archive-keyring package or fetch the vendor's new key",
    ),
    _sign(
        "signature",
        r"BADSIG|signatures? (?:were|was|is|are) invalid|is (?:not|no longer) signed|"
        r"signature verification|[Bb]ad signature|Clearsigned file isn't valid",
        "what came is not what the archive signed: try again in an hour; if it stays, ask an expert, and "
        "install nothing from there",
    ),
    _sign("boot full", r"/boot.*No space left on device|update-initramfs: failed for /boot", _BOOT),
    _sign("disk full", r"No space left on device|You don't have enough free space", _FULL),
    _sign(
        "damaged",
        r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress",
        "the mirror is being renewed or something between damages files: try again in an hour",
    ),
    _sign("damaged", r"/pool/\S+  404 ", "the lists are older than the archive: run again, which refreshes them first"),
    _sign(
        "unreachable",
        r"(?:^E: |^W: )?Failed to fetch .*|does not have a Release file|"
        r"Could not (?:resolve|connect)|Unable to connect|Temporary failure resolving",
        _NET,
    ),
    _sign(
        "half",
        r"dpkg: error processing package \S+ \(--configure\)",
        "read what its script said just above, mend that, then: dpkg --configure -a",
    ),
    _sign(
        "half",
        r"dpkg: error processing (?:archive|package) ",
        "read the reason in the next line; then: apt-get -f install",
    ),
    _sign(
        "unknown",
        r"^E: Version '.*' for '.*' was not found",
        "the archive has gone on since the plan was made: run again, and it is planned anew",
    ),
    _sign(
        "unknown",
        r"^E: Packages were downgraded",
        "somebody installed a newer version since the plan was made: plan again",
    ),
    _sign(
        "broken",
        r"^E: Unmet dependencies|^E: Unable to correct problems, you have held broken packages",
        "see what is missing: apt-get check; then apt-get -f install, reading what it would remove",
    ),
)
# What stands before the evidence and adds nothing to it.
_BEFORE = re.compile(r"^(?:[EW]: )?(?:An error occurred during the signature verification\..* GPG error: )?")
# These only tell that there is trouble; some other line tells which.
_FOLLOWS = re.compile(
    r"^(?:E: Some index files failed|W: Some index files failed|E: Unable to fetch some archives|"
    r"E: Sub-process \S+ returned|Errors were encountered)"
)


def read(lines: Iterable[str]) -> tuple[Trouble, ...]:
    """Every trouble that these lines of apt-get or dpkg tell of, each kind of remedy once, in their order.

    Names what is wrong in words that were seen; it does not decide whether something is wrong at all,
    which the exit code does. An error that is known nowhere here is `unknown`, in its own words.
    """
    found: dict[tuple[What, str], Trouble] = {}
    unknown: dict[tuple[What, str], Trouble] = {}
    for line in lines:
        text = one_line(_BEFORE.sub("", line.strip(), count=1).rstrip("."))[:_LONGEST]
        sign = next((one for one in _SIGNS if one.pattern.search(line)), None)
        if sign:
            known = Trouble(what=sign.what, text=text, do=sign.do, mends=sign.mends)
            found.setdefault((sign.what, sign.do), known)
        elif line.startswith("E: ") and not _FOLLOWS.match(line):
            do = "refer this to an expert"
            unknown.setdefault(("unknown", text), Trouble(what="unknown", text=text, do=do))
    return (*found.values(), *unknown.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Understood:
    """What a log says. `held` are (name, description), the latter "" where it says none.

    `noise` counts the lines that the administrators were told to pass over, `odd` are all others that
    speak of an error or a failure.
    """

    verdict: Verdict
    upgraded: tuple[str, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    noise: int = 0
    odd: tuple[str, ...] = ()


def understood(text: str) -> Understood:
    """Read a log of aptitude or apt-get, alone or in a mail of cron; never raises."""
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    lists, rest = _lists(lines)
    held = {one: "" for one in lists["kept"]}
    held |= {found["name"]: found["about"] for line in lines if (found := _HELD.fullmatch(line))}
    failed = {found["name"] for line in lines if (found := _FAILED.match(line))}
    ready = [found["name"] for line in lines if (found := _SET_UP.fullmatch(line))]
    upgraded = dict.fromkeys(name for name in ready if name not in failed and name in lists["upgraded"])
    counts = [found for line in lines if (found := _COUNT.match(line))]
    noise, odd = _sifted(rest)
    verdict: Verdict = "unknown"
    if held or any(int(one["back"]) for one in counts):
        verdict = "held back"
    elif ready:
        verdict = "performed"
    elif any(map(_NOTHING.fullmatch, lines)) or any(not int(one["done"]) + int(one["new"]) for one in counts):
        verdict = "nothing"
    return Understood(verdict=verdict, upgraded=tuple(upgraded), held=tuple(held.items()), noise=noise, odd=odd)


def odd_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines of a log that speak of an error or a failure, without what is known to be harmless."""
    return _sifted(_lists(list(lines))[1])[1]


def telling(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines of a log without those that only show how far it has come."""
    return tuple(line for line in lines if not _PROGRESS.fullmatch(line))


def _lists(lines: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The names in the lists under their headings, and all lines that are in no list."""
    found: dict[str, list[str]] = {"upgraded": [], "kept": [], "": []}
    rest, current = [], None
    for line in lines:
        if heading := _LIST.fullmatch(line):
            current = "upgraded" if heading["upgraded"] else "kept"
        elif line.startswith("The following ") and line.endswith(":"):
            current = ""
        elif current is not None and line.startswith("  "):
            found[current] += line.split()
        else:
            current = None
            rest.append(line)
    return found, rest


def _sifted(lines: list[str]) -> tuple[int, tuple[str, ...]]:
    noise, odd, caused = 0, [], False
    for line in lines:
        caused = caused or line.startswith(_CAUSE)
        if caused and line.strip().rstrip(".") == HARMLESS:
            noise += 1
        elif _ODD.search(line) and not _QUOTES.fullmatch(line) and not _HELD.fullmatch(line):
            odd.append(line)
    return noise, tuple(odd)
