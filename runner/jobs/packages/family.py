"""What differs between hosts by what upgrades their packages. `families` has the table of them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, NamedTuple

from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Trouble, Update
from runner.model.plan import Argv
from runner.model.site import Host

Policy = Literal["security", "all", "nothing"]
# A line of a log that speaks of an error or a failure.
ODD = re.compile(r"error|fail|cannot|^[EW]: |^Err", re.IGNORECASE)


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a package's name fits one of the patterns, with or without an architecture after a colon."""
    names = (name, name.partition(":")[0])
    return any(fnmatchcase(each, pattern) for each in names for pattern in patterns)


class PackageLog(NamedTuple):
    """What the output of a run says: what is wrong and what to do, packages whose scripts failed, lines that
    speak of an error, and all lines but those that only show progress."""

    troubles: tuple[Trouble, ...] = ()
    scripts: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    telling: tuple[str, ...] = ()


class Family(ABC):
    """How packages are read and changed. An empty argv: there is no such thing here.

    `lists` is whose list of packages the agent compares to say what changed. `policy` is what is installed
    where jobs.toml does not say. `not_all` are exit codes of `refresh` where some archive did not answer.
    `only_named`: where a person names packages for an upgrade, no others come with them.
    Patterns of names: `kernels` bring a kernel to boot, `fill_boot` write to /boot, `need_reboot` run in
    their new version only after a reboot. What a person runs at the host: `by_hand` finishes what is half
    installed, `write_initrd` writes what a kernel boots from, `write_entry` tells the boot loader of it.
    """

    lists: ClassVar[str]
    policy: ClassVar[Policy]
    not_all: ClassVar[tuple[int, ...]] = ()
    only_named: ClassVar[bool] = False
    kernels: ClassVar[tuple[str, ...]] = ()
    fill_boot: ClassVar[tuple[str, ...]] = ()
    need_reboot: ClassVar[tuple[str, ...]] = ()
    by_hand: ClassVar[str] = ""
    write_initrd: ClassVar[str] = ""
    write_entry: ClassVar[str] = ""

    @abstractmethod
    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""

    @abstractmethod
    def read(self, host: Host, facts: Facts) -> PackageFacts:
        """Say what is known of the host's packages; `reboot` are reasons that only this family knows."""

    @abstractmethod
    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; `partly`: some archive is known not to answer."""

    @abstractmethod
    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these, and nothing that is held."""

    @abstractmethod
    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
        """Release `free`, install exactly these, hold `again` however that ended."""

    @abstractmethod
    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether all is well, and these are installed."""

    @abstractmethod
    def label(self, update: Update) -> str:
        """Name a package as the agent is told it, with its architecture where that is needed."""

    @abstractmethod
    def named(self, word: str) -> Update | None:
        """The package and version that a word of `install` or `upgrade` names; None where it names none."""

    def repair(self) -> Argv:
        """Finish what was interrupted."""
        return ()

    def hold(self, names: Sequence[str]) -> Argv:
        """Hold these, and verify it."""
        return ()

    def verify(self, names: Sequence[str]) -> Argv:
        """See whether these are held, wherever that is written."""
        return ()

    def audit(self) -> Argv:
        """Print what is only half installed, and nothing where all is whole."""
        return ()

    def unhold(self, names: Sequence[str]) -> str:
        """Tell a person how to release the holds that these have at the host."""
        return ""

    def kernel_release(self, updates: Sequence[Update]) -> str:
        """The release, as `uname -r` tells it, of the newest kernel among these; "" where there is none."""
        return ""

    def log(self, lines: Sequence[str]) -> PackageLog:
        """Read the output of a run, by line."""
        return plain_log(lines)


def plain_log(lines: Sequence[str]) -> PackageLog:
    """The output of a run, read without knowing the program: which lines speak of an error."""
    return PackageLog(odd=tuple(line for line in lines if ODD.search(line)), telling=tuple(lines))
