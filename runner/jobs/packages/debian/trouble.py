"""What keeps apt and dpkg from working, from their output: what it is, and what a volunteer can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from runner.jobs.packages.family import ODD
from runner.model.packages import Trouble, What
from runner.model.text import one_line

_LONGEST = 300

_HARMLESS = "error: out of partition"
_CAUSE = "run-parts: executing /etc/kernel/postinst.d/zz-update-grub"
_HELD = re.compile(r"ih\s?A?\s+\S+\s+- .*")
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


class _AptSign(NamedTuple):
    what: What
    pattern: str
    do: str
    mends: bool = False


_NET = (
    "see that the host has a network and a name server (ping, getent hosts), and try again later: the mirror may "
    "be down; another one goes into /etc/apt/sources.list"
)
_FULL = "make room: apt-get clean, then old logs below /var/log; see df"
BOOT_FULL = "remove a kernel that does not run and is not the newest (uname -r; dpkg -l 'linux-image-*'); see df /boot"
BROKEN = "see what is missing: apt-get check; then apt-get -f install, reading what it would remove"
# The first that fits a line decides, so what is particular comes before what is general.
_SIGNS = (
    _AptSign(
        "interrupted",
        r"^E: dpkg was interrupted",
        "dpkg --configure -a; the runner does it as the first step of its next plan",
        mends=True,
    ),
    _AptSign(
        "lock",
        r"Could not get lock \S+ It is held by process \d+ \(.*\)|^E: Unable to (?:acquire|lock) ",
        "wait until that program has ended (do not kill it), then run again",
    ),
    _AptSign(
        "clock",
        r"^E: Release file for \S+ is not valid yet",
        "the host's clock is behind: set it (timedatectl, or date -s, then hwclock --systohc) and run again",
    ),
    _AptSign(
        "expired",
        r"^E: Release file for \S+ is expired",
        "if date shows a wrong day, set the clock; else the mirror is out of date or the release has ended: "
        "take another mirror, or a supported release",
    ),
    _AptSign(
        "moved",
        r"^E: Repository '.*' changed its '(?:Origin|Label|Suite|Codename)' value",
        "read whether the release was meant to change; if so: apt-get update --allow-releaseinfo-change",
    ),
    _AptSign(
        "signature",
        r"NO_PUBKEY|Missing key",
        "nothing is installed from there, which is right; if the archive has a new key, install it from the "
        "archive-keyring package or the vendor's page, never with [trusted=yes]",
    ),
    _AptSign(
        "signature",
        r"EXPKEYSIG|KEYEXPIRED|REVKEYSIG|[Ee]xpired on|key .*expired",
        "the archive's key has expired: upgrade the archive-keyring package or fetch the vendor's new key",
    ),
    _AptSign(
        "signature",
        r"BADSIG|signatures? (?:were|was|is|are) invalid|is (?:not|no longer) signed|"
        r"signature verification|[Bb]ad signature|Clearsigned file isn't valid",
        "what the archive sent is not what it signed: try again in an hour; if that goes on, ask an expert, and "
        "install nothing from there",
    ),
    _AptSign("boot full", r"/boot.*No space left on device|update-initramfs: failed for /boot", BOOT_FULL),
    _AptSign("disk full", r"No space left on device|You don't have enough free space", _FULL),
    _AptSign(
        "damaged",
        r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress",
        "the mirror is being renewed or something between damages files: try again in an hour",
    ),
    _AptSign(
        "damaged", r"/pool/\S+  404 ", "the lists are older than the archive: run again, which refreshes them first"
    ),
    _AptSign(
        "unreachable",
        r"(?:^E: |^W: )?Failed to fetch .*|does not have a Release file|"
        r"Could not (?:resolve|connect)|Unable to connect|Temporary failure resolving",
        _NET,
    ),
    _AptSign(
        "half",
        r"dpkg: error processing package \S+ \(--configure\)",
        "read what its script said just above, mend that, then: dpkg --configure -a",
    ),
    _AptSign(
        "half",
        r"dpkg: error processing (?:archive|package) ",
        "read the reason in the next line; then: apt-get -f install",
    ),
    _AptSign(
        "unknown",
        r"^E: Version '.*' for '.*' was not found",
        "the archive has changed since the plan was made: run again, which plans anew",
    ),
    _AptSign(
        "unknown",
        r"^E: Packages were downgraded",
        "somebody installed a newer version since the plan was made: plan again",
    ),
    _AptSign("broken", r"^E: Unmet dependencies|^E: Unable to correct problems, you have held broken packages", BROKEN),
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

    Each names what is wrong in apt's own words; it does not decide whether something is wrong at all,
    which the exit code does. An error that is known nowhere here is `unknown`, in its own words.
    """
    known: dict[tuple[What, str], Trouble] = {}
    unknown: dict[str, Trouble] = {}
    for line in lines:
        text = one_line(_BEFORE.sub("", line.strip(), count=1).rstrip("."))[:_LONGEST]
        sign = next((sign for sign in _SIGNS if re.search(sign.pattern, line)), None)
        if sign:
            trouble = Trouble(what=sign.what, text=text, do=sign.do, mends=sign.mends)
            known.setdefault((sign.what, sign.do), trouble)
        elif line.startswith("E: ") and not _FOLLOWS.match(line):
            unknown.setdefault(text, Trouble(what="unknown", text=text, do="ask an expert"))
    return (*known.values(), *unknown.values())


def odd_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines of a log that speak of an error or a failure, without what is known to be harmless."""
    odd, caused = [], False
    for line in _outside_lists(lines):
        caused = caused or line.startswith(_CAUSE)
        harmless = caused and line.strip().rstrip(".") == _HARMLESS
        if ODD.search(line) and not (harmless or _QUOTES.fullmatch(line) or _HELD.fullmatch(line)):
            odd.append(line)
    return tuple(odd)


def telling(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines of a log without those that only show progress."""
    return tuple(line for line in lines if not _PROGRESS.fullmatch(line))


def _outside_lists(lines: Iterable[str]) -> Iterator[str]:
    """All lines but the lists of names and their headings."""
    listing = False
    for line in lines:
        heading = line.startswith("The following ") and line.rstrip().endswith(":")
        listing = heading or (listing and line.startswith("  "))
        if not listing:
            yield line
