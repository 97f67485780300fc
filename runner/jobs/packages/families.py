"""The table of families, written out by hand. A new one is a line here, in the schema, and files of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from runner.jobs.packages.family import Family
from runner.model.site import Host

# By what `packages` of a host says: where its class is, as module:Class. It is imported when a host has it.
FAMILIES: Mapping[str, str] = {
    "apt": "runner.jobs.packages.debian.family:Debian",
    "yum": "runner.jobs.packages.redhat.family:RedHat",
    "dnf": "runner.jobs.packages.redhat.family:RedHat",
}


def family(host: Host, table: Mapping[str, str] = FAMILIES) -> Family | None:
    """How the packages of `host` are read and changed; None where jobs.toml does not say.

    `table` names the families that there are: a test may know more of them.
    """
    return named(host.packages, table)


def named(packages: str, table: Mapping[str, str] = FAMILIES) -> Family | None:
    """The family by what `packages` of a host says; None where the table does not have it."""
    return _made(table[packages]) if packages in table else None


def need_reboot(host: Host) -> tuple[str, ...]:
    """Patterns of the packages whose change needs a reboot of `host`: of every family where its own is not known."""
    places = dict.fromkeys(FAMILIES[name] for name in ([host.packages] if host.packages in FAMILIES else FAMILIES))
    return tuple(pattern for place in places for pattern in _made(place).need_reboot)


def words(table: Mapping[str, str] = FAMILIES) -> str:
    """What `packages` of a host may be, for a person."""
    *others, last = (f'"{name}"' for name in table)
    return f"{', '.join(others)} or {last}" if others else last


@cache
def _made(place: str) -> Family:
    module, _, name = place.partition(":")
    made: Family = getattr(import_module(module), name)()
    return made
