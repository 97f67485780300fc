"""Text with a unit, as people write it in jobs.toml, and the value it stands for."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Literal, get_args

from runner.model.site import Amount, Thin

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?"
_DURATION = re.compile(_NUMBER + r"(s|min|h|d|w)")
_PERCENT = re.compile(_NUMBER + "%")
_SIZE = re.compile(_NUMBER + r"([KMGT]i?B)")

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_CENTURY = 36500 * _SECONDS["d"]
_BYTES = {
    f"{letter}{end}": base**power
    for end, base in (("B", 1000), ("iB", 1024))
    for power, letter in enumerate("KMGT", start=1)
}


def duration(text: str) -> timedelta:
    """Read "120d", "20 h" or "90 min" (also s and w) as a time of a second to 100 years.

    ValueError says in words what is wrong; a bare number or the ambiguous "m" is refused.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("is not a length of time: write a number and s, min, h, d or w, such as '120d'")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= _CENTURY:
        raise ValueError("is not a length of time from a second to 100 years")
    return timedelta(seconds=seconds)


def percent(text: str) -> Amount:
    """Read "5%" as a share of more than 0 and less than 100; ValueError says what is wrong."""
    return Amount(percent=share(text))


def amount(text: str) -> Amount:
    """Read "5%" as a share, or "20 GiB" or "500 MB" as bytes; ValueError says what is wrong."""
    if text.endswith("%"):
        return percent(text)
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("is neither a share such as '5%' nor a size such as '20 GiB'")
    size = round(float(match[1]) * _BYTES[match[2]])
    if size == 0:
        raise ValueError("is a size of nothing")
    return Amount(bytes=size)


_Period = Literal["daily", "weekly", "monthly", "yearly"]
_PERIODS: dict[str, _Period] = {period: period for period in get_args(_Period)}


def size(text: str) -> Amount:
    """Read "20 GiB" or "500 MB" as bytes; ValueError says what is wrong."""
    if _SIZE.fullmatch(text) is None:
        raise ValueError("is not a size: write a number and KiB, MiB, GiB or TiB, such as '20 GiB'")
    return amount(text)


def share(text: str) -> float:
    """Read "30%" as 30.0; ValueError says what is wrong."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise ValueError("is not a share: write a number and %, such as '5%'")
    percent = float(match[1])
    if not 0 < percent < 100:
        raise ValueError("is not a share between 0% and 100%")
    return percent


def week(text: str) -> timedelta:
    """Read a duration of a week at most; ValueError says what is wrong."""
    if _DURATION.fullmatch(text) is None:
        raise ValueError("is not a length of time: write a number and s, min, h or d, such as '24h'")
    span = duration(text)
    if span > timedelta(days=7):
        raise ValueError("is more than a week")
    return span


def network(text: str) -> str:
    """Give an address or a network back; ValueError where it is none."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is not an address or a network such as '192.0.2.0/24'") from None
    return text


def thinning(text: str) -> tuple[Thin, ...]:
    """Read "daily 60, weekly 52, monthly all"; ValueError for a period twice, or a count of nothing."""
    thins: list[Thin] = []
    for part in text.split(","):
        word, _, count = part.strip().partition(" ")
        if word not in _PERIODS or not re.fullmatch("all|[0-9]{1,4}", count):
            raise ValueError("is not a list such as 'daily 60, weekly 52, monthly all'")
        if any(thin.period == word for thin in thins):
            raise ValueError(f"says {word} twice")
        if count != "all" and int(count) == 0:
            raise ValueError(f"keeps 0 {word}: leave {word} out")
        thins.append(Thin(period=_PERIODS[word], count=None if count == "all" else int(count)))
    return tuple(thins)


def plain_thinning(text: str) -> str:
    """The same list with one comma and one blank between its parts, which its schema takes; ValueError as above."""
    return ", ".join(f"{thin.period} {thin.count or 'all'}" for thin in thinning(text))
