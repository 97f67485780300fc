"""What differs between hosts by what upgrades their packages. `families` has the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv
from runner.model.site import Host

Policy = Literal["security", "all", "nothing"]


class Family(Protocol):
    """How packages are read and changed. An empty argv: there is no such thing here.

    `lists` is whose list of packages the agent compares to say what changed. `policy` is what is installed
    where jobs.toml does not say. `not_all` are exit codes of `refresh` where some archive did not answer.
    `by_hand` is what a person runs at the host to finish what is half installed.
    `only_named`: where a person names packages for an upgrade, no others come with them.
    """

    lists: str
    policy: Policy
    not_all: tuple[int, ...]
    only_named: bool
    by_hand: str

    def probes(self, host: Host) -> tuple[Probe, ...]:
        """Name the READ commands that `read` needs."""

    def read(self, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
        """Say what is known of the host's packages; `patterns` are those whose upgrade needs a reboot."""

    def repair(self) -> Argv:
        """Finish what was interrupted."""

    def refresh(self, host: Host, *, partly: bool = False) -> Argv:
        """Fetch the lists; `partly`: some archive is known not to answer."""

    def install(self, host: Host, updates: Sequence[Update]) -> Argv:
        """Install exactly these, and nothing that is held."""

    def upgrade(self, host: Host, updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
        """Let go of `free`, install exactly these, hold `again` whatever came of it."""

    def hold(self, names: Sequence[str]) -> Argv:
        """Hold these, and verify it."""

    def verify(self, names: Sequence[str]) -> Argv:
        """See whether these are held, wherever that is written."""

    def look(self, updates: Sequence[Update]) -> Argv:
        """See whether all is well, and these are installed."""

    def audit(self) -> Argv:
        """Print what is only half installed, and nothing where all is whole."""

    def label(self, update: Update) -> str:
        """Name a package as the agent is told it, with its architecture where that is needed."""

    def named(self, word: str) -> str:
        """The package that a word of `install` or `upgrade` names with its version; "" where it names none."""

    def let_go(self, names: Sequence[str]) -> str:
        """Tell a person how to let go of holds that these have at the host."""
