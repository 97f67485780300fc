"""aptitude(8) and apt-get(8) in words: what a log of theirs, or a mail with one in it, says was done.

Nothing is decided by it: it is prose. It finds lines worth a person's look in what a machine has judged already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["nothing", "performed", "held back", "unknown"]
HARMLESS = "error: out of partition"
_CAUSE = "run-parts: executing /etc/kernel/postinst.d/zz-update-grub"
_LIST = re.compile(
    r"The following packages (?:will be (?P<upgraded>upgraded)|have been (?P<kept>kept back))\b.*:"
)
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
    return Understood(
        verdict=verdict, upgraded=tuple(upgraded), held=tuple(held.items()), noise=noise, odd=odd
    )


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
