"""dpkg(1) and dpkg-query(1): finish what was interrupted, see what is half done, read what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.model.plan import Argv

# "libc6:any (>= 2.36) [amd64]" in a Depends field; see deb-control(5).
_WORD = re.compile(
    r"\s*([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?.*"
)

# One of several packages that would do: its name, and a relation and a version where only some versions do.
Alternative = tuple[str, str, str]
Clause = tuple[Alternative, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """A package that is on the host, whole or not. `name` is as apt writes it: `libc6:i386` where foreign.

    `want` is hold, install, deinstall or purge; `state` as dpkg-query's Status-Status; `flag` is `ok` or
    `reinstreq`. `needs` are what it depends on.
    """

    name: str
    arch: str
    version: str
    want: str
    state: str
    flag: str = "ok"
    needs: tuple[Clause, ...] = ()


def repair() -> Argv:
    """Finish an interrupted run: configure what was unpacked, keeping a person's configuration files.

    Exit 1 if a package's own script fails. Needs the environment of `runner-store carry`.
    """
    return ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")


def audit() -> Argv:
    """Name packages that are not whole. The exit code says nothing: any output means that there are some."""
    return ("dpkg", "--audit")


def parse_table(lines: Iterable[str], native: str) -> tuple[Installed, ...]:
    """Read `name|arch|version|want|state|flag|dependencies` lines; packages that are gone are left out."""
    found = []
    for line in lines:
        fields = line.split("|", 6)
        if len(fields) == 7 and fields[4] not in ("not-installed", "config-files"):
            name, arch, version, want, state, flag, needs = fields
            known = name_of(name, arch, native)
            found.append(Installed(
                name=known, arch=arch, version=version, want=want, state=state, flag=flag, needs=clauses(needs),
            ))  # fmt: skip
    return tuple(found)


def name_of(name: str, arch: str, native: str) -> str:
    """The name as apt writes it: with the architecture where it is not the machine's own."""
    return name if arch in ("", "all", native) else f"{name}:{arch}"


def clauses(field: str) -> tuple[Clause, ...]:
    """Read a field like Depends: `a (>= 1) | b, c` is two clauses, the first of two alternatives."""
    read = (tuple(map(_alternative, one.split("|"))) for one in field.split(",") if one.strip())
    return tuple(tuple(one for one in clause if one[0]) for clause in read)


def _alternative(text: str) -> Alternative:
    found = _WORD.fullmatch(text)
    return (found[1], found[2] or "", found[3] or "") if found else ("", "", "")
