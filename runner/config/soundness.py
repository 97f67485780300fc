"""What is checked of jobs.toml beside its schema, and which part of a faulty file can still be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from runner.config import meant
from runner.config.complaints import KeyPath, Problem, nearest
from runner.config.crosscheck import Declared
from runner.model.site import Site

Table = dict[str, Any]

_DEEPEST = 20
_LARGEST = 2**63
_SHORT = 5  # letters: EST, CEST and the like are no cities with a slip


def hopeless(tables: Table) -> tuple[Problem, ...]:
    """Find what no sensible file has and no later check need be ready for."""
    problems = []
    for path, value in _walk(tables):
        if len(path) >= _DEEPEST:
            problems.append(Problem(path=path[:1], text="is nested too deeply"))
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            problems.append(Problem(path=path, text="is too large a number"))
    return tuple(problems)


def control_characters(tables: Table) -> tuple[Problem, ...]:
    """Find texts and keys with characters that a terminal, a mail or ssh would take as a command."""
    problems = []
    for path, value in _walk(tables):
        if isinstance(value, str) and _has_control(value):
            what = "a tab: write a blank" if "\t" in value else "a control or invisible character"
            problems.append(Problem(path=path, text=f"{ascii(value)[:64]} has {what}"))
        if path and isinstance(path[-1], str) and _has_control(path[-1]):
            problems.append(Problem(path=path, text="the key has a control or invisible character"))
    return tuple(problems)


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") for character in text)


def _walk(tables: object) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value with its path, no deeper than needed to see that it is too deep."""
    left: list[tuple[KeyPath, Any]] = [((), tables)]
    while left:
        path, value = left.pop()
        yield path, value
        if len(path) >= _DEEPEST:
            continue
        if isinstance(value, Mapping):
            left.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            left.extend(((*path, place), inner) for place, inner in enumerate(value))


def sound_part(tables: Table, wrong: Iterable[Problem]) -> tuple[Table, Declared]:
    """Leave out every table of the second level that has a problem, and every section that is one.

    The names that come with it include what was left out, so that no problem is reported twice.
    """
    wrong = tuple(wrong)
    unread = {problem.path[0] for problem in wrong if len(problem.path) == 1}
    unread |= {nearest(str(name), ("hosts", "disks", "stores", "jobs")) or meant.section(str(name)) for name in unread}
    tainted = {problem.path[:2] for problem in wrong}
    sound = {
        section: {name: inner for name, inner in held.items() if (section, name) not in tainted}
        for section, held in tables.items()
        if section not in unread and isinstance(held, dict)
    }

    left_out = (
        inner
        for section, held in tables.items()
        for name, inner in (held.items() if isinstance(held, dict) else ((section, held),))
        if name not in sound.get(section, {})
    )
    spoken = frozenset(value for inner in left_out for _, value in _walk(inner) if isinstance(value, str))

    def names(section: str) -> tuple[str, ...] | None:
        return None if section in unread else tuple(tables.get(section, ()))

    declared = Declared(
        hosts=names("hosts"),
        disks=names("disks"),
        stores=names("stores"),
        jobs=names("jobs"),
        sandbox=tuple(sound.get("sandbox", ())),
        spoken=spoken,
    )
    return sound, declared


def timezone(name: str) -> str:
    """Give `name` back if it is a time zone of this system; ValueError says what is wrong."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = _place(name)
        hint = f"did you mean {near!r}?" if near else "write an area and a city, such as 'America/New_York'"
        raise ValueError(f"is not a time zone; {hint}") from None
    return name


_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@cache
def _places() -> tuple[str, ...]:
    """The zones of this system that are an area and a city; to look for them takes a while."""
    from zoneinfo import available_timezones

    areas = tuple(f"{area}/" for area in _AREAS)
    return tuple(sorted(zone for zone in available_timezones() if zone.startswith(areas)))


def _place(name: str) -> str:
    """The zone of a place, never one by its letters: those of one country are another's, hours away."""
    places = _places()
    plain = "_".join(name.split()).casefold()
    for zone in places:
        if plain in (zone.casefold(), zone.rpartition("/")[2].casefold()):
            return zone
    if "/" in name:
        return nearest(name, places)
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in places}
    return cities.get(nearest(plain, cities), "") if len(plain) > _SHORT else ""


def stand_ins(site: Site) -> Iterator[Problem]:
    """Check that what stands in for a host is there and neither holds nor is the sandbox itself."""
    sandbox = Path(site.sandbox).resolve()
    for host in site.hosts:
        for place, folder in enumerate(host.stand_ins):
            path: KeyPath = ("sandbox", host.name, place)
            real = _folder(folder)
            if real is None:
                yield Problem(path=path, text=f"{folder!r} is not a folder here")
            elif sandbox.is_relative_to(real):
                yield Problem(path=path, text=f"{folder!r} holds the sandbox, which would copy itself")
            elif real.is_relative_to(sandbox):
                yield Problem(path=path, text=f"{folder!r} is inside the sandbox, which is written")


def _folder(path: str) -> Path | None:
    try:
        real = Path(path).resolve(strict=True)
        return real if real.is_dir() else None
    except (OSError, RuntimeError):
        return None
